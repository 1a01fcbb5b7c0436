//! An account, and a posting to it.

use super::limit::LimitAnswer;
use super::money::MoneyAnswer;
use super::time;
use authorizer::AccountView;
use domain::{PostingKind, Units};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct AccountAnswer {
    id: String,
    asset: AssetAnswer,
    balance: BalanceAnswer,
    limits: Vec<LimitAnswer>,
    /// What the balance service last told; null where it told nothing.
    told: Option<ToldAnswer>,
    /// What was approved in the balance service's name and it has not acknowledged.
    unacknowledged: MoneyAnswer,
}

/// A balance as the service told it.
#[derive(Debug, Serialize)]
struct ToldAnswer {
    version: u64,
    available: MoneyAnswer,
    at: Option<String>,
}

/// What became of a balance that the service told by itself.
#[derive(Debug, Serialize)]
pub(crate) struct BalanceTakenAnswer {
    /// False when the version is no newer than the one that is known: nothing was changed then.
    taken: bool,
    account: AccountAnswer,
}

impl BalanceTakenAnswer {
    pub(crate) fn new(taken: bool, account: &AccountView) -> Self {
        Self { taken, account: account.into() }
    }
}

#[derive(Debug, Serialize)]
struct AssetAnswer {
    code: String,
    decimals: u8,
}

#[derive(Debug, Serialize)]
struct BalanceAnswer {
    ledger: MoneyAnswer,
    held: MoneyAnswer,
    available: MoneyAnswer,
}

impl From<&AccountView> for AccountAnswer {
    fn from(view: &AccountView) -> Self {
        let money = |units| MoneyAnswer::new(units, &view.asset);
        Self {
            id: view.id.to_string(),
            asset: AssetAnswer { code: view.asset.code().to_string(), decimals: view.asset.decimals() },
            balance: BalanceAnswer {
                ledger: money(view.balance.ledger),
                held: money(view.balance.held),
                available: money(view.balance.available()),
            },
            limits: view.limits.iter().map(|limit| LimitAnswer::new(limit, &view.asset)).collect(),
            told: view.told.map(|told| ToldAnswer {
                version: told.version,
                available: money(told.available),
                at: time::text(told.at),
            }),
            unacknowledged: money(view.outstanding),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct PostingAnswer {
    posting: &'static str,
    #[serde(flatten)]
    money: MoneyAnswer,
    /// True when this idempotency key had been booked before: nothing was booked now.
    repeated: bool,
    account: AccountAnswer,
}

impl PostingAnswer {
    pub(crate) fn new(kind: PostingKind, units: Units, repeated: bool, account: &AccountView) -> Self {
        let posting = match kind {
            PostingKind::Credit => "credit",
            PostingKind::Debit => "debit",
        };
        Self { posting, money: MoneyAnswer::new(units, &account.asset), repeated, account: account.into() }
    }
}
