//! Recognises a repeated request and gives the first answer again (E3, E6, P5).
//!
//! A repeat carries the same card, STAN, transmission time, acquirer, retrieval reference, processing code and
//! message class. The same references with another amount or currency are a mistake or worse, and refused.

use crate::action::{Answer, FundingPath};
use crate::shard::Shard;
use crate::transaction::{MatchKey, Transaction, TransactionState};
use domain::{
    ApprovalCode, Authorization, CardNo, FundingMode, MessageClass, Reason, Timestamp, TransactionNo,
};

/// What is known of a request's references.
#[derive(Debug)]
pub(crate) enum Known<'a> {
    /// Never seen.
    New,
    /// Answered before.
    Answered(&'a Transaction),
    /// The balance service is deciding it now.
    BeingDecided(TransactionNo),
    /// Seen with another amount or currency.
    OtherAmount,
    /// A reversal of it came first.
    ReversedFirst,
}

impl Shard {
    /// Looks a request's references up.
    pub(crate) fn known(&self, card: CardNo, request: &Authorization, now: Timestamp) -> Known<'_> {
        let key = MatchKey { card, stan: request.stan, transmission: Some(request.transmission) };
        let mut other_amount = false;
        for found in self.store.with_key(key).filter(|found| self.is_within_window(found, now)) {
            if found.state == TransactionState::ReversedFirst {
                if found.acquirer.is_none_or(|acquirer| acquirer == request.acquirer) {
                    return Known::ReversedFirst;
                }
                continue;
            }
            if self.is_told_of_our_approval(found, request) {
                return Known::Answered(found);
            }
            if !found.same_references(request) {
                continue;
            }
            match (found.amount == Some(request.amount), found.state) {
                (true, TransactionState::Asked) => return Known::BeingDecided(found.number),
                (true, _) => return Known::Answered(found),
                (false, _) => other_amount = true,
            }
        }
        if self.was_reversed_without_transmission(card, request, now) {
            return Known::ReversedFirst;
        }
        if other_amount { Known::OtherAmount } else { Known::New }
    }

    /// The answer that a decided transaction had, rebuilt from what is recorded.
    pub(crate) fn first_answer(&self, transaction: &Transaction) -> Answer {
        let reason = transaction.reason.unwrap_or(Reason::Overloaded);
        let id = self.transaction_id(transaction.number);
        let jit = self.card(transaction.card).is_ok_and(|card| card.funding == FundingMode::Jit);
        Answer::Authorization {
            reason,
            approval_code: reason.is_approval().then(|| ApprovalCode::of(id)),
            part: transaction.part,
            path: if jit { FundingPath::Jit } else { FundingPath::Cache },
        }
    }

    /// An advice that tells us of an approval which is ours already: it must not hold the money twice (E10).
    fn is_told_of_our_approval(&self, found: &Transaction, request: &Authorization) -> bool {
        request.class == MessageClass::AuthorizationAdvice
            && found.class == MessageClass::AuthorizationRequest
            && found.acquirer == Some(request.acquirer)
            && found.amount == Some(request.amount)
            && found.reason.is_some_and(Reason::is_approval)
    }

    fn was_reversed_without_transmission(
        &self,
        card: CardNo,
        request: &Authorization,
        now: Timestamp,
    ) -> bool {
        let key = MatchKey { card, stan: request.stan, transmission: None };
        self.store.without_transmission() > 0
            && self.store.with_key(key).any(|found| {
                let acquirer = found.acquirer.is_none_or(|acquirer| acquirer == request.acquirer);
                let rrn = found.rrn.is_none() || found.rrn == request.rrn;
                self.is_within_window(found, now) && acquirer && rrn
            })
    }

    /// What is older may or may not have been forgotten already; so it counts as forgotten.
    pub(crate) fn is_within_window(&self, found: &Transaction, now: Timestamp) -> bool {
        found.state.is_open() || now.since(found.at) <= self.policy.repeat_window
    }
}
