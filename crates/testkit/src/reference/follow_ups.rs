//! Reversals, the end of an ask, and what time brings about.

use super::{BookingKind, Message, Model, Outcome, Transaction};
use authorizer::{Answer, Caller, TransactionState};
use domain::{
    Amounts, CancelCause, CardNo, CardStatus, Duty, DutyKind, FundingFailure, FundingOutcome, Moment, Money,
    PartialApproval, Reason, Reversal, ReversalMatch, Timestamp, TransactionNo, Units,
};

/// What one tick may expire; the rest waits for the next.
const EXPIRED_PER_TICK: usize = 64;

impl Model {
    pub(super) fn reverse(
        &mut self,
        card: CardNo,
        reversal: Reversal,
        caller: Caller,
        now: Moment,
        out: &mut Outcome,
    ) {
        let matched = if !self.known_card(card, reversal.card) {
            ReversalMatch::UnknownCard
        } else if let Some(index) = self.original(card.0, &reversal, now.utc) {
            if self.transactions[index].state.is_open() {
                self.undo(
                    index,
                    TransactionState::Reversed,
                    DutyKind::Cancel(CancelCause::Reversed),
                    now,
                    out,
                );
                ReversalMatch::Matched
            } else {
                ReversalMatch::NothingLeft
            }
        } else {
            self.remember(card.0, reversal, now);
            ReversalMatch::Unmatched
        };
        out.answers.push((caller, Answer::Reversal(matched)));
    }

    /// The same retrieval reference first, then the same amount, then an open transaction. Among equals, with a
    /// transmission time the oldest, without it the newest.
    fn original(&self, card: u32, reversal: &Reversal, now: Timestamp) -> Option<usize> {
        let agrees = |found: &Transaction| {
            let acquirer = reversal.acquirer.is_none() || found.message.acquirer() == reversal.acquirer;
            let rrn = reversal.rrn.is_none()
                || found.message.rrn().is_none()
                || found.message.rrn() == reversal.rrn;
            let time = match reversal.transmission {
                Some(time) => found.message.transmission() == Some(time),
                None => rrn,
            };
            found.card == card && found.message.stan() == reversal.stan && acquirer && time
        };
        let mut candidates: Vec<usize> = (0..self.transactions.len())
            .filter(|index| agrees(&self.transactions[*index]))
            .filter(|index| self.is_remembered(&self.transactions[*index], now))
            .collect();
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
        let best = candidates.iter().map(|index| fit(*index)).max()?;
        candidates.into_iter().find(|index| fit(*index) == best)
    }

    fn remember(&mut self, card: u32, reversal: Reversal, now: Moment) {
        let tombstone = Transaction {
            number: self.next_number(now),
            at: now.utc,
            ended_at: now.utc,
            card,
            message: Message::Reversal(reversal),
            state: TransactionState::ReversedFirst,
            reason: None,
            failures: Vec::new(),
            charged: None,
            owed: None,
            part: None,
            told: None,
            rate: None,
            expires_at: Timestamp::MAX,
            waiting: Vec::new(),
        };
        self.transactions.push(tombstone);
    }

    /// Ends an open transaction without a purchase: nothing is held any more, and the service is told.
    fn undo(
        &mut self,
        index: usize,
        state: TransactionState,
        duty: DutyKind,
        now: Moment,
        out: &mut Outcome,
    ) {
        let found = &mut self.transactions[index];
        let owed = found.owed.take().expect("what is open owes something");
        let (number, card, was) = (found.number, found.card, found.state);
        (found.state, found.ended_at) = (state, now.utc);
        if was == TransactionState::Asked {
            found.reason = Some(Reason::ReversedInFlight);
        } else if self.is_jit(card) {
            self.book(card, BookingKind::Returned, owed.units);
        }
        if self.is_jit(card) {
            self.owe(duty, number, card, owed.units, now, out);
        }
        self.answer_waiting(index, out);
    }

    pub(super) fn ask_ended(
        &mut self,
        number: TransactionNo,
        ended: FundingOutcome,
        now: Moment,
        out: &mut Outcome,
    ) {
        let is_asked =
            |found: &Transaction| found.number == number.0 && found.state == TransactionState::Asked;
        let Some(index) = self.transactions.iter().position(is_asked) else { return };
        match ended {
            FundingOutcome::Approved { units } => self.funds_came(index, units, now, out),
            FundingOutcome::Declined { code: _ } => {
                self.end_ask(index, Reason::FundingDeclined, None, now, out);
            }
            FundingOutcome::NotAsked(failure) => self.end_ask(index, reason_of(failure), None, now, out),
            FundingOutcome::Unknown(failure) => {
                self.end_ask(index, reason_of(failure), Some(CancelCause::OutcomeUnknown), now, out);
            }
        }
    }

