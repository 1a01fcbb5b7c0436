//! What must never be printed in clear, and what is printed in its place.
//!
//! Some data elements are card data in every dialect and are always masked; a dialect can only add to
//! them. Card numbers keep their first six and last four digits, as card rules allow, so that a person
//! can still tell two cards apart. Nothing is kept of anything else.

/// Card number, expiry, tracks 2, 3 and 1, PIN block and chip data: masked in every dialect.
const ALWAYS: [u8; 7] = [2, 14, 35, 36, 45, 52, 55];

/// The primary account number.
const CARD_NUMBER: u8 = 2;

/// Masks longer than this say nothing more.
const STARS_MAX: usize = 16;

/// Whether `de` is masked whatever the dialect says.
pub(crate) fn is_always_masked(de: u8) -> bool {
    ALWAYS.contains(&de)
}

/// What is printed in place of the value of `de`.
pub(crate) fn masked(de: u8, value: &str) -> String {
    if de == CARD_NUMBER
        && value.len() >= 13
        && value.bytes().all(|byte| byte.is_ascii_digit())
        && let (Some(first), Some(last)) = (value.get(..6), value.get(value.len() - 4..))
    {
        return format!("{first}{}{last}", "*".repeat(value.len() - 10));
    }
    "*".repeat(value.chars().count().min(STARS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_keeps_six_and_four_digits() {
        assert_eq!(masked(2, "4242424242424242"), "424242******4242");
        assert_eq!(masked(2, "4242424242424"), "424242***2424");
    }

    #[test]
    fn what_is_too_short_or_no_card_number_keeps_nothing() {
        assert_eq!(masked(2, "424242424242"), "************");
        assert_eq!(masked(2, "4242424242424A42"), "****************");
        assert_eq!(masked(35, "4242424242424242=2912101"), "****************");
        assert_eq!(masked(14, "2912"), "****");
    }
}
