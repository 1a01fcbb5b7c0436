//! A short text held in place: what is read of a value without allocating.

use std::fmt;

/// Up to [`ShortText::MAX`] seven-bit characters. `Debug` shows their number only: they may be card data.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct ShortText {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl ShortText {
    /// The most characters that fit: more than any reference of the field has.
    pub(crate) const MAX: usize = 64;

    /// No characters.
    pub(crate) const EMPTY: Self = Self { bytes: [0; Self::MAX], len: 0 };

    /// These characters, or none. `None` if they do not fit, or one of them is not of seven bits.
    pub(crate) fn of(characters: &[u8]) -> Option<Self> {
        Self::filled(characters.len(), |room| room.copy_from_slice(characters))
    }

    /// So many characters, as `fill` writes them. `None` if they do not fit, or one of them is not of seven bits.
    pub(crate) fn filled(len: usize, fill: impl FnOnce(&mut [u8])) -> Option<Self> {
        let mut short = Self { len: u8::try_from(len).ok()?, ..Self::EMPTY };
        let room = short.bytes.get_mut(..len)?;
        fill(room);
        room.is_ascii().then_some(short)
    }

    /// Adds characters. `None` if there is no room for them.
    pub(crate) fn push(&mut self, characters: &[u8]) -> Option<()> {
        let len = usize::from(self.len);
        self.bytes.get_mut(len..len + characters.len())?.copy_from_slice(characters);
        self.len += u8::try_from(characters.len()).ok()?;
        Some(())
    }

    /// The characters as bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
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

    #[test]
    fn only_what_fits_and_is_of_seven_bits_is_held() {
        assert_eq!(ShortText::of(&[b'a'; 64]).unwrap().as_bytes(), [b'a'; 64]);
        assert_eq!(ShortText::of(&[b'a'; 65]), None);
        assert_eq!(ShortText::of(b"caf\xE9"), None);
        let mut text = ShortText::of(&[b'a'; 62]).unwrap();
        assert_eq!((text.push(b"bc"), text.push(b"d")), (Some(()), None));
        assert_eq!(text.as_bytes().last(), Some(&b'c'));
    }
}
