//! What becomes of a hold before it is paid: raised, undone in part or as a whole, run out.

use super::decisions::difference;
use crate::clearings::{lesser, promised_by};
use crate::shard::{ApplyError, Shard};
use crate::transaction::{Increment, TransactionState};
use domain::{
    Amounts, Authorization, CardNo, Fact, HoldTerms, Money, Reason, Reversal, Timestamp, TransactionNo, Units,
};

impl Shard {
    pub(super) fn hold_changed(&mut self, fact: &Fact, at: Timestamp) -> Result<(), ApplyError> {
        let Fact::HoldChanged { transaction, of, card, request, hold, told, flags } = fact else {
            return Ok(());
        };
        let before = self.promised(*of)?;
        self.change_hold((*transaction, at), *of, *card, request, hold)?;
        let after = self.promised(*of)?;
        let said = if request.details.incremental {
            self.standing_with(*of, request.amount)
        } else {
            self.standing_beside(*of, request.amount)
        };
        self.stands(*of, said, before.card, after.card)?;
        let zero = self.zero(*card)?;
        if let Some(row) = self.store.find_mut(*transaction) {
            row.set_failures(flags);
            if told.is_some() {
                row.more_mut(zero).told = *told;
            }
        }
        Ok(())
    }

    pub(super) fn partly_reversed(&mut self, fact: &Fact, at: Timestamp) -> Result<(), ApplyError> {
        let Fact::PartlyReversed { transaction, increment, released, left, reversal } = fact else {
            return Ok(());
        };
        let before = self.promised(*transaction)?;
        let after = difference(before, *released);
        let said = reversal.new_total.filter(|_| increment.is_none());
        self.stands(*transaction, said, before.card, after.card)?;
        self.release_part(*transaction, *increment, *released, *left)?;
        if let Some(increment) = increment
            && let Some(row) = self.store.find_mut(*increment)
        {
            (row.state, row.ended_at) = (TransactionState::Reversed, at);
        }
        Ok(())
    }

    /// What is to be undone of an ask waits for its money.
    pub(super) fn defer_reversal(
        &mut self,
        number: TransactionNo,
        reversal: &Reversal,
    ) -> Result<(), ApplyError> {
        let zero = self.zero(self.in_state(number, TransactionState::Asked)?.card)?;
        if let Some(row) = self.store.find_mut(number) {
            row.more_mut(zero).deferred = Some(Box::new(*reversal));
        }
        Ok(())
    }

    /// Sets a hold to what a later message made of it.
    fn change_hold(
        &mut self,
        (number, at): (TransactionNo, Timestamp),
        of: TransactionNo,
        card: CardNo,
        request: &Authorization,
        hold: &HoldTerms,
    ) -> Result<(), ApplyError> {
        let held = self.held_by(of)?;
        let zero = self.zero(card)?;
        let change = difference(hold.amounts, held);
        if change.units > Units::ZERO || change.card.minor() > 0 {
            let account = self.card(card)?.account;
            let funded = self.funded_units(card, change.units)?;
            self.book(account, funded, change.units)?;
            self.charge(card, change, 0, at)?;
            if let Some(row) = self.store.find_mut(of) {
                let after = hold.price.as_ref().map_or(Units::ZERO, |price| price.buffer);
                let buffer = Units(after.0.saturating_sub(row.buffer().0).max(0));
                row.more_mut(zero).increments.push(Increment { number, at, amounts: change, buffer });
            }
        } else {
            self.free(of, difference(held, hold.amounts), None)?;
        }
        if let Some(row) = self.store.find_mut(of) {
            row.set_held(Some(hold.amounts));
            if hold.price.is_some() || row.more.is_some() {
                row.more_mut(zero).price = hold.price.as_deref().copied();
            }
            let before = std::mem::replace(&mut row.expires_at, hold.expires_at);
            self.store.cancel_expiry(of, before);
            self.store.expect_expiry(of, hold.expires_at);
        }
        self.begin_row(number, card)?;
        let mut row = self.row(number, card, request, TransactionState::Added, at);
        (row.reason, row.rate) = (Some(Reason::Approved), self.intern(hold.rate.as_deref()));
        row.set_parent(Some(of));
        if change.card.minor() > 0 {
            row.more_mut(zero).taken = change;
        }
        self.store.insert(row, &self.policy);
        Ok(())
    }

