//! What the tests share: asks and duties to hand in, a sink that records, and a service that does as told.

#![allow(clippy::unwrap_used, clippy::panic, dead_code, unreachable_pub)]

use domain::{
    AccountId, AcquirerId, Amounts, Ask, Asset, AssetCode, Authorization, CancelCause, CardId, CardToken,
    CountryCode, Currency, Duty, DutyKind, DutyNo, EntryMode, FundingFailure, FundingOutcome, Mcc, Merchant,
    MessageClass, Moment, Money, Mono, Pan, PartialApproval, ProcessingCode, Rate, Rrn, ShardId, Stan, Text,
    Timestamp, TransactionId, TransactionNo, Transmission, Units,
};
use funding::contract::Told;
use funding::{AskEnd, BreakerState, Endpoint, Funding, FundingConfig, FundingSink, Keys, Secret};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const SHARD: ShardId = ShardId(17);

/// The number in the contract's examples.
pub const EXAMPLE: u64 = 0x0006_423a_9f2c_1b40;

pub fn transaction(number: u64) -> TransactionId {
    TransactionId { shard: SHARD, number: TransactionNo(number) }
}

pub fn usdt() -> Asset {
    Asset::new(AssetCode::new("USDT").unwrap(), 6).unwrap()
}

/// The ask of the contract's first example, due at `deadline`.
pub fn ask(number: u64, deadline: Mono) -> Ask {
    let usd = Currency::from_alpha("USD").unwrap();
    let amount = Money::new(1_250, usd);
    let received = Timestamp::from_micros(1_795_200_331_000_000);
    Ask {
        transaction: transaction(number),
        account: AccountId::new("acct_1").unwrap(),
        card: CardId::new("card_1").unwrap(),
        last_four: Pan::from_digits(b"4242424242424242").unwrap().last_four(),
        request: Authorization {
            class: MessageClass::AuthorizationRequest,
            card: CardToken([7; 16]),
            processing_code: ProcessingCode(0),
            amount,
            billing: None,
            transmission: Transmission::new(1_120_184_531).unwrap(),
            stan: Stan::new(123).unwrap(),
            acquirer: AcquirerId::new(12_345).unwrap(),
            rrn: Some(Rrn::new("632518000123").unwrap()),
            entry_mode: Some(EntryMode(51)),
            merchant: Merchant {
                mcc: Some(Mcc(5814)),
                country: Some(CountryCode(840)),
                id: Text::new("MERCHANT0000001").unwrap(),
                terminal: Text::new("TERM0001").unwrap(),
                name: Text::new("COFFEE BAR").unwrap(),
            },
            partial: PartialApproval::NotSupported,
            details: domain::Details {
                presence: domain::Presence::CardPresent,
                score: Some(domain::RiskScore(120)),
                network_reference: Some(domain::NetworkReference::new("NET000000000123").unwrap()),
                security: domain::SecurityResults {
                    cvv2: domain::Cvv2Result::Match,
                    pin: domain::PinResult::Verified,
                    ..domain::SecurityResults::default()
                },
                ..domain::Details::default()
            },
            expiry: None,
            deadline,
        },
        amounts: Amounts { card: amount, units: Units(12_500_000) },
        asset: usdt(),
        rate: Some(Rate {
            from: AssetCode::new("USD").unwrap(),
            to: AssetCode::new("USDT").unwrap(),
            value: "1.0000".parse().unwrap(),
            bid: None,
            source: Text::new("treasury").unwrap(),
            as_of: received.plus(Duration::ZERO),
            max_age: Duration::from_secs(60),
            id: Text::new("q-1").unwrap(),
        }),
        price: None,
        received,
        held: Units(4_000_000),
        outstanding_standin: Units(0),
        increment_of: None,
    }
}

pub fn cancel(transaction: u64, number: u64) -> Duty {
    Duty {
        number: TransactionNo(number),
        transaction: TransactionNo(transaction),
        account: AccountId::new("acct_1").unwrap(),
        kind: DutyKind::Cancel(CancelCause::OutcomeUnknown),
        units: Units(12_500_000),
        asset: usdt(),
        sequence: 1,
        account_sequence: 7,
    }
}

/// One ended ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ended {
    pub transaction: TransactionId,
    pub outcome: FundingOutcome,
    pub at: Mono,
}

