//! Stands in for a balance service that does not answer: from the last balance that it told, within limits of its own
//! (E8), and tells it afterwards (E9).
//!
//! What the service is not told yet counts three times: for the card (24 hours), for the account (what is open and
//! not acknowledged), and for the program as a whole. The last of these is shared by all shards; whoever owns the
//! shards reserves a part of it before the decision and says in [`Standing`](crate::Standing) how much, so that no two lanes can take
//! the same money, and the decision stays a function of what it is given.

use crate::action::{Action, Answer, Effects, FundingPath};
use crate::asks::End;
use crate::clearings::Booked;
use crate::command::Command;
use crate::controls;
use crate::decide::Context;
use crate::originals::SEARCH_MAX;
use crate::shard::{Account, Card, Shard};
use crate::stand_in_rules::{Exposure, ExposureSlot, StandInProgram, amount_for};
use crate::transaction::{Transaction, TransactionState};
use domain::{
    Amounts, ApprovalCode, Approver, Asset, Balances, CardNo, Fact, FundingFailure, FundingMode,
    FundingOutcome, Mcc, Merchant, Reason, StandInMode, StandInOrders, Timestamp, TransactionNo,
    TransactionType, Units,
};
use std::time::Duration;

/// How far back the limits of a card look.
const CARD_WINDOW: Duration = Duration::from_secs(24 * 3_600);

/// How much of a program's exposure a command may need.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Exposes {
    /// Of which program and asset.
    pub slot: ExposureSlot,
    /// At most so much.
    pub wanted: Units,
    /// The bound of the program.
    pub max: Units,
}

impl Exposes {
    /// How much of it can be had where `used` is open already.
    #[must_use]
    pub fn granted(&self, used: Units) -> Units {
        Units(self.max.0.saturating_sub(used.0).clamp(0, self.wanted.0.max(0)))
    }
}

/// A payment that the switch may approve by itself.
#[derive(Clone, Copy)]
pub(crate) struct Payment<'a> {
    pub(crate) number: TransactionNo,
    pub(crate) card_no: CardNo,
    pub(crate) card: &'a Card,
    pub(crate) account: &'a Account,
    pub(crate) kind: TransactionType,
    pub(crate) mcc: Option<Mcc>,
    pub(crate) amounts: Amounts,
}

/// Whether the switch stands in.
pub(crate) enum Verdict {
    /// The program does not do so here.
    NotServed,
    /// It would, but for this.
    Refused(Reason),
    /// It does.
    Approved,
}

impl Shard {
    /// How much of a program's exposure `command` may need; nothing for most.
    #[must_use]
    pub fn exposes(&self, command: &Command, orders: &StandInOrders) -> Option<Exposes> {
        if self.policy.stand_in.programs().is_empty() {
            return None;
        }
        match command {
            Command::AskEnded { transaction, outcome } => {
                let failure = failure_of(*outcome)?;
                let asked =
                    self.store.find(*transaction).filter(|row| row.state == TransactionState::Asked)?;
                let account = self.account(self.card(asked.card).ok()?.account).ok()?;
                self.program_for(account, failure, orders)?;
                let (slot, max) = self.policy.stand_in.slot_of(&self.account_id(account), &account.asset)?;
                Some(Exposes { slot, wanted: asked.held()?.units, max })
            }
            Command::Authorize { card, .. } => {
                let card = self.card(*card).ok().filter(|card| card.funding == FundingMode::Jit)?;
                let account = self.account(card.account).ok()?;
                let program = self.by_order(account, orders)?;
                let (slot, max) = self.policy.stand_in.slot_of(&self.account_id(account), &account.asset)?;
                Some(Exposes { slot, wanted: Units(amount_for(&program.account_max, &account.asset)?), max })
            }
            Command::Reverse { .. }
            | Command::ServiceTold { .. }
            | Command::NoteDecline { .. }
            | Command::AnswerLost { .. }
            | Command::DutyAcknowledged { .. }
            | Command::Change { .. }
            | Command::Inquire { .. }
            | Command::Tick
            | Command::Resume => None,
        }
    }

    /// The room that `command` finds where no other shard shares the bounds.
    #[must_use]
    pub fn room_alone(&self, command: &Command, orders: &StandInOrders) -> Units {
        let exposes = self.exposes(command, orders);
        let used =
            |slot: ExposureSlot| self.exposed.get(slot.0).map_or(Units::ZERO, |exposure| exposure.open);
        exposes.map_or(Units::ZERO, |exposes| exposes.granted(used(exposes.slot)))
    }

    /// What each program has open here that its service has not acknowledged, by place; empty where nothing is bounded.
    #[must_use]
    pub fn exposed(&self) -> &[Exposure] {
        &self.exposed
    }

