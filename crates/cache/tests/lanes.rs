//! Lanes from outside: what is posted is decided in order, what is full is said, what cannot be recorded is not done.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use authorizer::{Answer, Caller, Change, Command, Inquiry, NewCard, Policy, Reply};
use cache::{
    BatchReport, Cache, CacheConfig, Clock, Full, LaneObserver, Overload, Passage, Posted, Readiness,
    Recorder, Recovering, Release, Untold,
};
use domain::{
    AccountId, AccountNo, AcquirerId, Asset, Authorization, CardId, CardNo, CardStatus, CardToken, Controls,
    Currency, Expiry, Fact, FundingMode, Merchant, MessageClass, Moment, Money, Mono, Pan, PartialApproval,
    PostingKind, ProcessingCode, Reason, RequestKey, ShardId, Stan, Text, Timestamp, Transmission, Units,
};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A clock that stands still; lanes must not need it to move.
struct Still;

impl Clock for Still {
    fn now(&self) -> Moment {
        Moment { utc: Timestamp::from_seconds(1_763_600_000), mono: Mono::from_nanos(1_000) }
    }
}

/// A recorder in memory, whose readiness the test sets.
#[derive(Clone, Default)]
struct Desk {
    shared: Arc<Shared>,
    batch: Vec<(ShardId, Fact)>,
}

#[derive(Default)]
struct Shared {
    readiness: AtomicU8,
    recorded: Mutex<Vec<(ShardId, Fact)>>,
    released: Mutex<Vec<Release>>,
    changed: Condvar,
}

const FULL: u8 = 1;
const FOLLOW_UPS_ONLY: u8 = 2;
const STOPPED: u8 = 3;
const NO_SPACE: u8 = 4;

impl Desk {
    fn set(&self, readiness: u8) {
        self.shared.readiness.store(readiness, Ordering::SeqCst);
    }

    /// Waits until `count` releases have come, and takes them.
    fn releases(&self, count: usize) -> Vec<Release> {
        let released = self.shared.released.lock().unwrap();
        let enough = |released: &mut Vec<Release>| released.len() < count;
        let (mut released, late) =
            self.shared.changed.wait_timeout_while(released, Duration::from_secs(20), enough).unwrap();
        assert!(!late.timed_out(), "{count} releases were expected, {} came", released.len());
        std::mem::take(&mut *released)
    }

    fn recorded(&self) -> Vec<(ShardId, Fact)> {
        self.shared.recorded.lock().unwrap().clone()
    }
}

impl Recorder for Desk {
    fn readiness(&self) -> Readiness {
        match self.shared.readiness.load(Ordering::SeqCst) {
            FULL => Readiness::Full,
            FOLLOW_UPS_ONLY => Readiness::FollowUpsOnly,
            STOPPED => Readiness::Stopped,
            NO_SPACE => Readiness::NoSpace,
            _ => Readiness::Ready,
        }
    }

    fn record(&mut self, shard: ShardId, _at: Timestamp, fact: &Fact) {
        self.batch.push((shard, fact.clone()));
    }

    fn batch_bytes(&self) -> usize {
        self.batch.len() * 100
    }

    fn seal(&mut self, releases: &mut Vec<Release>) {
        self.shared.recorded.lock().unwrap().append(&mut self.batch);
        let done = releases.drain(..).filter(|release| !matches!(release, Release::Passed(_)));
        self.shared.released.lock().unwrap().extend(done);
        self.shared.changed.notify_all();
    }

    fn release_now(&mut self, release: Release) {
        self.shared.released.lock().unwrap().push(release);
        self.shared.changed.notify_all();
    }
}

const OVERLOAD: Overload =
    Overload { wait_max: Duration::from_millis(10), wait_max_after: Duration::from_millis(100) };

