//! Money that comes to the cardholder: refunds and original credits (E21).

use super::arithmetic::{Exact, Side, less, plus};
use super::pricing::Terms;
use super::requests::{Incoming, is_shadow};
use super::uses::Counting;
use super::{BookingKind, Model, Outcome, Transaction};
use authorizer::TransactionState;
use domain::{
    Amounts, Asset, Authorization, CardStatus, DutyKind, Failure, MessageClass, Reason, RefundFlags,
    Timestamp, TransactionType, Units,
};

impl Model {
    pub(super) fn credit(&mut self, incoming: Incoming, out: &mut Outcome) {
        let Incoming { card, request, refused, caller, now } = incoming;
        let mut failures: Vec<Failure> = refused.map(Failure::from).into_iter().collect();
        if request.class.is_request() {
            if request.transaction_type() == TransactionType::OriginalCredit {
                failures.extend(self.broken_card_rules(card, &request, now));
            } else if request.amount.minor() <= 0 {
                failures.push(Reason::InvalidAmount.into());
            }
            if now.mono >= request.deadline {
                failures.push(Reason::DeadlinePassed.into());
            }
            let mut wrong = Vec::new();
            let brought = self.brought_in(&incoming, None, &mut wrong).map(|terms| terms.amounts);
            if request.class == MessageClass::FinancialRequest && brought.is_none() {
                failures.extend(wrong.into_iter().map(Failure::from));
            }
            failures = self.with_program_rules(card, &request, brought, failures, now.utc);
            if !failures.iter().all(is_shadow) {
                return self.decline(incoming, failures, out);
            }
        }
        let authorized =
            matches!(request.class, MessageClass::AuthorizationRequest | MessageClass::AuthorizationAdvice);
        let waits = authorized && !self.policy.life.refunds_at_authorization;
        let booked = !request.class.is_request() && self.was_booked_at_authorization(&incoming);
        if waits || booked || refused.is_some() {
            let told = self.told(card, &request, Units::ZERO, now);
            return self.note(incoming, Reason::Approved, told, failures, out);
        }
        match self.same_presentment(card, &request, now.utc) {
            Some(index) => out.answers.push((caller, self.answer_of(index))),
            None => self.refund(incoming, out),
        }
    }

    fn refund(&mut self, incoming: Incoming, out: &mut Outcome) {
        let Incoming { card, request, caller, now, .. } = incoming;
        let payment = self.refunded_payment(&incoming);
        let brought = self.brought_in(&incoming, payment, &mut Vec::new());
        let amounts = brought.map_or(self.nothing(card), |terms| terms.amounts);
        let (rate, price) = brought.map_or((None, None), |terms| (terms.rate, terms.price));
        let left = payment.and_then(|index| self.left_to_refund(index));
        let of = payment.map(|index| self.transactions[index].number);
        let mut new = self.new_transaction(card, request, now);
        new.told = self.told(card, &request, Units(-amounts.units.0), now);
        (new.state, new.reason, new.of) = (TransactionState::Posted, Some(Reason::Approved), of);
        (new.paid, new.rate, new.price) = (amounts, rate, price);
        new.refund_flags = RefundFlags {
            unmatched: payment.is_none(),
            above_original: left.is_some_and(|left| amounts.card.minor() > left.card.minor()),
            card_not_active: self.status(card) != CardStatus::Active,
            unpriced: brought.is_none(),
        };
        let number = new.number;
        self.enter(&new, amounts, Counting::Answer);
        self.transactions.push(new);
        self.book(card, BookingKind::Refunded, amounts.units.0);
        if let Some(index) = payment {
            let payment = &mut self.transactions[index];
            payment.refunded = plus(payment.refunded, amounts);
        }
        if self.is_jit(card) {
            self.book(card, BookingKind::Returned, amounts.units.0);
            let kind = DutyKind::Refund { merchant: request.merchant.name };
            self.owe(kind, of.unwrap_or(number), card, amounts.units, now, out);
        }
        out.answers.push((caller, self.answer_of(self.transactions.len() - 1)));
    }

    /// What comes in, rounded down; exactly what was taken where all of a recent payment comes back (E12, E14).
    fn brought_in(
        &self,
        incoming: &Incoming,
        payment: Option<usize>,
        failures: &mut Vec<Reason>,
    ) -> Option<Terms> {
        let Incoming { card, request, now, .. } = *incoming;
        // In the card's currency as a debit would be: rounded up, for the good of the cardholder.
        let (on_card, _) = self.on_card(card, &request, now.utc, failures)?;
        let whole = payment.and_then(|index| {
            let recent = now.utc.since(self.transactions[index].at) <= self.policy.life.exact_refund_for;
            self.left_to_refund(index).filter(|left| recent && left.card == on_card)
        });
        if let Some(whole) = whole {
            return Some(Terms { amounts: whole, rate: None, price: None });
        }
        let credited = self.credited(card, &request, on_card, now.utc, failures)?;
        let (rate, price) = (credited.rate, credited.price);
        let (from, to) = (Asset::of(on_card.currency()), self.asset_of(self.account_of(card)));
        let locked = (rate.as_ref(), price.as_ref());
        let exact = Exact::locked(on_card.minor().into(), locked, Side::Credit, from, to);
        let units = match payment.zip(exact) {
            Some((payment, exact)) => self.brought_together(payment, exact),
            None => credited.units,
        };
        Some(Terms { amounts: Amounts { card: on_card, units: Units(units) }, rate, price })
    }

