//! Controls: `{"mcc": {"allowed": ["5411"], "blocked": []}, "country": ..., "currency": ..., "merchant": ...}`.

use super::name::{currency, text};
use crate::country;
use crate::json::{Faults, Mismatch, Node, Object, leaf, list};
use domain::{Controls, CountryCode, ListRule, Mcc};

/// Enough for every country there is, with room; each authorization searches the list.
const ENTRIES_MAX: usize = 300;

/// Reads the controls of a card. What is absent lets everything pass.
pub(crate) fn controls(node: Node, at: &str, faults: &mut Faults) -> Option<Controls> {
    let mut object = Object::open(node, at, faults)?;
    let mcc = object.optional("mcc", faults, |node, at, faults| rule(node, at, faults, mcc));
    let country = object.optional("country", faults, |node, at, faults| rule(node, at, faults, country));
    let currency = object.optional("currency", faults, |node, at, faults| rule(node, at, faults, currency));
    let merchant = object.optional("merchant", faults, |node, at, faults| rule(node, at, faults, text::<15>));
    object.close(faults);
    Some(Controls {
        mcc: mcc?.unwrap_or_default(),
        country: country?.unwrap_or_default(),
        currency: currency?.unwrap_or_default(),
        merchant: merchant?.unwrap_or_default(),
    })
}

fn rule<T>(
    node: Node,
    at: &str,
    faults: &mut Faults,
    entry: fn(&Node) -> Result<T, Mismatch>,
) -> Option<ListRule<T>> {
    let entries = || list(ENTRIES_MAX, leaf(entry));
    let mut object = Object::open(node, at, faults)?;
    let allowed = object.optional("allowed", faults, entries());
    let blocked = object.optional("blocked", faults, entries());
    object.close(faults);
    Some(ListRule { allowed: allowed?, blocked: blocked?.unwrap_or_default() })
}

fn mcc(node: &Node) -> Result<Mcc, Mismatch> {
    let allowed = "a merchant category code of four digits, as text, such as \"5411\"";
    let text = node.text(allowed)?;
    let digits = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).map(Mcc).ok_or_else(|| node.mismatch(allowed))
}

fn country(node: &Node) -> Result<CountryCode, Mismatch> {
    let found = match node {
        Node::Text(text) => country::parse(text),
        Node::Integer(number) => country::from_number(*number),
        Node::Null | Node::Bool(_) | Node::Float | Node::List(_) | Node::Object(_) => None,
    };
    found.ok_or_else(|| node.mismatch("an ISO 3166 country such as \"DE\", \"DEU\" or 276"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    fn read(json: &str) -> Result<Controls, Problem> {
        let mut faults = Faults::default();
        let read = controls(Node::parse(json.as_bytes()).unwrap(), "controls", &mut faults);
        faults.settle(read)
    }

    #[test]
    fn countries_come_in_three_forms() {
        let controls =
            read(r#"{"country": {"allowed": ["DE", "FRA", 276, "040"], "blocked": ["RU"]}}"#).unwrap();
        let codes: Vec<u16> = controls.country.allowed.unwrap().iter().map(|code| code.0).collect();
        assert_eq!(codes, [276, 250, 276, 40]);
        assert_eq!(controls.country.blocked, [CountryCode(643)]);
        assert_eq!(controls.mcc, ListRule::default());
    }

    #[test]
    fn an_empty_allow_list_allows_nothing_and_an_absent_one_everything() {
        assert_eq!(read(r#"{"mcc": {"allowed": []}}"#).unwrap().mcc.allowed, Some(vec![]));
        assert_eq!(read(r#"{"mcc": {}}"#).unwrap().mcc.allowed, None);
    }

    #[test]
    fn wrong_entries_are_named_one_by_one() {
        let problem = read(r#"{"mcc": {"blocked": ["5411", "54", 5411]}, "country": {"allowed": ["XX"]}}"#)
            .unwrap_err();
        let fields: Vec<&str> = problem.faults().iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(
            fields,
            ["controls.mcc.blocked[1]", "controls.mcc.blocked[2]", "controls.country.allowed[0]"]
        );
    }
}
