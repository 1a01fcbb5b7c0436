//! How long answers took, in histograms that can be merged, written to files and read back.
//!
//! Values are nanoseconds from the *scheduled* send time, with three significant digits between 1 us and 120 s;
//! anything outside is counted at the nearest bound.

use hdrhistogram::Histogram;
use std::fmt::Write as _;
use std::time::Duration;

const LOWEST: u64 = 1_000;
const HIGHEST: u64 = 120_000_000_000;
const DIGITS: u8 = 3;

/// The way that an answered message took.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Path {
    /// Approved on a pre-funded card.
    Cache,
    /// Approved on a JIT card.
    Jit,
    /// Declined by the switch alone.
    Decline,
    /// Declined on a JIT card: the balance service may have been asked.
    JitDecline,
    /// Answered DE39 91 or 96 on a pre-funded card: the switch could not decide.
    Shed,
    /// The answer to a repeat.
    Repeat,
    /// The answer to a reversal, sent for the first time or again.
    Reversal,
    /// The answer to an advice.
    Advice,
    /// The answer to a sign-on, sign-off or echo.
    Network,
}

impl Path {
    /// Every path, in the order of reports.
    pub const ALL: [Self; 9] = [
        Self::Cache,
        Self::Jit,
        Self::Decline,
        Self::JitDecline,
        Self::Shed,
        Self::Repeat,
        Self::Reversal,
        Self::Advice,
        Self::Network,
    ];

    /// The name in reports and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Jit => "jit",
            Self::Decline => "decline",
            Self::JitDecline => "jit-decline",
            Self::Shed => "shed",
            Self::Repeat => "repeat",
            Self::Reversal => "reversal",
            Self::Advice => "advice",
            Self::Network => "echo",
        }
    }
}

/// The latencies of one path.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency(Histogram<u64>);

/// Why a written histogram could not be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LatencyError {
    /// The first line is not the one that [`Latency::to_text`] writes.
    #[error("line 1: not the header {:?}", HEADER)]
    Header,
    /// Another line is not a value and a count.
    #[error("line {line}: expected two whole numbers, nanoseconds and count")]
    Line {
        /// The line, from 1.
        line: usize,
    },
}

const HEADER: &str = "# authswitch latency 1: nanoseconds count";

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(LOWEST, HIGHEST, DIGITS).expect("constant bounds, in order"))
    }
}

impl Latency {
    /// Adds one latency.
    pub fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(HIGHEST);
        self.0.saturating_record(nanos.max(LOWEST));
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        // Both have the same bounds, so no value of the other can be out of ours.
        self.0.add(&other.0).expect("equal bounds");
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many latencies were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that `per_mille` of 1000 answers do not exceed: 500 for the median, 999 for p99.9.
    #[must_use]
    pub fn per_mille(&self, per_mille: u16) -> Duration {
        self.quantile(f64::from(per_mille) / 1_000.0)
    }

    /// The latency at a quantile from 0 to 1.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(quantile))
    }

    /// The slowest.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }

    /// The quickest.
    #[must_use]
    pub fn min(&self) -> Duration {
        Duration::from_nanos(if self.0.is_empty() { 0 } else { self.0.min() })
    }

    /// The percentile curve: (k, latency at the quantile 1 - 10^-k) for k in small steps. It ends with the
    /// slowest answer, at what the count can tell: 3 for a thousand.
    #[must_use]
    pub fn curve(&self) -> Vec<(f64, Duration)> {
        let end = (self.count().max(1) as f64).log10();
        let steps = (end * 8.0).ceil() as u32;
        let before = (0..steps).map(|step| {
            let nines = f64::from(step) / 8.0;
            (nines, self.quantile(1.0 - 10_f64.powf(-nines)))
        });
        before.chain([(end, self.max())]).collect()
    }

    /// The recorded values as text: a header, then a value in nanoseconds and its count on each line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for value in self.0.iter_recorded() {
            let _ = writeln!(text, "{} {}", value.value_iterated_to(), value.count_since_last_iteration());
        }
        text
    }

    /// Reads what [`Latency::to_text`] wrote.
    ///
    /// # Errors
    /// [`LatencyError`] with the number of the first line that is something else.
    pub fn from_text(text: &str) -> Result<Self, LatencyError> {
        let mut lines = (1..).zip(text.lines());
        if lines.next().map(|(_, line)| line) != Some(HEADER) {
            return Err(LatencyError::Header);
        }
        let mut latency = Self::default();
        for (line, text) in lines {
            let pair = text
                .split_once(' ')
                .and_then(|(value, count)| Some((value.parse::<u64>().ok()?, count.parse::<u64>().ok()?)));
            let (value, count) = pair.ok_or(LatencyError::Line { line })?;
            latency.0.saturating_record_n(value, count);
        }
        Ok(latency)
    }
}

