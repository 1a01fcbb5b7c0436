//! The breaker as all asks share it: in before the ask, out with its outcome.

use crate::breaker::{Breaker, BreakerConfig, BreakerState, CallEnd, Permit, Probe};
use domain::{FundingFailure, FundingOutcome, Mono};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The way to the service, open or shut.
#[derive(Debug)]
pub(crate) struct Gate {
    guard: Option<(BreakerConfig, Mutex<Breaker>)>,
}

/// One ask's way through the gate. It must be handed back with the ask's outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass(Option<Permit>);

/// The gate stands otherwise than before.
pub(crate) type Change = Option<BreakerState>;

impl Gate {
    /// A gate with a breaker, or one that is always open.
    pub(crate) fn new(config: Option<BreakerConfig>, seed: u64) -> Self {
        Self { guard: config.map(|config| (config, Mutex::new(Breaker::new(config, seed)))) }
    }

    /// Lets an ask of this worth as a probe through, or `None`.
    pub(crate) fn enter(&self, now: Mono, worth: Probe) -> (Option<Pass>, Change) {
        if self.guard.is_none() {
            return (Some(Pass(None)), None);
        }
        let (permit, change) = self.with(|breaker| breaker.permit_for(now, worth));
        (permit.flatten().map(|permit| Pass(Some(permit))), change)
    }

    /// Learns how an ask ended that had `allowed` and took `took`.
    pub(crate) fn leave(
        &self,
        pass: Pass,
        outcome: FundingOutcome,
        took: Duration,
        allowed: Duration,
        now: Mono,
    ) -> Change {
        let (Pass(Some(permit)), Some((config, _))) = (pass, &self.guard) else { return None };
        let slow_after = allowed.saturating_mul(config.slow_after_percent) / 100;
        let end = match outcome {
            FundingOutcome::Approved { .. } | FundingOutcome::Declined { .. } => {
                if took >= slow_after {
                    CallEnd::AnsweredSlowly
                } else {
                    CallEnd::Answered
                }
            }
            FundingOutcome::NotAsked(failure) | FundingOutcome::Unknown(failure) => judge(failure),
        };
        self.with(|breaker| breaker.ended(permit, end, now)).1
    }

    /// Learns that a question after the service's health was answered, or was not.
    pub(crate) fn probed(&self, pass: Pass, well: bool, now: Mono) -> Change {
        let Pass(Some(permit)) = pass else { return None };
        let end = if well { CallEnd::Answered } else { CallEnd::Failed };
        self.with(|breaker| breaker.ended(permit, end, now)).1
    }

    /// How the breaker stands; without one, the gate is closed to nobody.
    pub(crate) fn state(&self, now: Mono) -> BreakerState {
        self.with(|breaker| breaker.state(now)).0.unwrap_or(BreakerState::Closed)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Breaker) -> T) -> (Option<T>, Change) {
        let Some((_, breaker)) = &self.guard else { return (None, None) };
        let mut breaker = breaker.lock().unwrap_or_else(PoisonError::into_inner);
        let before = breaker.standing();
        let result = act(&mut breaker);
        let after = breaker.standing();
        (Some(result), (before != after).then_some(after))
    }
}

/// What a failure says about the service: our own bounds, our own end and a stale rate say nothing.
fn judge(failure: FundingFailure) -> CallEnd {
    if matches!(
        failure,
        FundingFailure::Overloaded
            | FundingFailure::Interrupted
            | FundingFailure::BreakerOpen
            | FundingFailure::StaleRate
    ) {
        CallEnd::NotJudged
    } else {
        CallEnd::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Text, Units};

    const ALLOWED: Duration = Duration::from_millis(1_000);

    /// How the gate stands after as many asks as it needs to judge have ended so.
    fn after(outcome: FundingOutcome, took_ms: u64) -> BreakerState {
        let config = BreakerConfig::default();
        let (gate, now) = (Gate::new(Some(config), 1), Mono::default());
        let passes: Vec<_> =
            (0..config.calls_min).map(|_| gate.enter(now, Probe::Cheap).0.unwrap()).collect();
        for pass in passes {
            gate.leave(pass, outcome, Duration::from_millis(took_ms), ALLOWED, now);
        }
        gate.state(now)
    }

    #[test]
    fn failures_of_the_service_shut_it_and_our_own_do_not() {
        let unknown = FundingOutcome::Unknown;
        for failure in [
            FundingFailure::TimedOut,
            FundingFailure::Refused,
            FundingFailure::Reset,
            FundingFailure::HttpError,
            FundingFailure::Malformed,
        ] {
            assert_eq!(after(unknown(failure), 1), BreakerState::Open, "{failure:?}");
        }
        for failure in [FundingFailure::Overloaded, FundingFailure::Interrupted, FundingFailure::BreakerOpen]
        {
            assert_eq!(after(unknown(failure), 1), BreakerState::Closed, "{failure:?}");
            assert_eq!(after(FundingOutcome::NotAsked(failure), 1), BreakerState::Closed, "{failure:?}");
        }
    }

    #[test]
    fn a_decline_is_an_answer_and_a_slow_one_is_slow() {
        let declined = FundingOutcome::Declined { code: Text::EMPTY };
        let approved = FundingOutcome::Approved { units: Units(1) };
        for outcome in [declined, approved] {
            assert_eq!(after(outcome, 799), BreakerState::Closed);
            assert_eq!(after(outcome, 800), BreakerState::Open, "80 of 100 parts of its time");
        }
    }

    #[test]
    fn without_a_breaker_everybody_passes() {
        let gate = Gate::new(None, 1);
        let (pass, change) = gate.enter(Mono::default(), Probe::Cheap);
        assert!(change.is_none());
        let failed = FundingOutcome::Unknown(FundingFailure::Reset);
        assert!(gate.leave(pass.unwrap(), failed, ALLOWED, ALLOWED, Mono::default()).is_none());
        assert_eq!(gate.state(Mono::default()), BreakerState::Closed);
    }
}
