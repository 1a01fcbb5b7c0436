//! The end of an ask, what time brings about, and answers that did not arrive.

use super::arithmetic::{less, money};
use super::pricing::share;
use super::stand_in::unusable;
use super::uses::Counting;
use super::{BookingKind, Message, Model, Outcome, Transaction};
use authorizer::{Answer, AnswerLoss, Caller, FundingPath, References, TransactionState};
use domain::{
    Amounts, Approver, Authorization, CancelCause, CardNo, DutyKind, FundingFailure, FundingOutcome,
    Merchant, Moment, Money, PartialApproval, Reason, TransactionNo, Units,
};

/// What one tick may expire; the rest waits for the next.
const EXPIRED_PER_TICK: usize = 64;

impl Model {
    pub(super) fn ask_ended(
        &mut self,
        number: TransactionNo,
        ended: FundingOutcome,
        now: Moment,
        out: &mut Outcome,
    ) {
        let is_asked = |index: &usize| self.transactions[*index].number == number.0 && self.is_asked(*index);
        let Some(index) = (0..self.transactions.len()).find(is_asked) else { return };
        match ended {
            FundingOutcome::Approved { units } => self.funds_came(index, units, now, out),
            FundingOutcome::Declined { code } => {
                let reason = match code.as_str() {
                    "limit_exceeded" => Reason::AmountLimit,
                    "not_permitted" => Reason::TransactionTypeNotAllowed,
                    _ => Reason::FundingDeclined,
                };
                self.end_ask(index, reason, None, now, out);
            }
            FundingOutcome::NotAsked(failure) => self.ask_failed(index, failure, None, now, out),
            FundingOutcome::Unknown(failure) => {
                self.ask_failed(index, failure, Some(CancelCause::OutcomeUnknown), now, out);
            }
        }
    }

    fn funds_came(&mut self, index: usize, units: Units, now: Moment, out: &mut Outcome) {
        let found = &self.transactions[index];
        let (number, card, request) = (found.number, found.card, *found.request());
        let asked = found.held.expect("what is asked is reserved");
        let is_part = units < asked.units;
        let part =
            |whole: Money| money(i128::from(whole.minor()) * units.0 / asked.units.0, whole.currency());
        let unusable = unusable(self.status(card)).or_else(|| {
            let least = self.policy.life.partial_minor_min.max(1);
            let too_little = || part(asked.card).minor() < least || part(request.amount).minor() <= 0;
            let cannot = || request.partial == PartialApproval::NotSupported || too_little();
            match () {
                () if units.0 <= 0 || units > asked.units => Some(Reason::FundingMalformed),
                () if now.mono >= request.deadline => Some(Reason::FundingTimedOut),
                () if is_part && cannot() => Some(Reason::InsufficientFunds),
                () => None,
            }
        });
        if let Some(reason) = unusable {
            return self.end_ask(index, reason, Some(CancelCause::Unused), now, out);
        }
        let amounts = Amounts { card: if is_part { part(asked.card) } else { asked.card }, units };
        let part = is_part.then(|| part(request.amount));
        self.transactions[index].told = self.told_of_ask(index, units, now);
        self.ask_approved(index, amounts, part, Approver::BalanceService);
        if request.class.is_financial() {
            self.book_at_once(index, &Merchant::default(), now, out);
        } else if self.policy.life.confirm {
            self.owe(DutyKind::Confirm, number, card, units, now, out);
        }
        self.undo_what_was_to_come(index, now, out);
        self.answer_waiting(index, out);
    }

    /// The money of an ask comes in and is promised on. What was reserved and did not come is free again.
    pub(super) fn ask_approved(&mut self, index: usize, amounts: Amounts, part: Option<Money>, by: Approver) {
        let found = &mut self.transactions[index];
        let rest = less(found.held.expect("what is asked is reserved"), amounts);
        (found.state, found.held, found.by, found.part) =
            (TransactionState::Approved, Some(amounts), by, part);
        if let Some(whole) = found.price.filter(|_| rest.units.0 != 0) {
            found.price = Some(share(whole, amounts.units.0, rest.units.0 + amounts.units.0));
        }
        found.reason = Some(if part.is_some() { Reason::ApprovedPartially } else { Reason::Approved });
        let (number, card, of, end) = (found.number, found.card, found.of, found.expires_at);
        let country = found.request().merchant.country;
        self.used_in.extend(country.map(|country| (card, country)));
        self.give_back(number, rest, None);
        self.book(card, BookingKind::Funded, amounts.units.0);
        if by == Approver::BalanceService {
            self.service_promised(index, amounts.units);
        }
        // The hold that an increment adds to lasts as long as the increment (E20).
        for parent in self.transactions.iter_mut().filter(|found| Some(found.number) == of) {
            if parent.state == TransactionState::Approved {
                parent.expires_at = parent.expires_at.max(end);
            }
        }
    }

    /// The switch stands in where the program says so, or declines.
    fn ask_failed(
        &mut self,
        index: usize,
        failure: FundingFailure,
        cancel: Option<CancelCause>,
        now: Moment,
        out: &mut Outcome,
    ) {
        match self.stands_in_after(index, failure, now) {
            Some(Ok(())) => return self.stand_in(index, now, out),
            Some(Err(refused)) => self.transactions[index].failures.insert(0, refused.into()),
            None => {}
        }
        self.end_ask(index, reason_of(failure), cancel, now, out);
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
        let held = found.held.expect("what is asked is reserved");
        let (number, card) = (found.number, found.card);
        found.reason = Some(reason);
        found.failures.insert(0, reason.into());
        self.end_hold(index, TransactionState::Declined, now.utc);
        if let Some(cause) = cancel {
            self.owe(DutyKind::Cancel(cause), number, card, held.units, now, out);
        }
        self.answer_waiting(index, out);
    }

