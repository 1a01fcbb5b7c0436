//! What is owed to the balance service: looked at page by page, and sent again at an operator's word.

use super::api::{Api, no_such, ok};
use crate::answer::{DutyAnswer, DutyName, StandingAnswer};
use crate::mask::shown;
use crate::problem::{Kind, Problem};
use crate::switchboard::Switchboard;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Serialize;
use std::sync::Arc;

/// Duties in a page where the client does not say.
const PAGE: usize = 100;

#[derive(Serialize)]
struct Page {
    pending: usize,
    duties: Vec<DutyAnswer>,
    /// What to give as `after` for the next page; null on the last.
    next: Option<String>,
}

/// `GET /v1/duties?limit=100&after=duty-017-0006423a9f2c1b52`
pub(crate) async fn list<S: Switchboard>(
    State(api): State<Arc<Api<S>>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Problem> {
    let max = api.bounds.page_max;
    let (mut count_max, mut after) = (PAGE.min(max), None);
    let pairs = query.map(|Query(pairs)| pairs).map_err(|_| {
        Problem::at(Kind::InvalidAddress, "query", "a query that cannot be read", "limit and after")
    })?;
    for (name, value) in pairs {
        let bad = |allowed: String| {
            Problem::at(Kind::InvalidAddress, &shown(&name), format!("\"{}\"", shown(&value)), allowed)
        };
        match name.as_str() {
            "limit" => {
                let count = value.parse().ok().filter(|count| (1..=max).contains(count));
                count_max = count.ok_or_else(|| bad(format!("a number from 1 to {max}")))?;
            }
            "after" => {
                let name = DutyName::parse(&value);
                after = Some(name.ok_or_else(|| bad("an id such as \"duty-017-0006423a9f2c1b52\"".into()))?);
            }
            _ => return Err(bad("limit and after".into())),
        }
    }
    let owed = api.switchboard.duties(after.map(|name| (name.shard, name.number)), count_max);
    let next = owed
        .last()
        .filter(|_| owed.len() == count_max)
        .map(|last| DutyName { shard: last.shard, number: last.duty.number }.to_string());
    let duties = owed.iter().map(DutyAnswer::from).collect();
    Ok(ok(&Page { pending: api.switchboard.duties_pending(), duties, next }))
}

/// `POST /v1/duties/{id}/retry`: its transaction is sent now, whatever pause it had reached.
pub(crate) async fn retry<S: Switchboard>(
    State(api): State<Arc<Api<S>>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let text = path.map(|Path(name)| name).unwrap_or_default();
    let name = DutyName::parse(&text).ok_or_else(|| {
        let found = format!("\"{}\"", shown(&text));
        let allowed = "an id such as \"duty-017-0006423a9f2c1b52\"";
        Problem::at(Kind::InvalidAddress, "id in the path", found, allowed)
    })?;
    let standing = api.switchboard.retry_duty(name.shard, name.number);
    let standing = standing.ok_or_else(|| no_such("duty that is owed", &text))?;
    Ok(ok(&StandingAnswer::from(standing)))
}
