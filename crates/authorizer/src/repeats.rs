//! Recognises a repeated request and gives the first answer again (E3, E6, P5).
//!
//! A repeat carries the same card, STAN, transmission time, acquirer, retrieval reference, processing code and
//! message class. The same references with another amount or currency are a mistake or worse, and refused.

use crate::action::{Answer, FundingPath};
use crate::declined_advices::is_advised_decline;
use crate::life::AdviceAfterReversal;
use crate::shard::Shard;
use crate::transaction::{MatchKey, Transaction, TransactionState};
use crate::velocity_ring::time_of;
use domain::{
    ApprovalCode, Authorization, CardNo, FundingMode, MessageClass, Reason, Timestamp, decline_detail,
};
use std::time::Duration;

/// What is known of a request's references.
#[derive(Debug)]
pub(crate) enum Known<'a> {
    /// Never seen.
    New,
    /// Answered before.
    Answered(&'a Transaction),
    /// The balance service is deciding it now.
    BeingDecided(&'a Transaction),
    /// Seen with another amount or currency.
    OtherAmount,
    /// A reversal of it came first.
    ReversedFirst,
}

impl Shard {
    /// Looks a request's references up.
    pub(crate) fn known(&self, card: CardNo, request: &Authorization, now: Timestamp) -> Known<'_> {
        let key = MatchKey { card, stan: request.stan, transmission: Some(request.transmission) };
        let (mut other_amount, mut reversed_first) = (false, false);
        for found in self.store.with_key(key).filter(|found| self.is_within_window(found, now)) {
            if is_advised_decline(found) {
                continue;
            }
            if found.state == TransactionState::ReversedFirst {
                reversed_first |= found.acquirer.is_none_or(|acquirer| acquirer == request.acquirer);
                continue;
            }
            let told = is_told_of_ours(found, request) && !self.holds_again(found);
            if !told && !found.same_references(request) {
                continue;
            }
            match (told || found.amount == Some(request.amount), found.state) {
                (true, TransactionState::Asked) => return Known::BeingDecided(found),
                (true, _) => return Known::Answered(found),
                (false, _) => other_amount = true,
            }
        }
        if reversed_first || self.was_reversed_without_transmission(card, request, now) {
            return Known::ReversedFirst;
        }
        if other_amount { Known::OtherAmount } else { Known::New }
    }

    /// Whether a request was answered before or is being decided, so that deciding it again adds no fact.
    #[must_use]
    pub fn has_answered(&self, card: CardNo, request: &Authorization, now: Timestamp) -> bool {
        match self.known(card, request, now) {
            Known::Answered(_) | Known::BeingDecided(_) => true,
            Known::New | Known::OtherAmount | Known::ReversedFirst => false,
        }
    }

    /// The answer that a decided transaction had, rebuilt from what is recorded.
    pub(crate) fn first_answer(&self, transaction: &Transaction) -> Answer {
        let reason = transaction.reason.unwrap_or(Reason::Overloaded);
        let id = self.transaction_id(transaction.number);
        let jit = self.card(transaction.card).is_ok_and(|card| card.funding == FundingMode::Jit);
        let deciding = transaction.failures().first().filter(|failure| failure.reason == reason);
        Answer::Authorization {
            reason,
            approval_code: reason.is_approval().then(|| ApprovalCode::of(id)),
            part: transaction.part(),
            balances: transaction.told(),
            limit: deciding.and_then(|failure| decline_detail(failure).limit),
            path: if jit { FundingPath::Jit } else { FundingPath::Cache },
        }
    }

    /// Whether an advice of our own approval counts although it was reversed (E10); the program decides.
    fn holds_again(&self, found: &Transaction) -> bool {
        found.state == TransactionState::Reversed
            && self.policy.life.advice_after_reversal == AdviceAfterReversal::Hold
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
                let rrn = found.rrn.is_none() || request.rrn.is_none() || found.rrn == request.rrn;
                self.is_within_window(found, now) && acquirer && rrn
            })
    }

    /// What is older may or may not have been forgotten already; so it counts as forgotten.
    pub(crate) fn is_within_window(&self, found: &Transaction, now: Timestamp) -> bool {
        found.state.is_open() || self.ended_ago(found, now) <= self.policy.repeat_window
    }

    /// Whether a later message may speak of it still: what was approved and is money is kept longer, and so is what was
    /// declined (E19, E21). What is older may be in memory by chance, and counts as forgotten.
    pub(crate) fn is_kept(&self, found: &Transaction, now: Timestamp) -> bool {
        let (life, ago) = (&self.policy.life, self.ended_ago(found, now));
        let is_followed = found.may_be_followed() && ago <= life.keep_for;
        let is_declined = found.is_declined_payment() && ago <= life.keep_declines_for;
        self.is_within_window(found, now) || is_followed || is_declined
    }

    /// How long ago it ended. It stays ago when the clock is set back: the newest number remembers how late it was.
    fn ended_ago(&self, found: &Transaction, now: Timestamp) -> Duration {
        now.max(time_of(self.last_number)).since(found.ended_at)
    }
}

/// An advice that tells us of a request which we approved, or are deciding: it must not hold the money twice
/// (E10). It names the amount asked, or the part that we approved.
fn is_told_of_ours(found: &Transaction, request: &Authorization) -> bool {
    let amount = Some(request.amount);
    let of_its_kind = matches!(
        (request.class, found.class),
        (MessageClass::AuthorizationAdvice, MessageClass::AuthorizationRequest)
            | (MessageClass::FinancialAdvice, MessageClass::FinancialRequest)
    );
    of_its_kind
        && found.acquirer == Some(request.acquirer)
        && (found.amount == amount || found.part() == amount)
        && (found.state == TransactionState::Asked || found.reason.is_some_and(Reason::is_approval))
}
