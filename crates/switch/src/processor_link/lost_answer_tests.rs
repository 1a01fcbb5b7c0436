//! Answers that come too late, or when nobody is there any more (E17), and what a connection does meanwhile: a
//! connection, a lane, and a journal that the test holds back.

use super::{Shared, serve};
use crate::clock::SystemClock;
use crate::config::{Config, ConfigFile};
use crate::control_desk::Tickets;
use crate::funding_sink::LaneSink;
use crate::hub::Hub;
use crate::link::Link;
use crate::metrics::Metrics;
use crate::release::Dispatcher;
use authorizer::{Caller, Change, Command, NewCard};
use cache::{Cache, Clock, LaneObserver, Posted, Readiness, Recorder, Recovering, Release};
use domain::*;
use funding::Funding;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const PATIENCE: Duration = Duration::from_secs(20);

/// A journal that keeps facts in memory, and lets answers go when the test says so.
#[derive(Clone)]
struct Gate {
    dispatcher: Dispatcher,
    shared: Arc<Mutex<Behind>>,
}

#[derive(Default)]
struct Behind {
    closed: bool,
    facts: Vec<Fact>,
    waiting: Vec<Release>,
}

impl Gate {
    fn close(&self) {
        self.shared.lock().unwrap().closed = true;
    }

    fn open(&self) {
        let waiting = {
            let mut behind = self.shared.lock().unwrap();
            behind.closed = false;
            std::mem::take(&mut behind.waiting)
        };
        self.dispatcher.let_go(waiting.into_iter());
    }

    fn waiting(&self) -> usize {
        let behind = self.shared.lock().unwrap();
        behind.waiting.iter().filter(|release| !matches!(release, Release::Passed(_))).count()
    }

    fn count(&self, wanted: impl Fn(&Fact) -> bool) -> usize {
        self.shared.lock().unwrap().facts.iter().filter(|fact| wanted(fact)).count()
    }
}

impl Recorder for Gate {
    fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    fn record(&mut self, _: ShardId, _: Timestamp, fact: &Fact) {
        self.shared.lock().unwrap().facts.push(fact.clone());
    }

    fn batch_bytes(&self) -> usize {
        0
    }

    fn seal(&mut self, releases: &mut Vec<Release>) {
        let mut behind = self.shared.lock().unwrap();
        if behind.closed {
            behind.waiting.append(releases);
            return;
        }
        drop(behind);
        self.dispatcher.let_go(releases.drain(..));
    }

    fn release_now(&mut self, release: Release) {
        self.dispatcher.let_go(std::iter::once(release));
    }
}

struct Bench {
    hub: Arc<Hub>,
    gate: Gate,
    address: SocketAddr,
    stopping: CancellationToken,
}

async fn bench(answer_within: Duration) -> Bench {
    bench_with(|file| file.link[0].answer_within = answer_within).await
}

async fn bench_with(adjust: impl FnOnce(&mut ConfigFile)) -> Bench {
    let mut file = ConfigFile::default();
    file.link[0].listen = Some("127.0.0.1:0".parse().unwrap());
    adjust(&mut file);
    file.funding.connections_warm = 1;
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let config = Config::check(file, &base).unwrap();
    let clock = SystemClock::start();
    let state = Recovering::new(config.policy, 16, 16);
    let metrics = Arc::new(Metrics::new().unwrap());
    let tokens = config.keys.tokens.clone();
    let hub = Arc::new(Hub::new(clock, tokens, Arc::clone(&metrics), state.index(), Handle::current()));
    let sink = Arc::new(LaneSink { hub: Arc::clone(&hub) });
    let funding = Funding::start(config.funding.clone(), sink, &Handle::current()).unwrap();
    let dispatcher = Dispatcher { hub: Arc::clone(&hub), tickets: Arc::new(Tickets::default()), funding };
    let gate = Gate { dispatcher, shared: Arc::default() };
    let (clock, observer): (Arc<dyn Clock>, Arc<dyn LaneObserver>) = (Arc::new(clock), metrics);
    let cache = Cache::start(state, config.cache, &clock, &observer, |_| gate.clone()).unwrap();
    hub.set_cache(Arc::new(cache));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let link = Arc::new(Link::new(config.links[0].clone(), hub.metrics.link("test")));
    let stopping = CancellationToken::new();
    let shared = Shared { hub: Arc::clone(&hub), link, stopping: stopping.clone() };
    serve(shared, Some(listener), &TaskTracker::new());
    let bench = Bench { hub, gate, address, stopping };
    bench.add_card().await;
    bench
}

