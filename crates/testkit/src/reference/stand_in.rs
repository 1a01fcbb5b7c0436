//! Standing in for a balance service that does not answer, or that an operator has ordered not to be asked (E8, E9).

use super::pricing::Terms;
use super::requests::Incoming;
use super::uses::Counting;
use super::{Model, Outcome, Transaction};
use authorizer::{StandInProgram, TransactionState};
use domain::{
    Amounts, Approver, Asset, CardStatus, DutyKind, Failure, FundingFailure, Moment, Reason, RuleAmount,
    StandInMode, Timestamp, Units,
};
use std::time::Duration;

/// How far back the limits of a card look.
const CARD_WINDOW: Duration = Duration::from_secs(24 * 3_600);

impl Model {
    /// The program of an account: of those whose prefix fits, the one with the longest.
    fn program_of(&self, account: u32) -> Option<&StandInProgram> {
        let name = self.account(account).id;
        let programs = self.policy.stand_in.programs().iter();
        let fitting = programs.filter(|program| name.as_str().starts_with(program.account_prefix.as_str()));
        fitting.max_by_key(|program| program.account_prefix.len())
    }

    /// What is in force for a program: what was ordered last, unless the order was withdrawn.
    fn mode(&self, program: &StandInProgram) -> StandInMode {
        let ordered = self.orders.iter().rev().find(|order| order.program == program.name);
        ordered.and_then(|order| order.mode).unwrap_or(program.mode)
    }

    /// Whether an operator has ordered that the service of a card's account is not asked.
    pub(super) fn is_not_asked(&self, card: u32) -> bool {
        let program = self.program_of(self.account_of(card));
        program.is_some_and(|program| self.mode(program) == StandInMode::Manual)
    }

    /// Whether the switch would stand in for an ask that failed so, and then why it does not, if so. Where the answer is
    /// due already, a yes would reach nobody.
    pub(super) fn stands_in_after(
        &self,
        index: usize,
        failure: FundingFailure,
        now: Moment,
    ) -> Option<Result<(), Reason>> {
        let found = &self.transactions[index];
        let program = self.program_of(self.account_of(found.card))?;
        let serves = self.mode(program) != StandInMode::Off && program.outcomes.contains(&failure);
        let in_time = now.mono < found.request().deadline;
        (serves && in_time).then(|| {
            let amounts = found.held.expect("what is asked is reserved");
            self.why_not(found, amounts, now).map_or(Ok(()), Err)
        })
    }

    /// The first of the conditions that a payment does not fulfil.
    fn why_not(&self, payment: &Transaction, amounts: Amounts, now: Moment) -> Option<Reason> {
        let (card, request) = (payment.card, payment.request());
        let account = self.account_of(card);
        let program = self.program_of(account)?;
        let (asset, currency) = (self.asset_of(account), Asset::of(self.currency_of(card)));
        let others = || self.transactions.iter().filter(|found| found.number != payment.number);
        let was_used = others().any(|found| {
            let paid = |asked: &domain::Authorization| asked.transaction_type().is_debit();
            let approved = found.is_approved() && found.asked().is_some_and(paid);
            found.card == card && approved && self.is_kept(found, now.utc)
        });
        let barred = program.blocked_types.contains(&request.transaction_type())
            || request
                .merchant
                .mcc
                .is_none_or(|mcc| program.blocked_mcc.iter().any(|range| range.contains(mcc)));
        let told = self.told_of(account);
        let fresh = told.is_some_and(|told| now.utc.since(told.at) <= program.balance_age_max);
        let today = self.stood_in_today(card, payment.number, now.utc);
        let minor = i128::from(amounts.card.minor());
        let deciding = self.asked_of(account, payment.number).0;
        let available = self.available_at_service(account).map(|available| available.0 - deciding);
        let wanted = amounts.units.0 * (100 + i128::from(program.buffer_percent));
        let of_program = (0..self.accounts()).filter(|other| {
            let same = self.program_of(*other).is_some_and(|other| other.name == program.name);
            same && self.asset_of(*other) == asset
        });
        let exposed: i128 = of_program.map(|account| self.outstanding(account).0).sum();
        let conditions = [
            (program.first_use || was_used, Reason::StandInBarred),
            (!barred, Reason::StandInBarred),
            (fresh, Reason::StandInBalanceUnknown),
            (fits(&program.transaction_max, currency, minor), Reason::StandInLimit),
            (fits(&program.card_max, currency, today.0 + minor), Reason::StandInLimit),
            (today.1 < program.card_count_max as usize, Reason::StandInLimit),
            (
                fits(&program.account_max, asset, self.outstanding(account).0 + amounts.units.0),
                Reason::StandInLimit,
            ),
            (available.is_some_and(|available| available * 100 >= wanted), Reason::StandInFunds),
            (fits(&program.exposure_max, asset, exposed + amounts.units.0), Reason::StandInExposure),
        ];
        let unfulfilled = conditions.iter().find(|(fulfilled, _)| !fulfilled);
        unusable(self.status(card)).or_else(|| unfulfilled.map(|(_, reason)| *reason))
    }

