//! Makes a snapshot: the one before, with the facts behind it applied.
//!
//! ```text
//! snapshot n ── shard 0 ──┐
//! journal ── facts of 0 ──┴─ apply ── shard 0 ──> snapshot n + 1      one shard after another
//! ```
//!
//! **Why not by the lanes.** A lane that copies its shards in slices must note what every decision changes under its
//! hands, and one change missed is a snapshot that is silently wrong. Here a snapshot is made of what is on disk, by
//! the code that recovery runs: what is written is what a start would come to, every segment is read and checked
//! once while the process that knows better still runs, and no decision waits for a snapshot at all. The price is
//! processor time, of threads that give way to every other (see `priority`), and it is told in `authswitch_snapshot_*`.
//!
//! Guarantees: a snapshot reaches only as far as the journal is durable; nothing of the one before is touched until
//! the new one is verified and named; a fold that fails leaves everything as it was. Memory: the facts of one step,
//! at most [`STEP_BYTES_MAX`], and one shard. A longer journal is folded in several steps, each a generation.

use super::priority::{Pace, Turn};
use crate::slices::{self, Sliced, SnapshotFault};
use authorizer::{Policy, Shard};
use domain::{Fact, RateTable, ShardId, Timestamp};
use journal::RecoveredRecord;
use journal::snapshot::{
    DiskShare, Kept, OpenSnapshot, SnapshotWriter, WrittenSnapshot, generations, set_aside,
};
use journal::storage::Storage;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of facts that one step keeps in memory. Above the default distance between snapshots, so that a switch
/// that keeps its rhythm needs one step.
const STEP_BYTES_MAX: u64 = 1280 * 1024 * 1024;

/// Damaged snapshots kept aside, unless the configuration says otherwise.
const DAMAGED_MAX: usize = 2;

/// Of what snapshots are made, and where.
#[derive(Clone)]
pub(crate) struct Folder {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) node: u32,
    pub(crate) policy: Policy,
    pub(crate) step_bytes_max: u64,
    /// Damaged snapshots that are kept aside.
    pub(crate) damaged_max: usize,
    /// Who else wants the disk.
    pub(crate) disk: DiskShare,
    /// Who else wants the processor.
    pub(crate) pace: Pace,
    /// Set by whoever cannot wait any longer: the fold ends with the piece that is being made, and leaves everything as it was.
    pub(crate) give_up: Arc<AtomicBool>,
}

/// A snapshot that was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folded {
    /// The new generation, and what is not needed any more.
    pub(crate) kept: Kept,
    /// Facts applied to the one before.
    pub(crate) facts: u64,
    /// Bytes of its slices.
    pub(crate) bytes: u64,
}

/// Facts of one shard, in order, as they were encoded.
#[derive(Default)]
struct Facts {
    bytes: Vec<u8>,
    records: Vec<Record>,
}

struct Record {
    sequence: u64,
    at: Timestamp,
    version: u16,
    end: usize,
}

/// The facts behind a snapshot, by shard, and the last one's sequence.
struct Tail {
    shards: Vec<Facts>,
    facts: u64,
    bytes: u64,
    through: u64,
}

impl Folder {
    /// Folds over a journal.
    pub(crate) fn new(storage: Arc<dyn Storage>, node: u32, policy: Policy) -> Self {
        let give_up = Arc::new(AtomicBool::new(false));
        Self {
            storage,
            node,
            policy,
            step_bytes_max: STEP_BYTES_MAX,
            damaged_max: DAMAGED_MAX,
            disk: DiskShare::Alone,
            pace: Pace::AtOnce,
            give_up,
        }
    }

    /// Brings the snapshot up to `through`, a durable record; `None` when it is there already. `on_step` hears of
    /// each generation made on the way.
    pub(crate) fn fold(
        &self,
        through: u64,
        now: Timestamp,
        mut on_step: impl FnMut(&Folded),
    ) -> Result<Option<Folded>, SnapshotFault> {
        let mut newest = None;
        while let Some(folded) = self.step(through, now)? {
            on_step(&folded);
            newest = Some(folded);
        }
        Ok(newest)
    }

    /// Makes one generation, if there is anything new up to `through`: from the newest snapshot that can be read, or
    /// from nothing.
    fn step(&self, through: u64, now: Timestamp) -> Result<Option<Folded>, SnapshotFault> {
        for generation in generations(&*self.storage)? {
            let opened = self.piece(|_| Ok(OpenSnapshot::open(&self.storage, self.node, generation)))?;
            let opened = opened.map_err(|error| SnapshotFault::Base(Box::new(error.into())));
            match opened.and_then(|base| self.step_from(Some(&Sliced::new(base)), through, now)) {
                Err(SnapshotFault::Base(error)) if error.is_damage() => {
                    tracing::error!(generation, %error, "a snapshot is damaged and set aside; continuing from the one before it");
                    set_aside(&*self.storage, generation, self.damaged_max)?;
                }
                outcome => return outcome,
            }
        }
        self.step_from(None, through, now)
    }

