//! The forms that nearly every element has, found without detours when nothing is wrong.
//!
//! This is the hot path of decoding: a few dozen instructions an element, no branch on what cannot differ from
//! message to message. It never decides that something is wrong: `None` sends the element the plain way, which
//! knows every form and names every fault.

use crate::content::Content;
use crate::encoding::Encoding;
use crate::length::{Length, PrefixEncoding, Unit};
use crate::position::{Span, narrow};
use crate::scan::Scan;

/// The compiled form of an element's common case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Quick {
    scan: Scan,
    prefix: QuickPrefix,
    /// The size of the prefix in bytes.
    prefix_bytes: u8,
    /// Whether two characters share a byte.
    packed: bool,
    /// The least and the most characters; the same for a fixed length.
    min: u32,
    max: u32,
}

/// How the length is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum QuickPrefix {
    /// It is fixed.
    None,
    /// ASCII or EBCDIC digits: the low half of a byte is its value. The high half must be this.
    Digits(u8),
    /// Two digits a byte.
    Packed,
    /// A binary number.
    Binary,
}

impl Quick {
    /// An element that always goes the plain way.
    pub(crate) const NEVER: Self =
        Self { scan: Scan::Never, prefix: QuickPrefix::None, prefix_bytes: 0, packed: false, min: 0, max: 0 };

    /// The common case of an element that is no composite.
    pub(crate) fn of(content: Content, encoding: Encoding, unit: Unit, length: Length) -> Self {
        let packed = encoding == Encoding::Bcd;
        let counts_characters = match unit {
            Unit::Characters => true,
            Unit::Bytes => !packed,
            Unit::Nibbles => packed,
        };
        let (prefix, prefix_bytes, min, max) = match length {
            Length::Fixed(count) => (QuickPrefix::None, 0, count, count),
            Length::Variable { prefix, min, max } => {
                let kind = match prefix.encoding {
                    PrefixEncoding::Ascii => QuickPrefix::Digits(0x30),
                    PrefixEncoding::Ebcdic => QuickPrefix::Digits(0xF0),
                    PrefixEncoding::Bcd => QuickPrefix::Packed,
                    PrefixEncoding::Binary => QuickPrefix::Binary,
                    PrefixEncoding::Hex => return Self::NEVER,
                };
                (kind, prefix.bytes(), min, max)
            }
            Length::Enclosed { .. } => return Self::NEVER,
        };
        match u8::try_from(prefix_bytes) {
            // Four bytes of length cannot overflow the sums below.
            Ok(prefix_bytes) if counts_characters && prefix_bytes <= 4 => {
                Self { scan: Scan::of(content, encoding), prefix, prefix_bytes, packed, min, max }
            }
            _ => Self::NEVER,
        }
    }

    /// Where the value is, if the element has its common form and nothing is wrong with it.
    #[inline(always)]
    pub(crate) fn locate(&self, input: &[u8], at: usize) -> Option<Span> {
        let start = at + usize::from(self.prefix_bytes);
        let count = match self.prefix {
            QuickPrefix::None => self.max,
            prefix @ (QuickPrefix::Digits(_) | QuickPrefix::Packed | QuickPrefix::Binary) => {
                let count = prefix.read(input.get(at..start)?)?;
                if count < self.min || count > self.max {
                    return None;
                }
                count
            }
        };
        let size = if self.packed {
            // An odd digit has a filler beside it, which is looked at the plain way.
            if count & 1 == 1 {
                return None;
            }
            count / 2
        } else {
            count
        };
        let end = start + size as usize;
        let value = input.get(start..end)?;
        self.scan.accepts(value).then(|| Span { start: narrow(start), end: narrow(end), characters: count })
    }
}

impl QuickPrefix {
    /// The announced length. Wrong digits are found at the end, all at once.
    #[inline(always)]
    fn read(self, wire: &[u8]) -> Option<u32> {
        let (mut sum, mut wrong) = (0_u32, false);
        for byte in wire {
            let (high, low) = (u32::from(byte >> 4), u32::from(byte & 0x0F));
            match self {
                Self::None => {}
                Self::Digits(expected) => {
                    wrong |= byte & 0xF0 != expected || low > 9;
                    sum = sum.wrapping_mul(10).wrapping_add(low);
                }
                Self::Packed => {
                    wrong |= high > 9 || low > 9;
                    sum = sum.wrapping_mul(100).wrapping_add(high * 10 + low);
                }
                Self::Binary => sum = sum.wrapping_shl(8) | u32::from(*byte),
            }
        }
        if wrong { None } else { Some(sum) }
    }
}
