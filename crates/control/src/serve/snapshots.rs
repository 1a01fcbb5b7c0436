//! Snapshots: how they stand, and making one now.

use super::api::{Api, created, ok};
use crate::answer::SnapshotsAnswer;
use crate::problem::{Kind, Problem};
use crate::snapshots::NoSnapshot;
use crate::switchboard::Switchboard;
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;

/// `GET /v1/snapshots`.
pub(crate) async fn show<S: Switchboard>(State(api): State<Arc<Api<S>>>) -> Response {
    ok(&SnapshotsAnswer::new(api.switchboard.snapshots()))
}

/// `POST /v1/snapshots`: answered when the new one is verified and has its name.
pub(crate) async fn make<S: Switchboard>(State(api): State<Arc<Api<S>>>) -> Result<Response, Problem> {
    let view = api.switchboard.make_snapshot().await?;
    Ok(created(&SnapshotsAnswer::new(view)))
}

impl From<NoSnapshot> for Problem {
    fn from(error: NoSnapshot) -> Self {
        let kind = match error {
            NoSnapshot::Busy => Kind::Overloaded,
            NoSnapshot::Stopping => Kind::Stopped,
            NoSnapshot::Failed(_) => Kind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}
