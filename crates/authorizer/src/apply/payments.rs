//! Money that leaves an account for a merchant, or comes back from one.
//!
//! For a JIT card the money only passes through: what leaves is moved in from the balance service, and what comes
//! back is moved on to it.

use super::decisions::{difference, sum};
use crate::clearings::lesser;
use crate::shard::{ApplyError, Shard};
use crate::transaction::{Transaction, TransactionState};
use domain::{Amounts, Fact, Price, Reason, Reversal, Timestamp, TransactionNo, Units};

impl Shard {
    pub(super) fn clear(&mut self, fact: &Fact, at: Timestamp) -> Result<(), ApplyError> {
        let Fact::Cleared { transaction, of, card, request, paid, from_hold, released, last, rate, flags } =
            fact
        else {
            return Ok(());
        };
        let (number, card) = (*transaction, *card);
        let surplus = difference(*paid, *from_hold);
        if let Some(request) = request.as_ref().filter(|_| *of != Some(number)) {
            self.begin_row(number, card)?;
            let mut row = self.row(number, card, request, TransactionState::Posted, at);
            let zero = self.zero(card)?;
            (row.reason, row.rate) = (Some(Reason::Approved), self.intern(rate.as_deref()));
            row.set_parent(*of);
            let more = row.more_mut(zero);
            (more.paid, more.taken, more.clearing_flags) = (*paid, *from_hold, *flags);
            if let Some(clearing) = &request.details.clearing {
                (more.arn, more.sequence) = (clearing.arn, clearing.sequence);
            }
            self.store.insert(row, &self.policy);
        }
        let hold = of.and_then(|of| self.store.find(of));
        // A transaction that ended without a payment gave its place in the counters back; it takes one again.
        let counted = hold.is_some_and(|hold| self.is_counted(hold, at));
        let parent = hold.map(|hold| (hold.number, hold.state));
        self.charge(card, surplus, u32::from(!counted), at)?;
        self.pay(card, *paid, surplus)?;
        let Some((parent, state)) = parent else { return Ok(()) };
        if state == TransactionState::Approved {
            self.take_from_hold(parent, *from_hold, *released)?;
        }
        self.count_payment(parent, *paid, *from_hold, at)?;
        if *last && state == TransactionState::Approved {
            let expires_at = self.in_state(parent, state)?.expires_at;
            self.store.cancel_expiry(parent, expires_at);
            self.end_hold(parent, TransactionState::Cleared, at)?;
        }
        Ok(())
    }

    /// Money leaves the ledger. What the hold had not promised comes from the balance service, for a JIT card.
    fn pay(&mut self, card: domain::CardNo, paid: Amounts, surplus: Amounts) -> Result<(), ApplyError> {
        let account = self.card(card)?.account;
        let funded = self.funded_units(card, surplus.units)?;
        self.flows_of(card)?.settled.grow(paid.units);
        self.book(account, Units(funded.0.saturating_sub(paid.units.0)), Units::ZERO)
    }

    /// The promise for what was paid is kept, and what is released is free again.
    fn take_from_hold(
        &mut self,
        number: TransactionNo,
        from_hold: Amounts,
        released: Amounts,
    ) -> Result<(), ApplyError> {
        let held = self.held_by(number)?;
        let card = self.in_state(number, TransactionState::Approved)?.card;
        let account = self.card(card)?.account;
        self.book(account, Units::ZERO, Units(-from_hold.units.0))?;
        self.free(number, released, None)?;
        self.lapse(number, released.card);
        if let Some(row) = self.store.find_mut(number) {
            row.set_held(Some(difference(difference(held, from_hold), released)));
        }
        Ok(())
    }

    fn count_payment(
        &mut self,
        number: TransactionNo,
        paid: Amounts,
        from_hold: Amounts,
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        let missing = ApplyError::NoSuchTransition { transaction: self.transaction_id(number) };
        let hold = self.store.find(number).ok_or(missing)?;
        let (zero, payment) = (self.zero(hold.card)?, self.payment_of(hold, at).number);
        if let Some(hold) = self.store.find_mut(number) {
            let more = hold.more_mut(zero);
            more.taken = sum(more.taken, from_hold);
        }
        if let Some(payment) = self.store.find_mut(payment) {
            let more = payment.more_mut(zero);
            more.paid = sum(more.paid, paid);
        }
        Ok(())
    }

