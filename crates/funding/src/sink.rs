//! Where the outcomes go: what the switch gives the funding part to call.

use crate::breaker::BreakerState;
use crate::contract::Told;
use crate::endpoint::Endpoint;
use crate::outcome::AskEnd;
use domain::{Duty, DutyNo, FundingFailure, FundingOutcome, Moment, ShardId, TransactionId};
use std::time::Duration;

/// The switch's side of Just-in-Time funding. Calls come from many threads and must not block.
pub trait FundingSink: Send + Sync + 'static {
    /// Reads the switch's clock, the one that the deadlines of asks are told in.
    fn now(&self) -> Moment;

    /// An ask has ended. Called exactly once for each ask that was taken, `took` after it was taken; for an
    /// ask that is refused at once, from inside [`crate::Funding::ask`].
    fn ask_ended(&self, transaction: TransactionId, outcome: FundingOutcome, took: Duration);

    /// The service has acknowledged a duty; it is owed no more.
    fn duty_acknowledged(&self, shard: ShardId, duty: DutyNo);

    /// The service said more than its decision: how much the account has, or what its quote is. Called before the
    /// ask ends, and also when the answer came too late to count.
    fn service_told(&self, transaction: TransactionId, told: &Told) {
        let _ = (transaction, told);
    }

    /// For metrics: an ask has ended, also one that was refused at once.
    fn ask_counted(&self, end: AskEnd, took: Duration) {
        let _ = (end, took);
    }

    /// For metrics: an ask was sent a second time because its answer took unusually long.
    fn ask_hedged(&self) {}

    /// For metrics: an endpoint could not be reached, and another for the same books was asked.
    fn asked_elsewhere(&self) {}

    /// For metrics: an endpoint refuses our keys, does not understand us, or answers what cannot be read.
    fn configuration_refused(&self, endpoint: &Endpoint) {
        let _ = endpoint;
    }

    /// For metrics: an answer came `late_by` after its ask had ended as timed out. It changes nothing.
    fn answer_was_late(&self, transaction: TransactionId, late_by: Duration) {
        let _ = (transaction, late_by);
    }

    /// For metrics: the breaker of an endpoint has changed its state.
    fn breaker_changed(&self, state: BreakerState) {
        let _ = state;
    }

    /// For metrics: an attempt at a duty ended.
    fn duty_attempted(&self, duty: &Duty, end: Result<(), FundingFailure>, took: Duration) {
        let _ = (duty, end, took);
    }
}
