//! What the balance service has told of its accounts, and what of our promises it cannot have known then (E32).
//!
//! A list of what was heard and promised, in order. What is available for certain is found by reading the account's list
//! from its beginning, each time.

use super::Model;
use authorizer::{ServiceWord, Told};
use domain::{Counts, Duty, DutyKind, Moment, Said, TransactionNo, Units};

/// So many promises that were acknowledged stay apart; of more, the two oldest become one that nobody can name.
const APART_MAX: usize = 8;

/// Something between the switch and the balance service.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    /// The service told a balance.
    Told(Told, Counts),
    /// Money was promised: by us, and a duty is to tell the service; or by the service itself.
    Promised { transaction: TransactionNo, units: Units, duty: Option<TransactionNo>, last: u64 },
    /// The service acknowledged a duty; `last` is the last number that was given until then.
    Acknowledged { duty: TransactionNo, last: u64 },
    /// A hold ended without being paid.
    Ended(TransactionNo),
}

/// Money that a balance may not have taken off.
#[derive(Clone, Copy, Debug)]
struct Promise {
    transaction: Option<TransactionNo>,
    units: Units,
    duty: Option<TransactionNo>,
    /// The last number that was given when the service was known to know of it.
    known_at: Option<u64>,
}

impl Model {
    /// The answer to an ask said more than its decision. The balance of another account than ours says nothing of ours.
    pub(super) fn service_told(&mut self, number: TransactionNo, word: &ServiceWord, now: Moment) {
        let Some(index) = self.transactions.iter().position(|found| found.number == number.0) else { return };
        let account = self.account_of(self.transactions[index].card);
        let own = word.said.account.is_none_or(|said| said == self.account(account).id);
        if let Some((version, available)) = word.balance.filter(|_| own) {
            self.balance_told(account, Told { version, available, at: now.utc }, Counts::Ask(number));
        }
        if word.said != Said::default() {
            self.transactions[index].said = Some(word.said);
        }
    }

    /// A balance is taken in where it is newer than every one before.
    pub(super) fn balance_told(&mut self, account: u32, told: Told, counts: Counts) {
        if self.told_of(account).is_none_or(|before| before.version < told.version) {
            self.heard.push((account, Heard::Told(told, counts)));
        }
    }

    /// The balance that the service told last.
    #[must_use]
    pub fn told_of(&self, account: u32) -> Option<Told> {
        self.newest_word(account).map(|(told, _)| told)
    }

    fn newest_word(&self, account: u32) -> Option<(Told, Counts)> {
        self.heard.iter().rev().find_map(|(of, heard)| match heard {
            Heard::Told(told, counts) if *of == account => Some((*told, counts.clone())),
            Heard::Told(..) | Heard::Promised { .. } | Heard::Acknowledged { .. } | Heard::Ended(_) => None,
        })
    }

    /// Whether the newest balance came with the answer to this very ask, and so has it taken off.
    pub(super) fn was_told_with(&self, index: usize) -> bool {
        let found = &self.transactions[index];
        let word = self.newest_word(self.account_of(found.card));
        word.is_some_and(|(_, counts)| counts == Counts::Ask(TransactionNo(found.number)))
    }

    /// The service approved an ask. Where it tells balances, and told none with this, the last one is without it.
    pub(super) fn service_promised(&mut self, index: usize, units: Units) {
        let found = &self.transactions[index];
        let (account, transaction) = (self.account_of(found.card), TransactionNo(found.number));
        if self.told_of(account).is_some() && !self.was_told_with(index) {
            let promised = Heard::Promised { transaction, units, duty: None, last: self.last_number };
            self.heard.push((account, promised));
        }
    }

