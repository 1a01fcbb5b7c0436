//! A lane's way to the journal: facts are encoded on the lane, and releases wait for the batch.

use crate::metrics::{RuleHits, StandInHits};
use crate::release::Dispatcher;
use cache::{Readiness, Recorder, Release};
use domain::{Fact, Money, ShardId, Timestamp};
use journal::{Appended, Batch, JournalHandle, RecordBuffer, RefusedBecause, Space};
use std::sync::Arc;
use std::time::Duration;

/// How long a lane waits for room in the journal's queue; a write and a sync take about as long.
const OFFER_AGAIN: Duration = Duration::from_micros(50);

/// One lane's recorder.
pub(crate) struct JournalRecorder {
    journal: Arc<JournalHandle<Vec<Release>>>,
    dispatcher: Dispatcher,
    rule_hits: RuleHits,
    stand_in_hits: StandInHits,
    batch: RecordBuffer,
}

impl JournalRecorder {
    pub(crate) fn new(
        journal: Arc<JournalHandle<Vec<Release>>>,
        dispatcher: Dispatcher,
        rule_hits: RuleHits,
        stand_in_hits: StandInHits,
    ) -> Self {
        let batch = journal.buffer();
        Self { journal, dispatcher, rule_hits, stand_in_hits, batch }
    }
}

impl Recorder for JournalRecorder {
    fn readiness(&self) -> Readiness {
        if !self.journal.is_healthy() {
            return Readiness::Stopped;
        }
        // Space first: a writer that waits for space lets the queue fill up, and that is no passing shortage.
        let full = self.journal.queued_batches() >= self.journal.config().queue_batches_max;
        match self.journal.space() {
            Space::Exhausted => Readiness::NoSpace,
            Space::Ample | Space::Low if full => Readiness::Full,
            Space::Ample => Readiness::Ready,
            Space::Low => Readiness::FollowUpsOnly,
        }
    }

    fn has_ample_room(&self) -> bool {
        self.journal.has_ample_room()
    }

    fn record(&mut self, shard: ShardId, at: Timestamp, fact: &Fact) {
        if let Err(error) = self.batch.push(shard.0, at.micros(), fact) {
            // The state has the fact already and the journal cannot: going on would part the two for good.
            tracing::error!(%error, shard = shard.0, "a fact cannot be encoded; stopping");
            std::process::abort();
        }
        self.rule_hits.count(fact.failures());
        self.stand_in_hits.count(fact);
        if let Some(approved) = approved_amount(fact) {
            self.batch.add_exposure(u64::try_from(approved.minor()).unwrap_or(0));
        }
    }

    fn batch_bytes(&self) -> usize {
        self.batch.bytes()
    }

    fn seal(&mut self, releases: &mut Vec<Release>) {
        let records = std::mem::replace(&mut self.batch, self.journal.buffer());
        let mut batch = Batch { records, release: std::mem::take(releases) };
        loop {
            match self.journal.append(batch) {
                Ok(Appended::Queued) => return,
                Ok(Appended::Released(releases)) => {
                    self.dispatcher.let_go(releases.into_iter());
                    return;
                }
                Err(refused) => match refused.because {
                    RefusedBecause::Full => {
                        std::thread::sleep(OFFER_AGAIN);
                        batch = refused.batch;
                    }
                    RefusedBecause::TooLarge => {
                        // The lane seals long before, so this is a bug; the state has facts that the journal cannot take.
                        tracing::error!("a batch is larger than the journal takes; stopping");
                        std::process::abort();
                    }
                    because @ (RefusedBecause::Stopped | RefusedBecause::Failed) => {
                        // Nothing of this batch is acknowledged, and the process is about to stop.
                        tracing::error!(?because, "the journal refused a batch; it stays unacknowledged");
                        return;
                    }
                },
            }
        }
    }

    fn release_now(&mut self, release: Release) {
        self.dispatcher.let_go(std::iter::once(release));
    }
}

/// Money that the network will be told is promised: at risk for as long as the fact is not on disk.
const fn approved_amount(fact: &Fact) -> Option<Money> {
    match fact {
        Fact::Approved { hold, .. } => Some(hold.amounts.card),
        Fact::AskApproved { amounts, .. } => Some(amounts.card),
        Fact::HoldChanged { hold, .. } => Some(hold.amounts.card),
        Fact::AccountOpened { .. }
        | Fact::Posted { .. }
        | Fact::AccountLimitsSet { .. }
        | Fact::CardIssued { .. }
        | Fact::CardStatusSet { .. }
        | Fact::CardControlsSet { .. }
        | Fact::CardLimitsSet { .. }
        | Fact::RateSet { .. }
        | Fact::Declined { .. }
        | Fact::Asked { .. }
        | Fact::AskDeclined { .. }
        | Fact::Reversed { .. }
        | Fact::ReversalUnmatched { .. }
        | Fact::HoldExpired { .. }
        | Fact::DutyOwed { .. }
        | Fact::DutyDone { .. }
        | Fact::Answered { .. }
        | Fact::PartlyReversed { .. }
        | Fact::Cleared { .. }
        | Fact::ClearingReversed { .. }
        | Fact::Refunded { .. }
        | Fact::RefundReversed { .. }
        | Fact::HoldReleased { .. }
        | Fact::BalanceTold { .. }
        | Fact::TokenKeySeen { .. }
        | Fact::AnswerWithheld { .. }
        | Fact::AnswerUndelivered { .. }
        | Fact::AnswerRepeated { .. }
        | Fact::DeclineAdvised { .. }
        | Fact::ReversalDeferred { .. }
        | Fact::ServiceSaid { .. }
        | Fact::StandInOrdered { .. }
        | Fact::Priced { .. } => None,
    }
}
