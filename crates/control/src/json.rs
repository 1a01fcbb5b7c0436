//! JSON as a client sends it, read strictly: field by field, with every fault collected.
//!
//! Guarantees: no number becomes a float on the way to money; unknown and repeated fields are faults; a fault
//! says where, what was found and what is allowed, and what was found is masked. Depth is bounded by
//! `serde_json`'s recursion limit, size by the body's bound.
//!
//! `serde`'s derived readers stop at the first fault and quote what they found, card numbers included. That is
//! why requests are read from this small tree instead.

use crate::mask::shown;
use crate::problem::{Fault, Kind, Problem};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use std::fmt;

/// A JSON value. Object entries keep their order and their repetitions.
#[derive(Clone, Eq, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Integer(i128),
    /// Written with a point or an exponent, or beyond 64 bits: no number that money could be taken from.
    Float,
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// What was found instead of what is allowed, at a place that the caller knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Mismatch {
    pub(crate) found: String,
    pub(crate) allowed: String,
}

/// Faults found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Node {
    /// Reads a whole text.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, Problem> {
        serde_json::from_slice(json).map_err(|error| {
            // serde_json's message names a syntax error and a position, and quotes nothing.
            Problem::at(Kind::MalformedJson, "body", shown(&error.to_string()), "one JSON object")
        })
    }

    /// The value as a fault may show it.
    pub(crate) fn found(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(number) => format!("the number {}", shown(&number.to_string())),
            Self::Float => "a JSON float, or a number beyond 64 bits".into(),
            Self::Text(text) => format!("\"{}\"", shown(text)),
            Self::List(_) => "a list".into(),
            Self::Object(_) => "an object".into(),
        }
    }

    /// This value is not what is allowed.
    pub(crate) fn mismatch(&self, allowed: impl Into<String>) -> Mismatch {
        Mismatch { found: self.found(), allowed: allowed.into() }
    }

    /// The text, where it is one.
    pub(crate) fn text(&self, allowed: &str) -> Result<&str, Mismatch> {
        if let Self::Text(text) = self { Ok(text) } else { Err(self.mismatch(allowed)) }
    }
}

impl Faults {
    /// A response shows the first faults; a list of a thousand wrong entries is not repeated back.
    const SHOWN_MAX: usize = 20;

    pub(crate) fn push(&mut self, field: &str, mismatch: Mismatch) {
        if self.0.len() < Self::SHOWN_MAX {
            let field = if field.is_empty() { "body" } else { field };
            let Mismatch { found, allowed } = mismatch;
            self.0.push(Fault { field: field.to_owned(), found, allowed });
        }
    }

    /// What was read, if nothing was wrong.
    pub(crate) fn settle<T>(self, read: Option<T>) -> Result<T, Problem> {
        match read {
            Some(value) if self.0.is_empty() => Ok(value),
            Some(_) | None => Err(Problem::with_faults(Kind::InvalidRequest, self.0)),
        }
    }
}

/// An object being read: each field is taken once, and what is left at the end is unknown or repeated.
pub(crate) struct Object {
    at: String,
    entries: Vec<(String, Node)>,
    known: Vec<&'static str>,
}

impl Object {
    /// Starts reading; `at` is the object's own place, empty for the body.
    pub(crate) fn open(node: Node, at: &str, faults: &mut Faults) -> Option<Self> {
        let Node::Object(entries) = node else {
            faults.push(at, node.mismatch("an object"));
            return None;
        };
        Some(Self { at: at.to_owned(), entries, known: Vec::new() })
    }

    /// Reads a field that must be there.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        faults: &mut Faults,
        read: impl FnOnce(Node, &str, &mut Faults) -> Option<T>,
    ) -> Option<T> {
        let at = self.place(name);
        match self.take(name) {
            Some(node) => read(node, &at, faults),
            None => {
                faults.push(
                    &at,
                    Mismatch { found: "nothing".into(), allowed: "a value; it is required".into() },
                );
                None
            }
        }
    }

    /// Reads a field that may be absent or null. The outer `None` means that it is there and wrong.
    #[allow(clippy::option_option, reason = "absent and wrong are two things")]
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        faults: &mut Faults,
        read: impl FnOnce(Node, &str, &mut Faults) -> Option<T>,
    ) -> Option<Option<T>> {
        let at = self.place(name);
        match self.take(name) {
            None | Some(Node::Null) => Some(None),
            Some(node) => read(node, &at, faults).map(Some),
        }
    }

    /// Ends reading: whatever was not taken is a fault.
    pub(crate) fn close(self, faults: &mut Faults) {
        let allowed = || match self.known.as_slice() {
            [] => "no fields".to_owned(),
            known => format!("the fields {}", known.join(", ")),
        };
        for (name, _) in &self.entries {
            let mismatch = if self.known.contains(&name.as_str()) {
                Mismatch { found: "the field a second time".into(), allowed: "each field once".into() }
            } else {
                Mismatch { found: "an unknown field".into(), allowed: allowed() }
            };
            faults.push(&self.place(&shown(name)), mismatch);
        }
    }

    fn take(&mut self, name: &'static str) -> Option<Node> {
        self.known.push(name);
        let index = self.entries.iter().position(|(entry, _)| entry == name)?;
        Some(self.entries.remove(index).1)
    }

    fn place(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }
}