fn config(lanes: usize) -> CacheConfig {
    CacheConfig {
        lanes,
        requests_max: 4,
        follow_ups_max: 64,
        batch_commands_max: 16,
        batch_bytes_max: 1_000,
        tick_every: Duration::from_secs(3_600),
        overload: OVERLOAD,
    }
}

fn start(recovered: Recovering, config: CacheConfig, desk: &Desk) -> Cache {
    let clock: Arc<dyn Clock> = Arc::new(Still);
    let observer: Arc<dyn LaneObserver> = Arc::new(());
    Cache::start(recovered, config, &clock, &observer, |_| desk.clone()).unwrap()
}

fn empty() -> Recovering {
    Recovering::new(Policy::default(), 16, 16)
}

fn posted(shard: ShardId, command: Command) -> Posted {
    Posted { shard, command, received: Still.now() }
}

fn usd() -> Currency {
    Currency::from_alpha("USD").unwrap()
}

fn change(shard: ShardId, caller: u64, change: Change) -> Posted {
    posted(shard, Command::Change { change: Box::new(change), caller: Caller(caller) })
}

fn open(name: &str) -> (ShardId, Change) {
    let id = AccountId::new(name).unwrap();
    (ShardId::of(&id), Change::OpenAccount { id, asset: Asset::of(usd()), limits: Vec::new() })
}

fn credit(request: u8) -> Change {
    Change::Post {
        account: AccountNo(0),
        kind: PostingKind::Credit,
        units: Units(100),
        request: RequestKey([request; 16]),
        note: Text::EMPTY,
    }
}

fn purchase(caller: u64) -> Command {
    let request = Authorization {
        class: MessageClass::AuthorizationRequest,
        card: CardToken([1; 16]),
        processing_code: ProcessingCode(0),
        amount: Money::new(100, usd()),
        billing: None,
        transmission: Transmission::new(1_120_120_000).unwrap(),
        stan: Stan::new(1).unwrap(),
        acquirer: AcquirerId::new(1).unwrap(),
        rrn: None,
        entry_mode: None,
        merchant: Merchant::default(),
        partial: PartialApproval::NotSupported,
        details: domain::Details::default(),
        expiry: None,
        deadline: Mono::MAX,
    };
    Command::Authorize { card: CardNo(0), request, caller: Caller(caller) }
}

fn caller_of(release: &Release) -> u64 {
    match release {
        Release::Answer { caller, .. } | Release::Reply { caller, .. } => caller.0,
        Release::Ask(_) | Release::Owe { .. } | Release::Passed(_) => u64::MAX,
    }
}

#[test]
fn commands_of_a_shard_are_decided_in_the_order_they_were_posted() {
    let desk = Desk::default();
    let cache = start(empty(), config(3), &desk);
    let (shard, opening) = open("a");
    cache.post_follow_up(change(shard, 0, opening)).unwrap();
    for caller in 1..=20 {
        cache.post_follow_up(change(shard, caller, credit(u8::try_from(caller).unwrap()))).unwrap();
    }
    let callers: Vec<_> = desk.releases(21).iter().map(caller_of).collect();
    assert_eq!(callers, (0..=20).collect::<Vec<_>>());
    assert!(cache.index().account(&AccountId::new("a").unwrap()).is_some(), "the index learned the name");
    cache.shutdown();
}

#[test]
fn a_full_queue_is_said_at_once_and_follow_ups_still_find_room() {
    let desk = Desk::default();
    desk.set(FULL); // the journal has no room, so nothing is taken from the queues
    let cache = start(empty(), config(1), &desk);
    let mut refused = 0;
    for caller in 0..10 {
        refused += usize::from(cache.post_request(posted(ShardId(0), purchase(caller))).is_err());
    }
    assert_eq!(refused, 6, "four fit");
    cache.post_follow_up(posted(ShardId(0), Command::Tick)).unwrap();
    let Full(back) = cache.post_request(posted(ShardId(7), purchase(99))).unwrap_err();
    assert_eq!(back.shard, ShardId(7), "the request comes back whole");
    desk.set(0);
    assert_eq!(desk.releases(4).len(), 4, "what was taken is decided once there is room");
    cache.shutdown();
}

