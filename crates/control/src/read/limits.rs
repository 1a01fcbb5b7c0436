//! Limits: `[{"window": "day", "zone": "Europe/Berlin", "amount_max": "500.00", "count_max": 10}]`.

use super::amount::Amount;
use super::name::whole;
use crate::json::{Faults, Mismatch, Node, Object, leaf, list};
use crate::problem::Problem;
use domain::{Asset, LimitRule, Window, ZoneName};
use jiff::tz::TimeZoneDatabase;

/// Far above what any shard takes (its own bound is a setting, and is checked there).
const ENTRIES_MAX: usize = 100;

/// Limits as sent. Their amounts wait for the money that they are meant in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct LimitsSent {
    at: String,
    limits: Vec<LimitSent>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct LimitSent {
    window: Window,
    zone: ZoneName,
    amount_max: Option<Amount>,
    count_max: Option<u32>,
}

impl LimitsSent {
    /// Reads the list.
    pub(crate) fn read(node: Node, at: &str, faults: &mut Faults) -> Option<Self> {
        let limits = list(ENTRIES_MAX, limit)(node, at, faults)?;
        for (index, limit) in limits.iter().enumerate() {
            let same = |other: &&LimitSent| other.window == limit.window && other.zone == limit.zone;
            if limits.iter().take(index).any(|other| same(&other)) {
                let found =
                    format!("a second limit per {} in {}", window_word(limit.window), limit.zone.as_str());
                faults.push(
                    &format!("{at}[{index}]"),
                    Mismatch { found, allowed: "one for each window and zone".into() },
                );
            }
        }
        Some(Self { at: at.to_owned(), limits })
    }

    /// The limits in the smallest unit of `asset`.
    pub(crate) fn rules(&self, asset: &Asset) -> Result<Vec<LimitRule>, Problem> {
        let mut faults = Faults::default();
        let rules = self.rules_noting(asset, &mut faults);
        faults.settle(rules)
    }

    /// As [`Self::rules`], with the faults added to those of the request around it.
    pub(crate) fn rules_noting(&self, asset: &Asset, faults: &mut Faults) -> Option<Vec<LimitRule>> {
        let rules: Vec<Option<LimitRule>> = self
            .limits
            .iter()
            .enumerate()
            .map(|(index, limit)| limit.rule(asset, &format!("{}[{index}]", self.at), faults))
            .collect();
        rules.into_iter().collect()
    }
}

impl LimitSent {
    fn rule(&self, asset: &Asset, at: &str, faults: &mut Faults) -> Option<LimitRule> {
        let amount_max = match &self.amount_max {
            None => None,
            Some(amount) => {
                let field = format!("{at}.amount_max");
                let units = amount.units_of(asset).map_err(|mismatch| faults.push(&field, mismatch)).ok()?;
                if units < 0 {
                    faults.push(
                        &field,
                        Mismatch { found: "less than zero".into(), allowed: "zero or more".into() },
                    );
                }
                Some(units)
            }
        };
        Some(LimitRule { window: self.window, zone: self.zone, amount_max, count_max: self.count_max })
    }
}

fn limit(node: Node, at: &str, faults: &mut Faults) -> Option<LimitSent> {
    let mut object = Object::open(node, at, faults)?;
    let window = object.required("window", faults, leaf(window));
    let zone = object.optional("zone", faults, leaf(zone));
    let amount_max = object.optional("amount_max", faults, Amount::read);
    let count = |node: &Node| whole::<u32>(node, "a whole number from 0 to 4294967295");
    let count_max = object.optional("count_max", faults, leaf(count));
    object.close(faults);
    let (window, amount_max, count_max) = (window?, amount_max?, count_max?);
    match (window, &amount_max, count_max) {
        (Window::Transaction, _, Some(_)) => faults.push(
            &format!("{at}.count_max"),
            Mismatch { found: "a count".into(), allowed: "no count: a transaction is always one".into() },
        ),
        (_, None, None) => {
            faults.push(
                at,
                Mismatch { found: "no bound".into(), allowed: "amount_max, count_max or both".into() },
            );
        }
        (_, Some(_), _) | (_, None, Some(_)) => {}
    }
    let utc = ZoneName::new("UTC").ok()?;
    Some(LimitSent { window, zone: zone?.unwrap_or(utc), amount_max, count_max })
}

