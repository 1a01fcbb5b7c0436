//! What the list of past messages says about a new one: whether it is a repeat, which payment it follows, which
//! message a reversal speaks of.

use super::{Message, Model, Transaction};
use authorizer::{AdviceAfterReversal, TransactionState};
use domain::{Authorization, MessageClass, Money, Reason, Reversal, Timestamp, TransactionType};
use std::time::Duration;

/// What is known of the references of a request.
pub(super) enum Seen {
    Never,
    /// Answered, or being decided, as this transaction.
    As(usize),
    Refuse(Reason),
}

impl Model {
    /// Reads the whole list, oldest first, for the references of a request (E3, E6, E10).
    pub(super) fn seen(&self, card: u32, request: &Authorization, now: Timestamp) -> Seen {
        let (mut reversed, mut other_amount) = (false, false);
        for (index, found) in self.transactions.iter().enumerate() {
            let message = &found.message;
            let advised = found.reason == Some(Reason::DeclinedByNetwork);
            let elsewhere = found.card != card || message.stan() != request.stan;
            if elsewhere || advised || !self.is_remembered(found, now) {
                continue;
            }
            let same_time = message.transmission() == Some(request.transmission);
            let acquirer = message.acquirer().is_none_or(|acquirer| acquirer == request.acquirer);
            match message {
                Message::Reversal(reversal) => {
                    let rrn = reversal.rrn.is_none() || request.rrn.is_none() || reversal.rrn == request.rrn;
                    reversed |= acquirer && (same_time || reversal.transmission.is_none() && rrn);
                }
                Message::Asked(earlier) if same_time => {
                    let again = found.state == TransactionState::Reversed
                        && self.policy.life.advice_after_reversal == AdviceAfterReversal::Hold;
                    let told = is_told_of(found, earlier, request) && !again;
                    let same_references = earlier.class == request.class
                        && earlier.acquirer == request.acquirer
                        && earlier.rrn == request.rrn
                        && earlier.processing_code == request.processing_code;
                    if told || same_references && earlier.amount == request.amount {
                        return Seen::As(index);
                    }
                    other_amount |= same_references;
                }
                Message::Asked(_) => {}
            }
        }
        match (reversed, other_amount) {
            (true, _) => Seen::Refuse(Reason::PreviouslyReversed),
            (false, true) => Seen::Refuse(Reason::DuplicateWithOtherAmount),
            (false, false) => Seen::Never,
        }
    }

    /// The payment that a message follows: by the network's id, else by the original's trace number, else by its
    /// approval code, else by the retrieval reference, where only one payment of the acquirer has it.
    pub(super) fn followed(&self, card: u32, request: &Authorization, now: Timestamp) -> Option<usize> {
        let original = request.details.original.unwrap_or_default();
        let network = original.network.or(request.details.network_reference);
        let payments = self.payments(card, now);
        let fitting = |fits: &dyn Fn(&Transaction, &Authorization) -> bool| -> Vec<usize> {
            let found = |index: &usize| {
                let found = &self.transactions[*index];
                fits(found, found.request())
            };
            payments.iter().copied().filter(found).collect()
        };
        let by_network = || {
            let reference = network?;
            self.best(fitting(&|_, earlier| earlier.details.network_reference == Some(reference)), None)
        };
        let by_trace = || {
            let stan = original.stan?;
            let of_trace = fitting(&|_, earlier| {
                earlier.stan == stan
                    && original.acquirer.is_none_or(|acquirer| earlier.acquirer == acquirer)
                    && original.transmission.is_none_or(|time| earlier.transmission == time)
            });
            self.best(of_trace, None)
        };
        let by_approval = || {
            let code = original.approval_code?;
            let of_code = fitting(&|found, earlier| {
                let (first, this) = (earlier.merchant.mcc, request.merchant.mcc);
                let mcc = first.is_none() || this.is_none() || first == this;
                let moves_money =
                    matches!(request.class, MessageClass::FinancialAdvice | MessageClass::Clearing);
                let theirs = moves_money && found.network_code() == Some(code);
                (self.approval_code(found) == code || theirs) && mcc && self.is_recent(found, now)
            });
            self.best(of_code, Some(request.amount))
        };
        let by_retrieval = || {
            let rrn = original.rrn.or(request.rrn).filter(|rrn| !rrn.is_filler())?;
            let of_number = fitting(&|found, earlier| {
                let recent = self.is_recent(found, now);
                earlier.rrn == Some(rrn) && earlier.acquirer == request.acquirer && recent
            });
            // A purchase that was declined and tried again is two transactions with one reference.
            let is_declined = |index: &usize| self.transactions[*index].state == TransactionState::Declined;
            let (declined, others): (Vec<usize>, Vec<usize>) = of_number.into_iter().partition(is_declined);
            let all = if others.is_empty() { declined } else { others };
            (all.len() == 1).then(|| all[0])
        };
        by_network().or_else(by_trace).or_else(by_approval).or_else(by_retrieval)
    }

