//! Serves the admin port: a bounded number of connections, each with a bounded time to say what it wants.
//!
//! A client that opens connections and sends nothing, or half a header, must not use up what processors need. A few
//! more places are kept for health, readiness and metrics alone, one question a connection: whoever uses up the API's
//! places does not make a healthy switch look dead.

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

/// How long a client may take in one of the places kept for health: a probe says at once what it wants.
const PROBE_WITHIN: Duration = Duration::from_secs(2);

/// A router and how many connections may use it at once.
pub(crate) struct Served {
    pub(crate) router: Router,
    pub(crate) connections_max: usize,
}

/// Serves the admin port until told to stop; requests under way are finished. Connections above the first bound get
/// `health` only, and those above the second are closed at once.
pub(crate) async fn serve(
    listener: TcpListener,
    all: Served,
    health: Served,
    stop: CancellationToken,
    connections: TaskTracker,
) {
    let places = Arc::new(Semaphore::new(all.connections_max));
    let kept = Arc::new(Semaphore::new(health.connections_max));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "the admin port could not accept a connection");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let (place, router, patience) = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => (place, all.router.clone(), Patience::Usual),
            Err(_) => match Arc::clone(&kept).try_acquire_owned() {
                Ok(place) => (place, health.router.clone(), Patience::OneQuestion),
                Err(_) => {
                    let max = all.connections_max;
                    tracing::warn!(%peer, max, "refused: the admin port has as many connections as it may");
                    continue;
                }
            },
        };
        let stop = stop.clone();
        connections.spawn(async move {
            converse(stream, router, patience, stop).await;
            drop(place);
        });
    }
}

/// How long a connection is kept.
#[derive(Clone, Copy)]
enum Patience {
    Usual,
    OneQuestion,
}

async fn converse(stream: TcpStream, router: Router, patience: Patience, stop: CancellationToken) {
    let (keep_alive, header_within) = match patience {
        Patience::Usual => (true, HEADER_WITHIN),
        Patience::OneQuestion => (false, PROBE_WITHIN),
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(keep_alive)
        .header_read_timeout(header_within)
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
