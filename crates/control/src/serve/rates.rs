//! Rates: put one in force, list all.

use super::api::{Api, ok, unexpected};
use crate::answer::RateAnswer;
use crate::problem::Problem;
use crate::read;
use crate::switchboard::Switchboard;
use authorizer::{Change, Reply};
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::ShardId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rates are kept in one shard and used by all.
const RATES: ShardId = ShardId(0);

/// `PUT /v1/rates`
pub(crate) async fn set<S: Switchboard>(
    State(api): State<Arc<Api<S>>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let now = api.switchboard.now();
    let rate = read::rate(api.body(&headers, body).await?, now)?;
    let reply = api.change(RATES, Change::SetRate(rate)).await?;
    if let Reply::Rate(rate) = reply { Ok(ok(&RateAnswer::new(&rate, now))) } else { Err(unexpected(&reply)) }
}

/// `GET /v1/rates`
pub(crate) async fn list<S: Switchboard>(State(api): State<Arc<Api<S>>>) -> Response {
    let (rates, now) = (api.switchboard.rates(), api.switchboard.now());
    let rates: Vec<RateAnswer> = rates.iter().map(|rate| RateAnswer::new(rate, now)).collect();
    ok(&BTreeMap::from([("rates", rates)]))
}
