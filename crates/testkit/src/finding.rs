//! What a check found: something that is not as it must be, in words that a person can act on.

use std::fmt;

/// Something that is not as it must be, in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding(pub String);

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Fails with what was found and what was expected, unless the two are equal.
pub(crate) fn same<T: PartialEq + fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), Finding> {
    if found == expected {
        Ok(())
    } else {
        Err(Finding(format!("{what}\n     found {found:?}\n  expected {expected:?}")))
    }
}
