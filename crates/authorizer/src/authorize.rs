//! An authorization request or advice, from its references to its answer.
//!
//! The documented order of steps is: repeats; card state; security; transaction type; country, currency,
//! MCC, merchant; limits per transaction; limits per period; funds. All are evaluated, the first in that order
//! decides. A request that passes is held (pre-funded) or asked for (JIT); an advice is always held, and
//! what it broke is flagged (E10, E40).

use crate::action::{Action, Answer, Effects, FundingPath};
use crate::asks::next_of_account;
use crate::command::Caller;
use crate::controls;
use crate::decide::Context;
use crate::repeats::Known;
use crate::shard::{Account, Card, Shard};
use crate::transaction::Transaction;
use crate::velocity_ring::time_of;
use domain::{
    Amounts, ApprovalCode, Approver, Ask, Asset, Authorization, CardNo, CardToken, Duty, DutyKind, Fact,
    Failure, FundingMode, HoldTerms, LimitOwner, MessageClass, Money, Rate, RateError, Reason, Rounding,
    TransactionNo, Units,
};

impl Shard {
    /// Decides a request or advice for `card`.
    pub(crate) fn authorize(
        &self,
        card_no: CardNo,
        request: Authorization,
        caller: Caller,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Some((card, account)) = self.card_and_account(card_no, request.card) else {
            effects.answer(caller, refusal(Reason::UnknownCard, FundingPath::Cache));
            return;
        };
        let is_advice = !request.class.is_request();
        let known = match self.known(card_no, &request, context.now.utc) {
            Known::Answered(transaction) => {
                effects.answer(caller, self.first_answer(transaction));
                return;
            }
            Known::BeingDecided(transaction) if is_advice => {
                self.decided_by_the_network(transaction, account, request, caller, context, effects);
                return;
            }
            Known::BeingDecided(transaction) => {
                effects.action(Action::Wait { transaction: transaction.number, caller });
                return;
            }
            Known::OtherAmount => Some(Reason::DuplicateWithOtherAmount),
            Known::ReversedFirst => Some(Reason::PreviouslyReversed),
            Known::New => None,
        };
        let mut failures: Vec<Failure> = known.map(Failure::from).into_iter().collect();
        let hold = self.evaluate(card, account, &request, context, &mut failures);
        let now = context.now.utc.max(time_of(self.last_number));
        let amounts = hold.map(|hold| hold.amounts);
        self.policy.rules.check(&request, amounts, card, account, now, &mut failures);
        Failure::rank(&mut failures);
        let refused = failures.first().is_some_and(Failure::decides);
        let question = Question { number: self.next_number(context, 0), card_no, request, caller };
        match hold {
            _ if is_advice => {
                // What cannot be expressed, takes nothing, or is known already is acknowledged and flagged (P7).
                let holds = known.is_none() && controls::takes_money(&request);
                let hold = hold.filter(|_| holds).unwrap_or_else(|| self.empty_hold(card, context));
                self.take_advice(card, account, question, hold, failures, context, effects);
            }
            Some(hold) if !refused => match card.funding {
                FundingMode::PreFunded => self.approve_from_cache(question, hold, failures, effects),
                FundingMode::Jit => {
                    ask_for_funds(self, card, account, question, hold, failures, context, effects);
                }
            },
            Some(_) | None => decline(card, question, failures, effects),
        }
    }

    /// The network approved what the balance service is still deciding: the ask ends here, in full, and the
    /// service is told. Whatever it says later finds the ask ended.
    fn decided_by_the_network(
        &self,
        asked: &Transaction,
        account: &Account,
        request: Authorization,
        caller: Caller,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Some(amounts) = asked.held else { return };
        let fits = account.balance.credit(amounts.units).and_then(|balance| balance.place(amounts.units));
        if fits.is_err() {
            // Absurd sums only: the ask goes on, and the advice is taken note of with whoever waits for it.
            effects.action(Action::Wait { transaction: asked.number, caller });
            return;
        }
        let (transaction, reason) = (asked.number, Reason::Approved);
        let (part, by, told) = (None, Approver::Network, None);
        effects.fact(Fact::AskApproved { transaction, amounts, part, reason, by, told });
        self.owe_advice(transaction, account, &request, amounts.units, context, 0, effects);
        let answer = self.approval(transaction, FundingPath::Jit);
        effects.action(Action::AnswerWaiting { transaction, answer });
        effects.answer(caller, answer);
    }

