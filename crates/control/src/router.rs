//! Every endpoint in one list.

use crate::problem::{Kind, Problem};
use crate::serve::{Api, accounts, admit, cards, duties, rates, snapshots, stand_in, totals, transactions};
use crate::switchboard::Switchboard;
use crate::{ApiKey, ControlBounds};
use axum::Router;
use axum::http::{Method, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use std::sync::Arc;

/// The control API over a switch. Unknown paths and methods are answered too, so merge this with routers that
/// have no fallback of their own.
pub fn router<S: Switchboard>(switchboard: Arc<S>, key: ApiKey, bounds: ControlBounds) -> Router {
    let api = Arc::new(Api::new(switchboard, key, bounds));
    Router::new()
        .route("/v1/accounts", post(accounts::open::<S>))
        .route("/v1/accounts/{id}", get(accounts::show::<S>))
        .route("/v1/accounts/{id}/credits", post(accounts::credit::<S>))
        .route("/v1/accounts/{id}/debits", post(accounts::debit::<S>))
        .route("/v1/accounts/{id}/balance", post(accounts::tell_balance::<S>))
        .route("/v1/accounts/{id}/limits", put(accounts::set_limits::<S>))
        .route("/v1/cards", post(cards::issue::<S>))
        .route("/v1/cards/{id}", get(cards::show::<S>))
        .route("/v1/cards/{id}/status", put(cards::set_status::<S>))
        .route("/v1/cards/{id}/activate", post(cards::activate::<S>))
        .route("/v1/cards/{id}/freeze", post(cards::freeze::<S>))
        .route("/v1/cards/{id}/unfreeze", post(cards::unfreeze::<S>))
        .route("/v1/cards/{id}/close", post(cards::close::<S>))
        .route("/v1/cards/{id}/controls", put(cards::set_controls::<S>))
        .route("/v1/cards/{id}/limits", put(cards::set_limits::<S>))
        .route("/v1/cards/{id}/transactions", get(transactions::of_card::<S>))
        .route("/v1/transactions/{id}", get(transactions::show::<S>))
        .route("/v1/duties", get(duties::list::<S>))
        .route("/v1/duties/{id}/retry", post(duties::retry::<S>))
        .route("/v1/snapshots", get(snapshots::show::<S>).post(snapshots::make::<S>))
        .route("/v1/transactions/{id}/follow_ups", get(transactions::follow_ups::<S>))
        .route("/v1/transactions/{id}/expire", post(transactions::expire::<S>))
        .route("/v1/totals", get(totals::show::<S>))
        .route("/v1/openapi.json", get(contract))
        .route("/v1/stand_in", get(stand_in::list::<S>))
        .route("/v1/stand_in/{id}", put(stand_in::order::<S>))
        .route("/v1/rates", get(rates::list::<S>).put(rates::set::<S>))
        .fallback(no_such_endpoint)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&api), admit::<S>))
        .with_state(api)
}

/// The published contract, OpenAPI 3.1. The tests hold every answer against it.
const CONTRACT: &str = include_str!("../openapi.json");

async fn contract() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], CONTRACT)
}

async fn no_such_endpoint(uri: Uri) -> Problem {
    let found = format!("\"{}\"", crate::mask::shown(uri.path()));
    Problem::at(Kind::NoSuchEndpoint, "path", found, "a path under /v1 that the API describes")
}

async fn method_not_allowed(method: Method) -> Problem {
    let found = crate::mask::shown(method.as_str());
    Problem::at(Kind::MethodNotAllowed, "method", found, "the methods in the Allow header")
}
