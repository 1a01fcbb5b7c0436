//! What the balance service is owed, what it said, and what it cannot know yet.

use crate::shard::{ApplyError, Shard};
use domain::{AccountId, AccountNo, Approver, Duty, DutyKind, DutyNo, Said, TransactionNo, Units};

impl Shard {
    pub(super) fn owe(&mut self, duty: Duty) -> Result<(), ApplyError> {
        self.count_number(duty.number);
        // A duty may outlive what it speaks of.
        if let Some(transaction) = self.store.find_mut(duty.transaction) {
            transaction.duties = transaction.duties.max(duty.sequence);
            let card = transaction.card;
            let account = self.card(card)?.account;
            let more = self.account_mut(account)?.more_mut();
            more.duties = more.duties.max(duty.account_sequence);
        }
        let news = news_of(&duty);
        if news.is_positive()
            && let Some(account) = self.account_of(&duty)
        {
            let word = self.account_mut(account)?.more_mut().word.get_or_insert_default();
            word.owe(duty.number, duty.transaction, news);
        }
        self.enter_duty(duty);
        Ok(())
    }

    /// Enters a duty with what is derived from it.
    pub(crate) fn enter_duty(&mut self, duty: Duty) {
        if matches!(duty.kind, DutyKind::Advise { .. })
            && let Some(account) = self.account_of(&duty)
        {
            self.advices.insert(duty.number, account);
            self.expose(account, duty.units);
        }
        self.duties.insert(duty.number, duty);
    }

    pub(super) fn duty_done(&mut self, number: DutyNo) -> Result<(), ApplyError> {
        let Some(duty) = self.duties.remove(&number) else { return Ok(()) };
        if let Some(account) = self.advices.remove(&number) {
            self.expose(account, Units(duty.units.0.saturating_neg()));
        }
        let last = self.last_number;
        if news_of(&duty).is_positive()
            && let Some(account) = self.account_of(&duty)
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
    fn account_of(&self, duty: &Duty) -> Option<AccountNo> {
        match self.store.find(duty.transaction) {
            Some(row) => self.card(row.card).ok().map(|card| card.account),
            None => self.account_named(&duty.account),
        }
    }

    fn account_named(&self, id: &AccountId) -> Option<AccountNo> {
        let place = self.accounts.iter().position(|account| self.names.text(account.name) == id.as_str())?;
        u32::try_from(place).ok().map(AccountNo)
    }
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
