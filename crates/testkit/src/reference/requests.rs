//! Requests that take money: every rule, the price, and the answer.

use super::arithmetic::{less, none};
use super::memory::Seen;
use super::pricing::{Costs, Terms};
use super::questions::with_useful_part;
use super::uses::Counting;
use super::{Asked, BookingKind, Message, Model, Outcome, Transaction};
use authorizer::{Answer, Caller, FundingPath, TransactionState};
use domain::{
    Amounts, Approver, Authorization, CardNo, CardStatus, DutyKind, Failure, FundingMode, LimitOwner,
    Merchant, MessageClass, Moment, Money, Reason, RuleMode, Timestamp, TransactionNo, TransactionType,
};
use std::time::Duration;

/// A message on its way: what is known of its references, and who waits.
#[derive(Clone, Copy)]
pub(super) struct Incoming {
    pub(super) card: u32,
    pub(super) request: Authorization,
    pub(super) refused: Option<Reason>,
    pub(super) caller: Caller,
    pub(super) now: Moment,
}

impl Model {
    pub(super) fn authorize(
        &mut self,
        card: CardNo,
        request: Authorization,
        caller: Caller,
        now: Moment,
        out: &mut Outcome,
    ) {
        if !self.known_card(card, request.card) {
            let (reason, path) = (Reason::UnknownCard, FundingPath::Cache);
            let (approval_code, part, balances, limit) = (None, None, None, None);
            let answer = Answer::Authorization { reason, approval_code, part, balances, limit, path };
            out.answers.push((caller, answer));
            return;
        }
        let card = card.0;
        let request = with_useful_part(request);
        let (kind, class) = (request.transaction_type(), request.class);
        let refused = match self.seen(card, &request, now.utc) {
            Seen::As(index) if !class.is_request() && self.is_asked(index) => {
                return self.decided_by_the_network(index, &request, caller, now, out);
            }
            Seen::As(index) => return self.repeat(index, class, caller, out),
            Seen::Refuse(reason) => Some(reason),
            Seen::Never => None,
        };
        let incoming = Incoming { card, request, refused, caller, now };
        if kind.is_inquiry() || kind == TransactionType::Other && !class.is_request() {
            self.question(incoming, out);
        } else if kind.is_credit() {
            self.credit(incoming, out);
        } else if matches!(class, MessageClass::FinancialAdvice | MessageClass::Clearing) {
            self.clearing(incoming, out);
        } else if class == MessageClass::AuthorizationAdvice {
            self.advice(incoming, out);
        } else if request.details.incremental {
            self.increment(incoming, out);
        } else {
            self.purchase(incoming, out);
        }
    }

    fn purchase(&mut self, incoming: Incoming, out: &mut Outcome) {
        let Incoming { card, request, now, .. } = incoming;
        let costs = self.costs(card, &request, now.utc);
        let mut failures = self.broken_rules(card, &request, &costs, now);
        failures.extend(incoming.refused.map(Failure::from));
        let terms = costs.terms();
        let amounts = terms.map(|terms| terms.amounts);
        let failures = self.with_program_rules(card, &request, amounts, failures, now.utc);
        let Some(terms) = terms else { return self.decline(incoming, failures, out) };
        if failures.iter().all(is_shadow) {
            return self.fund(incoming, terms, failures, None, out);
        }
        match self.part(card, &request, terms, &failures) {
            Some((terms, part)) => {
                let flags = failures.into_iter().filter(is_shadow).collect();
                self.approve(incoming, terms, Some(part), flags, out);
            }
            None => self.decline(incoming, failures, out),
        }
    }

    pub(super) fn decline(&mut self, incoming: Incoming, failures: Vec<Failure>, out: &mut Outcome) {
        let mut new = self.new_transaction(incoming.card, incoming.request, incoming.now);
        new.state = TransactionState::Declined;
        new.reason = Some(failures[0].reason);
        new.failures = failures;
        self.enter(&new, self.nothing(incoming.card), Counting::Attempt);
        self.answer_with(new, incoming.caller, out);
    }

