//! The handle that the switch holds.

use crate::asking::{self, OpenAsk};
use crate::breaker::BreakerState;
use crate::client::Client;
use crate::config::{FundingConfig, FundingConfigError};
use crate::duties::Duties;
use crate::duty_sender;
use crate::gate::Gate;
use crate::inner::Inner;
use crate::resolver::{Admission, Resolver};
use crate::sink::FundingSink;
use domain::{Ask, Duty, FundingFailure, FundingOutcome, ShardId};
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What an ask is told that the breaker stops.
const BREAKER_OPEN: FundingFailure = FundingFailure::BreakerOpen;

/// How often idle connections are looked after.
const MAINTAIN_EVERY: Duration = Duration::from_millis(500);

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
    /// The endpoint's host cannot stand in an HTTP header.
    #[error("the balance service's host cannot be sent in a header")]
    Host(#[source] http::Error),
}

/// Numbers for metrics, each beside its bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FundingGauges {
    /// Asks that are open.
    pub asks_in_flight: usize,
    /// Asks that may be open.
    pub asks_in_flight_max: usize,
    /// How the breaker stands.
    pub breaker: BreakerState,
    /// Connections that wait for use.
    pub connections_idle: usize,
    /// Connections that there may be in all.
    pub connections_max: usize,
    /// Duties that are owed.
    pub duties_pending: usize,
    /// Duties that may be owed before asking stops.
    pub duties_pending_max: usize,
    /// Duties that are under way.
    pub duties_in_flight: usize,
    /// Duties that may be under way.
    pub duties_in_flight_max: usize,
    /// How long the oldest duty has been owed, to the knowledge of this process.
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
        let inner = Arc::new(Inner {
            client: Client::new(Arc::clone(&config)).map_err(FundingStartError::Host)?,
            gate: Gate::new(config.breaker, config.seed),
            duties_changed: Notify::new(),
            late_answers: Semaphore::new(config.late_answers_max),
            runtime: runtime.clone(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            stop: CancellationToken::new(),
            open_asks: Mutex::new(Resolver::new(config.asks_in_flight_max)),
            owed: Mutex::new(Duties::new(config.duties_pending_max, config.duty_backoff, config.seed)),
            warned: AtomicU64::new(0),
            config,
            sink,
        });
        inner.tasks.spawn_on(duty_sender::run(Arc::clone(&inner)), runtime);
        inner.tasks.spawn_on(look_after_connections(Arc::clone(&inner)), runtime);
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
            inner.sink.ask_ended(ask.transaction, FundingOutcome::NotAsked(failure), Duration::ZERO);
        };
        if inner.closing.is_cancelled() {
            return refuse(FundingFailure::Interrupted);
        }
        if inner.duties().is_full() {
            return refuse(FundingFailure::Overloaded);
        }
        let Some(window) = inner.config.budget.window(ask.request.deadline, now) else {
            return refuse(FundingFailure::TimedOut);
        };
        // An ask that went no further than here says nothing about the service.
        let leave = |pass, failure| {
            let outcome = FundingOutcome::NotAsked(failure);
            inner.gate.leave(pass, outcome, Duration::ZERO, window.remaining, now.mono);
        };
        let (pass, change) = inner.gate.enter(now.mono);
        inner.tell_of(change);
        let Some(pass) = pass else { return refuse(BREAKER_OPEN) };
        let admission = inner.resolver().admit(ask.transaction, window.answer_by);
        match admission {
            Admission::Full => {
                leave(pass, FundingFailure::Overloaded);
                refuse(FundingFailure::Overloaded);
            }
            Admission::AlreadyOpen => {
                leave(pass, FundingFailure::Overloaded);
                tracing::error!(transaction = %ask.transaction, "asked twice for one transaction");
            }
            Admission::Admitted => {
                let open = OpenAsk::new(Arc::clone(inner), ask.transaction, now.mono, window.remaining, pass);
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

    /// Looks up the service and opens the connections that are kept ahead of need, before traffic comes.
    /// Returns how many are open.
    pub async fn warm_up(&self) -> io::Result<usize> {
        let now = self.inner.sink.now().mono;
        self.inner.client.refresh_addresses(now).await?;
        self.inner.client.warm_up(now).await
    }

    /// Numbers for metrics.
    #[must_use]
    pub fn gauges(&self) -> FundingGauges {
        let config = &self.inner.config;
        let asks_in_flight = self.inner.resolver().open();
        let now = self.inner.sink.now().mono;
        let duties = self.inner.duties();
        FundingGauges {
            asks_in_flight,
            asks_in_flight_max: config.asks_in_flight_max,
            breaker: self.inner.gate.state(now),
            connections_idle: self.inner.client.idle(),
            connections_max: config.connections_max(),
            duties_pending: duties.pending(),
            duties_pending_max: config.duties_pending_max,
            duties_in_flight: duties.open(),
            duties_in_flight_max: config.duties_in_flight_max,
            duties_oldest: duties.oldest(now),
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
        inner.client.close();
    }
}

/// Keeps enough fresh connections open, and the endpoint's addresses current, off every ask's path.
async fn look_after_connections(inner: Arc<Inner>) {
    let mut reachable = true;
    loop {
        tokio::select! {
            () = inner.closing.cancelled() => return,
            () = tokio::time::sleep(MAINTAIN_EVERY) => {}
        }
        let now = inner.sink.now().mono;
        inner.client.prune(now);
        let upkeep = async {
            inner.client.refresh_addresses(now).await?;
            inner.client.warm_up(now).await
        };
        let endpoint = &inner.config.endpoint;
        let upkeep = tokio::select! {
            () = inner.closing.cancelled() => return,
            upkeep = upkeep => upkeep,
        };
        match &upkeep {
            Ok(_) if !reachable => {
                tracing::info!(%endpoint, "the balance service can be reached again");
                inner.hasten_duties();
            }
            Err(error) if reachable => {
                tracing::warn!(%endpoint, %error, "the balance service cannot be reached");
            }
            Ok(_) | Err(_) => {}
        }
        reachable = upkeep.is_ok();
    }
}
