//! The newest snapshot that is whole, read by several threads, a shard at a time.
//!
//! Everything that a damaged snapshot has given so far is thrown away, and the generation before it is tried; when
//! none is whole, the start is from nothing, and the journal must be there from its first record.

use super::progress::{EndsWith, Progress};
use super::report::PassedOver;
use crate::slices::{ReadShard, Sliced, SnapshotFault};
use authorizer::Policy;
use cache::Recovering;
use domain::ShardId;
use journal::snapshot::{OpenSnapshot, SnapshotError, SnapshotHeader, generations};
use journal::storage::Storage;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// The state that a snapshot gave, or an empty one.
pub(super) struct Restored {
    pub(super) state: Recovering,
    pub(super) used: Option<Used>,
    pub(super) passed_over: Vec<PassedOver>,
    /// For each shard, the last record that its state holds.
    pub(super) through: Vec<u64>,
}

/// The snapshot that was used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) header: SnapshotHeader,
    pub(super) slices: u64,
    pub(super) bytes: u64,
}

/// How a start is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) node: u32,
    pub(crate) policy: Policy,
    /// Room in the routing index for so many cards and accounts, at least.
    pub(crate) room: (usize, usize),
    /// Threads that read, decode and apply.
    pub(crate) threads: usize,
}

/// Restores the newest snapshot that is whole.
pub(super) fn restore(storage: &Arc<dyn Storage>, plan: &Plan) -> Result<Restored, SnapshotFault> {
    let mut passed_over = Vec::new();
    for generation in generations(&**storage)? {
        match from_snapshot(storage, plan, generation) {
            Ok((state, used, through)) => {
                return Ok(Restored { state, used: Some(used), passed_over, through });
            }
            // No other generation is of another node or sealed with other keys.
            Err(SnapshotFault::File(
                error @ (SnapshotError::WrongNode { .. } | SnapshotError::Seal { .. }),
            )) => {
                return Err(error.into());
            }
            Err(error) => {
                tracing::warn!(generation, %error, "a snapshot is not whole and is passed over");
                passed_over.push(PassedOver { generation, because: error.to_string() });
            }
        }
    }
    let state = Recovering::new(plan.policy.clone(), plan.room.0, plan.room.1);
    let through = vec![0; usize::from(ShardId::COUNT)];
    Ok(Restored { state, used: None, passed_over, through })
}

/// A state, the snapshot it came from, and for each shard the last record in it.
pub(crate) type FromSnapshot = (Recovering, Used, Vec<u64>);

/// Restores one generation.
pub(crate) fn from_snapshot(
    storage: &Arc<dyn Storage>,
    plan: &Plan,
    generation: u64,
) -> Result<FromSnapshot, SnapshotFault> {
    let sliced = Sliced::new(OpenSnapshot::open(storage, plan.node, generation)?);
    let snapshot = sliced.snapshot();
    let used = Used {
        header: *snapshot.header(),
        slices: snapshot.parts().len() as u64,
        bytes: snapshot.payload_bytes(),
    };
    let (cards, accounts) = sliced.counts(&mut snapshot.reader()?)?;
    let room = |count: u64, least: usize| usize::try_from(count).unwrap_or(usize::MAX).max(least);
    let mut state =
        Recovering::new(plan.policy.clone(), room(cards, plan.room.0), room(accounts, plan.room.1));
    let mut through = vec![used.header.through; usize::from(ShardId::COUNT)];
    for read in read_all(&sliced, plan, &state, used.bytes)? {
        if let Some(through) = through.get_mut(usize::from(read.shard.id().0)) {
            *through = read.through;
        }
        state.put(read.shard, read.rates);
    }
    Ok((state, used, through))
}

/// Cards whose names are put into the index together.
const LEARN_AT_ONCE: usize = 200_000;

/// Reads every shard, by as many threads as there may be; the names go into the index at once.
fn read_all(
    sliced: &Sliced,
    plan: &Plan,
    state: &Recovering,
    bytes: u64,
) -> Result<Vec<ReadShard>, SnapshotFault> {
    let progress = Progress::new("reading the snapshot", bytes);
    let next = AtomicU16::new(0);
    let index = state.index();
    let work = || -> Result<Vec<ReadShard>, SnapshotFault> {
        let mut reader = sliced.snapshot().reader()?;
        let mut done: Vec<ReadShard> = Vec::new();
        let (mut learned, mut unlearned) = (0, 0);
        let learn = |done: &[ReadShard], learned: &mut usize| {
            index.learn_shards(done.iter().skip(*learned).map(|read| &read.shard));
            *learned = done.len();
        };
        loop {
            let id = ShardId(next.fetch_add(1, Ordering::Relaxed));
            if id.0 >= ShardId::COUNT {
                learn(&done, &mut learned);
                return Ok(done);
            }
            let read = sliced.read(&mut reader, id, plan.policy.clone()).inspect_err(|_| {
                // Nothing of this snapshot is of use any more.
                next.store(ShardId::COUNT, Ordering::Relaxed);
            })?;
            unlearned += read.shard.card_names().size_hint().0;
            progress.add(sliced.bytes_of(id));
            done.push(read);
            if unlearned >= LEARN_AT_ONCE {
                learn(&done, &mut learned);
                unlearned = 0;
            }
        }
    };
    std::thread::scope(|scope| {
        let _ends = EndsWith(&progress);
        scope.spawn(|| progress.tell());
        let threads: Vec<_> = (1..plan.threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut all: Vec<ReadShard> = work()?;
        for thread in threads {
            all.extend(thread.join().map_err(|_| SnapshotFault::Thread)??);
        }
        Ok(all)
    })
}
