//! When to stop asking, and how to find out whether to begin again.
//!
//! A service that fails or dawdles costs every cardholder the whole time that an ask may take, only to be
//! declined. The breaker watches the last seconds. When too many calls failed or were slow it opens: nothing
//! is asked, and the answer is immediate. After a pause a few probes go out; if they succeed it closes, if one
//! fails it opens again for longer.
//!
//! Guarantees: too few calls never open it; a call is judged only in the state in which it began, so the
//! stragglers of an outage neither close nor reopen it; a probe that never ends gives its place back in time.
//! A decline is a success: the service said no, and said it properly. Pure: time is an argument.

use crate::backoff::{Backoff, Chance};
use domain::Mono;
use std::time::Duration;

/// Into how many parts the window is cut; the oldest is forgotten as a whole.
const BUCKETS: u32 = 10;

/// When the breaker opens and closes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BreakerConfig {
    /// How far back it looks.
    pub window: Duration,
    /// Calls within the window below which it never opens.
    pub calls_min: u32,
    /// Failures of a hundred calls that open it.
    pub failure_percent_max: u32,
    /// Slow calls of a hundred that open it. A failed call is not counted as slow too.
    pub slow_percent_max: u32,
    /// Hundredths of an ask's time after which an answer counts as slow.
    pub slow_after_percent: u32,
    /// How long it stays open; longer each time it opens again without having closed.
    pub open_for: Backoff,
    /// Probes that may be under way at once.
    pub probes_max: u32,
    /// When a probe that has not ended gives its place to another.
    pub probe_expires: Duration,
    /// Probes in a row that must succeed for it to close.
    pub probes_to_close: u32,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            calls_min: 20,
            failure_percent_max: 50,
            slow_percent_max: 80,
            slow_after_percent: 80,
            open_for: Backoff { min: Duration::from_secs(2), max: Duration::from_secs(30) },
            probes_max: 3,
            probe_expires: Duration::from_secs(5),
            probes_to_close: 3,
        }
    }
}

/// How the breaker stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BreakerState {
    /// Calls go out.
    Closed,
    /// No call goes out.
    Open,
    /// A few calls go out as probes.
    HalfOpen,
}

impl BreakerState {
    /// The word that metrics and logs use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Leave to make one call. It must come back with how the call ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Permit {
    /// In which of the breaker's states, counted from its start, the call began.
    epoch: u64,
    /// Tells probes apart.
    serial: u64,
}

/// What a call would be worth as a probe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Probe {
    /// Little is lost if it fails: a small ask, or a question after the service's health.
    Cheap,
    /// A cardholder's larger payment: it probes only when nothing cheaper came along for as long as a probe may take.
    Dear,
    /// Something else probes this service.
    Never,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallEnd {
    /// With an answer, whatever it said.
    Answered,
    /// With an answer that took most of its time.
    AnsweredSlowly,
    /// Without an answer, or with one that cannot be used.
    Failed,
    /// For reasons that say nothing about the service.
    NotJudged,
}

/// The breaker of one endpoint.
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    state: State,
    /// Rises with every change of state.
    epoch: u64,
    serial: u64,
    /// How often it has opened since it was last closed.
    opened: u32,
    chance: Chance,
}

#[derive(Debug)]
enum State {
    Closed(Window),
    Open { until: Mono },
    HalfOpen { since: Mono, probes: Vec<OpenProbe>, succeeded: u32 },
}

#[derive(Clone, Copy, Debug)]
struct OpenProbe {
    serial: u64,
    expires: Mono,
}

impl Breaker {
    /// A closed breaker that has seen nothing yet.
    #[must_use]
    pub fn new(config: BreakerConfig, seed: u64) -> Self {
        let state = State::Closed(Window::new(config.window));
        Self { config, state, epoch: 0, serial: 0, opened: 0, chance: Chance::new(seed) }
    }

    /// Leave to call the service now, or `None`. Any call may probe.
    pub fn permit(&mut self, now: Mono) -> Option<Permit> {
        self.permit_for(now, Probe::Cheap)
    }

    /// Leave to call the service now, or `None`, for a call of this worth as a probe.
    pub fn permit_for(&mut self, now: Mono, worth: Probe) -> Option<Permit> {
        if let State::Open { until } = self.state
            && now >= until
        {
            self.enter(State::HalfOpen { since: now, probes: Vec::new(), succeeded: 0 });
        }
        self.serial = self.serial.wrapping_add(1);
        let permit = Permit { epoch: self.epoch, serial: self.serial };
        match &mut self.state {
            State::Closed(_) => Some(permit),
            State::Open { .. } => None,
            State::HalfOpen { since, probes, .. } => {
                probes.retain(|probe| probe.expires > now);
                let nothing_cheaper = now.since(*since) >= self.config.probe_expires;
                match worth {
                    Probe::Cheap => {}
                    Probe::Dear if nothing_cheaper => {}
                    Probe::Dear | Probe::Never => return None,
                }
                let places = usize::try_from(self.config.probes_max).unwrap_or(usize::MAX);
                if probes.len() >= places {
                    return None;
                }
                let expires = now.plus(self.config.probe_expires);
                probes.push(OpenProbe { serial: permit.serial, expires });
                Some(permit)
            }
        }
    }

