//! Whether a lane can take a new request in time: overload is told at the door, not after a wait (E38).
//!
//! A burst, or a disk that stalls for a moment, makes requests wait and is soon over; nothing is shed for it. When every
//! batch for a whole while has waited too long, more comes than can be served, and a longer queue would serve nobody
//! more. From then on the lane takes only as many requests as it gets through within the longest wait that is
//! wanted, at the rate that it has just shown. That goes on until nothing had to be shed for as long.
//!
//! What waits is counted from the frame to the moment at which the batch was let go, so the journal's queue counts
//! as well as the lane's. Asks to a balance service do not: they wait for somebody else.

use domain::Mono;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// When requests are shed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Overload {
    /// How long a request may wait while more comes than can be served.
    pub wait_max: Duration,
    /// For how long waits must have been longer before any request is shed.
    pub wait_max_after: Duration,
}

/// A rate that was measured beside a stall may be nearly nothing; some requests must get in to show a better one.
const ROOM_MIN: u64 = 64;

/// Requests of one lane on their way from the frame to the disk. The lane and whoever lets go write, links read.
#[derive(Debug)]
pub(crate) struct Admission {
    overload: Overload,
    /// Commands that were decided, and those of them that were let go.
    decided: AtomicU64,
    passed: AtomicU64,
    /// When a batch was last let go, and when one last was that had not waited too long, in nanoseconds.
    passed_at: AtomicU64,
    in_time_at: AtomicU64,
    /// When a request was last shed; never, while it is 0.
    shed_at: AtomicU64,
    /// Commands a second, and where its next measurement began.
    rate: AtomicU64,
    measured_at: AtomicU64,
    measured_passed: AtomicU64,
}

impl Admission {
    pub(crate) fn new(overload: Overload) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            overload,
            decided: zero(),
            passed: zero(),
            passed_at: zero(),
            in_time_at: zero(),
            shed_at: zero(),
            rate: zero(),
            measured_at: zero(),
            measured_passed: zero(),
        }
    }

    /// So many commands were decided, and wait for the journal.
    pub(crate) fn decided(&self, commands: usize) {
        self.decided.fetch_add(count(commands), Relaxed);
    }

    /// So many commands were let go, the oldest of which was read at `oldest`.
    pub(crate) fn passed(&self, commands: usize, oldest: Mono, now: Mono) {
        let after = nanos(self.overload.wait_max_after);
        let passed = self.passed.fetch_add(count(commands), Relaxed) + count(commands);
        let at = now.nanos();
        // Whatever came after a pause has found nothing to wait for.
        let rested = at.saturating_sub(self.passed_at.swap(at, Relaxed)) >= after;
        if rested || now.since(oldest) <= self.overload.wait_max {
            self.in_time_at.store(at, Relaxed);
        }
        let (began, before) = (self.measured_at.load(Relaxed), self.measured_passed.load(Relaxed));
        let took = at.saturating_sub(began);
        if rested || took >= after / 4 {
            if !rested {
                let rate = u128::from(passed.saturating_sub(before)) * NANOS / u128::from(took.max(1));
                self.rate.store(u64::try_from(rate).unwrap_or(u64::MAX), Relaxed);
            }
            self.measured_at.store(at, Relaxed);
            self.measured_passed.store(passed, Relaxed);
        }
    }

    /// Whether one more request would have to wait too long, beside `queued` that wait for the lane.
    pub(crate) fn is_overloaded(&self, queued: impl FnOnce() -> usize, now: Mono) -> bool {
        if !self.is_standing(now.nanos()) {
            return false;
        }
        let room = u128::from(self.rate.load(Relaxed)) * self.overload.wait_max.as_nanos() / NANOS;
        let undecided = count(queued());
        let waiting = undecided + self.decided.load(Relaxed).saturating_sub(self.passed.load(Relaxed));
        u128::from(waiting) >= room.max(u128::from(ROOM_MIN))
    }

    /// A request was shed.
    pub(crate) fn shed(&self, now: Mono) {
        self.shed_at.store(now.nanos().max(1), Relaxed);
    }

    /// Whether the queue is one that does not go away by itself.
    fn is_standing(&self, now: u64) -> bool {
        let after = nanos(self.overload.wait_max_after);
        let (passed_at, shed_at) = (self.passed_at.load(Relaxed), self.shed_at.load(Relaxed));
        let late = passed_at.saturating_sub(self.in_time_at.load(Relaxed)) >= after;
        late && now.saturating_sub(passed_at) < after || shed_at > 0 && now.saturating_sub(shed_at) < after
    }
}

const NANOS: u128 = 1_000_000_000;

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn count(commands: usize) -> u64 {
    u64::try_from(commands).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERLOAD: Overload =
        Overload { wait_max: Duration::from_millis(10), wait_max_after: Duration::from_millis(100) };

    fn at(millis: u64) -> Mono {
        Mono::from_nanos(millis * 1_000_000)
    }

    /// Lets 1,000 commands go every millisecond from `from` to `until`, each batch after such a wait.
    fn serve(admission: &Admission, from: u64, until: u64, wait: u64) {
        for now in from..until {
            admission.decided(1_000);
            admission.passed(1_000, at(now.saturating_sub(wait)), at(now));
        }
    }

    #[test]
    fn a_burst_is_waited_for_and_not_shed() {
        let admission = Admission::new(OVERLOAD);
        serve(&admission, 1_000, 1_090, 60);
        assert!(!admission.is_overloaded(|| 1_000_000, at(1_090)), "not yet for long enough");
        serve(&admission, 1_090, 1_092, 5);
        serve(&admission, 1_092, 1_180, 60);
        assert!(!admission.is_overloaded(|| 1_000_000, at(1_180)), "it was in time in between");
    }

    #[test]
    fn while_more_comes_than_can_be_served_only_what_can_be_served_in_time_is_taken() {
        let admission = Admission::new(OVERLOAD);
        serve(&admission, 1_000, 1_150, 60);
        // A thousand a millisecond are served, so ten thousand within the longest wait.
        assert!(!admission.is_overloaded(|| 9_000, at(1_150)));
        assert!(admission.is_overloaded(|| 11_000, at(1_150)));
        admission.decided(11_000);
        assert!(admission.is_overloaded(|| 0, at(1_150)), "what waits for the journal counts as well");
    }

    #[test]
    fn shedding_goes_on_until_nothing_had_to_be_shed_for_a_while() {
        let admission = Admission::new(OVERLOAD);
        serve(&admission, 1_000, 1_150, 60);
        admission.shed(at(1_150));
        serve(&admission, 1_150, 1_240, 5);
        assert!(admission.is_overloaded(|| 11_000, at(1_240)), "in time, because others were shed");
        serve(&admission, 1_240, 1_260, 5);
        assert!(!admission.is_overloaded(|| 11_000, at(1_260)));
    }

    #[test]
    fn what_comes_after_a_pause_is_taken_whatever_was_before_it() {
        let admission = Admission::new(OVERLOAD);
        serve(&admission, 1_000, 1_150, 60);
        assert!(admission.is_overloaded(|| 11_000, at(1_200)));
        assert!(!admission.is_overloaded(|| 11_000, at(1_300)), "nothing was let go since");
        serve(&admission, 2_000, 2_001, 60);
        assert!(!admission.is_overloaded(|| 11_000, at(2_001)), "the disk stalled, and goes on");
    }
}
