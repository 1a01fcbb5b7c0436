//! Money that comes to the cardholder: refunds and original credits (E21).
//!
//! A refund that is only authorized promises nothing and moves nothing: it is answered with yes, and the money is there
//! when it is cleared, unless the program's policy lets it be spent at once. Whatever the card's state, a cleared refund
//! is always booked in. It belongs to the payment that it names, be it by the acquirer reference number of one of its
//! presentments, or else to the newest payment to the same merchant that
//! has as much left; a refund that fits none, or brings more than was paid, is booked and flagged.

use crate::action::Effects;
use crate::case::{Case, decline, path_of};
use crate::clearings::less;
use crate::controls;
use crate::decide::Context;
use crate::duties::Order;
use crate::originals::SEARCH_MAX;
use crate::price::reason_of;
use crate::shard::Shard;
use crate::transaction::{Transaction, TransactionState};
use domain::{
    Amounts, CardStatus, DutyKind, Fact, Failure, FundingMode, MessageClass, Money, Price, Priced, Rate,
    Reason, RefundFlags, Side, TransactionType, Units, exact_at,
};

/// What a refund brings in.
#[derive(Clone, Copy)]
struct Brought {
    amounts: Amounts,
    rate: Option<Rate>,
    price: Option<Price>,
}

impl Shard {
    /// A request, an advice or a clearing that brings money.
    pub(crate) fn credit(&self, case: Case<'_>, context: Context<'_>, effects: &mut Effects) {
        let request = case.question.request;
        let mut failures = case.failures();
        if request.class.is_request() {
            self.check_credit(case, context, &mut failures);
            if failures.first().is_some_and(Failure::decides) {
                return decline(case.card, case.question, failures, effects);
            }
        }
        let only_authorized =
            matches!(request.class, MessageClass::AuthorizationRequest | MessageClass::AuthorizationAdvice);
        let waits = only_authorized && !self.policy.life.refunds_at_authorization;
        let booked_before =
            !request.class.is_request() && self.booked_at_authorization(case, context).is_some();
        if waits || booked_before || case.known.is_some() {
            let told = self.told(case.card, case.account, request, Units::ZERO, context);
            return self.note(case, Reason::Approved, told, failures, effects);
        }
        if let Some(repeated) = self.same_presentment(case, context) {
            return effects.answer(case.question.caller, self.first_answer(repeated));
        }
        self.take_refund(case, context, effects);
    }

    /// A refund is due whatever the card's state; a credit from somebody else needs a card that is in use.
    fn check_credit(&self, case: Case<'_>, context: Context<'_>, failures: &mut Vec<Failure>) {
        let request = case.question.request;
        if request.transaction_type() == TransactionType::OriginalCredit {
            controls::check(case.card, request, context.now.utc, failures);
        } else if request.amount.minor() <= 0 {
            failures.push(Reason::InvalidAmount.into());
        }
        if context.now.mono >= request.deadline {
            failures.push(Reason::DeadlinePassed.into());
        }
        let mut unpriced = Vec::new();
        let brought = self.brought_in(case, None, context, &mut unpriced).map(|brought| brought.amounts);
        if request.class == MessageClass::FinancialRequest && brought.is_none() {
            failures.append(&mut unpriced);
        }
        self.check_rules(case, brought, context, failures);
    }

    fn take_refund(&self, case: Case<'_>, context: Context<'_>, effects: &mut Effects) {
        let (card, account, question) = (case.card, case.account, case.question);
        let request = question.request;
        let parent = self.refunded_payment(case, context);
        let brought = self.brought_in(case, parent, context, &mut Vec::new());
        let none = Amounts { card: Money::new(0, card.currency), units: Units::ZERO };
        let Brought { amounts, rate, price } =
            brought.unwrap_or(Brought { amounts: none, rate: None, price: None });
        if account.balance().credit(amounts.units).is_err() {
            return self.note(case, Reason::Approved, None, vec![Reason::AmountOutOfRange.into()], effects);
        }
        let flags = RefundFlags {
            unmatched: parent.is_none(),
            above_original: parent
                .and_then(left_to_refund)
                .is_some_and(|left| amounts.card.minor() > left.card.minor()),
            card_not_active: card.status != CardStatus::Active,
            unpriced: brought.is_none(),
        };
        let told = self.told(card, account, request, Units(-amounts.units.0), context);
        let (transaction, of) = (question.number, parent.map(|parent| parent.number));
        let card_no = question.card_no;
        let rate = rate.map(Box::new);
        effects.fact(Fact::Refunded {
            transaction,
            of,
            card: card_no,
            request: *request,
            amounts,
            rate,
            told,
            flags,
        });
        self.show_price(transaction, price, effects);
        if card.funding == FundingMode::Jit {
            let kind = DutyKind::Refund { merchant: request.merchant.name };
            let order = Order { transaction: of.unwrap_or(transaction), account, kind, units: amounts.units };
            self.order(order, &mut 1, context, effects);
        }
        effects.answer(question.caller, self.approval_with(transaction, told, path_of(card)));
    }

