//! A code of a dialect: a few characters that a value is compared with.
//!
//! Codes are short, and a value is compared with a whole list of them, so that most are compared as numbers.

/// A code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Code {
    text: Box<str>,
    packed: Option<Packed>,
}

/// Characters to compare with codes.
#[derive(Clone, Copy)]
pub(crate) struct Compared<'a> {
    characters: &'a [u8],
    packed: Option<Packed>,
}

/// Up to seven characters and their number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Packed(u64);

impl Packed {
    #[inline]
    fn new(characters: &[u8]) -> Option<Self> {
        if characters.len() > 7 {
            return None;
        }
        let sum = characters.iter().fold(0, |sum, character| sum << 8 | u64::from(*character));
        Some(Self(sum << 8 | characters.len() as u64))
    }
}

impl Code {
    /// A code as a dialect file writes it.
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.into(), packed: Packed::new(text.as_bytes()) }
    }

    /// Whether the characters are this code.
    #[inline]
    pub(crate) fn is(&self, compared: Compared<'_>) -> bool {
        match (self.packed, compared.packed) {
            (Some(code), Some(packed)) => code == packed,
            (None, None) => *self.text.as_bytes() == *compared.characters,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

impl<'a> Compared<'a> {
    #[inline]
    pub(crate) fn new(characters: &'a [u8]) -> Self {
        Self { characters, packed: Packed::new(characters) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_any_length_are_told_apart() {
        let codes = ["", "0", "00", "\0", "05", "50", "1234567", "01234567", "12345678", "0123456789"];
        for (at, code) in codes.iter().enumerate() {
            for (other_at, other) in codes.iter().enumerate() {
                assert_eq!(
                    Code::new(code).is(Compared::new(other.as_bytes())),
                    at == other_at,
                    "{code} {other}"
                );
            }
        }
    }
}
