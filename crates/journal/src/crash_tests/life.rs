//! One life of a journal, stepped by hand: no thread, so a seed decides everything.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::simulated_disk::{Random, SimulatedDisk};
use crate::writer::{Step, Writer};
use crate::{
    Acknowledge, Appended, Batch, JournalConfig, JournalError, JournalHandle, RecordBuffer, Recovered,
    SealingKeys,
};

/// Small segments, so that every schedule changes segment.
pub(super) fn config(acknowledge: Acknowledge) -> JournalConfig {
    JournalConfig {
        acknowledge,
        segment_bytes: 4096,
        batch_bytes_max: 1024,
        write_bytes_max: 2048,
        queue_batches_max: 8,
        unsynced_records_max: 20,
        // Nothing falls due by the clock: a schedule must not depend on how fast the machine is.
        sync_every: Duration::from_secs(1_000_000),
        mark_sync_every: Duration::from_secs(1_000_000),
        free_bytes_min: 0,
        retain_segments: usize::MAX,
        ..JournalConfig::new(Path::new("simulated"))
    }
}

/// Two sealing keys, the first of them the newest; `swapped` after a rotation.
pub(super) fn keys(swapped: bool) -> SealingKeys {
    let keys = ["3c".repeat(32), "5a".repeat(32)];
    let ordered = if swapped { [&keys[1], &keys[0]] } else { [&keys[0], &keys[1]] };
    SealingKeys::parse(ordered.map(String::as_str)).unwrap()
}

/// The facts of a journal: what each record's payload says, which is also its sequence number in this world.
pub(super) type Facts = Vec<u64>;

/// Opens a journal of which no segment was ever removed.
pub(super) fn open(
    disk: &SimulatedDisk,
    config: &JournalConfig,
) -> Result<(Recovered, crate::Journal, Facts), JournalError> {
    open_after(disk, config, &[])
}

/// Opens a journal whose first facts are known from a snapshot.
pub(super) fn open_after(
    disk: &SimulatedDisk,
    config: &JournalConfig,
    snapshot: &[u64],
) -> Result<(Recovered, crate::Journal, Facts), JournalError> {
    let mut facts = snapshot.to_vec();
    let after = snapshot.len() as u64;
    let (recovered, journal) = crate::open_on(config.clone(), Arc::new(disk.clone()), after, |record| {
        let fact = record.payload.first_chunk::<8>().ok_or("payload without a fact")?;
        facts.push(u64::from_le_bytes(*fact));
        Ok::<_, &str>(())
    })?;
    Ok((recovered, journal, facts))
}

/// What the world outside knows at the end of a life.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Every fact handed over, in order.
    pub(super) handed_over: Facts,
    /// How many were acknowledged.
    pub(super) acknowledged: usize,
    /// How many the journal said are on disk.
    pub(super) durable: usize,
    /// How many a snapshot holds; older segments may be gone.
    pub(super) snapshot: usize,
}

impl Known {
    /// The facts that a snapshot holds.
    pub(super) fn in_snapshot(&self) -> &[u64] {
        &self.handed_over[..self.snapshot]
    }
}

/// Runs a life that begins with `facts` already there; ends at the first error, or when `batches` are done.
pub(super) fn live(
    journal: crate::Journal,
    facts: Facts,
    random: &mut Random,
    batches: u64,
    snapshot: usize,
) -> (Known, Option<JournalError>) {
    let acknowledged = Rc::new(RefCell::new(facts.len()));
    let released = acknowledged.clone();
    let on_release = move |releases: &mut Vec<usize>| {
        for upto in releases.drain(..) {
            assert!(upto >= *released.borrow(), "releases keep their order");
            *released.borrow_mut() = upto;
        }
    };
    let (handle, mut writer, mut upkeep) = journal.split(on_release, Arc::new(()));
    let durable = facts.len();
    let mut known = Known { acknowledged: durable, durable, snapshot, handed_over: facts };
    let mut failure = None;
    for _ in 0..batches {
        hand_over(&handle, &mut known.handed_over, &acknowledged, random);
        if random.chance(1, 8) {
            known.snapshot = known.durable;
            handle.retire_through(known.snapshot as u64);
        }
        let step = upkeep.look().and_then(|()| if random.chance(2, 3) { drain(&mut writer) } else { Ok(()) });
        let positions = handle.positions();
        assert!(positions.durable <= positions.written && positions.written <= positions.appended);
        known.durable = known.durable.max(usize::try_from(positions.durable).unwrap());
        if let Err(error) = step {
            failure = Some(error);
            break;
        }
    }
    known.acknowledged = *acknowledged.borrow();
    (known, failure)
}

/// Hands over one batch of up to four facts, if the journal takes it.
fn hand_over(
    journal: &JournalHandle<usize>,
    handed_over: &mut Facts,
    acknowledged: &RefCell<usize>,
    random: &mut Random,
) {
    let mut records = RecordBuffer::new();
    let records_wanted = random.below(5);
    let before = handed_over.len();
    for _ in 0..records_wanted {
        let fact = handed_over.len() as u64 + 1;
        let mut payload = [0xa5; 200];
        payload[..8].copy_from_slice(&fact.to_le_bytes());
        let length = 8 + usize::try_from(random.below(192)).unwrap();
        records.push_encoded(3, 1_000_000 + i64::try_from(fact).unwrap(), 1, &payload[..length]).unwrap();
        handed_over.push(fact);
    }
    match journal.append(Batch { records, release: handed_over.len() }) {
        Ok(Appended::Queued) => {}
        Ok(Appended::Released(upto)) => *acknowledged.borrow_mut() = upto,
        Err(_) => handed_over.truncate(before),
    }
}

fn drain<F: FnMut(&mut Vec<usize>)>(writer: &mut Writer<usize, F>) -> Result<(), JournalError> {
    while writer.step()? == Step::Wrote {}
    Ok(())
}

/// The files of a journal that ran in mode `disk` for a while and was then killed, and the facts in it.
pub(super) fn killed_journal(seed: u64) -> (Vec<(String, Vec<u8>)>, Facts) {
    let disk = SimulatedDisk::new(seed);
    let (_, journal, facts) = open(&disk, &config(Acknowledge::Disk)).unwrap();
    let (known, failure) = live(journal, facts, &mut Random::new(seed), 60, 0);
    assert!(failure.is_none(), "{failure:?}");
    let facts = known.handed_over[..known.durable].to_vec();
    let names = disk.files().into_iter().map(|(name, _)| name);
    (names.map(|name| (name.clone(), disk.contents(&name).unwrap())).collect(), facts)
}

/// A disk that holds these files.
pub(super) fn disk_with(files: &[(String, Vec<u8>)]) -> SimulatedDisk {
    let disk = SimulatedDisk::new(0);
    for (name, contents) in files {
        disk.put(name, contents);
    }
    disk
}