#[test]
fn a_lane_that_lets_everybody_wait_too_long_sheds_and_the_others_do_not() {
    let desk = Desk::default();
    desk.set(FULL);
    let config = CacheConfig { requests_max: 1_000, ..config(2) };
    let cache = start(empty(), config, &desk);
    let at = |millis: u64| Mono::from_nanos(millis * 1_000_000);
    for now in 1_000..1_200 {
        cache.passed(Passage { lane: 1, commands: 10, oldest: at(now - 50) }, at(now));
    }
    // Ten a millisecond are served, so a hundred may wait.
    for caller in 0..99 {
        cache.post_request(posted(ShardId(1), purchase(caller))).unwrap();
    }
    assert!(!cache.sheds_for(ShardId(1), at(1_200)));
    cache.post_request(posted(ShardId(1), purchase(99))).unwrap();
    assert!(cache.sheds_for(ShardId(1), at(1_200)));
    assert!(!cache.sheds_for(ShardId(0), at(1_200)), "the other lane has nothing to do");
    assert!(!cache.sheds(at(1_200)), "so nothing is shed before it is known whose it is");
    desk.set(0);
    desk.releases(100);
    cache.shutdown();
}

#[test]
fn without_space_requests_are_declined_and_follow_ups_are_recorded() {
    let desk = Desk::default();
    desk.set(FOLLOW_UPS_ONLY);
    let cache = start(empty(), config(1), &desk);
    let (shard, opening) = open("a");
    cache.post_request(posted(shard, purchase(1))).unwrap();
    cache.post_follow_up(change(shard, 2, opening)).unwrap();
    let releases = desk.releases(2);
    let reason_of_request = releases.iter().find_map(|release| match release {
        Release::Answer { answer: Answer::Authorization { reason, .. }, .. } => Some(*reason),
        Release::Answer { .. }
        | Release::Ask(_)
        | Release::Owe { .. }
        | Release::Reply { .. }
        | Release::Passed(_) => None,
    });
    assert_eq!(reason_of_request, Some(Reason::JournalUnavailable));
    assert_eq!(desk.recorded().len(), 1);
    cache.shutdown();
}

fn card() -> Change {
    Change::IssueCard(NewCard {
        id: CardId::new("c").unwrap(),
        token: CardToken([1; 16]),
        last_four: Pan::from_digits(b"4242424242424242").unwrap().last_four(),
        account: AccountNo(0),
        currency: usd(),
        expiry: Expiry::new(2099, 12).unwrap(),
        funding: FundingMode::PreFunded,
        status: CardStatus::Active,
        controls: Controls::default(),
        limits: Vec::new(),
    })
}

fn reason_of(release: Option<&Release>) -> Reason {
    match release {
        Some(Release::Answer { answer: Answer::Authorization { reason, .. }, .. }) => *reason,
        other => panic!("{other:?} is no answer to a request"),
    }
}

#[test]
fn without_space_a_repeat_still_gets_its_first_answer() {
    let desk = Desk::default();
    let cache = start(empty(), config(1), &desk);
    let (shard, opening) = open("a");
    for (caller, change_made) in [opening, credit(1), card()].into_iter().enumerate() {
        cache.post_follow_up(change(shard, u64::try_from(caller).unwrap(), change_made)).unwrap();
    }
    desk.releases(3);
    cache.post_request(posted(shard, purchase(4))).unwrap();
    assert_eq!(reason_of(desk.releases(1).first()), Reason::Approved);
    cache.shutdown();

    let mut recovered = empty();
    for (shard, fact) in desk.recorded() {
        recovered.apply(shard, Still.now().utc, &fact).unwrap();
    }
    let low = Desk::default();
    low.set(FOLLOW_UPS_ONLY);
    let cache = start(recovered, config(1), &low);
    cache.post_request(posted(shard, purchase(5))).unwrap();
    assert_eq!(reason_of(low.releases(1).first()), Reason::Approved, "the first answer again");
    let recorded = low.recorded();
    assert!(
        matches!(recorded[..], [(_, Fact::AnswerRepeated { .. })]),
        "and no new fact but that it was repeated: {recorded:?}"
    );
    cache.shutdown();
}