    fn funds_came(&mut self, index: usize, units: Units, now: Moment, out: &mut Outcome) {
        let found = &self.transactions[index];
        let Message::Asked(request) = found.message else { return };
        let (card, asked) = (found.card, found.owed.expect("what is asked is reserved"));
        let is_part = units < asked.units;
        let part = |money: Money| {
            super::money(i128::from(money.minor()) * units.0 / asked.units.0, money.currency())
        };
        let unusable = match self.status(card) {
            CardStatus::Closed => Some(Reason::CardClosed),
            CardStatus::Frozen => Some(Reason::CardFrozen),
            CardStatus::NotYetActive => Some(Reason::CardNotYetActive),
            CardStatus::Active if units.0 <= 0 || units > asked.units => Some(Reason::FundingMalformed),
            CardStatus::Active if now.mono >= request.deadline => Some(Reason::FundingTimedOut),
            CardStatus::Active if is_part => {
                let nothing = part(asked.card).minor() <= 0 || part(request.amount).minor() <= 0;
                let cannot = request.partial == PartialApproval::NotSupported || nothing;
                cannot.then_some(Reason::InsufficientFunds)
            }
            CardStatus::Active => None,
        };
        if let Some(reason) = unusable {
            return self.end_ask(index, reason, Some(CancelCause::Unused), now, out);
        }
        let card_amount = if is_part { part(asked.card) } else { asked.card };
        let found = &mut self.transactions[index];
        found.state = TransactionState::Approved;
        found.owed = Some(Amounts { card: card_amount, units });
        found.part = is_part.then(|| part(request.amount));
        found.reason = Some(if is_part { Reason::ApprovedPartially } else { Reason::Approved });
        self.book(card, BookingKind::Funded, units);
        self.answer_waiting(index, out);
    }

    fn end_ask(
        &mut self,
        index: usize,
        reason: Reason,
        cancel: Option<CancelCause>,
        now: Moment,
        out: &mut Outcome,
    ) {
        let found = &mut self.transactions[index];
        let owed = found.owed.take().expect("what is asked is reserved");
        let (number, card) = (found.number, found.card);
        (found.state, found.ended_at) = (TransactionState::Declined, now.utc);
        found.reason = Some(reason);
        found.failures.insert(0, reason.into());
        if let Some(cause) = cancel {
            self.owe(DutyKind::Cancel(cause), number, card, owed.units, now, out);
        }
        self.answer_waiting(index, out);
    }

    pub(super) fn answer_waiting(&mut self, index: usize, out: &mut Outcome) {
        let found = &mut self.transactions[index];
        let waiting = std::mem::take(&mut found.waiting);
        let (number, reason, part, card) = (found.number, found.reason, found.part, found.card);
        let answer = self.approval(number, reason.expect("what is decided has a reason"), part, card);
        out.answers.extend(waiting.into_iter().map(|caller| (caller, answer)));
    }

    pub(super) fn tick(&mut self, now: Moment, out: &mut Outcome) {
        let mut due: Vec<usize> = (0..self.transactions.len())
            .filter(|index| self.transactions[*index].state == TransactionState::Approved)
            .filter(|index| self.transactions[*index].expires_at <= now.utc)
            .collect();
        due.sort_by_key(|index| (self.transactions[*index].expires_at, self.transactions[*index].number));
        for index in due.into_iter().take(EXPIRED_PER_TICK) {
            self.undo(index, TransactionState::Expired, DutyKind::Expire, now, out);
        }
        for index in self.asked_in_order() {
            let Message::Asked(request) = self.transactions[index].message else { continue };
            if request.deadline <= now.mono {
                self.end_ask(index, Reason::FundingTimedOut, Some(CancelCause::OutcomeUnknown), now, out);
            }
        }
    }

    /// After a restart: duties are taken up again, and the asks that were open have an unknown outcome (E31).
    pub(super) fn resume(&mut self, now: Moment, out: &mut Outcome) {
        let pending: Vec<Duty> = self.duties.clone();
        out.duties.extend(pending);
        for index in self.asked_in_order() {
            let cause = Some(CancelCause::OutcomeUnknown);
            self.end_ask(index, Reason::FundingUnavailable, cause, now, out);
        }
    }

    fn asked_in_order(&self) -> Vec<usize> {
        let mut asked: Vec<usize> = (0..self.transactions.len())
            .filter(|index| self.transactions[*index].state == TransactionState::Asked)
            .collect();
        asked.sort_by_key(|index| self.transactions[*index].number);
        asked
    }
}

/// Late, unreadable and too many have reasons of their own; whatever else goes wrong, the service was not there.
fn reason_of(failure: FundingFailure) -> Reason {
    if failure == FundingFailure::TimedOut {
        Reason::FundingTimedOut
    } else if failure == FundingFailure::Malformed {
        Reason::FundingMalformed
    } else if failure == FundingFailure::Overloaded {
        Reason::FundingOverloaded
    } else {
        Reason::FundingUnavailable
    }
}
