//! The state on disk without a running switch, for tools and for measuring a start.

use crate::clock::SystemClock;
use crate::recovery::{self, Plan, RecoveryError, RecoveryReport};
use crate::slices::{self, SnapshotFault};
use authorizer::{Policy, Shard};
use cache::Recovering;
use domain::{RateTable, ShardId, Timestamp};
use journal::snapshot::{SnapshotWriter, generations};
use journal::storage::Storage;
use journal::{FileStorage, JournalConfig, JournalError};
use std::sync::Arc;

/// Does what a start does, up to checked books: opens the journal, so no switch may be using it.
///
/// # Errors
/// As a start would be refused.
pub fn recover(
    config: JournalConfig,
    policy: Policy,
    threads: usize,
) -> Result<(Recovering, RecoveryReport), RecoveryError> {
    let storage = FileStorage::create_or_open(&config.directory).map_err(|source| JournalError::Io {
        doing: "open the journal directory",
        path: config.directory.display().to_string(),
        source,
    })?;
    let storage: Arc<dyn Storage> = Arc::new(storage.with_keys(config.keys.clone()));
    let plan = Plan { node: config.node, policy, room: (0, 0), threads };
    let (state, report, _journal) = recovery::recover(config, &storage, plan, &SystemClock::start())?;
    Ok((state, report))
}

/// A state to read on from.
#[derive(Debug)]
pub struct Base {
    /// All shards.
    pub state: Recovering,
    /// The snapshot it came from.
    pub generation: u64,
    /// For each shard, the last record that its state holds.
    pub through: Vec<u64>,
}

/// What the records from `first` on continue: the oldest whole snapshot that holds everything before them. `None` when
/// there is none.
///
/// # Errors
/// The snapshots cannot be listed, are another node's, or are encrypted under a key that is not there.
pub fn base_before(
    storage: &Arc<dyn Storage>,
    node: u32,
    policy: &Policy,
    first: u64,
) -> Result<Option<Base>, SnapshotFault> {
    let plan = Plan { node, policy: policy.clone(), room: (0, 0), threads: 1 };
    for generation in generations(&**storage)?.into_iter().rev() {
        match recovery::from_snapshot(storage, &plan, generation) {
            Ok((state, used, through)) if used.header.through.saturating_add(1) >= first => {
                return Ok(Some(Base { state, generation, through }));
            }
            Ok(_) => {}
            Err(error) if error.is_damage() => {
                tracing::warn!(generation, %error, "a snapshot is not whole and is passed over");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Writes a snapshot of shards that were made otherwise, as they are after record `through`; bytes of its slices.
/// All 256 must come.
///
/// # Errors
/// It cannot be written.
pub fn write_snapshot(
    storage: Arc<dyn Storage>,
    node: u32,
    through: u64,
    at: Timestamp,
    shards: impl Iterator<Item = Shard>,
) -> Result<u64, SnapshotFault> {
    let mut writer = SnapshotWriter::begin(storage, node, through, at.micros())?;
    for shard in shards {
        slices::write_shard(&mut writer, &shard, through)?;
        if shard.id() == ShardId(0) {
            slices::write_common(&mut writer, &RateTable::default(), through)?;
        }
    }
    let bytes = writer.payload_bytes();
    writer.finish()?;
    Ok(bytes)
}