    /// Holds what passed every rule, or asks for it. `of` is the hold that it adds to.
    pub(super) fn fund(
        &mut self,
        incoming: Incoming,
        terms: Terms,
        flags: Vec<Failure>,
        of: Option<u64>,
        out: &mut Outcome,
    ) {
        let card = incoming.card;
        if !self.is_jit(card) {
            return self.approve(incoming, terms, None, flags, out);
        }
        let asked = self.transactions.iter().filter(|found| found.state == TransactionState::Asked).count();
        if self.duties.len() + asked >= self.policy.duties_per_shard_max {
            let mut failures = flags;
            failures.insert(0, Failure::from(Reason::FundingOverloaded));
            return self.decline(incoming, failures, out);
        }
        if self.is_not_asked(card) {
            return self.decide_in_its_place(incoming, terms, flags, of, out);
        }
        let new = self.reservation(incoming, terms, flags, of);
        let account = self.account_of(card);
        out.asks.push(Asked {
            number: TransactionNo(new.number),
            of: of.map(TransactionNo),
            units: terms.amounts.units,
            rate: terms.rate,
            price: terms.price,
            held: self.balance(account).held,
            outstanding: self.outstanding(account),
        });
        self.reserve(new);
    }

    /// What is asked for, and who waits for it; not entered yet.
    pub(super) fn reservation(
        &mut self,
        incoming: Incoming,
        Terms { amounts, rate, price }: Terms,
        flags: Vec<Failure>,
        of: Option<u64>,
    ) -> Transaction {
        let Incoming { card, request, caller, now, .. } = incoming;
        let mut new = self.new_transaction(card, request, now);
        (new.held, new.rate, new.failures, new.of) = (Some(amounts), rate, flags, of);
        new.price = price;
        let parent = self.transactions.iter().position(|found| Some(found.number) == of);
        let lasts = parent.map_or(Duration::ZERO, |parent| self.lasts(parent, now.utc));
        new.expires_at = now.utc.plus(self.hold_for(&request).max(lasts));
        new.waiting.push(caller);
        new
    }

    /// Enters it. An increment is more of a payment that is counted already.
    pub(super) fn reserve(&mut self, new: Transaction) {
        let counting = if new.of.is_some() { Counting::More } else { Counting::Payment };
        self.enter(&new, new.held.expect("a reservation"), counting);
        self.transactions.push(new);
    }

    /// Holds money of a pre-funded card, or books it where the message says so.
    fn approve(
        &mut self,
        incoming: Incoming,
        Terms { amounts, rate, price }: Terms,
        part: Option<Money>,
        flags: Vec<Failure>,
        out: &mut Outcome,
    ) {
        let Incoming { card, request, caller, now, .. } = incoming;
        let reason = if part.is_some() { Reason::ApprovedPartially } else { Reason::Approved };
        let mut new = self.new_transaction(card, request, now);
        new.told = self.told(card, &request, amounts.units, now);
        (new.state, new.reason, new.part) = (TransactionState::Approved, Some(reason), part);
        (new.held, new.rate, new.price, new.failures) = (Some(amounts), rate, price, flags);
        new.expires_at = now.utc.plus(self.hold_for(&request));
        self.hold(new);
        let index = self.transactions.len() - 1;
        if request.class.is_financial() {
            self.book_at_once(index, &request.merchant, now, out);
        }
        out.answers.push((caller, self.answer_of(index)));
    }

    /// Enters a message that holds money: counted, and the card was used where it came from.
    pub(super) fn hold(&mut self, new: Transaction) {
        let amounts = new.held.expect("a hold");
        self.enter(&new, amounts, Counting::Payment);
        if amounts.units.is_positive() {
            self.used_in.extend(new.request().merchant.country.map(|country| (new.card, country)));
        }
        if self.is_jit(new.card) {
            self.book(new.card, BookingKind::Funded, amounts.units.0);
        }
        self.transactions.push(new);
    }