    /// A hold of nothing.
    fn empty_hold(&self, card: &Card, context: Context<'_>) -> HoldTerms {
        HoldTerms {
            amounts: Amounts { card: Money::new(0, card.currency), units: Units::ZERO },
            rate: None,
            expires_at: context.now.utc.plus(self.policy.hold_for),
        }
    }

    /// Evaluates every rule. Returns what would be held, unless the amount cannot even be expressed.
    fn evaluate(
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
        let (money, card_rate) = price_on_card(card, request, context, failures)?;
        let minor = i128::from(money.minor());
        card.limits.check(LimitOwner::Card, minor, &self.calendar, now, failures);
        let (units, asset_rate) = convert(request.class, money, account.asset, context, failures)?;
        account.limits.check(LimitOwner::Account, units.0, &self.calendar, now, failures);
        if card.funding == FundingMode::PreFunded && !account.balance.covers(units) {
            failures.push(Reason::InsufficientFunds.into());
        }
        let fits = account.balance.place(units).and_then(|held| held.credit(units)).is_ok();
        if !fits {
            failures.push(Reason::AmountOutOfRange.into());
            return None;
        }
        let amounts = Amounts { card: money, units };
        Some(HoldTerms {
            amounts,
            rate: asset_rate.or(card_rate),
            expires_at: now.plus(self.policy.hold_for),
        })
    }

    fn approve_from_cache(
        &self,
        question: Question,
        hold: HoldTerms,
        flags: Vec<Failure>,
        effects: &mut Effects,
    ) {
        let Question { number, card_no, request, caller } = question;
        effects.fact(Fact::Approved {
            transaction: number,
            card: card_no,
            request,
            hold,
            reason: Reason::Approved,
            part: None,
            by: Approver::Switch,
            told: None,
            flags,
        });
        effects.answer(caller, self.approval(number, FundingPath::Cache));
    }

    /// Places the hold of an advice, past the balance if it must be, and tells the product of it.
    #[allow(clippy::too_many_arguments)] // one step's whole context, used once
    fn take_advice(
        &self,
        card: &Card,
        account: &Account,
        question: Question,
        hold: HoldTerms,
        flags: Vec<Failure>,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Question { number, card_no, request, caller } = question;
        let approved = Reason::Approved;
        effects.fact(Fact::Approved {
            transaction: number,
            card: card_no,
            request,
            hold,
            reason: approved,
            part: None,
            by: Approver::Network,
            told: None,
            flags,
        });
        if card.funding == FundingMode::Jit && hold.amounts.units.is_positive() {
            self.owe_advice(number, account, &request, hold.amounts.units, context, 1, effects);
        }
        effects.answer(caller, self.approval(number, path_of(card)));
    }

    /// Makes telling the balance service what was approved in its name a durable duty.
    #[allow(clippy::too_many_arguments)] // one step's whole context
    fn owe_advice(
        &self,
        transaction: TransactionNo,
        account: &Account,
        request: &Authorization,
        units: Units,
        context: Context<'_>,
        given: u64,
        effects: &mut Effects,
    ) {
        let duty = Duty {
            number: self.next_number(context, given),
            transaction,
            account: account.id,
            kind: DutyKind::Advise { merchant: request.merchant.name },
            units,
            asset: account.asset,
            sequence: self.store.find(transaction).map_or(0, |found| found.duties).saturating_add(1),
            account_sequence: next_of_account(account, self.last_number, effects),
        };
        effects.fact(Fact::DutyOwed { duty });
        effects.action(Action::Owe(duty));
    }

    pub(crate) fn approval(&self, number: TransactionNo, path: FundingPath) -> Answer {
        let approval_code = Some(ApprovalCode::of(self.transaction_id(number)));
        Answer::Authorization { reason: Reason::Approved, approval_code, part: None, balances: None, path }
    }

    /// The card and its account, if the number belongs to this very card.
    pub(crate) fn card_and_account(&self, card: CardNo, token: CardToken) -> Option<(&Card, &Account)> {
        let card = self.card(card).ok().filter(|card| card.token == token)?;
        Some((card, self.account(card.account).ok()?))
    }
}

/// A request that is being decided.
#[derive(Clone, Copy)]
struct Question {
    number: TransactionNo,
    card_no: CardNo,
    request: Authorization,
    caller: Caller,
}