    /// The program of `account`, where an operator has ordered that its service is not asked.
    pub(crate) fn by_order(&self, account: &Account, orders: &StandInOrders) -> Option<&StandInProgram> {
        let program = self.policy.stand_in.program_of(&self.account_id(account))?;
        (orders.mode(program.name, program.mode) == StandInMode::Manual).then_some(program)
    }

    /// The program of `account`, where it stands in after this failure.
    fn program_for(
        &self,
        account: &Account,
        failure: FundingFailure,
        orders: &StandInOrders,
    ) -> Option<&StandInProgram> {
        let program = self.policy.stand_in.program_of(&self.account_id(account))?;
        let stands_in = match orders.mode(program.name, program.mode) {
            StandInMode::Off => false,
            StandInMode::Automatic | StandInMode::Manual => program.outcomes.contains(&failure),
        };
        stands_in.then_some(program)
    }

    /// Whether the switch stands in for an ask that failed.
    pub(crate) fn stand_in_after(
        &self,
        asked: &Transaction,
        failure: FundingFailure,
        context: Context<'_>,
    ) -> Verdict {
        // Whoever waited was answered, or is about to be: a yes would reach nobody.
        let due = self.asked.get(&asked.number).is_none_or(|open| context.now.mono >= open.deadline);
        let card = self.card(asked.card).ok();
        let account = card.and_then(|card| self.account(card.account).ok());
        let (Some(card), Some(account), Some(amounts), false) = (card, account, asked.held(), due) else {
            return Verdict::NotServed;
        };
        let Some(program) = self.program_for(account, failure, context.stand_in.orders) else {
            return Verdict::NotServed;
        };
        let payment = Payment {
            number: asked.number,
            card_no: asked.card,
            card,
            account,
            kind: asked.kind,
            mcc: asked.mcc,
            amounts,
        };
        self.why_not(payment, program, context).map_or(Verdict::Approved, Verdict::Refused)
    }

    /// Why a payment is not stood in for, if so.
    pub(crate) fn why_not(
        &self,
        payment: Payment<'_>,
        program: &StandInProgram,
        context: Context<'_>,
    ) -> Option<Reason> {
        let Payment { card, account, amounts, .. } = payment;
        if let Some(reason) = controls::state_failure(card.status) {
            return Some(reason);
        }
        let first = !program.first_use && !self.was_used(payment.card_no, payment.number, context.now.utc);
        if first || program.bars(payment.kind, payment.mcc) {
            return Some(Reason::StandInBarred);
        }
        let word = account.word();
        let told = word.and_then(|word| word.told);
        if told.is_none_or(|told| context.now.utc.since(told.at) > program.balance_age_max) {
            return Some(Reason::StandInBalanceUnknown);
        }
        if !self.within_limits(payment, program, context.now.utc) {
            return Some(Reason::StandInLimit);
        }
        let in_flight = self.asked_of(account, payment.number);
        let available = word.and_then(|word| word.available()?.minus(in_flight));
        if available.is_none_or(|available| !covers(available, amounts.units, program.buffer_percent)) {
            return Some(Reason::StandInFunds);
        }
        let held = account.balance().credit(amounts.units).and_then(|balance| balance.place(amounts.units));
        if held.is_err() {
            return Some(Reason::AmountOutOfRange);
        }
        (amounts.units > context.stand_in.headroom).then_some(Reason::StandInExposure)
    }

    /// The limits of one transaction, of the card in 24 hours, and of what the account has open.
    fn within_limits(&self, payment: Payment<'_>, program: &StandInProgram, now: Timestamp) -> bool {
        let currency = Asset::of(payment.card.currency);
        let amount = i128::from(payment.amounts.card.minor());
        let (used, count) = self.stood_in_of_card(payment.card_no, payment.number, now);
        let fits = |max: Option<i128>, sum: i128| max.is_some_and(|max| sum <= max);
        let open = payment.account.outstanding().0.saturating_add(payment.amounts.units.0);
        fits(amount_for(&program.transaction_max, &currency), amount)
            && fits(amount_for(&program.card_max, &currency), used.saturating_add(amount))
            && count < program.card_count_max
            && fits(amount_for(&program.account_max, &payment.account.asset), open)
    }

    /// What was stood in for on a card in the last 24 hours and stands still: how much, how often.
    fn stood_in_of_card(&self, card: CardNo, but: TransactionNo, now: Timestamp) -> (i128, u32) {
        let recent = self.store.of_card(card).take(SEARCH_MAX);
        let stood_in = recent.filter(|row| {
            let stands = matches!(row.state, TransactionState::Approved | TransactionState::Cleared);
            let lately = now.since(row.at) < CARD_WINDOW;
            row.by == Approver::StandIn && stands && lately && row.number != but
        });
        stood_in.fold((0, 0), |(sum, count): (i128, u32), row| {
            let held = row.held().map_or(0, |held| held.card.minor());
            let taken = row.more.as_ref().map_or(0, |more| more.taken.card.minor());
            (sum.saturating_add(held.into()).saturating_add(taken.into()), count.saturating_add(1))
        })
    }

