//! The breaker as all asks share it: in before the ask, out with its outcome.

use crate::breaker::{Breaker, BreakerConfig, BreakerState, CallEnd, Permit};
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

    /// Lets an ask through, or `None`.
    pub(crate) fn enter(&self, now: Mono) -> (Option<Pass>, Change) {
        if self.guard.is_none() {
            return (Some(Pass(None)), None);
        }
        let (permit, change) = self.with(|breaker| breaker.permit(now));
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

/// What a failure says about the service: our own bounds and our own end say nothing.
fn judge(failure: FundingFailure) -> CallEnd {
    if matches!(failure, FundingFailure::Overloaded | FundingFailure::Interrupted) {
        CallEnd::NotJudged
    } else {
        CallEnd::Failed
    }
}
