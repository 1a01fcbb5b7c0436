//! Standing in for balance services: how it stands, and the orders of operators.

use super::api::{Api, no_such, ok, unexpected};
use crate::answer::{OrderAnswer, ProgramAnswer};
use crate::problem::Problem;
use crate::read;
use crate::switchboard::Switchboard;
use authorizer::{Change, Reply};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::{ProgramName, ShardId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Orders are kept in one shard and used by all.
const ORDERS: ShardId = ShardId(0);

/// `GET /v1/stand_in`
pub(crate) async fn list<S: Switchboard>(State(api): State<Arc<Api<S>>>) -> Response {
    let views = api.switchboard.stand_in();
    let programs: Vec<ProgramAnswer> = views.iter().map(ProgramAnswer::from).collect();
    ok(&BTreeMap::from([("programs", programs)]))
}

/// `PUT /v1/stand_in/{program}`
pub(crate) async fn order<S: Switchboard>(
    State(api): State<Arc<Api<S>>>,
    Path(program): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let program = ProgramName::new(&program).map_err(|_| no_such("program", &program))?;
    let order = read::stand_in_order(program, api.body(&headers, body).await?, api.switchboard.now())?;
    let reply = api.change(ORDERS, Change::OrderStandIn(order)).await?;
    if let Reply::StandIn(order) = reply {
        Ok(ok(&OrderAnswer::from(&order)))
    } else {
        Err(unexpected(&reply))
    }
}
