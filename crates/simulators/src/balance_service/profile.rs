//! How a simulated balance service behaves: how fast it is, what it refuses, and how it fails.
//!
//! A profile is read from TOML; unknown keys and rates outside 0 to 1 are refused. Rates are probabilities, the
//! only floats here: money never is one.

use serde::{Deserialize, Serialize};
use std::time::Duration;

macro_rules! stock {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../config/balance-service/", $name, ".toml")))),*]
    };
}

/// The profiles of `config/balance-service`, built in.
const STOCK: [(&str, &str); 11] = stock![
    "normal",
    "slow",
    "hung",
    "dying",
    "resetting",
    "lying",
    "flapping",
    "late",
    "shuffled",
    "restarting",
    "forgetful",
];

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
    /// Messages whose connection is reset before any byte of the answer, half of them after they were booked.
    pub reset_rate: f64,
    /// Messages whose answer breaks off in its middle, after they were booked.
    pub dying_rate: f64,
    /// Asks that are answered `late_by` after they expired, half of them booked only then.
    pub late_rate: f64,
    /// How long after its expiry a late answer comes.
    #[serde(with = "duration_text")]
    pub late_by: Duration,
    /// Asks whose answer is a lie: another ask's id, a float, more than was asked, nothing, a huge body, no JSON, or
    /// a wrong signature.
    pub lie_rate: f64,
    /// How long a message may lie before it is taken in, whether or not its sender still listens.
    #[serde(with = "duration_text")]
    pub shuffle: Duration,
    /// Flapping: for so long the service has none of the faults above.
    #[serde(with = "duration_text")]
    pub well_for: Duration,
    /// And for so long it has them; zero for a service that always has them.
    #[serde(with = "duration_text")]
    pub ill_for: Duration,
    /// How often the process is replaced; zero for never.
    #[serde(with = "duration_text")]
    pub restart_every: Duration,
    /// For how long it is away then.
    #[serde(with = "duration_text")]
    pub restart_takes: Duration,
    /// Whether its books are gone after that.
    pub restart_forgets: bool,
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
            dying_rate: 0.0,
            late_rate: 0.0,
            late_by: Duration::from_millis(200),
            lie_rate: 0.0,
            shuffle: Duration::ZERO,
            well_for: Duration::ZERO,
            ill_for: Duration::ZERO,
            restart_every: Duration::ZERO,
            restart_takes: Duration::from_millis(500),
            restart_forgets: false,
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
        "balance service profile: the rates of error, hang, reset, dying, late and lie add up to {found}, at most 1.0 is allowed"
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
            reset_rate: 0.05,
            dying_rate: 0.05,
            late_rate: 0.1,
            late_by: Duration::from_millis(20),
            lie_rate: 0.1,
            ..Self::instant()
        }
    }

    /// The profile of this name among those of `config/balance-service`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (_, text) = STOCK.iter().find(|(stock, _)| *stock == name)?;
        // A test reads each of them.
        Self::from_toml(text).ok()
    }

    /// The names of the profiles in `config/balance-service`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        STOCK.iter().map(|(name, _)| *name)
    }

    /// How it behaves when it has been in force for `elapsed`: one that flaps is well at first.
    #[must_use]
    pub fn after(self, elapsed: Duration) -> Self {
        let period = self.well_for.saturating_add(self.ill_for).as_micros();
        if self.ill_for.is_zero() || elapsed.as_micros() % period.max(1) >= self.well_for.as_micros() {
            return self;
        }
        let Self { latency_p50, latency_p99, .. } = self;
        Self { latency_p50, latency_p99, ..Self::default() }
    }

    /// How many messages of one meet a fault of any kind.
    #[must_use]
    pub fn fault_rate(&self) -> f64 {
        self.faults().iter().map(|(_, rate)| rate).sum()
    }

    const fn faults(&self) -> [(&'static str, f64); 6] {
        [
            ("error_rate", self.error_rate),
            ("hang_rate", self.hang_rate),
            ("reset_rate", self.reset_rate),
            ("dying_rate", self.dying_rate),
            ("late_rate", self.late_rate),
            ("lie_rate", self.lie_rate),
        ]
    }

    /// Reads and checks a profile.
    pub fn from_toml(text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text)?;
        profile.check()?;
        Ok(profile)
    }

    /// Checks the rates and the latencies.
    pub fn check(&self) -> Result<(), ProfileError> {
        let faults = self.faults();
        let inclinations = [("decline_rate", self.decline_rate), ("partial_rate", self.partial_rate)];
        for (key, found) in faults.into_iter().chain(inclinations) {
            if !(0.0..=1.0).contains(&found) {
                return Err(ProfileError::Rate { key, found });
            }
        }
        let found = self.fault_rate();
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
    fn every_file_of_the_folder_is_a_profile_of_its_name() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/balance-service");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<_> = files
            .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
            .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        let mut built_in: Vec<_> = Profile::names().collect();
        built_in.sort_unstable();
        assert_eq!(names, built_in);
        for (name, text) in STOCK {
            Profile::from_toml(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        assert_eq!(Profile::named("nobody"), None);
    }

    #[test]
    fn a_flapping_service_is_well_and_ill_by_turns() {
        let flapping = Profile::named("flapping").unwrap();
        let ill_at = |ms| flapping.after(Duration::from_millis(ms)).error_rate > 0.0;
        let turns = [0, 1_999, 2_000, 3_999, 4_000, 6_000].map(ill_at);
        assert_eq!(turns, [false, false, true, true, false, true]);
        let hung = Profile::hung();
        assert_eq!(hung.after(Duration::from_secs(1)), hung);
    }

    #[test]
    fn the_profiles_in_stock_are_sound() {
        for profile in [Profile::default(), Profile::hung(), Profile::failing(), Profile::stormy()] {
            assert_eq!(profile.check(), Ok(()));
        }
    }
}
