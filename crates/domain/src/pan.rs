//! The primary account number, in the one type that may hold it.
//!
//! Guarantees: `Debug` shows the last four digits only; there is no `Display` and no `Serialize`; the digits
//! leave through [`Pan::expose`], whose callers a search finds.

use crate::card::LastFour;
use std::fmt;

/// A primary account number of 12 to 19 digits.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Pan {
    digits: [u8; 19],
    len: u8,
}

/// Why a card number was refused. Never says which digits were found.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PanError {
    /// Too few or too many digits.
    #[error("card number has {found} characters, 12 to 19 digits are allowed")]
    Length {
        /// Characters found.
        found: usize,
    },
    /// Something other than a digit.
    #[error("card number holds something other than a digit at position {position}")]
    NotADigit {
        /// Position of the first such character, from 1.
        position: usize,
    },
    /// The last digit does not fit the others.
    #[error("card number fails its check digit (ISO/IEC 7812-1, Luhn)")]
    CheckDigit,
}

impl Pan {
    /// Reads ASCII digits as they stand in DE 2. The check digit is not verified: an unknown card is
    /// answered as such, and test ranges of processors do not always have one.
    pub fn from_digits(digits: &[u8]) -> Result<Self, PanError> {
        let found = digits.len();
        if !(12..=19).contains(&found) {
            return Err(PanError::Length { found });
        }
        // All digits without a branch first: only of what is no card number is the place wanted.
        if !digits.iter().fold(true, |all, digit| all & digit.is_ascii_digit()) {
            let index = digits.iter().position(|digit| !digit.is_ascii_digit()).unwrap_or(0);
            return Err(PanError::NotADigit { position: index + 1 });
        }
        let mut pan = Self { digits: [0; 19], len: u8::try_from(found).unwrap_or(0) };
        if let Some(room) = pan.digits.get_mut(..found) {
            room.copy_from_slice(digits);
        }
        Ok(pan)
    }

    /// As [`Pan::from_digits`], and verifies the check digit: for cards that are being issued.
    pub fn issue(digits: &[u8]) -> Result<Self, PanError> {
        let pan = Self::from_digits(digits)?;
        if pan.luhn_remainder() == 0 { Ok(pan) } else { Err(PanError::CheckDigit) }
    }

    /// The digits, in ASCII. The one way out: for the keyed token and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.digits.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// The last four digits, which may be shown.
    #[must_use]
    pub fn last_four(&self) -> LastFour {
        let digits = self.expose();
        LastFour::from_digits(digits.get(digits.len().saturating_sub(4)..).unwrap_or(&[]))
    }

    fn luhn_remainder(&self) -> u32 {
        let sum: u32 = self
            .expose()
            .iter()
            .rev()
            .enumerate()
            .map(|(index, digit)| {
                let value = u32::from(digit - b'0');
                let doubled = value * 2;
                if index % 2 == 0 { value } else { doubled / 10 + doubled % 10 }
            })
            .sum();
        sum % 10
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pan(****{})", self.last_four())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_shows_its_last_four_digits_only() {
        let pan = Pan::from_digits(b"4242424242421234").unwrap();
        assert_eq!(format!("{pan:?}"), "Pan(****1234)");
        assert_eq!(pan.expose(), b"4242424242421234");
    }

    #[test]
    fn errors_never_repeat_the_digits() {
        let error = Pan::from_digits(b"424242424242x234").unwrap_err();
        assert_eq!(error, PanError::NotADigit { position: 13 });
        assert!(!error.to_string().contains("4242"));
        assert_eq!(Pan::from_digits(b"42").unwrap_err(), PanError::Length { found: 2 });
    }

    #[test]
    fn issued_cards_have_a_true_check_digit() {
        assert!(Pan::issue(b"4242424242424242").is_ok());
        assert_eq!(Pan::issue(b"4242424242424241"), Err(PanError::CheckDigit));
    }
}