    /// A message that approves and books: the hold is paid at once.
    pub(super) fn book_at_once(&mut self, index: usize, merchant: &Merchant, now: Moment, out: &mut Outcome) {
        let held = self.transactions[index].held.expect("it was just approved");
        // A part that the service approved may come to more than it costs: that goes back.
        let amounts = Amounts { units: self.cost_of_rest(index, held, held.card), ..held };
        let left_over = less(held, amounts);
        self.release(index, left_over, None);
        let found = &mut self.transactions[index];
        (found.paid, found.taken) = (amounts, amounts);
        found.held = Some(none(amounts.card.currency()));
        let (number, card) = (found.number, found.card);
        self.book(card, BookingKind::Settled, amounts.units.0);
        self.end_hold(index, TransactionState::Cleared, now.utc);
        if self.is_jit(card) {
            let (reserved, released, last) = (amounts.units, left_over.units, true);
            let kind = DutyKind::Clear { reserved, released, last, merchant: merchant.name };
            self.owe(kind, number, card, amounts.units, now, out);
        }
    }

    /// The first answer again, or the caller waits for it. An approval that was given twice has arrived (E17).
    fn repeat(&mut self, index: usize, class: MessageClass, caller: Caller, out: &mut Outcome) {
        let found = &mut self.transactions[index];
        let first = matches!(found.message, Message::Asked(request) if request.class.is_request());
        let booked_at_once = class.is_financial() && found.state == TransactionState::Cleared;
        if class.is_request() && first && (found.state.is_open() || booked_at_once) {
            found.repeated = true;
            if let Some(end) = found.ends_when_delivered.take() {
                found.expires_at = found.expires_at.max(end);
            }
        }
        if found.state == TransactionState::Asked {
            found.waiting.push(caller);
        } else {
            out.answers.push((caller, self.answer_of(index)));
        }
    }

    /// The network approved what the service is still deciding. That is the end of the ask, in full (E10).
    fn decided_by_the_network(
        &mut self,
        index: usize,
        request: &Authorization,
        caller: Caller,
        now: Moment,
        out: &mut Outcome,
    ) {
        let found = &mut self.transactions[index];
        found.waiting.push(caller);
        let (number, card, held) = (found.number, found.card, found.held.expect("an ask reserves"));
        let financial = found.request().class.is_financial();
        self.ask_approved(index, held, None, Approver::Network);
        let kind = DutyKind::Advise { merchant: request.merchant.name };
        self.owe(kind, number, card, held.units, now, out);
        if financial {
            self.book_at_once(index, &request.merchant, now, out);
        }
        self.undo_what_was_to_come(index, now, out);
        self.answer_waiting(index, out);
    }

    /// Every rule that the request breaks, in no particular order.
    pub(super) fn broken_rules(
        &self,
        card: u32,
        request: &Authorization,
        costs: &Costs,
        now: Moment,
    ) -> Vec<Failure> {
        let account = self.account_of(card);
        let short = costs.units.is_some_and(|units| self.balance(account).available().0 < units);
        let cash = request.details.cash.filter(|_| costs.card.is_some());
        let cash_is_a_part = cash.is_none_or(|cash| {
            cash.currency() == request.amount.currency() && cash.minor() <= request.amount.minor()
        });
        let cash_on_card =
            cash.zip(costs.card).filter(|_| request.amount.minor() > 0).map(|(cash, whole)| {
                i128::from(whole.minor()) * i128::from(cash.minor()) / i128::from(request.amount.minor())
            });
        let too_much_cash = self
            .policy
            .life
            .cashback_minor_max
            .is_some_and(|max| cash_on_card.is_some_and(|cash| cash > i128::from(max)));
        let rules = [
            (self.open_holds(card) >= self.policy.open_holds_per_card_max, Reason::TooManyHolds),
            (self.card(card).issued.funding == FundingMode::PreFunded && short, Reason::InsufficientFunds),
            (request.class.is_request() && now.mono >= request.deadline, Reason::DeadlinePassed),
            (!cash_is_a_part, Reason::InvalidAmount),
            (cash_is_a_part && too_much_cash, Reason::CashLimit),
        ];
        let mut failures = self.broken_card_rules(card, request, now);
        failures.extend(rules.iter().filter(|(broken, _)| *broken).map(|(_, reason)| Failure::from(*reason)));
        failures.extend(costs.failures.iter().copied().map(Failure::from));
        if let Some(amount) = costs.card {
            let minor = i128::from(amount.minor());
            failures.extend(self.broken_limits(LimitOwner::Card, card, minor, now.utc));
        }
        if let Some(units) = costs.units {
            failures.extend(self.broken_limits(LimitOwner::Account, account, units, now.utc));
        }
        failures
    }

