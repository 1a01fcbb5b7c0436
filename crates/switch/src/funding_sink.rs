//! What becomes of asks and duties: commands to the lane that owns the transaction.

use crate::hub::Hub;
use authorizer::{Command, ServiceWord};
use cache::{Clock, Posted};
use domain::{Duty, DutyNo, FundingFailure, FundingOutcome, Moment, Said, ShardId, TransactionId};
use funding::contract::Told;
use funding::{AskEnd, Endpoint, FundingSink};
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

    fn ask_ended(&self, transaction: TransactionId, outcome: FundingOutcome, _took: Duration) {
        let command = Command::AskEnded { transaction: transaction.number, outcome };
        let received = self.hub.clock.now();
        self.hub.post_until_taken(Posted { shard: transaction.shard, command, received });
    }

    fn duty_acknowledged(&self, shard: ShardId, duty: DutyNo) {
        self.hub.metrics.duties_done.increment(1);
        let received = self.hub.clock.now();
        self.hub.post_until_taken(Posted { shard, command: Command::DutyAcknowledged { duty }, received });
    }

    fn service_told(&self, transaction: TransactionId, told: &Told) {
        let said = Said {
            account: told.account,
            quote: told.quote.map(|quote| quote.id).unwrap_or_default(),
            text: told.text,
        };
        let balance = told.balance.map(|balance| (balance.version, balance.available));
        let word = Box::new(ServiceWord { balance, said });
        let command = Command::ServiceTold { transaction: transaction.number, word };
        let received = self.hub.clock.now();
        self.hub.post_until_taken(Posted { shard: transaction.shard, command, received });
    }

    fn ask_counted(&self, end: AskEnd, took: Duration) {
        self.hub.metrics.ask_ended(end, took);
    }

    fn ask_hedged(&self) {
        self.hub.metrics.asks_hedged.increment(1);
    }

    fn asked_elsewhere(&self) {
        self.hub.metrics.asked_elsewhere.increment(1);
    }

    fn configuration_refused(&self, _endpoint: &Endpoint) {
        self.hub.metrics.funding_misconfigured.increment(1);
    }

    fn answer_was_late(&self, _transaction: TransactionId, late_by: Duration) {
        self.hub.metrics.answer_was_late(late_by);
    }

    fn duty_attempted(&self, _duty: &Duty, result: Result<(), FundingFailure>, _took: Duration) {
        self.hub.metrics.duty_attempts.increment(1);
        if result.is_err() {
            self.hub.metrics.duty_failures.increment(1);
        }
    }
}