#[test]
fn while_there_is_no_space_requests_are_declined_and_follow_ups_wait_for_it() {
    let desk = Desk::default();
    desk.set(NO_SPACE);
    let cache = start(empty(), config(1), &desk);
    let (shard, opening) = open("a");
    cache.post_follow_up(change(shard, 1, opening)).unwrap();
    cache.post_request(posted(shard, purchase(2))).unwrap();
    assert_eq!(desk.releases(1).iter().map(caller_of).collect::<Vec<_>>(), [2], "declined at once");
    assert_eq!(desk.recorded(), []);
    desk.set(0);
    assert_eq!(desk.releases(1).iter().map(caller_of).collect::<Vec<_>>(), [1], "taken once there is space");
    assert_eq!(desk.recorded().len(), 1);
    cache.shutdown();
}

#[test]
fn a_stopped_journal_means_declines_and_no_facts() {
    let desk = Desk::default();
    desk.set(STOPPED);
    let cache = start(empty(), config(1), &desk);
    let (shard, opening) = open("a");
    cache.post_follow_up(change(shard, 1, opening)).unwrap();
    cache.post_request(posted(shard, purchase(2))).unwrap();
    assert_eq!(desk.releases(1).iter().map(caller_of).collect::<Vec<_>>(), [2]);
    cache.shutdown();
    assert_eq!(desk.recorded(), []);
}

#[test]
fn facts_that_were_recorded_rebuild_the_same_state() {
    let desk = Desk::default();
    let cache = start(empty(), config(2), &desk);
    for (caller, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let (shard, opening) = open(name);
        cache.post_follow_up(change(shard, u64::try_from(caller).unwrap(), opening)).unwrap();
        cache.post_follow_up(change(shard, 10, credit(u8::try_from(caller).unwrap()))).unwrap();
    }
    desk.releases(8);
    cache.shutdown();

    let mut recovered = empty();
    for (shard, fact) in desk.recorded() {
        recovered.apply(shard, Still.now().utc, &fact).unwrap();
    }
    let again = Desk::default();
    let cache = start(recovered, config(1), &again);
    let place = cache.index().account(&AccountId::new("c").unwrap()).unwrap();
    let inquiry = Command::Inquire { inquiry: Inquiry::Account(place.account), caller: Caller(1) };
    cache.post_follow_up(posted(place.shard, inquiry)).unwrap();
    let replies = again.releases(1);
    let Some(Release::Reply { reply, .. }) = replies.first() else { panic!("{replies:?}") };
    let Reply::Account(account) = &**reply else { panic!("{reply:?}") };
    assert_eq!(account.balance.ledger, Units(100));
    cache.shutdown();
}

#[test]
fn every_batch_is_reported() {
    #[derive(Default)]
    struct Counting(Mutex<usize>);
    impl LaneObserver for Counting {
        fn batch_decided(&self, _lane: usize, report: BatchReport) {
            *self.0.lock().unwrap() += report.commands;
        }
    }
    let desk = Desk::default();
    let counting = Arc::new(Counting::default());
    let (clock, observer): (Arc<dyn Clock>, Arc<dyn LaneObserver>) = (Arc::new(Still), counting.clone());
    let cache = Cache::start(empty(), config(1), &clock, &observer, |_| desk.clone()).unwrap();
    for caller in 0..4 {
        cache.post_request(posted(ShardId(0), purchase(caller))).unwrap();
    }
    desk.releases(4);
    cache.shutdown();
    assert_eq!(*counting.0.lock().unwrap(), 4);
}