    fn step_from(
        &self,
        base: Option<&Sliced>,
        through: u64,
        now: Timestamp,
    ) -> Result<Option<Folded>, SnapshotFault> {
        let after = base.map_or(0, |base| base.snapshot().header().through);
        if after >= through {
            return Ok(None);
        }
        let tail = self.tail(after, through)?;
        if tail.facts == 0 {
            return Ok(None);
        }
        self.write(base, &tail, now).map(Some)
    }

    fn tail(&self, after: u64, through: u64) -> Result<Tail, SnapshotFault> {
        let mut tail = Tail {
            shards: (0..ShardId::COUNT).map(|_| Facts::default()).collect(),
            facts: 0,
            bytes: 0,
            through: after,
        };
        while tail.through < through && tail.bytes < self.step_bytes_max {
            self.piece(|turn| self.read(turn, &mut tail, through))?;
        }
        Ok(tail)
    }

    /// Reads on until `through`, or until it is enough for one step or for this turn.
    fn read(&self, turn: &Turn<'_>, tail: &mut Tail, through: u64) -> Result<(), SnapshotFault> {
        journal::read_between(&*self.storage, self.node, tail.through, through, |record| {
            tail.put(&record);
            let is_enough = tail.bytes >= self.step_bytes_max || self.give_up.load(Ordering::Relaxed);
            let more = !is_enough && turn.lasts();
            if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(())
    }

    /// Makes one piece, if there is still time.
    fn piece<T: Send>(
        &self,
        make: impl FnOnce(&Turn<'_>) -> Result<T, SnapshotFault> + Send,
    ) -> Result<T, SnapshotFault> {
        if self.give_up.load(Ordering::Relaxed) {
            return Err(SnapshotFault::GivenUp);
        }
        self.pace.piece(make).map_err(SnapshotFault::NoThread)?
    }

    fn write(&self, base: Option<&Sliced>, tail: &Tail, now: Timestamp) -> Result<Folded, SnapshotFault> {
        let through = tail.through;
        let writer = SnapshotWriter::begin(Arc::clone(&self.storage), self.node, through, now.micros())?;
        let mut writer = writer.sharing(self.disk);
        let mut reader = base.map(|base| base.snapshot().reader()).transpose()?;
        let mut rates = RateTable::default();
        for (id, facts) in (0..ShardId::COUNT).map(ShardId).zip(&tail.shards) {
            self.piece(|_| {
                let mut shard = Shard::new(id, self.policy.clone());
                if let (Some(base), Some(reader)) = (base, reader.as_mut()) {
                    let read = base.read(reader, id, self.policy.clone());
                    let read = read.map_err(|error| SnapshotFault::Base(Box::new(error)))?;
                    shard = read.shard;
                    if let Some(read) = read.rates {
                        rates = read;
                    }
                }
                facts.apply(&mut shard, &mut rates)?;
                slices::write_shard(&mut writer, &shard, through)?;
                if id == ShardId(0) {
                    slices::write_common(&mut writer, &rates, through)?;
                }
                Ok(())
            })?;
        }
        let bytes = writer.payload_bytes();
        let mut written = self.piece(|_| Ok(writer.end()?))?;
        let verify = |written: &mut WrittenSnapshot, turn: &Turn<'_>| {
            while turn.lasts() && !self.give_up.load(Ordering::Relaxed) {
                if written.verify_on()? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        while !self.piece(|turn| verify(&mut written, turn))? {}
        let kept = self.piece(|_| Ok(written.name()?))?;
        Ok(Folded { kept, facts: tail.facts, bytes })
    }
}

impl Tail {
    fn put(&mut self, record: &RecoveredRecord<'_>) {
        self.through = record.sequence;
        self.facts += 1;
        self.bytes += record.payload.len() as u64;
        if let Some(facts) = self.shards.get_mut(usize::from(record.shard)) {
            facts.bytes.extend_from_slice(record.payload);
            facts.records.push(Record {
                sequence: record.sequence,
                at: Timestamp::from_micros(record.at_utc_micros),
                version: record.payload_version,
                end: facts.bytes.len(),
            });
        }
    }
}

impl Facts {
    fn apply(&self, shard: &mut Shard, rates: &mut RateTable) -> Result<(), SnapshotFault> {
        let mut start = 0;
        for record in &self.records {
            let sequence = record.sequence;
            let bytes = self.bytes.get(start..record.end).unwrap_or_default();
            start = record.end;
            let fact = crate::recovery::decode_fact(record.version, bytes)
                .map_err(|source| SnapshotFault::Fact { sequence, source })?;
            shard.apply(&fact, record.at).map_err(|source| SnapshotFault::Apply { sequence, source })?;
            if let Fact::RateSet { rate } = fact {
                rates.set(rate);
            }
        }
        Ok(())
    }
}
