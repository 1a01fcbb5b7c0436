//! Finds the transaction that a later message speaks of: what is incremented, completed, cleared or refunded.
//!
//! In this order: the network's transaction id, which stays through a transaction's life; the original's trace number
//! and transmission time; its approval code; and as a last resort the retrieval reference alone, where only one
//! transaction of the card has it. Of several, an open one comes before one that has ended, and a newer before an older.

use crate::decide::Context;
use crate::shard::Shard;
use crate::transaction::{MatchKey, Transaction, TransactionState};
use domain::{ApprovalCode, Authorization, CardNo, MessageClass, OriginalReferences, Reason};

/// How many of a card's recent transactions are searched.
pub(crate) const SEARCH_MAX: usize = 1_000;

impl Shard {
    /// The payment that `request` follows. It may have ended: that is not final against a clearing (E19).
    pub(crate) fn followed(
        &self,
        card: CardNo,
        request: &Authorization,
        context: Context<'_>,
    ) -> Option<&Transaction> {
        let original = request.details.original.unwrap_or_default();
        let network = original.network.or(request.details.network_reference);
        let by_network = network.and_then(|reference| {
            self.best_payment(card, |found| found.network_reference == Some(reference))
        });
        by_network
            .or_else(|| self.by_trace(card, &original))
            .or_else(|| self.by_approval(card, &original, request))
            .or_else(|| self.by_retrieval_alone(card, request, context))
    }

    fn by_trace(&self, card: CardNo, original: &OriginalReferences) -> Option<&Transaction> {
        let stan = original.stan?;
        let acquirer =
            |found: &Transaction| original.acquirer.is_none() || found.acquirer == original.acquirer;
        let Some(transmission) = original.transmission else {
            return self.best_payment(card, |found| found.stan == stan && acquirer(found));
        };
        let key = MatchKey { card, stan, transmission: Some(transmission) };
        self.store
            .with_key(key)
            .filter(|found| is_payment(found) && acquirer(found))
            .max_by_key(|found| rank(found))
    }

    fn by_approval(
        &self,
        card: CardNo,
        original: &OriginalReferences,
        request: &Authorization,
    ) -> Option<&Transaction> {
        let code = original.approval_code?;
        self.best_payment(card, |found| {
            let merchant =
                found.mcc.is_none() || request.merchant.mcc.is_none() || found.mcc == request.merchant.mcc;
            ApprovalCode::of(self.transaction_id(found.number)) == code && merchant
        })
    }

    fn by_retrieval_alone(
        &self,
        card: CardNo,
        request: &Authorization,
        context: Context<'_>,
    ) -> Option<&Transaction> {
        let rrn = request.details.original.and_then(|original| original.rrn).or(request.rrn)?;
        let same = |found: &&Transaction| {
            found.rrn == Some(rrn)
                && is_payment(found)
                && found.acquirer == Some(request.acquirer)
                && context.now.utc.since(found.at) <= self.policy.life.keep_for
        };
        let mut found = self.store.of_card(card).take(SEARCH_MAX).filter(same);
        let only = found.next()?;
        found.next().is_none().then_some(only)
    }

    fn best_payment(&self, card: CardNo, fits: impl Fn(&Transaction) -> bool) -> Option<&Transaction> {
        let recent = self.store.of_card(card).take(SEARCH_MAX);
        recent.filter(|found| is_payment(found) && fits(found)).max_by_key(|found| rank(found))
    }
}

/// Whether it is the first message of a payment, and not what followed or came before.
fn is_payment(found: &Transaction) -> bool {
    found.of.is_none()
        && found.kind.is_debit()
        && !matches!(found.state, TransactionState::ReversedFirst | TransactionState::Answered)
        && !matches!(found.class, MessageClass::Clearing)
}

/// Open before ended, approved before declined, newer before older.
fn rank(found: &Transaction) -> (bool, bool, domain::TransactionNo) {
    (found.state.is_open(), found.reason.is_some_and(Reason::is_approval), found.number)
}
