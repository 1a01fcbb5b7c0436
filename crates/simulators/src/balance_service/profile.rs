//! How a simulated balance service behaves: how fast it is, what it refuses, and how it fails.
//!
//! A profile is read from TOML; unknown keys and rates outside 0 to 1 are refused. Rates are probabilities, the
//! only floats here: money never is one.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The behaviour of the service, changeable while it runs.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// The time to answer that half of the messages stay below. Zero answers at once.
    #[serde(with = "duration_text")]
    pub latency_p50: Duration,
    /// The time to answer that 99 of 100 messages stay below; times between follow a log-normal distribution.
    #[serde(with = "duration_text")]
    pub latency_p99: Duration,
    /// Asks that are declined although the money is there.
    pub decline_rate: f64,
    /// Asks that get a part although the money is there, if the terminal can take a part.
    pub partial_rate: f64,
    /// Messages that are answered with status 500, half of them after they were booked.
    pub error_rate: f64,
    /// Messages that are never answered, half of them after they were booked.
    pub hang_rate: f64,
    /// Messages whose connection is broken off: before the answer, or in the middle of it.
    pub reset_rate: f64,
    /// Asks that are answered `late_by` after they expired, half of them booked only then.
    pub late_rate: f64,
    /// How long after its expiry a late answer comes.
    #[serde(with = "duration_text")]
    pub late_by: Duration,
    /// Asks whose answer is a lie: another ask's id, a float, more than was asked, a huge body, no JSON, or a
    /// wrong signature.
    pub lie_rate: f64,
}

impl Default for Profile {
    /// Quick and well.
    fn default() -> Self {
        Self {
            latency_p50: Duration::from_millis(2),
            latency_p99: Duration::from_millis(8),
            decline_rate: 0.0,
            partial_rate: 0.0,
            error_rate: 0.0,
            hang_rate: 0.0,
            reset_rate: 0.0,
            late_rate: 0.0,
            late_by: Duration::from_millis(200),
            lie_rate: 0.0,
        }
    }
}

/// Why a profile was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// The text is no profile.
    #[error("balance service profile: {0}")]
    Toml(#[from] toml::de::Error),
    /// A rate that is no probability.
    #[error("balance service profile: {key} is {found}, 0.0 to 1.0 is allowed")]
    Rate {
        /// The key.
        key: &'static str,
        /// The value found.
        found: f64,
    },
    /// Faults that together are more than certain.
    #[error(
        "balance service profile: the rates of error, hang, reset, late and lie add up to {found}, at most 1.0 is allowed"
    )]
    Sum {
        /// The sum found.
        found: f64,
    },
    /// A 99th percentile below the median.
    #[error("balance service profile: latency_p99 is {p99:?}, below latency_p50 of {p50:?}")]
    Latency {
        /// The median.
        p50: Duration,
        /// The 99th percentile.
        p99: Duration,
    },
}

impl Profile {
    /// Answers at once and never fails: for tests of everything else.
    #[must_use]
    pub fn instant() -> Self {
        Self { latency_p50: Duration::ZERO, latency_p99: Duration::ZERO, ..Self::default() }
    }

    /// Never answers: the service's worst hour.
    #[must_use]
    pub fn hung() -> Self {
        Self { hang_rate: 1.0, ..Self::instant() }
    }

    /// Answers everything with status 500.
    #[must_use]
    pub fn failing() -> Self {
        Self { error_rate: 1.0, ..Self::instant() }
    }

    /// Everything that can go wrong does, often.
    #[must_use]
    pub fn stormy() -> Self {
        Self {
            decline_rate: 0.1,
            partial_rate: 0.2,
            error_rate: 0.1,
            hang_rate: 0.1,
            reset_rate: 0.1,
            late_rate: 0.1,
            late_by: Duration::from_millis(20),
            lie_rate: 0.1,
            ..Self::instant()
        }
    }

    /// Reads and checks a profile.
    pub fn from_toml(text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text)?;
        profile.check()?;
        Ok(profile)
    }

    /// Checks the rates and the latencies.
    pub fn check(&self) -> Result<(), ProfileError> {
        let faults = [
            ("error_rate", self.error_rate),
            ("hang_rate", self.hang_rate),
            ("reset_rate", self.reset_rate),
            ("late_rate", self.late_rate),
            ("lie_rate", self.lie_rate),
        ];
        let inclinations = [("decline_rate", self.decline_rate), ("partial_rate", self.partial_rate)];
        for (key, found) in faults.into_iter().chain(inclinations) {
            if !(0.0..=1.0).contains(&found) {
                return Err(ProfileError::Rate { key, found });
            }
        }
        let found: f64 = faults.iter().map(|(_, rate)| rate).sum();
        // Ten rates of 0.1 add up to a hair more than 1.
        if found > 1.000_001 {
            return Err(ProfileError::Sum { found });
        }
        if self.latency_p99 < self.latency_p50 {
            return Err(ProfileError::Latency { p50: self.latency_p50, p99: self.latency_p99 });
        }
        Ok(())
    }
}

/// Durations as text with a unit: `"250us"`, `"20ms"`, `"2s"`. A bare number is refused.
mod duration_text {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}us", duration.as_micros()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let unit = text.get(digits.len()..).unwrap_or_default();
        let microseconds = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            _ => {
                return Err(D::Error::custom(format!("{text:?} has no unit of us, ms or s, as in \"20ms\"")));
            }
        };
        let count: u64 = digits.parse().map_err(|_| {
            D::Error::custom(format!("{text:?} is not a whole number and a unit, as in \"20ms\""))
        })?;
        Ok(Duration::from_micros(count.saturating_mul(microseconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read_with_units_and_the_rest_is_quick_and_well() {
        let profile =
            Profile::from_toml("latency_p50 = \"250us\"\nlatency_p99 = \"20ms\"\nhang_rate = 0.5").unwrap();
        assert_eq!(profile.latency_p50, Duration::from_micros(250));
        assert_eq!(profile.latency_p99, Duration::from_millis(20));
        assert_eq!((profile.hang_rate, profile.error_rate), (0.5, 0.0));
        let written = serde_json::to_string(&profile).unwrap();
        assert_eq!(serde_json::from_str::<Profile>(&written).unwrap(), profile);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (text, part) in [
            ("latency_p50 = 5", "invalid type: integer"),
            ("latency_p50 = \"5\"", "no unit of us, ms or s"),
            ("latency_p50 = \"x5ms\"", "not a whole number and a unit"),
            ("latency = \"5ms\"", "unknown field `latency`"),
            ("lie_rate = 1.5", "lie_rate is 1.5, 0.0 to 1.0 is allowed"),
            ("decline_rate = -0.1", "decline_rate is -0.1"),
            ("lie_rate = nan", "lie_rate is NaN"),
            ("lie_rate = 0.6\nhang_rate = 0.6", "add up to 1.2"),
            ("latency_p50 = \"9ms\"", "latency_p99 is 8ms, below latency_p50 of 9ms"),
        ] {
            let error = Profile::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn the_profiles_in_stock_are_sound() {
        for profile in [Profile::default(), Profile::hung(), Profile::failing(), Profile::stormy()] {
            assert_eq!(profile.check(), Ok(()));
        }
    }
}
