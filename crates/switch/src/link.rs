//! One processor link: where it listens, how it speaks, and its counters.

use crate::config::{Endpoint, LinkSettings};
use crate::metrics::LinkMetrics;
use crate::translate::Writer;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// One link; shared by its connections.
pub(crate) struct Link {
    pub(crate) settings: LinkSettings,
    pub(crate) writer: Writer,
    pub(crate) metrics: LinkMetrics,
    /// Connections that are open.
    pub(crate) connections: AtomicUsize,
    /// Requests of all connections that are not answered yet.
    pub(crate) in_flight: AtomicUsize,
    /// Connections whose requests are served.
    pub(crate) signed_on: AtomicUsize,
    /// Whether the processor can connect, where it does.
    pub(crate) listening: AtomicBool,
}

impl Link {
    pub(crate) fn new(settings: LinkSettings, metrics: LinkMetrics) -> Self {
        let writer = Writer::new(&settings.dialect, settings.frame, settings.mac.clone());
        Self {
            settings,
            writer,
            metrics,
            connections: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            signed_on: AtomicUsize::new(0),
            listening: AtomicBool::new(false),
        }
    }

    /// Whether messages can come: the link listens, or has a connection that we opened.
    pub(crate) fn is_up(&self) -> bool {
        match self.settings.endpoint {
            Endpoint::Listen(_) => self.listening.load(Ordering::Acquire),
            Endpoint::Connect { .. } => self.connections.load(Ordering::Acquire) > 0,
        }
    }

    /// How many connections there may be.
    pub(crate) fn connections_max(&self) -> usize {
        match &self.settings.endpoint {
            Endpoint::Listen(_) => self.settings.connections_max,
            Endpoint::Connect { dial, .. } => dial.connections,
        }
    }

    /// Reads certificates and keys again, and says how that went.
    pub(crate) fn reload(&self) {
        let Some(tls) = &self.settings.tls else { return };
        let link = &self.settings.name;
        match tls.reload() {
            Ok(()) => tracing::info!(%link, "certificates and keys were read again"),
            Err(error) => tracing::error!(%link, %error, "certificates and keys stay as they were"),
        }
    }
}
