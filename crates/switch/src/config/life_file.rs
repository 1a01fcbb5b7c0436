//! `[decision.life]` as written: how long holds last, what clearings may exceed, which parts may be approved.

use authorizer::{AdviceAfterReversal, HoldRule, Life, MccRange, Tolerance};
use domain::{Initiator, Purpose};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `[decision.life]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LifeSection {
    /// Categories whose merchants clear one authorization in several parts.
    pub multi_clearing_mcc: Vec<String>,
    /// How long payments are kept for late clearings and refunds.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub keep_for: Duration,
    /// How long declined payments are kept for clearings that come all the same.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub keep_declines_for: Duration,
    /// The least that is approved of a larger amount.
    pub partial_minor_min: i64,
    /// The most cash that one purchase may hand out; no bound where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cashback_minor_max: Option<i64>,
    /// Whether an authorized refund can be spent before it is cleared.
    pub refunds_at_authorization: bool,
    /// How long a full refund brings back exactly what was taken.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub exact_refund_for: Duration,
    /// What an advice of our own approval does after its reversal.
    pub advice_after_reversal: AdviceChoice,
    /// Whether the balance service is told of each approval that stands.
    pub confirm: bool,
    /// How long idempotency keys of the control API are remembered.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub request_keys_for: Duration,
    /// How long holds last; the first that fits decides.
    pub hold: Vec<HoldSection>,
    /// What clearings may exceed; the first that fits decides.
    pub tolerance: Vec<ToleranceSection>,
}

/// What an advice of our own approval does after its reversal.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AdviceChoice {
    /// It is acknowledged and holds nothing.
    Ignore,
    /// It places a new hold.
    Hold,
}

/// `[[decision.life.hold]]`
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HoldSection {
    /// Only this network.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub network: String,
    /// Only these categories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mcc: Vec<String>,
    /// Only these initiators.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub initiator: Vec<Initiator>,
    /// Only where the card was there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub card_present: bool,
    /// Only these purposes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purpose: Vec<Purpose>,
    /// How long the hold lasts.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub hold_for: Duration,
}

/// `[[decision.life.tolerance]]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ToleranceSection {
    /// For these categories.
    pub mcc: String,
    /// Percent of what was authorized.
    pub percent: u8,
    /// Or this much, where it is more.
    #[serde(default)]
    pub at_least_minor: i64,
    /// Whatever was authorized, so much in all.
    #[serde(default)]
    pub up_to_minor: i64,
}

impl Default for LifeSection {
    fn default() -> Self {
        let life = Life::default();
        Self {
            multi_clearing_mcc: life.multi_clearing.iter().map(written).collect(),
            keep_for: life.keep_for,
            keep_declines_for: life.keep_declines_for,
            partial_minor_min: life.partial_minor_min,
            cashback_minor_max: life.cashback_minor_max,
            refunds_at_authorization: life.refunds_at_authorization,
            exact_refund_for: life.exact_refund_for,
            advice_after_reversal: match life.advice_after_reversal {
                AdviceAfterReversal::Ignore => AdviceChoice::Ignore,
                AdviceAfterReversal::Hold => AdviceChoice::Hold,
            },
            confirm: life.confirm,
            request_keys_for: life.request_keys_for,
            hold: life.hold_rules.iter().map(HoldSection::from).collect(),
            tolerance: life.tolerances.iter().map(ToleranceSection::from).collect(),
        }
    }
}

impl From<&HoldRule> for HoldSection {
    fn from(rule: &HoldRule) -> Self {
        Self {
            network: rule.network.to_string(),
            mcc: rule.mcc.iter().flatten().map(written).collect(),
            initiator: rule.initiators.iter().flatten().copied().collect(),
            card_present: rule.card_present,
            purpose: rule.purposes.iter().flatten().copied().collect(),
            hold_for: rule.hold_for,
        }
    }
}

impl From<&Tolerance> for ToleranceSection {
    fn from(tolerance: &Tolerance) -> Self {
        Self {
            mcc: written(&tolerance.mcc),
            percent: tolerance.percent,
            at_least_minor: tolerance.at_least_minor,
            up_to_minor: tolerance.up_to_minor,
        }
    }
}

/// `"7011"`, or `"3501-3999"`.
fn written(range: &MccRange) -> String {
    if range.from == range.to {
        format!("{:04}", range.from)
    } else {
        format!("{:04}-{:04}", range.from, range.to)
    }
}
