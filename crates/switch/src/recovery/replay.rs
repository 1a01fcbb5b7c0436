//! The facts behind the snapshot: one thread reads and checks the journal, others decode and apply.
//!
//! Facts of one shard go to one thread, in order; facts of different shards do not depend on one another. So a thread
//! takes the facts of a chunk shard by shard: a shard of a large switch has some megabytes, and going from one to the next
//! with every fact would wait for memory each time. The queues between them are bounded, so the reader never runs far ahead.

use super::progress::{EndsWith, Progress};
use super::restore::Plan;
use cache::{Recovering, RecoveringPart};
use crossbeam::channel::{Receiver, Sender, bounded};
use domain::{ShardId, Timestamp};
use journal::segment::segment_name;
use journal::storage::Storage;
use journal::{Journal, JournalConfig, JournalError, Recovered, RecoveredRecord, ReplayError};
use std::sync::Arc;

/// Bytes of facts handed to a thread at once.
const CHUNK_BYTES: usize = 16 * 1024 * 1024;
/// Chunks that may wait for one thread, beside the one it works on and the one being filled.
const CHUNKS_MAX: usize = 1;

/// Facts on their way to the thread that applies them.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    records: Vec<Record>,
}

struct Record {
    shard: ShardId,
    at: Timestamp,
    version: u16,
    start: usize,
    end: usize,
    sequence: u64,
    segment: u64,
    offset: u64,
}

/// A fact that cannot be applied.
struct Failed {
    sequence: u64,
    segment: u64,
    offset: u64,
    source: ReplayError,
}

/// The sending end of one thread.
struct Lane {
    chunk: Chunk,
    queue: Sender<Chunk>,
}

/// Opens the journal and applies to `state` every fact that its shard does not have.
pub(super) fn replay(
    config: JournalConfig,
    storage: &Arc<dyn Storage>,
    plan: &Plan,
    state: Recovering,
    through: &[u64],
) -> Result<(Recovering, Recovered, Journal), JournalError> {
    let after = through.iter().copied().min().unwrap_or(0);
    let behind = journal::segments_behind(&**storage, after)?;
    let progress = Progress::new("replaying the journal", behind.iter().map(|segment| segment.bytes).sum());
    // Segments are of one length unless the configuration was changed; progress may be off by that much.
    let (first, length) = behind.first().map_or((0, 0), |segment| (segment.number, segment.bytes));
    let threads = plan.threads.max(1);
    std::thread::scope(|scope| {
        let _ends = EndsWith(&progress);
        scope.spawn(|| progress.tell());
        let (mut lanes, mut workers) = (Vec::new(), Vec::new());
        for part in state.split(threads) {
            let (queue, chunks) = bounded(CHUNKS_MAX);
            lanes.push(Lane { chunk: Chunk::default(), queue });
            workers.push(scope.spawn(move || apply_all(part, &chunks)));
        }
        let opened = journal::open_on(config, Arc::clone(storage), after, |record| {
            progress.reach(
                record.segment.saturating_sub(first).saturating_mul(length).saturating_add(record.offset),
            );
            let known = through.get(usize::from(record.shard)).is_some_and(|known| record.sequence <= *known);
            if known { Ok(()) } else { hand_over(&mut lanes, &record) }
        });
        if opened.is_ok() {
            for lane in &mut lanes {
                // A thread that has failed says so below.
                let _ = lane.queue.send(std::mem::take(&mut lane.chunk));
            }
        }
        drop(lanes);
        let mut parts = Vec::new();
        for worker in workers {
            let part = worker.join().map_err(|_| JournalError::ThreadEnded { name: "replay" })?;
            parts.push(part.map_err(|failed| failed.named(&**storage))?);
        }
        let (recovered, journal) = opened?;
        Ok((Recovering::join(parts), recovered, journal))
    })
}

fn hand_over(lanes: &mut [Lane], record: &RecoveredRecord<'_>) -> Result<(), ReplayError> {
    let count = lanes.len().max(1);
    let Some(lane) = lanes.get_mut(usize::from(record.shard) % count) else { return Ok(()) };
    let start = lane.chunk.bytes.len();
    lane.chunk.bytes.extend_from_slice(record.payload);
    lane.chunk.records.push(Record {
        shard: ShardId(record.shard),
        at: Timestamp::from_micros(record.at_utc_micros),
        version: record.payload_version,
        start,
        end: lane.chunk.bytes.len(),
        sequence: record.sequence,
        segment: record.segment,
        offset: record.offset,
    });
    if lane.chunk.bytes.len() < CHUNK_BYTES {
        return Ok(());
    }
    let full = std::mem::take(&mut lane.chunk);
    lane.queue.send(full).map_err(|_| "an earlier fact could not be applied".into())
}

fn apply_all(mut part: RecoveringPart, chunks: &Receiver<Chunk>) -> Result<RecoveringPart, Failed> {
    for mut chunk in chunks {
        // Stable: the facts of a shard stay in their order.
        chunk.records.sort_by_key(|record| record.shard);
        for record in &chunk.records {
            let bytes = chunk.bytes.get(record.start..record.end).unwrap_or_default();
            apply(&mut part, record, bytes).map_err(|source| Failed {
                sequence: record.sequence,
                segment: record.segment,
                offset: record.offset,
                source,
            })?;
        }
    }
    Ok(part)
}

fn apply(part: &mut RecoveringPart, record: &Record, bytes: &[u8]) -> Result<(), ReplayError> {
    let fact = super::decode_fact(record.version, bytes)?;
    part.apply(record.shard, record.at, &fact)?;
    Ok(())
}

impl Failed {
    fn named(self, storage: &dyn Storage) -> JournalError {
        let Self { sequence, segment, offset, source } = self;
        JournalError::Replay { path: storage.path(&segment_name(segment)), offset, sequence, source }
    }
}
