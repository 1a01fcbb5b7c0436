//! Accounts: open, look up, credit, debit, limit.

use super::api::{Api, account_in, created, ok, unexpected};
use super::idempotency::request_key;
use super::request::AccountName;
use crate::answer::{AccountAnswer, BalanceTakenAnswer, PostingAnswer};
use crate::problem::{Fault, Kind, Problem};
use crate::read::{self, BalanceSent, OpenAccount, PostingSent};
use crate::switchboard::Switchboard;
use authorizer::{AccountView, Change, PostingView, Refusal, Reply};
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::{AccountId, LimitRule, PostingKind, ShardId, Units};
use std::sync::Arc;

type Shared<S> = State<Arc<Api<S>>>;

/// `POST /v1/accounts`
pub(crate) async fn open<S: Switchboard>(
    State(api): Shared<S>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let wanted = OpenAccount::read(api.body(&headers, body).await?)?;
    if let Some(existing) = api.same_account(&wanted).await? {
        return Ok(existing);
    }
    let Ok(reservation) = api.switchboard.reserve_account(wanted.id) else {
        // Somebody was faster. Either that is done by now, or it is being done.
        return api.same_account(&wanted).await?.ok_or_else(|| being_created("account"));
    };
    let opened = api.open_account(&wanted).await;
    if matches!(&opened, Err(problem) if problem.kind() == Kind::OutcomeUnknown) {
        // The account may exist without being in the index yet: its name stays taken.
        std::mem::forget(reservation);
    }
    Ok(created(&AccountAnswer::from(&opened?)))
}

impl<S: Switchboard> Api<S> {
    async fn open_account(&self, wanted: &OpenAccount) -> Result<AccountView, Problem> {
        // One change: an account that may spend without bounds for a moment is one too many.
        let limits = wanted.limits.clone().unwrap_or_default();
        let change = Change::OpenAccount { id: wanted.id, asset: wanted.asset, limits };
        account_in(self.change(ShardId::of(&wanted.id), change).await?)
    }

    async fn limit_account(&self, id: &AccountId, limits: Vec<LimitRule>) -> Result<AccountView, Problem> {
        let place = self.account(id)?;
        let change = Change::SetAccountLimits { account: place.number, limits };
        account_in(self.change(place.shard, change).await?)
    }

    /// The account, if it exists as it is wanted; a 409 if it exists otherwise.
    async fn same_account(&self, wanted: &OpenAccount) -> Result<Option<Response>, Problem> {
        let Some(place) = self.switchboard.account(&wanted.id) else { return Ok(None) };
        let view = self.account_now(place).await?;
        let mut faults = Vec::new();
        if view.asset != wanted.asset {
            let found = format!("{} with {} decimals", wanted.asset.code(), wanted.asset.decimals());
            let allowed = format!("{} with {} decimals, as it is", view.asset.code(), view.asset.decimals());
            faults.push(Fault { field: "asset".into(), found, allowed });
        }
        let limits: Vec<LimitRule> = view.limits.iter().map(|limit| limit.rule).collect();
        if wanted.limits.as_ref().is_some_and(|wanted| *wanted != limits) {
            faults.push(differs("limits"));
        }
        if faults.is_empty() {
            Ok(Some(ok(&AccountAnswer::from(&view))))
        } else {
            Err(Problem::with_faults(Kind::ExistsWithOtherContent, faults))
        }
    }
}

/// `GET /v1/accounts/{id}`
pub(crate) async fn show<S: Switchboard>(
    State(api): Shared<S>,
    AccountName(id): AccountName,
) -> Result<Response, Problem> {
    let view = api.account_now(api.account(&id)?).await?;
    Ok(ok(&AccountAnswer::from(&view)))
}

/// `POST /v1/accounts/{id}/credits`
pub(crate) async fn credit<S: Switchboard>(
    State(api): Shared<S>,
    AccountName(id): AccountName,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    post(&api, &id, PostingKind::Credit, &headers, body).await
}

/// `POST /v1/accounts/{id}/debits`
pub(crate) async fn debit<S: Switchboard>(
    State(api): Shared<S>,
    AccountName(id): AccountName,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    post(&api, &id, PostingKind::Debit, &headers, body).await
}

async fn post<S: Switchboard>(
    api: &Api<S>,
    id: &AccountId,
    kind: PostingKind,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let request = request_key(headers, kind, id)?;
    let sent = PostingSent::read(api.body(headers, body).await?)?;
    let place = api.account(id)?;
    let before = api.account_now(place).await?;
    let units = sent.units(&before.asset)?;
    let change = Change::Post { account: place.number, kind, units, request, note: sent.note };
    let reply = api.change(place.shard, change).await?;
    if let Reply::Refused(Refusal::InsufficientFunds { available, asked }) = reply {
        let money = |units: Units| format!("{} {}", before.asset.format(units), before.asset.code());
        let allowed = format!("at most {}, what is available", money(available));
        return Err(Problem::at(Kind::InsufficientFunds, "amount", money(asked), allowed));
    }
    let Reply::Posted(PostingView { repeated, account }) = reply else { return Err(unexpected(&reply)) };
    let answer = PostingAnswer::new(kind, units, repeated, &account);
    Ok(if repeated { ok(&answer) } else { created(&answer) })
}

/// `POST /v1/accounts/{id}/balance`
pub(crate) async fn tell_balance<S: Switchboard>(
    State(api): Shared<S>,
    AccountName(id): AccountName,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let sent = BalanceSent::read(api.body(&headers, body).await?)?;
    let place = api.account(&id)?;
    let before = api.account_now(place).await?;
    let (version, available) = (sent.version, sent.units(&before.asset)?);
    let counted = sent.counted(place.shard);
    let change = Change::TellBalance { account: place.number, version, available, counted };
    let after = account_in(api.change(place.shard, change).await?)?;
    let newer = before.told.is_none_or(|told| told.version < version);
    Ok(ok(&BalanceTakenAnswer::new(newer, &after)))
}

/// `PUT /v1/accounts/{id}/limits`
pub(crate) async fn set_limits<S: Switchboard>(
    State(api): Shared<S>,
    AccountName(id): AccountName,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let sent = read::limits_body(api.body(&headers, body).await?)?;
    let asset = api.account_now(api.account(&id)?).await?.asset;
    let view = api.limit_account(&id, sent.rules(&asset)?).await?;
    Ok(ok(&AccountAnswer::from(&view)))
}

/// A field that differs from what exists, without saying how.
pub(super) fn differs(field: &str) -> Fault {
    Fault {
        field: field.to_owned(),
        found: "another value than it has".into(),
        allowed: "what it has, or another id".into(),
    }
}

/// The name is reserved, and nothing is in the index yet.
pub(super) fn being_created(thing: &str) -> Problem {
    Problem::new(
        Kind::BeingCreated,
        format!("another request is creating this {thing} right now; send it again"),
    )
}
