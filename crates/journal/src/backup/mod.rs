//! Backups: a consistent copy of a journal, taken while the switch writes it, and the way back.
//!
//! ```text
//! a backup's directory: segment-....journal, snapshot-....journal, mark.journal, backup.sha256
//! ```
//!
//! `backup.sha256` is written last: a directory without it is no backup. Anybody can check the files with
//! `sha256sum -c backup.sha256`; the lines that begin with `#` are ours (see `manifest`).
//!
//! Guarantees:
//! - A backup ends with a record that was on disk when its mark was read; everything acknowledged in mode `disk`
//!   before that moment is in it. Nothing is locked and the running switch is not asked: it may retire and reuse
//!   segments meanwhile. A copy that met such a change does not verify and is taken again.
//! - A backup is verified (every checksum, the chain, its snapshots) before it gets its manifest.
//! - Files are copied and never linked: the journal writes into its files again when it recycles them.
//! - [`restore_backup`] checks every digest, then builds a journal that holds exactly the records up to the wanted
//!   one, and verifies it. It never writes into a directory that holds anything.
//!
//! Sealed payloads stay sealed; a backup needs the same keys as its journal.

mod manifest;
mod restore;
mod take;

pub use manifest::{MANIFEST_NAME, Manifest};
pub use restore::{Target, restore_backup};
pub use take::back_up;

use crate::error::JournalError;
use crate::snapshot::SnapshotError;
use std::io;

/// Why a backup was not taken, or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The directory to write to holds files.
    #[error("{path} is not empty: it holds {found}")]
    NotEmpty {
        /// The directory.
        path: String,
        /// One of the files.
        found: String,
    },
    /// There is no journal to copy.
    #[error("{path} holds no journal")]
    NoJournal {
        /// The directory.
        path: String,
    },
    /// The journal changed under every attempt.
    #[error("the journal changed while it was copied, {attempts} times in a row")]
    Moving {
        /// Attempts made.
        attempts: u32,
        /// What the last copy showed.
        #[source]
        last: Box<BackupError>,
    },
    /// Neither the first record nor a snapshot is there: no state can be rebuilt from it.
    #[error("the journal begins with record {first}, and no whole snapshot reaches it")]
    NoBeginning {
        /// First record present.
        first: u64,
    },
    /// The manifest is missing or not one of ours.
    #[error("{path}: {found}")]
    Manifest {
        /// The manifest.
        path: String,
        /// What is wrong.
        found: String,
    },
    /// A file is not what it was when the backup was taken.
    #[error("{path} is not the file that was backed up: {found}")]
    Changed {
        /// The file.
        path: String,
        /// What is different.
        found: &'static str,
    },
    /// The wanted moment is not in the backup.
    #[error("record {wanted} is not in this backup, which can be restored to records {earliest} to {latest}")]
    OutOfRange {
        /// The wanted record.
        wanted: u64,
        /// The earliest possible.
        earliest: u64,
        /// The latest possible.
        latest: u64,
    },
    /// A file cannot be read or written.
    #[error("cannot {doing}, file {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The journal does not verify.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A snapshot cannot be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}
