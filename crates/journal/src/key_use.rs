//! Which sealing keys the files of a directory need: what an operator asks before a key is thrown away.
//!
//! Only headers are read. A file whose header is not whole is passed over: recovery and `verify` report those. Backups
//! lie elsewhere and are not counted.

use crate::error::JournalError;
use crate::scan::{header_of, segment_numbers};
use crate::seal::KeyId;
use crate::snapshot::{SnapshotError, generations, key_of};
use crate::storage::Storage;
use std::collections::BTreeMap;

/// How many files one key opens.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct KeyUse {
    /// Segments sealed under it.
    pub segments: u64,
    /// Snapshots sealed under it.
    pub snapshots: u64,
}

/// Why it cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum KeyUseError {
    /// A segment cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The snapshots cannot be listed.
    #[error(transparent)]
    Snapshots(#[from] SnapshotError),
}

/// The keys that segments and snapshots are sealed under; what lies in clear is not among them.
///
/// # Errors
/// The directory or a file cannot be read.
pub fn keys_in_use(storage: &dyn Storage) -> Result<BTreeMap<KeyId, KeyUse>, KeyUseError> {
    let mut uses: BTreeMap<KeyId, KeyUse> = BTreeMap::new();
    for number in segment_numbers(storage)? {
        if let Some(header) = header_of(storage, number)? {
            uses.entry(header.key_id).or_default().segments += 1;
        }
    }
    for generation in generations(storage)? {
        if let Some(key) = key_of(storage, generation)? {
            uses.entry(key).or_default().snapshots += 1;
        }
    }
    uses.remove(&0);
    Ok(uses)
}
