//! Watches whether the rates in force convert, and says so once for each change.
//!
//! A conversion looks at its rate by itself; nothing here decides. A token that leaves its peg stops all that needs its
//! rate (E11), which is for people to know before the first cardholder tells them.

use crate::hub::Hub;
use authorizer::Pricing;
use cache::Clock;
use domain::{AssetCode, Rate, RateError, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often to look.
const EVERY: Duration = Duration::from_secs(1);

/// Whether a rate converts, and if not, why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trust {
    /// It converts.
    Usable,
    /// It is too old.
    TooOld,
    /// It has left its band.
    OutsideBand,
}

impl Trust {
    pub(crate) fn of(pricing: &Pricing, rate: &Rate, now: Timestamp) -> (Self, Option<RateError>) {
        match pricing.terms.check(rate, now) {
            Ok(()) => (Self::Usable, None),
            Err(error @ RateError::OutsideBand { .. }) => (Self::OutsideBand, Some(error)),
            Err(error) => (Self::TooOld, Some(error)),
        }
    }
}

/// Looks until `stop`.
pub(crate) async fn watch(hub: Arc<Hub>, pricing: Arc<Pricing>, stop: CancellationToken) {
    // One entry a pair: as many as there are rates in force.
    let mut seen: BTreeMap<(AssetCode, AssetCode), Trust> = BTreeMap::new();
    let mut interval = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => {}
        }
        let Some(cache) = hub.cache_if_started() else { continue };
        let now = hub.clock.now().utc;
        for rate in cache.rates().iter() {
            let (trust, problem) = Trust::of(&pricing, rate, now);
            let before = seen.insert((rate.from, rate.to), trust).unwrap_or(Trust::Usable);
            if before != trust {
                tell(rate, trust, problem);
            }
        }
    }
}

fn tell(rate: &Rate, trust: Trust, problem: Option<RateError>) {
    let (from, to) = (rate.from, rate.to);
    let problem = problem.map(|problem| problem.to_string()).unwrap_or_default();
    match trust {
        Trust::Usable => tracing::info!(%from, %to, "the rate converts again"),
        Trust::TooOld => {
            tracing::warn!(%from, %to, problem, "the rate converts nothing until a newer one comes")
        }
        Trust::OutsideBand => {
            tracing::error!(%from, %to, problem, "the rate has left its band; it converts nothing until it is back");
        }
    }
}
