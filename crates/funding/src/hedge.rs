//! When an ask is worth sending a second time while the first is still open (E24).
//!
//! A reservation is a write. It is sent twice only to a service that declares that the same id twice reserves
//! once, and only for the few asks that take longer than nearly all others. A bucket of tokens bounds the extra
//! load: each ask puts a few hundredths of a token in, each hedge takes a whole one out. When everything is
//! slow the bucket is empty at once, and a service in trouble gets no second helping.
//!
//! Pure: durations come in as they were measured.

use std::time::Duration;

/// Latencies are counted in bands, each about a fifth longer than the one before; the last takes the rest.
const BANDS: usize = 64;

/// Asks answered before the counts are halved, so that what is usual follows the service.
const HALVED_AFTER: u32 = 2_000;

/// Fewer answers than this do not tell what is usual.
const ANSWERS_MIN: u32 = 100;

/// Tokens that may be saved up, in hundredths: a burst of ten.
const SAVED_MAX: u32 = 1_000;

/// How many asks of a hundred may be hedged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HedgeBudget {
    /// Hedges for each hundred asks, 1 to 5.
    pub percent: u32,
}

/// What is usual, and what may still be spent.
#[derive(Debug)]
pub struct Hedger {
    budget: HedgeBudget,
    counts: [u32; BANDS],
    answers: u32,
    /// Hundredths of a token.
    saved: u32,
}

impl Hedger {
    /// Knows nothing yet, and hedges nothing before it does.
    #[must_use]
    pub fn new(budget: HedgeBudget) -> Self {
        Self { budget, counts: [0; BANDS], answers: 0, saved: 0 }
    }

    /// An ask goes out. Returns after how long it may be sent again; `None` for never.
    pub fn asked(&mut self) -> Option<Duration> {
        self.saved = self.saved.saturating_add(self.budget.percent).min(SAVED_MAX);
        self.usual()
    }

    /// An ask was answered after `took`.
    pub fn answered(&mut self, took: Duration) {
        if let Some(count) = self.counts.get_mut(band(took)) {
            *count = count.saturating_add(1);
        }
        self.answers = self.answers.saturating_add(1);
        if self.answers >= HALVED_AFTER {
            for count in &mut self.counts {
                *count /= 2;
            }
            self.answers = self.counts.iter().sum();
        }
    }

    /// Whether an ask may be sent again now. Takes the token if so.
    pub fn may_hedge(&mut self) -> bool {
        let enough = self.saved >= 100;
        if enough {
            self.saved = self.saved.saturating_sub(100);
        }
        enough
    }

    /// The time within which 95 of 100 asks are answered.
    fn usual(&self) -> Option<Duration> {
        if self.answers < ANSWERS_MIN {
            return None;
        }
        let wanted = u64::from(self.answers) * 95;
        let mut seen = 0_u64;
        for (band, count) in self.counts.iter().enumerate() {
            seen = seen.saturating_add(u64::from(*count));
            if seen * 100 >= wanted {
                return Some(upper_end(band));
            }
        }
        None
    }
}

/// The band of a latency: four to each doubling, from 256 us on.
fn band(took: Duration) -> usize {
    (0..BANDS).find(|band| took < upper_end(*band)).unwrap_or(BANDS.saturating_sub(1))
}

/// Where a band ends.
fn upper_end(band: usize) -> Duration {
    // Quarters of a doubling, rounded to whole parts of sixteen: 16, 19, 23, 27 and then twice that.
    const QUARTERS: [u64; 4] = [19, 23, 27, 32];
    let (doublings, quarter) = (u32::try_from(band / 4).unwrap_or(0), band % 4);
    let sixteenths = QUARTERS.get(quarter).copied().unwrap_or(32);
    Duration::from_micros((16 * sixteenths) << doublings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn usual_after(answers: &[u64]) -> Option<Duration> {
        let mut hedger = Hedger::new(HedgeBudget { percent: 2 });
        answers.iter().for_each(|ms| hedger.answered(MS(*ms)));
        hedger.asked()
    }

    #[test]
    fn e24_a_hedge_waits_until_nearly_every_other_ask_would_be_answered() {
        assert_eq!(usual_after(&[5; 99]), None, "too few answers to know what is usual");
        let usual = usual_after(&[5; 100]).unwrap();
        assert!((MS(5)..MS(7)).contains(&usual), "{usual:?}");
        let mut mixed = vec![5; 94];
        mixed.extend([100; 6]);
        let usual = usual_after(&mixed).unwrap();
        assert!((MS(100)..MS(125)).contains(&usual), "{usual:?}");
    }

    #[test]
    fn e24_what_is_usual_follows_the_service() {
        let mut hedger = Hedger::new(HedgeBudget { percent: 2 });
        (0..5_000).for_each(|_| hedger.answered(MS(2)));
        (0..30_000).for_each(|_| hedger.answered(MS(50)));
        let usual = hedger.asked().unwrap();
        assert!((MS(50)..MS(65)).contains(&usual), "{usual:?}");
    }

    #[test]
    fn e24_no_more_than_the_budget_is_hedged_however_slow_everything_is() {
        let mut hedger = Hedger::new(HedgeBudget { percent: 3 });
        let hedged = (0..10_000)
            .filter(|_| {
                hedger.asked();
                hedger.may_hedge()
            })
            .count();
        assert_eq!(hedged, 300);
        (0..100_000).for_each(|_| {
            hedger.asked();
        });
        let burst = (0..100).filter(|_| hedger.may_hedge()).count();
        assert_eq!(burst, 10, "what was saved is bounded");
    }

    #[test]
    fn bands_grow_and_hold_every_latency() {
        assert!((1..BANDS).all(|band| upper_end(band) > upper_end(band - 1)));
        assert_eq!(band(Duration::ZERO), 0);
        assert_eq!(band(Duration::from_secs(3_600)), BANDS - 1);
        assert_eq!(band(upper_end(7)), 8);
    }
}
