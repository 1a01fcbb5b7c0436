//! What is wrong with a value of a dialect file: the key, what was found, what is allowed.

/// What is wrong with a value.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The key inside the table; empty for the table itself.
    pub(crate) key: String,
    pub(crate) found: String,
    pub(crate) allowed: String,
}

impl Problem {
    pub(crate) fn new(key: &str, found: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { key: key.to_owned(), found: found.into(), allowed: allowed.into() }
    }

    /// The same problem, seen from one table up.
    pub(crate) fn inside(mut self, table: &str) -> Self {
        self.key = if self.key.is_empty() { table.to_owned() } else { format!("{table}.{}", self.key) };
        self
    }
}