impl Bench {
    /// An account of 100 US dollars, and a card on it.
    async fn add_card(&self) {
        let id = AccountId::new("A").unwrap();
        let usd = Currency::from_alpha("USD").unwrap();
        let pan = Pan::from_digits(b"4242424242424242").unwrap();
        let card = NewCard {
            id: CardId::new("C").unwrap(),
            token: self.hub.tokens.token(&pan),
            last_four: pan.last_four(),
            account: AccountNo(0),
            currency: usd,
            expiry: Expiry::new(2039, 12).unwrap(),
            funding: FundingMode::PreFunded,
            status: CardStatus::Active,
            controls: Controls::default(),
            limits: Vec::new(),
        };
        for change in [
            Change::OpenAccount { id, asset: Asset::of(usd), limits: Vec::new() },
            Change::Post {
                account: AccountNo(0),
                kind: PostingKind::Credit,
                units: Units(10_000),
                request: RequestKey([1; 16]),
                note: Text::EMPTY,
            },
            Change::IssueCard(card),
        ] {
            let command = Command::Change { change: Box::new(change), caller: Caller(u64::MAX) };
            let received = self.hub.clock.now();
            self.hub.post_until_taken(Posted { shard: ShardId::of(&id), command, received });
        }
        self.expect_facts("the card", 1, |fact| matches!(fact, Fact::CardIssued { .. })).await;
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn expect_facts(&self, what: &str, count: usize, wanted: impl Fn(&Fact) -> bool) {
        eventually(what, || self.gate.count(&wanted) >= count).await;
        assert_eq!(self.gate.count(&wanted), count, "{what}");
    }

    fn metric(&self, name: &str) -> u64 {
        let page = self.hub.metrics.render();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
        line.parse().unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < give_up, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A purchase of 12.34 US dollars: DE 2, 3, 4, 7, 11, 32 and 49.
fn purchase(stan: u32) -> Vec<u8> {
    message("0100", stan)
}

fn message(mti: &str, stan: u32) -> Vec<u8> {
    let body =
        format!("{mti}72200001000080001642424242424242420000000000000012341120193000{stan:06}0512345840");
    let mut frame = u16::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(body.as_bytes());
    frame
}

/// DE 39 of the next answer.
async fn code(stream: &mut TcpStream) -> String {
    let read = async {
        let mut header = [0; 2];
        stream.read_exact(&mut header).await.unwrap();
        let mut body = vec![0; usize::from(u16::from_be_bytes(header))];
        stream.read_exact(&mut body).await.unwrap();
        body
    };
    let body = tokio::time::timeout(PATIENCE, read).await.expect("an answer");
    let dialect = iso8583::shipped("ascii-1987").unwrap().unwrap();
    let answer = dialect.decode(body.into()).unwrap_or_else(|rejected| rejected.partial.unwrap());
    answer.text(39).unwrap().into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_is_not_on_disk_by_the_deadline_is_answered_91_and_undone() {
    let bench = bench(Duration::from_millis(300)).await;
    let mut processor = bench.connect().await;
    bench.gate.close();
    let begin = Instant::now();
    processor.write_all(&purchase(1)).await.unwrap();
    assert_eq!(code(&mut processor).await, "91");
    assert!(begin.elapsed() >= Duration::from_millis(300), "answered before the deadline");
    assert_eq!(bench.metric("authswitch_withheld_answers_total"), 1);
    bench.expect_facts("the approval", 1, |fact| matches!(fact, Fact::Approved { .. })).await;
    assert_eq!(bench.gate.count(|fact| matches!(fact, Fact::AnswerWithheld { .. })), 0);
    bench.gate.open();
    bench.expect_facts("its end", 1, |fact| matches!(fact, Fact::AnswerWithheld { .. })).await;
    bench.expect_facts("the reversal", 1, |fact| matches!(fact, Fact::Reversed { .. })).await;
    processor.write_all(&purchase(1)).await.unwrap();
    assert_eq!(code(&mut processor).await, "91", "the repeat gets the answer that was given");
    processor.write_all(&purchase(2)).await.unwrap();
    assert_eq!(code(&mut processor).await, "00", "nothing came for the late approval itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn e17_an_approval_whose_connection_is_gone_is_marked_and_a_repeat_delivers_it() {
    let bench = bench(Duration::from_secs(60)).await;
    let mut processor = bench.connect().await;
    bench.gate.close();
    processor.write_all(&purchase(1)).await.unwrap();
    bench.expect_facts("the approval", 1, |fact| matches!(fact, Fact::Approved { .. })).await;
    eventually("the answer behind the gate", || bench.gate.waiting() == 1).await;
    // The connection is reset, not closed: nobody waits for the answer.
    processor.set_zero_linger().unwrap();
    drop(processor);
    let link_is_empty = || bench.hub.doors.is_empty();
    eventually("the end of the connection", link_is_empty).await;
    bench.gate.open();
    bench.expect_facts("the mark", 1, |fact| matches!(fact, Fact::AnswerUndelivered { .. })).await;
    assert_eq!(bench.metric("authswitch_undelivered_answers_total"), 1);

    let mut again = bench.connect().await;
    again.write_all(&purchase(1)).await.unwrap();
    assert_eq!(code(&mut again).await, "00");
    bench.expect_facts("its delivery", 1, |fact| matches!(fact, Fact::AnswerRepeated { .. })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_handed_to_the_network_counts_as_delivered() {
    let bench = bench(Duration::from_secs(60)).await;
    let mut processor = bench.connect().await;
    processor.write_all(&purchase(1)).await.unwrap();
    bench.expect_facts("the approval", 1, |fact| matches!(fact, Fact::Approved { .. })).await;
    // Its bytes have arrived, whether somebody reads them or not.
    processor.readable().await.unwrap();
    processor.set_zero_linger().unwrap();
    drop(processor);
    eventually("the end of the connection", || bench.hub.doors.is_empty()).await;
    let mut other = bench.connect().await;
    other.write_all(&purchase(2)).await.unwrap();
    assert_eq!(code(&mut other).await, "00");
    assert_eq!(bench.gate.count(|fact| matches!(fact, Fact::AnswerUndelivered { .. })), 0);
    assert_eq!(bench.metric("authswitch_undelivered_answers_total"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_full_of_requests_is_read_on_and_one_full_of_follow_ups_waits_for_room() {
    let bench = bench_with(|file| {
        file.link[0].answer_within = Duration::from_secs(60);
        file.link[0].in_flight_max = 1;
    })
    .await;
    let mut processor = bench.connect().await;
    bench.gate.close();
    for stan in [1, 2] {
        processor.write_all(&purchase(stan)).await.unwrap();
    }
    assert_eq!(code(&mut processor).await, "91", "the second has no place, and is told at once");
    for stan in [3, 4] {
        processor.write_all(&message("0120", stan)).await.unwrap();
    }
    processor.write_all(&purchase(5)).await.unwrap();
    eventually("an answer to the first purchase and advice", || bench.gate.waiting() == 2).await;
    bench.gate.open();
    for _ in 0..4 {
        assert_eq!(code(&mut processor).await, "00");
    }
    bench.expect_facts("all but the second", 4, |fact| matches!(fact, Fact::Approved { .. })).await;
}
