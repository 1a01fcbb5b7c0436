//! The priority of the work on a snapshot: it takes the time that everybody else leaves over, and if that is not enough, a
//! small share.
//!
//! Low priority alone is not enough at first. A thread of the highest niceness has its slice of time, too, and a lane that
//! wakes up on the same processor can be made to wait for the end of it, some milliseconds. A thread of the idle policy is put
//! aside in the very moment in which any other wakes up, and its processor counts as free meanwhile. So no decision
//! waits for a snapshot, whatever the size of its pieces.
//!
//! But a machine that never has time to spare would never have a snapshot, and its next start would replay everything. So that
//! politeness has an end (`journal.snapshot_gives_way_for`): what is left of a snapshot then is made at the highest niceness, with
//! the sixtieth part of a processor that this stands for. A thread that has the idle policy cannot leave it without a right that a
//! switch does not have, so every piece of a snapshot has a thread of its own, and whoever waits for it stays as it was: it
//! hears of a stop at once. One thing is left: where others keep every processor busy, a switch that is killed in the middle of a
//! snapshot holds its lock until such a thread was run once more to its end, which can take a while.

use cache::Clock;
use domain::Mono;
use std::sync::Arc;
use std::time::Duration;
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

/// For the end of politeness, for where the idle policy is refused (some sandboxes), and for disks whose scheduler looks at
/// niceness.
const NICENESS: i32 = 19;

/// At whose expense the pieces of a snapshot are made.
#[derive(Clone)]
pub(crate) enum Pace {
    /// The caller's own: nobody else wants the processor.
    AtOnce,
    /// Nobody's, until then; a share from then on.
    GivingWay { clock: Arc<dyn Clock>, until: Mono },
}

/// How a piece is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Manner {
    Here,
    LeftOver,
    Share,
}

/// How the piece is made that is being made.
pub(super) struct Turn<'a> {
    pace: &'a Pace,
    manner: Manner,
}

impl Pace {
    /// Gives way from now on, for so long.
    pub(super) fn giving_way(clock: &Arc<dyn Clock>, patience: Duration) -> Self {
        Self::GivingWay { until: clock.now().mono.plus(patience), clock: Arc::clone(clock) }
    }

    fn manner(&self) -> Manner {
        match self {
            Self::AtOnce => Manner::Here,
            Self::GivingWay { clock, until } if clock.now().mono < *until => Manner::LeftOver,
            Self::GivingWay { .. } => Manner::Share,
        }
    }

    /// Makes one piece, and waits for it.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn piece<T: Send>(&self, make: impl FnOnce(&Turn<'_>) -> T + Send) -> std::io::Result<T> {
        let manner = self.manner();
        let turn = Turn { pace: self, manner };
        if manner == Manner::Here {
            return Ok(make(&turn));
        }
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("snapshot-piece".to_owned());
            let thread = thread.spawn_scoped(scope, || {
                give_way(manner);
                make(&turn)
            })?;
            Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }
}

impl Turn<'_> {
    /// Whether a piece that was begun so would be begun so now. One that could be long looks now and then, and ends early if not,
    /// or the idle policy would keep it for as long as the machine is busy.
    pub(super) fn lasts(&self) -> bool {
        self.pace.manner() == self.manner
    }
}

/// Lets the calling thread give way from now on. What the system refuses is told and lived with.
fn give_way(manner: Manner) {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "snapshots are made at normal priority");
    }
    if manner == Manner::Share {
        return;
    }
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    // The library sets a niceness, too; it refuses every other value for this policy, and the policy does not look at it.
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle)
        && !is_idle()
    {
        tracing::warn!(
            ?error,
            "snapshots are made at low priority, and decisions may wait some milliseconds for them"
        );
    }
}

fn is_idle() -> bool {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    thread_priority::thread_schedule_policy().is_ok_and(|policy| policy == idle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    /// Whether a piece is made at the idle policy, and at which niceness.
    fn manner_of(pace: &Pace) -> (bool, i32) {
        pace.piece(|_| (is_idle(), rustix::process::getpriority_process(None).unwrap())).unwrap()
    }

    #[test]
    fn a_piece_gives_way_to_everybody_and_after_a_while_takes_a_share() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let own = manner_of(&Pace::AtOnce);
        assert!(!own.0);
        let (idle, _) = manner_of(&Pace::giving_way(&clock, Duration::from_secs(3_600)));
        assert!(idle, "the idle policy needs no right on Linux");
        assert_eq!(manner_of(&Pace::giving_way(&clock, Duration::ZERO)), (false, NICENESS));
        assert_eq!(manner_of(&Pace::AtOnce), own, "whoever waited stays as it was");
    }

    #[test]
    fn a_piece_hears_that_its_politeness_is_over() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let pace = Pace::giving_way(&clock, Duration::from_millis(20));
        let waits = |turn: &Turn<'_>| {
            while turn.lasts() {
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        pace.piece(waits).unwrap();
        assert!(pace.piece(|turn| turn.lasts()).unwrap(), "a share lasts");
    }

    #[test]
    fn a_piece_that_panics_is_not_taken_for_made() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let pace = Pace::giving_way(&clock, Duration::ZERO);
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pace.piece(|_| panic!("a piece"))));
        assert!(outcome.is_err());
    }
}
