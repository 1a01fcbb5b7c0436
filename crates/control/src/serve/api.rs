//! What every handler works with: the switch, the key, the bounds, and the ways to ask a shard.

use crate::problem::{Kind, Problem};
use crate::{ApiKey, ControlBounds, Place, Switchboard};
use authorizer::{AccountView, CardView, Change, Inquiry, Reply};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::{AccountId, AccountNo, CardId, CardNo, ShardId};
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard, Semaphore};

/// The API's own state, shared by all requests.
pub(crate) struct Api<S> {
    pub(crate) switchboard: Arc<S>,
    pub(crate) key: ApiKey,
    pub(crate) bounds: ControlBounds,
    pub(crate) slots: Arc<Semaphore>,
    /// One a shard: see [`Api::status_turn`].
    status_turns: Box<[Mutex<()>]>,
}

impl<S: Switchboard> Api<S> {
    pub(crate) fn new(switchboard: Arc<S>, key: ApiKey, bounds: ControlBounds) -> Self {
        let slots = Arc::new(Semaphore::new(bounds.requests_in_flight_max.min(Semaphore::MAX_PERMITS)));
        let status_turns = (0..ShardId::COUNT).map(|_| Mutex::new(())).collect();
        Self { switchboard, key, bounds, slots, status_turns }
    }

    /// Where an account is, or a 404.
    pub(crate) fn account(&self, id: &AccountId) -> Result<Place<AccountNo>, Problem> {
        self.switchboard.account(id).ok_or_else(|| no_such("account", id.as_str()))
    }

    /// Where a card is, or a 404.
    pub(crate) fn card(&self, id: &CardId) -> Result<Place<CardNo>, Problem> {
        self.switchboard.card(id).ok_or_else(|| no_such("card", id.as_str()))
    }

    /// Makes a change.
    pub(crate) async fn change(&self, shard: ShardId, change: Change) -> Result<Reply, Problem> {
        Ok(self.switchboard.change(shard, change).await?)
    }

    /// An account as it is now.
    pub(crate) async fn account_now(&self, place: Place<AccountNo>) -> Result<AccountView, Problem> {
        account_in(self.switchboard.inquire(place.shard, Inquiry::Account(place.number)).await?)
    }

    /// A card as it is now.
    pub(crate) async fn card_now(&self, place: Place<CardNo>) -> Result<CardView, Problem> {
        card_in(self.switchboard.inquire(place.shard, Inquiry::Card(place.number)).await?)
    }

    /// The right to look at a card's status and then set it, with nobody else doing so in between: otherwise an
    /// activation could undo a freeze that came between its look and its change.
    pub(crate) async fn status_turn(&self, shard: ShardId) -> Option<MutexGuard<'_, ()>> {
        match self.status_turns.get(usize::from(shard.0)) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }
}

/// The account in a reply.
pub(crate) fn account_in(reply: Reply) -> Result<AccountView, Problem> {
    if let Reply::Account(view) = reply { Ok(view) } else { Err(unexpected(&reply)) }
}

/// The card in a reply.
pub(crate) fn card_in(reply: Reply) -> Result<CardView, Problem> {
    if let Reply::Card(view) = reply { Ok(view) } else { Err(unexpected(&reply)) }
}

/// A refusal, or a reply that does not belong to what was asked.
pub(crate) fn unexpected(reply: &Reply) -> Problem {
    if let Reply::Refused(refusal) = reply {
        return (*refusal).into();
    }
    tracing::error!("a shard's reply does not belong to the command that it was sent");
    Problem::new(Kind::Internal, "the shard's reply does not belong to the command")
}

/// A 404 that names what was looked for.
pub(crate) fn no_such(thing: &str, name: &str) -> Problem {
    Problem::new(Kind::NotFound, format!("there is no {thing} \"{}\"", crate::mask::shown(name)))
}

/// 200 with a body.
pub(crate) fn ok(body: &impl Serialize) -> Response {
    json(StatusCode::OK, body)
}

/// 201 with a body.
pub(crate) fn created(body: &impl Serialize) -> Response {
    json(StatusCode::CREATED, body)
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            let mut response = (status, bytes).into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(_) => Problem::new(Kind::Internal, "the answer could not be written as JSON").into_response(),
    }
}
