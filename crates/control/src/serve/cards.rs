//! Cards: issue, look up, activate, freeze, close, control, limit.

use super::accounts::{being_created, differs};
use super::api::{Api, card_in, created, ok};
use super::request::CardName;
use crate::answer::CardAnswer;
use crate::mask::shown;
use crate::problem::{Fault, Kind, Problem};
use crate::read::{self, IssueCard, status_word};
use crate::switchboard::{CardTaken, Place, Switchboard};
use authorizer::{CardView, Change, NewCard};
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::{AccountNo, Asset, CardId, CardStatus, CardToken, LimitRule};
use std::sync::Arc;

type Shared<S> = State<Arc<Api<S>>>;

/// `POST /v1/cards`
pub(crate) async fn issue<S: Switchboard>(
    State(api): Shared<S>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let wanted = IssueCard::read(api.body(&headers, body).await?)?;
    let token = api.switchboard.token(&wanted.number);
    if let Some(existing) = api.same_card(&wanted, token).await? {
        return Ok(existing);
    }
    let account = api.switchboard.account(&wanted.account).ok_or_else(|| {
        let found = format!("\"{}\"", shown(wanted.account.as_str()));
        Problem::at(Kind::InvalidRequest, "account", found, "an account that exists")
    })?;
    let reservation = match api.switchboard.reserve_card(wanted.id, token) {
        Ok(reservation) => reservation,
        Err(CardTaken::Id) => {
            return api.same_card(&wanted, token).await?.ok_or_else(|| being_created("card"));
        }
        Err(CardTaken::Number) => {
            let detail = "the card number belongs to another card; a number is issued once";
            return Err(Problem::new(Kind::CardNumberTaken, detail));
        }
    };
    let change = Change::IssueCard(new_card(wanted, token, account));
    let issued = api.change(account.shard, change).await;
    if matches!(&issued, Err(problem) if problem.kind() == Kind::OutcomeUnknown) {
        // The card may exist without being in the index yet: its name and number stay taken.
        std::mem::forget(reservation);
    }
    Ok(created(&CardAnswer::from(&card_in(issued?)?)))
}

fn new_card(wanted: IssueCard, token: CardToken, account: Place<AccountNo>) -> NewCard {
    NewCard {
        id: wanted.id,
        token,
        last_four: wanted.number.last_four(),
        account: account.number,
        currency: wanted.currency,
        expiry: wanted.expiry,
        funding: wanted.funding,
        status: wanted.status.unwrap_or(CardStatus::Active),
        controls: wanted.controls.unwrap_or_default(),
        limits: wanted.limits.unwrap_or_default(),
    }
}

impl<S: Switchboard> Api<S> {
    /// The card, if it exists as it is wanted; a 409 if it exists otherwise. What the request does not speak
    /// of (status, controls, limits) may have changed since it was issued.
    async fn same_card(&self, wanted: &IssueCard, token: CardToken) -> Result<Option<Response>, Problem> {
        let Some(place) = self.switchboard.card(&wanted.id) else { return Ok(None) };
        let view = self.card_now(place).await?;
        let limits: Vec<LimitRule> = view.limits.iter().map(|limit| limit.rule).collect();
        let same = [
            ("number", view.token == token),
            ("account", view.account == wanted.account),
            ("currency", view.currency == wanted.currency),
            ("expiry", view.expiry == wanted.expiry),
            ("funding", view.funding == wanted.funding),
            ("status", wanted.status.is_none_or(|status| status == view.status)),
            ("controls", wanted.controls.as_ref().is_none_or(|controls| *controls == view.controls)),
            ("limits", wanted.limits.as_ref().is_none_or(|wanted| *wanted == limits)),
        ];
        let faults: Vec<Fault> =
            same.into_iter().filter(|(_, same)| !same).map(|(field, _)| differs(field)).collect();
        if faults.is_empty() {
            Ok(Some(answer(&view)))
        } else {
            Err(Problem::with_faults(Kind::ExistsWithOtherContent, faults))
        }
    }