    /// What the service is deciding of an account, but for one: it may have promised that already.
    #[must_use]
    pub fn asked_of(&self, account: u32, but: u64) -> Units {
        let asked = self.transactions.iter().filter(|found| found.state == TransactionState::Asked);
        let others = asked.filter(|found| found.number != but && self.account_of(found.card) == account);
        Units(others.filter_map(|found| found.held).map(|held| held.units.0).sum())
    }

    /// What was stood in for on a card in the last 24 hours and stands still: how much, how often.
    fn stood_in_today(&self, card: u32, but: u64, now: Timestamp) -> (i128, usize) {
        let stands = |found: &Transaction| {
            matches!(found.state, TransactionState::Approved | TransactionState::Cleared)
                && found.by == Approver::StandIn
                && found.card == card
                && found.number != but
                && now.since(found.at) < CARD_WINDOW
        };
        let all: Vec<usize> =
            (0..self.transactions.len()).filter(|index| stands(&self.transactions[*index])).collect();
        (all.iter().map(|index| i128::from(self.promised(*index).card.minor())).sum(), all.len())
    }

    /// Approves an ask in the service's place, in full, and owes it an advice.
    pub(super) fn stand_in(&mut self, index: usize, now: Moment, out: &mut Outcome) {
        let found = &self.transactions[index];
        let (number, card, request) = (found.number, found.card, *found.request());
        let held = found.held.expect("what is asked is reserved");
        self.transactions[index].told = self.told_of_ask(index, held.units, now);
        self.ask_approved(index, held, None, Approver::StandIn);
        let kind = DutyKind::Advise { merchant: request.merchant.name };
        self.owe(kind, number, card, held.units, now, out);
        if request.class.is_financial() {
            self.book_at_once(index, &request.merchant, now, out);
        }
        self.undo_what_was_to_come(index, now, out);
        self.answer_waiting(index, out);
    }

    /// The service is not asked: the switch approves in its place or declines, at once.
    pub(super) fn decide_in_its_place(
        &mut self,
        incoming: Incoming,
        terms: Terms,
        flags: Vec<Failure>,
        of: Option<u64>,
        out: &mut Outcome,
    ) {
        let Incoming { card, caller, now, .. } = incoming;
        let new = self.reservation(incoming, terms, flags, of);
        if let Some(reason) = self.why_not(&new, terms.amounts, now) {
            let mut failures = vec![Reason::FundingUnavailable.into(), reason.into()];
            failures.extend(new.failures.iter().copied());
            let declined = Transaction {
                state: TransactionState::Declined,
                reason: Some(Reason::FundingUnavailable),
                failures,
                held: None,
                rate: None,
                price: None,
                of: None,
                expires_at: Timestamp::MAX,
                waiting: Vec::new(),
                ..new
            };
            self.enter(&declined, self.nothing(card), Counting::Attempt);
            return self.answer_with(declined, caller, out);
        }
        self.reserve(new);
        self.stand_in(self.transactions.len() - 1, now, out);
    }
}

/// Why a card in this state takes no money that comes now, if so.
pub(super) const fn unusable(status: CardStatus) -> Option<Reason> {
    match status {
        CardStatus::Closed => Some(Reason::CardClosed),
        CardStatus::Frozen => Some(Reason::CardFrozen),
        CardStatus::NotYetActive => Some(Reason::CardNotYetActive),
        CardStatus::Active => None,
    }
}

/// Whether a sum is within what a list allows; an asset that it does not name is not allowed at all.
fn fits(bounds: &[RuleAmount], asset: Asset, sum: i128) -> bool {
    let bound = bounds.iter().find(|bound| bound.code == asset.code());
    bound.and_then(|bound| bound.units_of(&asset)).is_some_and(|max| sum <= max)
}
