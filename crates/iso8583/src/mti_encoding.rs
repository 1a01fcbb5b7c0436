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
        let mti = match self {
            Self::Packed => Mti::from_hex_digits(digits),
            Self::Ascii | Self::Ebcdic | Self::Bcd => Mti::from_digits(digits),
        };
        let mti = mti.filter(|mti| self.can_write(*mti)).ok_or_else(|| self.wrong(rest, digits, at))?;
        Ok((mti, at + size))
    }

    /// What is wrong, and what it looks like instead: a wrong dialect is the first mistake of every new link.
    #[cold]
    fn wrong(self, rest: &[u8], digits: [u8; 4], at: usize) -> Fault {
        let found = rest.get(..self.bytes()).unwrap_or_default();
        let other = |looks_like: &&str| !self.describe().ends_with(looks_like);
        if let Some(looks_like) = look(rest).filter(other) {
            return Fault::OtherMti { found: found.into(), allowed: self.describe(), looks_like };
        }
        let wrong = digits.iter().position(|digit| !digit.is_ascii_digit()).unwrap_or(0);
        let byte = match self {
            Self::Ascii | Self::Ebcdic => wrong,
            Self::Bcd | Self::Packed => wrong / 2,
        };
        Fault::Content { at: at + byte, found: rest.get(byte).copied(), allowed: "digits" }
    }

    /// Whether an MTI that is written so can be read again.
    pub(crate) fn can_write(self, mti: Mti) -> bool {
        let digits = mti.digits();
        match self {
            Self::Ascii | Self::Ebcdic => digits.iter().all(u8::is_ascii_digit),
            // 0x3031 would be an MTI of a version that nobody uses: it is 01 in ASCII.
            Self::Bcd => digits.iter().all(u8::is_ascii_digit) && !matches!(digits, [b'3', _, b'3', _]),
            Self::Packed => true,
        }
    }

    const fn describe(self) -> &'static str {
        match self {
            Self::Ascii => "four ASCII digits",
            Self::Ebcdic => "four EBCDIC digits",
            Self::Bcd | Self::Packed => "four BCD digits",
        }
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

/// Whether four ASCII digits come first.
fn is_ascii(rest: &[u8]) -> bool {
    rest.first_chunk::<4>().is_some_and(|first| first.iter().all(u8::is_ascii_digit))
}

/// Whether the first byte is that of an MTI in BCD: version 0 to 2, then a class.
fn is_bcd(rest: &[u8]) -> bool {
    matches!(rest.first(), Some(0x01..=0x08 | 0x11..=0x18 | 0x21..=0x28))
}

/// What the start of a message looks like, if it can be told.
fn look(rest: &[u8]) -> Option<&'static str> {
    let announces = |bytes: [u8; 2]| usize::from(u16::from_be_bytes(bytes)) + 2 == rest.len();
    let is_ebcdic = |first: &[u8; 4]| first.iter().all(|byte| matches!(byte, 0xF0..=0xF9));
    if rest.first_chunk().is_some_and(|first| announces(*first)) {
        Some("a frame length of two bytes")
    } else if is_ascii(rest) {
        Some("ASCII digits")
    } else if rest.first_chunk().is_some_and(is_ebcdic) {
        Some("EBCDIC digits")
    } else if rest.first() == Some(&0x60) && rest.get(5..).is_some_and(is_bcd) {
        Some("a TPDU before BCD digits")
    } else if rest.first() == Some(&0x16) && rest.get(22..).is_some_and(is_bcd) {
        Some("a BASE I header before BCD digits")
    } else if is_bcd(rest) {
        Some("BCD digits")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(encoding: MtiEncoding, wire: &[u8]) -> String {
        encoding.read(wire, 0).map_or_else(|fault| fault.to_string(), |(mti, _)| mti.to_string())
    }

    #[test]
    fn every_encoding_reads_its_own_and_says_what_the_others_look_like() {
        let tpdu = [&[0x60, 0, 8, 0, 0][..], &[0x02, 0x00, 0x70]].concat();
        let base_i = [&[0x16][..], &[0; 21], &[0x01, 0x00, 0x70]].concat();
        for (encoding, wire, expected) in [
            (MtiEncoding::Ascii, &b"0100\x72"[..], "0100"),
            (MtiEncoding::Ebcdic, b"\xF0\xF1\xF0\xF0", "0100"),
            (MtiEncoding::Bcd, b"\x01\x00\x72\x3C", "0100"),
            (MtiEncoding::Bcd, b"\x12\x34\x72\x3C", "1234"),
            (MtiEncoding::Packed, b"\xAB\xCD", "ABCD"),
            (
                MtiEncoding::Ascii,
                b"\xF0\xF1\xF0\xF0",
                "[F0, F1, F0, F0] is not four ASCII digits; it looks like EBCDIC digits",
            ),
            (
                MtiEncoding::Ascii,
                b"\x01\x00\x72\x3C",
                "[01, 00, 72, 3C] is not four ASCII digits; it looks like BCD digits",
            ),
            (MtiEncoding::Bcd, b"0100\x72", "[30, 31] is not four BCD digits; it looks like ASCII digits"),
            (
                MtiEncoding::Ascii,
                b"\x00\x060100..",
                "[00, 06, 30, 31] is not four ASCII digits; it looks like a frame length of two bytes",
            ),
            (
                MtiEncoding::Ascii,
                &tpdu,
                "[60, 00, 08, 00] is not four ASCII digits; it looks like a TPDU before BCD digits",
            ),
            (
                MtiEncoding::Ascii,
                &base_i,
                "[16, 00, 00, 00] is not four ASCII digits; it looks like a BASE I header before BCD digits",
            ),
            (MtiEncoding::Bcd, b"\x30\x35\0\0", "0x30 ('0') at offset 0 is not among the allowed digits"),
            (MtiEncoding::Ascii, b"01x0", "0x78 ('x') at offset 2 is not among the allowed digits"),
        ] {
            assert_eq!(fault(encoding, wire), expected);
        }
    }
}
