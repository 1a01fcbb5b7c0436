//! A switch for tests: real shards, decided in place, with the doors that a test can shut.

use authorizer::{
    Action, Caller, Change, Command, Context, Effects, Inquiry, Policy, Reply, Shard, StandIn, StandInProgram,
};
use control::{
    CardTaken, DutyStanding, NameTaken, NoSnapshot, OwedDuty, Place, ProgramView, SnapshotView,
    SnapshotsView, StartView, Switchboard, Unavailable, stand_in_views,
};
use domain::*;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// 2026-11-20, 12:00 UTC.
const NOON: i64 = 1_795_176_000;

/// More changes at once than any test makes.
const OPEN: usize = 100;

#[derive(Default)]
struct Index {
    accounts: HashMap<AccountId, Place<AccountNo>>,
    cards: HashMap<CardId, Place<CardNo>>,
    tokens: HashMap<CardToken, Place<CardNo>>,
    reserved: HashSet<Name>,
}

#[derive(Clone, Copy, Eq, Hash, PartialEq)]
enum Name {
    Account(AccountId),
    Card(CardId),
    Token(CardToken),
}

pub struct Bench {
    index: Arc<Mutex<Index>>,
    shards: Mutex<HashMap<ShardId, Shard>>,
    rates: Mutex<RateTable>,
    /// What the balance service is owed.
    pub duties: Mutex<Vec<OwedDuty>>,
    /// What the next change is answered with instead of being made.
    pub next_change: Mutex<Option<Unavailable>>,
    door: Semaphore,
    /// Seconds after noon.
    late: AtomicI64,
    /// Changes that have come to the door.
    at_the_door: AtomicUsize,
    snapshots: AtomicU64,
    next_snapshot: Mutex<Option<NoSnapshot>>,
}

/// Names kept for one creation.
pub struct Kept {
    index: Arc<Mutex<Index>>,
    names: Vec<Name>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut index = self.index.lock().unwrap();
        for name in &self.names {
            index.reserved.remove(name);
        }
    }
}