/// A recorder that says on which thread each batch was decided.
struct Watched {
    desk: Desk,
    threads: Arc<Mutex<Vec<std::thread::ThreadId>>>,
}

impl Recorder for Watched {
    fn readiness(&self) -> Readiness {
        self.desk.readiness()
    }

    fn record(&mut self, shard: ShardId, at: Timestamp, fact: &Fact) {
        self.desk.record(shard, at, fact);
    }

    fn batch_bytes(&self) -> usize {
        self.desk.batch_bytes()
    }

    fn seal(&mut self, releases: &mut Vec<Release>) {
        self.threads.lock().unwrap().push(std::thread::current().id());
        self.desk.seal(releases);
    }

    fn release_now(&mut self, release: Release) {
        self.desk.release_now(release);
    }
}

fn start_watched(desk: &Desk) -> (Cache, Arc<Mutex<Vec<std::thread::ThreadId>>>) {
    let threads = Arc::<Mutex<Vec<_>>>::default();
    let (clock, observer): (Arc<dyn Clock>, Arc<dyn LaneObserver>) = (Arc::new(Still), Arc::new(()));
    let config = CacheConfig { requests_max: 64, ..config(1) };
    let recorder = |_| Watched { desk: desk.clone(), threads: Arc::clone(&threads) };
    (Cache::start(empty(), config, &clock, &observer, recorder).unwrap(), threads)
}

#[test]
fn who_posts_a_few_commands_while_the_lane_rests_decides_them() {
    let desk = Desk::default();
    let (cache, threads) = start_watched(&desk);
    let own = std::thread::current().id();
    // Until its thread has begun, and for an instant after each turn, a lane is not free.
    for caller in 0..10_000 {
        let mut untold = Untold::default();
        cache.put_request(posted(ShardId(0), purchase(caller)), &mut untold).unwrap();
        cache.tell(&mut untold);
        desk.releases(1);
        if threads.lock().unwrap().contains(&own) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(threads.lock().unwrap().contains(&own), "no batch was decided by who posted it");
    cache.shutdown();
}

#[test]
fn many_commands_and_those_that_may_have_to_wait_are_left_to_the_lane() {
    let desk = Desk::default();
    let (cache, threads) = start_watched(&desk);
    for round in 0..20 {
        let mut untold = Untold::default();
        for caller in 0..5 {
            cache.put_request(posted(ShardId(0), purchase(round * 5 + caller)), &mut untold).unwrap();
        }
        cache.tell(&mut untold);
        desk.releases(5);
    }
    desk.set(FOLLOW_UPS_ONLY);
    for caller in 100..120 {
        let mut untold = Untold::default();
        cache.put_request(posted(ShardId(0), purchase(caller)), &mut untold).unwrap();
        cache.tell(&mut untold);
        desk.releases(1);
    }
    cache.shutdown();
    assert!(!threads.lock().unwrap().contains(&std::thread::current().id()));
}

#[test]
fn posters_and_the_lane_that_take_turns_leave_nothing_behind() {
    let desk = Desk::default();
    let (cache, _) = start_watched(&desk);
    std::thread::scope(|scope| {
        for poster in 0..4_u64 {
            let cache = &cache;
            scope.spawn(move || {
                for place in 0..500 {
                    let mut untold = Untold::default();
                    let mut posted = posted(ShardId(0), purchase(poster * 500 + place));
                    while let Err(Full(back)) = cache.put_request(posted, &mut untold) {
                        posted = *back;
                        std::thread::yield_now();
                    }
                    cache.tell(&mut untold);
                }
            });
        }
    });
    // Nothing wakes the lane for an hour if it was not told.
    let mut callers: Vec<_> = desk.releases(2_000).iter().map(caller_of).collect();
    callers.sort_unstable();
    assert_eq!(callers, (0..2_000).collect::<Vec<_>>());
    cache.shutdown();
}
