//! Where the outcomes go: what the switch gives the funding part to call.

use crate::breaker::BreakerState;
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

    /// For metrics: an answer came `late_by` after its ask had ended as timed out. It changes nothing.
    fn answer_was_late(&self, transaction: TransactionId, late_by: Duration) {
        let _ = (transaction, late_by);
    }

    /// For metrics: the breaker has changed its state.
    fn breaker_changed(&self, state: BreakerState) {
        let _ = state;
    }

    /// For metrics: an attempt at a duty ended.
    fn duty_attempted(&self, duty: &Duty, end: Result<(), FundingFailure>, took: Duration) {
        let _ = (duty, end, took);
    }
}