impl Bench {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            index: Arc::default(),
            shards: Mutex::default(),
            rates: Mutex::default(),
            duties: Mutex::default(),
            next_change: Mutex::default(),
            door: Semaphore::new(OPEN),
            late: AtomicI64::new(0),
            at_the_door: AtomicUsize::new(0),
            snapshots: AtomicU64::new(0),
            next_snapshot: Mutex::default(),
        })
    }

    /// Lets time pass.
    pub fn wait(&self, hours: i64) {
        self.late.fetch_add(hours * 3_600, Ordering::SeqCst);
    }

    /// Makes changes wait, so that a test can look while they are under way.
    pub fn shut_the_door(&self) {
        assert_eq!(self.door.forget_permits(OPEN), OPEN, "no change is under way");
    }

    pub fn open_the_door(&self) {
        self.door.add_permits(OPEN);
    }

    /// Lets other tasks run until `count` changes in all have come to the door.
    pub async fn until_at_the_door(&self, count: usize) {
        for _ in 0..10_000 {
            if self.changes_so_far() >= count {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{} changes came to the door, {count} were expected", self.changes_so_far());
    }

    /// The next snapshot is not made, for this reason.
    pub fn refuse_snapshot(&self, because: NoSnapshot) {
        *self.next_snapshot.lock().unwrap() = Some(because);
    }

    pub fn changes_so_far(&self) -> usize {
        self.at_the_door.load(Ordering::SeqCst)
    }

    /// Decides one command, as a lane would.
    pub fn execute(&self, id: ShardId, command: Command) -> Vec<Action> {
        let mut shards = self.shards.lock().unwrap();
        let shard = shards.entry(id).or_insert_with(|| Shard::new(id, policy()));
        let rates = self.rates.lock().unwrap().clone();
        let now = Moment { utc: self.now(), mono: Mono::from_nanos(1) };
        let mut effects = Effects::default();
        shard.execute(command, Context::new(now, &rates), &mut effects).unwrap();
        for fact in &effects.facts {
            self.note(id, fact);
        }
        effects.actions
    }

    /// Keeps the index and the rate table beside the facts.
    fn note(&self, shard: ShardId, fact: &Fact) {
        let mut index = self.index.lock().unwrap();
        if let Fact::AccountOpened { account, id, .. } = fact {
            index.accounts.insert(*id, Place { shard, number: *account });
        }
        if let Fact::CardIssued { card, id, token, .. } = fact {
            index.cards.insert(*id, Place { shard, number: *card });
            index.tokens.insert(*token, Place { shard, number: *card });
        }
        if let Fact::RateSet { rate } = fact {
            self.rates.lock().unwrap().set(*rate);
        }
    }

    fn reply(&self, shard: ShardId, command: Command) -> Reply {
        match self.execute(shard, command).pop() {
            Some(Action::Reply { reply, .. }) => *reply,
            other => panic!("the API is always replied to, found {other:?}"),
        }
    }

    pub fn place_of(&self, card: &str) -> Place<CardNo> {
        self.card(&CardId::new(card).unwrap()).unwrap()
    }
}

/// One program that stands in for nothing unless somebody orders it.
fn policy() -> Policy {
    let bound = |value: i64| vec![RuleAmount { code: AssetCode::new("USD").unwrap(), value: value.into() }];
    let program = StandInProgram {
        name: ProgramName::new("default").unwrap(),
        account_prefix: String::new(),
        mode: StandInMode::Off,
        outcomes: vec![FundingFailure::TimedOut],
        balance_age_max: Duration::from_secs(60),
        buffer_percent: 10,
        transaction_max: bound(50),
        card_max: bound(100),
        card_count_max: 3,
        account_max: bound(100),
        exposure_max: bound(1_000),
        blocked_types: Vec::new(),
        blocked_mcc: Vec::new(),
        first_use: false,
    };
    Policy { stand_in: Arc::new(StandIn::new(vec![program])), ..Policy::default() }
}

impl Switchboard for Bench {
    type Reservation = Kept;

    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(NOON + self.late.load(Ordering::SeqCst))
    }

    fn account(&self, id: &AccountId) -> Option<Place<AccountNo>> {
        self.index.lock().unwrap().accounts.get(id).copied()
    }

    fn card(&self, id: &CardId) -> Option<Place<CardNo>> {
        self.index.lock().unwrap().cards.get(id).copied()
    }

    fn token(&self, pan: &Pan) -> CardToken {
        // Good enough to tell cards apart; the switch's token is keyed.
        let mut token = [0; 16];
        for (index, digit) in pan.expose().iter().enumerate() {
            token[index % 16] = token[index % 16] * 31 + digit;
        }
        CardToken(token)
    }

    fn reserve_account(&self, id: AccountId) -> Result<Kept, NameTaken> {
        let mut index = self.index.lock().unwrap();
        if index.accounts.contains_key(&id) || !index.reserved.insert(Name::Account(id)) {
            return Err(NameTaken);
        }
        Ok(Kept { index: Arc::clone(&self.index), names: vec![Name::Account(id)] })
    }

    fn reserve_card(&self, id: CardId, token: CardToken) -> Result<Kept, CardTaken> {
        let mut index = self.index.lock().unwrap();
        if index.cards.contains_key(&id) || index.reserved.contains(&Name::Card(id)) {
            return Err(CardTaken::Id);
        }
        if index.tokens.contains_key(&token) || index.reserved.contains(&Name::Token(token)) {
            return Err(CardTaken::Number);
        }
        let names = vec![Name::Card(id), Name::Token(token)];
        index.reserved.extend(names.iter().copied());
        Ok(Kept { index: Arc::clone(&self.index), names })
    }

    async fn change(&self, shard: ShardId, change: Change) -> Result<Reply, Unavailable> {
        self.at_the_door.fetch_add(1, Ordering::SeqCst);
        let _through = self.door.acquire().await.unwrap();
        if let Some(unavailable) = self.next_change.lock().unwrap().take() {
            return Err(unavailable);
        }
        Ok(self.reply(shard, Command::Change { change: Box::new(change), caller: Caller(0) }))
    }

    async fn inquire(&self, shard: ShardId, inquiry: Inquiry) -> Result<Reply, Unavailable> {
        Ok(self.reply(shard, Command::Inquire { inquiry, caller: Caller(0) }))
    }

    fn duties(&self, after: Option<(ShardId, DutyNo)>, count_max: usize) -> Vec<OwedDuty> {
        let duties = self.duties.lock().unwrap();
        let behind = |owed: &&OwedDuty| after.is_none_or(|after| (owed.shard, owed.duty.number) > after);
        duties.iter().filter(behind).take(count_max).copied().collect()
    }

    fn duties_pending(&self) -> usize {
        self.duties.lock().unwrap().len()
    }

    fn retry_duty(&self, shard: ShardId, number: DutyNo) -> Option<DutyStanding> {
        let duties = self.duties.lock().unwrap();
        duties.iter().find(|owed| owed.shard == shard && owed.duty.number == number).map(|owed| owed.standing)
    }

    fn rates(&self) -> Arc<RateTable> {
        Arc::new(self.rates.lock().unwrap().clone())
    }

    fn stand_in(&self) -> Vec<ProgramView> {
        let shards = self.shards.lock().unwrap();
        let orders = shards.get(&ShardId(0)).map(|shard| shard.stand_in_orders().clone()).unwrap_or_default();
        stand_in_views(&policy().stand_in, &orders, &[])
    }

    fn snapshots(&self) -> SnapshotsView {
        let generation = self.snapshots.load(Ordering::SeqCst);
        let snapshot = SnapshotView { generation, through: 40 + generation, made_at: self.now() };
        SnapshotsView {
            newest: (generation > 0).then_some(snapshot),
            unsaved_facts: 2,
            making: false,
            made: generation,
            failures: 0,
            failing: None,
            start: StartView {
                snapshot: Some((SnapshotView { generation: 7, through: 40, made_at: self.now() }, 4_096)),
                passed_over: vec![(8, "the slice's checksum does not match".into())],
                facts: 2,
                segments: 1,
                snapshot_took: Duration::from_millis(12),
                replay_took: Duration::from_millis(3),
                took: Duration::from_millis(16),
            },
        }
    }

    async fn make_snapshot(&self) -> Result<SnapshotsView, NoSnapshot> {
        if let Some(refusal) = self.next_snapshot.lock().unwrap().take() {
            return Err(refusal);
        }
        self.snapshots.fetch_add(1, Ordering::SeqCst);
        Ok(self.snapshots())
    }
}
