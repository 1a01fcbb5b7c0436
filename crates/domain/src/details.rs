//! What most requests leave out and some rules need: purpose, initiator, security results, references to an
//! earlier message, clearing data.
//!
//! The default says "a plain sale, nothing special was sent", so whoever builds a request names only what it has.

use crate::money::Money;
use crate::reference::{AcquirerId, ApprovalCode, NetworkReference, Rrn, Stan, Transmission};
use crate::security::SecurityResults;
use crate::text::Text;
use crate::time::Mono;
use serde::{Deserialize, Serialize};

/// What a hold is for; it decides how long the hold lasts (E20).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A sale; nothing was said about it.
    #[default]
    Sale,
    /// The amount is an estimate, and a completion will follow within days or weeks.
    PreAuthorization,
    /// The amount is an estimate, and may be raised.
    Estimated,
    /// The amount is final.
    Final,
    /// Nothing is paid: the merchant wants to know whether the card is good.
    Verification,
}

/// Who began the transaction.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Initiator {
    /// The cardholder.
    #[default]
    Cardholder,
    /// The merchant, with credentials on file.
    Merchant,
    /// The merchant, by an agreed schedule.
    Recurring,
}

/// Where the card was.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Nothing was said about it.
    #[default]
    Unknown,
    /// At the terminal.
    CardPresent,
    /// Not there: mail, telephone.
    CardNotPresent,
    /// Not there: electronic commerce.
    Ecommerce,
}

/// The network's own risk score, 0 to 999; a higher one is riskier.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct RiskScore(pub u16);

/// Which network sent a message, as the link's configuration names it; empty when it names none.
pub type NetworkName = Text<12>;

/// What ties a message to an earlier one. Whatever was not sent, or was sent as zeros, is `None`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct OriginalReferences {
    /// The original's STAN.
    pub stan: Option<Stan>,
    /// The original's transmission time.
    pub transmission: Option<Transmission>,
    /// The original's acquirer.
    pub acquirer: Option<AcquirerId>,
    /// Retrieval reference number, which stays through a transaction.
    pub rrn: Option<Rrn>,
    /// The network's transaction id, which stays through a transaction.
    pub network: Option<NetworkReference>,
    /// The approval code that the original got.
    pub approval_code: Option<ApprovalCode>,
}

impl OriginalReferences {
    /// Whether nothing was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Acquirer reference number: 23 digits, one for each presentment.
pub type Arn = Text<23>;

/// What a clearing says about itself.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct ClearingData {
    /// Acquirer reference number.
    pub arn: Option<Arn>,
    /// Which one of several clearings, from 1; 0 when it was not said.
    pub sequence: u8,
    /// How many there will be; 0 when it was not said.
    pub of: u8,
    /// The merchant says that no other clearing follows.
    pub is_final: bool,
}

impl ClearingData {
    /// Whether no other clearing follows: it is marked so, or the last of as many as were announced.
    #[must_use]
    pub const fn ends_the_hold(&self) -> bool {
        self.is_final || (self.of > 0 && self.sequence >= self.of)
    }
}

/// Everything beside the amount, the references and the merchant.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Details {
    /// The part of the amount that is handed out in cash.
    pub cash: Option<Money>,
    /// Whether the answer is to carry the balances.
    pub balances_wanted: bool,
    /// What the hold is for.
    pub purpose: Purpose,
    /// Whether the amount is added to a hold that exists.
    pub incremental: bool,
    /// Who began the transaction.
    pub initiator: Initiator,
    /// Where the card was.
    pub presence: Presence,
    /// What others have verified.
    pub security: SecurityResults,
    /// The network's risk score.
    pub score: Option<RiskScore>,
    /// Which network.
    pub network: NetworkName,
    /// The network's transaction id.
    pub network_reference: Option<NetworkReference>,
    /// The message that this one follows: what is incremented, completed, cleared or refunded.
    pub original: Option<OriginalReferences>,
    /// What a clearing says about itself.
    pub clearing: Option<ClearingData>,
    /// By when the balance service must have answered, where the link splits its time so. Never journaled, as the
    /// deadline is not.
    #[serde(skip)]
    pub ask_by: Option<Mono>,
}