/// Records everything that it is told.
pub struct Recorder {
    start: Instant,
    ended: Mutex<Vec<Ended>>,
    acknowledged: Mutex<Vec<(ShardId, DutyNo)>>,
    attempts: Mutex<Vec<Result<(), FundingFailure>>>,
    late: Mutex<Vec<TransactionId>>,
    breaker: Mutex<Vec<BreakerState>>,
    counted: Mutex<Vec<AskEnd>>,
    told: Mutex<Vec<Told>>,
    hedged: Mutex<Vec<()>>,
    elsewhere: Mutex<Vec<()>>,
    refused: Mutex<Vec<Endpoint>>,
    changed: Notify,
}

impl Recorder {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            ended: Mutex::default(),
            acknowledged: Mutex::default(),
            attempts: Mutex::default(),
            late: Mutex::default(),
            breaker: Mutex::default(),
            counted: Mutex::default(),
            told: Mutex::default(),
            hedged: Mutex::default(),
            elsewhere: Mutex::default(),
            refused: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// The time `ms` milliseconds from now, as a deadline.
    pub fn within(&self, ms: u64) -> Mono {
        self.now().mono.plus(Duration::from_millis(ms))
    }

    pub fn ended(&self) -> Vec<Ended> {
        self.ended.lock().unwrap().clone()
    }

    pub fn acknowledged(&self) -> Vec<u64> {
        self.acknowledged.lock().unwrap().iter().map(|(_, number)| number.0).collect()
    }

    pub fn attempts(&self) -> Vec<Result<(), FundingFailure>> {
        self.attempts.lock().unwrap().clone()
    }

    pub fn late(&self) -> Vec<TransactionId> {
        self.late.lock().unwrap().clone()
    }

    pub fn breaker(&self) -> Vec<BreakerState> {
        self.breaker.lock().unwrap().clone()
    }

    pub fn counted(&self) -> Vec<AskEnd> {
        self.counted.lock().unwrap().clone()
    }

    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    pub fn hedged(&self) -> usize {
        self.hedged.lock().unwrap().len()
    }

    pub fn asked_elsewhere(&self) -> usize {
        self.elsewhere.lock().unwrap().len()
    }

    pub fn configuration_refused(&self) -> usize {
        self.refused.lock().unwrap().len()
    }

    /// Waits until `done` holds; fails after ten seconds.
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
        tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    /// The one outcome of a transaction.
    pub async fn outcome(&self, number: u64) -> FundingOutcome {
        let mine = |recorder: &Self| -> Vec<Ended> {
            recorder.ended().into_iter().filter(|ended| ended.transaction == transaction(number)).collect()
        };
        self.until("an outcome", |recorder| !mine(recorder).is_empty()).await;
        assert_eq!(mine(self).len(), 1, "more than one outcome for one ask");
        mine(self)[0].outcome
    }

    fn record<T>(&self, list: &Mutex<Vec<T>>, item: T) {
        list.lock().unwrap().push(item);
        self.changed.notify_waiters();
    }
}

impl FundingSink for Recorder {
    fn now(&self) -> Moment {
        let elapsed = self.start.elapsed();
        let utc = Timestamp::from_micros(1_795_200_331_000_000).plus(elapsed);
        Moment { utc, mono: Mono::default().plus(elapsed) }
    }

    fn ask_ended(&self, transaction: TransactionId, outcome: FundingOutcome, _took: Duration) {
        self.record(&self.ended, Ended { transaction, outcome, at: self.now().mono });
    }

    fn duty_acknowledged(&self, shard: ShardId, duty: DutyNo) {
        self.record(&self.acknowledged, (shard, duty));
    }

    fn answer_was_late(&self, transaction: TransactionId, _late_by: Duration) {
        self.record(&self.late, transaction);
    }

    fn ask_counted(&self, end: AskEnd, _took: Duration) {
        self.record(&self.counted, end);
    }

    fn service_told(&self, _transaction: TransactionId, told: &Told) {
        self.record(&self.told, *told);
    }

    fn ask_hedged(&self) {
        self.record(&self.hedged, ());
    }

    fn asked_elsewhere(&self) {
        self.record(&self.elsewhere, ());
    }

    fn configuration_refused(&self, endpoint: &Endpoint) {
        self.record(&self.refused, endpoint.clone());
    }

