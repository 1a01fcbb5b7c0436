//! How long to leave something alone that has failed.
//!
//! Pauses double up to a maximum, and half of each is left to chance, so that what failed together does not
//! come back together. Pure: chance comes from a seed.

use std::time::Duration;

/// Pauses that double from failure to failure, and are spread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backoff {
    /// The longest pause after the first failure.
    pub min: Duration,
    /// The longest pause after many.
    pub max: Duration,
}

impl Backoff {
    /// The pause after `failures` failures in a row: between half and all of a span that starts at `min`
    /// and doubles each time up to `max`. `chance` is any random number.
    #[must_use]
    pub fn pause(&self, failures: u32, chance: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let span = self.min.saturating_mul(1_u32 << doublings).min(self.max);
        let span_us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let half = span_us / 2;
        Duration::from_micros(half.saturating_add(chance % half.saturating_add(1)))
    }
}

/// splitmix64: a small generator with a seed. It spreads pauses; nothing secret rests on it.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The same numbers for the same seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, any of 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(30) };

    #[test]
    fn pauses_double_up_to_the_maximum_and_are_spread() {
        let pause = |failures, chance| BACKOFF.pause(failures, chance);
        assert_eq!(pause(1, 0), Duration::from_millis(50));
        assert_eq!(pause(1, 50_000), Duration::from_millis(100));
        assert_eq!(pause(2, 0), Duration::from_millis(100));
        assert_eq!(pause(4, 0), Duration::from_millis(400));
        assert_eq!(pause(u32::MAX, 0), Duration::from_secs(15));
        let spread: BTreeSet<_> = (0..100).map(|chance| pause(3, chance * 977)).collect();
        assert!(spread.len() > 90);
    }

    #[test]
    fn chance_repeats_by_its_seed() {
        let numbers = |seed| -> Vec<u64> {
            let mut chance = Chance::new(seed);
            (0..4).map(|_| chance.next()).collect()
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
    }
}
