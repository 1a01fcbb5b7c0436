//! A rate in force, and whether it may still be used.

use super::time;
use domain::{Rate, Timestamp};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct RateAnswer {
    from: String,
    to: String,
    value: String,
    /// What a customer gets, where the source quotes two sides.
    bid: Option<String>,
    source: String,
    as_of: Option<String>,
    max_age: String,
    id: String,
    /// Whether it would convert now; a rate that is too old declines what needs it.
    fresh: bool,
}

impl RateAnswer {
    pub(crate) fn new(rate: &Rate, now: Timestamp) -> Self {
        Self {
            from: rate.from.to_string(),
            to: rate.to.to_string(),
            value: rate.value.to_string(),
            bid: rate.bid.map(|bid| bid.to_string()),
            source: rate.source.to_string(),
            as_of: time::text(rate.as_of),
            max_age: format!("{}ms", rate.max_age.as_millis()),
            id: rate.id.to_string(),
            fresh: now.since(rate.as_of) <= rate.max_age,
        }
    }
}
