//! Snapshots of real shards on the simulated disk: power cuts at any operation of the journal, of making a snapshot,
//! of letting old segments go, and of a start.
//!
//! One schedule is a few lives on one disk. In each the journal is written, snapshots are made of it and segments are
//! retired, until the power fails somewhere. Then the state read back must be the fold of a prefix of the facts that
//! holds every acknowledged one, in every row of every shard, and reading it again must give the same.
//!
//! `SNAPSHOT_SEED=n cargo test -p switch snapshots::crash` repeats one schedule. For hours, other ones each time, the seeds
//! printed: `SNAPSHOT_SCHEDULES=1000000 SNAPSHOT_FIRST_SEED=$RANDOM cargo test --release -p switch snapshots::crash --
//! --nocapture`.

use super::Folder;
use crate::recovery::{Plan, RecoveryError, RecoveryReport, recover};
use crate::slices::SnapshotFault;
use authorizer::{Policy, Shard};
use cache::{Clock, Recovering};
use domain::{
    AccountId, AccountNo, Asset, AssetCode, Fact, Moment, PostingKind, Rate, RequestKey, ShardId, Text,
    Timestamp, Units,
};
use journal::simulated_disk::{Faults, Random, SimulatedDisk};
use journal::storage::Storage;
use journal::{Acknowledge, Batch, Journal, JournalConfig, JournalHandle, payload};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Schedules of an ordinary run.
const SCHEDULES: u64 = 300;

struct Still;

impl Clock for Still {
    fn now(&self) -> Moment {
        Moment::default()
    }
}

type Recorded = (ShardId, Timestamp, Fact);

fn config() -> JournalConfig {
    JournalConfig {
        segment_bytes: 4096,
        batch_bytes_max: 1024,
        write_bytes_max: 2048,
        acknowledge: Acknowledge::Disk,
        free_bytes_min: 0,
        retain_segments: 0,
        ..JournalConfig::new(Path::new("simulated"))
    }
}

fn plan() -> Plan {
    Plan { node: 1, policy: Policy::default(), room: (16, 16), threads: 2 }
}

fn start(disk: &SimulatedDisk) -> Result<(Recovering, RecoveryReport, Journal), RecoveryError> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    recover(config(), &storage, plan(), &Still)
}

/// The next fact of a story: accounts in a few shards, money in and out of them, and rates.
fn next_fact(facts: &[Recorded], random: &mut Random) -> Recorded {
    let at = Timestamp::from_seconds(1_000_000 + i64::try_from(facts.len()).unwrap());
    let shard = ShardId(u16::try_from(random.below(5) * 60).unwrap());
    let is_account =
        |(owner, _, fact): &&Recorded| *owner == shard && matches!(fact, Fact::AccountOpened { .. });
    let accounts = u32::try_from(facts.iter().filter(is_account).count()).unwrap();
    if random.chance(1, 8) {
        let rate = Rate {
            from: AssetCode::new("USD").unwrap(),
            to: AssetCode::new("USDT").unwrap(),
            value: "1.0002".parse().unwrap(),
            bid: None,
            source: Text::new("desk").unwrap(),
            as_of: at,
            max_age: Duration::from_secs(60),
            id: Text::EMPTY,
        };
        return (ShardId(0), at, Fact::RateSet { rate });
    }
    if accounts == 0 || random.chance(1, 6) {
        let id = AccountId::new(&format!("A{}-{accounts}", shard.0)).unwrap();
        let asset = Asset::new(AssetCode::new("USDT").unwrap(), 6).unwrap();
        return (shard, at, Fact::AccountOpened { account: AccountNo(accounts), id, asset });
    }
    let mut request = [0; 16];
    request[..8].copy_from_slice(&(facts.len() as u64).to_le_bytes());
    let fact = Fact::Posted {
        account: AccountNo(u32::try_from(random.below(u64::from(accounts))).unwrap()),
        kind: if random.chance(1, 3) { PostingKind::Debit } else { PostingKind::Credit },
        units: Units(i128::from(random.below(1_000)) + 1),
        request: RequestKey(request),
        note: Text::EMPTY,
    };
    (shard, at, fact)
}

/// Every row of every shard, and the rates.
fn rows(state: &Recovering) -> Vec<u8> {
    let mut bytes = Vec::new();
    for shard in state.shards() {
        shard.save(|row| payload::encode(row, &mut bytes)).unwrap();
    }
    for rate in state.rates().iter() {
        payload::encode(rate, &mut bytes).unwrap();
    }
    bytes
}

