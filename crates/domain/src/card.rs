//! Cards as the switch knows them: a keyed token, a status, an expiry, a funding mode.

use crate::text::{Text, TextError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The product's own name for a card, 1 to 40 bytes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct CardId(Text<40>);

impl CardId {
    /// Stands where a name is missing: none is empty.
    pub const NONE: Self = Self(Text::EMPTY);

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

impl fmt::Display for CardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a card within its shard, given at issue and never used again for another.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct CardNo(pub u32);

/// What stands for a card number behind the edge: HMAC-SHA-256 under the switch's key, cut to 128 bits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CardToken(pub [u8; 16]);

/// A list of bytes for people. The journal keeps the same sixteen bytes, as one number: byte by byte they would be a
/// sixth of what writing a fact costs.
impl Serialize for CardToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.0.serialize(serializer)
        } else {
            serializer.serialize_u128(u128::from_le_bytes(self.0))
        }
    }
}

impl<'de> Deserialize<'de> for CardToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Deserialize::deserialize(deserializer).map(Self)
        } else {
            u128::deserialize(deserializer).map(|number| Self(number.to_le_bytes()))
        }
    }
}

impl fmt::Debug for CardToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardToken(")?;
        for byte in self.0.iter().take(4) {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("..)")
    }
}

/// The last four digits of a card number: what a person may see.
#[derive(Clone, Copy, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct LastFour(u16);

impl LastFour {
    pub(crate) fn from_digits(digits: &[u8]) -> Self {
        Self(
            digits
                .iter()
                .fold(0, |value, digit| (value * 10 + u16::from(digit.saturating_sub(b'0'))) % 10_000),
        )
    }
}

impl fmt::Debug for LastFour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

impl fmt::Display for LastFour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

/// Where a card stands in its life.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CardStatus {
    /// Issued, and not yet activated by its holder.
    NotYetActive,
    /// In use.
    Active,
    /// Stopped for a while, by the holder or by support.
    Frozen,
    /// Ended for good. Clearings, reversals and refunds of what was approved still count.
    Closed,
}

/// Where the money of a card is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FundingMode {
    /// In the account that the switch keeps.
    PreFunded,
    /// In the product's balance service, which is asked at authorization time.
    Jit,
}

/// The month after which a card is no longer valid.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "Text<7>", into = "Text<7>")]
pub struct Expiry {
    year: u16,
    month: u8,
}

/// Why an expiry was refused. Never says what was found: DE 14 is card data.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ExpiryError {
    /// Not a year from 2000 to 2099 and a month from 1 to 12.
    #[error("expiry is not a month of the years 2000 to 2099, written \"2029-12\"")]
    Month,
}

impl Expiry {
    /// The expiry at the end of a month.
    pub fn new(year: u16, month: u8) -> Result<Self, ExpiryError> {
        if (2000..=2099).contains(&year) && (1..=12).contains(&month) {
            Ok(Self { year, month })
        } else {
            Err(ExpiryError::Month)
        }
    }

    /// Reads `"2029-12"`.
    pub fn parse(text: &str) -> Result<Self, ExpiryError> {
        let (year, month) = text.split_once('-').ok_or(ExpiryError::Month)?;
        if year.len() != 4 || month.len() != 2 {
            return Err(ExpiryError::Month);
        }
        let year = year.parse().map_err(|_| ExpiryError::Month)?;
        Self::new(year, month.parse().map_err(|_| ExpiryError::Month)?)
    }

    /// Reads the digits `YYMM` of DE 14, in this century.
    pub fn from_yymm(yymm: u64) -> Result<Self, ExpiryError> {
        let year = u16::try_from(yymm / 100).map_err(|_| ExpiryError::Month)?;
        let month = u8::try_from(yymm % 100).map_err(|_| ExpiryError::Month)?;
        if year > 99 { Err(ExpiryError::Month) } else { Self::new(2000 + year, month) }
    }

    /// The year.
    #[must_use]
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, from 1 to 12.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.month
    }
}

impl fmt::Debug for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expiry(****)")
    }
}

impl TryFrom<Text<7>> for Expiry {
    type Error = ExpiryError;
    fn try_from(text: Text<7>) -> Result<Self, ExpiryError> {
        Self::parse(text.as_str())
    }
}

impl From<Expiry> for Text<7> {
    fn from(expiry: Expiry) -> Self {
        Self::new(&format!("{:04}-{:02}", expiry.year, expiry.month)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_month_and_stays_out_of_logs() {
        let expiry = Expiry::from_yymm(2912).unwrap();
        assert_eq!(expiry, Expiry::parse("2029-12").unwrap());
        assert_eq!(format!("{expiry:?}"), "Expiry(****)");
        for bad in ["2029-13", "2029-00", "29-12", "2029", "2029-1", "1999-12"] {
            assert!(Expiry::parse(bad).is_err(), "{bad}");
        }
        assert!(Expiry::from_yymm(10_001).is_err());
    }

    #[test]
    fn cards_with_a_later_month_expire_later() {
        assert!(Expiry::new(2029, 12).unwrap() < Expiry::new(2030, 1).unwrap());
    }
}