    /// Whether the card has paid before, as far as anybody remembers: what is forgotten by now may be in memory by chance.
    fn was_used(&self, card: CardNo, but: TransactionNo, now: Timestamp) -> bool {
        let mut recent = self.store.of_card(card).take(SEARCH_MAX);
        let paid = |row: &Transaction| row.kind.is_debit() && row.reason.is_some_and(Reason::is_approval);
        recent.any(|row| row.number != but && paid(row) && self.is_kept(row, now))
    }

    /// What the service is deciding for an account beside `but`: it may have promised that already.
    fn asked_of(&self, account: &Account, but: TransactionNo) -> Units {
        let rows = self.asked.keys().filter(|number| **number != but);
        let rows = rows.filter_map(|number| self.store.find(*number));
        let of_account = rows.filter(|row| {
            let card = self.card(row.card).ok();
            card.and_then(|card| self.account(card.account).ok())
                .is_some_and(|found| found.name == account.name)
        });
        let units = of_account.filter_map(Transaction::held).map(|held| held.units.0);
        Units(units.fold(0, i128::saturating_add))
    }

    /// Approves an ask in the service's place, and makes telling it a duty.
    pub(crate) fn stand_in(
        &self,
        asked: &Transaction,
        merchant: Merchant,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let account = self.card(asked.card).and_then(|card| self.account(card.account));
        let (Ok(account), Some(amounts)) = (account, asked.held()) else { return };
        let told = self.told_with(asked, amounts, context);
        let promise = Promise {
            transaction: asked.number,
            card_no: asked.card,
            account,
            amounts,
            books: asked.class.is_financial(),
            merchant,
            told,
        };
        let answer = self.promise(promise, given, context, effects);
        self.undo_deferred(asked, amounts, None, given, context, effects);
        effects.action(Action::AnswerWaiting { transaction: asked.number, answer });
    }

    /// Records an approval in the service's place with what follows from it. What is answered.
    pub(crate) fn promise(
        &self,
        promise: Promise<'_>,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Answer {
        let Promise { transaction, card_no, account, amounts, books, merchant, told } = promise;
        let (part, reason, by) = (None, Reason::Approved, Approver::StandIn);
        effects.fact(Fact::AskApproved { transaction, amounts, part, reason, by, told });
        self.advise_of(transaction, account, merchant.name, amounts.units, given, context, effects);
        if books {
            let booked = Booked { transaction, card_no, amounts };
            self.book_at_once(booked, account, &merchant, given, context, effects);
        }
        let approval_code = Some(ApprovalCode::of(self.transaction_id(transaction)));
        let (balances, limit, path) = (told, None, FundingPath::Jit);
        Answer::Authorization { reason, approval_code, part, balances, limit, path }
    }

    /// An ask failed: the switch stands in where the program says so, or declines.
    pub(crate) fn ask_failed(
        &self,
        asked: &Transaction,
        failure: FundingFailure,
        end: End,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        match self.stand_in_after(asked, failure, context) {
            Verdict::Approved => {
                let name = self.asked.get(&asked.number).map(|open| open.merchant).unwrap_or_default();
                let merchant = Merchant { name, ..Merchant::default() };
                self.stand_in(asked, merchant, &mut 0, context, effects);
            }
            Verdict::Refused(reason) => {
                self.end(asked, end.refused(reason), context, &mut 0, effects);
            }
            Verdict::NotServed => self.end(asked, end, context, &mut 0, effects),
        }
    }
}

/// An approval in the service's place.
pub(crate) struct Promise<'a> {
    pub(crate) transaction: TransactionNo,
    pub(crate) card_no: CardNo,
    pub(crate) account: &'a Account,
    pub(crate) amounts: Amounts,
    /// Whether the message approves and books at once.
    pub(crate) books: bool,
    pub(crate) merchant: Merchant,
    pub(crate) told: Option<Balances>,
}

const fn failure_of(outcome: FundingOutcome) -> Option<FundingFailure> {
    match outcome {
        FundingOutcome::NotAsked(failure) | FundingOutcome::Unknown(failure) => Some(failure),
        FundingOutcome::Approved { .. } | FundingOutcome::Declined { .. } => None,
    }
}

/// Whether so much is there, and `percent` hundredths on top.
fn covers(available: Units, units: Units, percent: u32) -> bool {
    let (have, need) = (available.0.checked_mul(100), units.0.checked_mul(100 + i128::from(percent)));
    matches!((have, need), (Some(have), Some(need)) if have >= need)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_must_be_there_to_the_last_unit() {
        assert!(covers(Units(110), Units(100), 10));
        assert!(!covers(Units(109), Units(100), 10));
        assert!(covers(Units(100), Units(100), 0));
        assert!(!covers(Units(i128::MAX), Units(i128::MAX), 10), "what cannot be computed is not covered");
    }
}
