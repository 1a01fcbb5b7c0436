//! Money on the card side: an integer in minor units of an ISO 4217 currency.
//!
//! Guarantees: no float, no silent wrap, no sum of two currencies. The exponents (JPY 0, USD 2, KWD 3)
//! come from the `iso_currency` table.

use crate::decimal::format_units;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// An ISO 4217 currency.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Currency(iso_currency::Currency);

/// A currency that ISO 4217 does not list.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CurrencyError {
    /// Not one of the numeric codes, for example `840`.
    #[error("currency {0:03} is not an ISO 4217 numeric code")]
    Numeric(u16),
    /// Not one of the alphabetic codes, for example `USD`.
    #[error("currency {0:?} is not an ISO 4217 alphabetic code such as \"USD\"")]
    Alpha(String),
}

impl Currency {
    /// The currency with an ISO 4217 numeric code, as DE 49 and DE 51 carry it.
    pub fn from_numeric(code: u16) -> Result<Self, CurrencyError> {
        iso_currency::Currency::from_numeric(code).map(Self).ok_or(CurrencyError::Numeric(code))
    }

    /// The currency with an ISO 4217 alphabetic code, as the control API carries it.
    pub fn from_alpha(code: &str) -> Result<Self, CurrencyError> {
        iso_currency::Currency::from_code(code).map(Self).ok_or_else(|| CurrencyError::Alpha(code.into()))
    }

    /// The ISO 4217 numeric code, for example 840.
    #[must_use]
    pub fn numeric(self) -> u16 {
        self.0.numeric()
    }

    /// The ISO 4217 alphabetic code, for example `USD`.
    #[must_use]
    pub fn alpha(self) -> &'static str {
        self.0.code()
    }

    /// Digits after the decimal point: 2 for USD, 0 for JPY, 3 for KWD.
    #[must_use]
    pub fn exponent(self) -> u8 {
        self.0.exponent().and_then(|exponent| u8::try_from(exponent).ok()).unwrap_or(0)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.alpha())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.alpha())
    }
}

/// People read `"USD"`; the journal keeps the numeric code in two bytes.
impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(self.alpha())
        } else {
            serializer.serialize_u16(self.numeric())
        }
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            Self::from_alpha(&code).map_err(D::Error::custom)
        } else {
            Self::from_numeric(u16::deserialize(deserializer)?).map_err(D::Error::custom)
        }
    }
}

/// An amount in minor units of one currency: 1999 USD is $19.99, 1999 JPY is ¥1999.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why two amounts could not be combined.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MoneyError {
    /// The amounts are in different currencies.
    #[error("amounts in {0} and {1} cannot be combined")]
    CurrencyMismatch(Currency, Currency),
    /// The result does not fit in 64 bits of minor units.
    #[error("the amount does not fit in 64 bits of minor units")]
    Overflow,
}

impl Money {
    /// An amount of `minor` minor units.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The amount in minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether the amount is exactly zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// The sum. Fails when the currencies differ or the sum does not fit.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Ok(Self { minor: self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?, ..self })
    }

    /// The difference. Fails when the currencies differ or the difference does not fit.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Ok(Self { minor: self.minor.checked_sub(other.minor).ok_or(MoneyError::Overflow)?, ..self })
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch(self.currency, other.currency))
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", format_units(i128::from(self.minor), self.currency.exponent()), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(minor: i64) -> Money {
        Money::new(minor, Currency::from_alpha("USD").unwrap())
    }

    #[test]
    fn exponents_follow_iso_4217() {
        for (code, exponent) in [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("BHD", 3)] {
            assert_eq!(Currency::from_alpha(code).unwrap().exponent(), exponent, "{code}");
        }
        assert_eq!(Currency::from_numeric(840).unwrap().alpha(), "USD");
        assert_eq!(
            Currency::from_numeric(1).unwrap_err().to_string(),
            "currency 001 is not an ISO 4217 numeric code"
        );
    }

    #[test]
    fn amounts_of_two_currencies_do_not_add() {
        let yen = Money::new(1, Currency::from_alpha("JPY").unwrap());
        assert!(matches!(usd(1).plus(yen), Err(MoneyError::CurrencyMismatch(..))));
        assert_eq!(usd(i64::MAX).plus(usd(1)), Err(MoneyError::Overflow));
        assert_eq!(usd(5).minus(usd(7)), Ok(usd(-2)));
    }

    #[test]
    fn amounts_read_as_people_write_them() {
        assert_eq!(usd(1999).to_string(), "19.99 USD");
        assert_eq!(usd(-5).to_string(), "-0.05 USD");
        assert_eq!(Money::new(1999, Currency::from_alpha("JPY").unwrap()).to_string(), "1999 JPY");
    }
}
