//! Rates: decimal, with both sides, source, time and name. What they convert to is computed in `convert.rs`.
//!
//! A rate that is too old does not convert; there is no last known rate.

use crate::asset::AssetCode;
use crate::text::Text;
use crate::time::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The name of one quotation, given by its source.
pub type RateId = Text<40>;

/// What one unit of `from` is worth in `to`, and who says so since when.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rate {
    /// The asset or currency that is converted.
    pub from: AssetCode,
    /// What it is converted to.
    pub to: AssetCode,
    /// Whole units of `to` for one whole unit of `from`: what a customer pays.
    #[serde(with = "decimal_as_text")]
    pub value: Decimal,
    /// The other side, what a customer gets, where the source quotes two.
    #[serde(with = "decimal_as_text::optional")]
    pub bid: Option<Decimal>,
    /// Who quotes it.
    pub source: Text<24>,
    /// When it was quoted.
    pub as_of: Timestamp,
    /// How old it may be when it is used.
    pub max_age: Duration,
    /// The source's name for this quotation.
    pub id: RateId,
}

/// Why a conversion was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RateError {
    /// Nobody has set this rate.
    #[error("there is no rate from {from} to {to}")]
    Missing {
        /// From.
        from: AssetCode,
        /// To.
        to: AssetCode,
    },
    /// The rate is older than it may be.
    #[error("the rate from {from} to {to} is {age_ms} ms old, at most {max_ms} ms are allowed")]
    Stale {
        /// From.
        from: AssetCode,
        /// To.
        to: AssetCode,
        /// Age in milliseconds.
        age_ms: u128,
        /// Allowed age in milliseconds.
        max_ms: u128,
    },
    /// A rate must be above zero.
    #[error("the rate from {from} to {to} is not above zero")]
    NotPositive {
        /// From.
        from: AssetCode,
        /// To.
        to: AssetCode,
    },
    /// The rate has left the band in which it is believed.
    #[error("the rate from {from} to {to} is {found}, between {low} and {high} it is believed")]
    OutsideBand {
        /// From.
        from: AssetCode,
        /// To.
        to: AssetCode,
        /// The side that has left it.
        found: Decimal,
        /// The lower end.
        low: Decimal,
        /// The upper end.
        high: Decimal,
    },
    /// The result does not fit.
    #[error("the converted amount does not fit")]
    Overflow,
}

impl Rate {
    /// Checks what a caller may set.
    pub fn checked(self) -> Result<Self, RateError> {
        if self.value > Decimal::ZERO && self.bid.is_none_or(|bid| bid > Decimal::ZERO) {
            Ok(self)
        } else {
            Err(RateError::NotPositive { from: self.from, to: self.to })
        }
    }
}

/// All rates in force, an immutable value that is replaced as a whole.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RateTable {
    rates: BTreeMap<(AssetCode, AssetCode), Rate>,
}

impl RateTable {
    /// Puts a rate in force, in place of the one before.
    pub fn set(&mut self, rate: Rate) {
        self.rates.insert((rate.from, rate.to), rate);
    }

    /// Every rate, by pair.
    pub fn iter(&self) -> impl Iterator<Item = &Rate> {
        self.rates.values()
    }

    /// The rate of a pair, however old. Only for what must be recorded whatever the rate, such as an advice.
    #[must_use]
    pub fn latest(&self, from: AssetCode, to: AssetCode) -> Option<&Rate> {
        self.rates.get(&(from, to))
    }
}

/// The journal and JSON keep a rate as decimal text: exact, and never a float.
pub(crate) mod decimal_as_text {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
    use std::borrow::Cow;

    pub(crate) fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        Decimal::from_str_exact(&Cow::<'de, str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }

    /// The same where there may be none.
    pub(crate) mod optional {
        use super::{Cow, Decimal, Deserialize, Deserializer, Serialize, Serializer};
        use serde::de::Error as _;

        #[allow(clippy::ref_option)] // what serde hands over
        pub(crate) fn serialize<S: Serializer>(
            value: &Option<Decimal>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            value.map(|value| value.to_string()).serialize(serializer)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Decimal>, D::Error> {
            let text = Option::<Cow<'de, str>>::deserialize(deserializer)?;
            text.map(|text| Decimal::from_str_exact(&text)).transpose().map_err(D::Error::custom)
        }
    }
}
