//! An authorization request or advice, from its references to its answer.
//!
//! The documented order of steps is: repeats; card state; security; transaction type; country, currency,
//! MCC, merchant; limits per transaction; limits per period; funds. All are evaluated, the first in that order
//! decides. A request that passes is held (pre-funded) or asked for (JIT); an advice is always held, and
//! what it broke is flagged (E10, E40).

use crate::action::{Action, Answer, Effects, FundingPath};
use crate::case::{Case, Question, decline, path_of, refusal};
use crate::clearings::Booked;
use crate::command::Caller;
use crate::controls;
use crate::decide::Context;
use crate::duties::Order;
use crate::life::allows_a_part;
use crate::parts::part;
use crate::repeats::Known;
use crate::shard::{Account, Card, Shard};
use crate::stand_in::{Payment, Promise};
use crate::stand_in_rules::StandInProgram;
use crate::transaction::Transaction;
use crate::velocity_ring::time_of;
use domain::{
    Amounts, ApprovalCode, Approver, Ask, Authorization, Balances, CardNo, CardToken, DutyKind, Fact,
    Failure, FundingMode, HoldTerms, LimitOwner, MessageClass, Money, PartialApproval, Reason, Text,
    Timestamp, TransactionNo, TransactionType, Units,
};

impl Shard {
    /// Decides a request or advice for `card`.
    pub(crate) fn authorize(
        &self,
        card_no: CardNo,
        request: &mut Authorization,
        caller: Caller,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Some((card, account)) = self.card_and_account(card_no, request.card) else {
            effects.answer(caller, refusal(Reason::UnknownCard, None, FundingPath::Cache));
            return;
        };
        request.partial = useful_part(request);
        let request = &*request;
        let is_advice = !request.class.is_request();
        let known = match self.known(card_no, request, context.now.utc) {
            Known::Answered(transaction) => {
                if request.class.is_request() {
                    self.answer_again(transaction, effects);
                }
                effects.answer(caller, self.first_answer(transaction));
                return;
            }
            Known::BeingDecided(transaction) if is_advice => {
                self.decided_by_the_network(transaction, account, request, caller, context, effects);
                return;
            }
            Known::BeingDecided(transaction) => {
                self.answer_again(transaction, effects);
                effects.action(Action::Wait { transaction: transaction.number, caller });
                return;
            }
            Known::OtherAmount => Some(Reason::DuplicateWithOtherAmount),
            Known::ReversedFirst => Some(Reason::PreviouslyReversed),
            Known::New => None,
        };
        let question = Question { number: self.next_number(context, 0), card_no, request, caller, of: None };
        let case = Case { card, account, question, known };
        let kind = request.transaction_type();
        match request.class {
            _ if kind.is_inquiry() || (is_advice && kind == TransactionType::Other) => {
                self.answer_question(case, context, effects);
            }
            _ if kind.is_credit() => self.credit(case, context, effects),
            MessageClass::FinancialAdvice | MessageClass::Clearing => {
                self.take_clearing(case, context, effects)
            }
            MessageClass::AuthorizationRequest | MessageClass::FinancialRequest
                if request.details.incremental =>
            {
                self.increment(case, context, effects);
            }
            MessageClass::AuthorizationAdvice => self.advise(case, context, effects),
            MessageClass::AuthorizationRequest | MessageClass::FinancialRequest => {
                self.debit(case, context, effects);
            }
        }
    }

    /// A request that takes money from the cardholder.
    fn debit(&self, case: Case<'_>, context: Context<'_>, effects: &mut Effects) {
        let Case { card, account, question, known: _ } = case;
        let mut failures = case.failures();
        let hold = self.evaluate(card, account, question.request, context, &mut failures);
        self.check_rules(case, hold.as_ref().map(|hold| hold.amounts), context, &mut failures);
        let refused = failures.first().is_some_and(Failure::decides);
        match hold {
            Some(hold) if !refused => self.fund_hold(case, hold, failures, context, effects),
            Some(hold) => match self.affordable_part(card, account, question.request, &hold, &failures) {
                Some((hold, part)) => {
                    failures.retain(|failure| !failure.decides());
                    self.approve_from_cache(case, hold, Some(part), failures, context, effects);
                }
                None => decline(card, question, failures, effects),
            },
            None => decline(card, question, failures, effects),
        }
    }