    /// The rules that look at the card and its controls alone.
    pub(super) fn broken_card_rules(&self, card: u32, request: &Authorization, now: Moment) -> Vec<Failure> {
        let issued = &self.card(card).issued;
        let (controls, merchant) = (&issued.controls, &request.merchant);
        let merchant_id = Some(merchant.id).filter(|id| !id.is_empty());
        let month_over = {
            let time = jiff::Timestamp::from_microsecond(now.utc.micros()).expect("a time of our times");
            let today = time.to_zoned(jiff::tz::TimeZone::UTC).date();
            (today.year(), today.month())
                > (issued.expiry.year().cast_signed(), issued.expiry.month().cast_signed())
        };
        let kind = request.transaction_type();
        let rules = [
            (issued.status == CardStatus::Closed, Reason::CardClosed),
            (issued.status == CardStatus::Frozen, Reason::CardFrozen),
            (issued.status == CardStatus::NotYetActive, Reason::CardNotYetActive),
            (month_over, Reason::CardExpired),
            (request.expiry.is_some_and(|expiry| expiry != issued.expiry), Reason::ExpiryMismatch),
            (kind == TransactionType::Other, Reason::TransactionTypeNotAllowed),
            (request.amount.minor() <= 0 && !kind.is_inquiry(), Reason::InvalidAmount),
            (!controls.country.permits(merchant.country.as_ref()), Reason::CountryNotAllowed),
            (!controls.currency.permits(Some(&request.amount.currency())), Reason::CurrencyNotAllowed),
            (!controls.mcc.permits(merchant.mcc.as_ref()), Reason::MccNotAllowed),
            (!controls.merchant.permits(merchant_id.as_ref()), Reason::MerchantNotAllowed),
        ];
        rules.iter().filter(|(broken, _)| *broken).map(|(_, reason)| (*reason).into()).collect()
    }

    /// With what the program's rules add, in the documented order.
    pub(super) fn with_program_rules(
        &self,
        card: u32,
        request: &Authorization,
        amounts: Option<Amounts>,
        mut failures: Vec<Failure>,
        now: Timestamp,
    ) -> Vec<Failure> {
        failures.extend(self.broken_program_rules(card, request, amounts, now));
        in_order_of_precedence(&failures)
    }
}

/// The same failures, step by step of the documented order.
pub(super) fn in_order_of_precedence(failures: &[Failure]) -> Vec<Failure> {
    let steps =
        [false, true].into_iter().flat_map(|shadow| Reason::ALL.iter().map(move |step| (shadow, step)));
    let of_step = |(shadow, step): (bool, &Reason)| {
        let found = failures.iter().filter(|failure| failure.reason == *step && is_shadow(failure) == shadow);
        found.copied().collect::<Vec<_>>()
    };
    steps.flat_map(of_step).collect()
}

/// Whether it only records what a rule would have done.
pub(super) fn is_shadow(failure: &Failure) -> bool {
    failure.rule.is_some_and(|breach| breach.mode == RuleMode::Shadow)
}