    fn release_part(
        &mut self,
        number: TransactionNo,
        increment: Option<TransactionNo>,
        released: Amounts,
        left: Amounts,
    ) -> Result<(), ApplyError> {
        self.held_by(number)?;
        let buffer = self.store.find(number).and_then(|row| {
            let parts = &row.more.as_ref()?.increments;
            parts.iter().find(|part| Some(part.number) == increment).map(|part| part.buffer)
        });
        self.free(number, released, increment)?;
        if let Some(row) = self.store.find_mut(number) {
            row.set_held(Some(left));
            // What an increment had brought of the buffer leaves with it; a part undone otherwise leaves it whole.
            if let Some(price) = row.more.as_mut().and_then(|more| more.price.as_mut()) {
                *price = price.without_buffer(buffer.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// What an open hold has promised in all.
    fn promised(&self, number: TransactionNo) -> Result<Amounts, ApplyError> {
        let missing = ApplyError::NoSuchTransition { transaction: self.transaction_id(number) };
        promised_by(self.in_state(number, TransactionState::Approved)?).ok_or(missing)
    }

    /// Notes what of a hold's promise has ended and was not reversed.
    pub(super) fn lapse(&mut self, number: TransactionNo, money: Money) {
        if let Some(row) = self.store.find_mut(number).filter(|_| money.minor() > 0) {
            let more = row.more_mut(Money::new(0, money.currency()));
            more.lapsed = more.lapsed.saturating_add(money.minor());
        }
    }

    /// What an open hold holds.
    pub(super) fn held_by(&self, number: TransactionNo) -> Result<Amounts, ApplyError> {
        let missing = ApplyError::NoSuchTransition { transaction: self.transaction_id(number) };
        self.in_state(number, TransactionState::Approved)?.held().ok_or(missing)
    }

    /// Gives a part of an open hold back: the balance, and the limits in the windows that it was charged to.
    pub(super) fn free(
        &mut self,
        number: TransactionNo,
        released: Amounts,
        first: Option<TransactionNo>,
    ) -> Result<(), ApplyError> {
        let card = self.in_state(number, TransactionState::Approved)?.card;
        let account = self.card(card)?.account;
        let returned = self.returned_units(card, released.units)?;
        self.book(account, returned, Units(-released.units.0))?;
        self.lower_parts(number, released.card, first);
        self.free_limits(number, released, 0, first)
    }

    /// Gives limits back. What was added last is given back first, or `first` before it: each part belongs to the
    /// window of the message that added it (E27).
    pub(super) fn free_limits(
        &mut self,
        number: TransactionNo,
        released: Amounts,
        count: u32,
        first: Option<TransactionNo>,
    ) -> Result<(), ApplyError> {
        let missing = ApplyError::NoSuchTransition { transaction: self.transaction_id(number) };
        let row = self.store.find_mut(number).ok_or(missing)?;
        let (card, at) = (row.card, row.at);
        let mut left = released;
        let mut parts = Vec::new();
        if let Some(more) = &mut row.more {
            more.increments.sort_by_key(|part| (Some(part.number) == first, part.number));
            for part in more.increments.iter_mut().rev() {
                let share = lesser(part.amounts, left);
                part.amounts = difference(part.amounts, share);
                left = difference(left, share);
                parts.push((share, part.number, part.at));
            }
            more.increments.retain(|part| part.amounts.units.is_positive() || part.amounts.card.minor() > 0);
        }
        for (share, number, at) in parts {
            self.give_back(card, share, 0, (number, at))?;
        }
        self.give_back(card, left, count, (number, at))
    }

    /// Ends what a transaction still reserves or holds.
    pub(super) fn undo(
        &mut self,
        number: TransactionNo,
        state: TransactionState,
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        let missing = ApplyError::NoSuchTransition { transaction: self.transaction_id(number) };
        let transaction = self.store.find(number).filter(|found| found.state.is_open()).ok_or(missing)?;
        let (card, was, held) = (transaction.card, transaction.state, transaction.held());
        if was == TransactionState::Asked {
            self.asked.remove(&number);
        } else {
            let units = held.map_or(Units::ZERO, |held| held.units);
            let account = self.card(card)?.account;
            let returned = self.returned_units(card, units)?;
            self.book(account, returned, Units(-units.0))?;
            if let Some(word) = self.account_mut(account)?.word_mut() {
                word.ended(number);
            }
            let expires_at = self.in_state(number, was)?.expires_at;
            self.store.cancel_expiry(number, expires_at);
        }
        if state == TransactionState::Expired
            && let Some(held) = held
        {
            self.lapse(number, held.card);
        }
        self.end_hold(number, state, at)?;
        if was == TransactionState::Asked
            && let Some(transaction) = self.store.find_mut(number)
        {
            transaction.reason = Some(Reason::ReversedInFlight);
        }
        Ok(())
    }

    /// The end of a reservation or hold, apart from the balance: the limits get back what was still held, and the
    /// approval too unless something was paid.
    pub(super) fn end_hold(
        &mut self,
        number: TransactionNo,
        state: TransactionState,
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        let missing = ApplyError::NoSuchTransition { transaction: self.transaction_id(number) };
        let row = self.store.find(number).ok_or(missing)?;
        let (card, held) = (row.card, row.held());
        let paid = row.more.as_ref().is_some_and(|more| more.paid.card.minor() > 0);
        // An increment was never counted as a payment of its own.
        let counted = row.parent().is_none() && !paid;
        let none = Amounts { card: Money::new(0, self.card(card)?.currency), units: Units::ZERO };
        let held = held.unwrap_or(none);
        self.lower_parts(number, held.card, None);
        self.free_limits(number, held, u32::from(counted), None)?;
        let open = &mut self.card_mut(card)?.open_holds;
        *open = open.saturating_sub(1);
        if let Some(row) = self.store.find_mut(number) {
            (row.state, row.ended_at) = (state, at);
            row.set_held(None);
        }
        self.store.finish(number, at);
        Ok(())
    }
}