    /// An open one before one that has ended, an approved one before a declined one, one that covers the amount before
    /// one that does not, the newest of equals.
    fn best(&self, found: Vec<usize>, amount: Option<Money>) -> Option<usize> {
        found.into_iter().max_by_key(|index| {
            let found = &self.transactions[*index];
            let asked = found.request().amount;
            let covers = amount.is_some_and(|amount| {
                amount.currency() == asked.currency() && amount.minor() <= asked.minor()
            });
            (found.state.is_open(), found.is_approved(), covers, found.number)
        })
    }

    fn is_recent(&self, found: &Transaction, now: Timestamp) -> bool {
        now.since(found.at) <= self.policy.life.keep_for
    }

    /// The first messages of payments, as far as they are remembered.
    fn payments(&self, card: u32, now: Timestamp) -> Vec<usize> {
        let is_payment = |found: &Transaction| {
            found.card == card
                && found.of.is_none()
                && matches!(found.message, Message::Asked(request)
                    if request.transaction_type().is_debit() && request.class != MessageClass::Clearing)
                && found.state != TransactionState::Answered
                && self.is_kept(found, now)
        };
        (0..self.transactions.len()).filter(|index| is_payment(&self.transactions[*index])).collect()
    }

    /// The same presentment: acquirer reference, sequence, amount and kind (E15).
    pub(super) fn same_presentment(
        &self,
        card: u32,
        request: &Authorization,
        now: Timestamp,
    ) -> Option<usize> {
        let clearing = request.details.clearing?;
        let arn = clearing.arn?;
        let same = |found: &Transaction| {
            let Message::Asked(earlier) = &found.message else { return false };
            let before = earlier.details.clearing.unwrap_or_default();
            let presents = earlier.transaction_type().is_credit()
                || matches!(earlier.class, MessageClass::FinancialAdvice | MessageClass::Clearing);
            presents
                && matches!(found.state, TransactionState::Posted | TransactionState::Reversed)
                && (before.arn, before.sequence) == (Some(arn), clearing.sequence)
                && earlier.amount == request.amount
                && earlier.transaction_type() == request.transaction_type()
        };
        self.transactions
            .iter()
            .rposition(|found| found.card == card && same(found) && self.is_kept(found, now))
    }