/// Reads a single value with a function that does not care where the value stands.
pub(crate) fn leaf<T>(
    read: impl Fn(&Node) -> Result<T, Mismatch>,
) -> impl Fn(Node, &str, &mut Faults) -> Option<T> {
    move |node, at, faults| read(&node).map_err(|mismatch| faults.push(at, mismatch)).ok()
}

/// Reads a list of at most `max` entries.
pub(crate) fn list<T>(
    max: usize,
    mut read: impl FnMut(Node, &str, &mut Faults) -> Option<T>,
) -> impl FnOnce(Node, &str, &mut Faults) -> Option<Vec<T>> {
    move |node, at, faults| {
        let Node::List(nodes) = node else {
            faults.push(at, node.mismatch("a list"));
            return None;
        };
        if nodes.len() > max {
            let found = format!("{} entries", nodes.len());
            faults.push(at, Mismatch { found, allowed: format!("at most {max} entries") });
            return None;
        }
        // Every entry is read, so that every fault is found.
        let read: Vec<Option<T>> = nodes
            .into_iter()
            .enumerate()
            .map(|(index, node)| read(node, &format!("{at}[{index}]"), faults))
            .collect();
        read.into_iter().collect()
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;
        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = Node;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Integer(value.into()))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Integer(value.into()))
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Float)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.to_owned()))
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<Node, E> {
                Ok(Node::Text(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
                let mut list = Vec::new();
                while let Some(entry) = entries.next_element()? {
                    list.push(entry);
                }
                Ok(Node::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
                let mut object = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    object.push(entry);
                }
                Ok(Node::Object(object))
            }
        }
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// Writes back what was read. A float cannot be: its digits were never kept.
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(number) => serializer.serialize_i128(*number),
            Self::Float => Err(S::Error::custom("a float is never sent on")),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(nodes) => nodes.serialize(serializer),
            Self::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (name, node) in entries {
                    map.serialize_entry(name, node)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(json: &str) -> Vec<(String, String)> {
        let mut faults = Faults::default();
        let mut object = Object::open(Node::parse(json.as_bytes()).unwrap(), "", &mut faults).unwrap();
        let flag = |node: &Node| match matches!(node, Node::Bool(_)) {
            true => Ok(()),
            false => Err(node.mismatch("true or false")),
        };
        object.required("a", &mut faults, leaf(flag));
        object.optional("b", &mut faults, list(3, leaf(flag)));
        object.close(&mut faults);
        faults.0.into_iter().map(|fault| (fault.field, fault.found)).collect()
    }

    fn fault(field: &str, found: &str) -> (String, String) {
        (field.into(), found.into())
    }

    #[test]
    fn every_fault_is_found_and_placed() {
        assert_eq!(faults_of(r#"{"a": true, "b": null}"#), []);
        assert_eq!(
            faults_of(r#"{"b": [true, 1.0, "x"], "c": 1, "b": []}"#),
            [
                fault("a", "nothing"),
                fault("b[1]", "a JSON float, or a number beyond 64 bits"),
                fault("b[2]", "\"x\""),
                fault("c", "an unknown field"),
                fault("b", "the field a second time"),
            ]
        );
        assert_eq!(faults_of(r#"{"a": true, "b": [true, true, true, true]}"#), [fault("b", "4 entries")]);
    }

    #[test]
    fn what_was_found_is_masked_in_values_and_in_names() {
        assert_eq!(
            faults_of(r#"{"a": 4242424242424242, "4242424242424242": 1}"#),
            [fault("a", "the number ****4242"), fault("****4242", "an unknown field")]
        );
    }

    #[test]
    fn a_thousand_faults_are_not_repeated_back() {
        let json = format!(
            r#"{{"a": true, {}}}"#,
            (0..1_000).map(|n| format!("\"x{n}\": 1")).collect::<Vec<_>>().join(",")
        );
        assert_eq!(faults_of(&json).len(), Faults::SHOWN_MAX);
    }

    #[test]
    fn what_is_not_json_is_a_problem_and_not_a_panic() {
        let deep = "[".repeat(10_000);
        for bad in ["", "{", "nonsense", "{\"a\": 1} x", deep.as_str(), "\u{0}"] {
            assert_eq!(
                Node::parse(bad.as_bytes()).err().map(|problem| problem.kind()),
                Some(Kind::MalformedJson)
            );
        }
    }

    #[test]
    fn a_value_without_floats_is_written_back_as_it_was_read() {
        let json = r#"{"a":[null,true,-5,"x"],"b":{}}"#;
        assert_eq!(serde_json::to_string(&Node::parse(json.as_bytes()).unwrap()).unwrap(), json);
        assert!(serde_json::to_string(&Node::Float).is_err());
    }
}
