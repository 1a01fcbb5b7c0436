//! When messages are due.
//!
//! Open loop: due times are fixed before the run and do not wait for answers, so a slow answer delays no later
//! message, and latency is counted from the due time. Closed loop: a fixed number of messages is kept in flight.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// How fast messages are sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// So many messages a second over all links together, whatever the answers do.
    Open {
        /// Messages a second, all links together.
        rate_per_second: u32,
        /// How the gaps between messages are spread.
        arrivals: Arrivals,
    },
    /// So many messages in flight on each link: the next one leaves when an answer arrives.
    Closed {
        /// Messages in flight on each link.
        window_per_link: usize,
    },
}

/// How the gaps between messages are spread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrivals {
    /// Equal gaps.
    Even,
    /// Exponential gaps, as independent cardholders make them: bursts and lulls.
    Poisson,
}

/// Due times of one link, in nanoseconds from the start of the run.
#[derive(Debug)]
pub(crate) enum Schedule {
    /// Message k of link l is due at (k x links + l) / rate.
    Even { next: u128, step: u128, rate: u128 },
    /// Gaps with this mean.
    Poisson { due: f64, mean: f64, random: Box<Xoshiro256PlusPlus> },
    /// Due as soon as there is room.
    WhenFree,
}

const SECOND: u128 = 1_000_000_000;

/// Messages that are due within the same 100 us are due at its end and leave in one write: the generator
/// shares the machine with what it measures, and a wake-up costs more than a message.
const TICK: u64 = 100_000;

impl Schedule {
    pub(crate) fn new(pace: Pace, seed: u64, link: usize, links: usize) -> Self {
        let (link, links) = (link as u128, links.max(1) as u128);
        match pace {
            Pace::Open { rate_per_second, arrivals: Arrivals::Even } => {
                Self::Even { next: link, step: links, rate: u128::from(rate_per_second.max(1)) }
            }
            Pace::Open { rate_per_second, arrivals: Arrivals::Poisson } => {
                let mean = (SECOND * links) as f64 / f64::from(rate_per_second.max(1));
                let seed = seed.rotate_left(17) ^ (link as u64 + 1);
                let mut random = Box::new(Xoshiro256PlusPlus::seed_from_u64(seed));
                Self::Poisson { due: exponential(&mut random, mean), mean, random }
            }
            Pace::Closed { .. } => Self::WhenFree,
        }
    }

    /// When the next message is due, from the start of the run; `None` when it is due as soon as there is room.
    pub(crate) fn due(&self) -> Option<Duration> {
        let nanos = match self {
            Self::Even { next, rate, .. } => u64::try_from(next * SECOND / rate).unwrap_or(u64::MAX),
            Self::Poisson { due, .. } => *due as u64,
            Self::WhenFree => return None,
        };
        Some(Duration::from_nanos(nanos.div_ceil(TICK).saturating_mul(TICK)))
    }

    /// Goes on to the message after.
    pub(crate) fn advance(&mut self) {
        match self {
            Self::Even { next, step, .. } => *next += *step,
            Self::Poisson { due, mean, random } => *due += exponential(random, *mean),
            Self::WhenFree => {}
        }
    }
}

fn exponential(random: &mut Xoshiro256PlusPlus, mean: f64) -> f64 {
    -mean * (1.0 - random.random_range(0.0..1.0_f64)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dues(pace: Pace, link: usize, links: usize, until: Duration) -> Vec<Duration> {
        let mut schedule = Schedule::new(pace, 7, link, links);
        let mut dues = Vec::new();
        while let Some(due) = schedule.due().filter(|due| *due < until) {
            dues.push(due);
            schedule.advance();
        }
        dues
    }

    #[test]
    fn links_share_the_rate_evenly_and_in_turn() {
        let pace = Pace::Open { rate_per_second: 1_000, arrivals: Arrivals::Even };
        let first = dues(pace, 0, 4, Duration::from_secs(1));
        let second = dues(pace, 1, 4, Duration::from_secs(1));
        assert_eq!((first.len(), second.len()), (250, 250));
        assert_eq!(first[1] - first[0], Duration::from_millis(4));
        assert_eq!(second[0], Duration::from_millis(1));
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        let pace = Pace::Open { rate_per_second: 7_001, arrivals: Arrivals::Even };
        let sent: usize = (0..3).map(|link| dues(pace, link, 3, Duration::from_secs(5)).len()).sum();
        assert!((35_004..=35_005).contains(&sent), "{sent}");
    }

    #[test]
    fn poisson_arrivals_keep_the_mean_and_repeat_by_seed() {
        let pace = Pace::Open { rate_per_second: 10_000, arrivals: Arrivals::Poisson };
        let once = dues(pace, 0, 1, Duration::from_secs(2));
        assert!((19_400..20_600).contains(&once.len()), "{}", once.len());
        assert_eq!(once, dues(pace, 0, 1, Duration::from_secs(2)));
    }
}
