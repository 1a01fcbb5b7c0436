//! What a card or an account may spend: per transaction, day, week, month or lifetime, by amount and count.

use crate::text::{Text, TextError};
use serde::{Deserialize, Serialize};

/// The span of time that a limit counts over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// Each transaction by itself; only an amount can be limited.
    Transaction,
    /// A calendar day in the limit's time zone; 23 or 25 hours when the clocks change.
    Day,
    /// Monday to Sunday in the limit's time zone.
    Week,
    /// A calendar month in the limit's time zone.
    Month,
    /// From the moment the limit was set.
    Lifetime,
}

impl Window {
    /// Every window, in order.
    pub const ALL: [Self; 5] = [Self::Transaction, Self::Day, Self::Week, Self::Month, Self::Lifetime];
}

/// The name of an IANA time zone, for example `Europe/Berlin`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ZoneName(Text<40>);

impl ZoneName {
    /// Checks the text; whether the zone exists is checked by the decision core, which has the zones.
    pub fn new(text: &str) -> Result<Self, TextError> {
        Text::name(text).map(Self)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// One limit. Amounts on a card are minor units of the card's currency; on an account, units of its asset.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct LimitRule {
    /// The span of time.
    pub window: Window,
    /// The zone in which days begin; ignored by `Transaction` and `Lifetime`.
    pub zone: ZoneName,
    /// The most that may be spent in one window, or no bound.
    pub amount_max: Option<i128>,
    /// How many approvals one window may hold, or no bound.
    pub count_max: Option<u32>,
}

/// Whose limit it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitOwner {
    /// The card's own.
    Card,
    /// The funding account's, shared by all its cards.
    Account,
}

/// What a limit measures.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Money.
    Amount,
    /// Approvals.
    Count,
}

/// The span of time that a limit which said no had counted over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// A window of the calendar: a limit of the card or the account.
    Calendar(Window),
    /// So many seconds before the request: a velocity rule of the program.
    Trailing {
        /// How many.
        seconds: u32,
    },
}

/// A limit that said no: which one, how much of it was left, and what was asked of it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LimitBreach {
    /// Whose limit.
    pub owner: LimitOwner,
    /// Over which span.
    pub span: Span,
    /// Money or approvals.
    pub measure: Measure,
    /// The bound.
    pub max: i128,
    /// What the window had used before this request.
    pub used: i128,
    /// What this request would have added.
    pub asked: i128,
}

impl LimitBreach {
    /// What was left before this request; never below zero, even where a limit was lowered.
    #[must_use]
    pub fn left(&self) -> i128 {
        self.max.saturating_sub(self.used).max(0)
    }
}
