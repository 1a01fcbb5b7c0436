//! A fact as JSON for people and their tools.
//!
//! Guarantees: amounts beyond 64 bits keep every digit, as text; an expiry is never shown.

use domain::Fact;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};
use serde_json::{Map, Value};
use std::io::{self, Write};

/// The fact, with wide integers as text, keys and tokens in hexadecimal, and times as RFC 3339.
pub(crate) fn fact_json(fact: &Fact) -> serde_json::Result<Value> {
    let mut text = Vec::new();
    fact.serialize(&mut serde_json::Serializer::with_formatter(&mut text, WideAsText(CompactFormatter)))?;
    let mut value: Value = serde_json::from_slice(&text)?;
    tidy(&mut value);
    Ok(value)
}

/// Writes integers of 128 bits, which are amounts, as text: readers of JSON lose digits of long numbers.
struct WideAsText(CompactFormatter);

impl Formatter for WideAsText {
    fn write_i128<W: ?Sized + Write>(&mut self, writer: &mut W, value: i128) -> io::Result<()> {
        write!(writer, "\"{value}\"")
    }

    fn write_u128<W: ?Sized + Write>(&mut self, writer: &mut W, value: u128) -> io::Result<()> {
        write!(writer, "\"{value}\"")
    }
}

/// How deep facts are nested at most; a bound for the recursion below.
const DEPTH_MAX: usize = 16;

fn tidy(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    tidy_object(fields, DEPTH_MAX);
}

fn tidy_object(fields: &mut Map<String, Value>, depth: usize) {
    for (name, value) in fields {
        match name.as_str() {
            // Card data, as on the wire in DE 14.
            "expiry" => *value = mask(value),
            "expires_at" | "as_of" => in_words(value),
            "last_four" => four_digits(value),
            _ => tidy_value(value, depth),
        }
    }
}

fn tidy_value(value: &mut Value, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::Object(fields) => tidy_object(fields, depth),
        Value::Array(items) => match digest(items) {
            Some(hex) => *value = Value::String(hex),
            None => items.iter_mut().for_each(|item| tidy_value(item, depth)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn mask(value: &Value) -> Value {
    if value.is_null() { Value::Null } else { Value::String("****".to_owned()) }
}

/// Sixteen bytes are a token or a digest: nothing else in a fact is an array of numbers.
fn digest(items: &[Value]) -> Option<String> {
    let bytes: Option<Vec<u8>> =
        items.iter().map(|item| item.as_u64().and_then(|number| u8::try_from(number).ok())).collect();
    bytes.filter(|bytes| bytes.len() == 16).map(const_hex::encode)
}

/// Four digits, also where they begin with a zero.
fn four_digits(value: &mut Value) {
    if let Some(number) = value.as_u64() {
        *value = Value::String(format!("{number:04}"));
    }
}

/// Microseconds as RFC 3339; the far end of time, which stands for never, as null.
fn in_words(value: &mut Value) {
    let Some(micros) = value.as_i64() else { return };
    let time = jiff::Timestamp::from_microsecond(micros).ok();
    *value = time.map_or(Value::Null, |time| Value::String(time.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        AccountNo, Amounts, CardId, CardNo, CardStatus, CardToken, Currency, Expiry, FundingMode, Money, Pan,
        Timestamp, TransactionNo, Units,
    };

    #[test]
    fn a_token_is_hexadecimal_text_and_an_expiry_is_masked() {
        let fact = Fact::CardIssued {
            card: CardNo(1),
            id: CardId::new("card_1").unwrap(),
            token: CardToken([0xAB; 16]),
            last_four: Pan::from_digits(b"4000000000000002").unwrap().last_four(),
            account: AccountNo(2),
            currency: Currency::from_alpha("USD").unwrap(),
            expiry: Expiry::new(2029, 12).unwrap(),
            funding: FundingMode::Jit,
            status: CardStatus::Active,
        };
        let json = fact_json(&fact).unwrap();
        assert_eq!(json["CardIssued"]["token"], "ab".repeat(16));
        assert_eq!(json["CardIssued"]["last_four"], "0002");
        assert_eq!(json["CardIssued"]["expiry"], "****");
        assert!(!json.to_string().contains("2029"), "{json}");
    }

    #[test]
    fn an_amount_keeps_every_digit_and_a_time_is_readable() {
        let fact = Fact::HoldExpired {
            transaction: TransactionNo(7),
            amounts: Amounts {
                card: Money::new(1999, Currency::from_alpha("USD").unwrap()),
                units: Units(123_456_789_012_345_678_901_234),
            },
        };
        assert_eq!(fact_json(&fact).unwrap()["HoldExpired"]["amounts"]["units"], "123456789012345678901234");
        let expires_at = Timestamp::from_micros(1_500).micros();
        let mut json = serde_json::json!({ "hold": { "expires_at": expires_at } });
        tidy(&mut json);
        assert_eq!(json["hold"]["expires_at"], "1970-01-01T00:00:00.0015Z");
    }
}
