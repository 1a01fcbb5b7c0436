//! What the API shows of snapshots and of the start that read one.

use domain::Timestamp;
use std::time::Duration;

/// How snapshots stand, and what the switch read when it started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnapshotsView {
    /// The newest one.
    pub newest: Option<SnapshotView>,
    /// Durable facts that it does not hold.
    pub unsaved_facts: u64,
    /// Whether one is being made.
    pub making: bool,
    /// Made since the start.
    pub made: u64,
    /// Attempts since the start that failed.
    pub failures: u64,
    /// Why the last attempt failed, if none has succeeded since.
    pub failing: Option<String>,
    /// The start.
    pub start: StartView,
}

/// A snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SnapshotView {
    /// Which one, counted from 1.
    pub generation: u64,
    /// The last fact in it.
    pub through: u64,
    /// When it was made.
    pub made_at: Timestamp,
}

/// What a start has read, how much, and how long it took.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StartView {
    /// The snapshot that it began with, and its bytes.
    pub snapshot: Option<(SnapshotView, u64)>,
    /// Damaged snapshots that were not used, and why.
    pub passed_over: Vec<(u64, String)>,
    /// Facts replayed.
    pub facts: u64,
    /// Segments read for them.
    pub segments: u64,
    /// How long the snapshot took.
    pub snapshot_took: Duration,
    /// How long the facts took.
    pub replay_took: Duration,
    /// How long everything took.
    pub took: Duration,
}

/// No snapshot was made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoSnapshot {
    /// Others wait for one already.
    #[error("a snapshot is being made and others wait for the next; ask again when it is there")]
    Busy,
    /// The switch is stopping.
    #[error("the switch is stopping; it makes its last snapshot by itself")]
    Stopping,
    /// It failed; those before it stand.
    #[error("no snapshot could be made, those before it stand: {0}")]
    Failed(String),
}
