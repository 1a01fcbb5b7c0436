//! The length in front of a frame, in every form that the field knows.
//!
//! Guarantees that a header which is no length is told apart from a length that is too large, and that
//! the commonest mistakes between two sides are recognised and said in words.

use serde::Deserialize;

/// How the length of a frame is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum LengthHeader {
    /// `binary-2`: two bytes, most significant first. The commonest.
    #[serde(rename = "binary-2")]
    Binary2,
    /// `binary-2-little`: two bytes, least significant first.
    #[serde(rename = "binary-2-little")]
    Binary2Little,
    /// `binary-4`: four bytes, most significant first.
    #[serde(rename = "binary-4")]
    Binary4,
    /// `bcd-2`: two bytes of two digits each.
    #[serde(rename = "bcd-2")]
    Bcd2,
    /// `ascii-2`: two ASCII digits.
    #[serde(rename = "ascii-2")]
    Ascii2,
    /// `ascii-4`: four ASCII digits.
    #[serde(rename = "ascii-4")]
    Ascii4,
    /// `hex-4`: four hexadecimal ASCII digits.
    #[serde(rename = "hex-4")]
    Hex4,
    /// `vml`: four bytes: the length in the first two, then flags. A session control frame has the value 2
    /// in the upper half of its third byte and is not a message.
    #[serde(rename = "vml")]
    Vml,
    /// `flags-2-binary-2`: four bytes: flags, then the length in the last two.
    #[serde(rename = "flags-2-binary-2")]
    Flags2Binary2,
    /// `flags-2-binary-2-flags-2`: six bytes: the length in the middle two.
    #[serde(rename = "flags-2-binary-2-flags-2")]
    Flags2Binary2Flags2,
}

/// What the upper half of a VML header's third byte is where the frame controls the session.
const SESSION_CONTROL: u8 = 2;

/// The digits of a length.
#[derive(Clone, Copy)]
pub(crate) enum Digits {
    Binary,
    BinaryLittle,
    Bcd,
    Ascii,
    Hex,
}

/// Where in a header the length is: bytes before it, its own, bytes after it.
pub(crate) struct Layout {
    before: usize,
    length: usize,
    after: usize,
    pub(crate) digits: Digits,
}

impl LengthHeader {
    pub(crate) const fn layout(self) -> Layout {
        let (before, length, after, digits) = match self {
            Self::Binary2 => (0, 2, 0, Digits::Binary),
            Self::Binary2Little => (0, 2, 0, Digits::BinaryLittle),
            Self::Binary4 => (0, 4, 0, Digits::Binary),
            Self::Bcd2 => (0, 2, 0, Digits::Bcd),
            Self::Ascii2 => (0, 2, 0, Digits::Ascii),
            Self::Ascii4 => (0, 4, 0, Digits::Ascii),
            Self::Hex4 => (0, 4, 0, Digits::Hex),
            Self::Vml => (0, 2, 2, Digits::Binary),
            Self::Flags2Binary2 => (2, 2, 0, Digits::Binary),
            Self::Flags2Binary2Flags2 => (2, 2, 2, Digits::Binary),
        };
        Layout { before, length, after, digits }
    }

    /// The size of the header in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        let layout = self.layout();
        layout.before + layout.length + layout.after
    }

    /// Whether the header says that its frame controls the session and is not a message.
    pub(crate) fn is_control(self, header: &[u8]) -> bool {
        self.has_control_flags() && header.get(2).is_some_and(|flags| flags >> 4 == SESSION_CONTROL)
    }

    /// Whether the header has a place that says so.
    pub(crate) fn has_control_flags(self) -> bool {
        self == Self::Vml
    }

    /// Makes the header say so.
    pub(crate) fn mark_control(self, header: &mut [u8]) {
        if self.has_control_flags()
            && let Some(flags) = header.get_mut(2)
        {
            *flags = SESSION_CONTROL << 4 | (*flags & 0x0F);
        }
    }

    /// Guesses from the header's bytes why the length makes no sense.
    pub(crate) fn hint(self, header: &[u8]) -> Hint {
        match self.layout().digits {
            Digits::Binary | Digits::BinaryLittle | Digits::Bcd if header.iter().all(u8::is_ascii_digit) => {
                Hint::AsciiDigits
            }
            Digits::Ascii | Digits::Hex if header.first() == Some(&0) => Hint::BinaryLength,
            Digits::Binary | Digits::BinaryLittle | Digits::Bcd | Digits::Ascii | Digits::Hex => Hint::None,
        }
    }
}