fn fold(facts: &[Recorded]) -> Recovering {
    let mut state = Recovering::new(Policy::default(), 16, 16);
    for (shard, at, fact) in facts {
        state.apply(*shard, *at, fact).unwrap();
    }
    state
}

/// One life: writes, makes snapshots and retires until the power fails or `batches` are written. Returns how many
/// facts were acknowledged, and how many snapshots were made.
fn live(
    journal: Journal,
    disk: &SimulatedDisk,
    facts: &mut Vec<Recorded>,
    random: &mut Random,
) -> (usize, u64) {
    let (released, releases) = mpsc::channel();
    let on_release = move |done: &mut Vec<usize>| {
        for upto in done.drain(..) {
            // Nobody listens any more at the end of a life.
            let _ = released.send(upto);
        }
    };
    let handle: JournalHandle<usize> = journal.start(on_release, Arc::new(())).unwrap();
    let (mut acknowledged, mut made) = (facts.len(), 0);
    for _ in 0..30 {
        let mut records = handle.buffer();
        for _ in 0..1 + random.below(4) {
            let (shard, at, fact) = next_fact(facts, random);
            records.push(shard.0, at.micros(), &fact).unwrap();
            facts.push((shard, at, fact));
        }
        if handle.append(Batch { records, release: facts.len() }).is_err() {
            break;
        }
        while acknowledged < facts.len() && handle.is_healthy() {
            if let Ok(upto) = releases.recv_timeout(Duration::from_millis(20)) {
                acknowledged = upto;
            }
        }
        if random.chance(1, 5) {
            let mut folder = Folder::new(Arc::new(disk.clone()), 1, Policy::default());
            // Sometimes in several steps.
            folder.step_bytes_max = if random.chance(1, 3) { 500 } else { u64::MAX };
            let mut retire = 0;
            let outcome = folder.fold(handle.positions().durable, Timestamp::default(), |step| {
                retire = step.kept.retire_through;
                made += 1;
            });
            assert!(outcome.is_ok() || disk.is_off(), "{outcome:?}");
            handle.retire_through(retire);
        }
        if !handle.is_healthy() {
            break;
        }
    }
    drop(handle);
    (releases.try_iter().last().unwrap_or(acknowledged), made)
}

/// Runs one schedule; how many snapshots were made, and how many starts began with one.
fn schedule(seed: u64) -> (u64, u64) {
    let mut random = Random::new(seed);
    let mut disk = SimulatedDisk::new(seed);
    let (mut facts, mut acknowledged): (Vec<Recorded>, usize) = (Vec::new(), 0);
    let (mut made, mut begun_with) = (0, 0);
    for life in 0..4 {
        if random.chance(1, 3) {
            // The power fails in the middle of the start, too.
            disk.plan(Faults {
                power_fails_at: Some(disk.operations() + random.below(12)),
                ..Faults::default()
            });
            drop(start(&disk));
            disk = disk.power_cut(seed + life);
        }
        disk.plan(Faults::default());
        let (state, report, journal) = start(&disk).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let known = usize::try_from(report.journal.last_sequence).unwrap();
        assert!(known >= acknowledged, "seed {seed}: {known} facts, {acknowledged} were acknowledged");
        assert!(report.passed_over.is_empty(), "seed {seed}: {report:?}");
        facts.truncate(known);
        assert!(
            rows(&state) == rows(&fold(&facts)),
            "seed {seed}, life {life}: not the fold of {known} facts"
        );
        drop(journal);
        let (again, _, journal) = start(&disk).unwrap();
        assert!(rows(&again) == rows(&state), "seed {seed}: the second start differs from the first");
        begun_with += u64::from(report.snapshot.is_some());
        let fails_at = disk.operations() + random.below(150);
        disk.plan(Faults { power_fails_at: Some(fails_at), short_writes: true, ..Faults::default() });
        let (durable, snapshots) = live(journal, &disk, &mut facts, &mut random);
        (acknowledged, made) = (durable, made + snapshots);
        disk = disk.power_cut(seed * 31 + life);
    }
    (made, begun_with)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn a_power_cut_anywhere_leaves_the_fold_of_every_acknowledged_fact() {
    if let Some(seed) = number("SNAPSHOT_SEED") {
        schedule(seed);
        return;
    }
    let schedules = number("SNAPSHOT_SCHEDULES").unwrap_or(SCHEDULES);
    let first = number("SNAPSHOT_FIRST_SEED").unwrap_or(0) << 32;
    println!("schedules {first} to {}", first + schedules - 1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let (made, begun_with) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (made, begun_with) = (&made, &begun_with);
            scope.spawn(move || {
                for seed in (first + thread..first + schedules).step_by(threads as usize) {
                    let outcome = std::panic::catch_unwind(|| schedule(seed));
                    let (snapshots, starts) = outcome.unwrap_or_else(|_| panic!("SNAPSHOT_SEED={seed}"));
                    made.fetch_add(snapshots, Ordering::Relaxed);
                    begun_with.fetch_add(starts, Ordering::Relaxed);
                }
            });
        }
    });
    let (made, begun_with) = (made.into_inner(), begun_with.into_inner());
    assert!(
        made > schedules && begun_with > schedules / 2,
        "{made} snapshots were made, {begun_with} starts began with one"
    );
}

