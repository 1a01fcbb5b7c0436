//! What was paid: completions, clearings and forced posts. None is ever refused (E15, E16, E18, E19, E40).

use super::arithmetic::{less, lesser, none, plus, smaller};
use super::requests::Incoming;
use super::uses::Counting;
use super::{BookingKind, Model, Outcome, Transaction};
use authorizer::TransactionState;
use domain::{Amounts, ClearingFlags, DutyKind, Failure, Mcc, Money, Price, Rate, Reason, Timestamp, Units};

/// What one hold pays of a clearing, and what is paid beyond it.
struct Piece {
    hold: Option<usize>,
    from_hold: Amounts,
    surplus: Amounts,
    released: Amounts,
    last: bool,
    rate: Option<Rate>,
    price: Option<Price>,
}

impl Model {
    pub(super) fn clearing(&mut self, incoming: Incoming, out: &mut Outcome) {
        let Incoming { card, request, refused, caller, now } = incoming;
        if let Some(reason) = refused {
            return self.note(incoming, Reason::Approved, None, vec![Failure::from(reason)], out);
        }
        if let Some(index) = self.same_presentment(card, &request, now.utc) {
            out.answers.push((caller, self.answer_of(index)));
            return;
        }
        let mut failures = Vec::new();
        let (amount, _) = self.on_card(card, &request, now.utc, &mut failures).expect("what tells is priced");
        let parent = self.followed(card, &request, now.utc).filter(|index| !self.is_asked(*index));
        let pieces = self.divided(&incoming, parent, amount, &mut failures);
        let mut flags = self.flags_of(&incoming, parent, amount);
        let surplus: i128 = pieces.iter().map(|piece| piece.surplus.units.0).sum();
        let paid: i128 = pieces.iter().map(|piece| piece.from_hold.units.0).sum::<i128>() + surplus;
        flags.overdrawn = !self.is_jit(card) && self.balance(self.account_of(card)).available().0 < surplus;
        flags.unpriced =
            failures.contains(&Reason::RateUnavailable) && paid == 0 && request.amount.minor() > 0;
        let (first, places) = (self.transactions.len(), pieces.len());
        for (place, piece) in pieces.into_iter().enumerate() {
            let flags = if place + 1 == places { flags } else { ClearingFlags::default() };
            self.pay(&incoming, piece, flags, out);
        }
        out.answers.push((caller, self.answer_of(first)));
    }

    /// Each hold of the payment pays what it can, the oldest first; what is left over is paid beside the last.
    fn divided(
        &self,
        incoming: &Incoming,
        parent: Option<usize>,
        amount: Money,
        failures: &mut Vec<Reason>,
    ) -> Vec<Piece> {
        let Incoming { card, request, now, .. } = *incoming;
        let nothing = none(amount.currency());
        let data = request.details.clearing.unwrap_or_default();
        let in_parts = data.of > 1 || request.merchant.mcc.is_some_and(clears_in_parts);
        let is_final = data.is_final || data.of > 0 && data.sequence >= data.of;
        let ends = is_final || !in_parts;
        let mut left = amount;
        let mut pieces = Vec::new();
        for index in parent.map_or_else(Vec::new, |parent| self.holds_of(parent)) {
            let hold = &self.transactions[index];
            let Some(held) = hold.held.filter(|_| hold.state == TransactionState::Approved) else { continue };
            let take = smaller(left, held.card);
            let paid = Amounts { card: take, units: self.cost_of_part(index, take) };
            let from_hold = lesser(paid, held);
            let rest = less(held, from_hold);
            let last = ends || rest.card.minor() <= 0;
            let released = if last { rest } else { nothing };
            if take.minor() <= 0 && !last && !pieces.is_empty() {
                continue;
            }
            let surplus = less(paid, from_hold);
            let hold = Some(index);
            pieces.push(Piece { hold, from_hold, surplus, released, last, rate: None, price: None });
            left = left.minus(take).expect("no more than is left");
        }
        if left.minor() > 0 || pieces.is_empty() {
            let beyond =
                self.on_account(card, &request, left, now.utc, failures).expect("what tells is priced");
            let surplus = Amounts { card: left, units: Units(beyond.units) };
            let (rate, price) = (beyond.rate, beyond.price);
            if pieces.is_empty() {
                let (hold, from_hold, released) = (parent, nothing, nothing);
                let (surplus, last) = (nothing, false);
                pieces.push(Piece { hold, from_hold, surplus, released, last, rate, price });
            }
            let beyond = pieces.last_mut().expect("there is one now");
            (beyond.surplus, beyond.rate, beyond.price) = (plus(beyond.surplus, surplus), rate, price);
        }
        pieces
    }