fn decline(card: &Card, question: Question, failures: Vec<Failure>, effects: &mut Effects) {
    let Question { number, card_no, request, caller } = question;
    let reason = failures.first().map_or(Reason::AmountOutOfRange, |failure| failure.reason);
    effects.fact(Fact::Declined { transaction: number, card: card_no, request, failures });
    effects.answer(caller, refusal(reason, path_of(card)));
}

#[allow(clippy::too_many_arguments)] // one step's whole context
fn ask_for_funds(
    shard: &Shard,
    card: &Card,
    account: &Account,
    question: Question,
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
    let Question { number, card_no, request, caller } = question;
    effects.fact(Fact::Asked { transaction: number, card: card_no, request, hold, flags });
    effects.action(Action::Wait { transaction: number, caller });
    effects.action(Action::Ask(Box::new(Ask {
        transaction: shard.transaction_id(number),
        account: account.id,
        card: card.id,
        last_four: card.last_four,
        request,
        amounts: hold.amounts,
        asset: account.asset,
        rate: hold.rate,
        received: context.now.utc,
        held: account.balance.held,
        outstanding_standin: outstanding_standin(shard, account),
    })));
}

/// What was approved in the balance service's name and it has not acknowledged: not in its books yet.
fn outstanding_standin(shard: &Shard, account: &Account) -> Units {
    let of_account = shard.duties.values().filter(|duty| duty.account == account.id);
    let advised = of_account.filter(|duty| matches!(duty.kind, DutyKind::Advise { .. }));
    Units(advised.fold(0, |sum, duty| sum.saturating_add(duty.units.0)))
}

fn refusal(reason: Reason, path: FundingPath) -> Answer {
    Answer::Authorization { reason, approval_code: None, part: None, balances: None, path }
}

const fn path_of(card: &Card) -> FundingPath {
    match card.funding {
        FundingMode::PreFunded => FundingPath::Cache,
        FundingMode::Jit => FundingPath::Jit,
    }
}

/// What the request costs in the card's currency.
fn price_on_card(
    card: &Card,
    request: &Authorization,
    context: Context<'_>,
    failures: &mut Vec<Failure>,
) -> Option<(Money, Option<Rate>)> {
    if let Some(money) = in_card_currency(card, request) {
        return Some((money, None));
    }
    let asset = Asset::of(card.currency);
    let (units, rate) = convert(request.class, request.amount, asset, context, failures)?;
    let Ok(minor) = i64::try_from(units.0) else {
        failures.push(Reason::AmountOutOfRange.into());
        return None;
    };
    Some((Money::new(minor, card.currency), rate))
}

/// Converts at a fresh rate, rounding up, and notes why that fails. An advice must be recorded whatever the
/// rates: it is converted at the newest, however old, and costs nothing where there is none.
fn convert(
    class: MessageClass,
    money: Money,
    to: Asset,
    context: Context<'_>,
    failures: &mut Vec<Failure>,
) -> Option<(Units, Option<Rate>)> {
    match context.rates.to_asset(money, to, Rounding::Up, context.now.utc) {
        Ok(converted) => return Some(converted),
        Err(error) => {
            let failure = Failure::from(reason_of(&error));
            if !failures.contains(&failure) {
                failures.push(failure);
            }
        }
    }
    if class.is_request() {
        return None;
    }
    let from = Asset::of(money.currency());
    let Some(rate) = context.rates.latest(from.code(), to.code()) else { return Some((Units::ZERO, None)) };
    let units = rate.convert(i128::from(money.minor()), from.decimals(), to.decimals(), Rounding::Up).ok()?;
    Some((Units(units), Some(*rate)))
}

/// The amount in the card's currency, where the merchant or the network has said it.
fn in_card_currency(card: &Card, request: &Authorization) -> Option<Money> {
    if request.amount.currency() == card.currency {
        return Some(request.amount);
    }
    // A processor that fills DE 6 with zeros has not converted anything.
    request.billing.filter(|billing| billing.currency() == card.currency && billing.minor() > 0)
}

const fn reason_of(error: &RateError) -> Reason {
    match error {
        RateError::Missing { .. } | RateError::Stale { .. } | RateError::NotPositive { .. } => {
            Reason::RateUnavailable
        }
        RateError::Overflow => Reason::AmountOutOfRange,
    }
}
