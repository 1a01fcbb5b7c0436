//! Answers that did not reach the processor: what was approved and not told is not left standing (E17, P6).
//!
//! A request that was answered with "issuer unavailable" at its deadline, because its approval was not on disk yet,
//! is undone and counts as declined from then on: its repeats are declined too. An approval whose connection was gone
//! before its first byte left keeps its money for a short while, because the network reverses what it got no answer
//! to, or repeats it; whatever comes first wins. Where any byte of an answer may have left, or somebody else was given
//! the same answer, nothing is changed.

use crate::action::Effects;
use crate::command::{AnswerLoss, References};
use crate::decide::Context;
use crate::shard::Shard;
use crate::transaction::{MatchKey, Transaction, TransactionState};
use domain::{CardNo, Fact, Reason, Reversal};

impl Shard {
    /// The answer to a request was lost.
    pub(crate) fn answer_lost(
        &self,
        card: CardNo,
        references: References,
        loss: AnswerLoss,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let found = self.approved_by(card, &references, context).filter(|found| !is_repeated(found));
        let Some(found) = found else { return };
        match loss {
            AnswerLoss::Withheld => self.withdraw(found, card, references, context, effects),
            AnswerLoss::Undelivered => self.suspend(found, context, effects),
        }
    }

    /// A repeat gets the first answer too. Once that may be an approval, it does not matter any more whether the first
    /// one was delivered: recorded once, before the answer goes out again.
    pub(crate) fn answer_again(&self, repeated: &Transaction, effects: &mut Effects) {
        let booked_at_once = repeated.class.is_financial() && repeated.state == TransactionState::Cleared;
        let may_stand = repeated.class.is_request() && (repeated.state.is_open() || booked_at_once);
        if may_stand && !is_repeated(repeated) {
            effects.fact(Fact::AnswerRepeated { transaction: repeated.number });
        }
    }

    fn withdraw(
        &self,
        found: &Transaction,
        card: CardNo,
        references: References,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Ok(token) = self.card(card).map(|card| card.token) else { return };
        let transaction = found.number;
        let reversal = Reversal {
            card: token,
            stan: references.stan,
            transmission: Some(references.transmission),
            acquirer: Some(references.acquirer),
            rrn: references.rrn,
            amount: Some(references.amount),
            new_total: None,
            network_reference: None,
            approval_code: None,
            original_class: Some(references.class),
        };
        self.undo_original(found, reversal, &mut 0, context, effects);
        effects.fact(Fact::AnswerWithheld { transaction });
    }

    /// What was booked at once has no hold that could run out; the network reverses it.
    fn suspend(&self, found: &Transaction, context: Context<'_>, effects: &mut Effects) {
        let until = context.now.utc.plus(self.policy.undelivered_hold_for);
        if found.state == TransactionState::Approved && until < found.expires_at {
            effects.fact(Fact::AnswerUndelivered { transaction: found.number, until });
        }
    }

    /// The newest request with these references, if it was approved. An older one may be forgotten already, and counts as
    /// forgotten.
    fn approved_by(
        &self,
        card: CardNo,
        references: &References,
        context: Context<'_>,
    ) -> Option<&Transaction> {
        let key = MatchKey { card, stan: references.stan, transmission: Some(references.transmission) };
        let same = |found: &&Transaction| {
            found.class == references.class
                && found.acquirer == Some(references.acquirer)
                && found.rrn == references.rrn
                && found.processing_code == references.processing_code
                && found.amount == Some(references.amount)
                && found.reason.is_some_and(Reason::is_approval)
                && self.is_within_window(found, context.now.utc)
        };
        self.store.with_key(key).filter(same).last()
    }
}

fn is_repeated(transaction: &Transaction) -> bool {
    transaction.more.as_ref().is_some_and(|more| more.repeated)
}
