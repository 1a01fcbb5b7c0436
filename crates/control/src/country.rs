//! ISO 3166 country codes: taken as alpha-2, alpha-3 or numeric, answered as alpha-2.

use domain::CountryCode;

/// Reads `DE`, `DEU` or `276`.
pub(crate) fn parse(text: &str) -> Option<CountryCode> {
    let country = match text.len() {
        2 => rust_iso3166::from_alpha2(text),
        3 if text.bytes().all(|byte| byte.is_ascii_digit()) => rust_iso3166::from_numeric_str(text),
        3 => rust_iso3166::from_alpha3(text),
        _ => None,
    };
    country.map(|country| CountryCode(country.numeric))
}

/// Reads 276.
pub(crate) fn from_number(number: i128) -> Option<CountryCode> {
    let number = u16::try_from(number).ok()?;
    rust_iso3166::from_numeric(number).map(|country| CountryCode(country.numeric))
}

/// Writes `DE`; a code that ISO 3166 does not list stays a number.
pub(crate) fn text(country: CountryCode) -> String {
    rust_iso3166::from_numeric(country.0)
        .map_or_else(|| format!("{:03}", country.0), |country| country.alpha2.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_read_in_three_forms_and_written_in_one() {
        for form in ["DE", "DEU", "276"] {
            assert_eq!(parse(form), Some(CountryCode(276)), "{form}");
        }
        assert_eq!(from_number(36).map(text).as_deref(), Some("AU"));
        assert_eq!(text(CountryCode(276)), "DE");
        for bad in ["", "de", "D", "XX", "XXX", "999", "27a", "DEUT"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(from_number(1_000), None);
        assert_eq!(from_number(-1), None);
    }
}