    /// The transaction that a reversal speaks of: the same retrieval reference first, then the same amount, then an
    /// open one. Among equals, with a transmission time the oldest, without it the newest. Where the references find
    /// nothing, the network's id may, if one open payment of that amount has it.
    pub(super) fn original(&self, card: u32, reversal: &Reversal, now: Timestamp) -> Option<usize> {
        let agrees = |found: &Transaction| {
            let acquirer = reversal.acquirer.is_none() || found.message.acquirer() == reversal.acquirer;
            let rrn = reversal.rrn.is_none()
                || found.message.rrn().is_none()
                || found.message.rrn() == reversal.rrn;
            let time = match reversal.transmission {
                Some(time) => found.message.transmission() == Some(time),
                None => rrn,
            };
            let advised = found.reason == Some(Reason::DeclinedByNetwork);
            let told = self.tells_of_its_hold(found);
            found.card == card
                && found.message.stan() == reversal.stan
                && acquirer
                && time
                && !advised
                && !told
        };
        let remembered: Vec<usize> = (0..self.transactions.len())
            .filter(|index| self.is_remembered(&self.transactions[*index], now))
            .collect();
        let mut candidates: Vec<usize> =
            remembered.iter().copied().filter(|index| agrees(&self.transactions[*index])).collect();
        if reversal.transmission.is_none() {
            candidates.reverse();
        }
        let fit = |index: usize| {
            let found = &self.transactions[index];
            let rrn = reversal.rrn.is_some() && found.message.rrn() == reversal.rrn;
            let amount = reversal.amount.is_some()
                && (found.message.amount() == reversal.amount || found.part == reversal.amount);
            (rrn, amount, found.state.is_open())
        };
        let best = candidates.iter().map(|index| fit(*index)).max();
        let by_trace = candidates.into_iter().find(|index| Some(fit(*index)) == best);
        by_trace.or_else(|| {
            let reference = reversal.network_reference.filter(|_| reversal.transmission.is_some())?;
            let same = |found: &Transaction| {
                found.card == card
                    && found.of.is_none()
                    && found.state.is_open()
                    && found.request().details.network_reference == Some(reference)
                    && (reversal.amount.is_none() || found.message.amount() == reversal.amount)
            };
            let all: Vec<usize> =
                remembered.into_iter().filter(|index| same(&self.transactions[*index])).collect();
            (all.len() == 1).then(|| all[0])
        })
    }

    /// Whether it is an advice with the references of the request whose hold it changed.
    fn tells_of_its_hold(&self, found: &Transaction) -> bool {
        let is_advice = found.asked().is_some_and(|asked| asked.class == MessageClass::AuthorizationAdvice);
        let of_hold = |hold: &Transaction| {
            Some(hold.number) == found.of
                && (hold.message.stan(), hold.message.transmission())
                    == (found.message.stan(), found.message.transmission())
        };
        is_advice && self.transactions.iter().any(of_hold)
    }

    /// Whether a message of then can still be told apart from a new one. What was forgotten stays forgotten when
    /// the clock is set back; the newest number tells how late it has been.
    pub(super) fn is_remembered(&self, found: &Transaction, now: Timestamp) -> bool {
        found.state.is_open() || self.since(found, now) <= self.policy.repeat_window
    }

    /// Whether something may still follow it: what was approved and is money is kept longer, and so are payments that
    /// were declined (E19, E21).
    pub(super) fn is_kept(&self, found: &Transaction, now: Timestamp) -> bool {
        let (life, ago) = (&self.policy.life, self.since(found, now));
        let kind = found.asked().map_or(TransactionType::Other, Authorization::transaction_type);
        let is_money = kind.is_debit() || kind.is_credit();
        let was_approved = is_money && (found.is_approved() || found.withheld);
        let was_declined = kind.is_debit() && found.state == TransactionState::Declined && found.of.is_none();
        self.is_remembered(found, now)
            || was_approved && ago <= life.keep_for
            || was_declined && ago <= life.keep_declines_for
    }

    fn since(&self, found: &Transaction, now: Timestamp) -> Duration {
        let newest = i64::try_from(self.last_number).map_or(Timestamp::MAX, Timestamp::from_micros);
        now.max(newest).since(found.ended_at)
    }
}

/// Whether an advice tells us of what we approved, or are deciding: by the amount asked, or by the part approved.
fn is_told_of(found: &Transaction, earlier: &Authorization, advice: &Authorization) -> bool {
    let of_its_kind = match advice.class {
        MessageClass::AuthorizationAdvice => earlier.class == MessageClass::AuthorizationRequest,
        MessageClass::FinancialAdvice => earlier.class == MessageClass::FinancialRequest,
        MessageClass::AuthorizationRequest | MessageClass::FinancialRequest | MessageClass::Clearing => false,
    };
    of_its_kind
        && earlier.acquirer == advice.acquirer
        && (earlier.amount == advice.amount || found.part == Some(advice.amount))
        && (found.state == TransactionState::Asked || found.is_approved())
}
