//! How the characters of a value are written on the wire, and how many bytes they take.
//!
//! Guarantees that a value which was checked on decode can be turned into characters without fail.
//! Two digits a byte (BCD) is the only packing in which a length can be odd; the filler of the unused
//! half byte is part of the dialect and is checked.

use crate::content::Content;
use crate::ebcdic::CodePage;
use crate::error::Fault;
use crate::length::Unit;
use serde::Deserialize;

/// The wire form of a value.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(from = "EncodingName")]
pub enum Encoding {
    /// One ASCII character a byte.
    Ascii,
    /// One EBCDIC character a byte.
    Ebcdic(CodePage),
    /// Two digits a byte.
    Bcd,
    /// The bytes themselves.
    Binary,
    /// Two hexadecimal ASCII digits for each byte.
    Hex,
}

/// The names of the encodings in a dialect file.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EncodingName {
    Ascii,
    #[serde(rename = "ebcdic-500")]
    Ebcdic500,
    #[serde(rename = "ebcdic-1047")]
    Ebcdic1047,
    Bcd,
    Binary,
    Hex,
}

impl From<EncodingName> for Encoding {
    fn from(name: EncodingName) -> Self {
        match name {
            EncodingName::Ascii => Self::Ascii,
            EncodingName::Ebcdic500 => Self::Ebcdic(CodePage::Cp500),
            EncodingName::Ebcdic1047 => Self::Ebcdic(CodePage::Cp1047),
            EncodingName::Bcd => Self::Bcd,
            EncodingName::Binary => Self::Binary,
            EncodingName::Hex => Self::Hex,
        }
    }
}

/// The filler of the unused half byte when an odd number of digits is packed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
pub(crate) enum Pad {
    /// A zero before the digits.
    #[default]
    #[serde(rename = "left-0")]
    LeftZero,
    /// A zero after the digits.
    #[serde(rename = "right-0")]
    RightZero,
    /// An F before the digits.
    #[serde(rename = "left-f")]
    LeftF,
    /// An F after the digits.
    #[serde(rename = "right-f")]
    RightF,
}

impl Pad {
    pub(crate) const fn is_left(self) -> bool {
        matches!(self, Self::LeftZero | Self::LeftF)
    }

    pub(crate) const fn filler(self) -> u8 {
        match self {
            Self::LeftZero | Self::RightZero => 0x0,
            Self::LeftF | Self::RightF => 0xF,
        }
    }
}

impl Encoding {
    /// The unit of a length where the dialect file names none.
    pub(crate) const fn default_unit(self) -> Unit {
        match self {
            Self::Ascii | Self::Ebcdic(_) | Self::Bcd | Self::Hex => Unit::Characters,
            Self::Binary => Unit::Bytes,
        }
    }

    /// How many bytes `count` units take on the wire. `None` if `count` must be even and is not.
    #[inline]
    pub(crate) const fn wire_bytes(self, unit: Unit, count: usize) -> Option<usize> {
        match (self, unit) {
            (Self::Bcd, Unit::Characters | Unit::Nibbles) => Some(count.div_ceil(2)),
            (Self::Hex, Unit::Bytes) => Some(count * 2),
            (Self::Hex, Unit::Characters) => even(count, count),
            (_, Unit::Nibbles) => even(count, count / 2),
            (_, Unit::Characters | Unit::Bytes) => Some(count),
        }
    }

    /// How many characters a value of `count` units has; for bytes, how many bytes.
    #[inline]
    pub(crate) const fn characters(self, unit: Unit, count: usize) -> usize {
        match (self, unit) {
            (Self::Bcd, Unit::Bytes) => count * 2,
            (Self::Bcd, Unit::Characters | Unit::Nibbles) => count,
            (Self::Hex, Unit::Characters) | (_, Unit::Nibbles) => count / 2,
            (_, Unit::Characters | Unit::Bytes) => count,
        }
    }