    /// A duty is owed. What it tells of that the service has not promised itself, it cannot know yet.
    pub(super) fn promised_by_duty(&mut self, account: u32, duty: &Duty) {
        let units = match duty.kind {
            DutyKind::Advise { .. } | DutyKind::Undo { credit: false } => duty.units,
            DutyKind::Clear { reserved, .. } => Units(duty.units.0 - reserved.0),
            DutyKind::Undo { credit: true }
            | DutyKind::Cancel(_)
            | DutyKind::Confirm
            | DutyKind::Reverse { .. }
            | DutyKind::Refund { .. }
            | DutyKind::Expire => Units::ZERO,
        };
        if units.0 > 0 {
            let (transaction, duty, last) = (duty.transaction, Some(duty.number), self.last_number);
            self.heard.push((account, Heard::Promised { transaction, units, duty, last }));
        }
    }

    /// The service acknowledged a duty; once more changes nothing.
    pub(super) fn acknowledged(&mut self, number: TransactionNo) {
        let last = self.last_number;
        let owed = self.duties.iter().find(|owed| owed.number == number);
        if let Some(account) = owed.and_then(|owed| self.account_named(owed)) {
            self.heard.push((account, Heard::Acknowledged { duty: number, last }));
        }
        self.duties.retain(|owed| owed.number != number);
    }

    /// A hold has ended and nothing was paid: what was promised for it is promised no more.
    pub(super) fn promise_ended(&mut self, index: usize) {
        let found = &self.transactions[index];
        self.heard.push((self.account_of(found.card), Heard::Ended(TransactionNo(found.number))));
    }

    /// What an account has available at its service for certain: the balance that was told last, less all that it may not
    /// have taken off.
    #[must_use]
    pub fn available_at_service(&self, account: u32) -> Option<Units> {
        let mut promises: Vec<Promise> = Vec::new();
        for (_, heard) in self.heard.iter().filter(|(of, _)| *of == account) {
            match heard {
                Heard::Promised { transaction, units, duty, last } => promises.push(Promise {
                    transaction: Some(*transaction),
                    units: *units,
                    duty: *duty,
                    known_at: duty.is_none().then_some(*last),
                }),
                Heard::Acknowledged { duty, last } => {
                    let told = promises.iter_mut().filter(|promise| promise.duty == Some(*duty));
                    told.for_each(|promise| promise.known_at = Some(*last));
                }
                Heard::Ended(transaction) => {
                    promises.retain(|promise| promise.transaction != Some(*transaction));
                }
                Heard::Told(_, Counts::Named(named)) => promises
                    .retain(|promise| promise.transaction.is_none_or(|number| !named.contains(&number))),
                Heard::Told(_, Counts::Ask(ask)) => promises.retain(|promise| {
                    let known = promise.known_at.is_some_and(|last| last < ask.0);
                    !known && promise.transaction != Some(*ask)
                }),
            }
            join_oldest(&mut promises);
        }
        let promised: i128 = promises.iter().map(|promise| promise.units.0).sum();
        self.told_of(account).map(|told| Units(told.available.0 - promised))
    }

    /// What was approved in the service's name and it has not acknowledged, of one account (E9).
    #[must_use]
    pub fn outstanding(&self, account: u32) -> Units {
        let open = self.duties.iter().filter(|duty| matches!(duty.kind, DutyKind::Advise { .. }));
        let of_account = open.filter(|duty| self.account_named(duty) == Some(account));
        Units(of_account.map(|duty| duty.units.0).sum())
    }

    fn account_named(&self, duty: &Duty) -> Option<u32> {
        (0..self.accounts()).find(|account| self.account(*account).id == duty.account)
    }
}

/// Of too many promises that the service knows, the two oldest become one, as if both were known when the last of them was.
fn join_oldest(promises: &mut Vec<Promise>) {
    let known: Vec<usize> = (0..promises.len()).filter(|place| promises[*place].known_at.is_some()).collect();
    if known.len() > APART_MAX {
        let oldest = promises[known[0]];
        let next = &mut promises[known[1]];
        *next = Promise {
            transaction: None,
            duty: None,
            units: Units(next.units.0 + oldest.units.0),
            known_at: next.known_at.max(oldest.known_at),
        };
        promises.remove(known[0]);
    }
}
