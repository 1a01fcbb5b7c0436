//! What becomes of an approval whose answer did not reach the processor.

use crate::shard::{ApplyError, Shard};
use domain::{Reason, Timestamp, TransactionNo};

impl Shard {
    /// The processor was told no, so that is the answer from now on.
    pub(super) fn answer_withheld(&mut self, number: TransactionNo) -> Result<(), ApplyError> {
        let missing = ApplyError::NoSuchTransition { transaction: self.transaction_id(number) };
        let row = self.store.find_mut(number).ok_or(missing)?;
        row.reason = Some(Reason::DeadlinePassed);
        row.set_part(None);
        row.set_failures(&[Reason::DeadlinePassed.into()]);
        Ok(())
    }

    /// The hold ends sooner, unless the answer is delivered after all.
    pub(super) fn answer_undelivered(
        &mut self,
        number: TransactionNo,
        until: Timestamp,
    ) -> Result<(), ApplyError> {
        let (card, before) = {
            let row = self.in_state(number, crate::transaction::TransactionState::Approved)?;
            (row.card, row.expires_at)
        };
        let zero = self.zero(card)?;
        if let Some(row) = self.store.find_mut(number) {
            row.more_mut(zero).ends_when_delivered.get_or_insert(before);
        }
        self.end_hold_at(number, before, until);
        Ok(())
    }

    /// The answer goes out again; the hold ends when it would have ended.
    pub(super) fn answer_repeated(&mut self, number: TransactionNo) -> Result<(), ApplyError> {
        let missing = || ApplyError::NoSuchTransition { transaction: self.transaction_id(number) };
        let (card, before) =
            self.store.find(number).map(|row| (row.card, row.expires_at)).ok_or_else(missing)?;
        let zero = self.zero(card)?;
        let Some(row) = self.store.find_mut(number) else { return Ok(()) };
        let more = row.more_mut(zero);
        more.repeated = true;
        if let Some(whole) = more.ends_when_delivered.take() {
            // An increment may have prolonged it meanwhile.
            self.end_hold_at(number, before, whole.max(before));
        }
        Ok(())
    }

    fn end_hold_at(&mut self, number: TransactionNo, before: Timestamp, end: Timestamp) {
        if let Some(row) = self.store.find_mut(number) {
            row.expires_at = end;
        }
        self.store.cancel_expiry(number, before);
        self.store.expect_expiry(number, end);
    }
}
