//! The end of an ask: exactly one transition out of `Asked`; whoever comes later compensates.
//!
//! An outcome that may have reserved money at the balance service, and is not used, becomes a durable duty to
//! cancel in the same batch of facts as the decline (E1, P6).

use crate::action::{Action, Answer, Effects, FundingPath};
use crate::clearings::Booked;
use crate::controls;
use crate::decide::Context;
use crate::duties::Order;
use crate::shard::Shard;
use crate::transaction::{Transaction, TransactionState};
use domain::{
    Amounts, ApprovalCode, Approver, Balances, CancelCause, DutyKind, Fact, Failure, FundingFailure,
    FundingOutcome, Merchant, Money, PartialApproval, Reason, Text, TransactionNo, Units,
};

/// How an ask ends without money.
#[derive(Clone, Copy)]
pub(crate) struct End {
    reason: Reason,
    /// The balance service's own code, where it gave one.
    code: Text<24>,
    /// Why it is told to give back what it may have reserved, where it may have.
    cancel: Option<CancelCause>,
    /// Why the switch did not stand in, where the program would.
    refused: Option<Reason>,
}

impl End {
    /// For `reason`, and nothing is to be given back.
    const fn of(reason: Reason) -> Self {
        Self { reason, code: Text::EMPTY, cancel: None, refused: None }
    }

    /// The same, and the switch would have stood in but for `reason`.
    pub(crate) const fn refused(self, reason: Reason) -> Self {
        Self { refused: Some(reason), ..self }
    }

    /// What is to be given back, and why.
    const fn cancelled(self, cause: CancelCause) -> Self {
        Self { cancel: Some(cause), ..self }
    }
}

impl Shard {
    /// The balance service answered, or will not.
    pub(crate) fn ask_ended(
        &self,
        number: TransactionNo,
        outcome: FundingOutcome,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let asked = self.store.find(number).filter(|found| found.state == TransactionState::Asked);
        // Whatever ended the ask before has already ordered the cancel.
        let Some(transaction) = asked else { return };
        match outcome {
            FundingOutcome::Approved { units } => self.funds_came(transaction, units, context, effects),
            FundingOutcome::Declined { code } => {
                let end = End { code, ..End::of(reason_of_decline(code)) };
                self.end(transaction, end, context, &mut 0, effects);
            }
            FundingOutcome::NotAsked(failure) => {
                self.ask_failed(transaction, failure, End::of(reason_of(failure)), context, effects);
            }
            FundingOutcome::Unknown(failure) => {
                let end = End::of(reason_of(failure)).cancelled(CancelCause::OutcomeUnknown);
                self.ask_failed(transaction, failure, end, context, effects);
            }
        }
    }

    /// Ends an ask for `reason` without knowing its outcome. `given` numbers are used by this decision already.
    pub(crate) fn abandon_ask(
        &self,
        number: TransactionNo,
        reason: Reason,
        context: Context<'_>,
        given: &mut u64,
        effects: &mut Effects,
    ) {
        if let Some(transaction) = self.store.find(number) {
            let end = End::of(reason).cancelled(CancelCause::OutcomeUnknown);
            self.end(transaction, end, context, given, effects);
        }
    }

    fn funds_came(
        &self,
        transaction: &Transaction,
        units: Units,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let number = transaction.number;
        let Some(asked) = transaction.held() else { return };
        if let Some(reason) = self.why_unusable(transaction, asked, units, context) {
            let end = End::of(reason).cancelled(CancelCause::Unused);
            self.end(transaction, end, context, &mut 0, effects);
            return;
        }
        let (amounts, part) = match transaction.amount {
            Some(amount) if units < asked.units => (part_of(asked, units), Some(share(amount, asked, units))),
            Some(_) | None => (asked, None),
        };
        let reason = if part.is_some() { Reason::ApprovedPartially } else { Reason::Approved };
        let by = Approver::BalanceService;
        let told = self.told_with(transaction, amounts, context);
        effects.fact(Fact::AskApproved { transaction: number, amounts, part, reason, by, told });
        let mut given = 0;
        self.after_funding(transaction, amounts, &mut given, context, effects);
        self.undo_deferred(transaction, amounts, part, &mut given, context, effects);
        let approval_code = Some(ApprovalCode::of(self.transaction_id(number)));
        let answer = Answer::Authorization {
            reason,
            approval_code,
            part,
            balances: told,
            limit: None,
            path: FundingPath::Jit,
        };
        effects.action(Action::AnswerWaiting { transaction: number, answer });
    }

    /// What the service is told of an approval that stands: that it is confirmed, or booked at once.
    fn after_funding(
        &self,
        transaction: &Transaction,
        amounts: Amounts,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let account = self.card(transaction.card).and_then(|card| self.account(card.account));
        let Ok(account) = account else { return };
        let number = transaction.number;
        if transaction.class.is_financial() {
            let booked = Booked { transaction: number, card_no: transaction.card, amounts };
            self.book_at_once(booked, account, &Merchant::default(), given, context, effects);
        } else if self.policy.life.confirm {
            let order = Order { transaction: number, account, kind: DutyKind::Confirm, units: amounts.units };
            self.order(order, given, context, effects);
        }
    }