    /// A payment is undone: of a message that booked at once, of a forced post, or of one clearing among several.
    pub(super) fn undo_clearing(
        &mut self,
        number: TransactionNo,
        amounts: Amounts,
        reversal: &Reversal,
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        let row = self.payment(number)?;
        let (card, approved_at) = (row.card, row.at);
        let hold = self.parent_of(row, at).map(|hold| (hold.number, self.payment_of(hold, at).number));
        let missing = ApplyError::NoSuchTransition { transaction: self.transaction_id(number) };
        let (taken, paid) = row.more.as_ref().map(|more| (more.taken, more.paid)).ok_or(missing)?;
        let whole = paid.card.minor() <= amounts.card.minor();
        self.stands(number, reversal.new_total, paid.card, difference(paid, amounts).card)?;
        let account = self.card(card)?.account;
        let returned = self.returned_units(card, amounts.units)?;
        let flows = self.flows_of(card)?;
        flows.settled = Units(flows.settled.0.saturating_sub(amounts.units.0));
        self.book(account, Units(amounts.units.0.saturating_add(returned.0)), Units::ZERO)?;
        match hold {
            Some((hold, payment)) => {
                // What was beyond the hold goes first, and then what the hold had promised: each to the windows that
                // it was charged to (E30), and to none twice.
                let beyond = lesser(amounts, difference(paid, taken));
                let of_hold = difference(amounts, beyond);
                self.give_back(card, beyond, 0, (number, approved_at))?;
                self.free_limits(hold, of_hold, 0, None)?;
                if let Some(more) = self.store.find_mut(number).and_then(|row| row.more.as_mut()) {
                    more.taken = difference(more.taken, of_hold);
                }
                if let Some(more) = self.store.find_mut(payment).and_then(|row| row.more.as_mut()) {
                    more.paid = difference(more.paid, amounts);
                }
            }
            None => self.give_back(card, amounts, u32::from(whole), (number, approved_at))?,
        }
        if let Some(more) = self.store.find_mut(number).and_then(|row| row.more.as_mut()) {
            more.paid = difference(more.paid, amounts);
        }
        if whole {
            self.end_payment(number, at);
        }
        Ok(())
    }

    pub(super) fn refund(&mut self, fact: &Fact, at: Timestamp) -> Result<(), ApplyError> {
        let Fact::Refunded { transaction, of, card, request, amounts, rate, told, flags } = fact else {
            return Ok(());
        };
        let (number, card) = (*transaction, *card);
        self.begin_row(number, card)?;
        let mut row = self.row(number, card, request, TransactionState::Posted, at);
        let zero = self.zero(card)?;
        (row.reason, row.rate) = (Some(Reason::Approved), self.intern(rate.as_deref()));
        row.set_parent(*of);
        let more = row.more_mut(zero);
        (more.paid, more.refund_flags, more.told) = (*amounts, *flags, *told);
        more.merchant = request.merchant.id;
        if let Some(clearing) = &request.details.clearing {
            (more.arn, more.sequence) = (clearing.arn, clearing.sequence);
        }
        self.store.insert(row, &self.policy);
        let account = self.card(card)?.account;
        let returned = self.returned_units(card, amounts.units)?;
        self.flows_of(card)?.refunded.grow(amounts.units);
        self.book(account, Units(amounts.units.0.saturating_add(returned.0)), Units::ZERO)?;
        if let Some(parent) = of.and_then(|of| self.store.find_mut(of)) {
            let more = parent.more_mut(zero);
            more.refunded = sum(more.refunded, *amounts);
        }
        Ok(())
    }

    pub(super) fn undo_refund(
        &mut self,
        number: TransactionNo,
        amounts: Amounts,
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        let row = self.payment(number)?;
        let (card, of) = (row.card, row.parent());
        let account = self.card(card)?.account;
        let funded = self.funded_units(card, amounts.units)?;
        let flows = self.flows_of(card)?;
        flows.refunded = Units(flows.refunded.0.saturating_sub(amounts.units.0));
        self.book(account, Units(funded.0.saturating_sub(amounts.units.0)), Units::ZERO)?;
        if let Some(more) = of.and_then(|of| self.store.find_mut(of)).and_then(|parent| parent.more.as_mut())
        {
            more.refunded = difference(more.refunded, amounts);
        }
        self.end_payment(number, at);
        Ok(())
    }

    /// What the units are made of that a message has moved.
    pub(super) fn keep_own_price(&mut self, number: TransactionNo, price: Price) -> Result<(), ApplyError> {
        let missing = ApplyError::NoSuchTransition { transaction: self.transaction_id(number) };
        let card = self.store.find(number).ok_or(missing)?.card;
        let zero = self.zero(card)?;
        if let Some(row) = self.store.find_mut(number) {
            row.more_mut(zero).price = Some(price);
        }
        Ok(())
    }

    /// A transaction that has moved money.
    fn payment(&self, number: TransactionNo) -> Result<&Transaction, ApplyError> {
        let missing = ApplyError::NoSuchTransition { transaction: self.transaction_id(number) };
        let moved =
            |row: &&Transaction| matches!(row.state, TransactionState::Posted | TransactionState::Cleared);
        self.store.find(number).filter(moved).ok_or(missing)
    }

    fn end_payment(&mut self, number: TransactionNo, at: Timestamp) {
        if let Some(row) = self.store.find_mut(number) {
            (row.state, row.ended_at) = (TransactionState::Reversed, at);
        }
    }
}
