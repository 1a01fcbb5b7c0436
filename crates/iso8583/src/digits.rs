//! Decimal digits to numbers, eight at a time.

use crate::encoding::{Pad, nibbles};
use crate::scan::{LOW_HALVES, each, no_digits};

/// The number that ASCII digits are. `None` if one of them is none, there are none, or it exceeds 64 bits.
#[inline]
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    let (head, words) = digits.as_rchunks::<8>();
    // What the head lacks is filled up with zeros, so that it is looked at like the other words.
    let zeros = each(b'0') >> (8 * head.len());
    let wrong = words.iter().fold(no_digits(padded(head) | zeros, b'0'), |wrong, word| {
        wrong | no_digits(u64::from_le_bytes(*word), b'0')
    });
    if wrong != 0 || digits.is_empty() { None } else { number_of(digits) }
}

/// The number that the low halves of bytes are, each of them a digit: ASCII and EBCDIC alike. `None` if it exceeds
/// 64 bits.
#[inline]
pub(crate) fn number_of(digits: &[u8]) -> Option<u64> {
    let (head, words) = digits.as_rchunks::<8>();
    words.iter().try_fold(value(padded(head)), |sum, word| {
        sum.checked_mul(100_000_000)?.checked_add(value(u64::from_le_bytes(*word)))
    })
}

/// Up to seven digits at the end of a word.
#[inline]
fn padded(digits: &[u8]) -> u64 {
    let missing = 64 - 8 * digits.len() as u32;
    if let (Some(first), Some(last)) = (digits.first_chunk::<4>(), digits.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*first)) << missing | u64::from(u32::from_le_bytes(*last)) << 32;
    }
    if let (Some(first), Some(last)) = (digits.first_chunk::<2>(), digits.last_chunk::<2>()) {
        return u64::from(u16::from_le_bytes(*first)) << missing | u64::from(u16::from_le_bytes(*last)) << 48;
    }
    digits.first().map_or(0, |only| u64::from(*only) << 56)
}

/// The number that eight digits are; the first is the lowest byte.
#[inline]
const fn value(digits: u64) -> u64 {
    let halves = digits & LOW_HALVES;
    let pairs = halves.wrapping_mul(10).wrapping_add(halves >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF
}

/// The number that so many digits are, two a byte. `None` if it exceeds 64 bits.
#[inline]
pub(crate) fn number_of_packed(wire: &[u8], digits: usize, pad: Pad) -> Option<u64> {
    let is_odd = !digits.is_multiple_of(2);
    if wire.len() > PAIRS_MAX || is_odd && !pad.is_left() {
        return nibbles(wire, digits, pad)
            .try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit)));
    }
    let (first, pairs) = match wire.split_first() {
        Some((filled, pairs)) if is_odd => (u64::from(filled & 0x0F), pairs),
        _ => (0, wire),
    };
    Some(pairs.iter().fold(first, |sum, pair| sum * 100 + u64::from((pair >> 4) * 10 + (pair & 0x0F))))
}

/// Pairs of digits that fit 64 bits for sure.
const PAIRS_MAX: usize = 9;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    /// One digit after the other.
    fn plainly(digits: impl Iterator<Item = u8>) -> Option<u64> {
        digits.into_iter().try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit)))
    }

    #[test]
    fn the_largest_numbers_are_read_and_larger_ones_are_not() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(number(b"018446744073709551615"), Some(u64::MAX));
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(number(b"99999999999999999999999999999999"), None);
        assert_eq!((number(b""), number(b"0"), number(b"/"), number(b":")), (None, Some(0), None, None));
    }

    proptest! {
        #[test]
        fn digits_are_read_as_one_after_the_other(
            digits in proptest::collection::vec(0..10_u8, 1..24), at in any::<usize>(), stray in any::<u8>(),
        ) {
            let expected = plainly(digits.iter().copied());
            let mut ascii: Vec<u8> = digits.iter().map(|digit| b'0' + digit).collect();
            let ebcdic: Vec<u8> = digits.iter().map(|digit| 0xF0 + digit).collect();
            prop_assert_eq!(number(&ascii), expected);
            prop_assert_eq!(number_of(&ascii), expected);
            prop_assert_eq!(number_of(&ebcdic), expected);
            let at = at % ascii.len();
            ascii[at] = stray;
            let expected = ascii.iter().all(u8::is_ascii_digit).then(|| plainly(ascii.iter().map(|digit| digit - b'0')));
            prop_assert_eq!(number(&ascii), expected.flatten());
        }

        #[test]
        fn packed_digits_are_read_as_one_after_the_other(digits in proptest::collection::vec(0..10_u8, 1..24)) {
            for pad in [Pad::LeftZero, Pad::RightZero, Pad::LeftF, Pad::RightF] {
                let text: Vec<u8> = digits.iter().map(|digit| b'0' + digit).collect();
                let mut wire = Vec::new();
                crate::encoding::pack(&text, pad, crate::Content::Numeric, &mut wire).unwrap();
                let expected = plainly(digits.iter().copied());
                prop_assert_eq!(number_of_packed(&wire, digits.len(), pad), expected, "{:?}", pad);
            }
        }
    }
}
