//! How long an ask may take: what the processor allows, less what the switch needs afterwards.
//!
//! The processor's deadline is when our answer must have left. Between the service's answer and that moment
//! the outcome has to reach its lane, be journaled and synced, be encoded and be written. Those parts are set
//! aside here, so that an ask which uses all of its time still ends in an answer that is not late.
//!
//! Pure: the deadline and `now` are arguments. What fills the margins is measured elsewhere.

use domain::{AccountId, Moment, Mono, Timestamp};
use std::time::Duration;

/// The runtime's timers tick in milliseconds, so a time-out may be noticed this much after it was due.
const TIMER_GRAIN: Duration = Duration::from_millis(1);

/// What is set aside from the time that the processor allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// For the outcome to be decided on and made durable.
    pub commit_margin: Duration,
    /// For the answer to be encoded and handed to the network.
    pub write_margin: Duration,
    /// The most that one ask may take, however long the processor would wait.
    pub ask_max: Duration,
    /// The least time that is worth asking with; with less left, the service is not troubled.
    pub ask_min: Duration,
}

/// A program whose asks may take less than others: a group of accounts by the beginning of their names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProgramBudget {
    /// How the names of its accounts begin.
    pub account_prefix: String,
    /// The most that one of its asks may take.
    pub ask_max: Duration,
}

/// The most that an ask for `account` may take: its program's time, where it has one. Of several programs that
/// fit, the longest prefix names the account's.
#[must_use]
pub(crate) fn ask_max(programs: &[ProgramBudget], account: &AccountId) -> Option<Duration> {
    programs
        .iter()
        .filter(|program| account.as_str().starts_with(&program.account_prefix))
        .max_by_key(|program| program.account_prefix.len())
        .map(|program| program.ask_max)
}

/// The time that one ask has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AskWindow {
    /// An answer read at this time or later is too late.
    pub answer_by: Mono,
    /// The same as a duration from now: what the service is told.
    pub remaining: Duration,
    /// The same on the wall clock: what the service is told.
    pub expires_at: Timestamp,
}

impl Budget {
    /// The time left for an ask whose link or program allows less than the budget: `ask_by` is when the link says
    /// that the service must have answered.
    #[must_use]
    pub fn window_until(&self, deadline: Mono, ask_by: Option<Mono>, now: Moment) -> Option<AskWindow> {
        let margins = self.margins();
        let latest = ask_by.map_or(deadline, |ask_by| ask_by.plus(margins).min(deadline));
        self.window(latest, now)
    }

    fn margins(&self) -> Duration {
        self.commit_margin.saturating_add(self.write_margin).saturating_add(TIMER_GRAIN)
    }

    /// The same, for asks that may take at most `ask_max`.
    #[must_use]
    pub fn within(self, ask_max: Option<Duration>) -> Self {
        Self { ask_max: ask_max.map_or(self.ask_max, |most| most.min(self.ask_max)), ..self }
    }

    /// The time left for an ask whose answer must have left the switch at `deadline`; `None` when it is less
    /// than is worth asking with.
    #[must_use]
    pub fn window(&self, deadline: Mono, now: Moment) -> Option<AskWindow> {
        let latest = deadline.minus(self.margins());
        let remaining = latest.since(now.mono).min(self.ask_max);
        if remaining < self.ask_min || remaining.is_zero() {
            return None;
        }
        Some(AskWindow {
            answer_by: now.mono.plus(remaining),
            remaining,
            expires_at: now.utc.plus(remaining),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn budget() -> Budget {
        Budget { commit_margin: MS(10), write_margin: MS(150), ask_max: MS(1_800), ask_min: MS(5) }
    }

    fn at(ms: u64) -> Moment {
        Moment { utc: Timestamp::from_seconds(1_000).plus(MS(ms)), mono: Mono::default().plus(MS(ms)) }
    }

    #[test]
    fn commit_and_write_are_set_aside_from_the_deadline() {
        let window = budget().window(at(1_000).mono, at(0)).unwrap();
        assert_eq!(window.answer_by, at(839).mono);
        assert_eq!(window.remaining, MS(839));
        assert_eq!(window.expires_at, at(839).utc);
    }

    #[test]
    fn a_patient_processor_does_not_make_an_ask_endless() {
        assert_eq!(budget().window(at(3_000).mono, at(0)).unwrap().remaining, MS(1_800));
        assert_eq!(budget().window(Mono::MAX, at(7)).unwrap().answer_by, at(1_807).mono);
    }

    #[test]
    fn e39_a_link_says_by_when_the_service_must_have_answered() {
        let until = |ask_by| budget().window_until(at(1_000).mono, ask_by, at(0)).unwrap().answer_by;
        assert_eq!(until(Some(at(500).mono)), at(500).mono);
        assert_eq!(until(Some(at(990).mono)), at(839).mono, "commit and write are set aside all the same");
        assert_eq!(until(None), at(839).mono);
    }

    #[test]
    fn a_program_may_have_less_time_and_the_longest_prefix_names_it() {
        let program = |prefix: &str, ms| ProgramBudget { account_prefix: prefix.into(), ask_max: MS(ms) };
        let programs = [program("eu_", 900), program("eu_gold_", 1_200)];
        let of = |name: &str| ask_max(&programs, &AccountId::new(name).unwrap());
        assert_eq!((of("eu_1"), of("eu_gold_1"), of("us_1")), (Some(MS(900)), Some(MS(1_200)), None));
    }

    #[test]
    fn too_little_time_is_no_time() {
        let deadline = at(1_000).mono;
        assert!(budget().window(deadline, at(834)).is_some());
        assert_eq!(budget().window(deadline, at(835)), None);
        assert_eq!(budget().window(deadline, at(2_000)), None, "a deadline in the past");
        let eager = Budget { ask_min: Duration::ZERO, ..budget() };
        assert_eq!(eager.window(deadline, at(839)), None, "no time at all is never worth an ask");
    }
}
