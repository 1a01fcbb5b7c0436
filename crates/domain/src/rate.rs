//! Rates and conversion: decimal rates with source and time, integer arithmetic, rounding that is chosen.
//!
//! A debit takes at least the exact amount (rounds up), a credit gives at most it (rounds down), so a
//! conversion never makes money. A rate that is too old does not convert; there is no last known rate.

use crate::asset::{Asset, AssetCode, Units};
use crate::money::Money;
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
    /// Whole units of `to` for one whole unit of `from`.
    #[serde(with = "decimal_as_text")]
    pub value: Decimal,
    /// Who quotes it.
    pub source: Text<24>,
    /// When it was quoted.
    pub as_of: Timestamp,
    /// How old it may be when it is used.
    pub max_age: Duration,
    /// The source's name for this quotation.
    pub id: RateId,
}

/// Which way a conversion that does not come out even goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rounding {
    /// Away from zero: what a customer pays.
    Up,
    /// Towards zero: what a customer gets.
    Down,
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
    /// The result does not fit.
    #[error("the converted amount does not fit")]
    Overflow,
}

impl Rate {
    /// Checks what a caller may set.
    pub fn checked(self) -> Result<Self, RateError> {
        if self.value > Decimal::ZERO {
            Ok(self)
        } else {
            Err(RateError::NotPositive { from: self.from, to: self.to })
        }
    }

    /// Converts `amount` with `from_decimals` digits after the point into units of `to_decimals`.
    pub fn convert(
        &self,
        amount: i128,
        from_decimals: u8,
        to_decimals: u8,
        rounding: Rounding,
    ) -> Result<i128, RateError> {
        // amount * mantissa * 10^(to - from - scale), in integers, so the rounding is ours alone.
        let mut numerator = amount.checked_mul(self.value.mantissa()).ok_or(RateError::Overflow)?;
        let mut denominator = 1_i128;
        let exponent = i64::from(to_decimals) - i64::from(from_decimals) - i64::from(self.value.scale());
        let power = 10_i128
            .checked_pow(u32::try_from(exponent.unsigned_abs()).map_err(|_| RateError::Overflow)?)
            .ok_or(RateError::Overflow)?;
        if exponent >= 0 {
            numerator = numerator.checked_mul(power).ok_or(RateError::Overflow)?;
        } else {
            denominator = power;
        }
        let (quotient, remainder) = (numerator / denominator, numerator % denominator);
        match rounding {
            Rounding::Up if remainder != 0 => {
                quotient.checked_add(remainder.signum()).ok_or(RateError::Overflow)
            }
            Rounding::Up | Rounding::Down => Ok(quotient),
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

    /// The rate of a pair that is fresh enough at `now`.
    pub fn fresh(&self, from: AssetCode, to: AssetCode, now: Timestamp) -> Result<&Rate, RateError> {
        let rate = self.rates.get(&(from, to)).ok_or(RateError::Missing { from, to })?;
        let age = now.since(rate.as_of);
        if age > rate.max_age {
            let (age_ms, max_ms) = (age.as_millis(), rate.max_age.as_millis());
            return Err(RateError::Stale { from, to, age_ms, max_ms });
        }
        Ok(rate)
    }

    /// The rate of a pair, however old. Only for what must be recorded whatever the rate, such as an advice.
    #[must_use]
    pub fn latest(&self, from: AssetCode, to: AssetCode) -> Option<&Rate> {
        self.rates.get(&(from, to))
    }

    /// What `amount` costs in `asset`, and the rate used; no rate where the two are the same money.
    pub fn to_asset(
        &self,
        amount: Money,
        asset: Asset,
        rounding: Rounding,
        now: Timestamp,
    ) -> Result<(Units, Option<Rate>), RateError> {
        let money = Asset::of(amount.currency());
        let minor = i128::from(amount.minor());
        if money == asset {
            return Ok((Units(minor), None));
        }
        let rate = self.fresh(money.code(), asset.code(), now)?;
        let units = rate.convert(minor, money.decimals(), asset.decimals(), rounding)?;
        Ok((Units(units), Some(*rate)))
    }
}

/// The journal and JSON keep a rate as decimal text: exact, and never a float.
pub(crate) mod decimal_as_text {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
    use std::borrow::Cow;

    pub(crate) fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        Decimal::from_str_exact(&Cow::<'de, str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Currency;
    use proptest::prelude::*;

    fn rate(value: &str) -> Rate {
        Rate {
            from: AssetCode::new("USD").unwrap(),
            to: AssetCode::new("USDT").unwrap(),
            value: value.parse().unwrap(),
            source: Text::new("test").unwrap(),
            as_of: Timestamp::from_seconds(1_000),
            max_age: Duration::from_secs(60),
            id: Text::new("q1").unwrap(),
        }
    }

    fn usdt() -> Asset {
        Asset::new(AssetCode::new("USDT").unwrap(), 6).unwrap()
    }

    fn dollars(minor: i64) -> Money {
        Money::new(minor, Currency::from_alpha("USD").unwrap())
    }

    #[test]
    fn debits_round_up_and_credits_round_down() {
        let third = rate("1.0000333333");
        assert_eq!(third.convert(100, 2, 6, Rounding::Up), Ok(1_000_034));
        assert_eq!(third.convert(100, 2, 6, Rounding::Down), Ok(1_000_033));
        assert_eq!(rate("1").convert(100, 2, 6, Rounding::Up), Ok(1_000_000));
        assert_eq!(rate("0.0066").convert(1_999, 2, 0, Rounding::Up), Ok(1));
    }

    #[test]
    fn a_stale_or_missing_rate_does_not_convert() {
        let mut table = RateTable::default();
        let now = Timestamp::from_seconds(1_060);
        assert!(matches!(
            table.to_asset(dollars(1), usdt(), Rounding::Up, now),
            Err(RateError::Missing { .. })
        ));
        table.set(rate("1"));
        assert!(table.to_asset(dollars(1), usdt(), Rounding::Up, now).is_ok());
        let late = now.plus(Duration::from_millis(1));
        let error = table.to_asset(dollars(1), usdt(), Rounding::Up, late).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the rate from USD to USDT is 60001 ms old, at most 60000 ms are allowed"
        );
    }

    #[test]
    fn the_same_money_needs_no_rate() {
        let usd = Asset::of(Currency::from_alpha("USD").unwrap());
        let table = RateTable::default();
        assert_eq!(table.to_asset(dollars(5), usd, Rounding::Up, Timestamp::default()), Ok((Units(5), None)));
    }

    proptest! {
        #[test]
        fn a_conversion_is_within_one_unit_of_the_exact_amount(
            minor in 0_i64..1_000_000_000, mantissa in 1_i64..10_000_000_000, scale in 0_u32..10,
        ) {
            let mut quoted = rate("1");
            quoted.value = Decimal::new(mantissa, scale);
            let up = quoted.convert(i128::from(minor), 2, 6, Rounding::Up).unwrap();
            let down = quoted.convert(i128::from(minor), 2, 6, Rounding::Down).unwrap();
            let exact_scaled = i128::from(minor) * i128::from(mantissa) * 10_000;
            let scale = 10_i128.pow(scale);
            prop_assert!(down * scale <= exact_scaled && exact_scaled <= up * scale);
            prop_assert!(up - down <= 1);
        }
    }
}
