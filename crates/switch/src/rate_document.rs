//! A document of rates, as a file or an HTTP feed gives it:
//!
//! ```json
//! {"rates": [{"from": "USD", "to": "USDT", "value": "1.0007", "bid": "0.9996",
//!             "as_of": "2026-11-20T12:00:00Z", "max_age": "30s", "source": "desk", "id": "q-1"}]}
//! ```
//!
//! `bid`, `max_age`, `source` and `id` may be left out. Values are texts: a float is refused, and with it the whole
//! document, because half a set of rates is no set.

use domain::{AssetCode, Rate, Text, Timestamp};
use rust_decimal::Decimal;
use serde::Deserialize;
use std::time::Duration;

/// More pairs than anybody quotes.
const RATES_MAX: usize = 256;
/// How far ahead of our clock a quotation may be stamped. One from further ahead would never grow old.
const AHEAD_MAX: Duration = Duration::from_secs(60);

/// Why a document is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("it is no document of rates: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("it has {found} rates, at most {RATES_MAX} are allowed")]
    TooMany { found: usize },
    #[error("rates[{index}].{field}: {problem}")]
    Field { index: usize, field: &'static str, problem: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    rates: Vec<Quoted>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quoted {
    from: String,
    to: String,
    value: String,
    #[serde(default)]
    bid: Option<String>,
    as_of: jiff::Timestamp,
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    max_age: Option<Duration>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    id: String,
}

/// Reads a document that `source` gave at `now`.
pub(crate) fn rates(
    bytes: &[u8],
    source: &str,
    max_age: Duration,
    now: Timestamp,
) -> Result<Vec<Rate>, DocumentError> {
    let document: Document = serde_json::from_slice(bytes)?;
    let found = document.rates.len();
    if found > RATES_MAX {
        return Err(DocumentError::TooMany { found });
    }
    let rates = document.rates.iter().enumerate();
    rates
        .map(|(index, quoted)| {
            quoted.rate(source, max_age, now).map_err(|(field, problem)| DocumentError::Field {
                index,
                field,
                problem,
            })
        })
        .collect()
}

impl Quoted {
    fn rate(&self, source: &str, max_age: Duration, now: Timestamp) -> Result<Rate, (&'static str, String)> {
        let asset = |field, code: &str| AssetCode::new(code).map_err(|error| (field, error.to_string()));
        let value = |field, text: &str| {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let value = Decimal::from_str_exact(text).ok().filter(|value| plain && *value > Decimal::ZERO);
            value.ok_or_else(|| (field, format!("{text:?} was found, a decimal above zero is allowed")))
        };
        let as_of = Timestamp::from_micros(self.as_of.as_microsecond());
        if as_of > now.plus(AHEAD_MAX) {
            return Err((
                "as_of",
                format!("{} was found, at most {AHEAD_MAX:?} ahead of our clock is allowed", self.as_of),
            ));
        }
        Ok(Rate {
            from: asset("from", &self.from)?,
            to: asset("to", &self.to)?,
            value: value("value", &self.value)?,
            bid: self.bid.as_deref().map(|bid| value("bid", bid)).transpose()?,
            source: Text::new(self.source.as_deref().unwrap_or(source))
                .map_err(|error| ("source", error.to_string()))?,
            as_of,
            max_age: self.max_age.filter(|age| !age.is_zero()).unwrap_or(max_age),
            id: Text::new(&self.id).map_err(|error| ("id", error.to_string()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rate: &str) -> Result<Vec<Rate>, String> {
        let text = format!("{{\"rates\": [{rate}]}}");
        rates(text.as_bytes(), "feed", Duration::from_secs(60), Timestamp::from_seconds(1_000))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_document_is_read_with_what_it_leaves_out() {
        let all = read(r#"{"from": "USD", "to": "USDT", "value": "1.0007", "as_of": "1970-01-01T00:16:00Z"},
            {"from": "EUR", "to": "USD", "value": "1.1", "bid": "1.09", "as_of": "1970-01-01T00:16:40Z", "max_age": "5s", "source": "desk", "id": "q"}"#).unwrap();
        assert_eq!(
            (all[0].source.as_str(), all[0].max_age, all[0].bid),
            ("feed", Duration::from_secs(60), None)
        );
        assert_eq!(
            (all[1].source.as_str(), all[1].max_age, all[1].id.as_str()),
            ("desk", Duration::from_secs(5), "q")
        );
        assert_eq!(all[1].bid, Some("1.09".parse().unwrap()));
    }

    #[test]
    fn floats_and_what_would_never_age_are_refused_with_their_place() {
        let rate = |value: &str, as_of: &str| {
            read(&format!(r#"{{"from": "USD", "to": "USDT", "value": {value}, "as_of": "{as_of}"}}"#))
                .unwrap_err()
        };
        assert!(rate("1.0007", "1970-01-01T00:16:00Z").contains("expected a string"));
        assert!(rate("\"1e3\"", "1970-01-01T00:16:00Z").starts_with("rates[0].value: "));
        assert!(rate("\"1\"", "1970-01-01T00:17:41Z").starts_with("rates[0].as_of: "));
        assert!(read(r#"{"from": "USD"}"#).unwrap_err().contains("missing field"));
    }
}
