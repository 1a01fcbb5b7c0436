//! Links to which the processor connects.

use super::Shared;
use super::connection::converse;
use super::wire::Wire;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

/// How long the accept loop rests after the system refuses a connection (out of file descriptors, say).
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Accepts connections until told to stop.
pub(super) async fn listen(listener: TcpListener, shared: Shared, connections: TaskTracker) {
    let link = &shared.link;
    link.listening.store(true, Ordering::Release);
    loop {
        let accepted = tokio::select! {
            () = shared.stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => welcome(stream, peer, &shared, &connections),
            Err(error) => {
                tracing::warn!(link = %link.settings.name, %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    link.listening.store(false, Ordering::Release);
}

fn welcome(stream: TcpStream, peer: SocketAddr, shared: &Shared, connections: &TaskTracker) {
    let link = &shared.link;
    let (name, max) = (&link.settings.name, link.settings.connections_max);
    if link.connections.fetch_add(1, Ordering::AcqRel) >= max {
        link.connections.fetch_sub(1, Ordering::AcqRel);
        link.metrics.refused.increment(1);
        tracing::warn!(link = %name, %peer, max, "refused: the link has as many connections as it may");
        return;
    }
    let shared = shared.clone();
    connections.spawn(async move {
        let link = &shared.link;
        if let Some(wire) = secured(stream, peer, &shared).await {
            tracing::info!(link = %link.settings.name, %peer, "processor connected");
            match converse(wire, &shared).await {
                Ok(end) => tracing::info!(link = %link.settings.name, %peer, %end, "connection closed"),
                Err(error) => tracing::warn!(link = %link.settings.name, %peer, %error, "connection lost"),
            }
        }
        link.connections.fetch_sub(1, Ordering::AcqRel);
    });
}

/// The connection, encrypted where the link says so. A handshake takes one of the link's places, for a bounded time.
async fn secured(stream: TcpStream, peer: SocketAddr, shared: &Shared) -> Option<Wire> {
    let link = &shared.link;
    let Some(tls) = &link.settings.tls else { return Some(Wire::Plain(stream)) };
    let within = link.settings.handshake_within;
    let handshake = tokio::select! {
        () = shared.stopping.cancelled() => return None,
        handshake = tokio::time::timeout(within, tls.secure(stream)) => handshake,
    };
    let failed = match handshake {
        Ok(Ok(stream)) => return Some(Wire::Encrypted(Box::new(stream))),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("not done within {within:?}"),
    };
    link.metrics.tls_failures.increment(1);
    tracing::warn!(link = %link.settings.name, %peer, error = failed, "refused: the TLS handshake failed");
    None
}
