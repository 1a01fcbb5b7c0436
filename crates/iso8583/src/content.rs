//! What characters an element may hold, in the standard's own letters: n, a, an, ans, z, x+n, b.
//!
//! Guarantees one rule for decode and encode alike. Says nothing about how a character is written on
//! the wire: that is the encoding.

use serde::Deserialize;

/// The alphabet of an element's value.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
pub enum Content {
    /// `n`: digits.
    #[serde(rename = "n")]
    Numeric,
    /// `a`: letters, and spaces as padding.
    #[serde(rename = "a")]
    Alphabetic,
    /// `an`: letters, digits, and spaces as padding.
    #[serde(rename = "an")]
    Alphanumeric,
    /// `ans`: printable characters, space to tilde.
    #[serde(rename = "ans")]
    Printable,
    /// `text`: any seven-bit character, control characters too, for private elements that hold them.
    #[serde(rename = "text")]
    Text,
    /// `z`: a track as ISO 7813 writes it: digits, the separator (`=` or `D`) and the signs `:;<>?`.
    #[serde(rename = "z")]
    Track,
    /// `x+n`: `C` (credit) or `D` (debit), then digits.
    #[serde(rename = "x+n")]
    SignedNumeric,
    /// `hex`: hexadecimal digits, for packed values that are not numbers.
    #[serde(rename = "hex")]
    Hexadecimal,
    /// `b`: bytes.
    #[serde(rename = "b")]
    Binary,
}

const DIGIT: u8 = 1;
const LETTER: u8 = 2;
const SPACE: u8 = 4;
const SPECIAL: u8 = 8;
const TRACK: u8 = 16;
const CONTROL: u8 = 32;
const HEX: u8 = 64;

/// The classes that each ASCII character belongs to; no class from 0x80 up.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 0x80_usize {
        #[allow(clippy::indexing_slicing)] // evaluated at compile time, bounded by the loop
        {
            classes[byte] = class_of(byte);
        }
        byte += 1;
    }
    classes
};

const fn class_of(byte: usize) -> u8 {
    match byte {
        0x30..=0x39 => DIGIT | TRACK | HEX,
        0x3A..=0x3F => SPECIAL | TRACK,
        0x44 | 0x64 => LETTER | TRACK | HEX,
        0x41..=0x46 | 0x61..=0x66 => LETTER | HEX,
        0x41..=0x5A | 0x61..=0x7A => LETTER,
        0x20 => SPACE,
        0x21..=0x7E => SPECIAL,
        _ => CONTROL,
    }
}

impl Content {
    /// The classes that are allowed at every position.
    const fn classes(self) -> u8 {
        match self {
            Self::Numeric | Self::SignedNumeric => DIGIT,
            Self::Alphabetic => LETTER | SPACE,
            Self::Alphanumeric => DIGIT | LETTER | SPACE,
            Self::Printable => DIGIT | LETTER | SPACE | SPECIAL,
            Self::Text => DIGIT | LETTER | SPACE | SPECIAL | CONTROL,
            Self::Track => TRACK,
            Self::Hexadecimal => HEX,
            Self::Binary => 0xFF,
        }
    }

    /// One bit for each content.
    pub(crate) const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// The contents that allow an ASCII character at every position, as their bits.
    pub(crate) const fn bits_allowing(character: u8) -> u16 {
        const ALL: [Content; 9] = [
            Content::Numeric,
            Content::Alphabetic,
            Content::Alphanumeric,
            Content::Printable,
            Content::Text,
            Content::Track,
            Content::SignedNumeric,
            Content::Hexadecimal,
            Content::Binary,
        ];
        let (mut bits, mut left) = (0, ALL.as_slice());
        while let Some((content, rest)) = left.split_first() {
            if character < 0x80 && class_of(character as usize) & content.classes() != 0 {
                bits |= content.bit();
            }
            left = rest;
        }
        bits
    }

    /// The position of the first character that is not allowed, in a value written in ASCII.
    #[inline]
    pub(crate) fn first_wrong(self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Binary => None,
            Self::Numeric => first_not_digit(text),
            Self::SignedNumeric => match text.split_first() {
                Some((b'C' | b'D', digits)) => first_not_digit(digits).map(|at| at + 1),
                Some(_) => Some(0),
                None => None,
            },
            Self::Alphabetic
            | Self::Alphanumeric
            | Self::Printable
            | Self::Text
            | Self::Track
            | Self::Hexadecimal => {
                let allowed = self.classes();
                text.iter().position(|byte| class(*byte) & allowed == 0)
            }
        }
    }

    /// The same for a value in another character set, whose characters come as ASCII one by one.
    pub(crate) fn first_wrong_of(self, mut text: impl Iterator<Item = u8>) -> Option<usize> {
        if self == Self::SignedNumeric {
            return match text.next() {
                Some(b'C' | b'D') => Self::Numeric.first_wrong_of(text).map(|at| at + 1),
                Some(_) => Some(0),
                None => None,
            };
        }
        let allowed = self.classes();
        text.position(|character| class(character) & allowed == 0)
    }

    /// Whether a short value of a fixed length is filled up with spaces on the right.
    pub(crate) const fn pads_with_spaces(self) -> bool {
        matches!(self, Self::Alphabetic | Self::Alphanumeric | Self::Printable | Self::Text)
    }

    /// Whether every character is a digit, so that the value can be read as a number.
    pub(crate) const fn is_numeric(self) -> bool {
        matches!(self, Self::Numeric)
    }

    /// The alphabet in words, for error messages.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Numeric => "digits",
            Self::Alphabetic => "letters and spaces",
            Self::Alphanumeric => "letters, digits and spaces",
            Self::Printable => "printable characters",
            Self::Text => "seven-bit characters",
            Self::Track => "track characters (digits, = or D, :;<>?)",
            Self::SignedNumeric => "C or D, then digits",
            Self::Hexadecimal => "hexadecimal digits",
            Self::Binary => "bytes",
        }
    }
}

#[inline]
fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// One pass without a branch per byte for the common case, and a second pass to point at the fault.
#[inline]
pub(crate) fn first_not_digit(text: &[u8]) -> Option<usize> {
    let wrong = text.iter().fold(false, |wrong, byte| wrong | (byte.wrapping_sub(b'0') > 9));
    if wrong { text.iter().position(|byte| !byte.is_ascii_digit()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alphabet_points_at_the_first_character_outside_it() {
        for (content, text, wrong) in [
            (Content::Numeric, &b"0123456789"[..], None),
            (Content::Numeric, b"00x0", Some(2)),
            (Content::Alphabetic, b"US ", None),
            (Content::Alphabetic, b"U5", Some(1)),
            (Content::Alphanumeric, b"STND  ", None),
            (Content::Alphanumeric, b"A-1", Some(1)),
            (Content::Printable, b"CAFE, 1/2 ~", None),
            (Content::Printable, b"A\x07", Some(1)),
            (Content::Printable, b"\xFF", Some(0)),
            (Content::Text, b"\x07\n", None),
            (Content::Text, b"a\x80", Some(1)),
            (Content::Track, b"4111=2912", None),
            (Content::Track, b"4111D2912", None),
            (Content::Track, b"4111A", Some(4)),
            (Content::SignedNumeric, b"D00000012", None),
            (Content::SignedNumeric, b"00000012", Some(0)),
            (Content::SignedNumeric, b"C0000001x", Some(8)),
            (Content::Binary, b"\xFF\x00", None),
        ] {
            assert_eq!(content.first_wrong(text), wrong, "{content:?} {text:?}");
        }
    }
}
