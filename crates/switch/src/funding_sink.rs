//! What becomes of asks and duties: commands to the lane that owns the transaction.

use crate::hub::Hub;
use authorizer::Command;
use cache::{Clock, Posted};
use domain::{Duty, DutyNo, FundingFailure, FundingOutcome, Moment, ShardId, TransactionId};
use funding::{BreakerState, FundingSink};
use std::sync::Arc;
use std::time::Duration;

/// Posts outcomes to lanes and counts them.
pub(crate) struct LaneSink {
    pub(crate) hub: Arc<Hub>,
}

impl FundingSink for LaneSink {
    fn now(&self) -> Moment {
        self.hub.clock.now()
    }

    fn ask_ended(&self, transaction: TransactionId, outcome: FundingOutcome, took: Duration) {
        self.hub.metrics.ask_ended(outcome, took);
        let command = Command::AskEnded { transaction: transaction.number, outcome };
        let received = self.hub.clock.now();
        self.hub.post_until_taken(Posted { shard: transaction.shard, command, received });
    }

    fn duty_acknowledged(&self, shard: ShardId, duty: DutyNo) {
        self.hub.metrics.duties_done.increment(1);
        let received = self.hub.clock.now();
        self.hub.post_until_taken(Posted { shard, command: Command::DutyAcknowledged { duty }, received });
    }

    fn answer_was_late(&self, _transaction: TransactionId, _late_by: Duration) {
        self.hub.metrics.late_funding_answers.increment(1);
    }

    fn breaker_changed(&self, state: BreakerState) {
        tracing::warn!(state = state.as_str(), "the balance service's breaker changed");
        self.hub.metrics.breaker_open.set(match state {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 0.5,
            BreakerState::Open => 1.0,
        });
    }

    fn duty_attempted(&self, _duty: &Duty, result: Result<(), FundingFailure>, _took: Duration) {
        self.hub.metrics.duty_attempts.increment(1);
        if result.is_err() {
            self.hub.metrics.duty_failures.increment(1);
        }
    }
}
