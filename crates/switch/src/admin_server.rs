//! Serves the admin port: a bounded number of connections, each with a bounded time to say what it wants.
//!
//! A client that opens connections and sends nothing, or half a header, must not use up what processors need.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a client may take to send a request's header, counted from the connection or the request before.
const HEADER_WITHIN: Duration = Duration::from_secs(10);
/// How long requests under way may take to finish once the switch stops.
const FINISH_WITHIN: Duration = Duration::from_secs(2);
/// How long the accept loop rests after the system refuses a connection.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Serves `router` until told to stop; requests under way are finished. One connection above `connections_max` is
/// closed at once.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    connections_max: usize,
    stop: CancellationToken,
    connections: TaskTracker,
) {
    let places = Arc::new(Semaphore::new(connections_max));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match (accepted, Arc::clone(&places).try_acquire_owned()) {
            (Ok((stream, _)), Ok(place)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    converse(stream, router, stop).await;
                    drop(place);
                });
            }
            (Ok((_, peer)), Err(_)) => {
                tracing::warn!(%peer, max = connections_max, "refused: the admin port has as many connections as it may");
            }
            (Err(error), _) => {
                tracing::warn!(%error, "the admin port could not accept a connection");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, router: Router, stop: CancellationToken) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WITHIN)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            // Who is in the middle of saying what it wants is not waited for.
            tokio::time::timeout(FINISH_WITHIN, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the admin port ended badly");
    }
}