    /// The rules of the program come after all others, and everything is put in order. `amounts` is what the message
    /// comes to, where that can be told.
    pub(crate) fn check_rules(
        &self,
        case: Case<'_>,
        amounts: Option<Amounts>,
        context: Context<'_>,
        failures: &mut Vec<Failure>,
    ) {
        let now = context.now.utc.max(time_of(self.last_number));
        self.policy.rules.check(case.question.request, amounts, case.card, case.account, now, failures);
        Failure::rank(failures);
    }

    /// Holds what passed every rule, or asks for it.
    pub(crate) fn fund_hold(
        &self,
        case: Case<'_>,
        hold: HoldTerms,
        flags: Vec<Failure>,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        match case.card.funding {
            FundingMode::PreFunded => self.approve_from_cache(case, hold, None, flags, context, effects),
            FundingMode::Jit => {
                ask_for_funds(self, case.card, case.account, case.question, hold, flags, context, effects);
            }
        }
    }

    /// The network approved what the balance service is still deciding: the ask ends here, in full, and the
    /// service is told. Whatever it says later finds the ask ended.
    fn decided_by_the_network(
        &self,
        asked: &Transaction,
        account: &Account,
        request: &Authorization,
        caller: Caller,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Some(amounts) = asked.held() else { return };
        let fits = account.balance().credit(amounts.units).and_then(|balance| balance.place(amounts.units));
        if fits.is_err() {
            // Absurd sums only: the ask goes on, and the advice is taken note of with whoever waits for it.
            effects.action(Action::Wait { transaction: asked.number, caller });
            return;
        }
        let (transaction, reason) = (asked.number, Reason::Approved);
        let (part, by, told) = (None, Approver::Network, None);
        effects.fact(Fact::AskApproved { transaction, amounts, part, reason, by, told });
        let mut given = 0;
        let name = request.merchant.name;
        self.advise_of(transaction, account, name, amounts.units, &mut given, context, effects);
        if asked.class.is_financial() {
            let booked = Booked { transaction, card_no: asked.card, amounts };
            self.book_at_once(booked, account, &request.merchant, &mut given, context, effects);
        }
        self.undo_deferred(asked, amounts, part, &mut given, context, effects);
        let answer = self.approval(transaction, FundingPath::Jit);
        effects.action(Action::AnswerWaiting { transaction, answer });
        effects.answer(caller, answer);
    }

    /// A hold of nothing.
    fn empty_hold(&self, card: &Card, request: &Authorization, context: Context<'_>) -> HoldTerms {
        HoldTerms {
            amounts: Amounts { card: Money::new(0, card.currency), units: Units::ZERO },
            rate: None,
            expires_at: self.end_of_hold(request, context),
            price: None,
        }
    }

    /// Evaluates every rule. Returns what would be held, unless the amount cannot even be expressed.
    pub(crate) fn evaluate(
        &self,
        card: &Card,
        account: &Account,
        request: &Authorization,
        context: Context<'_>,
        failures: &mut Vec<Failure>,
    ) -> Option<HoldTerms> {
        let now = context.now.utc;
        controls::check(card, request, now, failures);
        if context.now.mono >= request.deadline && request.class.is_request() {
            failures.push(Reason::DeadlinePassed.into());
        }
        if card.open_holds >= self.policy.open_holds_per_card_max {
            failures.push(Reason::TooManyHolds.into());
        }
        let (money, card_rate) = self.price_on_card(card, request, context, failures)?;
        self.check_cash(request, money, failures);
        let minor = i128::from(money.minor());
        card.limits.check(LimitOwner::Card, minor, &self.calendar, now, failures);
        let priced = self.price_on_account((card, account), request, money, context, failures)?;
        let units = priced.units;
        if let Some(limits) = account.limits() {
            limits.check(LimitOwner::Account, units.0, &self.calendar, now, failures);
        }
        if card.funding == FundingMode::PreFunded && !account.balance().covers(units) {
            failures.push(Reason::InsufficientFunds.into());
        }
        let fits = account.balance().place(units).and_then(|held| held.credit(units)).is_ok();
        if !fits {
            failures.push(Reason::AmountOutOfRange.into());
            return None;
        }
        let amounts = Amounts { card: money, units };
        Some(HoldTerms {
            amounts,
            rate: priced.rate.or(card_rate),
            expires_at: self.end_of_hold(request, context),
            price: priced.price,
        })
    }

