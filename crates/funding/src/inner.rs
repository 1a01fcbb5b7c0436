//! What the tasks of one running client share: settings, the bounded sets of open asks and duties, and the ways to
//! say that something changed. Locks are held for a few instructions and never across an await.

use crate::breaker::BreakerState;
use crate::client::Client;
use crate::config::FundingConfig;
use crate::duties::Duties;
use crate::gate::{Change, Gate};
use crate::resolver::Resolver;
use crate::sink::FundingSink;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) struct Inner {
    pub(crate) config: Arc<FundingConfig>,
    pub(crate) sink: Arc<dyn FundingSink>,
    pub(crate) client: Client,
    pub(crate) gate: Gate,
    pub(crate) duties_changed: Notify,
    pub(crate) late_answers: Semaphore,
    pub(crate) runtime: Handle,
    pub(crate) tasks: TaskTracker,
    /// Nothing new begins any more.
    pub(crate) closing: CancellationToken,
    /// Whatever is still open ends now.
    pub(crate) stop: CancellationToken,
    pub(crate) open_asks: Mutex<Resolver>,
    pub(crate) owed: Mutex<Duties>,
    /// The second of the last warning, counted from 1.
    pub(crate) warned: AtomicU64,
}

impl Inner {
    /// The open asks.
    pub(crate) fn resolver(&self) -> MutexGuard<'_, Resolver> {
        self.open_asks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn duties(&self) -> MutexGuard<'_, Duties> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a warning about an exchange may be logged: one a second, for an outage has thousands. The
    /// metrics count them all.
    pub(crate) fn may_warn(&self) -> bool {
        let second = self.sink.now().mono.nanos() / 1_000_000_000 + 1;
        self.warned.swap(second, Ordering::Relaxed) != second
    }

    /// Sends what waits for its next attempt now: the service is known to be back.
    pub(crate) fn hasten_duties(&self) {
        self.duties().hasten();
        self.duties_changed.notify_one();
    }

    /// Says that the breaker has changed its state, if it has.
    pub(crate) fn tell_of(&self, change: Change) {
        if let Some(state) = change {
            tracing::warn!(endpoint = %self.config.endpoint, state = state.as_str(), "the breaker has changed");
            self.sink.breaker_changed(state);
            if state == BreakerState::Closed {
                self.hasten_duties();
            }
        }
    }
}
