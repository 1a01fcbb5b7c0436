//! EBCDIC: the character sets of mainframes, as code pages 500 and 1047.
//!
//! Only characters that ASCII has too are known; any other byte is no character and is refused. Letters and
//! digits are the same in both code pages; the brackets, `!`, `|` and `^` are not, and a wrong code page
//! shows only there.

use crate::content::Content;

/// The two code pages of the field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CodePage {
    /// International (Latin 1), the usual one of card networks.
    Cp500,
    /// Open systems (Latin 1), the usual one of Unix services on mainframes.
    Cp1047,
}

/// Marks a byte that is no ASCII character.
const NONE: u8 = 0xFF;

/// The ASCII character of each byte in code page 500, sixteen a row, from 0x00.
#[rustfmt::skip]
const CP500: [u8; 256] = [
    0x00, 0x01, 0x02, 0x03, 0xFF, 0x09, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F,
    0x10, 0x11, 0x12, 0x13, 0xFF, 0xFF, 0x08, 0xFF, 0x18, 0x19, 0xFF, 0xFF, 0x1C, 0x1D, 0x1E, 0x1F,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0A, 0x17, 0x1B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x05, 0x06, 0x07,
    0xFF, 0xFF, 0x16, 0xFF, 0xFF, 0xFF, 0xFF, 0x04, 0xFF, 0xFF, 0xFF, 0xFF, 0x14, 0x15, 0xFF, 0x1A,
    0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x5B, 0x2E, 0x3C, 0x28, 0x2B, 0x21,
    0x26, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x5D, 0x24, 0x2A, 0x29, 0x3B, 0x5E,
    0x2D, 0x2F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x2C, 0x25, 0x5F, 0x3E, 0x3F,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x60, 0x3A, 0x23, 0x40, 0x27, 0x3D, 0x22,
    0xFF, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70, 0x71, 0x72, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0x7E, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7C, 0xFF, 0xFF, 0xFF, 0xFF,
    0x7B, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0x7D, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x51, 0x52, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0x5C, 0xFF, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
];

/// Where code page 1047 differs: byte and ASCII character.
const CP1047_DIFFERS: [(u8, u8); 6] =
    [(0x4A, 0xFF), (0x4F, 0x7C), (0x5A, 0x21), (0xAD, 0x5B), (0xBB, 0xFF), (0xBD, 0x5D)];

const CP1047: [u8; 256] = {
    let mut table = CP500;
    let mut at = 0;
    while at < CP1047_DIFFERS.len() {
        #[allow(clippy::indexing_slicing)] // evaluated at compile time
        {
            let (byte, character) = CP1047_DIFFERS[at];
            table[byte as usize] = character;
        }
        at += 1;
    }
    table
};

const FROM_500: [u8; 128] = inverse(&CP500);
const FROM_1047: [u8; 128] = inverse(&CP1047);

#[allow(clippy::indexing_slicing)] // evaluated at compile time
const fn inverse(table: &[u8; 256]) -> [u8; 128] {
    let mut inverse = [NONE; 128];
    let mut byte = 256;
    while byte > 0 {
        byte -= 1;
        let character = table[byte];
        if character != NONE {
            inverse[character as usize] = byte as u8;
        }
    }
    inverse
}

/// The contents that allow each byte of a code page, as their bits.
const ALLOWED_500: [u16; 256] = allowed(&CP500);
const ALLOWED_1047: [u16; 256] = allowed(&CP1047);

#[allow(clippy::indexing_slicing)] // evaluated at compile time
const fn allowed(table: &[u8; 256]) -> [u16; 256] {
    let mut allowed = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        allowed[byte] = Content::bits_allowing(table[byte]);
        byte += 1;
    }
    allowed
}

impl CodePage {
    /// Whether a content without a sign allows every byte.
    #[inline]
    pub(crate) fn allows(self, content: Content, bytes: &[u8]) -> bool {
        let table = match self {
            Self::Cp500 => &ALLOWED_500,
            Self::Cp1047 => &ALLOWED_1047,
        };
        let allowing = |byte: &u8| table.get(usize::from(*byte)).copied().unwrap_or(0);
        bytes.iter().fold(content.bit(), |bits, byte| bits & allowing(byte)) != 0
    }

    /// The ASCII character of a byte; a byte above 0x7F if it has none.
    #[inline]
    pub(crate) fn to_ascii(self, byte: u8) -> u8 {
        let table = match self {
            Self::Cp500 => &CP500,
            Self::Cp1047 => &CP1047,
        };
        table.get(usize::from(byte)).copied().unwrap_or(NONE)
    }

    /// The byte of an ASCII character. What is not ASCII becomes a byte that no reader accepts.
    #[inline]
    pub(crate) fn to_ebcdic(self, character: u8) -> u8 {
        let table = match self {
            Self::Cp500 => &FROM_500,
            Self::Cp1047 => &FROM_1047,
        };
        table.get(usize::from(character)).copied().unwrap_or(NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ascii_character_has_one_byte_and_comes_back() {
        for page in [CodePage::Cp500, CodePage::Cp1047] {
            for character in 0..0x80 {
                assert_eq!(page.to_ascii(page.to_ebcdic(character)), character, "{page:?} {character:02X}");
            }
        }
    }

    #[test]
    fn the_code_pages_differ_where_they_should() {
        for (character, cp500, cp1047) in [
            (b'0', 0xF0, 0xF0),
            (b'A', 0xC1, 0xC1),
            (b'z', 0xA9, 0xA9),
            (b' ', 0x40, 0x40),
            (b'[', 0x4A, 0xAD),
            (b'!', 0x4F, 0x5A),
            (b'^', 0x5F, 0x5F),
            (b'|', 0xBB, 0x4F),
        ] {
            assert_eq!(CodePage::Cp500.to_ebcdic(character), cp500);
            assert_eq!(CodePage::Cp1047.to_ebcdic(character), cp1047);
        }
    }

    #[test]
    fn a_byte_without_an_ascii_character_is_no_character() {
        assert!(CodePage::Cp500.to_ascii(0x41) > 0x7F);
    }
}
