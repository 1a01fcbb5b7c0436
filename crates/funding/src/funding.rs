//! The handle that the switch holds.

use crate::asking;
use crate::breaker::BreakerState;
use crate::budget;
use crate::config::{FundingConfig, FundingConfigError};
use crate::duties::{Duties, DutyKey, OwedDuty, Standing};
use crate::duty_sender;
use crate::endpoint::Endpoint;
use crate::inner::Inner;
use crate::open_ask::OpenAsk;
use crate::outcome::AskEnd;
use crate::resolver::{Admission, Resolver};
use crate::routes::Routes;
use crate::sink::FundingSink;
use crate::site::{EndpointGauges, Site};
use crate::upkeep;
use domain::{Ask, Duty, FundingFailure, FundingOutcome, ShardId};
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Just-in-Time funding: asks the balance service, and sends it what it is owed. Cheap to clone.
/// Its tasks live until [`Funding::shutdown`] or the end of the runtime, not until the last clone is dropped.
#[derive(Clone)]
pub struct Funding {
    inner: Arc<Inner>,
}

/// Why funding could not be started.
#[derive(Debug, thiserror::Error)]
pub enum FundingStartError {
    /// A setting cannot work.
    #[error(transparent)]
    Config(#[from] FundingConfigError),
    /// An endpoint cannot be connected to as it is written.
    #[error("endpoint {endpoint}: {problem}")]
    Endpoint {
        /// Which.
        endpoint: Endpoint,
        /// Why.
        problem: String,
    },
}

/// Numbers for metrics, each beside its bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FundingGauges {
    /// Asks that are open.
    pub asks_in_flight: usize,
    /// Asks that may be open.
    pub asks_in_flight_max: usize,
    /// How the breaker of the first endpoint stands; see [`Funding::endpoints`] for each.
    pub breaker: BreakerState,
    /// Connections that wait for use.
    pub connections_idle: usize,
    /// Duties that are owed.
    pub duties_pending: usize,
    /// Duties that may be owed before asking stops.
    pub duties_pending_max: usize,
    /// Duties that are under way.
    pub duties_in_flight: usize,
    /// Duties that may be under way.
    pub duties_in_flight_max: usize,
    /// How long the oldest duty has been owed, restarts included.
    pub duties_oldest: Option<Duration>,
    /// Late answers that are awaited.
    pub late_answers: usize,
    /// Late answers that may be awaited.
    pub late_answers_max: usize,
}

