//! What an operator's tools need while the switch is down: verify a directory, and read every record.
//!
//! Guarantees: nothing is written, apart from the lock file while a directory lets us; a directory in use by a
//! running switch is refused, because its end is moving.

use std::any::Any;
use std::io;

use crate::error::{JournalError, ReplayError};
use crate::file_storage::LOCK_NAME;
use crate::mark::Mark;
use crate::recovery::lock_error;
use crate::scan::{RecoveredRecord, Scan, header_of, scan, segment_numbers};
use crate::seal::{KeyId, SealingKeys};
use crate::segment::Chain;
use crate::storage::Storage;
use crate::tail::{Tail, judge};

/// What a verified journal holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified {
    /// Segments read.
    pub segments: u64,
    /// Batches read.
    pub batches: u64,
    /// Records read.
    pub records: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// Sequence of the first record present; 1 when there is none.
    pub first_sequence: u64,
    /// Sequence of the last record; 0 when there is none.
    pub last_sequence: u64,
    /// Chain value at the end: two journals with the same value hold the same records.
    pub chain: Chain,
    /// How the journal ends. A torn tail would be cut at the next start.
    pub tail: Tail,
    /// What the mark file says; `None` for an empty directory.
    pub mark: Option<Mark>,
    /// The sealing key of the last segment; 0 when its payloads are in clear.
    pub key_id: KeyId,
}

/// Checks every header, checksum, sequence number and chain value of a directory, and judges its end. With `keys`,
/// every sealed payload is opened as well; without, sealed payloads are checked as they are.
///
/// # Errors
/// The first damage, a key that is missing, or that the directory is in use or cannot be read.
pub fn verify(storage: &dyn Storage, keys: Option<&SealingKeys>) -> Result<Verified, JournalError> {
    let _lock = lock_if_allowed(storage)?;
    verify_locked(storage, keys)
}

/// As [`verify`], by somebody who has the directory for himself.
pub(crate) fn verify_locked(
    storage: &dyn Storage,
    keys: Option<&SealingKeys>,
) -> Result<Verified, JournalError> {
    let found = scan(storage, None, journal_start(storage)?, keys, &mut |_| Ok(()))?;
    let tail = judge(storage, &found)?;
    Ok(Verified {
        segments: found.segments,
        batches: found.batches,
        records: found.records,
        payload_bytes: found.payload_bytes,
        first_sequence: found.first_sequence,
        last_sequence: found.next_sequence - 1,
        chain: found.chain,
        tail,
        mark: found.mark,
        key_id: found.last.as_ref().map_or(0, |last| last.header.key_id),
    })
}

/// Hands out every record after sequence `after`, in order, as far as the journal can be read.
///
/// # Errors
/// As [`verify`], after all records before the damage have been handed out; or what `on_record` says.
pub fn dump<E: Into<ReplayError>>(
    storage: &dyn Storage,
    keys: &SealingKeys,
    after: u64,
    mut on_record: impl FnMut(RecoveredRecord<'_>) -> Result<(), E>,
) -> Result<(), JournalError> {
    let _lock = lock_if_allowed(storage)?;
    let start = journal_start(storage)?.max(after);
    let mut on_record = |record: RecoveredRecord<'_>| on_record(record).map_err(Into::into);
    let found: Scan = scan(storage, None, start, Some(keys), &mut on_record)?;
    judge(storage, &found).map(|_| ())
}

/// The sequence before the first record present: older segments may have been removed by the retention rules, and
/// an offline reader has no snapshot to ask.
pub(crate) fn journal_start(storage: &dyn Storage) -> Result<u64, JournalError> {
    let Some(first) = segment_numbers(storage)?.first().copied() else {
        return Ok(0);
    };
    Ok(header_of(storage, first)?.map_or(0, |header| header.first_sequence - 1))
}

/// Takes the lock where it can be taken; a read-only copy has no running switch to fear.
fn lock_if_allowed(storage: &dyn Storage) -> Result<Option<Box<dyn Any + Send + Sync>>, JournalError> {
    let path = storage.path(LOCK_NAME);
    storage.lock().map(Some).or_else(|error| {
        if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
            return Ok(None);
        }
        Err(lock_error(path, error))
    })
}
