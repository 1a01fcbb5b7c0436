//! A shard as slices of a snapshot file, and back.
//!
//! ```text
//! kind 1  rows     rows of one shard, one behind another, at most about 256 KiB a slice
//! kind 2  totals   the shard's control totals, behind its rows
//! kind 3  common   what belongs to no shard: the rates in force; one slice, of shard 0
//! ```
//!
//! Each slice says in its header after which record its shard was as it is here, and the version of its rows. A
//! shard is handed out only when it comes to its control totals.

use authorizer::{ApplyError, ControlTotals, Policy, ROWS_VERSION, RestoreError, Restoring, Row, Shard};
use domain::{Rate, RateTable, ShardId};
use journal::JournalError;
use journal::payload::{self, PayloadError};
use journal::snapshot::{OpenSnapshot, Part, PartReader, Slice, SnapshotError, SnapshotWriter};
use serde::{Deserialize, Serialize};

const KIND_ROWS: u16 = 1;
const KIND_TOTALS: u16 = 2;
const KIND_COMMON: u16 = 3;

/// Rows are gathered up to about this many bytes: large enough that a slice's header costs nothing, small enough that
/// many slices make progress visible and one buffer stays in the processor's cache.
const SLICE_BYTES: usize = 256 * 1024;

/// Why a snapshot could not be made, or one that exists cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotFault {
    /// The file.
    #[error(transparent)]
    File(#[from] SnapshotError),
    /// A row is not what this build expects.
    #[error("shard {shard}: a row cannot be encoded or decoded: {source}")]
    Row {
        /// The shard.
        shard: ShardId,
        /// What is wrong.
        source: PayloadError,
    },
    /// The rows were written by a build that knows more.
    #[error("shard {shard}: rows of version {found} are unknown, this build reads version {ROWS_VERSION}")]
    Version {
        /// The shard.
        shard: ShardId,
        /// The version found.
        found: u16,
    },
    /// A slice is missing, or of a kind that this build does not know.
    #[error("shard {shard}: {found}")]
    Slices {
        /// The shard.
        shard: ShardId,
        /// What was found.
        found: &'static str,
    },
    /// The rows do not make a shard.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The facts behind the snapshot before do not fit it.
    #[error("sequence {sequence}: {source}")]
    Apply {
        /// The record.
        sequence: u64,
        /// What is wrong.
        source: ApplyError,
    },
    /// A fact behind the snapshot before cannot be decoded.
    #[error("sequence {sequence}: {source}")]
    Fact {
        /// The record.
        sequence: u64,
        /// What is wrong.
        source: PayloadError,
    },
    /// The snapshot to continue from cannot be read.
    #[error("the snapshot before: {0}")]
    Base(#[source] Box<SnapshotFault>),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The switch stops, and the snapshot took longer than the configuration gives it.
    #[error("the switch is stopping and journal.snapshot_stop_within is over")]
    GivenUp,
    /// There is no thread for a piece of a snapshot.
    #[error("no thread for a piece of the snapshot: {0}")]
    NoThread(#[source] std::io::Error),
    /// A thread could not be started, or ended with a panic.
    #[error("a thread of the recovery ended before its work was done")]
    Thread,
}

impl SnapshotFault {
    /// Whether a snapshot is not what was written, as against one that cannot be read now or by this build.
    pub(crate) const fn is_damage(&self) -> bool {
        match self {
            Self::File(SnapshotError::Damaged { .. })
            | Self::Row { .. }
            | Self::Slices { .. }
            | Self::Restore(_) => true,
            Self::File(
                SnapshotError::Io { .. }
                | SnapshotError::WrongNode { .. }
                | SnapshotError::Seal { .. }
                | SnapshotError::SliceTooLong { .. }
                | SnapshotError::SliceTooOld { .. },
            )
            | Self::Version { .. }
            | Self::Apply { .. }
            | Self::Fact { .. }
            | Self::Base(_)
            | Self::Journal(_)
            | Self::GivenUp
            | Self::NoThread(_)
            | Self::Thread => false,
        }
    }
}

/// What belongs to no shard.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Common {
    rates: Vec<Rate>,
}

/// Writes a shard as it was after record `through`.
pub(crate) fn write_shard(
    writer: &mut SnapshotWriter,
    shard: &Shard,
    through: u64,
) -> Result<(), SnapshotFault> {
    let id = shard.id();
    let mut rows = Vec::with_capacity(SLICE_BYTES + SLICE_BYTES / 8);
    shard.save(|row| {
        put_row(&mut rows, id, row)?;
        if rows.len() >= SLICE_BYTES {
            push(writer, id, KIND_ROWS, through, &rows)?;
            rows.clear();
        }
        Ok::<_, SnapshotFault>(())
    })?;
    push(writer, id, KIND_ROWS, through, &rows)?;
    rows.clear();
    put_row(&mut rows, id, &shard.control_totals())?;
    push(writer, id, KIND_TOTALS, through, &rows)
}

/// Writes what belongs to no shard.
pub(crate) fn write_common(
    writer: &mut SnapshotWriter,
    rates: &RateTable,
    through: u64,
) -> Result<(), SnapshotFault> {
    let mut bytes = Vec::new();
    put_row(&mut bytes, ShardId(0), &Common { rates: rates.iter().copied().collect() })?;
    push(writer, ShardId(0), KIND_COMMON, through, &bytes)
}

fn put_row(bytes: &mut Vec<u8>, shard: ShardId, row: &impl Serialize) -> Result<(), SnapshotFault> {
    payload::encode(row, bytes).map_err(|source| SnapshotFault::Row { shard, source })
}

fn push(
    writer: &mut SnapshotWriter,
    shard: ShardId,
    kind: u16,
    through: u64,
    payload: &[u8],
) -> Result<(), SnapshotFault> {
    let slice = Slice { shard: shard.0, kind, through, payload_version: ROWS_VERSION, payload };
    Ok(writer.push(&slice)?)
}

/// The slices of an open snapshot, by shard.
pub(crate) struct Sliced {
    snapshot: OpenSnapshot,
    by_shard: Vec<Vec<Part>>,
}

/// A shard read back.
pub(crate) struct ReadShard {
    pub(crate) shard: Shard,
    /// The record after which it was so.
    pub(crate) through: u64,
    /// Rates, if this is the shard whose slices carry them.
    pub(crate) rates: Option<RateTable>,
}

impl Sliced {
    /// Sorts the slices of a snapshot.
    pub(crate) fn new(snapshot: OpenSnapshot) -> Self {
        let mut by_shard = vec![Vec::new(); usize::from(ShardId::COUNT)];
        for part in snapshot.parts() {
            if let Some(parts) = by_shard.get_mut(usize::from(part.shard())) {
                parts.push(*part);
            }
        }
        Self { snapshot, by_shard }
    }

    /// The snapshot.
    pub(crate) const fn snapshot(&self) -> &OpenSnapshot {
        &self.snapshot
    }

    /// Bytes of one shard's slices.
    pub(crate) fn bytes_of(&self, shard: ShardId) -> u64 {
        self.parts_of(shard).iter().map(Part::bytes).sum()
    }

    /// How many cards and accounts all shards have, by their control totals.
    pub(crate) fn counts(&self, reader: &mut PartReader) -> Result<(u64, u64), SnapshotFault> {
        let (mut cards, mut accounts) = (0, 0);
        for part in self.by_shard.iter().flatten().filter(|part| part.kind() == KIND_TOTALS) {
            let slice = reader.read(part)?;
            let totals = whole::<ControlTotals>(ShardId(slice.shard), slice.payload)?;
            cards += totals.cards;
            accounts += totals.accounts;
        }
        Ok((cards, accounts))
    }

    fn parts_of(&self, shard: ShardId) -> &[Part] {
        self.by_shard.get(usize::from(shard.0)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Reads one shard. Any error means that the whole snapshot is not to be used.
    pub(crate) fn read(
        &self,
        reader: &mut PartReader,
        shard: ShardId,
        policy: Policy,
    ) -> Result<ReadShard, SnapshotFault> {
        let mut restoring = Restoring::new(shard, policy);
        let (mut totals, mut rates, mut through) = (None, None, None);
        for part in self.parts_of(shard) {
            let slice = reader.read(part)?;
            if slice.payload_version != ROWS_VERSION {
                return Err(SnapshotFault::Version { shard, found: slice.payload_version });
            }
            if *through.get_or_insert(slice.through) != slice.through {
                return Err(SnapshotFault::Slices {
                    shard,
                    found: "its slices were made at different records",
                });
            }
            match slice.kind {
                KIND_ROWS => take_rows(&mut restoring, shard, slice.payload)?,
                KIND_TOTALS => totals = Some(whole::<ControlTotals>(shard, slice.payload)?),
                KIND_COMMON => rates = Some(table(whole::<Common>(shard, slice.payload)?)),
                _ => return Err(SnapshotFault::Slices { shard, found: "a slice is of an unknown kind" }),
            }
        }
        let missing = SnapshotFault::Slices { shard, found: "its slices or its control totals are missing" };
        let (Some(totals), Some(through)) = (totals, through) else { return Err(missing) };
        Ok(ReadShard { shard: restoring.finish(&totals)?, through, rates })
    }
}

fn take_rows(restoring: &mut Restoring, shard: ShardId, bytes: &[u8]) -> Result<(), SnapshotFault> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (row, used): (Row<'_>, usize) =
            payload::decode_first(rest).map_err(|source| SnapshotFault::Row { shard, source })?;
        restoring.take(row)?;
        rest = rest.get(used..).unwrap_or_default();
    }
    Ok(())
}

fn whole<F: serde::de::DeserializeOwned>(shard: ShardId, bytes: &[u8]) -> Result<F, SnapshotFault> {
    let (value, used) =
        payload::decode_first(bytes).map_err(|source| SnapshotFault::Row { shard, source })?;
    if used == bytes.len() {
        Ok(value)
    } else {
        Err(SnapshotFault::Slices { shard, found: "bytes are left over behind its totals" })
    }
}

fn table(common: Common) -> RateTable {
    let mut rates = RateTable::default();
    common.rates.into_iter().for_each(|rate| rates.set(rate));
    rates
}