    /// Books one piece: the money leaves, the hold shrinks, what was beyond it counts today.
    fn pay(&mut self, incoming: &Incoming, piece: Piece, flags: ClearingFlags, out: &mut Outcome) {
        let Incoming { card, request, now, .. } = *incoming;
        let paid = plus(piece.from_hold, piece.surplus);
        let of = piece.hold.map(|index| self.transactions[index].number);
        let mut new = self.new_transaction(card, request, now);
        (new.state, new.reason, new.of) = (TransactionState::Posted, Some(Reason::Approved), of);
        (new.paid, new.taken, new.clearing_flags) = (paid, piece.from_hold, flags);
        (new.rate, new.price) = (piece.rate, piece.price);
        let number = new.number;
        let payment = piece.hold.map(|index| self.payment_of(index, now.utc));
        let counted = piece.hold.is_some_and(|index| self.is_counted(index, now.utc));
        // What was counted as a payment is not counted again; what gave its place back takes one.
        let counting = if counted { Counting::More } else { Counting::Payment };
        self.enter(&new, piece.surplus, counting);
        if self.is_jit(card) {
            self.book(card, BookingKind::Funded, piece.surplus.units.0);
        }
        self.book(card, BookingKind::Settled, paid.units.0);
        self.transactions.push(new);
        if let Some(index) = piece.hold {
            let payment = &mut self.transactions[payment.expect("whose hold it is")];
            payment.paid = plus(payment.paid, paid);
            let hold = &mut self.transactions[index];
            hold.taken = plus(hold.taken, piece.from_hold);
            hold.held = hold.held.map(|held| less(held, piece.from_hold));
            if hold.state == TransactionState::Approved {
                self.transactions[index].lapsed += piece.released.card.minor();
                self.release(index, piece.released, None);
                if piece.last {
                    self.end_hold(index, TransactionState::Cleared, now.utc);
                }
            }
        }
        if self.is_jit(card) {
            let kind = DutyKind::Clear {
                reserved: piece.from_hold.units,
                released: piece.released.units,
                last: piece.last,
                merchant: request.merchant.name,
            };
            self.owe(kind, of.unwrap_or(number), card, paid.units, now, out);
        }
    }

    /// Whether limits and rules count a hold's payment: while it stands or has ended with something paid.
    fn is_counted(&self, hold: usize, now: Timestamp) -> bool {
        let stands =
            matches!(self.transactions[hold].state, TransactionState::Approved | TransactionState::Cleared);
        stands || self.transactions[self.payment_of(hold, now)].paid.card.minor() > 0
    }

    /// A payment's own hold, and the increments that are open holds of their own, oldest first.
    pub(super) fn holds_of(&self, payment: usize) -> Vec<usize> {
        let number = Some(self.transactions[payment].number);
        let linked = (0..self.transactions.len()).filter(|index| {
            let found = &self.transactions[*index];
            found.of == number && found.state.is_open()
        });
        std::iter::once(payment).chain(linked).collect()
    }

    /// What a hold has promised in all: what is left of it, and what clearings took.
    pub(super) fn promised(&self, index: usize) -> Amounts {
        let hold = &self.transactions[index];
        plus(hold.held.unwrap_or(none(hold.taken.card.currency())), hold.taken)
    }

    fn flags_of(&self, incoming: &Incoming, parent: Option<usize>, amount: Money) -> ClearingFlags {
        let Some(parent) = parent else { return ClearingFlags { forced: true, ..ClearingFlags::default() } };
        let found: &Transaction = &self.transactions[parent];
        let holds = (0..self.transactions.len()).filter(|index| {
            let other = &self.transactions[*index];
            let is_increment = other.of == Some(found.number) && other.request().class.is_request();
            *index == parent || is_increment
        });
        let authorized = |index: usize| self.promised(index).card.minor() + self.transactions[index].lapsed;
        let promised: i128 = holds.map(|index| i128::from(authorized(index))).sum();
        let paid = i128::from(found.paid.card.minor()) + i128::from(amount.minor());
        let over_capture = paid > promised && found.state != TransactionState::Declined;
        let mcc = incoming.request.merchant.mcc.or(found.request().merchant.mcc);
        ClearingFlags {
            over_capture,
            inside_tolerance: over_capture && mcc.is_some_and(|mcc| paid <= tolerated(mcc, promised)),
            after_expiry: found.state == TransactionState::Expired,
            after_reversal: found.state == TransactionState::Reversed,
            after_decline: found.state == TransactionState::Declined,
            ..ClearingFlags::default()
        }
    }
}

/// Airlines, railways' kin, travel, lodging, rental, cruise lines and mail order clear in several parts (E15).
fn clears_in_parts(mcc: Mcc) -> bool {
    matches!(
        mcc.0,
        3000..=3441 | 3501..=3999 | 4112 | 4411 | 4511 | 5964..=5969 | 7011..=7012 | 7512..=7519
    )
}

/// The most that a category's clearing may come to without a dispute (E16).
fn tolerated(mcc: Mcc, promised: i128) -> i128 {
    match mcc.0 {
        5812..=5814 | 7230 | 4121 => promised + promised * 20 / 100,
        3351..=3441 | 7512..=7519 => promised + (promised * 15 / 100).max(7_500),
        3501..=3999 | 4411 | 7011 => promised + promised * 15 / 100,
        // A fuel pump's network has a cap.
        5542 => promised.max(17_500),
        _ => i128::MIN,
    }
}
