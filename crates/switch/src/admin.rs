//! The admin port: health, readiness, the metrics page, and the control API beside them.

use crate::hub::Hub;
use crate::link::Link;
use crate::rate_watch::Trust;
use crate::recovery::RecoveryReport;
use crate::snapshots::Keeper;
use authorizer::{Pricing, StandIn};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use cache::{CacheConfig, Clock, Release};
use domain::{Mono, Timestamp};
use funding::{BreakerState, Funding, contract};
use journal::{JournalHandle, Space};
use metrics::Gauge;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// What the admin port looks at.
pub(crate) struct Watched {
    pub(crate) hub: Arc<Hub>,
    pub(crate) journal: Arc<JournalHandle<Vec<Release>>>,
    pub(crate) funding: Funding,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) recovered: Arc<RecoveryReport>,
    pub(crate) links: Vec<Arc<Link>>,
    pub(crate) cache_config: CacheConfig,
    pub(crate) stand_in: Arc<StandIn>,
    pub(crate) pricing: Arc<Pricing>,
    pub(crate) stopping: Arc<AtomicBool>,
}

/// Health, readiness and metrics.
pub(crate) fn router(watched: Arc<Watched>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
        .route("/openapi/balance-service.json", get(balance_service_contract))
        .route("/docs/balance-service", get(balance_service_page))
        .with_state(watched)
}

/// The process is alive and answers. Whether it should get traffic is readiness.
async fn healthz() -> &'static str {
    "alive\n"
}

/// What the API says on a connection that only health is served on.
pub(crate) async fn no_place() -> (StatusCode, &'static str) {
    (StatusCode::SERVICE_UNAVAILABLE, "the control API has as many connections as it may\n")
}

/// One line a condition; 503 when any of them does not hold.
async fn readyz(State(watched): State<Arc<Watched>>) -> Response {
    let conditions = [
        ("not stopping", !watched.stopping.load(Ordering::Acquire)),
        ("journal writes", watched.journal.is_healthy()),
        ("journal has space", watched.journal.space() == Space::Ample),
        ("lanes run", watched.hub.cache_if_started().is_some()),
        // One network that is gone is its own alert; the others are still served.
        ("a link is up", watched.links.iter().any(|link| link.is_up())),
    ];
    let ready = conditions.iter().all(|(_, holds)| *holds);
    let mut page = String::new();
    for (name, holds) in conditions {
        let sign = if holds { "ok  " } else { "FAIL" };
        let _ = writeln!(page, "{sign} {name}");
    }
    for link in &watched.links {
        let (sign, state) = if link.is_up() { ("ok  ", "up") } else { ("down", "down") };
        let _ = writeln!(page, "{sign} link {} is {state}", link.settings.name);
    }
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, page).into_response()
}

/// Units as whole ones, for a gauge: Prometheus keeps floats.
#[allow(clippy::cast_precision_loss)] // nothing is computed from it
fn whole(units: domain::Units, decimals: u8) -> f64 {
    units.0 as f64 / 10_f64.powi(i32::from(decimals))
}

/// The contract of the balance service, for machines.
async fn balance_service_contract() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], contract::OPENAPI).into_response()
}

/// The same for people.
async fn balance_service_page() -> Html<&'static str> {
    static PAGE: LazyLock<String> = LazyLock::new(contract::page);
    Html(PAGE.as_str())
}

async fn metrics_page(State(watched): State<Arc<Watched>>) -> Response {
    watched.set_gauges();
    let page = watched.hub.metrics.render();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page).into_response()
}

impl Watched {
    /// How old each rate is, and whether it converts.
    fn set_rate_gauges(&self) {
        let Some(cache) = self.hub.cache_if_started() else { return };
        let now = self.hub.clock.now().utc;
        for rate in cache.rates().iter() {
            let gauge = |name| self.hub.metrics.rate_gauge(name, rate.from.as_str(), rate.to.as_str());
            gauge("authswitch_rate_age_seconds").set(now.since(rate.as_of).as_secs_f64());
            let (trust, _) = Trust::of(&self.pricing, rate, now);
            let is = |wanted| if trust == wanted { 1.0 } else { 0.0 };
            gauge("authswitch_rate_usable").set(is(Trust::Usable));
            gauge("authswitch_rate_outside_band").set(is(Trust::OutsideBand));
        }
    }

    /// What each program has open that its balance service has not acknowledged, in whole units of the asset.
    fn set_exposure_gauges(&self) {
        let Some(cache) = self.hub.cache_if_started() else { return };
        for (bound, exposure) in self.stand_in.bounds().iter().zip(cache.exposed()) {
            let (program, asset) = (bound.program.as_str(), bound.max.code.as_str());
            let open = exposure.asset.map_or(0.0, |asset| whole(exposure.open, asset.decimals()));
            let gauge = |name| self.hub.metrics.exposure_gauge(name, program, asset);
            gauge("authswitch_stand_in_exposure").set(open);
            gauge("authswitch_stand_in_exposure_max").set(bound.max.value.to_string().parse().unwrap_or(0.0));
        }
    }

