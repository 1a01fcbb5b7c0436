//! Who may come in, how many at once, and that each is seen through to its end.

use super::api::Api;
use crate::mask::shown;
use crate::problem::{Kind, Problem};
use crate::switchboard::Switchboard;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Checks the key, takes a slot, and runs the request to its end. No answer may be kept by a cache in between:
/// balances change.
pub(crate) async fn admit<S: Switchboard>(
    State(api): State<Arc<Api<S>>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match slot_for(&api, request.headers()) {
        Ok(slot) => run_to_the_end(slot, request, next).await,
        Err(problem) => problem.into_response(),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The right to be worked on, for whoever has the key while there is room.
fn slot_for<S>(api: &Api<S>, headers: &HeaderMap) -> Result<OwnedSemaphorePermit, Problem> {
    let authorized = headers.get(header::AUTHORIZATION).is_some_and(|value| api.key.opens(value.as_bytes()));
    if !authorized {
        let found = "no header, or not the key of this switch";
        let allowed = "\"Bearer KEY\" with the key from the switch's key file";
        return Err(Problem::at(Kind::Unauthorized, "Authorization", found, allowed));
    }
    Arc::clone(&api.slots).try_acquire_owned().map_err(|_| {
        let max = api.bounds.requests_in_flight_max;
        Problem::new(Kind::Overloaded, format!("{max} requests are in flight, no more are taken"))
    })
}

/// Runs a request in a task of its own. A client that hangs up therefore stops nothing half way, and a panic
/// (a bug) costs one request and not the connection.
async fn run_to_the_end(slot: OwnedSemaphorePermit, request: Request, next: Next) -> Response {
    let method = shown(request.method().as_str());
    // The pattern, never the path itself: a path holds whatever a client put there.
    let endpoint = request.extensions().get::<MatchedPath>().cloned();
    let done = tokio::spawn(async move {
        let response = next.run(request).await;
        drop(slot);
        response
    });
    let response = match done.await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a request of the control API did not come to its end");
            Problem::new(Kind::Internal, "the request did not come to its end").into_response()
        }
    };
    let endpoint = endpoint.as_ref().map_or("none", MatchedPath::as_str);
    tracing::debug!(method, endpoint, status = response.status().as_u16(), "control request");
    response
}