    pub(super) fn answer_waiting(&mut self, index: usize, out: &mut Outcome) {
        let waiting = std::mem::take(&mut self.transactions[index].waiting);
        let answer = self.answer_of(index);
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
            if self.transactions[index].request().deadline <= now.mono {
                let cause = Some(CancelCause::OutcomeUnknown);
                self.end_ask(index, Reason::FundingTimedOut, cause, now, out);
            }
        }
    }

    /// After a restart: duties are taken up again, and the asks that were open have an unknown outcome (E31).
    pub(super) fn resume(&mut self, now: Moment, out: &mut Outcome) {
        out.duties.extend(self.duties.clone());
        for index in self.asked_in_order() {
            let cause = Some(CancelCause::OutcomeUnknown);
            self.end_ask(index, Reason::FundingUnavailable, cause, now, out);
        }
    }

    fn asked_in_order(&self) -> Vec<usize> {
        let mut asked: Vec<usize> =
            (0..self.transactions.len()).filter(|index| self.is_asked(*index)).collect();
        asked.sort_by_key(|index| self.transactions[*index].number);
        asked
    }

    pub(super) fn is_asked(&self, index: usize) -> bool {
        self.transactions[index].state == TransactionState::Asked
    }

    /// The network declined in our name: recorded once, linked to the request that it speaks of, and nothing moves (E10).
    pub(super) fn note_decline(
        &mut self,
        card: CardNo,
        request: Authorization,
        caller: Caller,
        now: Moment,
        out: &mut Outcome,
    ) {
        let reason = Reason::DeclinedByNetwork;
        let known = self.known_card(card, request.card);
        if known {
            let earlier = |found: &&Transaction, fits: &dyn Fn(&Authorization) -> bool| {
                found.card == card.0
                    && self.is_remembered(found, now.utc)
                    && found.asked().is_some_and(|earlier| {
                        earlier.stan == request.stan
                            && earlier.transmission == request.transmission
                            && earlier.acquirer == request.acquirer
                            && fits(earlier)
                    })
            };
            let same = |earlier: &Authorization| {
                earlier.class == request.class
                    && earlier.rrn == request.rrn
                    && earlier.processing_code == request.processing_code
            };
            let mut all = self.transactions.iter();
            let is_repeat = all.any(|found| found.reason == Some(reason) && earlier(&found, &same));
            if !is_repeat {
                let is_request = |earlier: &Authorization| earlier.class.is_request();
                let mut all = self.transactions.iter();
                let of = all.find(|found| found.of.is_none() && earlier(found, &is_request));
                let of = of.map(|found| found.number);
                let mut new = self.new_transaction(card.0, request, now);
                (new.state, new.reason, new.of) = (TransactionState::Declined, Some(reason), of);
                new.failures = vec![reason.into()];
                self.enter(&new, self.nothing(card.0), Counting::Attempt);
                self.transactions.push(new);
            }
        }
        let path = if known { self.path(card.0) } else { FundingPath::Cache };
        let reason = if known { reason } else { Reason::UnknownCard };
        let (approval_code, part, balances, limit) = (None, None, None, None);
        out.answers
            .push((caller, Answer::Authorization { reason, approval_code, part, balances, limit, path }));
    }

    /// An approval did not reach the processor (E17). One that came too late is undone and counts as declined; one
    /// whose connection was gone holds its money for a short while. Where a repeat was answered, nothing changes.
    pub(super) fn answer_lost(
        &mut self,
        card: CardNo,
        references: &References,
        loss: AnswerLoss,
        now: Moment,
        out: &mut Outcome,
    ) {
        let index = self.transactions.iter().rposition(|found| {
            found.card == card.0
                && found.is_approved()
                && self.is_remembered(found, now.utc)
                && matches!(&found.message, Message::Asked(request) if References::of(request) == *references)
        });
        let Some(index) = index.filter(|index| !self.transactions[*index].repeated) else { return };
        match loss {
            AnswerLoss::Withheld => {
                self.undo_what(index, None, now, out);
                let found = &mut self.transactions[index];
                (found.reason, found.part) = (Some(Reason::DeadlinePassed), None);
                found.failures = vec![Reason::DeadlinePassed.into()];
                found.withheld = true;
            }
            AnswerLoss::Undelivered => {
                let until = now.utc.plus(self.policy.undelivered_hold_for);
                let found = &mut self.transactions[index];
                if found.state == TransactionState::Approved && until < found.expires_at {
                    found.ends_when_delivered.get_or_insert(found.expires_at);
                    found.expires_at = until;
                }
            }
        }
    }
}

/// Late, unreadable, too many and a stale rate have reasons of their own; whatever else goes wrong, the service was not
/// there.
fn reason_of(failure: FundingFailure) -> Reason {
    match failure {
        FundingFailure::TimedOut => Reason::FundingTimedOut,
        FundingFailure::Malformed => Reason::FundingMalformed,
        FundingFailure::Overloaded => Reason::FundingOverloaded,
        FundingFailure::StaleRate => Reason::RateUnavailable,
        FundingFailure::Refused
        | FundingFailure::Reset
        | FundingFailure::HttpError
        | FundingFailure::Interrupted
        | FundingFailure::BreakerOpen => Reason::FundingUnavailable,
    }
}
