//! What the balance service is owed, what it said, and what it cannot know yet.

use crate::shard::{ApplyError, Shard};
use domain::{AccountNo, Approver, Duty, DutyKind, DutyNo, Said, TransactionNo, Units};

impl Shard {
    pub(super) fn owe(&mut self, duty: Duty) -> Result<(), ApplyError> {
        self.count_number(duty.number);
        // A duty may outlive what it speaks of.
        if let Some(transaction) = self.store.find_mut(duty.transaction) {
            transaction.set_duties(transaction.duties().max(duty.sequence));
            let card = transaction.card;
            let account = self.card(card)?.account;
            let more = self.account_mut(account)?.more_mut();
            more.duties = more.duties.max(duty.account_sequence);
        }
        let news = news_of(&duty);
        let account = self.enter_duty(duty);
        if let Some(account) = account.filter(|_| news.is_positive()) {
            let word = self.account_mut(account)?.more_mut().word.get_or_insert_default();
            word.owe(duty.number, duty.transaction, news);
        }
        Ok(())
    }

    /// Enters a duty with what is derived from it. Whose account it is about, where it tells the service news.
    pub(crate) fn enter_duty(&mut self, duty: Duty) -> Option<AccountNo> {
        let advises = is_advice(&duty);
        let account = if advises || news_of(&duty).is_positive() { self.account_of(&duty) } else { None };
        if let Some(account) = account {
            self.duty_accounts.insert(duty.number, account);
            if advises {
                self.expose(account, duty.units);
            }
        }
        self.duties.insert(duty.number, duty);
        account
    }

    pub(super) fn duty_done(&mut self, number: DutyNo) -> Result<(), ApplyError> {
        let Some(duty) = self.duties.remove(&number) else { return Ok(()) };
        let Some(account) = self.duty_accounts.remove(&number) else { return Ok(()) };
        if is_advice(&duty) {
            self.expose(account, Units(duty.units.0.saturating_neg()));
        }
        let last = self.last_number;
        if news_of(&duty).is_positive()
            && let Some(word) = self.account_mut(account)?.word_mut()
        {
            word.acknowledged(number, last);
        }
        Ok(())
    }

    /// The service promised money itself. Where it tells balances, and told none with this, the last one is without it.
    pub(super) fn service_promised(
        &mut self,
        transaction: TransactionNo,
        by: Approver,
        units: Units,
    ) -> Result<(), ApplyError> {
        let Some(card) = self.store.find(transaction).map(|row| row.card) else { return Ok(()) };
        let (account, last) = (self.card(card)?.account, self.last_number);
        if by == Approver::BalanceService
            && let Some(word) = self.account_mut(account)?.word_mut()
            && word.told.is_some()
        {
            word.promised(transaction, units, last);
        }
        Ok(())
    }

    pub(super) fn keep_said(&mut self, transaction: TransactionNo, said: Said) -> Result<(), ApplyError> {
        let Some(card) = self.store.find(transaction).map(|row| row.card) else { return Ok(()) };
        let zero = self.zero(card)?;
        if let Some(row) = self.store.find_mut(transaction) {
            row.more_mut(zero).said = Some(Box::new(said));
        }
        Ok(())
    }

    /// Adds to what an account, and its program, has open that the service has not acknowledged.
    fn expose(&mut self, account: AccountNo, units: Units) {
        let Ok(found) = self.account_mut(account) else { return };
        found.more_mut().outstanding.grow(units);
        let Ok(found) = self.account(account) else { return };
        let (id, asset) = (self.account_id(found), found.asset);
        if let Some((slot, _)) = self.policy.stand_in.slot_of(&id, &asset)
            && let Some(exposed) = self.exposed.get_mut(slot.0)
        {
            exposed.open.grow(units);
            exposed.asset = Some(asset);
        }
    }

    /// Whose account a duty is about. By its transaction; where that is forgotten, by its name.
    fn account_of(&mut self, duty: &Duty) -> Option<AccountNo> {
        match self.store.find(duty.transaction) {
            Some(row) => self.card(row.card).ok().map(|card| card.account),
            None => self.accounts_by_name.find(duty.account.as_str(), &self.accounts, &self.names),
        }
    }
}

/// Whether a duty tells of an approval that was given in the service's name.
const fn is_advice(duty: &Duty) -> bool {
    matches!(duty.kind, DutyKind::Advise { .. })
}

/// How much a duty tells of that the service has not promised itself: what it cannot have taken off before it hears.
fn news_of(duty: &Duty) -> Units {
    match duty.kind {
        DutyKind::Advise { .. } => duty.units,
        DutyKind::Clear { reserved, .. } => Units(duty.units.0.saturating_sub(reserved.0)),
        // What a refund brought in leaves again.
        DutyKind::Undo { credit: false } => duty.units,
        DutyKind::Undo { credit: true }
        | DutyKind::Cancel(_)
        | DutyKind::Confirm
        | DutyKind::Reverse { .. }
        | DutyKind::Refund { .. }
        | DutyKind::Expire => Units::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use domain::{AccountId, Asset, Currency, Fact, ShardId, Text, Timestamp};

    #[test]
    fn a_duty_is_its_accounts_when_its_transaction_is_forgotten_too() {
        let asset = Asset::of(Currency::from_alpha("USD").unwrap());
        let mut shard = Shard::new(ShardId(1), Policy::default());
        let outstanding = |shard: &Shard, account| shard.account(AccountNo(account)).unwrap().outstanding();
        for account in 0..3 {
            let id = AccountId::new(&format!("A{account}")).unwrap();
            let opened = Fact::AccountOpened { account: AccountNo(account), id, asset };
            shard.apply(&opened, Timestamp::default()).unwrap();
            let duty = Duty {
                number: TransactionNo(10 + u64::from(account)),
                transaction: TransactionNo(1),
                account: id,
                kind: DutyKind::Advise { merchant: Text::EMPTY },
                units: Units(5),
                asset,
                sequence: 1,
                account_sequence: 1,
            };
            shard.apply(&Fact::DutyOwed { duty }, Timestamp::default()).unwrap();
        }
        assert_eq!([0, 1, 2].map(|account| outstanding(&shard, account)), [Units(5); 3]);
        let done = Fact::DutyDone { duty: TransactionNo(11) };
        shard.apply(&done, Timestamp::default()).unwrap();
        assert_eq!([0, 1, 2].map(|account| outstanding(&shard, account).0), [5, 0, 5]);
        assert_eq!(shard.duty_accounts.len(), 2);
    }
}