    /// The cash that a purchase hands out is a part of it, and no more than the program allows.
    fn check_cash(&self, request: &Authorization, money: Money, failures: &mut Vec<Failure>) {
        let Some(cash) = request.details.cash else { return };
        if cash.minor() > request.amount.minor() || cash.currency() != request.amount.currency() {
            failures.push(Reason::InvalidAmount.into());
            return;
        }
        let (share, whole) = (Units(cash.minor().into()), Units(request.amount.minor().into()));
        let on_card = part(money, share, whole).map_or(0, Money::minor);
        if self.policy.life.cashback_minor_max.is_some_and(|max| on_card > max) {
            failures.push(Reason::CashLimit.into());
        }
    }

    /// When a hold that is placed now runs out (E20).
    pub(crate) fn end_of_hold(&self, request: &Authorization, context: Context<'_>) -> Timestamp {
        let policy = &self.policy;
        context.now.utc.plus(policy.life.hold_for(request).unwrap_or(policy.hold_for))
    }

    fn approve_from_cache(
        &self,
        case: Case<'_>,
        hold: HoldTerms,
        part: Option<Money>,
        flags: Vec<Failure>,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Question { number, card_no, request, caller, of: _ } = case.question;
        let reason = if part.is_some() { Reason::ApprovedPartially } else { Reason::Approved };
        let amounts = hold.amounts;
        let told = self.told(case.card, case.account, request, amounts.units, context);
        let by = Approver::Switch;
        effects.fact(Fact::Approved {
            transaction: number,
            card: card_no,
            request: *request,
            hold,
            reason,
            part,
            by,
            told,
            flags,
        });
        if request.class.is_financial() {
            let booked = Booked { transaction: number, card_no, amounts };
            self.book_at_once(booked, case.account, &request.merchant, &mut 1, context, effects);
        }
        let approval_code = Some(ApprovalCode::of(self.transaction_id(number)));
        let path = FundingPath::Cache;
        effects.answer(
            caller,
            Answer::Authorization { reason, approval_code, part, balances: told, limit: None, path },
        );
    }

    /// An advice: what the network approved in our name. It is always held, and what it broke is flagged.
    fn advise(&self, case: Case<'_>, context: Context<'_>, effects: &mut Effects) {
        if case.known.is_none() && self.adjust(case, context, effects) {
            return;
        }
        let Case { card, account, question, known } = case;
        let mut failures = case.failures();
        let hold = self.evaluate(card, account, question.request, context, &mut failures);
        self.check_rules(case, hold.as_ref().map(|hold| hold.amounts), context, &mut failures);
        let told = hold.as_ref().map(|hold| hold.amounts.card).filter(|_| known.is_none());
        if told.is_some_and(|told| self.is_paid_already(case, told, context)) {
            let balances = self.told(card, account, question.request, Units::ZERO, context);
            return self.note(case, Reason::Approved, balances, failures, effects);
        }
        // What cannot be expressed, takes nothing, or is known already is acknowledged and flagged (P7).
        let holds = known.is_none() && controls::takes_money(question.request);
        let hold = hold.filter(|_| holds).unwrap_or_else(|| self.empty_hold(card, question.request, context));
        self.take_advice(case, hold, failures, context, effects);
    }

    /// Places the hold of an advice, past the balance if it must be, and tells the product of it.
    fn take_advice(
        &self,
        case: Case<'_>,
        hold: HoldTerms,
        flags: Vec<Failure>,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Question { number, card_no, request, caller, of: _ } = case.question;
        let (reason, part, by) = (Reason::Approved, None, Approver::Network);
        let units = hold.amounts.units;
        let told = self.told(case.card, case.account, request, units, context);
        effects.fact(Fact::Approved {
            transaction: number,
            card: card_no,
            request: *request,
            hold,
            reason,
            part,
            by,
            told,
            flags,
        });
        if case.card.funding == FundingMode::Jit && units.is_positive() {
            self.advise_of(number, case.account, request.merchant.name, units, &mut 1, context, effects);
        }
        effects.answer(caller, self.approval_with(number, told, path_of(case.card)));
    }