    /// Sets a status, if the card's present one is among `from` or the same already.
    async fn set_card_status(
        &self,
        id: &CardId,
        status: CardStatus,
        from: &[CardStatus],
    ) -> Result<Response, Problem> {
        let place = self.card(id)?;
        let _turn = self.status_turn(place.shard).await;
        let now = self.card_now(place).await?.status;
        if now != status && !from.contains(&now) {
            let from: Vec<&str> = from.iter().map(|status| status_word(*status)).collect();
            let allowed =
                format!("{} or {}, to become {}", from.join(", "), status_word(status), status_word(status));
            return Err(Problem::at(Kind::StatusConflict, "status", status_word(now), allowed));
        }
        let change = Change::SetCardStatus { card: place.number, status };
        let view = card_in(self.change(place.shard, change).await?)?;
        Ok(answer(&view))
    }
}

/// `GET /v1/cards/{id}`
pub(crate) async fn show<S: Switchboard>(
    State(api): Shared<S>,
    CardName(id): CardName,
) -> Result<Response, Problem> {
    Ok(answer(&api.card_now(api.card(&id)?).await?))
}

/// `PUT /v1/cards/{id}/status`: any status but out of `closed`.
pub(crate) async fn set_status<S: Switchboard>(
    State(api): Shared<S>,
    CardName(id): CardName,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let status = read::status_body(api.body(&headers, body).await?)?;
    let from = [CardStatus::NotYetActive, CardStatus::Active, CardStatus::Frozen];
    api.set_card_status(&id, status, &from).await
}

/// `POST /v1/cards/{id}/activate`
pub(crate) async fn activate<S: Switchboard>(
    State(api): Shared<S>,
    CardName(id): CardName,
) -> Result<Response, Problem> {
    api.set_card_status(&id, CardStatus::Active, &[CardStatus::NotYetActive]).await
}

/// `POST /v1/cards/{id}/freeze`
pub(crate) async fn freeze<S: Switchboard>(
    State(api): Shared<S>,
    CardName(id): CardName,
) -> Result<Response, Problem> {
    api.set_card_status(&id, CardStatus::Frozen, &[CardStatus::Active]).await
}

/// `POST /v1/cards/{id}/unfreeze`
pub(crate) async fn unfreeze<S: Switchboard>(
    State(api): Shared<S>,
    CardName(id): CardName,
) -> Result<Response, Problem> {
    api.set_card_status(&id, CardStatus::Active, &[CardStatus::Frozen]).await
}

/// `POST /v1/cards/{id}/close`
pub(crate) async fn close<S: Switchboard>(
    State(api): Shared<S>,
    CardName(id): CardName,
) -> Result<Response, Problem> {
    let from = [CardStatus::NotYetActive, CardStatus::Active, CardStatus::Frozen];
    api.set_card_status(&id, CardStatus::Closed, &from).await
}

/// `PUT /v1/cards/{id}/controls`
pub(crate) async fn set_controls<S: Switchboard>(
    State(api): Shared<S>,
    CardName(id): CardName,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let controls = read::controls_body(api.body(&headers, body).await?)?;
    let place = api.card(&id)?;
    let change = Change::SetCardControls { card: place.number, controls };
    Ok(answer(&card_in(api.change(place.shard, change).await?)?))
}

/// `PUT /v1/cards/{id}/limits`
pub(crate) async fn set_limits<S: Switchboard>(
    State(api): Shared<S>,
    CardName(id): CardName,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let sent = read::limits_body(api.body(&headers, body).await?)?;
    let place = api.card(&id)?;
    let currency = api.card_now(place).await?.currency;
    let change = Change::SetCardLimits { card: place.number, limits: sent.rules(&Asset::of(currency))? };
    Ok(answer(&card_in(api.change(place.shard, change).await?)?))
}

fn answer(view: &CardView) -> Response {
    ok(&CardAnswer::from(view))
}
