//! Transactions: what a card did lately, and why one of them was declined.

use super::api::{Api, no_such, ok, unexpected};
use super::request::CardName;
use crate::answer::TransactionAnswer;
use crate::mask::shown;
use crate::problem::{Kind, Problem};
use crate::switchboard::Switchboard;
use authorizer::{Change, Inquiry, Refusal, Reply, TransactionView};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use domain::{Text, TransactionId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Transactions in a page where the client does not say.
const PAGE: usize = 20;

/// `GET /v1/cards/{id}/transactions?limit=20`
pub(crate) async fn of_card<S: Switchboard>(
    State(api): State<Arc<Api<S>>>,
    CardName(id): CardName,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Problem> {
    let count_max = page(query.map(|Query(pairs)| pairs), api.bounds.page_max)?;
    let place = api.card(&id)?;
    let inquiry = Inquiry::TransactionsOf { card: place.number, count_max };
    let transactions = transactions_in(api.switchboard.inquire(place.shard, inquiry).await?)?;
    let transactions: Vec<TransactionAnswer> = transactions.iter().map(TransactionAnswer::from).collect();
    Ok(ok(&BTreeMap::from([("transactions", transactions)])))
}

/// `GET /v1/transactions/{id}`
pub(crate) async fn show<S: Switchboard>(
    State(api): State<Arc<Api<S>>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let (name, id) = transaction_id(path)?;
    one(api.switchboard.inquire(id.shard, Inquiry::Transaction(id.number)).await?, &name)
}

/// `GET /v1/transactions/{id}/follow_ups`: its increments, clearings and refunds, newest first.
pub(crate) async fn follow_ups<S: Switchboard>(
    State(api): State<Arc<Api<S>>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let (name, id) = transaction_id(path)?;
    let reply = api.switchboard.inquire(id.shard, Inquiry::FollowUpsOf(id.number)).await?;
    if matches!(reply, Reply::Refused(Refusal::NoSuchTransaction)) {
        return Err(no_such("transaction among those kept", &name));
    }
    let views = transactions_in(reply)?;
    let transactions: Vec<TransactionAnswer> = views.iter().map(TransactionAnswer::from).collect();
    Ok(ok(&BTreeMap::from([("transactions", transactions)])))
}

/// `POST /v1/transactions/{id}/expire`: an operator knows that nothing will be cleared. Once more changes nothing.
pub(crate) async fn expire<S: Switchboard>(
    State(api): State<Arc<Api<S>>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let (name, id) = transaction_id(path)?;
    let change = Change::ReleaseHold { transaction: id.number, note: Text::EMPTY };
    one(api.switchboard.change(id.shard, change).await?, &name)
}

fn transaction_id(path: Result<Path<String>, PathRejection>) -> Result<(String, TransactionId), Problem> {
    let name = path.map(|Path(name)| name).unwrap_or_default();
    let id = TransactionId::parse(&name).ok_or_else(|| {
        let found = format!("\"{}\"", shown(&name));
        Problem::at(
            Kind::InvalidAddress,
            "id in the path",
            found,
            "an id such as \"tx-017-0006423a9f2c1b40\"",
        )
    })?;
    Ok((name, id))
}

/// The one transaction of a reply.
fn one(reply: Reply, name: &str) -> Result<Response, Problem> {
    if let Reply::Refused(refusal) = reply {
        let unknown = refusal == Refusal::NoSuchTransaction;
        return Err(if unknown { no_such("transaction among those kept", name) } else { refusal.into() });
    }
    let views = transactions_in(reply)?;
    let view = views.first().ok_or_else(|| no_such("transaction among those kept", name))?;
    Ok(ok(&TransactionAnswer::from(view)))
}

fn transactions_in(reply: Reply) -> Result<Vec<TransactionView>, Problem> {
    if let Reply::Transactions(views) = reply { Ok(views) } else { Err(unexpected(&reply)) }
}

/// The number of transactions asked for.
fn page(query: Result<Vec<(String, String)>, QueryRejection>, max: usize) -> Result<usize, Problem> {
    let bad = |field: &str, found: String| {
        let allowed = format!("limit, a number from 1 to {max}, at most once");
        Problem::at(Kind::InvalidAddress, field, found, allowed)
    };
    let pairs = query.map_err(|_| bad("query", "a query that cannot be read".into()))?;
    match pairs.as_slice() {
        [] => Ok(PAGE.min(max)),
        [(name, value)] if name == "limit" => {
            let count = value.parse().ok().filter(|count| (1..=max).contains(count));
            count.ok_or_else(|| bad("limit", format!("\"{}\"", shown(value))))
        }
        [(name, _)] if name != "limit" => Err(bad(&shown(name), "an unknown parameter".into())),
        _ => Err(bad("query", format!("{} parameters", pairs.len()))),
    }
}
