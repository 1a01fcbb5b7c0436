//! A card: never its number or expiry, only the last four digits.

use super::limit::LimitAnswer;
use crate::country;
use crate::read::status_word;
use authorizer::CardView;
use domain::{Asset, FundingMode, ListRule};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct CardAnswer {
    id: String,
    last_four: String,
    account: String,
    currency: &'static str,
    funding: &'static str,
    status: &'static str,
    controls: ControlsAnswer,
    limits: Vec<LimitAnswer>,
    open_holds: u32,
}

#[derive(Debug, Serialize)]
struct ControlsAnswer {
    mcc: ListAnswer,
    country: ListAnswer,
    currency: ListAnswer,
    merchant: ListAnswer,
}

/// `allowed` is null where everything is allowed that is not blocked.
#[derive(Debug, Serialize)]
struct ListAnswer {
    allowed: Option<Vec<String>>,
    blocked: Vec<String>,
}

impl From<&CardView> for CardAnswer {
    fn from(view: &CardView) -> Self {
        let asset = Asset::of(view.currency);
        Self {
            id: view.id.to_string(),
            last_four: view.last_four.to_string(),
            account: view.account.to_string(),
            currency: view.currency.alpha(),
            funding: match view.funding {
                FundingMode::PreFunded => "pre_funded",
                FundingMode::Jit => "jit",
            },
            status: status_word(view.status),
            controls: ControlsAnswer {
                mcc: list(&view.controls.mcc, |mcc| format!("{:04}", mcc.0)),
                country: list(&view.controls.country, |code| country::text(*code)),
                currency: list(&view.controls.currency, |currency| currency.alpha().to_owned()),
                merchant: list(&view.controls.merchant, ToString::to_string),
            },
            limits: view.limits.iter().map(|limit| LimitAnswer::new(limit, &asset)).collect(),
            open_holds: view.open_holds,
        }
    }
}

fn list<T>(rule: &ListRule<T>, text: impl Fn(&T) -> String) -> ListAnswer {
    ListAnswer {
        allowed: rule.allowed.as_ref().map(|allowed| allowed.iter().map(&text).collect()),
        blocked: rule.blocked.iter().map(&text).collect(),
    }
}