#[test]
fn without_any_whole_snapshot_a_journal_that_lost_its_beginning_is_refused() {
    let disk = SimulatedDisk::new(0);
    let mut facts = Vec::new();
    let mut random = Random::new(7);
    while disk.files().iter().any(|(name, _)| name.ends_with("0001.journal") && name.starts_with("segment-"))
        || facts.is_empty()
    {
        live(start(&disk).unwrap().2, &disk, &mut facts, &mut random);
        facts.truncate(usize::try_from(start(&disk).unwrap().1.journal.last_sequence).unwrap());
    }
    let snapshots: Vec<String> =
        disk.files().into_iter().map(|(name, _)| name).filter(|name| name.starts_with("snapshot-")).collect();
    assert_eq!(snapshots.len(), 2);
    disk.flip_bit(&snapshots[1], 300, 1);
    let (state, report, journal) = start(&disk).unwrap();
    assert_eq!(report.passed_over.len(), 1);
    assert!(rows(&state) == rows(&fold(&facts)), "the one before it and more of the journal give the same");
    drop(journal);
    disk.flip_bit(&snapshots[0], 300, 1);
    let error = start(&disk).err().unwrap().to_string();
    assert!(
        error.contains("the earlier ones are missing") && error.contains("facts at risk: sequences 1 to "),
        "{error}"
    );
}

#[test]
fn a_fold_that_is_given_up_leaves_everything_as_it_was() {
    let disk = SimulatedDisk::new(0);
    let mut facts = Vec::new();
    live(start(&disk).unwrap().2, &disk, &mut facts, &mut Random::new(2));
    let (state, report, journal) = start(&disk).unwrap();
    drop(journal);
    let before = disk.files();
    let folder = Folder::new(Arc::new(disk.clone()), 1, Policy::default());
    folder.give_up.store(true, Ordering::Relaxed);
    let last = report.journal.last_sequence;
    let newest = report.snapshot.map_or(0, |used| used.through);
    assert!(newest < last, "there is something to fold");
    let outcome = folder.fold(last, Timestamp::default(), |_| {});
    assert!(matches!(outcome, Err(SnapshotFault::GivenUp)), "{outcome:?}");
    assert_eq!(disk.files(), before);
    assert!(rows(&start(&disk).unwrap().0) == rows(&state));
    folder.give_up.store(false, Ordering::Relaxed);
    assert!(folder.fold(last, Timestamp::default(), |_| {}).unwrap().is_some());
}

#[test]
fn a_snapshot_of_another_node_is_refused() {
    let disk = SimulatedDisk::new(0);
    let mut facts = Vec::new();
    live(start(&disk).unwrap().2, &disk, &mut facts, &mut Random::new(1));
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let last = start(&disk).unwrap().1.journal.last_sequence;
    Folder::new(Arc::clone(&storage), 1, Policy::default()).fold(last, Timestamp::default(), |_| {}).unwrap();
    let other = Plan { node: 2, ..plan() };
    let error = recover(JournalConfig { node: 2, ..config() }, &storage, other, &Still).err().unwrap();
    assert!(error.to_string().ends_with("was made by node 1, this switch is node 2"), "{error}");
}

#[test]
fn shards_hold_what_facts_made_of_them() {
    // The comparison by rows sees a difference.
    let mut random = Random::new(3);
    let mut facts = Vec::new();
    for _ in 0..60 {
        facts.push(next_fact(&facts, &mut random));
    }
    let whole = fold(&facts);
    assert!(whole.shards().map(Shard::control_totals).any(|totals| totals.accounts > 1));
    facts.pop();
    assert!(rows(&whole) != rows(&fold(&facts)));
}
