//! How the MTI is written on the wire.

use crate::ebcdic::CodePage;
use crate::error::Fault;
use crate::mti::Mti;
use serde::Deserialize;

/// How the MTI is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MtiEncoding {
    /// Four ASCII digits.
    Ascii,
    /// Four EBCDIC digits.
    Ebcdic,
    /// Two bytes of two digits each.
    Bcd,
    /// Two bytes of two hexadecimal digits each, whatever they mean.
    Packed,
}

impl MtiEncoding {
    /// The size of the MTI on the wire.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Ascii | Self::Ebcdic => 4,
            Self::Bcd | Self::Packed => 2,
        }
    }

    /// Reads the MTI at the start of a message; returns where the bitmap starts.
    #[inline]
    pub(crate) fn read(self, input: &[u8], at: usize) -> Result<(Mti, usize), Fault> {
        let rest = input.get(at..).unwrap_or_default();
        let short = |needed| Fault::Short { needed, left: rest.len() };
        let (digits, size) = match self {
            Self::Ascii => (*rest.first_chunk().ok_or(short(4))?, 4),
            Self::Ebcdic => {
                let bytes: [u8; 4] = *rest.first_chunk().ok_or(short(4))?;
                (bytes.map(|byte| CodePage::Cp500.to_ascii(byte)), 4)
            }
            Self::Bcd | Self::Packed => (unpack(*rest.first_chunk().ok_or(short(2))?), 2),
        };
        let mti = if self == Self::Packed { Mti::from_hex_digits(digits) } else { Mti::from_digits(digits) };
        let mti = mti.ok_or_else(|| self.wrong_digit(rest, digits, at))?;
        Ok((mti, at + size))
    }

    fn wrong_digit(self, rest: &[u8], digits: [u8; 4], at: usize) -> Fault {
        let wrong = digits.iter().position(|digit| !digit.is_ascii_digit()).unwrap_or(0);
        let byte = match self {
            Self::Ascii | Self::Ebcdic => wrong,
            Self::Bcd | Self::Packed => wrong / 2,
        };
        Fault::Content { at: at + byte, found: rest.get(byte).copied(), allowed: "digits" }
    }

    pub(crate) fn write(self, mti: Mti, out: &mut bytes::BytesMut) {
        let digits = mti.digits();
        match self {
            Self::Ascii => out.extend_from_slice(&digits),
            Self::Ebcdic => {
                out.extend_from_slice(&digits.map(|digit| CodePage::Cp500.to_ebcdic(digit)));
            }
            Self::Bcd | Self::Packed => {
                let value = |digit: u8| if digit > b'9' { digit - b'A' + 10 } else { digit & 0x0F };
                let [a, b, c, d] = digits.map(value);
                out.extend_from_slice(&[a << 4 | b, c << 4 | d]);
            }
        }
    }
}

/// The four half bytes as characters; what is no digit becomes a letter.
fn unpack([first, second]: [u8; 2]) -> [u8; 4] {
    [first >> 4, first & 0x0F, second >> 4, second & 0x0F].map(crate::encoding::character)
}
