//! The forms that nearly every element has, found without detours when nothing is wrong.
//!
//! This is the hot path of decoding. What cannot differ from message to message is worked out once, so that finding an
//! element's end is an addition or the reading of a prefix. It never decides that something is wrong: `None` sends the
//! element, and then the message, the plain way, which knows every form and names every fault.

use crate::content::Content;
use crate::encoding::{Encoding, Pad};
use crate::length::{Length, Prefix, PrefixEncoding, Unit};
use crate::position::Span;
use crate::scan::Scan;

/// The compiled form of an element's common case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Quick {
    pub(crate) scan: Scan,
    pub(crate) company: Company,
    filler: Filler,
    size: Size,
}

/// Which elements can be looked at in one go: those with the same scan, if it allows what their prefixes are written
/// with too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Company(u8);

impl Company {
    /// Of an element that stands for itself: its prefix is written with something else.
    const ALONE: Self = Self(0);
    /// Admits nobody.
    pub(crate) const CLOSED: Self = Self(u8::MAX);

    /// The company of a scan.
    fn of(scan: Scan) -> Self {
        Self(scan.number() + 1)
    }

    /// Whether an element of the company `other` may join.
    #[inline(always)]
    pub(crate) const fn admits(self, other: Self) -> bool {
        self.0 == other.0
    }

    /// Who may join an element that starts `at`, prefix and all, and where what is looked at begins; `value` is behind
    /// the prefix.
    #[inline(always)]
    pub(crate) const fn begin(self, at: u32, value: u32) -> (Self, u32) {
        if self.0 == Self::ALONE.0 { (Self::CLOSED, value) } else { (self, at) }
    }
}

/// How long the value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Size {
    /// Only the plain way knows.
    Unknown,
    /// Always so many bytes on the wire, with so many characters.
    Fixed { bytes: u32, characters: u32 },
    /// As many characters as the prefix says, within these bounds.
    Announced { prefix: QuickPrefix, packing: Packing, min: u32, max: u32 },
}

/// How characters share bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Packing {
    /// A character, or a byte of a binary value, is a byte.
    None,
    /// Two digits a byte; an odd one has a filler beside it.
    TwoDigits,
    /// Two hexadecimal digits are one byte of the value.
    HexPairs,
}

/// Where the filler of an odd number of packed digits is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Filler {
    /// There can be none.
    None,
    /// A zero in the first half of the first byte.
    First,
    /// A zero in the last half of the last byte.
    Last,
    /// One that is no digit, and so nothing for the scan.
    NoDigit,
}

/// The prefixes in use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum QuickPrefix {
    /// Two digits, a byte each, from this zero on.
    Two(u8),
    /// Three of them.
    Three(u8),
    /// One byte of two digits.
    PackedTwo,
    /// Two bytes of two digits.
    PackedFour,
    /// One byte.
    Byte,
    /// Two bytes, most significant first.
    TwoBytes,
}

impl Quick {
    /// An element that always goes the plain way.
    pub(crate) const NEVER: Self =
        Self { scan: Scan::Never, company: Company::ALONE, filler: Filler::None, size: Size::Unknown };

    /// The common case of an element that is no composite.
    pub(crate) fn of(content: Content, encoding: Encoding, unit: Unit, length: Length, pad: Pad) -> Self {
        Self::common(content, encoding, unit, length, pad).unwrap_or(Self::NEVER)
    }

    fn common(content: Content, encoding: Encoding, unit: Unit, length: Length, pad: Pad) -> Option<Self> {
        let packing = match (encoding, unit) {
            (Encoding::Bcd, Unit::Characters | Unit::Nibbles) => Packing::TwoDigits,
            (Encoding::Hex, Unit::Characters) => Packing::HexPairs,
            (Encoding::Ascii | Encoding::Ebcdic(_) | Encoding::Binary, Unit::Characters | Unit::Bytes) => {
                Packing::None
            }
            _ => return None,
        };
        let scan = Some(Scan::of(content, encoding)).filter(|scan| *scan != Scan::Never)?;
        let (size, joins_prefix, is_even) = match length {
            Length::Fixed(count) => {
                let (bytes, characters) = packing.spread(count)?;
                (Size::Fixed { bytes, characters }, true, count.is_multiple_of(2))
            }
            Length::Variable { prefix, min, max } => {
                let quick = QuickPrefix::of(prefix)?;
                let joins = scan.allows_prefix(prefix.encoding);
                (Size::Announced { prefix: quick, packing, min, max }, joins, false)
            }
            Length::Enclosed { .. } => return None,
        };
        let filler = match pad {
            _ if packing != Packing::TwoDigits || is_even => Filler::None,
            Pad::LeftZero => Filler::First,
            Pad::RightZero => Filler::Last,
            Pad::LeftF | Pad::RightF => Filler::NoDigit,
        };
        Some(Self {
            scan,
            company: if joins_prefix { Company::of(scan) } else { Company::ALONE },
            filler,
            size,
        })
    }

