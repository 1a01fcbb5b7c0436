//! Sixteen hexadecimal digits, as a bitmap is written, all at once.

use crate::scan::{LOW_HALVES, each, no_hex_digits};

/// The number that sixteen hexadecimal ASCII digits are. `None` if one of them is no such digit.
#[inline]
pub(crate) const fn hex_word(digits: &[u8; 16]) -> Option<u64> {
    let [high, low] = *digits.as_chunks::<8>().0 else { return None };
    let (high, low) = (u64::from_be_bytes(high), u64::from_be_bytes(low));
    if no_hex_digits(high) | no_hex_digits(low) == 0 { Some(value(high) << 32 | value(low)) } else { None }
}

/// The number that eight digits are; the first is the highest byte.
#[inline]
const fn value(digits: u64) -> u64 {
    // A letter's bit 6 is set, and its low half counts from 1.
    let halves = (digits & LOW_HALVES).wrapping_add(((digits >> 6) & each(1)).wrapping_mul(9));
    let bytes = (halves | halves >> 4) & 0x00FF_00FF_00FF_00FF;
    let pairs = (bytes | bytes >> 8) & 0x0000_FFFF_0000_FFFF;
    (pairs | pairs >> 16) & 0xFFFF_FFFF
}

/// A number as sixteen digits, with capital letters.
#[inline]
pub(crate) fn hex_digits(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    let (high, low) = digits.split_at_mut(8);
    high.copy_from_slice(&eight_digits(number >> 32).to_be_bytes());
    low.copy_from_slice(&eight_digits(number & 0xFFFF_FFFF).to_be_bytes());
    digits
}

/// The digits of a number of 32 bits; the first is the highest byte.
#[inline]
const fn eight_digits(number: u64) -> u64 {
    let pairs = (number | number << 16) & 0x0000_FFFF_0000_FFFF;
    let bytes = (pairs | pairs << 8) & 0x00FF_00FF_00FF_00FF;
    let halves = (bytes | bytes << 4) & LOW_HALVES;
    // Sixteen less ten are six: with it, what is ten or more reaches the next half.
    let is_letter = (halves.wrapping_add(each(6)) >> 4) & each(1);
    halves.wrapping_add(each(b'0')).wrapping_add(is_letter.wrapping_mul((b'A' - b'9' - 1) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sixteen_digits_are_written_and_read_as_their_number(
            number in any::<u64>(), at in 0..16_usize, wrong in any::<u8>(),
        ) {
            let mut digits = hex_digits(number);
            prop_assert_eq!(format!("{number:016X}").into_bytes(), digits.to_vec());
            prop_assert_eq!(hex_word(&digits), Some(number));
            digits[at] = digits[at].to_ascii_lowercase();
            prop_assert_eq!(hex_word(&digits), Some(number));
            digits[at] = wrong;
            prop_assert_eq!(hex_word(&digits).is_some(), wrong.is_ascii_hexdigit());
        }
    }
}
