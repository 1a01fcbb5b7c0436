//! What a payment costs over its whole life, rounded once (E12).
//!
//! A hold locks its rate, and what its clearings have taken together is the exact amount at that rate, rounded up: each
//! pays the difference to what those before it have paid. A hold that was raised has several rates, one for each part, and
//! the first part is paid first. What comes back in refunds is added up exactly as well, with what rounding the charge
//! took too much, and rounded down. So at any time the customer has paid less than a unit more than the exact amount, and
//! never less than it. A clearing or a refund that is undone as a whole moves exactly what it had moved.
//!
//! Where a rate is not known any more the parts are shares of what the hold had promised in all.

use crate::clearings::{less, promised_by};
use crate::originals::SEARCH_MAX;
use crate::parts::covering;
use crate::shard::Shard;
use crate::transaction::{More, Transaction, TransactionState};
use domain::{
    Amounts, Asset, CardNo, Fraction, FundingMode, MessageClass, Money, Price, Rate, Side, TransactionNo,
    Units, exact_at,
};

/// A part of a hold with a rate of its own.
struct Part<'a> {
    money: Money,
    rate: Option<&'a Rate>,
    price: Option<&'a Price>,
}

impl Shard {
    /// What `take` of a hold costs, by what all clearings together have cost so far: in rare cases a unit more than is held,
    /// where refunds have come before. The buffer is no part of it: it is released with what is left at the end (E13).
    pub(crate) fn units_of_part(&self, hold: &Transaction, held: Amounts, take: Money) -> Option<Units> {
        let taken = less(promised_by(hold)?, held);
        let upto = taken.card.plus(take).ok()?;
        match self.rounded_cost(hold, upto) {
            Some(upto) => Some(Units(upto.saturating_sub(taken.units.0).max(0))),
            None => share_of_part(hold, held, take),
        }
    }

    /// What `left` of `paid` costs that is left of a payment which was booked as a whole.
    pub(crate) fn units_of_rest(&self, payment: &Transaction, paid: Amounts, left: Money) -> Option<Units> {
        let none = less(paid, paid);
        let refunded = payment.more.as_ref().map_or(none, |more| more.refunded);
        let upto = left.plus(refunded.card).ok()?;
        match payment.parent().is_none().then(|| self.rounded_cost(payment, upto)).flatten() {
            Some(units) => Some(Units(units.saturating_sub(refunded.units.0).clamp(0, paid.units.0))),
            None => covering(paid, left),
        }
    }

    /// What a refund brings that is worth `exact`, given what its payment has paid and got back. `None` where not all of that
    /// is remembered.
    pub(crate) fn units_of_refund(&self, payment: &Transaction, exact: Fraction) -> Option<Units> {
        let is_hold = |more: &More| more.taken.card.minor() > 0 && !payment.class.is_financial();
        let more = payment.more.as_deref()?;
        let charged = if is_hold(more) { more.taken } else { more.paid };
        let over_refunded = self.over_refunded(payment)?;
        let excess = self
            .exact_cost(payment, charged.card)
            .and_then(|cost| Fraction::whole(charged.units.0).minus(cost.plus(over_refunded).ok()?).ok());
        // More than rounding can have taken is another rate, which is not known any more.
        let excess = excess.filter(|excess| excess.is_proper()).unwrap_or(Fraction::whole(0));
        Some(Units(exact.plus(excess).ok()?.rounded_down()))
    }

    /// What the first `money` of a payment costs, rounded up once with what its refunds have brought.
    fn rounded_cost(&self, payment: &Transaction, money: Money) -> Option<i128> {
        let over_refunded = self.over_refunded(payment).unwrap_or(Fraction::whole(0));
        self.exact_cost(payment, money)?.plus(over_refunded).ok()?.rounded_up().ok()
    }

    /// By how much the refunds of a payment have brought more than they are worth exactly. `None` where they are not all
    /// remembered. One that was undone counts as well: it has moved exactly what it had moved.
    fn over_refunded(&self, payment: &Transaction) -> Option<Fraction> {
        // What was never paid was never refunded. A payment that was undone may have been.
        let was_paid = |more: &More| more.paid.card.minor() > 0 || more.taken.card.minor() > 0;
        if !payment.more.as_deref().is_some_and(was_paid) {
            return Some(Fraction::whole(0));
        }
        let asset = self.asset_of(payment.card)?;
        let refunds = self.store.of_card(payment.card).take(SEARCH_MAX).filter(|found| {
            let was_booked = matches!(found.state, TransactionState::Posted | TransactionState::Reversed);
            found.parent() == Some(payment.number) && found.kind.is_credit() && was_booked
        });
        let (mut standing, mut over) = (Units::ZERO, Fraction::whole(0));
        for refund in refunds {
            let paid = refund.more.as_ref()?.paid;
            if refund.state == TransactionState::Posted {
                standing = standing.plus(paid.units)?;
            }
            let brought = Fraction::whole(paid.units.0);
            over = over.plus(brought.minus(worth_of(refund, paid, asset)?).ok()?).ok()?;
        }
        let known = payment.more.as_ref().is_none_or(|more| more.refunded.units == standing);
        known.then_some(over)
    }

