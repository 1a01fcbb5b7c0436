//! What is wrong with a dialect file, and on which line of it.
//!
//! Guarantees that every wrong value is named in one run, each with its line, its key, what was found and what is
//! allowed: a person mends all of it in one go.

use crate::problem::Problem;
use thiserror::Error;
use toml::de::{DeTable, DeValue};

/// Why a dialect file is refused.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum DialectError {
    /// The text is not TOML, or a key is unknown, missing or of the wrong kind.
    #[error("{origin}: {message}")]
    Syntax {
        /// Where the text came from.
        origin: String,
        /// The line, the key and what is allowed, in the words of the TOML reader.
        message: String,
    },
    /// A value makes no sense.
    #[error("{origin}, line {line}: {key}: found {found}, allowed: {allowed}")]
    Value {
        /// Where the text came from.
        origin: String,
        /// The line, counted from 1.
        line: usize,
        /// The key, with the table it is in.
        key: String,
        /// What was found.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// Several values make no sense; all of them are named.
    #[error("{}", lines(.0))]
    Several(Vec<DialectError>),
}

/// One error a line.
fn lines(errors: &[DialectError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The file being compiled, and what is wrong with it so far.
pub(crate) struct Document<'a> {
    text: &'a str,
    origin: &'a str,
    errors: Vec<DialectError>,
}

impl<'a> Document<'a> {
    /// Nothing is wrong with `text` so far.
    pub(crate) const fn new(text: &'a str, origin: &'a str) -> Self {
        Self { text, origin, errors: Vec::new() }
    }

    /// What was compiled from the table called `table`; an error is kept for the end.
    pub(crate) fn keep<C>(&mut self, compiled: Result<C, Problem>, table: &str) -> Option<C> {
        self.keep_all(compiled.map_err(|problem| vec![problem]), table)
    }

    /// As [`Document::keep`], where several things can be wrong at once.
    pub(crate) fn keep_all<C>(&mut self, compiled: Result<C, Vec<Problem>>, table: &str) -> Option<C> {
        let problems = match compiled {
            Ok(compiled) => return Some(compiled),
            Err(problems) => problems,
        };
        for problem in problems {
            let Problem { key, found, allowed } = problem.inside(table);
            let line = line_of(self.text, &key);
            self.errors.push(DialectError::Value {
                origin: self.origin.to_owned(),
                line,
                key,
                found,
                allowed,
            });
        }
        None
    }

    /// What was compiled, if nothing is wrong with it.
    pub(crate) fn finish<C>(mut self, compiled: C) -> Result<C, DialectError> {
        match (self.errors.pop(), self.errors.is_empty()) {
            (None, _) => Ok(compiled),
            (Some(only), true) => Err(only),
            (Some(last), false) => {
                self.errors.push(last);
                Err(DialectError::Several(self.errors))
            }
        }
    }
}

/// The line, from 1, of a key whose way from the top of the file is written with dots; of the last table on the way
/// where the key itself is not there.
fn line_of(text: &str, key: &str) -> usize {
    let start = DeTable::parse(text).map_or(0, |table| start_of(table.get_ref(), key));
    let before = text.get(..start).unwrap_or_default();
    1 + before.bytes().filter(|byte| *byte == b'\n').count()
}

fn start_of(top: &DeTable<'_>, key: &str) -> usize {
    let (mut start, mut table) = (0, top);
    for name in key.split('.') {
        let Some((found, value)) = table.iter().find(|(found, _)| *found.get_ref() == name) else {
            break;
        };
        start = found.span().start;
        table = match value.get_ref() {
            DeValue::Table(inner) => inner,
            // A list of parts: each has its key inside. What else is in a list has the line of the list.
            DeValue::Array(_)
            | DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => break,
        };
    }
    start
}