    /// The payment that it names, or else the newest to the same merchant that has as much left.
    fn refunded_payment(&self, incoming: &Incoming) -> Option<usize> {
        let Incoming { card, request, now, .. } = *incoming;
        if request.transaction_type() == TransactionType::OriginalCredit {
            return None;
        }
        let named = self.followed(card, &request, now.utc);
        let named = named.filter(|index| self.left_to_refund(*index).is_some());
        self.paid_under(incoming).or(named).or_else(|| {
            let (on_card, _) = self.on_card(card, &request, now.utc, &mut Vec::new())?;
            let merchant = request.merchant.id;
            let booked = (0..self.transactions.len()).rev().filter(|index| {
                let found = &self.transactions[*index];
                let is_booking = |earlier: &Authorization| {
                    earlier.class.is_financial()
                        && earlier.transaction_type().is_debit()
                        && !merchant.is_empty()
                        && earlier.merchant.id == merchant
                };
                found.card == card
                    && found.asked().is_some_and(is_booking)
                    && found.paid.card.minor() > 0
                    && now.utc.since(found.at) <= self.policy.life.keep_for
                    && self.is_kept(found, now.utc)
            });
            // What was cleared belongs to the payment that was authorized.
            let mut payments = booked.map(|index| self.payment_of(index, now.utc));
            payments.find(|index| {
                self.left_to_refund(*index).is_some_and(|left| left.card.minor() >= on_card.minor())
            })
        })
    }

    /// The payment of which one presentment has the acquirer reference number that the refund names.
    fn paid_under(&self, incoming: &Incoming) -> Option<usize> {
        let arn = incoming.request.details.clearing?.arn?;
        let presents = |found: &Transaction| {
            found.card == incoming.card
                && matches!(found.state, TransactionState::Posted | TransactionState::Reversed)
                && found.asked().is_some_and(|earlier| {
                    matches!(earlier.class, MessageClass::FinancialAdvice | MessageClass::Clearing)
                        && earlier.transaction_type().is_debit()
                        && earlier.details.clearing.is_some_and(|clearing| clearing.arn == Some(arn))
                })
                && self.is_kept(found, incoming.now.utc)
        };
        let presented = self.transactions.iter().rposition(presents)?;
        let payment = self.payment_of(presented, incoming.now.utc);
        self.left_to_refund(payment).map(|_| payment)
    }

    /// The first message of a payment, whichever of its messages is given.
    pub(super) fn payment_of(&self, index: usize, now: Timestamp) -> usize {
        self.parent_of(index, now).map_or(index, |parent| self.payment_of(parent, now))
    }

    /// The hold that a message adds to or is paid from, as long as it is remembered.
    pub(super) fn parent_of(&self, index: usize, now: Timestamp) -> Option<usize> {
        let of = self.transactions[index].of?;
        let parent = self.transactions.iter().position(|found| found.number == of)?;
        self.is_kept(&self.transactions[parent], now).then_some(parent)
    }

    /// What was paid and has not come back, if anything was paid.
    pub(super) fn left_to_refund(&self, index: usize) -> Option<Amounts> {
        let found = &self.transactions[index];
        let paid = found.request().transaction_type().is_debit() && found.paid.card.minor() > 0;
        paid.then(|| less(found.paid, found.refunded))
    }

    /// A refund that was booked when it was authorized: its clearing brings nothing more.
    fn was_booked_at_authorization(&self, incoming: &Incoming) -> bool {
        let Incoming { card, request, now, .. } = *incoming;
        let reference = request.details.network_reference;
        self.transactions.iter().any(|found| {
            let booked = |earlier: &Authorization| {
                let same_network = reference.is_some() && earlier.details.network_reference == reference;
                let same_rrn = request.rrn.is_some_and(|rrn| !rrn.is_filler()) && earlier.rrn == request.rrn;
                earlier.class == MessageClass::AuthorizationRequest
                    && earlier.transaction_type().is_credit()
                    && earlier.amount == request.amount
                    && (same_network || same_rrn)
            };
            found.card == card
                && found.state == TransactionState::Posted
                && found.asked().is_some_and(booked)
                && self.is_kept(found, now.utc)
        })
    }
}
