//! How long an element is: fixed, or announced by a prefix of L to LLLLLL.
//!
//! Guarantees that a length is bounded by the dialect before anything is read with it. The unit of a
//! length is always explicit: a prefix that counts digits and one that counts bytes are different
//! dialects, and mixing them up is a classic of the field.

use crate::error::Fault;
use serde::Deserialize;

/// The length of an element, in its [`Unit`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// Always this many.
    Fixed(u32),
    /// As announced by the prefix.
    Variable {
        /// How the length is written before the value.
        prefix: Prefix,
        /// The least that is allowed; zero only if the dialect says so.
        min: u32,
        /// The most that is allowed.
        max: u32,
    },
    /// As long as what encloses it says: the length beside a tag, or the rest of the composite.
    Enclosed {
        /// The least that is allowed.
        min: u32,
        /// The most that is allowed.
        max: u32,
    },
}

/// What a length counts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Characters or digits of the value, whatever their size on the wire.
    #[serde(alias = "digits")]
    Characters,
    /// Bytes of the value.
    Bytes,
    /// Half bytes of the value as it is on the wire.
    Nibbles,
}

/// How a length is written before its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Prefix {
    /// The number of Ls: decimal digits, hexadecimal digits for [`PrefixEncoding::Hex`], bytes for
    /// [`PrefixEncoding::Binary`].
    pub width: u8,
    /// How they are written.
    pub encoding: PrefixEncoding,
}

/// The digit 0 in every EBCDIC code page; 1 to 9 follow it.
const EBCDIC_ZERO: u8 = 0xF0;

/// How the digits of a length prefix are written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum PrefixEncoding {
    /// One ASCII digit an L.
    Ascii,
    /// Two digits a byte; an odd number of Ls has a leading zero.
    Bcd,
    /// One EBCDIC digit an L.
    Ebcdic,
    /// One byte an L, most significant first.
    Binary,
    /// One hexadecimal ASCII digit an L.
    Hex,
}

impl Prefix {
    /// The size of the prefix on the wire.
    #[inline]
    pub(crate) const fn bytes(self) -> usize {
        match self.encoding {
            PrefixEncoding::Bcd => (self.width as usize).div_ceil(2),
            PrefixEncoding::Ascii | PrefixEncoding::Ebcdic | PrefixEncoding::Binary | PrefixEncoding::Hex => {
                self.width as usize
            }
        }
    }

    /// The largest length that the prefix can announce.
    pub(crate) fn largest(self) -> u32 {
        let base: u32 = match self.encoding {
            PrefixEncoding::Ascii | PrefixEncoding::Ebcdic | PrefixEncoding::Bcd => 10,
            PrefixEncoding::Binary => 256,
            PrefixEncoding::Hex => 16,
        };
        base.checked_pow(u32::from(self.width)).map_or(u32::MAX, |over| over - 1)
    }

    /// Reads the announced length.
    #[inline]
    pub(crate) fn read(self, wire: &[u8]) -> Result<u32, Fault> {
        let read = match self.encoding {
            PrefixEncoding::Ascii => {
                wire.iter().try_fold(0_u32, |sum, byte| push_digit(sum, byte.wrapping_sub(b'0')))
            }
            PrefixEncoding::Bcd => {
                wire.iter().try_fold(0_u32, |sum, byte| push_digit(push_digit(sum, byte >> 4)?, byte & 0x0F))
            }
            PrefixEncoding::Ebcdic => {
                wire.iter().try_fold(0_u32, |sum, byte| push_digit(sum, byte.wrapping_sub(EBCDIC_ZERO)))
            }
            PrefixEncoding::Hex => wire.iter().try_fold(0_u32, |sum, byte| {
                sum.checked_mul(16)?.checked_add(char::from(*byte).to_digit(16)?)
            }),
            PrefixEncoding::Binary => {
                wire.iter().try_fold(0_u32, |sum, byte| sum.checked_mul(256)?.checked_add(u32::from(*byte)))
            }
        };
        read.ok_or_else(|| Fault::NotALength { found: wire.into(), allowed: self.encoding.describe() })
    }

    /// Writes `length`, which the caller has checked against [`Prefix::largest`].
    pub(crate) fn write(self, length: u32, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + self.bytes(), 0);
        let mut rest = length;
        for byte in out.iter_mut().skip(start).rev() {
            let (value, left) = match self.encoding {
                PrefixEncoding::Ascii => (u32::from(b'0') + rest % 10, rest / 10),
                PrefixEncoding::Bcd => (((rest / 10 % 10) << 4) | (rest % 10), rest / 100),
                PrefixEncoding::Ebcdic => (u32::from(EBCDIC_ZERO) + rest % 10, rest / 10),
                PrefixEncoding::Binary => (rest & 0xFF, rest >> 8),
                PrefixEncoding::Hex => {
                    let digit = char::from_digit(rest & 0xF, 16).unwrap_or('0');
                    (u32::from(digit.to_ascii_uppercase()), rest >> 4)
                }
            };
            *byte = u8::try_from(value).unwrap_or(0);
            rest = left;
        }
    }
}

#[inline]
fn push_digit(sum: u32, digit: u8) -> Option<u32> {
    if digit > 9 {
        return None;
    }
    sum.checked_mul(10)?.checked_add(u32::from(digit))
}

impl PrefixEncoding {
    const fn describe(self) -> &'static str {
        match self {
            Self::Ascii => "ASCII digits",
            Self::Bcd => "BCD digits",
            Self::Ebcdic => "EBCDIC digits",
            Self::Binary => "a binary number below 2^32",
            Self::Hex => "hexadecimal digits",
        }
    }
}

impl Unit {
    /// The unit in words, for error messages.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Characters => "characters",
            Self::Bytes => "bytes",
            Self::Nibbles => "half bytes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(width: u8, encoding: PrefixEncoding) -> Prefix {
        Prefix { width, encoding }
    }

    #[test]
    fn a_prefix_is_written_and_read_back() {
        for (prefix, length, wire) in [
            (prefix(2, PrefixEncoding::Ascii), 16, &b"16"[..]),
            (prefix(3, PrefixEncoding::Ascii), 7, b"007"),
            (prefix(2, PrefixEncoding::Bcd), 37, b"\x37"),
            (prefix(3, PrefixEncoding::Bcd), 104, b"\x01\x04"),
            (prefix(1, PrefixEncoding::Binary), 255, b"\xFF"),
            (prefix(2, PrefixEncoding::Binary), 256, b"\x01\x00"),
            (prefix(6, PrefixEncoding::Ascii), 999_999, b"999999"),
            (prefix(2, PrefixEncoding::Ebcdic), 16, b"\xF1\xF6"),
            (prefix(2, PrefixEncoding::Hex), 255, b"FF"),
        ] {
            let mut out = Vec::new();
            prefix.write(length, &mut out);
            assert_eq!(out, wire);
            assert_eq!(prefix.read(wire), Ok(length));
        }
    }

    #[test]
    fn what_is_not_a_digit_is_not_a_length() {
        assert!(prefix(2, PrefixEncoding::Ascii).read(b"-1").is_err());
        assert!(prefix(1, PrefixEncoding::Bcd).read(b"\x0A").is_err());
        assert!(prefix(2, PrefixEncoding::Ebcdic).read(b"16").is_err());
        assert!(prefix(2, PrefixEncoding::Hex).read(b"0G").is_err());
        assert!(prefix(6, PrefixEncoding::Binary).read(b"\x01\0\0\0\0\0").is_err());
    }
}
