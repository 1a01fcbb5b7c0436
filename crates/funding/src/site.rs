//! One endpoint of the balance service as the asks see it: its connections, its breaker, and its own bounds.

use crate::breaker::{BreakerState, Probe};
use crate::client::{Client, ClientError};
use crate::config::FundingConfig;
use crate::endpoint::Endpoint;
use crate::gate::{Gate, Pass};
use crate::hedge::Hedger;
use domain::{Ask, Mono};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One endpoint.
pub(crate) struct Site {
    pub(crate) endpoint: Endpoint,
    pub(crate) client: Client,
    pub(crate) gate: Gate,
    hedger: Option<Mutex<Hedger>>,
    asks: AtomicUsize,
    /// Whether it could be reached, and was well, when that was last looked at.
    well: AtomicBool,
    /// Whether it has refused our keys or our words, and nothing better was heard since.
    alarm: AtomicBool,
}

/// Numbers for metrics of one endpoint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EndpointGauges {
    /// Which.
    pub endpoint: Endpoint,
    /// Asks that are open there.
    pub asks_in_flight: usize,
    /// Asks that may be.
    pub asks_in_flight_max: usize,
    /// Connections that are open.
    pub connections: usize,
    /// Connections that may be.
    pub connections_max: usize,
    /// How its breaker stands.
    pub breaker: BreakerState,
    /// Whether it could be reached, and was well, when that was last looked at.
    pub well: bool,
    /// Whether it refuses our keys or does not understand us: somebody has to change a configuration.
    pub config_alarm: bool,
}

impl Site {
    pub(crate) fn new(
        config: &Arc<FundingConfig>,
        endpoint: Endpoint,
        seed: u64,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            client: Client::new(Arc::clone(config), endpoint.clone())?,
            endpoint,
            gate: Gate::new(config.breaker, seed),
            hedger: config.hedge.map(|budget| Mutex::new(Hedger::new(budget))),
            asks: AtomicUsize::new(0),
            well: AtomicBool::new(true),
            alarm: AtomicBool::new(false),
        })
    }

    /// Takes a place among the open asks; `None` when there is none.
    pub(crate) fn place(self: &Arc<Self>, asks_max: usize) -> Option<Place> {
        let taken = self.asks.fetch_update(Ordering::AcqRel, Ordering::Acquire, |asks| {
            (asks < asks_max).then(|| asks.saturating_add(1))
        });
        taken.is_ok().then(|| Place(Arc::clone(self)))
    }

    pub(crate) fn is_well(&self) -> bool {
        self.well.load(Ordering::Acquire)
    }

    /// Notes how it was found. Returns whether that is news.
    pub(crate) fn found(&self, well: bool) -> bool {
        self.well.swap(well, Ordering::AcqRel) != well
    }

    /// Notes whether it refuses our keys or words. Returns whether that is news.
    pub(crate) fn set_alarm(&self, alarm: bool) -> bool {
        self.alarm.swap(alarm, Ordering::AcqRel) != alarm
    }

    /// What is usual here and what may be hedged; `None` where nothing may.
    pub(crate) fn hedger(&self) -> Option<MutexGuard<'_, Hedger>> {
        self.hedger.as_ref().map(|hedger| hedger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn gauges(&self, config: &FundingConfig, now: Mono) -> EndpointGauges {
        EndpointGauges {
            endpoint: self.endpoint.clone(),
            asks_in_flight: self.asks.load(Ordering::Acquire),
            asks_in_flight_max: config.asks_in_flight_max,
            connections: self.client.connections(),
            connections_max: config.connections_max,
            breaker: self.gate.state(now),
            well: self.is_well(),
            config_alarm: self.alarm.load(Ordering::Acquire),
        }
    }
}

/// An ask's place at an endpoint, given back when dropped.
pub(crate) struct Place(Arc<Site>);

impl Place {
    pub(crate) fn site(&self) -> &Arc<Site> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.asks.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The way to an endpoint: a place there, and leave from its breaker.
pub(crate) struct Way {
    pub(crate) place: Place,
    pub(crate) pass: Pass,
}

/// What an ask is worth as a probe: little is lost by a small one.
pub(crate) fn worth(config: &FundingConfig, ask: &Ask) -> Probe {
    if config.health.is_some() {
        Probe::Never
    } else if ask.amounts.card.minor() <= config.probe_amount_max {
        Probe::Cheap
    } else {
        Probe::Dear
    }
}
