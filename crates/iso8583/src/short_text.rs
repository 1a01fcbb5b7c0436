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
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The number that the characters are. `None` if one of them is no digit, there are none, or it exceeds
    /// 64 bits.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        let text = self.as_str();
        text.bytes().all(|character| character.is_ascii_digit()).then(|| text.parse().ok())?
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortText({} characters)", self.len)
    }
}