    /// The other way round: how many units a value of so many characters, or bytes, has.
    pub(crate) const fn units(self, unit: Unit, characters: usize) -> usize {
        match (self, unit) {
            (Self::Bcd, Unit::Bytes) => characters.div_ceil(2),
            (Self::Bcd, Unit::Characters | Unit::Nibbles) => characters,
            (Self::Hex, Unit::Characters) | (_, Unit::Nibbles) => characters * 2,
            (_, Unit::Characters | Unit::Bytes) => characters,
        }
    }

    /// How many units a value of so many bytes on the wire has.
    pub(crate) const fn units_of_bytes(self, unit: Unit, bytes: usize) -> usize {
        match (self, unit) {
            (Self::Hex, Unit::Bytes) => bytes / 2,
            (Self::Bcd, Unit::Characters) | (_, Unit::Nibbles) => bytes * 2,
            (_, Unit::Characters | Unit::Bytes) => bytes,
        }
    }

    /// The wire form in words, for error messages.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Ascii => "ASCII",
            Self::Ebcdic(CodePage::Cp500) => "EBCDIC 500",
            Self::Ebcdic(CodePage::Cp1047) => "EBCDIC 1047",
            Self::Bcd => "BCD",
            Self::Binary => "binary",
            Self::Hex => "hexadecimal text",
        }
    }
}

/// `value` if `count` is even.
const fn even(count: usize, value: usize) -> Option<usize> {
    if count.is_multiple_of(2) { Some(value) } else { None }
}

/// How many characters a packed value has whose length counts bytes: a filler of F is not one of them.
pub(crate) fn without_filler(wire: &[u8], pad: Pad) -> usize {
    let filled = pad.filler() == 0xF && !wire.is_empty() && filler_of(wire, pad) == 0xF;
    wire.len() * 2 - usize::from(filled)
}

/// Checks a packed value of `digits` digits at offset `at`.
#[inline]
pub(crate) fn check_packed(
    wire: &[u8],
    at: usize,
    digits: usize,
    pad: Pad,
    content: Content,
    masked: bool,
) -> Result<(), Fault> {
    let wrong = wire.iter().fold(false, |wrong, byte| wrong | (byte >> 4 > 9) | (byte & 0x0F > 9));
    if !wrong && (digits.is_multiple_of(2) || pad.filler() == 0 && filler_of(wire, pad) == 0) {
        return Ok(());
    }
    check_each_nibble(wire, at, digits, pad, content, masked)
}

fn filler_of(wire: &[u8], pad: Pad) -> u8 {
    if pad.is_left() {
        wire.first().map_or(0, |byte| byte >> 4)
    } else {
        wire.last().map_or(0, |byte| byte & 0x0F)
    }
}

/// The slow way, for fillers of F, separators of tracks and pointing at what is wrong.
fn check_each_nibble(
    wire: &[u8],
    at: usize,
    digits: usize,
    pad: Pad,
    content: Content,
    masked: bool,
) -> Result<(), Fault> {
    if digits % 2 == 1 && filler_of(wire, pad) != pad.filler() {
        let place = if pad.is_left() { 0 } else { wire.len().saturating_sub(1) };
        return Err(Fault::Padding { at: at + place, allowed: pad.filler() });
    }
    let wrong = nibbles(wire, digits, pad).position(|nibble| !can_hold(content, nibble));
    let Some(wrong) = wrong else {
        return Ok(());
    };
    let skipped = usize::from(digits % 2 == 1 && pad.is_left());
    let byte = (wrong + skipped) / 2;
    Err(Fault::Content {
        at: at + byte,
        found: wire.get(byte).copied().filter(|_| !masked),
        allowed: content.describe(),
    })
}

/// Whether a packed value of this content can hold the half byte.
const fn can_hold(content: Content, nibble: u8) -> bool {
    match content {
        Content::Hexadecimal => true,
        Content::Track => nibble <= 9 || nibble == SEPARATOR,
        Content::Numeric
        | Content::Alphabetic
        | Content::Alphanumeric
        | Content::Printable
        | Content::Text
        | Content::SignedNumeric
        | Content::Binary => nibble <= 9,
    }
}