    /// Where the value is, if the element has its common form. Its characters are still to be looked at, and whether the
    /// input has so many.
    #[inline(always)]
    pub(crate) fn span(&self, input: &[u8], at: u32) -> Option<Span> {
        let (start, bytes, characters) = match self.size {
            Size::Fixed { bytes, characters } => (at, bytes, characters),
            Size::Announced { prefix, packing, min, max } => {
                let (start, count) = prefix.read(input, at)?;
                if count < min || count > max {
                    return None;
                }
                let (bytes, characters) = packing.spread(count)?;
                (start, bytes, characters)
            }
            Size::Unknown => return None,
        };
        let end = start.checked_add(bytes)?;
        if self.filler != Filler::None && characters % 2 == 1 {
            let filler = match self.filler {
                Filler::First => input.get(start as usize)? >> 4,
                Filler::Last => input.get(end as usize - 1)? & 0x0F,
                Filler::None | Filler::NoDigit => return None,
            };
            if filler != 0 {
                return None;
            }
        }
        Some(Span { start, end, characters })
    }

    /// Where the value is, if nothing is wrong with it.
    #[inline(always)]
    pub(crate) fn locate(&self, input: &[u8], at: usize) -> Option<Span> {
        let span = self.span(input, u32::try_from(at).ok()?)?;
        let value = input.get(span.start as usize..span.end as usize)?;
        self.scan.accepts(value).then_some(span)
    }
}

impl Packing {
    /// How many bytes on the wire, and how many characters, a value has whose length is `count`. `None` if there is no
    /// such value.
    #[inline(always)]
    const fn spread(self, count: u32) -> Option<(u32, u32)> {
        match self {
            Self::None => Some((count, count)),
            Self::TwoDigits => Some((count.div_ceil(2), count)),
            Self::HexPairs if count.is_multiple_of(2) => Some((count, count / 2)),
            Self::HexPairs => None,
        }
    }
}

impl QuickPrefix {
    fn of(prefix: Prefix) -> Option<Self> {
        match (prefix.encoding, prefix.width) {
            (PrefixEncoding::Ascii, 2) => Some(Self::Two(b'0')),
            (PrefixEncoding::Ascii, 3) => Some(Self::Three(b'0')),
            (PrefixEncoding::Ebcdic, 2) => Some(Self::Two(0xF0)),
            (PrefixEncoding::Ebcdic, 3) => Some(Self::Three(0xF0)),
            (PrefixEncoding::Bcd, 1 | 2) => Some(Self::PackedTwo),
            (PrefixEncoding::Bcd, 3 | 4) => Some(Self::PackedFour),
            (PrefixEncoding::Binary, 1) => Some(Self::Byte),
            (PrefixEncoding::Binary, 2) => Some(Self::TwoBytes),
            _ => None,
        }
    }

    /// Where the value starts, and the announced length.
    #[inline(always)]
    fn read(self, input: &[u8], at: u32) -> Option<(u32, u32)> {
        let wire = input.get(at as usize..)?;
        let digit = |byte: u8, zero: u8| {
            let digit = byte.wrapping_sub(zero);
            (digit <= 9).then_some(u32::from(digit))
        };
        let pair = |byte: u8| Some(digit(byte >> 4, 0)? * 10 + digit(byte & 0x0F, 0)?);
        let (size, count) = match self {
            Self::Two(zero) => {
                let [tens, ones] = *wire.first_chunk()?;
                (2, digit(tens, zero)? * 10 + digit(ones, zero)?)
            }
            Self::Three(zero) => {
                let [hundreds, tens, ones] = *wire.first_chunk()?;
                (3, digit(hundreds, zero)? * 100 + digit(tens, zero)? * 10 + digit(ones, zero)?)
            }
            Self::PackedTwo => (1, pair(*wire.first()?)?),
            Self::PackedFour => {
                let [high, low] = *wire.first_chunk()?;
                (2, pair(high)? * 100 + pair(low)?)
            }
            Self::Byte => (1, u32::from(*wire.first()?)),
            Self::TwoBytes => (2, u32::from(u16::from_be_bytes(*wire.first_chunk()?))),
        };
        Some((at.checked_add(size)?, count))
    }
}
