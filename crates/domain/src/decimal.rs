//! Integer amounts as people write them: digits before and after the point, exactly.

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotAnAmount {
    /// Not a decimal number, or with more decimals than there may be.
    Malformed,
    /// It does not fit in 128 bits.
    Overflow,
}

/// Writes an integer amount with `decimals` digits after the point.
pub(crate) fn format_units(units: i128, decimals: u8) -> String {
    let scale = 10_u128.pow(u32::from(decimals));
    let sign = if units < 0 { "-" } else { "" };
    let whole = units.unsigned_abs() / scale;
    let fraction = units.unsigned_abs() % scale;
    match decimals {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction:0width$}", width = usize::from(decimals)),
    }
}

/// Reads an integer amount with at most `decimals` digits after the point; nothing is rounded away.
pub(crate) fn parse_units(text: &str, decimals: u8) -> Result<i128, NotAnAmount> {
    let bad = || NotAnAmount::Malformed;
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let point_without_digits = digits.contains('.') && fraction.is_empty();
    if whole.is_empty() || !plain(whole) || !plain(fraction) || point_without_digits {
        return Err(bad());
    }
    let missing = usize::from(decimals).checked_sub(fraction.len()).ok_or_else(bad)?;
    let joined = format!("{whole}{fraction}{:0<missing$}", "");
    let units: i128 = joined.parse().map_err(|_| NotAnAmount::Overflow)?;
    Ok(if negative { -units } else { units })
}