    /// Learns how a permitted call ended.
    pub fn ended(&mut self, permit: Permit, end: CallEnd, now: Mono) {
        if permit.epoch != self.epoch {
            return;
        }
        match &mut self.state {
            State::Open { .. } => {}
            State::Closed(window) => {
                window.count(end, now);
                if window.total(now).is_too_much(&self.config) {
                    self.open(now);
                }
            }
            State::HalfOpen { since: _, probes, succeeded } => {
                let before = probes.len();
                probes.retain(|probe| probe.serial != permit.serial);
                if probes.len() == before {
                    // Its place had expired; a probe that took this long has told nothing good in time.
                    return;
                }
                match end {
                    CallEnd::NotJudged => {}
                    CallEnd::Failed | CallEnd::AnsweredSlowly => self.open(now),
                    CallEnd::Answered => {
                        *succeeded = succeeded.saturating_add(1);
                        if *succeeded >= self.config.probes_to_close {
                            self.opened = 0;
                            self.enter(State::Closed(Window::new(self.config.window)));
                        }
                    }
                }
            }
        }
    }

    /// How it stands at `now`. An open one whose pause is over is half-open: the next call is a probe.
    #[must_use]
    pub fn state(&self, now: Mono) -> BreakerState {
        match self.state {
            State::Closed(_) => BreakerState::Closed,
            State::Open { until } if now < until => BreakerState::Open,
            State::Open { .. } | State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// The state that it last entered, whatever time has done to it since.
    pub(crate) const fn standing(&self) -> BreakerState {
        match self.state {
            State::Closed(_) => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    fn open(&mut self, now: Mono) {
        self.opened = self.opened.saturating_add(1);
        let pause = self.config.open_for.pause(self.opened, self.chance.next());
        self.enter(State::Open { until: now.plus(pause) });
    }

    fn enter(&mut self, state: State) {
        self.epoch = self.epoch.wrapping_add(1);
        self.state = state;
    }
}

/// Calls of the last seconds, in a ring of buckets.
#[derive(Debug)]
struct Window {
    bucket_nanos: u64,
    buckets: [Bucket; BUCKETS as usize],
}

/// The calls that ended within one part of the window.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Which part of time this is: nanoseconds divided by the bucket's length.
    part: u64,
    calls: u32,
    failed: u32,
    slow: u32,
}

impl Window {
    fn new(length: Duration) -> Self {
        let bucket_nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX) / u64::from(BUCKETS);
        Self { bucket_nanos: bucket_nanos.max(1), buckets: [Bucket::default(); BUCKETS as usize] }
    }

    fn count(&mut self, end: CallEnd, now: Mono) {
        let part = now.nanos() / self.bucket_nanos;
        let place = usize::try_from(part % u64::from(BUCKETS)).unwrap_or(0);
        let Some(bucket) = self.buckets.get_mut(place) else { return };
        if bucket.part != part {
            *bucket = Bucket { part, ..Bucket::default() };
        }
        let (calls, failed, slow) = match end {
            CallEnd::Answered => (1, 0, 0),
            CallEnd::AnsweredSlowly => (1, 0, 1),
            CallEnd::Failed => (1, 1, 0),
            CallEnd::NotJudged => (0, 0, 0),
        };
        bucket.calls = bucket.calls.saturating_add(calls);
        bucket.failed = bucket.failed.saturating_add(failed);
        bucket.slow = bucket.slow.saturating_add(slow);
    }

    /// The sum over the parts that lie within the window at `now`.
    fn total(&self, now: Mono) -> Bucket {
        let part = now.nanos() / self.bucket_nanos;
        let within = |bucket: &&Bucket| part.saturating_sub(bucket.part) < u64::from(BUCKETS);
        self.buckets.iter().filter(within).fold(Bucket { part, ..Bucket::default() }, |sum, bucket| Bucket {
            part,
            calls: sum.calls.saturating_add(bucket.calls),
            failed: sum.failed.saturating_add(bucket.failed),
            slow: sum.slow.saturating_add(bucket.slow),
        })
    }
}

impl Bucket {
    fn is_too_much(&self, config: &BreakerConfig) -> bool {
        let share = |part: u32, percent: u32| {
            part > 0 && u64::from(part) * 100 >= u64::from(self.calls) * u64::from(percent)
        };
        self.calls >= config.calls_min
            && (share(self.failed, config.failure_percent_max) || share(self.slow, config.slow_percent_max))
    }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