impl Funding {
    /// Starts the tasks that send duties and look after connections on `runtime`. Fails when a setting cannot
    /// work; a service that cannot be reached is no failure here (see [`Funding::warm_up`]).
    pub fn start(
        config: FundingConfig,
        sink: Arc<dyn FundingSink>,
        runtime: &Handle,
    ) -> Result<Self, FundingStartError> {
        config.check()?;
        let config = Arc::new(config);
        let (routes, endpoints) = Routes::new(&config.route, &config.ranges);
        let mut sites = Vec::with_capacity(endpoints.len());
        for (seed, endpoint) in (config.seed..).zip(endpoints) {
            let site = Site::new(&config, endpoint.clone(), seed)
                .map_err(|error| FundingStartError::Endpoint { endpoint, problem: error.to_string() })?;
            sites.push(Arc::new(site));
        }
        let asks_max = config.asks_in_flight_max.saturating_mul(sites.len());
        let inner = Arc::new(Inner {
            routes,
            sites,
            duties_changed: Notify::new(),
            late_answers: Semaphore::new(config.late_answers_max),
            runtime: runtime.clone(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            stop: CancellationToken::new(),
            open_asks: Mutex::new(Resolver::new(asks_max)),
            owed: Mutex::new(Duties::new(config.duties_pending_max, config.duty_backoff, config.seed)),
            warned: AtomicU64::new(0),
            config,
            sink,
        });
        inner.tasks.spawn_on(duty_sender::run(Arc::clone(&inner)), runtime);
        for site in &inner.sites {
            inner.tasks.spawn_on(upkeep::keep_warm(Arc::clone(&inner), Arc::clone(site)), runtime);
            if let Some(health) = inner.config.health.clone() {
                let watch = upkeep::watch_health(Arc::clone(&inner), Arc::clone(site), health);
                inner.tasks.spawn_on(watch, runtime);
            }
        }
        Ok(Self { inner })
    }

    /// Asks the balance service. Never blocks, and may be called from any thread. The sink hears of exactly
    /// one outcome, before the ask's deadline less the margins of the [`crate::Budget`]; a refusal is told
    /// before this returns. An ask for a transaction that is being asked for already is ignored: its outcome
    /// is the open one's.
    pub fn ask(&self, ask: Ask) {
        let inner = &self.inner;
        let now = inner.sink.now();
        let refuse = |failure| {
            let outcome = FundingOutcome::NotAsked(failure);
            inner.sink.ask_counted(AskEnd::of(outcome, ask.amounts.units), Duration::ZERO);
            inner.sink.ask_ended(ask.transaction, outcome, Duration::ZERO);
        };
        if inner.closing.is_cancelled() {
            return refuse(FundingFailure::Interrupted);
        }
        if inner.duties().is_full() {
            return refuse(FundingFailure::Overloaded);
        }
        let ask_max = budget::ask_max(&inner.config.programs, &ask.account);
        let (budget, request) = (inner.config.budget.within(ask_max), &ask.request);
        let Some(window) = budget.window_until(request.deadline, request.details.ask_by, now) else {
            return refuse(FundingFailure::TimedOut);
        };
        if ask.rate.as_ref().is_some_and(|rate| rate.as_of.plus(rate.max_age) < now.utc) {
            return refuse(FundingFailure::StaleRate);
        }
        let way = match inner.way(&ask, now.mono, None) {
            Ok(way) => way,
            Err(failure) => return refuse(failure),
        };
        let admission = inner.resolver().admit(ask.transaction, window.answer_by);
        match admission {
            Admission::Full => {
                inner.leave_unasked(way.place.site(), way.pass, now.mono);
                refuse(FundingFailure::Overloaded);
            }
            Admission::AlreadyOpen => {
                inner.leave_unasked(way.place.site(), way.pass, now.mono);
                tracing::error!(transaction = %ask.transaction, "asked twice for one transaction");
            }
            Admission::Admitted => {
                let open = OpenAsk::new(Arc::clone(inner), &ask, now.mono, window.remaining, way);
                inner.tasks.spawn_on(asking::run(open, ask, window), &inner.runtime);
            }
        }
    }

    /// Takes over a duty that is durable. Never blocks and never refuses, and may be called from any thread.
    /// Duties of one transaction reach the service in the order in which they were handed over; one that is
    /// owed already is not taken twice.
    pub fn owe(&self, shard: ShardId, duty: Duty) {
        let now = self.inner.sink.now().mono;
        self.inner.duties().owe(shard, duty, now);
        self.inner.duties_changed.notify_one();
    }

    /// Sends every duty that waits for its next attempt now. For operators; this happens by itself when the
    /// breaker closes and when the service can be reached again.
    pub fn retry_duties(&self) {
        self.inner.hasten_duties();
    }

    /// Sends one duty's transaction now. Returns where the duty stands; `None` for one that is not owed.
    pub fn retry_duty(&self, key: DutyKey) -> Option<Standing> {
        let now = self.inner.sink.now().mono;
        let standing = self.inner.duties().hasten_one(key, now);
        self.inner.duties_changed.notify_one();
        standing
    }

    /// Up to `count_max` duties that are owed, in the order of their keys, from behind `after` on.
    #[must_use]
    pub fn duties(&self, after: Option<DutyKey>, count_max: usize) -> Vec<OwedDuty> {
        let now = self.inner.sink.now().mono;
        self.inner.duties().list(after, count_max, now)
    }

    /// Looks up the service and opens the connections that are kept ahead of need, before traffic comes.
    /// Returns how many are open.
    pub async fn warm_up(&self) -> io::Result<usize> {
        let now = self.inner.sink.now().mono;
        let (mut open, mut failure) = (0_usize, None);
        for site in &self.inner.sites {
            let warm = async {
                site.client.refresh_addresses(now).await?;
                site.client.warm_up(now).await
            };
            match warm.await {
                Ok(warm) => open = open.saturating_add(warm),
                Err(error) => {
                    site.found(false);
                    failure = failure.or(Some(error));
                }
            }
        }
        failure.map_or(Ok(open), Err)
    }

    /// Numbers of each endpoint, for metrics.
    #[must_use]
    pub fn endpoints(&self) -> Vec<EndpointGauges> {
        let now = self.inner.sink.now().mono;
        self.inner.sites.iter().map(|site| site.gauges(&self.inner.config, now)).collect()
    }

    /// Numbers for metrics.
    #[must_use]
    pub fn gauges(&self) -> FundingGauges {
        let config = &self.inner.config;
        let asks_in_flight = self.inner.resolver().open();
        let now = self.inner.sink.now();
        let duties = self.inner.duties();
        FundingGauges {
            asks_in_flight,
            asks_in_flight_max: config.asks_in_flight_max.saturating_mul(self.inner.sites.len()),
            breaker: self.inner.sites.first().map_or(BreakerState::Closed, |site| site.gate.state(now.mono)),
            connections_idle: self.inner.sites.iter().map(|site| site.client.idle()).sum(),
            duties_pending: duties.pending(),
            duties_pending_max: config.duties_pending_max,
            duties_in_flight: duties.open(),
            duties_in_flight_max: config.duties_in_flight_max,
            duties_oldest: duties.oldest(now.utc),
            late_answers: config.late_answers_max.saturating_sub(self.inner.late_answers.available_permits()),
            late_answers_max: config.late_answers_max,
        }
    }

    /// Stops. No ask or attempt begins from now on; those under way have until `within` to end by
    /// themselves, then asks end as interrupted. Duties that are still owed are durable and come again at
    /// the next start.
    pub async fn shutdown(&self, within: Duration) {
        let inner = &self.inner;
        inner.closing.cancel();
        inner.tasks.close();
        if tokio::time::timeout(within, inner.tasks.wait()).await.is_err() {
            inner.stop.cancel();
            inner.tasks.wait().await;
        }
        inner.sites.iter().for_each(|site| site.client.close());
    }
}
