//! A small stand-in for the switch: it hands out asks, and does with their outcomes what the switch does.

#![allow(clippy::unwrap_used, clippy::panic, dead_code, unreachable_pub)]

use domain::{
    AccountId, AcquirerId, Amounts, Ask, Asset, AssetCode, Authorization, CancelCause, CardId, CardToken,
    Currency, Duty, DutyKind, DutyNo, FundingOutcome, Merchant, MessageClass, Moment, Money, Mono, Pan,
    PartialApproval, ProcessingCode, ShardId, Stan, Timestamp, TransactionId, TransactionNo, Transmission,
    Units,
};
use funding::{Funding, FundingConfig, FundingSink, Keys, Secret};
use rustls::ServerConfig;
use simulators::balance_service::{AnswerSigning, BalanceService, Books, Opening, Options, Profile};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

pub const SHARD: ShardId = ShardId(17);

pub fn keys() -> Keys {
    Keys::new(Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap())
}

pub fn usdt() -> AssetCode {
    AssetCode::new("USDT").unwrap()
}

pub fn account(number: u64) -> AccountId {
    AccountId::new(&format!("acct_{number}")).unwrap()
}

pub fn transaction(number: u64) -> TransactionId {
    TransactionId { shard: SHARD, number: TransactionNo(number) }
}

/// A service with `accounts` accounts of `units` each.
pub async fn service(profile: Profile, accounts: u64, units: i128) -> BalanceService {
    let openings =
        (0..accounts).map(|number| Opening { account: account(number), asset: usdt(), units: Units(units) });
    service_with(profile, Books::with(openings)).await
}

pub async fn service_with(profile: Profile, books: Books) -> BalanceService {
    service_over(None, profile, books).await
}

/// The same over TLS, where a certificate is given.
pub async fn service_over(tls: Option<Arc<ServerConfig>>, profile: Profile, books: Books) -> BalanceService {
    let listen = "127.0.0.1:0".parse().unwrap();
    let answers = AnswerSigning::Signed;
    let options = Options { listen, profile, books, keys: keys(), answers, tls, seed: 1 };
    BalanceService::start(options).await.unwrap()
}

pub fn config(url: &str) -> FundingConfig {
    let mut config = FundingConfig::new(url.parse().unwrap(), keys());
    config.answer_keys = Some(keys());
    config.budget.commit_margin = Duration::from_millis(10);
    config.budget.write_margin = Duration::from_millis(10);
    config.duty_attempt_timeout = Duration::from_millis(100);
    config.duty_backoff.min = Duration::from_millis(2);
    config.duty_backoff.max = Duration::from_millis(20);
    config.connections_warm = 2;
    config
}

/// How many duties each transaction and each account has had.
#[derive(Default)]
struct Sequences {
    transactions: BTreeMap<u64, u32>,
    accounts: BTreeMap<AccountId, u64>,
}

impl Sequences {
    fn next(&mut self, transaction: u64, account: AccountId) -> (u32, u64) {
        let of_transaction = self.transactions.entry(transaction).or_default();
        let of_account = self.accounts.entry(account).or_default();
        (*of_transaction, *of_account) = (*of_transaction + 1, *of_account + 1);
        (*of_transaction, *of_account)
    }
}

/// What the switch remembers of its asks and its duties.
pub struct Switch {
    start: Instant,
    funding: OnceLock<Funding>,
    duty_numbers: AtomicU64,
    sequences: Mutex<Sequences>,
    asked: Mutex<BTreeMap<TransactionId, Ask>>,
    outcomes: Mutex<BTreeMap<TransactionId, Vec<FundingOutcome>>>,
    acknowledged: Mutex<Vec<DutyNo>>,
    reversed: Mutex<BTreeSet<TransactionId>>,
    changed: Notify,
}

