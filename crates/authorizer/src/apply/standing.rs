//! What stands of a transaction's amount in the merchant's currency, where the card is billed in another.
//!
//! A reversal of a part may name its new total in that currency, and what it comes to on the card is its share of what
//! stood until then. Were that always the first amount, a repeat of the message would give back once more (E5). So what stands
//! is kept: a total that was named stands as it is, an increment adds to it, and whatever else changes the card's side
//! changes it in proportion.

use crate::parts::part;
use crate::shard::{ApplyError, Shard};
use crate::transaction::Transaction;
use domain::{Money, TransactionNo, Units};

impl Shard {
    /// `said` stands from now on; where nothing was said that can be compared, its share of `before` that `after` is.
    pub(super) fn stands(
        &mut self,
        number: TransactionNo,
        said: Option<Money>,
        before: Money,
        after: Money,
    ) -> Result<(), ApplyError> {
        let row = self.store.find(number);
        let Some((card, stood)) = row.and_then(|row| Some((row.card, row.standing()?))) else {
            return Ok(());
        };
        let zero = self.zero(card)?;
        if stood.currency() == zero.currency() {
            return Ok(());
        }
        let said = said.filter(|said| said.currency() == stood.currency());
        let share = || part(stood, Units(after.minor().into()), Units(before.minor().into()));
        if let Some(stands) = said.or_else(share)
            && let Some(row) = self.store.find_mut(number)
        {
            row.more_mut(zero).stands = Some(stands);
        }
        Ok(())
    }

    /// What stands of the first hold once the whole payment stands at `total`.
    pub(super) fn standing_beside(&self, number: TransactionNo, total: Money) -> Option<Money> {
        let parent = self.store.find(number)?;
        let beside = self.increments_of(parent).filter_map(Transaction::standing);
        let beside = beside.filter(|stands| stands.currency() == total.currency()).map(Money::minor);
        let left = total.minor().saturating_sub(beside.fold(0, i64::saturating_add));
        Some(Money::new(left.max(0), total.currency()))
    }

    /// What stands once `more` is added, where both are in one currency.
    pub(super) fn standing_with(&self, number: TransactionNo, more: Money) -> Option<Money> {
        self.store.find(number).and_then(Transaction::standing)?.plus(more).ok()
    }
}
