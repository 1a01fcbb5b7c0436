//! An authorization request or advice, from its references to its answer.
//!
//! The documented order of steps is: repeats; card state; security; transaction type; country, currency,
//! MCC, merchant; limits per transaction; limits per period; funds. All are evaluated, the first in that order
//! decides. A request that passes is held (pre-funded) or asked for (JIT); an advice is always held, and
//! what it broke is flagged (E10, E40).

use crate::action::{Action, Answer, Effects, FundingPath};
use crate::command::Caller;
use crate::controls;
use crate::decide::Context;
use crate::repeats::Known;
use crate::shard::{Account, Card, Shard};
use domain::{
    Amounts, ApprovalCode, Ask, Asset, Authorization, CardNo, CardToken, Duty, DutyKind, Fact, Failure,
    FundingMode, HoldTerms, LimitOwner, MessageClass, Money, Rate, RateError, Reason, Rounding,
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
        let known = match self.known(card_no, &request, context.now.utc) {
            Known::Answered(transaction) => {
                effects.answer(caller, self.first_answer(transaction));
                return;
            }
            Known::BeingDecided(transaction) if request.class == MessageClass::AuthorizationRequest => {
                effects.action(Action::Wait { transaction, caller });
                return;
            }
            Known::OtherAmount => Some(Reason::DuplicateWithOtherAmount),
            Known::ReversedFirst => Some(Reason::PreviouslyReversed),
            Known::New | Known::BeingDecided(_) => None,
        };
        let mut failures: Vec<Failure> = known.map(Failure::from).into_iter().collect();
        let hold = self.evaluate(card, account, &request, context, &mut failures);
        failures.sort_by_key(|failure| failure.reason);
        let question = Question { number: self.next_number(context, 0), card_no, request, caller };
        match (request.class, hold) {
            (MessageClass::AuthorizationAdvice, Some(hold)) if known.is_none() => {
                self.take_advice(card, account, question, hold, failures, context, effects);
            }
            (MessageClass::AuthorizationRequest, Some(hold)) if failures.is_empty() => match card.funding {
                FundingMode::PreFunded => self.approve_from_cache(question, hold, effects),
                FundingMode::Jit => ask_for_funds(self, card, account, question, hold, context, effects),
            },
            _ => decline(card, question, failures, effects),
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
        if context.now.mono >= request.deadline && request.class == MessageClass::AuthorizationRequest {
            failures.push(Reason::DeadlinePassed.into());
        }
        if card.open_holds >= self.policy.open_holds_per_card_max {
            failures.push(Reason::TooManyHolds.into());
        }
        let (amounts, rate) = match price(card, account, request, context) {
            Ok(priced) => priced,
            Err(reason) => {
                failures.push(reason.into());
                latest_price(card, account, request, context)?
            }
        };
        let minor = i128::from(amounts.card.minor());
        card.limits.check(LimitOwner::Card, minor, &self.calendar, now, failures);
        account.limits.check(LimitOwner::Account, amounts.units.0, &self.calendar, now, failures);
        if card.funding == FundingMode::PreFunded && !account.balance.covers(amounts.units) {
            failures.push(Reason::InsufficientFunds.into());
        }
        let fits = account.balance.place(amounts.units).and_then(|held| held.credit(amounts.units)).is_ok();
        if !fits {
            failures.push(Reason::AmountOutOfRange.into());
            return None;
        }
        Some(HoldTerms { amounts, rate, expires_at: now.plus(self.policy.hold_for) })
    }

    fn approve_from_cache(&self, question: Question, hold: HoldTerms, effects: &mut Effects) {
        let Question { number, card_no, request, caller } = question;
        effects.fact(Fact::Approved {
            transaction: number,
            card: card_no,
            request,
            hold,
            reason: Reason::Approved,
            flags: Vec::new(),
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
            flags,
        });
        if card.funding == FundingMode::Jit {
            let duty = Duty {
                number: self.next_number(context, 1),
                transaction: number,
                account: account.id,
                kind: DutyKind::Advise { merchant: request.merchant.name },
                units: hold.amounts.units,
                asset: account.asset,
            };
            effects.fact(Fact::DutyOwed { duty });
            effects.action(Action::Owe(duty));
        }
        effects.answer(caller, self.approval(number, path_of(card)));
    }

    pub(crate) fn approval(&self, number: TransactionNo, path: FundingPath) -> Answer {
        let approval_code = Some(ApprovalCode::of(self.transaction_id(number)));
        Answer::Authorization { reason: Reason::Approved, approval_code, part: None, path }
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

fn ask_for_funds(
    shard: &Shard,
    card: &Card,
    account: &Account,
    question: Question,
    hold: HoldTerms,
    context: Context<'_>,
    effects: &mut Effects,
) {
    if shard.duties.len() >= shard.policy.duties_per_shard_max {
        // Whoever does not take our cancels must not be given more to cancel.
        decline(card, question, vec![Reason::FundingOverloaded.into()], effects);
        return;
    }
    let Question { number, card_no, request, caller } = question;
    effects.fact(Fact::Asked { transaction: number, card: card_no, request, hold });
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
    })));
}

