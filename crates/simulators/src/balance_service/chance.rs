//! What happens to one message, drawn from the profile.
//!
//! The draw depends on the seed, the message's id and how often it came before, and on nothing else: not on the
//! order of arrival nor on the clock. So a run repeats by its seed although its threads do not.

use super::profile::Profile;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// What happens to one message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Draw {
    /// How long the message lies before it is taken in.
    pub(super) lies_for: Duration,
    /// How long the service thinks.
    pub(super) latency: Duration,
    /// How it ends.
    pub(super) fault: Fault,
    /// What the service would like to say to an ask.
    pub(super) inclination: Inclination,
}

/// How a message ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// As it should.
    None,
    /// With status 500.
    Error(Booked),
    /// Not at all.
    Hang(Booked),
    /// With a reset of the connection before any byte of the answer.
    Reset(Booked),
    /// With the end of the connection in the middle of the answer.
    Dying,
    /// After the ask has expired.
    Late(Booked),
    /// With an answer that is not one.
    Lie(Lie),
}

/// Whether a message that was not answered properly was booked all the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Booked {
    /// When it arrived.
    AtOnce,
    /// Not at all, or for a late answer: only when that is given.
    NotYet,
}

/// An answer that is not one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lie {
    /// About another ask.
    OtherAsk,
    /// Units with a decimal point.
    Float,
    /// More than was asked.
    TooMuch,
    /// An approval of nothing.
    Nothing,
    /// A megabyte of spaces.
    Huge,
    /// A page for people.
    NotJson,
    /// Not signed by the service's key.
    Unsigned,
}

/// What the service would like to say to an ask that it could fund.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Inclination {
    /// Yes.
    Approve,
    /// No.
    Decline,
    /// Yes, to this many hundredths.
    Part(u8),
}

const LIES: [Lie; 7] =
    [Lie::OtherAsk, Lie::Float, Lie::TooMuch, Lie::Nothing, Lie::Huge, Lie::NotJson, Lie::Unsigned];

/// Draws what happens to the message `id` when it comes for the `times`-th time.
pub(super) fn draw(profile: &Profile, seed: u64, id: &str, times: u32) -> Draw {
    let mut random = StdRng::seed_from_u64(mix(seed, id, times));
    // Always the same number of draws in the same order, so that one rate does not shift the others.
    let (fault, booked, which): (f64, bool, usize) =
        (random.random(), random.random(), random.random_range(0..LIES.len()));
    let (wish, hundredths): (f64, u8) = (random.random(), random.random_range(1..100));
    let latency = latency(profile, &mut random);
    let lies_for = profile.shuffle.mul_f64(random.random());
    let booked = if booked { Booked::AtOnce } else { Booked::NotYet };
    let kinds = [
        (profile.error_rate, Fault::Error(booked)),
        (profile.hang_rate, Fault::Hang(booked)),
        (profile.reset_rate, Fault::Reset(booked)),
        (profile.dying_rate, Fault::Dying),
        (profile.late_rate, Fault::Late(booked)),
        (profile.lie_rate, Fault::Lie(LIES.get(which).copied().unwrap_or(Lie::NotJson))),
    ];
    let wishes =
        [(profile.decline_rate, Inclination::Decline), (profile.partial_rate, Inclination::Part(hundredths))];
    Draw {
        lies_for,
        latency,
        fault: pick(fault, &kinds).unwrap_or(Fault::None),
        inclination: pick(wish, &wishes).unwrap_or(Inclination::Approve),
    }
}

/// The first whose share of 0 to 1 holds `point`.
fn pick<T: Copy>(mut point: f64, shares: &[(f64, T)]) -> Option<T> {
    for (share, item) in shares {
        if point < *share {
            return Some(*item);
        }
        point -= share;
    }
    None
}

/// A log-normal time with the profile's median and 99th percentile.
fn latency(profile: &Profile, random: &mut StdRng) -> Duration {
    // The standard normal distribution has 99 of 100 values below this.
    const Z99: f64 = 2.326_347_874;
    // 1 - u is never 0, so the logarithm is finite.
    let (radius, angle): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
    if profile.latency_p50.is_zero() {
        return Duration::ZERO;
    }
    let normal = (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos();
    let sigma = (profile.latency_p99.as_secs_f64() / profile.latency_p50.as_secs_f64()).ln() / Z99;
    let seconds = profile.latency_p50.as_secs_f64() * (sigma * normal).exp();
    Duration::try_from_secs_f64(seconds.min(3_600.0)).unwrap_or(profile.latency_p99)
}

/// FNV-1a over everything that the draw depends on.
fn mix(seed: u64, id: &str, times: u32) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(id.bytes()).chain(times.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(profile: Profile, count: u32) -> Vec<Draw> {
        (0..count).map(|number| draw(&profile, 1, &format!("tx-{number}"), 1)).collect()
    }

    #[test]
    fn the_same_message_meets_the_same_fate_and_its_repeat_another() {
        let profile = Profile::stormy();
        assert_eq!(draw(&profile, 1, "a", 1), draw(&profile, 1, "a", 1));
        let fates: Vec<_> = (1..50).map(|times| draw(&profile, 1, "a", times).fault).collect();
        assert!(fates.contains(&Fault::None), "a duty that is repeated gets through one day");
        assert!(fates.iter().any(|fault| matches!(fault, Fault::Hang(_))));
    }

    #[test]
    fn rates_are_kept() {
        let hung = draws(Profile::hung(), 100);
        assert!(hung.iter().all(|draw| matches!(draw.fault, Fault::Hang(_))));
        let booked = hung.iter().filter(|draw| draw.fault == Fault::Hang(Booked::AtOnce)).count();
        assert!((25..75).contains(&booked), "{booked} of 100 booked");
        let lying = draws(Profile { lie_rate: 0.25, ..Profile::instant() }, 2_000);
        let lies = lying.iter().filter(|draw| matches!(draw.fault, Fault::Lie(_))).count();
        assert!((400..600).contains(&lies), "{lies} of 2000 lied");
        assert!(draws(Profile::default(), 100).iter().all(|draw| draw.fault == Fault::None));
    }

    #[test]
    fn latencies_have_the_median_and_the_percentile_that_were_asked_for() {
        let (p50, p99) = (Duration::from_millis(5), Duration::from_millis(50));
        let profile = Profile { latency_p50: p50, latency_p99: p99, ..Profile::default() };
        let mut latencies: Vec<_> = draws(profile, 10_000).iter().map(|draw| draw.latency).collect();
        latencies.sort();
        let (median, high) = (latencies[5_000].as_secs_f64(), latencies[9_900].as_secs_f64());
        assert!((median / p50.as_secs_f64() - 1.0).abs() < 0.05, "median {median}");
        assert!((high / p99.as_secs_f64() - 1.0).abs() < 0.15, "99th percentile {high}");
        assert!(draws(Profile::instant(), 10).iter().all(|draw| draw.latency.is_zero()));
    }
}
