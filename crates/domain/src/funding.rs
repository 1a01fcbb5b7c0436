//! What the balance service is asked, and how an ask ended: exactly one outcome for each ask.

use crate::account::AccountId;
use crate::asset::{Asset, Units};
use crate::authorization::Authorization;
use crate::card::{CardId, LastFour};
use crate::convert::Price;
use crate::fact::Amounts;
use crate::rate::Rate;
use crate::reference::TransactionId;
use crate::text::Text;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One question to the balance service: will you reserve this for that account?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ask {
    /// The transaction; also the service's idempotency key.
    pub transaction: TransactionId,
    /// The payment whose hold this adds to, where it is an increment.
    pub increment_of: Option<TransactionId>,
    /// The account at the service.
    pub account: AccountId,
    /// The product's name for the card.
    pub card: CardId,
    /// What people may see of the card number.
    pub last_four: LastFour,
    /// The request as the processor sent it; its deadline is the processor's.
    pub request: Authorization,
    /// What is asked for, in the card's currency and in the account's asset.
    pub amounts: Amounts,
    /// The account's asset.
    pub asset: Asset,
    /// The rate between the two, where they differ.
    pub rate: Option<Rate>,
    /// What the units are made of, where that is more than the amount at one rate (E13).
    pub price: Option<Price>,
    /// When the request arrived.
    pub received: Timestamp,
    /// What the switch holds of the account for other transactions.
    pub held: Units,
    /// What was approved in the service's name and it has not acknowledged yet (E9).
    pub outstanding_standin: Units,
}

/// The end of one ask.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum FundingOutcome {
    /// The service reserved `units` of the account's asset: all that was asked, or a part.
    Approved {
        /// What it reserved.
        units: Units,
    },
    /// The service refused, and reserved nothing.
    Declined {
        /// The service's own code, kept for support.
        code: Text<24>,
    },
    /// Nothing is known to be reserved, and nothing can be: no byte of the ask was sent.
    NotAsked(FundingFailure),
    /// The service may have reserved; it is owed a cancel.
    Unknown(FundingFailure),
}

/// What went wrong on the way to the balance service or back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FundingFailure {
    /// No answer before the ask's deadline.
    TimedOut,
    /// The connection was refused.
    Refused,
    /// The connection broke after something was sent.
    Reset,
    /// A status other than 200.
    HttpError,
    /// An answer that could not be read, or that contradicts the ask.
    Malformed,
    /// As many asks are open as there may be.
    Overloaded,
    /// The switch stopped while the answer was open.
    Interrupted,
    /// The service has failed so often lately that it is left alone for a while.
    BreakerOpen,
    /// The rate of the ask is too old, or the quote of the answer is over.
    StaleRate,
}

impl FundingFailure {
    /// The word that metrics and logs use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::HttpError => "http_error",
            Self::Malformed => "malformed",
            Self::Overloaded => "overloaded",
            Self::Interrupted => "interrupted",
            Self::BreakerOpen => "breaker_open",
            Self::StaleRate => "stale_rate",
        }
    }
}