    /// What comes in: with all that came for the payment before, rounded down; exactly what was taken where all of a recent
    /// payment comes back (E12, E14).
    fn brought_in(
        &self,
        case: Case<'_>,
        parent: Option<&Transaction>,
        context: Context<'_>,
        failures: &mut Vec<Failure>,
    ) -> Option<Brought> {
        let (card, _) = self.price_on_card(case.card, case.question.request, context, failures)?;
        let recent =
            |parent: &&Transaction| context.now.utc.since(parent.at) <= self.policy.life.exact_refund_for;
        let whole = parent.filter(recent).and_then(left_to_refund).filter(|left| left.card == card);
        if let Some(whole) = whole {
            return Some(Brought { amounts: whole, rate: None, price: None });
        }
        let (request, asset) = (case.question.request, case.account.asset);
        let pricing = &self.policy.pricing;
        let margins = pricing.margins(request, case.card.currency, asset);
        let (rates, terms) = (context.rates, &pricing.terms);
        let priced = rates.price(card, asset, Side::Credit, margins, terms, context.now.utc);
        let priced = priced.map_err(|error| failures.push(reason_of(&error).into())).ok();
        // What is no request must be booked whatever the rates: at the newest.
        let priced = priced.or_else(|| {
            let newest = || rates.price_at_any_rate(card, asset, Side::Credit, margins, terms);
            (!request.class.is_request()).then(newest).flatten()
        })?;
        let Priced { units, rate, price } = priced;
        let together = parent.and_then(|parent| {
            let exact = exact_at(card, asset, Side::Credit, rate.as_deref(), price.as_deref()).ok()?;
            self.units_of_refund(parent, exact)
        });
        let amounts = Amounts { card, units: together.unwrap_or(units) };
        Some(Brought { amounts, rate: rate.map(|rate| *rate), price: price.map(|price| *price) })
    }

    /// The payment that is refunded: the one it names, or else the newest to the same merchant with as much left.
    fn refunded_payment(&self, case: Case<'_>, context: Context<'_>) -> Option<&Transaction> {
        let (card, request) = (case.question.card_no, case.question.request);
        if request.transaction_type() == TransactionType::OriginalCredit {
            return None;
        }
        let named = self.followed(card, request, context).filter(|found| left_to_refund(found).is_some());
        self.paid_under(case, context).or(named).or_else(|| {
            let mut ignored = Vec::new();
            let money = self.price_on_card(case.card, request, context, &mut ignored)?.0;
            let merchant = request.merchant.id;
            let booked = self.store.of_card(card).take(SEARCH_MAX).filter(|found| {
                let here = found.more.as_ref().is_some_and(|more| more.merchant == merchant);
                !merchant.is_empty()
                    && here
                    && left_to_refund(found).is_some()
                    && context.now.utc.since(found.at) <= self.policy.life.keep_for
                    && self.is_kept(found, context.now.utc)
            });
            // What was cleared belongs to the payment that was authorized, and so do its refunds: all together they
            // bring no more than was paid for it.
            let mut payments = booked.map(|found| self.payment_of(found, context.now.utc));
            payments.find(|payment| {
                left_to_refund(payment).is_some_and(|left| left.card.minor() >= money.minor())
            })
        })
    }

    /// The payment of which one presentment has the acquirer reference number that the refund names.
    fn paid_under(&self, case: Case<'_>, context: Context<'_>) -> Option<&Transaction> {
        let arn = case.question.request.details.clearing?.arn?;
        let of_card = self.store.of_card(case.question.card_no).take(SEARCH_MAX);
        let mut presented = of_card.filter(|found| {
            found.kind.is_debit()
                && found.more.as_ref().is_some_and(|more| more.arn == Some(arn))
                && self.is_kept(found, context.now.utc)
        });
        let payment = presented.next().map(|found| self.payment_of(found, context.now.utc));
        payment.filter(|payment| left_to_refund(payment).is_some())
    }

    /// A refund that was booked when it was authorized: its clearing moves nothing more.
    fn booked_at_authorization(&self, case: Case<'_>, context: Context<'_>) -> Option<&Transaction> {
        let request = case.question.request;
        let reference = request.details.network_reference;
        self.store.of_card(case.question.card_no).take(SEARCH_MAX).find(|found| {
            let same_network = reference.is_some() && found.network_reference == reference;
            let same_rrn = request.rrn.is_some_and(|rrn| !rrn.is_filler()) && found.rrn == request.rrn;
            found.state == TransactionState::Posted
                && found.kind.is_credit()
                && found.class == MessageClass::AuthorizationRequest
                && found.amount == Some(request.amount)
                && (same_network || same_rrn)
                && self.is_kept(found, context.now.utc)
        })
    }
}

/// What was paid and has not come back yet, if anything was paid.
fn left_to_refund(found: &Transaction) -> Option<Amounts> {
    let more = found.more.as_ref()?;
    let paid = found.kind.is_debit() && more.paid.card.minor() > 0;
    paid.then(|| less(more.paid, more.refunded))
}