/// The word that the API uses for a window.
pub(crate) const fn window_word(window: Window) -> &'static str {
    match window {
        Window::Transaction => "transaction",
        Window::Day => "day",
        Window::Week => "week",
        Window::Month => "month",
        Window::Lifetime => "lifetime",
    }
}

fn window(node: &Node) -> Result<Window, Mismatch> {
    const ALL: [Window; 5] =
        [Window::Transaction, Window::Day, Window::Week, Window::Month, Window::Lifetime];
    let allowed = "transaction, day, week, month or lifetime";
    let word = node.text(allowed)?;
    ALL.into_iter().find(|window| window_word(*window) == word).ok_or_else(|| node.mismatch(allowed))
}

/// A zone is looked up in the same compiled-in database as the decision core's, so a limit that is taken here
/// is not refused there.
fn zone(node: &Node) -> Result<ZoneName, Mismatch> {
    let allowed = "an IANA time zone such as \"Europe/Berlin\"";
    let name = node.text(allowed)?;
    let known = TimeZoneDatabase::bundled().get(name).is_ok();
    ZoneName::new(name).ok().filter(|_| known).ok_or_else(|| node.mismatch(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Currency;

    fn yen(json: &str) -> Result<Vec<LimitRule>, String> {
        let mut faults = Faults::default();
        let read = LimitsSent::read(Node::parse(json.as_bytes()).unwrap(), "limits", &mut faults);
        let asset = Asset::of(Currency::from_alpha("JPY").unwrap());
        let limits = faults.settle(read).and_then(|limits| limits.rules(&asset));
        limits.map_err(|problem| problem.faults()[0].to_string())
    }

    #[test]
    fn limits_are_read_in_the_money_that_they_are_meant_in() {
        let rules = yen(r#"[{"window": "day", "zone": "Asia/Tokyo", "amount_max": "5000", "count_max": 3},
                            {"window": "transaction", "amount_max": {"units": "100"}}]"#);
        let rule = |window, zone, amount_max, count_max| LimitRule {
            window,
            zone: ZoneName::new(zone).unwrap(),
            amount_max,
            count_max,
        };
        assert_eq!(
            rules,
            Ok(vec![
                rule(Window::Day, "Asia/Tokyo", Some(5_000), Some(3)),
                rule(Window::Transaction, "UTC", Some(100), None),
            ])
        );
    }

    #[test]
    fn a_limit_that_cannot_be_kept_is_refused_where_it_stands() {
        for (json, start) in [
            (r#"[{"window": "year", "amount_max": "1"}]"#, "limits[0].window: found \"year\""),
            (
                r#"[{"window": "day", "zone": "Mars/Base", "count_max": 1}]"#,
                "limits[0].zone: found \"Mars/Base\"",
            ),
            (r#"[{"window": "day"}]"#, "limits[0]: found no bound"),
            (r#"[{"window": "transaction", "count_max": 1}]"#, "limits[0].count_max: found a count"),
            (r#"[{"window": "day", "amount_max": "1.5"}]"#, "limits[0].amount_max: found \"1.5\""),
            (r#"[{"window": "day", "amount_max": 5.0}]"#, "limits[0].amount_max: found a JSON float"),
            (r#"[{"window": "day", "amount_max": "-1"}]"#, "limits[0].amount_max: found less than zero"),
            (r#"[{"window": "day", "count_max": -1}]"#, "limits[0].count_max: found the number -1"),
            (
                r#"[{"window": "day", "count_max": 1}, {"window": "day", "count_max": 2}]"#,
                "limits[1]: found a second",
            ),
            (r#"{}"#, "limits: found an object"),
        ] {
            let fault = yen(json).unwrap_err();
            assert!(fault.starts_with(start), "{json}: {fault}");
        }
    }
}