/// The packed form of a track's separator.
const SEPARATOR: u8 = 0xD;

/// The half bytes of a packed value, without the filler.
pub(crate) fn nibbles(wire: &[u8], digits: usize, pad: Pad) -> impl Iterator<Item = u8> {
    let skipped = usize::from(digits % 2 == 1 && pad.is_left());
    wire.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]).skip(skipped).take(digits)
}

/// The character of a packed half byte: a digit, or `D` for a track's separator.
pub(crate) const fn character(nibble: u8) -> u8 {
    if nibble <= 9 { b'0' + nibble } else { b'A' + nibble - 10 }
}

/// The half byte of a character, if it can be packed. A track's `=` is packed as `D`.
const fn nibble(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'=' => Some(SEPARATOR),
        b'A'..=b'F' => Some(character - b'A' + 10),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

/// Packs characters two a byte. The caller has checked the alphabet; what cannot be packed is a fault.
pub(crate) fn pack(text: &[u8], pad: Pad, content: Content, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut high = (text.len() % 2 == 1 && pad.is_left()).then_some(pad.filler());
    for (at, byte) in text.iter().enumerate() {
        let packed = nibble(*byte).ok_or(Fault::Content { at, found: None, allowed: content.describe() })?;
        high = match high {
            None => Some(packed),
            Some(first) => {
                out.push(first << 4 | packed);
                None
            }
        };
    }
    if let Some(last) = high {
        out.push(last << 4 | pad.filler());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn packed(text: &str, pad: Pad) -> Vec<u8> {
        let mut out = Vec::new();
        pack(text.as_bytes(), pad, Content::Track, &mut out).unwrap();
        out
    }

    #[test]
    fn an_odd_number_of_digits_is_filled_on_the_agreed_side() {
        assert_eq!(packed("123", Pad::LeftZero), b"\x01\x23");
        assert_eq!(packed("123", Pad::RightZero), b"\x12\x30");
        assert_eq!(packed("123", Pad::LeftF), b"\xF1\x23");
        assert_eq!(packed("123", Pad::RightF), b"\x12\x3F");
        assert_eq!(packed("41=2", Pad::RightF), b"\x41\xD2");
    }

    #[test]
    fn what_was_packed_is_accepted_and_read_back() {
        for pad in [Pad::LeftZero, Pad::RightZero, Pad::LeftF, Pad::RightF] {
            for text in ["1", "12", "123", "4111D29", "9999999999999999999"] {
                let wire = packed(text, pad);
                check_packed(&wire, 0, text.len(), pad, Content::Track, false).unwrap();
                let back: Vec<u8> = nibbles(&wire, text.len(), pad).map(character).collect();
                assert_eq!(back, text.as_bytes(), "{pad:?}");
            }
        }
    }

    #[test]
    fn a_wrong_filler_is_refused() {
        let fault = check_packed(b"\x12\x30", 7, 3, Pad::RightF, Content::Numeric, false).unwrap_err();
        assert_eq!(fault, Fault::Padding { at: 8, allowed: 0xF });
        let fault = check_packed(b"\x91\x23", 7, 3, Pad::LeftZero, Content::Numeric, false).unwrap_err();
        assert_eq!(fault, Fault::Padding { at: 7, allowed: 0 });
    }

    #[test]
    fn a_half_byte_that_is_no_digit_is_pointed_at() {
        let fault = check_packed(b"\x12\xD3", 7, 4, Pad::LeftZero, Content::Numeric, false).unwrap_err();
        assert_eq!(fault, Fault::Content { at: 8, found: Some(0xD3), allowed: "digits" });
        let fault = check_packed(b"\x12\xD3", 7, 4, Pad::LeftZero, Content::Numeric, true).unwrap_err();
        assert_eq!(fault, Fault::Content { at: 8, found: None, allowed: "digits" });
    }
}
