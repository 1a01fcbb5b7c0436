//! Whether a value holds only what it may hold: eight characters at a time.
//!
//! This is the fast yes of decoding: a few instructions for eight characters where the plain way has some for each. A no is
//! never final: the plain way in [`Content::first_wrong`] decides then, and points at the fault; the tests hold the
//! two against each other.
//!
//! Each function takes eight bytes as one word and answers with bits that are set where a byte is not allowed. An addition
//! carries from a byte into the next only where the byte itself is above 0x7F, and such a byte is not allowed anyway. Letters
//! are all over the place in EBCDIC; there a table says of each byte which contents allow it.

use crate::content::Content;
use crate::ebcdic::CodePage;
use crate::encoding::Encoding;
use crate::length::PrefixEncoding;

const HIGH: u64 = each(0x80);
const HIGH_HALVES: u64 = each(0xF0);
pub(crate) const LOW_HALVES: u64 = each(0x0F);

/// The same byte eight times.
pub(crate) const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The high bit of each byte between `low` and `high`, both included; other bits are noise.
#[inline(always)]
const fn between(word: u64, low: u8, high: u8) -> u64 {
    let at_least = word.wrapping_add(each(0x80 - low));
    let above = word.wrapping_add(each(0x7F - high));
    at_least & !above
}

/// The same for letters up to `last`, which is a small one, or the capital of one.
#[inline(always)]
const fn letters(word: u64, last: u8) -> u64 {
    between(word | each(0x20), b'a', last)
}

/// What is wrong where digits begin at `zero`: high halves that are not its own, or low ones above nine.
#[inline(always)]
pub(crate) const fn no_digits(word: u64, zero: u8) -> u64 {
    let values = word ^ each(zero);
    (values | values.wrapping_add(each(6))) & HIGH_HALVES
}

/// What is wrong where the high bits of `allowed` say what is not.
#[inline(always)]
const fn but(word: u64, allowed: u64) -> u64 {
    (word | !allowed) & HIGH
}

/// What is wrong with hexadecimal digits.
#[inline(always)]
pub(crate) const fn no_hex_digits(word: u64) -> u64 {
    but(word, letters(word, b'f') | between(word, b'0', b'9'))
}

/// Which fast check a value has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scan {
    /// ASCII digits.
    Digits,
    /// ASCII letters and spaces.
    Letters,
    /// ASCII letters, digits and spaces.
    Alphanumeric,
    /// Printable ASCII characters.
    Printable,
    /// Seven-bit characters.
    Text,
    /// ASCII track characters.
    Track,
    /// Hexadecimal ASCII digits.
    Hexadecimal,
    /// EBCDIC digits.
    EbcdicDigits,
    /// EBCDIC characters that a content allows.
    Ebcdic(CodePage, Content),
    /// Two digits a byte.
    PackedDigits,
    /// Any byte.
    Anything,
    /// There is none; the slow way decides.
    Never,
}

impl Scan {
    /// The fast check for a value of this content and encoding.
    pub(crate) const fn of(content: Content, encoding: Encoding) -> Self {
        match (encoding, content) {
            (Encoding::Ascii, Content::Numeric) => Self::Digits,
            (Encoding::Ascii, Content::Alphabetic) => Self::Letters,
            (Encoding::Ascii, Content::Alphanumeric) => Self::Alphanumeric,
            (Encoding::Ascii, Content::Printable) => Self::Printable,
            (Encoding::Ascii, Content::Text) => Self::Text,
            (Encoding::Ascii, Content::Track) => Self::Track,
            (Encoding::Ascii, Content::Hexadecimal) => Self::Hexadecimal,
            (Encoding::Ebcdic(_), Content::Numeric) => Self::EbcdicDigits,
            (
                Encoding::Ebcdic(page),
                Content::Alphabetic
                | Content::Alphanumeric
                | Content::Printable
                | Content::Text
                | Content::Track
                | Content::Hexadecimal,
            ) => Self::Ebcdic(page, content),
            (Encoding::Bcd, Content::Numeric) => Self::PackedDigits,
            (Encoding::Binary, Content::Binary) => Self::Anything,
            (Encoding::Hex, Content::Binary) => Self::Hexadecimal,
            _ => Self::Never,
        }
    }

