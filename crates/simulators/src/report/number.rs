//! Numbers as people read them: thousands apart, durations with a fitting unit, money with its point.

use std::time::Duration;

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3 + 1);
    if number < 0 {
        out.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    thousands(i128::from(number))
}

/// An amount of money with `decimals` digits after the point: `1,234.50`.
pub(crate) fn money(minor: i128, decimals: u8) -> String {
    let Some(one) = 10_i128.checked_pow(u32::from(decimals)).filter(|one| *one > 1) else {
        return thousands(minor);
    };
    let (whole, rest) = (minor / one, (minor % one).unsigned_abs());
    let sign = if minor < 0 && whole == 0 { "-" } else { "" };
    format!("{sign}{}.{rest:0width$}", thousands(whole), width = usize::from(decimals))
}

/// A duration in three significant digits: `87.3 µs`, `1.92 ms`, `130 ms`, `2.40 s`.
pub(crate) fn duration(duration: Duration) -> String {
    let micros = duration.as_nanos() as f64 / 1_000.0;
    if micros < 999.5 {
        return format!("{} µs", three_digits(micros));
    }
    if micros < 999_500.0 {
        return format!("{} ms", three_digits(micros / 1_000.0));
    }
    format!("{} s", three_digits(micros / 1_000_000.0))
}

fn three_digits(value: f64) -> String {
    if value >= 99.95 {
        format!("{value:.0}")
    } else if value >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A power of ten of microseconds as an axis shows it: `100 µs`, `1 ms`, `10 s`.
pub(crate) fn decade(exponent: i32) -> String {
    let power = |exponent: i32| 10_i64.pow(exponent.clamp(0, 9).unsigned_abs());
    match exponent {
        ..3 => format!("{} µs", power(exponent)),
        3..6 => format!("{} ms", power(exponent - 3)),
        _ => format!("{} s", power(exponent - 6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_easily() {
        assert_eq!([0, 999, 1_000, -1_234_567].map(thousands), ["0", "999", "1,000", "-1,234,567"]);
        assert_eq!(money(123_450, 2), "1,234.50");
        assert_eq!(money(-5, 2), "-0.05");
        assert_eq!(money(-1_205, 2), "-12.05");
        assert_eq!(money(1_500, 0), "1,500");
        assert_eq!(money(1_000_001, 6), "1.000001");
    }

    #[test]
    fn durations_have_three_digits_and_a_fitting_unit() {
        for (nanos, expected) in [
            (0, "0.00 µs"),
            (87_300, "87.3 µs"),
            (999_600, "1.00 ms"),
            (1_920_000, "1.92 ms"),
            (130_400_000, "130 ms"),
            (999_600_000, "1.00 s"),
            (12_340_000_000, "12.3 s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(nanos)), expected);
        }
        assert_eq!([1, 3, 5, 6, 7].map(decade), ["10 µs", "1 ms", "100 ms", "1 s", "10 s"]);
    }
}