    /// The balances that the answer to an ask carries.
    pub(crate) fn told_with(
        &self,
        transaction: &Transaction,
        amounts: Amounts,
        context: Context<'_>,
    ) -> Option<Balances> {
        let card = self.card(transaction.card).ok().filter(|_| transaction.balances_wanted)?;
        let account = self.account(card.account).ok()?;
        // The balance that came with the answer to this very ask has it taken off.
        let counted = account.word().is_some_and(|word| word.by == Some(transaction.number));
        let taken = if counted { Units::ZERO } else { amounts.units };
        let booked = if transaction.class.is_financial() { taken } else { Units::ZERO };
        let currency = transaction.amount.map_or(card.currency, Money::currency);
        let margins =
            self.policy.pricing.margins_for(currency, transaction.mcc, card.currency, account.asset);
        self.balances((card, account), taken, booked, margins, context)
    }

    /// Why funds that came cannot be used, if so. The card may have been frozen meanwhile (E34), the answer
    /// may be due already, and a part is no use to a terminal that cannot take one, or below the least that the program
    /// approves (E7).
    fn why_unusable(
        &self,
        transaction: &Transaction,
        asked: Amounts,
        units: Units,
        context: Context<'_>,
    ) -> Option<Reason> {
        let card = self.card(transaction.card).ok()?;
        let account = self.account(card.account).ok()?;
        if let Some(reason) = controls::state_failure(card.status) {
            return Some(reason);
        }
        if !units.is_positive() || units > asked.units {
            return Some(Reason::FundingMalformed);
        }
        if self.asked.get(&transaction.number).is_some_and(|open| context.now.mono >= open.deadline) {
            return Some(Reason::FundingTimedOut);
        }
        if account.balance().credit(units).and_then(|balance| balance.place(units)).is_err() {
            return Some(Reason::AmountOutOfRange);
        }
        let in_merchants_currency =
            transaction.amount.map_or(0, |amount| share(amount, asked, units).minor());
        let least = self.policy.life.partial_minor_min.max(1);
        let too_little = part_of(asked, units).card.minor() < least || in_merchants_currency <= 0;
        let partial = units < asked.units;
        let cannot = transaction.partial == PartialApproval::NotSupported || too_little;
        (partial && cannot).then_some(Reason::InsufficientFunds)
    }

    /// Ends an ask without money.
    pub(crate) fn end(
        &self,
        transaction: &Transaction,
        end: End,
        context: Context<'_>,
        given: &mut u64,
        effects: &mut Effects,
    ) {
        let number = transaction.number;
        let End { reason, code, cancel, refused } = end;
        let failures = std::iter::once(reason).chain(refused).map(Failure::from).collect();
        effects.fact(Fact::AskDeclined { transaction: number, failures, code });
        if let Some(cause) = cancel {
            self.owe_cancel(transaction, cause, given, context, effects);
        }
        let (approval_code, part, balances, limit) = (None, None, None, None);
        let answer =
            Answer::Authorization { reason, approval_code, part, balances, limit, path: FundingPath::Jit };
        effects.action(Action::AnswerWaiting { transaction: number, answer });
    }

    /// Makes giving back what the balance service holds for a transaction a durable duty.
    pub(crate) fn owe_cancel(
        &self,
        transaction: &Transaction,
        cause: CancelCause,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let account = self.card(transaction.card).and_then(|card| self.account(card.account));
        let (Ok(account), Some(held)) = (account, transaction.held()) else { return };
        let kind = DutyKind::Cancel(cause);
        self.order(
            Order { transaction: transaction.number, account, kind, units: held.units },
            given,
            context,
            effects,
        );
    }
}

/// What a part of the units covers on the card side: rounded down, so a part never buys more than it paid.
fn part_of(asked: Amounts, units: Units) -> Amounts {
    Amounts { card: share(asked.card, asked, units), units }
}

fn share(money: Money, asked: Amounts, units: Units) -> Money {
    let minor = i128::from(money.minor())
        .checked_mul(units.0)
        .and_then(|product| product.checked_div(asked.units.0))
        .and_then(|minor| i64::try_from(minor).ok());
    Money::new(minor.unwrap_or(0), money.currency())
}

/// Why the balance service declined: two reasons of its contract's list have a response code of their own. All others,
/// and its own codes, are its no; the code is kept beside it.
fn reason_of_decline(code: Text<24>) -> Reason {
    match code.as_str() {
        "limit_exceeded" => Reason::AmountLimit,
        "not_permitted" => Reason::TransactionTypeNotAllowed,
        _ => Reason::FundingDeclined,
    }
}

const fn reason_of(failure: FundingFailure) -> Reason {
    match failure {
        FundingFailure::TimedOut => Reason::FundingTimedOut,
        FundingFailure::Refused
        | FundingFailure::Reset
        | FundingFailure::HttpError
        | FundingFailure::Interrupted
        | FundingFailure::BreakerOpen => Reason::FundingUnavailable,
        FundingFailure::Malformed => Reason::FundingMalformed,
        FundingFailure::Overloaded => Reason::FundingOverloaded,
        FundingFailure::StaleRate => Reason::RateUnavailable,
    }
}