    /// A number for each, below 255.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Digits => 0,
            Self::Letters => 1,
            Self::Alphanumeric => 2,
            Self::Printable => 3,
            Self::Text => 4,
            Self::Track => 5,
            Self::Hexadecimal => 6,
            Self::EbcdicDigits => 7,
            Self::PackedDigits => 8,
            Self::Anything => 9,
            Self::Never => 10,
            Self::Ebcdic(CodePage::Cp500, content) => 16 + content as u8,
            Self::Ebcdic(CodePage::Cp1047, content) => 32 + content as u8,
        }
    }

    /// Whether the digits of a length prefix that is written so are among what is allowed.
    pub(crate) const fn allows_prefix(self, encoding: PrefixEncoding) -> bool {
        match self {
            Self::Digits
            | Self::Alphanumeric
            | Self::Printable
            | Self::Text
            | Self::Track
            | Self::Hexadecimal => matches!(encoding, PrefixEncoding::Ascii),
            Self::EbcdicDigits => matches!(encoding, PrefixEncoding::Ebcdic),
            Self::Ebcdic(_, content) => {
                matches!(encoding, PrefixEncoding::Ebcdic) && !matches!(content, Content::Alphabetic)
            }
            Self::PackedDigits => matches!(encoding, PrefixEncoding::Bcd),
            Self::Anything => true,
            Self::Letters | Self::Never => false,
        }
    }

    /// Whether every byte of `value` is allowed. `false` decides nothing.
    #[inline(always)]
    pub(crate) fn accepts(self, value: &[u8]) -> bool {
        let digits = |word| between(word, b'0', b'9');
        let space = |word| between(word, b' ', b' ');
        match self {
            Self::Digits => every_word(value, |word| no_digits(word, b'0')),
            Self::Letters => every_word(value, |word| but(word, letters(word, b'z') | space(word))),
            Self::Alphanumeric => {
                every_word(value, |word| but(word, letters(word, b'z') | digits(word) | space(word)))
            }
            Self::Printable => every_word(value, |word| but(word, between(word, b' ', b'~'))),
            Self::Text => every_word(value, |word| word & HIGH),
            Self::Track => every_word(value, |word| {
                but(word, between(word, b'0', b'?') | between(word | each(0x20), b'd', b'd'))
            }),
            Self::Hexadecimal => every_word(value, no_hex_digits),
            Self::EbcdicDigits => every_word(value, |word| no_digits(word, 0xF0)),
            Self::Ebcdic(page, content) => page.allows(content, value),
            Self::PackedDigits => every_word(value, |word| {
                let (low, high) = (word & LOW_HALVES, (word >> 4) & LOW_HALVES);
                (low.wrapping_add(each(6)) | high.wrapping_add(each(6))) & HIGH_HALVES
            }),
            Self::Anything => true,
            Self::Never => false,
        }
    }
}

/// Whether `wrong` finds nothing in any eight bytes. The end overlaps what was seen before, and short values are
/// repeated, so that no byte is invented.
#[inline(always)]
fn every_word(bytes: &[u8], wrong: impl Fn(u64) -> u64) -> bool {
    if let Some(last) = bytes.last_chunk::<8>() {
        let (words, _) = bytes.as_chunks::<8>();
        let found = words.iter().fold(0, |found, word| found | wrong(u64::from_le_bytes(*word)));
        return found | wrong(u64::from_le_bytes(*last)) == 0;
    }
    let word = if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        let half = u64::from(u16::from_le_bytes(*first)) << 16 | u64::from(u16::from_le_bytes(*last));
        half << 32 | half
    } else if let Some(only) = bytes.first() {
        each(*only)
    } else {
        return true;
    };
    wrong(word) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ebcdic::CodePage;
    use proptest::prelude::*;

    const CONTENTS: [Content; 7] = [
        Content::Numeric,
        Content::Alphabetic,
        Content::Alphanumeric,
        Content::Printable,
        Content::Text,
        Content::Track,
        Content::Hexadecimal,
    ];

    const CODE_PAGES: [CodePage; 2] = [CodePage::Cp500, CodePage::Cp1047];

    #[test]
    fn every_byte_of_ebcdic_is_allowed_as_its_character_is() {
        for (page, content) in CODE_PAGES.into_iter().flat_map(|page| CONTENTS.map(|content| (page, content)))
        {
            for byte in 0..=u8::MAX {
                let expected = content.first_wrong_of(std::iter::once(page.to_ascii(byte))).is_none();
                assert_eq!(page.allows(content, &[byte]), expected, "{page:?} {content:?} {byte:02X}");
            }
        }
    }

    #[test]
    fn every_byte_at_every_place_is_judged_as_the_slow_way_does() {
        for content in CONTENTS {
            let Some(good) = (0..=u8::MAX).find(|byte| content.first_wrong(&[*byte]).is_none()) else {
                unreachable!("every content allows something")
            };
            for length in 1..=20 {
                for at in 0..length {
                    for byte in 0..=u8::MAX {
                        let mut text = vec![good; length];
                        text[at] = byte;
                        assert_eq!(
                            Scan::of(content, Encoding::Ascii).accepts(&text),
                            content.first_wrong(&text).is_none(),
                            "{content:?} {text:?}"
                        );
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_as_the_slow_way_does(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            for content in CONTENTS {
                prop_assert_eq!(Scan::of(content, Encoding::Ascii).accepts(&text), content.first_wrong(&text).is_none());
            }
            let as_ascii: Vec<u8> = text.iter().map(|byte| CodePage::Cp500.to_ascii(*byte)).collect();
            prop_assert_eq!(Scan::EbcdicDigits.accepts(&text), Content::Numeric.first_wrong(&as_ascii).is_none());
            for (page, content) in CODE_PAGES.into_iter().flat_map(|page| CONTENTS.map(|content| (page, content))) {
                let as_ascii = text.iter().map(|byte| page.to_ascii(*byte));
                let expected = content.first_wrong_of(as_ascii).is_none();
                prop_assert_eq!(page.allows(content, &text), expected, "{:?} {:?}", page, content);
            }
            let halves = text.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
            prop_assert_eq!(Scan::PackedDigits.accepts(&text), halves.clone().all(|half| half <= 9));
        }

        #[test]
        fn digits_with_one_stray_byte_are_judged_as_the_slow_way_does(
            text in proptest::collection::vec(b'0'..=b'9', 1..40), at in any::<usize>(), stray in any::<u8>(),
        ) {
            let mut text = text;
            let at = at % text.len();
            text[at] = stray;
            prop_assert_eq!(Scan::Digits.accepts(&text), Content::Numeric.first_wrong(&text).is_none());
        }
    }
}