    /// Makes telling the balance service what was approved in its name a durable duty.
    #[allow(clippy::too_many_arguments)] // one step's whole context
    pub(crate) fn advise_of(
        &self,
        transaction: TransactionNo,
        account: &Account,
        merchant: Text<40>,
        units: Units,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let kind = DutyKind::Advise { merchant };
        self.order(Order { transaction, account, kind, units }, given, context, effects);
    }

    /// A yes that carries balances where they were wanted.
    pub(crate) fn approval_with(
        &self,
        number: TransactionNo,
        balances: Option<Balances>,
        path: FundingPath,
    ) -> Answer {
        let approval_code = Some(ApprovalCode::of(self.transaction_id(number)));
        let (reason, part, limit) = (Reason::Approved, None, None);
        Answer::Authorization { reason, approval_code, part, balances, limit, path }
    }

    pub(crate) fn approval(&self, number: TransactionNo, path: FundingPath) -> Answer {
        self.approval_with(number, None, path)
    }

    /// The card and its account, if the number belongs to this very card.
    pub(crate) fn card_and_account(&self, card: CardNo, token: CardToken) -> Option<(&Card, &Account)> {
        let card = self.card(card).ok().filter(|card| card.token == token)?;
        Some((card, self.account(card.account).ok()?))
    }
}

#[allow(clippy::too_many_arguments)] // one step's whole context
pub(crate) fn ask_for_funds(
    shard: &Shard,
    card: &Card,
    account: &Account,
    question: Question<'_>,
    hold: HoldTerms,
    flags: Vec<Failure>,
    context: Context<'_>,
    effects: &mut Effects,
) {
    if shard.duties.len() + shard.asked.len() >= shard.policy.duties_per_shard_max {
        // Whoever does not take our cancels must not be given more to cancel; an open ask may become one.
        let failures = std::iter::once(Reason::FundingOverloaded.into()).chain(flags);
        decline(card, question, failures.collect(), effects);
        return;
    }
    if let Some(program) = shard.by_order(account, context.stand_in.orders) {
        decide_in_its_place(shard, program, (card, account), question, hold, flags, context, effects);
        return;
    }
    let Question { number, card_no, request, caller, of } = question;
    let (amounts, rate, price) =
        (hold.amounts, hold.rate.as_deref().copied(), hold.price.as_deref().copied());
    effects.fact(Fact::Asked { transaction: number, card: card_no, request: *request, of, hold, flags });
    effects.action(Action::Wait { transaction: number, caller });
    effects.action(Action::Ask(Box::new(Ask {
        transaction: shard.transaction_id(number),
        increment_of: of.map(|of| shard.transaction_id(of)),
        account: shard.account_id(account),
        card: shard.card_id(card),
        last_four: card.last_four,
        request: *request,
        amounts,
        asset: account.asset,
        rate,
        price,
        received: context.now.utc,
        held: account.balance().held,
        outstanding_standin: account.outstanding(),
    })));
}

/// An operator has ordered that the service is not asked: the switch approves in its place or declines, at once.
#[allow(clippy::too_many_arguments)] // one step's whole context
fn decide_in_its_place(
    shard: &Shard,
    program: &StandInProgram,
    (card, account): (&Card, &Account),
    question: Question<'_>,
    hold: HoldTerms,
    flags: Vec<Failure>,
    context: Context<'_>,
    effects: &mut Effects,
) {
    let Question { number, card_no, request, caller, of } = question;
    let (kind, mcc, amounts) = (request.transaction_type(), request.merchant.mcc, hold.amounts);
    let payment = Payment { number, card_no, card, account, kind, mcc, amounts };
    if let Some(reason) = shard.why_not(payment, program, context) {
        let failures = [Reason::FundingUnavailable, reason].map(Failure::from).into_iter().chain(flags);
        decline(card, question, failures.collect(), effects);
        return;
    }
    effects.fact(Fact::Asked { transaction: number, card: card_no, request: *request, of, hold, flags });
    let promise = Promise {
        transaction: number,
        card_no,
        account,
        amounts,
        books: request.class.is_financial(),
        merchant: request.merchant,
        told: shard.told(card, account, request, amounts.units, context),
    };
    let answer = shard.promise(promise, &mut 1, context, effects);
    effects.answer(caller, answer);
}

/// Whether less than the whole may be approved, by what the terminal and the kind of transaction say (E7).
fn useful_part(request: &Authorization) -> PartialApproval {
    if allows_a_part(request) { request.partial } else { PartialApproval::NotSupported }
}
