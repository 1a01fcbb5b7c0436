//! Looks after the endpoints off every ask's path: names, warm connections, and whether they are well.
//!
//! An endpoint is well when a connection to it could be opened and, where it has a health path, when that answers
//! 200. One that is not is passed over where there is another for the same books. Where there is a health path,
//! it is also what probes an endpoint whose breaker has opened: no cardholder pays for that.

use crate::breaker::{BreakerState, Probe};
use crate::config::HealthSettings;
use crate::connection::Progress;
use crate::inner::Inner;
use crate::site::Site;
use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How often connections are looked after.
const EVERY: Duration = Duration::from_millis(500);

/// How long a question after an endpoint's health may take.
const HEALTH_WITHIN: Duration = Duration::from_secs(1);

/// Keeps fresh connections to one endpoint open, and its addresses current.
pub(crate) async fn keep_warm(inner: Arc<Inner>, site: Arc<Site>) {
    loop {
        tokio::select! {
            () = inner.closing.cancelled() => return,
            () = sleep(EVERY) => {}
        }
        let now = inner.sink.now().mono;
        site.client.prune(now);
        let upkeep = async {
            site.client.refresh_addresses(now).await?;
            site.client.warm_up(now).await
        };
        let upkeep = tokio::select! {
            () = inner.closing.cancelled() => return,
            upkeep = upkeep => upkeep,
        };
        if let Err(error) = &upkeep {
            found(&inner, &site, false, &error.to_string());
        } else if inner.config.health.is_none() {
            found(&inner, &site, true, "");
        }
    }
}

/// Asks after one endpoint's health.
pub(crate) async fn watch_health(inner: Arc<Inner>, site: Arc<Site>, health: HealthSettings) {
    loop {
        tokio::select! {
            () = inner.closing.cancelled() => return,
            () = sleep(health.every) => {}
        }
        let before = inner.sink.now().mono;
        let (pass, change) = site.gate.enter(before, Probe::Cheap);
        inner.tell_of(&site, change);
        let is_well = tokio::select! {
            () = inner.closing.cancelled() => return,
            is_well = timeout(HEALTH_WITHIN, is_well(&inner, &site, &health.path)) => is_well.unwrap_or(false),
        };
        let now = inner.sink.now().mono;
        if let Some(pass) = pass
            && site.gate.state(before) == BreakerState::HalfOpen
        {
            let change = site.gate.probed(pass, is_well, now);
            inner.tell_of(&site, change);
        }
        found(&inner, &site, is_well, "its health path does not answer 200");
    }
}

async fn is_well(inner: &Inner, site: &Site, path: &str) -> bool {
    let Ok(request) = site.client.health_request(path) else { return false };
    let clock = || inner.sink.now().mono;
    let answer = site.client.exchange(request, &Progress::default(), clock).await;
    answer.is_ok_and(|answer| answer.status == StatusCode::OK)
}

/// Notes how an endpoint was found, and says so once when that is news.
fn found(inner: &Inner, site: &Site, well: bool, problem: &str) {
    if !site.found(well) {
        return;
    }
    let endpoint = &site.endpoint;
    if well {
        tracing::info!(%endpoint, "the balance service can be reached again");
        inner.hasten_duties();
    } else {
        tracing::warn!(%endpoint, problem, "the balance service cannot be reached or is not well");
    }
}