    fn breaker_changed(&self, state: BreakerState) {
        self.record(&self.breaker, state);
    }

    fn duty_attempted(&self, _duty: &Duty, end: Result<(), FundingFailure>, _took: Duration) {
        self.record(&self.attempts, end);
    }
}

/// A request as the service read it.
#[derive(Clone, Debug)]
pub struct Received {
    pub head: String,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        let line =
            |line: &'_ str| line.split_once(": ").is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
        self.head
            .lines()
            .find(|text| line(text))
            .and_then(|text| text.split_once(": "))
            .map(|(_, value)| value)
    }
}

/// What the service does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Writes these bytes and keeps the connection.
    Bytes(Vec<u8>),
    /// Writes these bytes and closes the connection.
    BytesThenClose(Vec<u8>),
    /// Waits, then writes these bytes.
    After(Duration, Vec<u8>),
    /// Writes the bytes one by one, this long apart.
    Trickle(Duration, Vec<u8>),
    /// Says nothing, and keeps the connection.
    Hang,
}

/// An HTTP answer in bytes.
pub fn http(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A balance service that replies as `script` says.
pub struct Service {
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
    closed: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Service {
    pub async fn start(script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/base", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (script, seen) = (Arc::new(script), Arc::clone(&received));
        let closed = Arc::new(AtomicUsize::new(0));
        let ends = Arc::clone(&closed);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (script, seen, ends) = (Arc::clone(&script), Arc::clone(&seen), Arc::clone(&ends));
                tokio::spawn(async move {
                    let reply = move |request: Received| {
                        let mut seen = seen.lock().unwrap();
                        seen.push(request.clone());
                        script(seen.len(), &request)
                    };
                    serve(stream, reply).await;
                    ends.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, received, closed, task }
    }

    /// A service that always replies in the same way.
    pub async fn always(reply: Reply) -> Self {
        Self::start(move |_, _| reply.clone()).await
    }

    /// How many connections have ended.
    pub fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, script: impl Fn(Received) -> Reply) {
    while let Some(request) = read_request(&mut stream).await {
        match script(request) {
            Reply::Bytes(bytes) => stream.write_all(&bytes).await.unwrap(),
            Reply::BytesThenClose(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                return;
            }
            Reply::After(pause, bytes) => {
                tokio::time::sleep(pause).await;
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Reply::Trickle(pause, bytes) => {
                for byte in bytes {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                }
            }
            Reply::Hang => {
                // Until the other side has had enough.
                let _ = stream.read_u8().await;
                return;
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let received = Received { head, body: String::new() };
            let length: usize = received.header("content-length").map_or(0, |text| text.parse().unwrap());
            let mut body = bytes[end + 4..].to_vec();
            while body.len() < length {
                if stream.read_buf(&mut body).await.ok()? == 0 {
                    return None;
                }
            }
            return Some(Received { body: String::from_utf8(body).unwrap(), ..received });
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

pub fn config(url: &str) -> FundingConfig {
    let keys = Keys::new(Secret::parse(SECRET).unwrap());
    let mut config = FundingConfig::new(url.parse().unwrap(), keys);
    config.budget.commit_margin = Duration::from_millis(50);
    config.budget.write_margin = Duration::from_millis(50);
    config.duty_backoff.min = Duration::from_millis(4);
    config.duty_backoff.max = Duration::from_millis(20);
    config.connections_warm = 0;
    config
}

/// Funding that asks at `url`, with the recorder that hears of it.
pub fn start(config: FundingConfig) -> (Funding, Arc<Recorder>) {
    let recorder = Recorder::new();
    let sink = Arc::clone(&recorder);
    let funding = Funding::start(config, sink, &tokio::runtime::Handle::current()).unwrap();
    (funding, recorder)
}

pub fn approve(number: u64) -> Vec<u8> {
    http(200, &format!(r#"{{"ask_id":"{}","decision":"approve"}}"#, transaction(number)))
}

pub fn unknown(failure: FundingFailure) -> FundingOutcome {
    FundingOutcome::Unknown(failure)
}

pub fn not_asked(failure: FundingFailure) -> FundingOutcome {
    FundingOutcome::NotAsked(failure)
}

/// Waits until `done` holds, where nothing tells of a change; fails after ten seconds.
pub async fn within_seconds(what: &str, done: impl Fn() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}
