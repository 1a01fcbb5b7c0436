//! A short text held in place: what is read of a value without allocating.

use std::fmt;

/// Up to [`ShortText::MAX`] seven-bit characters. `Debug` shows their number only: they may be card data.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct ShortText {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl ShortText {
    /// The most characters that fit: more than any reference of the field has.
    pub const MAX: usize = 64;

    /// No characters.
    pub(crate) const EMPTY: Self = Self { bytes: [0; Self::MAX], len: 0 };

    /// A text. `None` if it is empty, does not fit, or is not of seven bits.
    pub(crate) fn new(text: &str) -> Option<Self> {
        if text.is_empty() { None } else { Self::of(text.as_bytes()) }
    }

    /// These characters, or none. `None` if they do not fit, or one of them is not of seven bits.
    pub(crate) fn of(characters: &[u8]) -> Option<Self> {
        let mut short = Self { len: u8::try_from(characters.len()).ok()?, ..Self::EMPTY };
        let room = short.bytes.get_mut(..characters.len()).filter(|_| characters.is_ascii())?;
        room.copy_from_slice(characters);
        Some(short)
    }

    /// Adds a character. `None` if there is no room, or if it is not of seven bits.
    pub(crate) fn push(&mut self, character: u8) -> Option<()> {
        let slot = self.bytes.get_mut(usize::from(self.len)).filter(|_| character.is_ascii())?;
        *slot = character;
        self.len += 1;
        Some(())
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The characters as bytes: most are compared, and need not be proved to be text first.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether the characters are these.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.as_bytes() == text.as_bytes()
    }

    /// The text without the spaces around it. `None` if there are only spaces.
    pub(crate) fn trimmed(&self) -> Option<Self> {
        let characters = self.as_bytes();
        let from = characters.iter().position(|character| *character != b' ')?;
        let last = characters.iter().rposition(|character| *character != b' ')?;
        if last + 1 - from == characters.len() { Some(*self) } else { Self::of(characters.get(from..=last)?) }
    }

    /// The number that the characters are. `None` if one of them is no digit, there are none, or it exceeds
    /// 64 bits.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        let digits = Some(self.as_bytes()).filter(|digits| !digits.is_empty())?;
        digits.iter().try_fold(0_u64, |sum, character| {
            let digit = Some(character.wrapping_sub(b'0')).filter(|digit| *digit < 10)?;
            sum.checked_mul(10)?.checked_add(digit.into())
        })
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortText({} characters)", self.len)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn short(text: &str) -> ShortText {
        ShortText::of(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_number_is_digits_alone_and_fits_64_bits() {
        assert_eq!(short("0042").number(), Some(42));
        assert_eq!(short("18446744073709551615").number(), Some(u64::MAX));
        for none in ["", "18446744073709551616", "+1", " 1", "1a", "99999999999999999999"] {
            assert_eq!(short(none).number(), None, "{none:?}");
        }
    }

    #[test]
    fn trimming_takes_spaces_from_both_ends_and_leaves_no_empty_text() {
        for (text, trimmed) in
            [(" a b ", Some("a b")), ("ab", Some("ab")), ("a ", Some("a")), ("   ", None), ("", None)]
        {
            assert_eq!(short(text).trimmed().as_ref().map(ShortText::as_str), trimmed);
        }
        assert!(short("ab").is("ab") && !short("ab").is("a"));
    }
}
