//! What a rule of the card program leaves behind when it fails: its name, its mode, and what it found.
//!
//! Rules themselves are configuration and belong to the decision core. A fact carries only these results, so that
//! replaying it asks no rule, and a rule that was renamed or removed stays readable in what it once decided.

use crate::asset::{Asset, AssetCode};
use crate::authorization::CountryCode;
use crate::details::RiskScore;
use crate::text::{Text, TextError};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of a rule, 1 to 24 bytes: what people, metrics and the API call it by.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct RuleName(Text<24>);

impl RuleName {
    /// Checks a name.
    pub fn new(text: &str) -> Result<Self, TextError> {
        Text::name(text).map(Self)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a failing rule does.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleMode {
    /// It declines.
    #[default]
    Enforce,
    /// It records what it would have done, and decides nothing.
    Shadow,
}

impl RuleMode {
    /// Both modes.
    pub const ALL: [Self; 2] = [Self::Enforce, Self::Shadow];

    /// The word that configuration, metrics and the API use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
}

/// What a rule found, where that is more than its name says.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleFinding {
    /// Nothing more.
    #[default]
    Plain,
    /// The network's score reaches what the rule refuses.
    Score {
        /// The score.
        found: RiskScore,
        /// The lowest score that the rule refuses.
        refused_from: RiskScore,
    },
    /// The card has not been used in this country before.
    NewCountry(CountryCode),
}

/// A rule that failed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct RuleBreach {
    /// Which rule.
    pub rule: RuleName,
    /// Whether it decided.
    pub mode: RuleMode,
    /// What it found.
    pub finding: RuleFinding,
}

impl RuleBreach {
    /// Whether it declines.
    #[must_use]
    pub fn decides(&self) -> bool {
        self.mode == RuleMode::Enforce
    }
}

/// An amount that a rule names for one currency or asset, before anyone knows how many decimals that has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RuleAmount {
    /// Of which currency or asset.
    pub code: AssetCode,
    /// How much, zero or more.
    pub value: Decimal,
}

impl RuleAmount {
    /// The amount in smallest units of `asset`, cut off towards zero; `None` for another asset. More than fits is
    /// as much as fits: nothing can exceed it.
    #[must_use]
    pub fn units_of(&self, asset: &Asset) -> Option<i128> {
        if asset.code() != self.code {
            return None;
        }
        let (mantissa, decimals) = (self.value.mantissa(), u32::from(asset.decimals()));
        let power = |exponent: u32| 10_i128.checked_pow(exponent);
        Some(match decimals.checked_sub(self.value.scale()) {
            Some(up) => power(up).and_then(|factor| mantissa.checked_mul(factor)).unwrap_or(i128::MAX),
            None => power(self.value.scale() - decimals).map_or(0, |factor| mantissa / factor),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_counted_in_the_units_of_its_asset_and_of_no_other() {
        let amount =
            |text: &str| RuleAmount { code: AssetCode::new("USD").unwrap(), value: text.parse().unwrap() };
        let usd = |decimals| Asset::new(AssetCode::new("USD").unwrap(), decimals).unwrap();
        assert_eq!(amount("12.5").units_of(&usd(2)), Some(1_250));
        assert_eq!(amount("12.345").units_of(&usd(2)), Some(1_234));
        assert_eq!(amount("1").units_of(&usd(18)), Some(1_000_000_000_000_000_000));
        assert_eq!(amount("79228162514264337593543950335").units_of(&usd(18)), Some(i128::MAX));
        assert_eq!(amount("1").units_of(&Asset::new(AssetCode::new("EUR").unwrap(), 2).unwrap()), None);
    }

    #[test]
    fn a_rule_has_a_name_that_fits_and_a_mode_with_a_word() {
        assert_eq!(RuleName::new("no-3ds").unwrap().to_string(), "no-3ds");
        assert_eq!(RuleName::new(""), Err(TextError::Empty));
        assert!(RuleName::new("a-name-of-twenty-five-byte").is_err());
        for mode in RuleMode::ALL {
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
        }
    }

    #[test]
    fn a_breach_is_small_enough_to_stand_in_every_failure() {
        assert!(size_of::<RuleBreach>() <= 40);
    }
}
