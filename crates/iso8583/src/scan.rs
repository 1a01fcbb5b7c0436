//! Eight characters at a time: whether a value holds only what it may hold.
//!
//! This is the fast yes of decoding: one branch where the plain way has one for each character. A no is never
//! final: the plain way in [`Content::first_wrong`] decides then, and points at the fault; the tests hold the
//! two against each other.
//!
//! Each function takes eight bytes as one word and answers for each with the high bit of its byte. Bytes
//! above 0x7F are refused first, so that no addition below carries into the next byte.

use crate::content::Content;
use crate::encoding::Encoding;

const HIGH: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;
/// Turns capital letters into small ones.
const SMALL: u64 = 0x2020_2020_2020_2020;
/// Turns EBCDIC digits into ASCII digits, and nothing else into one.
const EBCDIC_DIGITS: u64 = 0xC0C0_C0C0_C0C0_C0C0;
const LOW_HALVES: u64 = 0x0F0F_0F0F_0F0F_0F0F;
const SIXES: u64 = 0x0606_0606_0606_0606;

/// The bytes between `low` and `high`, both included.
#[inline]
const fn between(word: u64, low: u8, high: u8) -> u64 {
    let at_least = word.wrapping_add(ONES.wrapping_mul((0x80 - low) as u64));
    let above = word.wrapping_add(ONES.wrapping_mul((0x7F - high) as u64));
    at_least & !above & HIGH
}

#[inline]
const fn digits(word: u64) -> u64 {
    between(word, b'0', b'9')
}

#[inline]
const fn letters(word: u64) -> u64 {
    between(word | SMALL, b'a', b'z')
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
            (Encoding::Bcd, Content::Numeric) => Self::PackedDigits,
            (Encoding::Binary, Content::Binary) => Self::Anything,
            _ => Self::Never,
        }
    }

    /// Whether every byte of `value` is allowed. `false` decides nothing.
    #[inline(always)]
    pub(crate) fn accepts(self, value: &[u8]) -> bool {
        let space = |word| between(word, b' ', b' ');
        match self {
            Self::Digits => every_word(value, |word| seven_bits(word, digits(word))),
            Self::Letters => every_word(value, |word| seven_bits(word, letters(word) | space(word))),
            Self::Alphanumeric => {
                every_word(value, |word| seven_bits(word, digits(word) | letters(word) | space(word)))
            }
            Self::Printable => every_word(value, |word| seven_bits(word, between(word, b' ', b'~'))),
            Self::Text => every_word(value, |word| seven_bits(word, HIGH)),
            Self::Track => every_word(value, |word| {
                seven_bits(word, between(word, b'0', b'?') | between(word | SMALL, b'd', b'd'))
            }),
            Self::Hexadecimal => every_word(value, |word| seven_bits(word, hex_digits(word))),
            Self::EbcdicDigits => every_word(value, |word| {
                let word = word ^ EBCDIC_DIGITS;
                seven_bits(word, digits(word))
            }),
            Self::PackedDigits => every_word(value, |word| {
                let (low, high) = (word & LOW_HALVES, (word >> 4) & LOW_HALVES);
                (low.wrapping_add(SIXES) | high.wrapping_add(SIXES)) & !LOW_HALVES == 0
            }),
            Self::Anything => true,
            Self::Never => false,
        }
    }
}

/// Whether all eight bytes are below 0x80 and allowed.
#[inline]
const fn seven_bits(word: u64, allowed: u64) -> bool {
    word & HIGH == 0 && allowed == HIGH
}

#[inline]
const fn hex_digits(word: u64) -> u64 {
    digits(word) | between(word | SMALL, b'a', b'f')
}

/// The number that eight hexadecimal ASCII digits are; what else they may be was checked before.
#[inline]
const fn hex_value(digits: [u8; 8]) -> u64 {
    let word = u64::from_be_bytes(digits);
    // A letter's bit 6 is set, and its low half counts from 1.
    let halves = (word & LOW_HALVES).wrapping_add(((word >> 6) & ONES).wrapping_mul(9));
    let bytes = (halves | halves >> 4) & 0x00FF_00FF_00FF_00FF;
    let pairs = (bytes | bytes >> 8) & 0x0000_FFFF_0000_FFFF;
    (pairs | pairs >> 16) & 0xFFFF_FFFF
}

/// The number that sixteen hexadecimal ASCII digits are. `None` if one of them is no such digit.
#[inline]
pub(crate) fn hex_word(digits: &[u8; 16]) -> Option<u64> {
    let [high, low] = digits.as_chunks::<8>().0 else { return None };
    Scan::Hexadecimal.accepts(digits).then(|| hex_value(*high) << 32 | hex_value(*low))
}

/// Whether `all` holds for every eight bytes of `bytes`. The end overlaps what was seen before, and short
/// values are repeated, so that no byte is invented.
#[inline(always)]
fn every_word(bytes: &[u8], all: impl Fn(u64) -> bool) -> bool {
    if let Some(last) = bytes.last_chunk::<8>() {
        let (words, _) = bytes.as_chunks::<8>();
        return words.iter().all(|word| all(u64::from_le_bytes(*word))) && all(u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return all(u64::from(first) << 32 | u64::from(last));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        let half = u64::from(u16::from_le_bytes(*first)) << 16 | u64::from(u16::from_le_bytes(*last));
        return all(half << 32 | half);
    }
    bytes.first().is_none_or(|only| all(ONES.wrapping_mul(u64::from(*only))))
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
            let halves = text.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
            prop_assert_eq!(Scan::PackedDigits.accepts(&text), halves.clone().all(|half| half <= 9));
        }

        #[test]
        fn sixteen_hexadecimal_digits_are_read_as_their_number(number in any::<u64>(), at in 0..16_usize) {
            let mut digits: [u8; 16] = format!("{number:016X}").into_bytes().try_into().unwrap_or_default();
            prop_assert_eq!(hex_word(&digits), Some(number));
            digits[at] = digits[at].to_ascii_lowercase();
            prop_assert_eq!(hex_word(&digits), Some(number));
            digits[at] = b'g';
            prop_assert_eq!(hex_word(&digits), None);
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
