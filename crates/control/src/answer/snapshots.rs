//! Snapshots and the start, as JSON.

use super::time::text;
use crate::snapshots::{SnapshotView, SnapshotsView, StartView};
use serde::Serialize;
use std::time::Duration;

#[derive(Debug, Serialize)]
pub(crate) struct SnapshotsAnswer {
    newest: Option<SnapshotAnswer>,
    unsaved_facts: u64,
    making: bool,
    made: u64,
    failures: u64,
    failing: Option<String>,
    start: StartAnswer,
}

#[derive(Debug, Serialize)]
struct SnapshotAnswer {
    generation: u64,
    through: u64,
    made_at: Option<String>,
}

#[derive(Debug, Serialize)]
struct StartAnswer {
    snapshot: Option<SnapshotAnswer>,
    snapshot_bytes: u64,
    passed_over: Vec<PassedOverAnswer>,
    facts: u64,
    segments: u64,
    snapshot_ms: u64,
    replay_ms: u64,
    took_ms: u64,
}

#[derive(Debug, Serialize)]
struct PassedOverAnswer {
    generation: u64,
    because: String,
}

impl SnapshotsAnswer {
    pub(crate) fn new(view: SnapshotsView) -> Self {
        Self {
            newest: view.newest.map(SnapshotAnswer::new),
            unsaved_facts: view.unsaved_facts,
            making: view.making,
            made: view.made,
            failures: view.failures,
            failing: view.failing,
            start: StartAnswer::new(view.start),
        }
    }
}

impl SnapshotAnswer {
    fn new(view: SnapshotView) -> Self {
        Self { generation: view.generation, through: view.through, made_at: text(view.made_at) }
    }
}

impl StartAnswer {
    fn new(view: StartView) -> Self {
        let ms = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let passed_over = view.passed_over.into_iter();
        Self {
            snapshot: view.snapshot.map(|(snapshot, _)| SnapshotAnswer::new(snapshot)),
            snapshot_bytes: view.snapshot.map_or(0, |(_, bytes)| bytes),
            passed_over: passed_over
                .map(|(generation, because)| PassedOverAnswer { generation, because })
                .collect(),
            facts: view.facts,
            segments: view.segments,
            snapshot_ms: ms(view.snapshot_took),
            replay_ms: ms(view.replay_took),
            took_ms: ms(view.took),
        }
    }
}