impl Layout {
    pub(crate) fn length_of<'a>(&self, header: &'a [u8]) -> &'a [u8] {
        header.get(self.before..self.before + self.length).unwrap_or_default()
    }

    /// The announced length; `None` if it is not written in the agreed digits.
    pub(crate) fn read(&self, header: &[u8]) -> Option<usize> {
        let wire = self.length_of(header);
        let bytes = |sum: usize, byte: &u8| Some((sum << 8) | usize::from(*byte));
        let digits = |sum: usize, byte: &u8, base: u32| {
            let digit = char::from(*byte).to_digit(base)?;
            Some(sum * base as usize + digit as usize)
        };
        match self.digits {
            Digits::Binary => wire.iter().try_fold(0, bytes),
            Digits::BinaryLittle => wire.iter().rev().try_fold(0, bytes),
            Digits::Ascii => wire.iter().try_fold(0, |sum, byte| digits(sum, byte, 10)),
            Digits::Hex => wire.iter().try_fold(0, |sum, byte| digits(sum, byte, 16)),
            Digits::Bcd => wire.iter().try_fold(0, |sum, byte| {
                let (high, low) = (byte >> 4, byte & 0x0F);
                (high <= 9 && low <= 9).then(|| sum * 100 + usize::from(high * 10 + low))
            }),
        }
    }

    /// Writes `length`, which the caller has checked against [`Layout::largest`].
    pub(crate) fn write(&self, length: usize, header: &mut [u8]) {
        let Some(wire) = header.get_mut(self.before..self.before + self.length) else { return };
        let mut rest = length;
        for byte in wire.iter_mut().rev() {
            let (value, left) = match self.digits {
                Digits::Binary | Digits::BinaryLittle => (rest & 0xFF, rest >> 8),
                Digits::Bcd => (((rest / 10 % 10) << 4) | (rest % 10), rest / 100),
                Digits::Ascii => (usize::from(b'0') + rest % 10, rest / 10),
                Digits::Hex => {
                    let digit = u32::try_from(rest & 0xF).ok().and_then(|digit| char::from_digit(digit, 16));
                    (digit.map_or(0, |digit| digit.to_ascii_uppercase() as usize), rest >> 4)
                }
            };
            *byte = u8::try_from(value).unwrap_or(0);
            rest = left;
        }
        if matches!(self.digits, Digits::BinaryLittle) {
            wire.reverse();
        }
    }

    /// The largest number that the header can hold.
    pub(crate) fn largest(&self) -> usize {
        let (base, width): (usize, usize) = match self.digits {
            Digits::Binary | Digits::BinaryLittle => (256, self.length),
            Digits::Bcd => (100, self.length),
            Digits::Ascii => (10, self.length),
            Digits::Hex => (16, self.length),
        };
        (0..width).try_fold(1_usize, |over, _| over.checked_mul(base)).map_or(usize::MAX, |over| over - 1)
    }
}

impl Digits {
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Binary | Self::BinaryLittle => "a binary number",
            Self::Bcd => "BCD digits",
            Self::Ascii => "ASCII digits",
            Self::Hex => "hexadecimal ASCII digits",
        }
    }
}

/// A guess at what the other side sends instead, for the person who reads the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hint {
    /// Nothing to add.
    None,
    /// A binary length was expected and ASCII digits came.
    AsciiDigits,
    /// ASCII digits were expected and a small binary number came.
    BinaryLength,
}

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "",
            Self::AsciiDigits => " (the header looks like ASCII digits read as a binary length)",
            Self::BinaryLength => " (the header looks like a binary length read as ASCII digits)",
        })
    }
}
