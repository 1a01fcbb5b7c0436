//! `PUT /v1/rates`: `{"from": "USD", "to": "USDT", "value": "1.0002", "source": "desk", "max_age": "60s"}`.

use super::name::{asset_code, text};
use crate::json::{Faults, Mismatch, Node, Object, leaf};
use crate::problem::Problem;
use domain::{Rate, Timestamp};
use rust_decimal::Decimal;
use std::time::Duration;

/// How far ahead of our clock a quotation may be stamped. One from further ahead would never grow old.
const AHEAD_MAX: Duration = Duration::from_secs(60);

/// Reads a rate. Without `as_of` it was quoted at `now`.
pub(crate) fn rate(body: Node, now: Timestamp) -> Result<Rate, Problem> {
    let mut faults = Faults::default();
    let read = rate_noting(body, now, &mut faults);
    faults.settle(read)
}

fn rate_noting(body: Node, now: Timestamp, faults: &mut Faults) -> Option<Rate> {
    let mut object = Object::open(body, "", faults)?;
    let from = object.required("from", faults, leaf(asset_code));
    let to = object.required("to", faults, leaf(asset_code));
    let value = object.required("value", faults, leaf(value));
    let bid = object.optional("bid", faults, leaf(self::value));
    let source = object.required("source", faults, leaf(text::<24>));
    let as_of = object.optional("as_of", faults, leaf(move |node: &Node| time(node, now)));
    let max_age = object.required("max_age", faults, leaf(max_age));
    let id = object.optional("id", faults, leaf(text::<40>));
    object.close(faults);
    let (from, to) = (from?, to?);
    if from == to {
        let allowed = "another asset than from; the same money needs no rate".into();
        faults.push("to", Mismatch { found: format!("\"{to}\""), allowed });
    }
    Some(Rate {
        from,
        to,
        value: value?,
        bid: bid?,
        source: source?,
        as_of: as_of?.unwrap_or(now),
        max_age: max_age?,
        id: id?.unwrap_or_default(),
    })
}

/// A decimal above zero. `Decimal` itself would take `"1_000"`, so the characters are checked as well.
fn value(node: &Node) -> Result<Decimal, Mismatch> {
    let allowed = "a decimal string above zero, such as \"1.0002\"; never a float";
    let text = node.text(allowed)?;
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let value = Decimal::from_str_exact(text).ok().filter(|value| plain && *value > Decimal::ZERO);
    value.ok_or_else(|| node.mismatch(allowed))
}

fn time(node: &Node, now: Timestamp) -> Result<Timestamp, Mismatch> {
    let allowed = "a time such as \"2026-11-20T18:00:00Z\", at most 60 s ahead of the switch's clock";
    let time: jiff::Timestamp = node.text(allowed)?.parse().map_err(|_| node.mismatch(allowed))?;
    let time = Timestamp::from_micros(time.as_microsecond());
    if time <= now.plus(AHEAD_MAX) { Ok(time) } else { Err(node.mismatch(allowed)) }
}

fn max_age(node: &Node) -> Result<Duration, Mismatch> {
    let allowed = "a duration with its unit, such as \"60s\" or \"5m\", above zero";
    let duration: Option<jiff::SignedDuration> = node.text(allowed)?.parse().ok();
    let duration = duration.and_then(|duration| Duration::try_from(duration).ok());
    duration.filter(|duration| !duration.is_zero()).ok_or_else(|| node.mismatch(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(changes: &[(&str, &str)]) -> Result<Rate, String> {
        let mut fields = vec![
            ("from", r#""USD""#),
            ("to", r#""USDT""#),
            ("value", r#""1.0002""#),
            ("source", r#""desk""#),
            ("max_age", r#""60s""#),
        ];
        for (name, value) in changes {
            fields.retain(|(field, _)| field != name);
            fields.push((name, value));
        }
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        let body = Node::parse(format!("{{{}}}", fields.join(",")).as_bytes()).unwrap();
        rate(body, Timestamp::from_seconds(1_000)).map_err(|problem| problem.faults()[0].to_string())
    }

    #[test]
    fn a_rate_without_a_time_is_quoted_now() {
        let rate = read(&[]).unwrap();
        assert_eq!((rate.as_of, rate.max_age), (Timestamp::from_seconds(1_000), Duration::from_secs(60)));
        assert_eq!(rate.value.to_string(), "1.0002");
        let rate = read(&[("as_of", r#""1970-01-01T00:10:00Z""#), ("max_age", r#""1h 30m""#)]).unwrap();
        assert_eq!((rate.as_of, rate.max_age), (Timestamp::from_seconds(600), Duration::from_secs(5_400)));
    }

    #[test]
    fn a_rate_that_would_never_age_or_never_be_right_is_refused() {
        for (field, value) in [
            ("value", "1.0002"),
            ("value", r#""0""#),
            ("value", r#""-1""#),
            ("value", r#""1_000""#),
            ("value", r#""1e3""#),
            ("max_age", "60"),
            ("max_age", r#""60""#),
            ("max_age", r#""0s""#),
            ("max_age", r#""-5s""#),
            ("as_of", r#""1970-01-01T00:17:41Z""#),
            ("as_of", r#""yesterday""#),
            ("to", r#""USD""#),
        ] {
            let fault = read(&[(field, value)]).unwrap_err();
            assert!(fault.starts_with(&format!("{field}: found ")), "{field} {value}: {fault}");
        }
    }
}
