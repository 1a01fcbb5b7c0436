//! What may be repeated to a client of what it sent: short, printable, and without card data.

/// The most characters of something found that an error repeats.
const SHOWN_MAX: usize = 40;

/// The fewest digits in a row that can be a card number.
const CARD_DIGITS_MIN: usize = 12;

/// `text` as an error may show it: every run of digits that could be a card number becomes `****` and its last
/// four digits, control characters become dots, and the rest is cut after 40 characters. Spaces and dashes do
/// not end a run, because people write card numbers in groups. A text that is an expiry is not shown at all:
/// it may have slipped into the wrong field.
pub(crate) fn shown(text: &str) -> String {
    if domain::Expiry::parse(text.trim()).is_ok() {
        return "****".into();
    }
    let masked = masked(text);
    let mut shown: String =
        masked.chars().take(SHOWN_MAX).map(|c| if c.is_control() { '.' } else { c }).collect();
    if masked.chars().count() > SHOWN_MAX {
        shown.push_str("...");
    }
    shown
}

/// `text` with every run of digits that could be a card number cut to its last four.
pub(crate) fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars() {
        let separator = matches!(c, ' ' | '-') && !run.is_empty();
        if c.is_ascii_digit() || separator {
            run.push(c);
        } else {
            flush(&mut run, &mut out);
            out.push(c);
        }
    }
    flush(&mut run, &mut out);
    out
}

/// Moves a finished run of digits and separators to `out`, masked where it is long enough.
fn flush(run: &mut String, out: &mut String) {
    let digits: Vec<char> = run.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < CARD_DIGITS_MIN {
        out.push_str(run);
    } else {
        out.push_str("****");
        out.extend(digits.iter().skip(digits.len() - 4));
    }
    run.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_masked_however_they_are_grouped() {
        for (text, expected) in [
            ("4242424242424242", "****4242"),
            ("card 4242 4242 4242 4242!", "card ****4242!"),
            ("4242-4242-4242-4242", "****4242"),
            ("x12345678901y", "x12345678901y"),
            ("tx-017-0006423a9f2c1b40", "tx-017-0006423a9f2c1b40"),
            ("2029-12", "2029-12"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_card_number_survives_whatever_stands_around_it(
            number in "[0-9]{12,19}", before in "[^0-9]{0,9}", after in "[^0-9]{0,9}", gap in "[ -]?",
        ) {
            let (head, tail) = number.split_at(6);
            let shown = shown(&format!("{before}{head}{gap}{tail}{after}"));
            let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
            proptest::prop_assert!(digits.len() <= 4, "{shown}");
        }
    }

    #[test]
    fn an_expiry_in_the_wrong_field_is_not_shown_and_a_date_is() {
        assert_eq!(shown("2029-12"), "****");
        assert_eq!(shown(" 2029-12 "), "****");
        assert_eq!(shown("2029-12-01"), "2029-12-01");
    }

    #[test]
    fn what_is_shown_is_short_and_printable() {
        assert_eq!(shown("a\nb"), "a.b");
        assert_eq!(shown(&"x".repeat(50)), format!("{}...", "x".repeat(40)));
    }
}
