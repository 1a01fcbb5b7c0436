//! Money on the account side: an integer in an asset's own smallest unit.
//!
//! An account holds one asset: a currency (`USD`, 2 decimals) or a token (`USDT`, 6; `ETH`, 18). Eighteen
//! decimals overflow 64 bits at nine ether, so amounts are 128 bits wide.

use crate::decimal::{NotAnAmount, format_units, parse_units};
use crate::text::{Text, TextError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The short name of an asset or currency, for example `USDT` or `EUR`: 1 to 8 upper-case letters or digits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "Text<8>", into = "Text<8>")]
pub struct AssetCode(Text<8>);

/// Why an asset was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AssetError {
    /// The code is not 1 to 8 upper-case letters or digits.
    #[error("asset code {0:?} is not 1 to 8 upper-case letters or digits, such as \"USDT\"")]
    Code(String),
    /// More decimals than 128 bits can carry with a useful range.
    #[error("asset {code} has {found} decimals, at most {max} are allowed")]
    Decimals {
        /// The asset.
        code: AssetCode,
        /// Decimals found.
        found: u8,
        /// Decimals allowed.
        max: u8,
    },
    /// The code is too long or holds a control character.
    #[error("asset code: {0}")]
    Text(#[from] TextError),
    /// An amount that is not a decimal number, or has more decimals than the asset.
    #[error("amount {found:?} is not a decimal number with at most {decimals} decimals")]
    Amount {
        /// The text found.
        found: String,
        /// Decimals that the asset has.
        decimals: u8,
    },
    /// The amount does not fit in 128 bits of the asset's smallest unit.
    #[error("the amount does not fit in 128 bits of the asset's smallest unit")]
    Overflow,
}

impl AssetCode {
    /// Checks a code.
    pub fn new(code: &str) -> Result<Self, AssetError> {
        let plain = code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if code.is_empty() || code.len() > 8 || !plain {
            return Err(AssetError::Code(code.chars().take(20).collect()));
        }
        Ok(Self(Text::new(code)?))
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<Text<8>> for AssetCode {
    type Error = AssetError;
    fn try_from(text: Text<8>) -> Result<Self, AssetError> {
        Self::new(text.as_str())
    }
}

impl From<AssetCode> for Text<8> {
    fn from(code: AssetCode) -> Self {
        code.0
    }
}

impl From<crate::Currency> for AssetCode {
    fn from(currency: crate::Currency) -> Self {
        // Alphabetic ISO 4217 codes are three upper-case letters, so they always fit.
        Self(Text::new(currency.alpha()).unwrap_or_default())
    }
}

impl fmt::Display for AssetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an account holds: a code and the number of decimals of its smallest unit.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Asset {
    code: AssetCode,
    decimals: u8,
}

impl Asset {
    /// 10^20 whole ether still fit in 128 bits at 18 decimals.
    pub const DECIMALS_MAX: u8 = 18;

    /// An asset with `decimals` digits after the point.
    pub fn new(code: AssetCode, decimals: u8) -> Result<Self, AssetError> {
        if decimals > Self::DECIMALS_MAX {
            return Err(AssetError::Decimals { code, found: decimals, max: Self::DECIMALS_MAX });
        }
        Ok(Self { code, decimals })
    }

    /// The asset that an ISO 4217 currency is, with its exponent.
    #[must_use]
    pub fn of(currency: crate::Currency) -> Self {
        Self { code: currency.into(), decimals: currency.exponent() }
    }

    /// Whether this is [`Asset::of`] the currency, without making that.
    #[must_use]
    pub fn is(&self, currency: crate::Currency) -> bool {
        let same_code = match (self.code.0.as_bytes(), currency.alpha().as_bytes()) {
            ([a, b, c], [first, second, third]) => a == first && b == second && c == third,
            (found, expected) => found == expected,
        };
        same_code && self.decimals == currency.exponent()
    }

    /// The short name.
    #[must_use]
    pub const fn code(&self) -> AssetCode {
        self.code
    }

    /// Digits after the decimal point.
    #[must_use]
    pub const fn decimals(&self) -> u8 {
        self.decimals
    }

    /// An amount as people write it, for example `12.500000`.
    #[must_use]
    pub fn format(&self, units: Units) -> String {
        format_units(units.0, self.decimals)
    }

    /// Reads an amount as people write it. Refuses more decimals than the asset has: nothing is rounded away.
    pub fn parse(&self, text: &str) -> Result<Units, AssetError> {
        let decimals = self.decimals;
        parse_units(text, decimals).map(Units).map_err(|error| match error {
            NotAnAmount::Malformed => AssetError::Amount { found: text.chars().take(40).collect(), decimals },
            NotAnAmount::Overflow => AssetError::Overflow,
        })
    }
}

/// An amount in the smallest unit of some asset; the account or fact it stands in says which.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Units(pub i128);

impl Units {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum, or `None` when it does not fit.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` when it does not fit.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Adds `other` for a running total, held at the ends of the range instead of wrapping.
    pub fn grow(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }

    /// Whether this is more than nothing.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usdt() -> Asset {
        Asset::new(AssetCode::new("USDT").unwrap(), 6).unwrap()
    }

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        assert_eq!(usdt().parse("12.5"), Ok(Units(12_500_000)));
        assert_eq!(usdt().parse("-0.000001"), Ok(Units(-1)));
        for bad in ["", ".", "1.", ".5", "1.0000001", "1e3", "+1", "0x1", "1,5", "--1"] {
            assert!(usdt().parse(bad).is_err(), "{bad:?} was taken for an amount");
        }
        assert_eq!(usdt().parse(&"9".repeat(40)), Err(AssetError::Overflow));
    }

    #[test]
    fn an_asset_is_a_currency_where_name_and_decimals_are_the_same() {
        let [dollar, yen] = ["USD", "JPY"].map(|code| crate::Currency::from_alpha(code).unwrap());
        assert!(Asset::of(dollar).is(dollar) && Asset::of(yen).is(yen));
        assert!(!Asset::of(dollar).is(yen) && !usdt().is(dollar));
        assert!(!Asset::new(AssetCode::new("USD").unwrap(), 6).unwrap().is(dollar));
    }

    #[test]
    fn codes_and_decimals_are_checked() {
        for bad in ["", "usd", "TOOLONGCODE", "US D"] {
            assert!(AssetCode::new(bad).is_err(), "{bad:?}");
        }
        let code = AssetCode::new("X").unwrap();
        assert_eq!(
            Asset::new(code, 19).unwrap_err().to_string(),
            "asset X has 19 decimals, at most 18 are allowed"
        );
    }

    proptest! {
        #[test]
        fn writing_and_reading_an_amount_gives_it_back(units in any::<i64>(), decimals in 0_u8..=18) {
            let asset = Asset::new(AssetCode::new("T").unwrap(), decimals).unwrap();
            let units = Units(i128::from(units));
            prop_assert_eq!(asset.parse(&asset.format(units)), Ok(units));
        }
    }
}
