//! What the tasks of one running client share: settings, the bounded sets of open asks and duties, and the ways to
//! say that something changed. Locks are held for a few instructions and never across an await.

use crate::breaker::BreakerState;
use crate::config::FundingConfig;
use crate::duties::Duties;
use crate::gate::Change;
use crate::resolver::Resolver;
use crate::routes::Routes;
use crate::sink::FundingSink;
use crate::site::{self, Site, Way};
use domain::{AccountId, Ask, FundingFailure, Mono};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) struct Inner {
    pub(crate) config: Arc<FundingConfig>,
    pub(crate) sink: Arc<dyn FundingSink>,
    pub(crate) routes: Routes,
    /// Every endpoint, by its number in the routes.
    pub(crate) sites: Vec<Arc<Site>>,
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

    /// The endpoints that keep an account's books: first those that are well, the primary before the standby.
    pub(crate) fn sites_of(&self, account: &AccountId) -> impl Iterator<Item = &Arc<Site>> {
        let sites = move || self.routes.of(account).sites.iter().filter_map(|number| self.sites.get(*number));
        sites().filter(|site| site.is_well()).chain(sites().filter(|site| !site.is_well()))
    }

    /// A way to an endpoint for this ask. An endpoint that is left alone is passed over for the standby; one that
    /// is full is not, because whoever is swamped should not swamp another.
    pub(crate) fn way(
        &self,
        ask: &Ask,
        now: Mono,
        but_not: Option<&Arc<Site>>,
    ) -> Result<Way, FundingFailure> {
        let worth = site::worth(&self.config, ask);
        let left = |site: &&Arc<Site>| but_not.is_none_or(|other| !Arc::ptr_eq(site, other));
        for site in self.sites_of(&ask.account).filter(left) {
            let (pass, change) = site.gate.enter(now, worth);
            self.tell_of(site, change);
            let Some(pass) = pass else { continue };
            if let Some(place) = site.place(self.config.asks_in_flight_max) {
                return Ok(Way { place, pass });
            }
            self.leave_unasked(site, pass, now);
            return Err(FundingFailure::Overloaded);
        }
        Err(FundingFailure::BreakerOpen)
    }

    /// Gives a pass back for an ask that went no further: that says nothing about the service.
    pub(crate) fn leave_unasked(&self, site: &Site, pass: crate::gate::Pass, now: Mono) {
        let outcome = domain::FundingOutcome::NotAsked(FundingFailure::Overloaded);
        let change = site.gate.leave(pass, outcome, Duration::ZERO, Duration::MAX, now);
        self.tell_of(site, change);
    }

    /// The endpoint refuses our keys or does not understand us, or we do not understand it.
    pub(crate) fn raise_alarm(&self, site: &Site, problem: &str) {
        self.sink.configuration_refused(&site.endpoint);
        if site.set_alarm(true) {
            let endpoint = &site.endpoint;
            tracing::error!(%endpoint, problem, "the balance service and this switch are not configured alike");
        }
    }

    /// It understands us, and we understand it.
    pub(crate) fn end_alarm(&self, site: &Site) {
        if site.set_alarm(false) {
            tracing::info!(endpoint = %site.endpoint, "the balance service and this switch understand each other again");
        }
    }

    /// Says that an endpoint's breaker has changed its state, if it has.
    pub(crate) fn tell_of(&self, site: &Site, change: Change) {
        if let Some(state) = change {
            tracing::warn!(endpoint = %site.endpoint, state = state.as_str(), "the breaker has changed");
            self.sink.breaker_changed(state);
            if state == BreakerState::Closed {
                self.hasten_duties();
            }
        }
    }
}
