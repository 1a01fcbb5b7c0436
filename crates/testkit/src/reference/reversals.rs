//! Reversals: what an earlier message did is undone, once, and never more than is left of it (E2-E5).

use super::arithmetic::{is_nothing, less, lesser, money, none};
use super::{BookingKind, Message, Model, Outcome, Transaction};
use authorizer::{Answer, Caller, TransactionState};
use domain::{
    Amounts, CancelCause, CardNo, Currency, DutyKind, Moment, Money, Reason, Reversal, ReversalMatch,
    Timestamp, Units,
};

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
            self.undo_what(index, reversal.new_total, now, out)
        } else {
            let mut tombstone = self.empty_transaction(card.0, Message::Reversal(reversal), now);
            tombstone.state = TransactionState::ReversedFirst;
            self.transactions.push(tombstone);
            ReversalMatch::Unmatched
        };
        out.answers.push((caller, Answer::Reversal(matched)));
    }

    /// Undoes what is left of a transaction, or the part above its new total.
    pub(super) fn undo_what(
        &mut self,
        index: usize,
        total: Option<Money>,
        now: Moment,
        out: &mut Outcome,
    ) -> ReversalMatch {
        let total = total.filter(|total| total.minor() > 0);
        match (self.transactions[index].state, total) {
            (TransactionState::Asked, Some(total)) => self.undo_once_funded(index, total),
            (TransactionState::Approved, Some(total)) => self.lower(index, total, now, out),
            (TransactionState::Cleared, Some(total)) if self.has_open_increments(index) => {
                self.lower(index, total, now, out)
            }
            (TransactionState::Cleared, None) if self.has_open_increments(index) => {
                self.undo_holds(index, now, out)
            }
            (TransactionState::Asked | TransactionState::Approved, _) => self.undo_holds(index, now, out),
            (TransactionState::Added, _) => self.undo_increment(index, now, out),
            (TransactionState::Posted | TransactionState::Cleared, _) => {
                self.undo_booked(index, total, now, out)
            }
            (
                TransactionState::Declined
                | TransactionState::Reversed
                | TransactionState::Expired
                | TransactionState::ReversedFirst
                | TransactionState::Answered,
                _,
            ) => ReversalMatch::NothingLeft,
        }
    }

    fn has_open_increments(&self, index: usize) -> bool {
        self.holds_of(index).iter().any(|hold| self.transactions[*hold].state.is_open())
    }

    fn undo_holds(&mut self, index: usize, now: Moment, out: &mut Outcome) -> ReversalMatch {
        for hold in self.holds_of(index) {
            if self.transactions[hold].state.is_open() {
                let duty = DutyKind::Cancel(CancelCause::Reversed);
                self.undo(hold, TransactionState::Reversed, duty, now, out);
            }
        }
        ReversalMatch::Matched
    }

    /// Brings a payment down to its new total. What was added last goes back first.
    fn lower(&mut self, index: usize, total: Money, now: Moment, out: &mut Outcome) -> ReversalMatch {
        let holds = self.holds_of(index);
        let Some(stands) =
            holds.iter().map(|hold| self.stands_in(*hold, total.currency())).collect::<Option<Vec<i64>>>()
        else {
            return ReversalMatch::NothingLeft;
        };
        let mut above = (stands.iter().sum::<i64>() - total.minor()).max(0);
        let mut matched = ReversalMatch::NothingLeft;
        for (hold, stands) in holds.into_iter().zip(stands).rev() {
            let goes = above.min(stands);
            above -= goes;
            let left = money(i128::from(stands - goes), total.currency());
            let state = self.transactions[hold].state;
            if goes == 0 || !state.is_open() {
                continue;
            }
            let undone = if left.minor() == 0 {
                let duty = DutyKind::Cancel(CancelCause::Reversed);
                self.undo(hold, TransactionState::Reversed, duty, now, out);
                ReversalMatch::Matched
            } else if state == TransactionState::Asked {
                self.undo_once_funded(hold, left)
            } else {
                self.undo_above(hold, left, now, out)
            };
            if undone == ReversalMatch::Matched {
                matched = undone;
            }
        }
        matched
    }

    /// What stands of a hold in that currency, or is to stand once it is funded.
    fn stands_in(&self, index: usize, currency: Currency) -> Option<i64> {
        let hold = &self.transactions[index];
        let to_come = hold.total_to_come.filter(|_| hold.state == TransactionState::Asked);
        let known = [to_come, Some(self.promised(index).card), Some(hold.standing())];
        let found = known.into_iter().flatten().find(|stands| stands.currency() == currency);
        found.map(Money::minor)
    }

    /// What stands from now on: what was said, or in another currency the share that the card's side has kept.
    pub(super) fn now_stands(&mut self, index: usize, said: Option<Money>, before: Money, after: Money) {
        let stood = self.transactions[index].standing();
        let said = said.filter(|said| said.currency() == stood.currency());
        let share = || {
            let kept = i128::from(stood.minor()) * i128::from(after.minor());
            (before.minor() != 0).then(|| money(kept / i128::from(before.minor()), stood.currency()))
        };
        if let Some(stands) = said.or_else(share) {
            self.transactions[index].stands = Some(stands);
        }
    }

    /// The balance service is deciding still: what is above the new total goes back once it has funded the whole. A total
    /// that was said before, or a higher one, changes nothing.
    fn undo_once_funded(&mut self, index: usize, total: Money) -> ReversalMatch {
        let released = self.above(index, total).card.minor();
        let before = self.transactions[index].total_to_come;
        let known = before.map_or(0, |before| self.above(index, before).card.minor());
        if released <= known {
            return ReversalMatch::NothingLeft;
        }
        self.transactions[index].total_to_come = Some(total);
        ReversalMatch::Matched
    }

    /// What was to go back of an ask as soon as it is funded.
    pub(super) fn undo_what_was_to_come(&mut self, index: usize, now: Moment, out: &mut Outcome) {
        if let Some(total) = self.transactions[index].total_to_come {
            self.undo_what(index, Some(total), now, out);
        }
    }

    /// The new total stays held, less what clearings took already; the rest is free at the hold's own rate (E5).
    fn undo_above(&mut self, index: usize, total: Money, now: Moment, out: &mut Outcome) -> ReversalMatch {
        self.undo_part(index, self.above(index, total), (Some(total), None), now, out)
    }

    /// What a hold has above a new total. In a currency of neither side it cannot be told, and is nothing.
    fn above(&self, index: usize, total: Money) -> Amounts {
        let hold = &self.transactions[index];
        let (held, taken) = (hold.held.expect("an open hold"), hold.taken.card.minor());
        let promised = self.promised(index).card;
        let asked = hold.standing();
        let Some(total) = on_card(total, asked, promised) else { return none(held.card.currency()) };
        let left = (total - i128::from(taken)).clamp(0, held.card.minor().into());
        let left = money(left, held.card.currency());
        if left == held.card {
            return none(held.card.currency());
        }
        // The buffer stays until the last clearing.
        let cost = self.cost_of_part(index, left).0 + hold.buffer();
        let stays = Amounts { card: left, units: Units(cost.min(held.units.0)) };
        less(held, stays)
    }

    /// Releases a part of a hold: what is above the total that was said, or an increment.
    fn undo_part(
        &mut self,
        index: usize,
        released: Amounts,
        (said, first): (Option<Money>, Option<u64>),
        now: Moment,
        out: &mut Outcome,
    ) -> ReversalMatch {
        if is_nothing(released) {
            return ReversalMatch::NothingLeft;
        }
        let before = self.promised(index).card;
        self.release(index, released, first);
        self.drop_buffer(index, first);
        self.now_stands(index, said, before, self.promised(index).card);
        let hold = &self.transactions[index];
        let (number, card, left) = (hold.number, hold.card, hold.held.expect("an open hold").units);
        if self.is_jit(card) {
            self.owe(DutyKind::Reverse { left }, number, card, released.units, now, out);
        }
        ReversalMatch::Matched
    }

    /// What an increment had brought of the buffer leaves with it.
    fn drop_buffer(&mut self, index: usize, increment: Option<u64>) {
        let row = self.transactions.iter().find(|row| Some(row.number) == increment);
        let gone = row.map_or(0, Transaction::buffer);
        if let Some(price) = &mut self.transactions[index].price {
            price.buffer = Units((price.buffer.0 - gone).max(0));
        }
    }

    /// Takes an increment out of the hold that it raised, as far as it is still there.
    fn undo_increment(&mut self, index: usize, now: Moment, out: &mut Outcome) -> ReversalMatch {
        let (number, of) = (self.transactions[index].number, self.transactions[index].of);
        let hold = self
            .transactions
            .iter()
            .position(|found| Some(found.number) == of && found.state == TransactionState::Approved);
        let added = self.uses.iter().find(|used| used.number == number).map(super::uses::Use::left);
        let (Some(hold), Some(added)) = (hold, added) else { return ReversalMatch::NothingLeft };
        let held = self.transactions[hold].held.expect("an open hold");
        let matched = self.undo_part(hold, lesser(added, held), (None, Some(number)), now, out);
        if matched == ReversalMatch::Matched {
            self.finish(index, TransactionState::Reversed, now.utc);
        }
        matched
    }

    /// Undoes what one message has booked. Where several holds have paid it, what was paid last goes back first.
    fn undo_booked(
        &mut self,
        index: usize,
        total: Option<Money>,
        now: Moment,
        out: &mut Outcome,
    ) -> ReversalMatch {
        let first = &self.transactions[index];
        let (at, currency) = (first.at, first.paid.card.currency());
        let Some(request) = first.asked().copied() else { return ReversalMatch::NothingLeft };
        let of_it = |found: &Transaction| found.at == at && found.asked() == Some(&request);
        let several = first.state == TransactionState::Posted && !request.transaction_type().is_credit();
        let pieces: Vec<usize> = (0..self.transactions.len())
            .filter(|piece| *piece == index || several && of_it(&self.transactions[*piece]))
            .collect();
        let minor = |model: &Self, piece: usize| model.transactions[piece].paid.card.minor();
        let whole: i64 = pieces.iter().map(|piece| minor(self, *piece)).sum();
        let total_of_all = total.filter(|total| total.currency() == currency && pieces.len() > 1);
        let mut above = total_of_all.map(|total| (whole - total.minor()).max(0));
        let mut matched = ReversalMatch::NothingLeft;
        for piece in pieces.into_iter().rev() {
            let mut total = total;
            if let Some(above) = &mut above {
                let goes = (*above).min(minor(self, piece));
                *above -= goes;
                if goes == 0 {
                    continue;
                }
                let left = minor(self, piece) - goes;
                total = (left > 0).then(|| money(left.into(), currency));
            }
            if self.undo_payment(piece, total, now, out) == ReversalMatch::Matched {
                matched = ReversalMatch::Matched;
            }
        }
        matched
    }

    /// Undoes what was booked: a payment, as far as it was not refunded, or a refund.
    fn undo_payment(
        &mut self,
        index: usize,
        total: Option<Money>,
        now: Moment,
        out: &mut Outcome,
    ) -> ReversalMatch {
        let found = &self.transactions[index];
        let (number, card) = (found.number, found.card);
        let credit = found.request().transaction_type().is_credit();
        if found.state == TransactionState::Cleared && !found.request().class.is_financial() {
            // What clearings paid of a hold is theirs to undo.
            return ReversalMatch::NothingLeft;
        }
        let hold = self.parent_of(index, now.utc).map(|hold| self.transactions[hold].number);
        let (paid, payment) = (self.transactions[index].paid, self.payment_of(index, now.utc));
        let left = if credit { paid } else { lesser(paid, self.left_of(payment)) };
        if is_nothing(left) {
            return ReversalMatch::NothingLeft;
        }
        let found = &self.transactions[index];
        let asked = found.standing();
        let undone = match total.filter(|_| !credit) {
            Some(total) => {
                let most = i128::from(left.card.minor());
                let stays = on_card(total, asked, paid.card).map_or(most, |total| total.min(most));
                let stays = money(stays, left.card.currency());
                less(left, Amounts { card: stays, units: self.cost_of_rest(index, left, stays) })
            }
            None => left,
        };
        if is_nothing(undone) {
            return ReversalMatch::NothingLeft;
        }
        if !credit {
            self.now_stands(index, total, paid.card, less(paid, undone).card);
        }
        if self.is_jit(card) {
            let kind = if credit { BookingKind::Funded } else { BookingKind::Returned };
            self.book(card, kind, undone.units.0);
        }
        if credit {
            self.book(card, BookingKind::Refunded, -undone.units.0);
            self.give_back(number, undone, None);
            self.uncount(number);
            if payment != index {
                let payment = &mut self.transactions[payment];
                payment.refunded = less(payment.refunded, undone);
            }
        } else {
            self.book(card, BookingKind::Settled, -undone.units.0);
            self.give_back_payment(index, undone, now.utc);
            if payment != index {
                let payment = &mut self.transactions[payment];
                payment.paid = less(payment.paid, undone);
            }
            let found = &mut self.transactions[index];
            found.paid = less(found.paid, undone);
        }
        if credit || undone.card.minor() >= paid.card.minor() {
            self.finish(index, TransactionState::Reversed, now.utc);
        }
        if self.is_jit(card) {
            let kind = DutyKind::Undo { credit: !credit };
            self.owe(kind, hold.unwrap_or(number), card, undone.units, now, out);
        }
        ReversalMatch::Matched
    }

    /// Limits get back what a payment used: first what was beyond its hold, which its own day counted, and then what
    /// the hold had promised, where that was counted (E30).
    fn give_back_payment(&mut self, index: usize, undone: Amounts, now: Timestamp) {
        let found = &self.transactions[index];
        let (number, paid, taken) = (found.number, found.paid, found.taken);
        let Some(hold) = self.parent_of(index, now).map(|hold| self.transactions[hold].number) else {
            self.give_back(number, undone, None);
            if undone.card.minor() >= paid.card.minor() {
                self.uncount(number);
            }
            return;
        };
        let beyond = lesser(undone, less(paid, taken));
        let of_hold = less(undone, beyond);
        self.give_back(number, beyond, None);
        self.give_back(hold, of_hold, None);
        self.transactions[index].taken = less(taken, of_hold);
    }

    /// What is left of a payment to be undone.
    fn left_of(&self, payment: usize) -> Amounts {
        let found = &self.transactions[payment];
        less(found.paid, found.refunded)
    }

    /// Ends an open transaction without a purchase: nothing is held any more, and the service is told.
    pub(super) fn undo(
        &mut self,
        index: usize,
        state: TransactionState,
        duty: DutyKind,
        now: Moment,
        out: &mut Outcome,
    ) {
        let found = &mut self.transactions[index];
        let held = found.held.expect("what is open holds something");
        let (number, card, was) = (found.number, found.card, found.state);
        if was == TransactionState::Asked {
            found.reason = Some(Reason::ReversedInFlight);
        } else {
            if self.is_jit(card) {
                self.book(card, BookingKind::Returned, held.units.0);
            }
            self.promise_ended(index);
        }
        if state == TransactionState::Expired {
            self.transactions[index].lapsed += held.card.minor();
        }
        self.end_hold(index, state, now.utc);
        if self.is_jit(card) {
            self.owe(duty, number, card, held.units, now, out);
        }
        self.answer_waiting(index, out);
    }

    /// The end of a hold: limits get back what is left of it, and its place among the payments if nothing was paid.
    pub(super) fn end_hold(&mut self, index: usize, state: TransactionState, at: Timestamp) {
        let found = &self.transactions[index];
        let (number, held, paid) = (found.number, found.held, found.paid);
        let held = held.unwrap_or(none(paid.card.currency()));
        self.lower_parts(index, held.card, None);
        self.give_back(number, held, None);
        if paid.card.minor() <= 0 {
            self.uncount(number);
        }
        self.transactions[index].held = None;
        self.finish(index, state, at);
    }

    fn finish(&mut self, index: usize, state: TransactionState, at: Timestamp) {
        let found: &mut Transaction = &mut self.transactions[index];
        (found.state, found.ended_at) = (state, at);
    }
}

/// A new total on the card's side: as it is, or by its share of what the merchant had asked.
fn on_card(total: Money, asked: Money, promised: Money) -> Option<i128> {
    let (total_minor, asked_minor) = (i128::from(total.minor()), i128::from(asked.minor()));
    if total.currency() == promised.currency() {
        Some(total_minor)
    } else if total.currency() == asked.currency() && asked_minor > 0 {
        Some(i128::from(promised.minor()) * total_minor / asked_minor)
    } else {
        None
    }
}
