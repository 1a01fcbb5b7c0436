//! Connections to processors: opened by them or by us, plain or encrypted, and closed in good order.
//!
//! One task owns a connection: its buffers, its requests in flight, its answers, its session. It waits for
//! whichever comes first of bytes, answers, room to write and time. While it waits, whoever brings a few answers may write
//! and send them in its place. A connection that sends half a frame and falls
//! silent, or nothing at all for long, is closed; one that does not take its answers is not read from any more. No
//! connection can hold another one up, and no link another link.

mod backlog;
mod connection;
mod dial;
mod exchange;
mod listen;
mod wire;

#[cfg(test)]
mod lost_answer_tests;

use crate::config::Endpoint;
use crate::hub::Hub;
use crate::link::Link;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the connections of a link share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) hub: Arc<Hub>,
    pub(crate) link: Arc<Link>,
    pub(crate) stopping: CancellationToken,
}

/// Serves a link until told to stop. `listener` is there for a link that listens.
pub(crate) fn serve(shared: Shared, listener: Option<TcpListener>, connections: &TaskTracker) {
    match (&shared.link.settings.endpoint, listener) {
        (Endpoint::Connect { address, dial }, _) => {
            for _ in 0..dial.connections {
                let shared = shared.clone();
                connections.spawn(dial::keep_connected(address.clone(), dial.clone(), shared));
            }
        }
        (Endpoint::Listen(_), Some(listener)) => {
            connections.spawn(listen::listen(listener, shared.clone(), connections.clone()));
        }
        (Endpoint::Listen(address), None) => {
            tracing::error!(%address, link = %shared.link.settings.name, "the link has no listener");
        }
    }
}
