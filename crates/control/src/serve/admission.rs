//! Who may come in, how many at once, and that each is seen through to its end.

use super::api::Api;
use crate::problem::{Kind, Problem};
use crate::switchboard::Switchboard;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Checks the key, takes a slot, and runs the request in a task of its own. A client that hangs up therefore
/// stops nothing half way, and a panic (a bug) costs one request and not the connection.
pub(crate) async fn admit<S: Switchboard>(
    State(api): State<Arc<Api<S>>>,
    request: Request,
    next: Next,
) -> Response {
    let authorized =
        request.headers().get(header::AUTHORIZATION).is_some_and(|value| api.key.opens(value.as_bytes()));
    if !authorized {
        return Problem::at(
            Kind::Unauthorized,
            "Authorization",
            "no header, or not the key of this switch",
            "\"Bearer KEY\" with the key from the switch's key file",
        )
        .into_response();
    }
    let Ok(slot) = Arc::clone(&api.slots).try_acquire_owned() else {
        let max = api.bounds.requests_in_flight_max;
        return Problem::new(Kind::Overloaded, format!("{max} requests are in flight, no more are taken"))
            .into_response();
    };
    let method = request.method().clone();
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
    tracing::debug!(%method, endpoint, status = response.status().as_u16(), "control request");
    response
}
