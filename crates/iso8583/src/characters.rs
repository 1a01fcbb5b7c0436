//! The characters of a value, without allocating for any that is usual.

use crate::digits;
use crate::short_text::ShortText;
use std::fmt;
use std::ops::Deref;

/// Seven-bit characters: those of the wire where it holds them as they are, or a copy of them. `Debug` shows their number
/// only: they may be card data.
#[derive(Clone)]
pub struct Characters<'a>(Held<'a>);

#[derive(Clone)]
enum Held<'a> {
    OnWire(&'a [u8]),
    Short(ShortText),
    Long(String),
}

impl<'a> Characters<'a> {
    /// Those of a value in ASCII, which were checked when it was decoded.
    #[inline]
    pub(crate) const fn on_wire(characters: &'a [u8]) -> Self {
        Self(Held::OnWire(characters))
    }

    pub(crate) const fn short(text: ShortText) -> Self {
        Self(Held::Short(text))
    }

    pub(crate) const fn long(text: String) -> Self {
        Self(Held::Long(text))
    }

    /// The characters as bytes: most are compared, and need not be proved to be text first.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Held::OnWire(characters) => characters,
            Held::Short(text) => text.as_bytes(),
            Held::Long(text) => text.as_bytes(),
        }
    }

    /// The characters as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The number that the characters are. `None` if one of them is no digit, there are none, or it exceeds
    /// 64 bits.
    #[must_use]
    #[inline]
    pub fn number(&self) -> Option<u64> {
        digits::number(self.as_bytes())
    }

    /// The characters without the spaces around them. `None` if there are only spaces.
    #[inline]
    pub(crate) fn trimmed(self) -> Option<Self> {
        let characters = self.as_bytes();
        let (first, last) = (*characters.first()?, *characters.last()?);
        if first != b' ' && last != b' ' { Some(self) } else { self.without_spaces() }
    }

    fn without_spaces(self) -> Option<Self> {
        let trimmed = |characters: &[u8]| {
            let from = characters.iter().position(|character| *character != b' ')?;
            let last = characters.iter().rposition(|character| *character != b' ')?;
            Some(from..last + 1)
        };
        let place = trimmed(self.as_bytes())?;
        Some(Self(match self.0 {
            Held::OnWire(characters) => Held::OnWire(characters.get(place)?),
            Held::Short(text) => Held::Short(ShortText::of(text.as_bytes().get(place)?)?),
            Held::Long(text) => Held::Long(text.get(place)?.to_owned()),
        }))
    }
}

impl Deref for Characters<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for Characters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Characters({} of them)", self.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn every_kind(text: &str) -> [Characters<'_>; 3] {
        let short = ShortText::of(text.as_bytes()).unwrap();
        [Characters::on_wire(text.as_bytes()), Characters::short(short), Characters::long(text.to_owned())]
    }

    #[test]
    fn trimming_takes_spaces_from_both_ends_and_leaves_no_empty_text() {
        for (text, trimmed) in
            [(" a b ", Some("a b")), ("ab", Some("ab")), ("a ", Some("a")), ("   ", None), ("", None)]
        {
            for characters in every_kind(text) {
                assert_eq!(characters.trimmed().as_ref().map(Characters::as_str), trimmed, "{text:?}");
            }
        }
    }

    #[test]
    fn a_number_is_digits_alone_and_fits_64_bits() {
        for (text, number) in [("0042", Some(42)), ("", None), ("+1", None), (" 1", None), ("1a", None)] {
            for characters in every_kind(text) {
                assert_eq!(characters.number(), number, "{text:?}");
            }
        }
    }
}