impl Switch {
    pub fn start(config: FundingConfig) -> Arc<Self> {
        let switch = Arc::new(Self {
            start: Instant::now(),
            funding: OnceLock::new(),
            duty_numbers: AtomicU64::new(1),
            sequences: Mutex::default(),
            asked: Mutex::default(),
            outcomes: Mutex::default(),
            acknowledged: Mutex::default(),
            reversed: Mutex::default(),
            changed: Notify::new(),
        });
        let sink: Arc<dyn FundingSink> = Arc::<Self>::clone(&switch);
        let funding = Funding::start(config, sink, &tokio::runtime::Handle::current()).unwrap();
        switch.funding.set(funding).ok().unwrap();
        switch
    }

    pub fn funding(&self) -> &Funding {
        self.funding.get().unwrap()
    }

    /// Asks for `units` of an account, with an answer due in `ms` milliseconds.
    pub fn ask(&self, number: u64, account: AccountId, units: i128, partial: PartialApproval, ms: u64) {
        let amount = Money::new(i64::try_from(units).unwrap(), Currency::from_alpha("USD").unwrap());
        let now = self.now();
        let ask = Ask {
            transaction: transaction(number),
            account,
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
                partial,
                details: domain::Details::default(),
                expiry: None,
                deadline: now.mono.plus(Duration::from_millis(ms)),
            },
            amounts: Amounts { card: amount, units: Units(units) },
            asset: Asset::new(usdt(), 6).unwrap(),
            rate: None,
            price: None,
            received: now.utc,
            held: Units(0),
            outstanding_standin: Units(0),
            increment_of: None,
        };
        self.asked.lock().unwrap().insert(ask.transaction, ask);
        self.funding().ask(ask);
    }

    /// Owes the service a duty about a transaction.
    pub fn owe(&self, number: u64, account: AccountId, kind: DutyKind, units: Units) -> u64 {
        let duty_number = self.duty_numbers.fetch_add(1, Ordering::Relaxed);
        let (sequence, account_sequence) = self.sequences.lock().unwrap().next(number, account);
        let duty = Duty {
            number: TransactionNo(duty_number),
            transaction: TransactionNo(number),
            account,
            kind,
            units,
            asset: Asset::new(usdt(), 6).unwrap(),
            sequence,
            account_sequence,
        };
        self.funding().owe(SHARD, duty);
        duty_number
    }

    /// Reverses a transaction, once.
    pub fn reverse(&self, number: u64, account: AccountId, kind: DutyKind, units: Units) {
        if self.reversed.lock().unwrap().insert(transaction(number)) {
            self.owe(number, account, kind, units);
        }
    }

    pub fn reversed(&self) -> BTreeSet<TransactionId> {
        self.reversed.lock().unwrap().clone()
    }

    pub fn acknowledged(&self) -> Vec<u64> {
        self.acknowledged.lock().unwrap().iter().map(|number| number.0).collect()
    }

    pub fn outcomes(&self) -> BTreeMap<TransactionId, Vec<FundingOutcome>> {
        self.outcomes.lock().unwrap().clone()
    }

    pub async fn outcome(&self, number: u64) -> FundingOutcome {
        let id = transaction(number);
        self.until("an outcome", |switch| switch.outcomes().contains_key(&id)).await;
        let outcomes = self.outcomes();
        assert_eq!(outcomes[&id].len(), 1, "more than one outcome for one ask");
        outcomes[&id][0]
    }

    pub async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if done(self) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
    }
}

impl FundingSink for Switch {
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Moment {
            utc: Timestamp::from_seconds(0).plus(since),
            mono: Mono::default().plus(self.start.elapsed()),
        }
    }

    fn ask_ended(&self, transaction: TransactionId, outcome: FundingOutcome, _took: Duration) {
        if let FundingOutcome::Unknown(_) = outcome {
            let ask = self.asked.lock().unwrap()[&transaction];
            let kind = DutyKind::Cancel(CancelCause::OutcomeUnknown);
            self.owe(transaction.number.0, ask.account, kind, ask.amounts.units);
        }
        self.outcomes.lock().unwrap().entry(transaction).or_default().push(outcome);
        self.changed.notify_waiters();
    }

    fn duty_acknowledged(&self, _shard: ShardId, duty: DutyNo) {
        self.acknowledged.lock().unwrap().push(duty);
        self.changed.notify_waiters();
    }
}