    /// Reads everything that is a level, at the moment that someone looks.
    fn set_gauges(&self) {
        let metrics = &self.hub.metrics;
        let set = |gauge: Gauge, value: u64| {
            #[allow(clippy::cast_precision_loss)] // Prometheus keeps floats; counts stay far below 2^52
            gauge.set(value as f64);
        };
        let set_count =
            |name: &'static str, count: usize| set(metrics.gauge(name), u64::try_from(count).unwrap_or(0));
        let queue = |queue: &'static str, length: usize, max: usize| {
            let count = |count: usize| u64::try_from(count).unwrap_or(0);
            set(metrics.queue_gauge("authswitch_queue_records", queue), count(length));
            set(metrics.queue_gauge("authswitch_queue_records_max", queue), count(max));
        };
        if let Some(cache) = self.hub.cache_if_started() {
            let lanes = cache.gauges().count();
            let requests = cache.gauges().map(|lane| lane.requests).sum();
            let follow_ups = cache.gauges().map(|lane| lane.follow_ups).sum();
            queue("lane_requests", requests, self.cache_config.requests_max.saturating_mul(lanes));
            queue("lane_follow_ups", follow_ups, self.cache_config.follow_ups_max.saturating_mul(lanes));
        }
        self.set_exposure_gauges();
        self.set_rate_gauges();
        queue("journal", self.journal.queued_batches(), self.journal.config().queue_batches_max);
        set_count("authswitch_cards", self.hub.index.cards());
        set_count("authswitch_accounts", self.hub.index.accounts());
        let positions = self.journal.positions();
        let unsynced = positions.appended.saturating_sub(positions.durable);
        set(metrics.gauge("authswitch_journal_unsynced_records"), unsynced);
        let exposure = self.journal.exposure();
        set(metrics.gauge("authswitch_journal_exposure_records"), exposure.records);
        set(metrics.gauge("authswitch_journal_exposure_minor_units"), exposure.amount);
        metrics.gauge("authswitch_journal_exposure_seconds").set(exposure.oldest.as_secs_f64());
        self.set_snapshot_gauges();
        let funding = self.funding.gauges();
        set_count("authswitch_funding_asks_in_flight", funding.asks_in_flight);
        set_count("authswitch_funding_asks_in_flight_max", funding.asks_in_flight_max);
        self.set_endpoint_gauges();
        set_count("authswitch_duties_pending", funding.duties_pending);
        set_count("authswitch_duties_pending_max", funding.duties_pending_max);
        let oldest = funding.duties_oldest.unwrap_or_default();
        metrics.gauge("authswitch_duties_oldest_seconds").set(oldest.as_secs_f64());
        for link in &self.links {
            let read = |count: &std::sync::atomic::AtomicUsize| {
                u64::try_from(count.load(Ordering::Relaxed)).unwrap_or(0)
            };
            link.metrics.up.set(if link.is_up() { 1.0 } else { 0.0 });
            set(link.metrics.connections.clone(), read(&link.connections));
            set(link.metrics.connections_max.clone(), u64::try_from(link.connections_max()).unwrap_or(0));
            set(link.metrics.signed_on.clone(), read(&link.signed_on));
            set(link.metrics.in_flight.clone(), read(&link.in_flight));
            set(
                link.metrics.in_flight_max.clone(),
                u64::try_from(link.settings.in_flight_max).unwrap_or(u64::MAX),
            );
        }
    }

    /// How the newest snapshot stands, and what the start of this process was like.
    fn set_snapshot_gauges(&self) {
        let metrics = &self.hub.metrics;
        let set = |name: &'static str, value: u64| {
            #[allow(clippy::cast_precision_loss)] // Prometheus keeps floats; counts stay far below 2^52
            metrics.gauge(name).set(value as f64);
        };
        let status = self.keeper.status();
        let now = self.hub.clock.now();
        let age = match status.newest {
            Some(newest) => now.utc.since(Timestamp::from_micros(newest.at_utc_micros)),
            None => now.mono.since(Mono::default()),
        };
        metrics.gauge("authswitch_snapshot_age_seconds").set(age.as_secs_f64());
        metrics.gauge("authswitch_snapshot_duration_seconds").set(status.took.as_secs_f64());
        set("authswitch_snapshot_bytes", status.bytes);
        let through = status.newest.map_or(0, |newest| newest.through);
        let unsaved = self.journal.positions().durable.saturating_sub(through);
        set("authswitch_snapshot_unsaved_records", unsaved);
        set("authswitch_snapshot_making", u64::from(status.making));
        set("authswitch_snapshots_damaged", u64::try_from(status.damaged).unwrap_or(0));
        set("authswitch_snapshots_damaged_max", u64::try_from(self.keeper.damaged_max()).unwrap_or(0));
        metrics.snapshots_made.absolute(status.made);
        metrics.snapshot_failures.absolute(status.failures);
        set("authswitch_journal_segments", self.journal.segments());
        let recovered = &self.recovered;
        metrics.gauge("authswitch_recovery_seconds").set(recovered.took.as_secs_f64());
        set("authswitch_recovery_records", recovered.facts);
        set("authswitch_recovery_snapshot_bytes", recovered.snapshot.map_or(0, |used| used.bytes));
        let passed_over = u64::try_from(recovered.passed_over.len()).unwrap_or(0);
        set("authswitch_recovery_snapshots_passed_over", passed_over);
    }

    fn set_endpoint_gauges(&self) {
        #[allow(clippy::cast_precision_loss)] // a handful of sockets and asks
        let set = |gauge: Gauge, count: usize| gauge.set(count as f64);
        let metrics = &self.hub.metrics;
        for (number, endpoint) in self.funding.endpoints().into_iter().enumerate() {
            let gauges = metrics.endpoint(number);
            gauges.breaker_open.set(match endpoint.breaker {
                BreakerState::Closed => 0.0,
                BreakerState::HalfOpen => 0.5,
                BreakerState::Open => 1.0,
            });
            set(gauges.well, usize::from(endpoint.well));
            set(gauges.config_alarm, usize::from(endpoint.config_alarm));
            set(gauges.asks, endpoint.asks_in_flight);
            set(gauges.connections, endpoint.connections);
            set(metrics.gauge("authswitch_funding_endpoint_asks_max"), endpoint.asks_in_flight_max);
            set(metrics.gauge("authswitch_funding_endpoint_connections_max"), endpoint.connections_max);
        }
    }
}