/// The latencies of every path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latencies {
    by_path: [Latency; Path::ALL.len()],
}

impl Latencies {
    /// Adds one latency.
    pub fn record(&mut self, path: Path, latency: Duration) {
        if let Some(slot) = self.by_path.get_mut(path as usize) {
            slot.record(latency);
        }
    }

    /// The latencies of one path.
    #[must_use]
    pub fn of(&self, path: Path) -> &Latency {
        // `Path::ALL` lists the variants in order, so there is a slot for each; a test checks it.
        &self.by_path[path as usize]
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.by_path.iter_mut().zip(&other.by_path) {
            mine.merge(theirs);
        }
    }

    /// All paths together.
    #[must_use]
    pub fn all(&self) -> Latency {
        let mut all = Latency::default();
        self.by_path.iter().for_each(|latency| all.merge(latency));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(nanos: &[u64]) -> Latency {
        let mut latency = Latency::default();
        nanos.iter().for_each(|nanos| latency.record(Duration::from_nanos(*nanos)));
        latency
    }

    #[test]
    fn every_path_has_its_own_slot() {
        let mut latencies = Latencies::default();
        for (count, path) in (1..).zip(Path::ALL) {
            (0..count).for_each(|_| latencies.record(path, Duration::from_micros(1)));
        }
        let counts: Vec<u64> = Path::ALL.iter().map(|path| latencies.of(*path).count()).collect();
        assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(latencies.all().count(), 45);
    }

    #[test]
    fn latencies_out_of_bounds_count_at_the_nearest_bound() {
        let latency = of(&[0, 1, 3_600_000_000_000]);
        assert_eq!(latency.count(), 3);
        assert!(latency.max() >= Duration::from_secs(120));
        assert!(latency.min() <= Duration::from_micros(1));
    }

    #[test]
    fn a_file_that_is_no_histogram_names_the_line() {
        assert_eq!(Latency::from_text("hello"), Err(LatencyError::Header));
        let text = format!("{HEADER}\n1000 1\n1000\n");
        assert_eq!(Latency::from_text(&text), Err(LatencyError::Line { line: 3 }));
    }

    #[test]
    fn the_curve_ends_with_the_slowest_answer() {
        let mut latency = of(&[1_000_000; 999]);
        latency.record(Duration::from_secs(9));
        let (nines, slowest) = *latency.curve().last().unwrap();
        assert!((nines - 3.0).abs() < 1e-9);
        assert_eq!(slowest, latency.max(), "the one slow answer of a thousand shows");
        assert_eq!(Latency::default().curve(), [(0.0, Duration::ZERO)]);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(nanos in prop::collection::vec(0_u64..200_000_000_000, 0..50)) {
            let latency = of(&nanos);
            let read = Latency::from_text(&latency.to_text()).unwrap();
            prop_assert_eq!(read.count(), latency.count());
            for per_mille in [0, 500, 990, 999, 1_000] {
                prop_assert_eq!(read.per_mille(per_mille), latency.per_mille(per_mille));
            }
        }

        #[test]
        fn merging_is_recording_in_one(a in prop::collection::vec(0_u64..9_000_000_000, 0..30),
                                       b in prop::collection::vec(0_u64..9_000_000_000, 0..30)) {
            let mut merged = of(&a);
            merged.merge(&of(&b));
            prop_assert_eq!(merged, of(&[a, b].concat()));
        }
    }
}