fn refusal(reason: Reason, path: FundingPath) -> Answer {
    Answer::Authorization { reason, approval_code: None, part: None, path }
}

const fn path_of(card: &Card) -> FundingPath {
    match card.funding {
        FundingMode::PreFunded => FundingPath::Cache,
        FundingMode::Jit => FundingPath::Jit,
    }
}

/// What the request costs, in the card's currency and in the account's asset, at fresh rates.
fn price(
    card: &Card,
    account: &Account,
    request: &Authorization,
    context: Context<'_>,
) -> Result<(Amounts, Option<Rate>), Reason> {
    let now = context.now.utc;
    let (card_money, card_rate) = match in_card_currency(card, request) {
        Some(money) => (money, None),
        None => {
            let asset = Asset::of(card.currency);
            let converted = context.rates.to_asset(request.amount, asset, Rounding::Up, now);
            let (units, rate) = converted.map_err(|error| reason_of(&error))?;
            let minor = i64::try_from(units.0).map_err(|_| Reason::AmountOutOfRange)?;
            (Money::new(minor, card.currency), rate)
        }
    };
    let converted = context.rates.to_asset(card_money, account.asset, Rounding::Up, now);
    let (units, asset_rate) = converted.map_err(|error| reason_of(&error))?;
    Ok((Amounts { card: card_money, units }, asset_rate.or(card_rate)))
}

/// As [`price`], at the newest rates however old, and at no cost where there is none: an advice must be
/// recorded whatever the rates, and carries the failure as a flag.
fn latest_price(
    card: &Card,
    account: &Account,
    request: &Authorization,
    context: Context<'_>,
) -> Option<(Amounts, Option<Rate>)> {
    if request.class == MessageClass::AuthorizationRequest {
        return None;
    }
    let convert = |money: Money, to: Asset| -> Option<(i128, Option<Rate>)> {
        let from = Asset::of(money.currency());
        let minor = i128::from(money.minor());
        if from == to {
            return Some((minor, None));
        }
        let Some(rate) = context.rates.latest(from.code(), to.code()) else { return Some((0, None)) };
        Some((rate.convert(minor, from.decimals(), to.decimals(), Rounding::Up).ok()?, Some(*rate)))
    };
    let (card_money, card_rate) = match in_card_currency(card, request) {
        Some(money) => (money, None),
        None => {
            let (minor, rate) = convert(request.amount, Asset::of(card.currency))?;
            (Money::new(i64::try_from(minor).ok()?, card.currency), rate)
        }
    };
    let (units, asset_rate) = convert(card_money, account.asset)?;
    Some((Amounts { card: card_money, units: Units(units) }, asset_rate.or(card_rate)))
}

/// The amount in the card's currency, where the merchant or the network has said it.
fn in_card_currency(card: &Card, request: &Authorization) -> Option<Money> {
    if request.amount.currency() == card.currency {
        return Some(request.amount);
    }
    request.billing.filter(|billing| billing.currency() == card.currency)
}

const fn reason_of(error: &RateError) -> Reason {
    match error {
        RateError::Missing { .. } | RateError::Stale { .. } | RateError::NotPositive { .. } => {
            Reason::RateUnavailable
        }
        RateError::Overflow => Reason::AmountOutOfRange,
    }
}
