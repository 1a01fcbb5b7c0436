//! What a start has read, how much, and how long it took: for the log, for `GET /v1/snapshots`, for metrics.

use domain::Timestamp;
use journal::Recovered;
use std::fmt;
use std::time::Duration;

/// A snapshot that is there and was not used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PassedOver {
    /// Which generation.
    pub generation: u64,
    /// Why.
    pub because: String,
}

/// The snapshot that the state was restored from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FromSnapshot {
    /// Which generation.
    pub generation: u64,
    /// The last record in it.
    pub through: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// Its slices.
    pub slices: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How long it took to read, decode and check.
    pub took: Duration,
}

/// What was read at a start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecoveryReport {
    /// The snapshot, if there was one.
    pub snapshot: Option<FromSnapshot>,
    /// Newer snapshots that are not whole. Somebody should look: they were whole when they were written.
    pub passed_over: Vec<PassedOver>,
    /// What was read of the journal behind the snapshot.
    pub journal: Recovered,
    /// Facts applied.
    pub facts: u64,
    /// How long reading and applying them took.
    pub replay_took: Duration,
    /// Threads that did it.
    pub threads: usize,
    /// Cards there are now.
    pub cards: u64,
    /// Accounts there are now.
    pub accounts: u64,
    /// Transactions remembered now.
    pub transactions: u64,
    /// How long everything took, the check of the books included.
    pub took: Duration,
}

impl fmt::Display for RecoveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.snapshot {
            Some(used) => write!(
                f,
                "snapshot {} (through sequence {}, {} slices, {} MiB) in {} ms, ",
                used.generation,
                used.through,
                used.slices,
                used.bytes >> 20,
                used.took.as_millis(),
            )?,
            None => f.write_str("no snapshot, ")?,
        }
        write!(
            f,
            "{} facts of {} segments in {} ms, by {} threads: {} cards, {} accounts, {} transactions; books balance; \
             {} ms in all",
            self.facts,
            self.journal.segments,
            self.replay_took.as_millis(),
            self.threads,
            self.cards,
            self.accounts,
            self.transactions,
            self.took.as_millis(),
        )
    }
}
