//! Finds the transaction that a later message speaks of: what is incremented, completed, cleared or refunded.
//!
//! In this order (E18): the network's transaction id, which stays through a transaction's life; the original's trace number
//! and transmission time; its approval code, ours or of the network that approved in our name, with a category that is not another one, within the time that payments are
//! kept; and as a last resort the retrieval reference alone, where only one transaction of the card has it. Of several,
//! an open one comes before one that has ended, one that was approved before one that was declined, one whose amount the
//! message does not exceed before one that it does, and a newer before an older.
//!
//! The amount only chooses and never excludes: a clearing above its hold is to be found and flagged (E16), and where it found
//! nothing, the hold would stay beside what was posted.

use crate::decide::Context;
use crate::shard::Shard;
use crate::transaction::{MatchKey, Transaction, TransactionState};
use domain::{ApprovalCode, Authorization, CardNo, MessageClass, OriginalReferences, Reason, Timestamp};

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
            self.best_payment(card, context, |found| found.network_reference == Some(reference))
        });
        by_network
            .or_else(|| self.by_trace(card, &original, context))
            .or_else(|| self.by_approval(card, &original, request, context))
            .or_else(|| self.by_retrieval_alone(card, request, context))
    }

    fn by_trace(
        &self,
        card: CardNo,
        original: &OriginalReferences,
        context: Context<'_>,
    ) -> Option<&Transaction> {
        let stan = original.stan?;
        let acquirer =
            |found: &Transaction| original.acquirer.is_none() || found.acquirer == original.acquirer;
        let Some(transmission) = original.transmission else {
            return self.best_payment(card, context, |found| found.stan == stan && acquirer(found));
        };
        let key = MatchKey { card, stan, transmission: Some(transmission) };
        self.store
            .with_key(key)
            .filter(|found| self.is_payment(found, context) && acquirer(found))
            .max_by_key(|found| rank(found))
    }

    fn by_approval(
        &self,
        card: CardNo,
        original: &OriginalReferences,
        request: &Authorization,
        context: Context<'_>,
    ) -> Option<&Transaction> {
        let code = original.approval_code?;
        // The network's codes are its own, and need not be unique: they tell what is cleared, and never which hold another
        // request or advice speaks of.
        let moves_money = matches!(request.class, MessageClass::FinancialAdvice | MessageClass::Clearing);
        let has_code = |found: &Transaction| {
            ApprovalCode::of(self.transaction_id(found.number)) == code
                || moves_money && found.network_code() == Some(code)
        };
        let same = |found: &&Transaction| {
            let merchant =
                found.mcc.is_none() || request.merchant.mcc.is_none() || found.mcc == request.merchant.mcc;
            has_code(found)
                && merchant
                && self.is_payment(found, context)
                && context.now.utc.since(found.at) <= self.policy.life.keep_for
        };
        let found = self.store.of_card(card).take(SEARCH_MAX).filter(same);
        found.max_by_key(|found| {
            let (is_open, is_approved, number) = rank(found);
            (is_open, is_approved, covers(found, request), number)
        })
    }

    fn by_retrieval_alone(
        &self,
        card: CardNo,
        request: &Authorization,
        context: Context<'_>,
    ) -> Option<&Transaction> {
        let rrn = request.details.original.and_then(|original| original.rrn).or(request.rrn);
        let rrn = rrn.filter(|rrn| !rrn.is_filler())?;
        let same = |found: &&Transaction| {
            found.rrn == Some(rrn)
                && self.is_payment(found, context)
                && found.acquirer == Some(request.acquirer)
                && context.now.utc.since(found.at) <= self.policy.life.keep_for
        };
        // A purchase that was declined and tried again is two transactions with one reference.
        let only = |declined: bool| {
            let of_this_kind = |found: &&Transaction| (found.state == TransactionState::Declined) == declined;
            let mut found = self.store.of_card(card).take(SEARCH_MAX).filter(same).filter(of_this_kind);
            (found.next(), found.next())
        };
        match only(false) {
            (None, _) => {
                let (declined, another) = only(true);
                declined.filter(|_| another.is_none())
            }
            (found, another) => found.filter(|_| another.is_none()),
        }
    }

    fn best_payment(
        &self,
        card: CardNo,
        context: Context<'_>,
        fits: impl Fn(&Transaction) -> bool,
    ) -> Option<&Transaction> {
        let recent = self.store.of_card(card).take(SEARCH_MAX);
        let fitting = recent.filter(|found| self.is_payment(found, context) && fits(found));
        fitting.max_by_key(|found| rank(found))
    }

    /// Whether it is the first message of a payment, and not what followed or came before.
    fn is_payment(&self, found: &Transaction, context: Context<'_>) -> bool {
        found.parent().is_none()
            && found.kind.is_debit()
            && !matches!(found.state, TransactionState::ReversedFirst | TransactionState::Answered)
            && !matches!(found.class, MessageClass::Clearing)
            && self.is_kept(found, context.now.utc)
    }

    /// The payment that a transaction belongs to. What was paid and refunded is counted there, whichever of its
    /// holds it came from: an increment of a JIT card stands between its clearing and the payment.
    pub(crate) fn payment_of<'a>(&'a self, found: &'a Transaction, now: Timestamp) -> &'a Transaction {
        self.parent_of(found, now).map_or(found, |hold| self.parent_of(hold, now).unwrap_or(hold))
    }

    /// The hold that a transaction adds to or is paid from, as long as it counts as known.
    pub(crate) fn parent_of(&self, found: &Transaction, now: Timestamp) -> Option<&Transaction> {
        found.parent().and_then(|of| self.store.find(of)).filter(|parent| self.is_kept(parent, now))
    }

    /// Whether the payment of a hold has its place in the counters: while it stands, and where it ended with something
    /// paid.
    pub(crate) fn is_counted(&self, hold: &Transaction, now: Timestamp) -> bool {
        let stands = matches!(hold.state, TransactionState::Approved | TransactionState::Cleared);
        let is_paid =
            |payment: &Transaction| payment.more.as_ref().is_some_and(|more| more.paid.card.minor() > 0);
        stands || is_paid(self.payment_of(hold, now))
    }
}

/// Whether a message asks for no more than was asked for at first; another currency cannot be compared.
fn covers(found: &Transaction, request: &Authorization) -> bool {
    found.amount.is_some_and(|amount| {
        amount.currency() == request.amount.currency() && amount.minor() >= request.amount.minor()
    })
}

/// Open before ended, approved before declined, newer before older.
fn rank(found: &Transaction) -> (bool, bool, domain::TransactionNo) {
    (found.state.is_open(), found.reason.is_some_and(Reason::is_approval), found.number)
}
