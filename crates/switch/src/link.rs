//! One processor link: where it listens, how it speaks, and its counters.

use crate::config::LinkSettings;
use crate::metrics::LinkMetrics;
use crate::translate::Writer;
use std::sync::atomic::AtomicUsize;

/// One link; shared by its connections.
pub(crate) struct Link {
    pub(crate) settings: LinkSettings,
    pub(crate) writer: Writer,
    pub(crate) metrics: LinkMetrics,
    /// Connections that are open.
    pub(crate) connections: AtomicUsize,
    /// Requests of all connections that are not answered yet.
    pub(crate) in_flight: AtomicUsize,
}

impl Link {
    pub(crate) fn new(settings: LinkSettings, metrics: LinkMetrics) -> Self {
        let writer = Writer::new(&settings.dialect, settings.frame);
        Self { settings, writer, metrics, connections: AtomicUsize::new(0), in_flight: AtomicUsize::new(0) }
    }
}
