//! Amounts: a decimal string, or an integer in the smallest unit. Never a float.

use crate::json::{Faults, Mismatch, Node, Object, leaf};
use crate::mask::shown;
use domain::{Asset, AssetError};

/// An amount as it was sent. What it is worth depends on the decimals of the money that it is read in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Amount {
    /// `"12.50"`.
    Decimal(String),
    /// `{"units": 1250}` or `{"units": "1250"}`.
    Units(i128),
}

const FORMS: &str =
    "a decimal string such as \"12.50\", or {\"units\": 1250} in the smallest unit; never a float";

impl Amount {
    /// Reads either form.
    pub(crate) fn read(node: Node, at: &str, faults: &mut Faults) -> Option<Self> {
        if let Node::Text(text) = node {
            return Some(Self::Decimal(text));
        }
        if !matches!(node, Node::Object(_)) {
            faults.push(at, node.mismatch(FORMS));
            return None;
        }
        let mut object = Object::open(node, at, faults)?;
        let units = object.required("units", faults, leaf(units));
        object.close(faults);
        units.map(Self::Units)
    }

    /// The amount in the smallest unit of `asset`. Nothing is rounded away: more decimals than the asset has
    /// are a mismatch.
    pub(crate) fn units_of(&self, asset: &Asset) -> Result<i128, Mismatch> {
        match self {
            Self::Units(units) => Ok(*units),
            Self::Decimal(text) => asset.parse(text).map(|units| units.0).map_err(|error| {
                let allowed = match error {
                    AssetError::Overflow => "an amount that fits in 128 bits of the smallest unit".to_owned(),
                    AssetError::Amount { .. }
                    | AssetError::Code(_)
                    | AssetError::Decimals { .. }
                    | AssetError::Text(_) => {
                        format!(
                            "a decimal number with at most {} decimals, as {} has",
                            asset.decimals(),
                            asset.code()
                        )
                    }
                };
                Mismatch { found: format!("\"{}\"", shown(text)), allowed }
            }),
        }
    }
}

/// An integer, or a string of digits for numbers beyond 64 bits.
fn units(node: &Node) -> Result<i128, Mismatch> {
    let allowed = "a whole number, or a string of digits";
    match node {
        Node::Integer(number) => Ok(*number),
        Node::Text(text) => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| plain).ok_or_else(|| node.mismatch(allowed))
        }
        Node::Null | Node::Bool(_) | Node::Float | Node::List(_) | Node::Object(_) => {
            Err(node.mismatch(allowed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Currency;

    fn dollars(json: &str) -> Result<i128, String> {
        let mut faults = Faults::default();
        let read = Amount::read(Node::parse(json.as_bytes()).unwrap(), "amount", &mut faults);
        let amount = faults.settle(read).map_err(|problem| problem.faults()[0].to_string())?;
        let usd = Asset::of(Currency::from_alpha("USD").unwrap());
        amount.units_of(&usd).map_err(|mismatch| mismatch.allowed)
    }

    #[test]
    fn both_forms_mean_the_same_amount() {
        for json in [r#""12.50""#, r#""12.5""#, r#"{"units": 1250}"#, r#"{"units": "1250"}"#] {
            assert_eq!(dollars(json), Ok(1250), "{json}");
        }
        assert_eq!(dollars(r#"{"units": "170141183460469231731687303715884105727"}"#), Ok(i128::MAX));
    }

    #[test]
    fn a_float_is_refused_wherever_an_amount_stands() {
        for json in ["12.5", "12.0", "1e3", r#"{"units": 1.0}"#, r#"{"units": 18446744073709551616}"#] {
            let fault = dollars(json).unwrap_err();
            assert!(fault.contains("found a JSON float"), "{json}: {fault}");
            assert!(fault.starts_with("amount"), "{json}: {fault}");
        }
        assert!(dollars("12").unwrap_err().contains("found the number 12;"), "12 dollars or 12 cents?");
    }

    #[test]
    fn nothing_is_rounded_away() {
        assert_eq!(
            dollars(r#""12.505""#).unwrap_err(),
            "a decimal number with at most 2 decimals, as USD has"
        );
        for json in
            [r#""""#, r#""1e3""#, r#""+1""#, r#"{"units": ""}"#, r#"{"units": "+5"}"#, r#"{"units": "1.0"}"#]
        {
            assert!(dollars(json).is_err(), "{json}");
        }
    }
}
