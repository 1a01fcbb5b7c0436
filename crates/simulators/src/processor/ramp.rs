//! The search for the knee: the highest rate at which answers still come as quickly as they should.
//!
//! Pure: it is told how each rate went and says which to try next. Rates double until one fails, and the range
//! between the last that held and the first that failed is then halved until it is narrow.

use super::outcome::Outcome;
use super::{Counts, Path};
use std::time::Duration;

/// The search ends when the rate that failed is above the one that held by no more than one part in this many.
const PRECISION: u32 = 20;

/// No rate above this is tried; two links of ten gigabits carry less.
const RATE_MAX: u32 = 50_000_000;

/// A search under way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ramp {
    held: Option<u32>,
    failed: Option<u32>,
    first: u32,
}

impl Ramp {
    /// A search that begins with `first` messages a second.
    #[must_use]
    pub fn starting_at(first: u32) -> Self {
        Self { held: None, failed: None, first: first.clamp(1, RATE_MAX) }
    }

    /// The rate to try next; `None` when the knee is known as well as it needs to be.
    #[must_use]
    pub fn next(&self) -> Option<u32> {
        match (self.held, self.failed) {
            (None, None) => Some(self.first),
            (Some(held), None) if held >= RATE_MAX => None,
            (Some(held), None) => Some(held.saturating_mul(2).min(RATE_MAX)),
            (None, Some(1)) => None,
            (None, Some(failed)) => Some(failed / 2),
            (Some(held), Some(failed)) => {
                (failed - held > (held / PRECISION).max(1)).then(|| held + (failed - held) / 2)
            }
        }
    }

    /// Tells whether `rate` held.
    pub fn tried(&mut self, rate: u32, held: bool) {
        if held {
            self.held = Some(self.held.map_or(rate, |before| before.max(rate)));
        } else {
            self.failed = Some(self.failed.map_or(rate, |before| before.min(rate)));
        }
        // A machine has moods: what held above a rate that failed earlier counts, and the search ends there.
        if let (Some(held), Some(failed)) = (self.held, self.failed)
            && failed <= held
        {
            self.failed = Some(held + 1);
        }
    }

    /// The highest rate that held.
    #[must_use]
    pub const fn knee(&self) -> Option<u32> {
        self.held
    }
}

/// Why a rate did not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strain {
    /// The 99th percentile, counted from the time at which each message was due, was above the bound.
    Slow(Duration),
    /// So many messages had no answer, or a late one.
    Unanswered(u64),
    /// So many requests were answered "issuer unavailable".
    Shed(u64),
    /// So many messages could not be sent at all.
    Unsent(u64),
}

impl Strain {
    /// What keeps `outcome` from holding `bound` at `rate` messages a second for `duration`; `None` if it held.
    #[must_use]
    pub fn of(outcome: &Outcome, bound: Duration, rate: u32, duration: Duration) -> Option<Self> {
        let Counts { sent, late, unanswered, .. } = outcome.counts;
        let p99 = outcome.latencies.all().per_mille(990);
        let shed = outcome.latencies.of(Path::Shed).count();
        let offered = u64::try_from(u128::from(rate) * duration.as_millis() / 1_000).unwrap_or(u64::MAX);
        // Gaps are drawn, and what makes no sense at the moment is left out: a few in a hundred.
        let unsent = (offered - offered / 10).saturating_sub(sent);
        if unsent > 0 {
            Some(Self::Unsent(unsent))
        } else if late + unanswered > 0 {
            Some(Self::Unanswered(late + unanswered))
        } else if shed > 0 {
            Some(Self::Shed(shed))
        } else {
            (p99 > bound).then_some(Self::Slow(p99))
        }
    }
}

impl std::fmt::Display for Strain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Slow(p99) => write!(f, "p99 {:.2} ms", p99.as_secs_f64() * 1_000.0),
            Self::Unanswered(count) => write!(f, "{count} late or without an answer"),
            Self::Shed(count) => write!(f, "{count} shed"),
            Self::Unsent(count) => write!(f, "{count} not sent: too many in flight"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Searches on a system that holds rates up to `knee`.
    fn search(first: u32, knee: u32) -> (Option<u32>, usize) {
        let (mut ramp, mut tries) = (Ramp::starting_at(first), 0);
        while let Some(rate) = ramp.next() {
            ramp.tried(rate, rate <= knee);
            tries += 1;
            assert!(tries < 100, "the search does not end");
        }
        (ramp.knee(), tries)
    }

    proptest! {
        #[test]
        fn the_knee_is_found_within_a_twentieth_from_wherever_the_search_begins(
            first in 1_u32..10_000_000,
            knee in 1_u32..20_000_000,
        ) {
            let (found, tries) = search(first, knee);
            let found = found.unwrap();
            prop_assert!(found <= knee && knee - found <= (found / PRECISION).max(1), "{found} of {knee}");
            prop_assert!(tries <= 40, "{tries}");
        }
    }

    #[test]
    fn what_holds_nothing_has_no_knee() {
        assert_eq!(search(1_000, 0).0, None);
    }

    #[test]
    fn a_rate_that_holds_above_one_that_failed_ends_the_search() {
        let mut ramp = Ramp::starting_at(1_000);
        ramp.tried(1_000, false);
        ramp.tried(1_200, true);
        assert_eq!((ramp.next(), ramp.knee()), (None, Some(1_200)));
    }
}
