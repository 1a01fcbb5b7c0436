//! What can go wrong with the journal, said so that an operator at night knows the file, the place and the facts.
//!
//! Damage is never repaired here: [`JournalError::Damage`] names what is at risk, and the journal refuses to open.

use std::io;

use crate::seal::SealError;
use crate::segment::HeaderFault;

/// What a callback may say about a record it cannot take.
pub type ReplayError = Box<dyn std::error::Error + Send + Sync>;

/// Why the journal cannot open, continue or be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A setting is outside its range.
    #[error("journal setting {key} is {found}, allowed is {allowed}")]
    Setting {
        /// Name of the key.
        key: &'static str,
        /// Its value.
        found: u64,
        /// What is allowed, with units.
        allowed: &'static str,
    },
    /// Another process holds the directory.
    #[error("journal directory is in use by another switch (lock file {path})")]
    Locked {
        /// The lock file.
        path: String,
    },
    /// The file system refused an operation.
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
    /// No space for the next segment. Nothing was written; trying again later is safe.
    #[error("no space for the next segment of {needed} bytes, file {path}")]
    NoSpace {
        /// Bytes of a segment.
        needed: u64,
        /// The file that could not be made.
        path: String,
    },
    /// A segment's header is not one of this journal.
    #[error("{path}: {fault}")]
    Header {
        /// The segment file.
        path: String,
        /// What is wrong with it.
        fault: HeaderFault,
    },
    /// The journal belongs to another node.
    #[error("{path} was written by node {found}, this switch is node {expected}")]
    WrongNode {
        /// The file.
        path: String,
        /// Node on disk.
        found: u32,
        /// Node in the configuration.
        expected: u32,
    },
    /// Payloads cannot be opened, or a data key cannot be made.
    #[error("{path}, offset {offset}: {because}")]
    Seal {
        /// The file.
        path: String,
        /// Where in it.
        offset: u64,
        /// Why, with the id of the key that is needed.
        because: SealError,
    },
    /// Neither slot of the mark file is whole.
    #[error("{path}: neither of the two marks is whole, so what was acknowledged cannot be known")]
    MarkUnreadable {
        /// The mark file.
        path: String,
    },
    /// There are segments but no mark file.
    #[error("{path} is missing beside {segments} segments, so what was acknowledged cannot be known")]
    MarkMissing {
        /// The mark file.
        path: String,
        /// Segments found.
        segments: usize,
    },
    /// Facts that had been written are damaged or gone.
    #[error("{0}")]
    Damage(Damage),
    /// The caller could not take a record that the journal holds.
    #[error("record {sequence} cannot be applied ({path}, offset {offset})")]
    Replay {
        /// The segment file.
        path: String,
        /// Where the record is.
        offset: u64,
        /// Which record.
        sequence: u64,
        /// What the caller said.
        #[source]
        source: ReplayError,
    },
    /// A record that must be there is behind the end.
    #[error("{path}: the journal ends before record {sequence}")]
    EndsBefore {
        /// The directory.
        path: String,
        /// The record.
        sequence: u64,
    },
    /// A thread of the journal could not be started.
    #[error("cannot start the journal's {name} thread")]
    Thread {
        /// Which thread.
        name: &'static str,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A thread of the journal ended by a panic.
    #[error("the journal's {name} thread ended unexpectedly")]
    ThreadEnded {
        /// Which thread.
        name: &'static str,
    },
    /// A record buffer holds bytes that are not records: a mistake in this crate, caught before the write.
    #[error("record buffer is inconsistent at record {sequence}")]
    Buffer {
        /// The sequence it was to get.
        sequence: u64,
    },
}

/// Facts at risk: where, which, and why this is not a torn tail.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "journal damage in {path} at offset {offset}: {found}; {proof}; facts at risk: {}",
    at_risk(*.first_at_risk, *.last_at_risk)
)]
pub struct Damage {
    /// The file.
    pub path: String,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// What was found there.
    pub found: String,
    /// What proves that it had been whole once.
    pub proof: String,
    /// First sequence that cannot be read.
    pub first_at_risk: u64,
    /// Last sequence known to be affected, if anything tells.
    pub last_at_risk: Option<u64>,
}

fn at_risk(first: u64, last: Option<u64>) -> String {
    match last {
        Some(last) if last > first => format!("sequences {first} to {last}"),
        Some(_) => format!("sequence {first}"),
        None => format!("sequence {first} and all after it"),
    }
}

impl JournalError {
    pub(crate) fn seal(path: &str, offset: u64, because: SealError) -> Self {
        Self::Seal { path: path.to_owned(), offset, because }
    }

    pub(crate) fn io(doing: &'static str, path: &str, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }
}