    /// What the first `money` of a transaction costs exactly, over all its parts.
    fn exact_cost(&self, transaction: &Transaction, money: Money) -> Option<Fraction> {
        let asset = self.asset_of(transaction.card)?;
        let mut left = money.minor();
        let mut sum = Fraction::whole(0);
        for part in self.parts_of(transaction, money)? {
            let take = left.min(part.money.minor()).max(0);
            let share = Money::new(take, money.currency());
            sum = sum.plus(exact_at(share, asset, Side::Debit, part.rate, part.price).ok()?).ok()?;
            left = left.saturating_sub(take);
        }
        (left <= 0).then_some(sum)
    }

    /// The parts of a hold, the first one first. What is no hold is one part, and large enough for `money`. `None` where it was
    /// raised before its parts were written down.
    fn parts_of<'a>(&'a self, transaction: &'a Transaction, money: Money) -> Option<Vec<Part<'a>>> {
        let more = transaction.more.as_deref();
        let price = more.and_then(|more| more.price.as_ref());
        let rows = self.raised_by(transaction);
        let size = |row: &Transaction| row.more.as_ref().map_or(0, |more| more.taken.card.minor());
        for increment in more.map(|more| more.increments.as_slice()).unwrap_or_default() {
            let row = rows.iter().find(|row| row.number == increment.number)?;
            let own = row.more.as_ref().and_then(|more| more.price);
            if size(row) < increment.amounts.card.minor() || own.is_none() && price.is_some() {
                return None;
            }
        }
        let added = rows.iter().map(|row| size(row)).fold(0, i64::saturating_add);
        let promised = promised_by(transaction).filter(|promised| promised.card.minor() > 0);
        let whole = promised.map_or(money.minor(), |promised| promised.card.minor());
        let part = |row: &'a Transaction, minor| Part {
            money: Money::new(minor, money.currency()),
            rate: row.rate.as_deref(),
            price: row.more.as_deref().and_then(|more| more.price.as_ref()),
        };
        let mut parts = vec![part(transaction, whole.saturating_sub(added))];
        parts.extend(rows.into_iter().map(|row| part(row, size(row))));
        Some(parts)
    }

    /// The messages that have raised a hold in place, oldest first. What each has added, and nothing has released, is kept with
    /// it as what it has taken.
    fn raised_by<'a>(&'a self, hold: &'a Transaction) -> Vec<&'a Transaction> {
        let may_be = |more: &More| !more.increments.is_empty() || more.taken.card.minor() > 0;
        if !hold.more.as_deref().is_some_and(may_be) {
            return Vec::new();
        }
        let rows = self.store.of_card(hold.card).take(SEARCH_MAX);
        let mut rows: Vec<_> =
            rows.filter(|row| row.parent() == Some(hold.number) && self.is_part(row)).collect();
        rows.sort_by_key(|row| row.number);
        rows
    }

    /// Whether a message raised another transaction's hold in place: every increment but those that the balance service was
    /// asked for, which are holds of their own.
    pub(crate) fn is_part(&self, row: &Transaction) -> bool {
        let undone =
            row.state == TransactionState::Reversed && row.parent().is_some() && !row.kind.is_credit();
        let changed = row.state == TransactionState::Added || undone;
        let in_place = match row.class {
            MessageClass::AuthorizationAdvice => true,
            MessageClass::AuthorizationRequest => {
                self.card(row.card).is_ok_and(|card| card.funding == FundingMode::PreFunded)
            }
            MessageClass::FinancialRequest | MessageClass::FinancialAdvice | MessageClass::Clearing => false,
        };
        changed && in_place
    }

    /// A part of a hold is released: what came last goes first, or what `first` has added before it.
    pub(crate) fn lower_parts(&mut self, hold: TransactionNo, released: Money, first: Option<TransactionNo>) {
        let mut left = released.minor();
        let Some(found) = self.store.find(hold).filter(|_| left > 0) else { return };
        let mut parts: Vec<TransactionNo> = self.raised_by(found).into_iter().map(|row| row.number).collect();
        parts.sort_by_key(|number| (Some(*number) == first, *number));
        for number in parts.into_iter().rev() {
            let Some(more) = self.store.find_mut(number).and_then(|row| row.more.as_mut()) else { continue };
            let size = more.taken.card;
            let share = size.minor().clamp(0, left.max(0));
            more.taken.card = Money::new(size.minor().saturating_sub(share), size.currency());
            left = left.saturating_sub(share);
        }
    }

    fn asset_of(&self, card: CardNo) -> Option<Asset> {
        let account = self.card(card).ok()?.account;
        Some(self.account(account).ok()?.asset)
    }
}

/// What a refund was worth exactly. One without a rate brought back what had been taken, to the unit.
fn worth_of(refund: &Transaction, paid: Amounts, asset: Asset) -> Option<Fraction> {
    let price = refund.more.as_ref().and_then(|more| more.price.as_ref());
    if refund.rate.is_none() && price.is_none() {
        return Some(Fraction::whole(paid.units.0));
    }
    exact_at(paid.card, asset, Side::Credit, refund.rate.as_deref(), price).ok()
}

/// What `take` of a hold costs where its rate is not known: by its share of what was promised.
fn share_of_part(hold: &Transaction, held: Amounts, take: Money) -> Option<Units> {
    let buffer = hold.buffer();
    let without = |amounts: Amounts| Amounts { units: Units((amounts.units.0 - buffer.0).max(0)), ..amounts };
    let held = without(held);
    if take.minor() >= held.card.minor() {
        return Some(held.units);
    }
    let promised = without(promised_by(hold)?);
    let before = less(promised, held);
    let upto = covering(promised, before.card.plus(take).ok()?)?;
    Some(Units(upto.minus(before.units)?.0.clamp(0, held.units.0)))
}
