//! Measures what Just-in-Time funding adds: asks at a steady rate to a balance service that answers at once,
//! each timed from the moment at which it was due (so a stall counts for every ask that it held up).
//!
//! `cargo run --release -p simulators --example jit_overhead [ASKS_PER_SECOND] [SECONDS]`

#![allow(clippy::unwrap_used)]

use domain::{
    AccountId, AcquirerId, Amounts, Ask, Asset, AssetCode, Authorization, CardId, CardToken, Currency,
    DutyNo, FundingOutcome, Merchant, MessageClass, Moment, Money, Mono, Pan, PartialApproval,
    ProcessingCode, ShardId, Stan, Timestamp, TransactionId, TransactionNo, Transmission, Units,
};
use funding::{Funding, FundingConfig, FundingSink, Keys, Secret};
use hdrhistogram::Histogram;
use simulators::balance_service::{AnswerSigning, BalanceService, Books, Opening, Options, Profile};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::{Builder, Runtime};

struct Timer {
    start: Instant,
    period: Duration,
    latencies: Mutex<Histogram<u64>>,
    failed: Mutex<u64>,
}

impl FundingSink for Timer {
    fn now(&self) -> Moment {
        let utc =
            Timestamp::from_seconds(0).plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        Moment { utc, mono: Mono::default().plus(self.start.elapsed()) }
    }

    fn ask_ended(&self, transaction: TransactionId, outcome: FundingOutcome, _took: Duration) {
        let due = self.period * u32::try_from(transaction.number.0).unwrap();
        let latency = self.start.elapsed().saturating_sub(due);
        self.latencies.lock().unwrap().saturating_record(u64::try_from(latency.as_micros()).unwrap());
        if !matches!(outcome, FundingOutcome::Approved { .. }) {
            *self.failed.lock().unwrap() += 1;
        }
    }

    fn duty_acknowledged(&self, _shard: ShardId, _duty: DutyNo) {}
}

fn ask(number: u64, now: Moment) -> Ask {
    let amount = Money::new(1, Currency::from_alpha("USD").unwrap());
    Ask {
        transaction: TransactionId { shard: ShardId(1), number: TransactionNo(number) },
        account: AccountId::new(&format!("acct_{}", number % 1_000)).unwrap(),
        card: CardId::new("card_1").unwrap(),
        last_four: Pan::from_digits(b"4242424242424242").unwrap().last_four(),
        request: Authorization {
            class: MessageClass::AuthorizationRequest,
            card: CardToken([7; 16]),
            processing_code: ProcessingCode(0),
            amount,
            billing: None,
            transmission: Transmission::new(1_120_184_531).unwrap(),
            stan: Stan::new(number % 1_000_000).unwrap(),
            acquirer: AcquirerId::new(12_345).unwrap(),
            rrn: None,
            entry_mode: None,
            merchant: Merchant::default(),
            partial: PartialApproval::NotSupported,
            details: domain::Details::default(),
            expiry: None,
            deadline: now.mono.plus(Duration::from_secs(2)),
        },
        amounts: Amounts { card: amount, units: Units(1) },
        asset: Asset::new(AssetCode::new("USDT").unwrap(), 6).unwrap(),
        rate: None,
        price: None,
        received: now.utc,
        held: Units(0),
        outstanding_standin: Units(0),
        increment_of: None,
    }
}

fn runtime(name: &str) -> Runtime {
    Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build().unwrap()
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>().unwrap());
    let (rate, seconds) = (arguments.next().unwrap_or(2_000), arguments.next().unwrap_or(5));
    let keys = Keys::new(Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
    let (theirs, ours) = (runtime("service"), runtime("funding"));
    let openings = (0..1_000).map(|number| Opening {
        account: AccountId::new(&format!("acct_{number}")).unwrap(),
        asset: AssetCode::new("USDT").unwrap(),
        units: Units(1_000_000),
    });
    let options = Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        profile: Profile::instant(),
        books: Books::with(openings),
        keys: keys.clone(),
        answers: AnswerSigning::Unsigned,
        tls: None,
        seed: 1,
    };
    let service = theirs.block_on(BalanceService::start(options)).unwrap();
    let mut config = FundingConfig::new(service.url().parse().unwrap(), keys);
    config.connections_warm = 32;

    let count = u64::from(rate) * u64::from(seconds);
    let sink = Arc::new(Timer {
        start: Instant::now() + Duration::from_millis(200),
        period: Duration::from_secs(1) / rate,
        latencies: Mutex::new(Histogram::new_with_bounds(1, 60_000_000, 3).unwrap()),
        failed: Mutex::new(0),
    });
    let funding = Funding::start(config, Arc::<Timer>::clone(&sink), ours.handle()).unwrap();
    ours.block_on(funding.warm_up()).unwrap();

    let mut calling = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).unwrap();
    for number in 0..count {
        let due = sink.start + sink.period * u32::try_from(number).unwrap();
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let before = Instant::now();
        funding.ask(ask(number, sink.now()));
        calling.saturating_record(u64::try_from(before.elapsed().as_nanos()).unwrap());
    }
    ours.block_on(funding.shutdown(Duration::from_secs(5)));

    let latencies = sink.latencies.lock().unwrap();
    println!("{count} asks at {rate}/s, {} not approved", sink.failed.lock().unwrap());
    let line = |name: &str, histogram: &Histogram<u64>, unit: &str| {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|at| histogram.value_at_quantile(at));
        println!(
            "{name}: p50 {p50} {unit}, p99 {p99} {unit}, p99.9 {p999} {unit}, max {} {unit}",
            histogram.max()
        );
    };
    line("from due to outcome", &latencies, "us");
    line("the call itself", &calling, "ns");
    println!("the service counted {} asks", service.books().counts.asks);
}
