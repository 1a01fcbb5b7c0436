//! Faults of a configuration, gathered so that all of them are reported in one run.

use std::time::Duration;

/// One wrong value.
#[derive(Debug)]
pub struct Fault {
    /// The key, for example `journal.segment_bytes`; empty for the file as a whole.
    pub key: String,
    /// What was found and what is allowed.
    pub problem: String,
}

/// What was found wrong so far.
#[derive(Default)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Faults {
    /// Adds a fault.
    pub(crate) fn add(&mut self, key: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Fault { key: key.into(), problem: problem.into() });
    }

    /// Adds a fault unless the number is in range.
    pub(crate) fn in_range(&mut self, key: &str, found: u128, min: u128, max: u128) {
        if !(min..=max).contains(&found) {
            self.add(key, format!("{found} was found, {min} to {max} is allowed"));
        }
    }

    /// Adds a fault unless the duration is in range.
    pub(crate) fn duration(&mut self, key: &str, found: Duration, min: Duration, max: Duration) {
        if !(min..=max).contains(&found) {
            self.add(key, format!("{found:?} was found, {min:?} to {max:?} is allowed"));
        }
    }
}
