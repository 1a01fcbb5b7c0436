//! What a payment costs over its whole life, rounded once: clearings up, refunds down (E12).

use super::Model;
use super::arithmetic::{Exact, Side, cost_of};
use authorizer::TransactionState;
use domain::{Amounts, Asset, Money, Units};

impl Model {
    /// What a part of a hold costs: all that was taken so far, at the rates that were locked, less what it has cost.
    pub(super) fn cost_of_part(&self, index: usize, take: Money) -> Units {
        let hold = &self.transactions[index];
        let held = hold.held.expect("an open hold");
        let upto = hold.taken.card.plus(take).expect("no more than was promised");
        match self.exact_cost(index, upto.minor().into()) {
            Some(exact) => {
                let cost = exact.plus(self.over_refunded(index)).up();
                Units((cost - hold.taken.units.0).max(0))
            }
            // Where the rate is not known, by its share of what was promised, without the buffer.
            None => {
                let most = (held.units.0 - hold.buffer()).max(0);
                let mut promised = self.promised(index);
                promised.units = Units((promised.units.0 - hold.buffer()).max(0));
                let before = promised.units.0 - most;
                let cost = cost_of(promised, upto).0 - before;
                Units(if take.minor() >= held.card.minor() { most } else { cost.clamp(0, most) })
            }
        }
    }

    /// What stays of a payment that was booked as a whole: `left` of `paid`, which is what refunds have left of it.
    pub(super) fn cost_of_rest(&self, index: usize, paid: Amounts, left: Money) -> Units {
        let found = &self.transactions[index];
        let upto = i128::from(left.minor()) + i128::from(found.refunded.card.minor());
        match self.exact_cost(index, upto).filter(|_| found.of.is_none()) {
            Some(exact) => {
                let cost = exact.plus(self.over_refunded(index)).up() - found.refunded.units.0;
                Units(cost.clamp(0, paid.units.0))
            }
            None => cost_of(paid, left),
        }
    }

    /// What a refund brings: its worth, with what the payment has paid too much by now.
    pub(super) fn brought_together(&self, payment: usize, exact: Exact) -> i128 {
        let found = &self.transactions[payment];
        let is_hold = found.taken.card.minor() > 0 && !found.request().class.is_financial();
        let charged = if is_hold { found.taken } else { found.paid };
        let should = self.exact_cost(payment, charged.card.minor().into());
        let excess = should.map(|cost| cost.plus(self.over_refunded(payment)).taken_from(charged.units.0));
        let excess = excess.filter(|excess| excess.is_below_one()).unwrap_or(Exact::whole(0));
        exact.plus(excess).down()
    }

    /// By how much its refunds have brought more than they are worth; one that was undone took back what it had brought.
    fn over_refunded(&self, payment: usize) -> Exact {
        let (from, to) = self.assets_of(payment);
        let number = self.transactions[payment].number;
        let refunds = self.transactions.iter().filter(|refund| {
            refund.of == Some(number)
                && matches!(refund.state, TransactionState::Posted | TransactionState::Reversed)
                && refund.request().transaction_type().is_credit()
        });
        // What came back exactly as it had been taken has no rate.
        let at_a_rate = refunds.filter(|refund| refund.rate.is_some() || refund.price.is_some());
        at_a_rate.fold(Exact::whole(0), |over, refund| {
            let locked = (refund.rate.as_ref(), refund.price.as_ref());
            let worth = Exact::locked(refund.paid.card.minor().into(), locked, Side::Credit, from, to);
            over.plus(worth.expect("it was brought in at that").taken_from(refund.paid.units.0))
        })
    }

    /// The first `minor` of a hold, part by part: the first one's, and then those that were added, at their own rates.
    fn exact_cost(&self, index: usize, minor: i128) -> Option<Exact> {
        let found = &self.transactions[index];
        let (from, to) = self.assets_of(index);
        let parts = self.transactions.iter().filter(|part| part.of == Some(found.number) && part.added > 0);
        let mut added: Vec<(u64, i128)> = parts.map(|part| (part.number, part.added)).collect();
        added.sort_unstable();
        let promised = i128::from(self.promised(index).card.minor());
        let whole = if promised > 0 { promised } else { minor };
        let first = whole - added.iter().map(|(_, minor)| minor).sum::<i128>();
        let mut left = minor;
        let mut sum = Exact::whole(0);
        for (number, part) in std::iter::once((found.number, first)).chain(added) {
            let row = self.transactions.iter().find(|row| row.number == number).expect("it was entered");
            let take = left.min(part).max(0);
            let locked = (row.rate.as_ref(), row.price.as_ref());
            sum = sum.plus(Exact::locked(take, locked, Side::Debit, from, to)?);
            left -= take;
        }
        (left <= 0).then_some(sum)
    }

    /// A part of a hold is released: what came last goes first, or what `first` has added before it.
    pub(super) fn lower_parts(&mut self, index: usize, released: Money, first: Option<u64>) {
        let number = self.transactions[index].number;
        let mut left = i128::from(released.minor());
        let mut parts: Vec<_> = self.transactions.iter_mut().filter(|part| part.of == Some(number)).collect();
        parts.sort_by_key(|part| (Some(part.number) != first, std::cmp::Reverse(part.number)));
        for part in parts {
            let share = part.added.min(left).max(0);
            part.added -= share;
            left -= share;
        }
    }

    fn assets_of(&self, index: usize) -> (Asset, Asset) {
        let card = self.transactions[index].card;
        (Asset::of(self.currency_of(card)), self.asset_of(self.account_of(card)))
    }
}
