//! `[security]` and `[[rule]]` as written: the rules of the card program.

use authorizer::{Counted, Group, Requirement, Rules};
use domain::{Initiator, LimitOwner, Presence, Reason, RuleMode, TransactionType};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// `[security]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecuritySection {
    /// Results of others' checks that decline by themselves.
    pub refuse: Vec<Reason>,
}

impl Default for SecuritySection {
    fn default() -> Self {
        Self { refuse: Rules::REFUSED_RESULTS.to_vec() }
    }
}

/// `[[rule]]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSection {
    /// What people and metrics call it.
    pub name: String,
    /// Whether it declines, or only records that it would have.
    #[serde(default)]
    pub mode: RuleMode,
    /// Refuses whatever the conditions hold for.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deny: bool,
    /// Verifications that are required where the conditions hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<Requirement>,
    /// When the rule applies.
    #[serde(default)]
    pub when: WhenSection,
    /// How much may happen in how short a time, where the conditions hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub velocity: Option<VelocitySection>,
}

/// `when = { .. }`
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WhenSection {
    /// Transaction types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TransactionType>,
    /// Merchant categories, and ranges of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mcc: Vec<String>,
    /// Merchant categories that the rule leaves alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mcc_except: Vec<String>,
    /// Countries of the merchant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// Countries that the rule leaves alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub countries_except: Vec<String>,
    /// Where the card was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub presence: Vec<Presence>,
    /// Who began the transaction.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub initiator: Vec<Initiator>,
    /// The first two digits of DE 22.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entry_modes: Vec<String>,
    /// From which score of the network's on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_from: Option<u16>,
    /// Only in a country that is new to the card.
    #[serde(skip_serializing_if = "is_false")]
    pub new_country: bool,
    /// Above which amount, for each card currency.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub amount_above: BTreeMap<String, String>,
}

/// `velocity = { .. }`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct VelocitySection {
    /// Of a card, or of all cards of an account.
    #[serde(default = "card")]
    pub of: LimitOwner,
    /// The length of the window.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub over: Duration,
    /// The most transactions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_max: Option<u32>,
    /// What is counted.
    #[serde(default)]
    pub counted: Counted,
    /// Which groups of transactions.
    #[serde(default = "groups")]
    pub include: Vec<Group>,
    /// The most money, for each card currency or account asset.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub amount_max: BTreeMap<String, String>,
}

const fn card() -> LimitOwner {
    LimitOwner::Card
}

fn groups() -> Vec<Group> {
    Group::DEFAULT.to_vec()
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
const fn is_false(value: &bool) -> bool {
    !*value
}
