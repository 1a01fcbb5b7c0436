//! Time as an argument: wall-clock time for records, monotonic time for deadlines.
//!
//! The two are separate types so that a deadline can never be computed from a clock that may jump, nor a
//! record be stamped with one that has no date. Nothing here reads a clock; the daemon's clock module does.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Wall-clock time: microseconds since 1970-01-01T00:00:00 UTC. For records, windows and expiry.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The far end of time, for what never expires.
    pub const MAX: Self = Self(i64::MAX);

    /// A time from microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// A time from whole seconds since the Unix epoch, held at the ends of the range.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This time and `duration` more, held at the end of the range.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// How long ago `earlier` was; zero when it lies in the future (a clock that was set back).
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Monotonic time: nanoseconds since the process started. For deadlines only; it has no meaning elsewhere.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mono(u64);

impl Mono {
    /// A deadline that never comes.
    pub const MAX: Self = Self(u64::MAX);

    /// A time from nanoseconds since the process started.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the process started.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// This time and `duration` more, held at the end of the range.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// This time less `duration`, held at the start of the process.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// One reading of both clocks. Every command comes with one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Moment {
    /// Wall-clock time, for records.
    pub utc: Timestamp,
    /// Monotonic time, for deadlines.
    pub mono: Mono,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_the_ends_instead_of_wrapping() {
        assert_eq!(Timestamp::MAX.plus(Duration::from_secs(1)), Timestamp::MAX);
        assert_eq!(Mono::MAX.plus(Duration::from_secs(1)), Mono::MAX);
        assert_eq!(Mono::from_nanos(5).minus(Duration::from_secs(1)), Mono::from_nanos(0));
    }

    #[test]
    fn a_time_in_the_future_is_no_time_ago() {
        let now = Timestamp::from_seconds(100);
        assert_eq!(now.since(now.plus(Duration::from_secs(5))), Duration::ZERO);
        assert_eq!(now.plus(Duration::from_secs(5)).since(now), Duration::from_secs(5));
    }
}
