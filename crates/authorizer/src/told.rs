//! What the balance service last said about an account, and what it cannot have known then (E32).
//!
//! A balance that was told has our counted holds taken off. What was promised since, and what may have been promised
//! behind its back, is kept beside it and taken off on top: advices that the service has not acknowledged, and
//! whatever it acknowledged so late that the balance may be older. Nothing is ever added: what was given back counts
//! again when the service says so.

use domain::{Counts, DutyNo, Timestamp, TransactionNo, Units};
use serde::{Deserialize, Serialize};

/// Acknowledged items that are kept one by one, so that a balance told later can name them. Older ones are added up.
const ACKNOWLEDGED_MAX: usize = 8;

/// A balance as the balance service told it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Told {
    /// The service's version.
    pub version: u64,
    /// What is available there.
    pub available: Units,
    /// When it was told.
    pub at: Timestamp,
}

/// All that is known of an account's balance at the service.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Word {
    pub(crate) told: Option<Told>,
    /// The ask whose answer told it.
    pub(crate) by: Option<TransactionNo>,
    /// What it may not have taken off, oldest first.
    uncounted: Vec<Uncounted>,
}

/// Money that is promised, and that the balance may not have taken off.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Uncounted {
    /// The duty that tells the service of it; `None` where its own answer did.
    duty: Option<DutyNo>,
    transaction: TransactionNo,
    units: Units,
    /// The last number that was given when the service acknowledged it. A later ask is answered by a service that knows.
    acknowledged: Option<TransactionNo>,
}

impl Word {
    /// Takes a balance in, unless a newer one is known.
    pub(crate) fn tell(&mut self, told: Told, counts: &Counts) {
        if self.told.is_some_and(|before| before.version >= told.version) {
            return;
        }
        self.told = Some(told);
        match counts {
            Counts::Ask(ask) => {
                self.by = Some(*ask);
                self.uncounted.retain(|item| {
                    item.transaction != *ask && item.acknowledged.is_none_or(|known| known >= *ask)
                });
            }
            Counts::Named(counted) => {
                self.by = None;
                self.uncounted.retain(|item| !counted.contains(&item.transaction));
            }
        }
    }

    /// `units` of a transaction are promised, and a duty is to tell the service of them.
    pub(crate) fn owe(&mut self, duty: DutyNo, transaction: TransactionNo, units: Units) {
        self.uncounted.push(Uncounted { duty: Some(duty), transaction, units, acknowledged: None });
    }

    /// The service promised `units` itself, and told no balance with it. `last` is the last number given.
    pub(crate) fn promised(&mut self, transaction: TransactionNo, units: Units, last: TransactionNo) {
        if self.by != Some(transaction) {
            self.uncounted.push(Uncounted { duty: None, transaction, units, acknowledged: Some(last) });
            self.add_up_oldest();
        }
    }

    /// The service acknowledged a duty. `last` is the last number given.
    pub(crate) fn acknowledged(&mut self, duty: DutyNo, last: TransactionNo) {
        if let Some(item) = self.uncounted.iter_mut().find(|item| item.duty == Some(duty)) {
            item.acknowledged = Some(last);
        }
        self.add_up_oldest();
    }

    /// A hold ended without being paid: whether the balance has it taken off or not, it is not taken off again.
    pub(crate) fn ended(&mut self, transaction: TransactionNo) {
        self.uncounted.retain(|item| item.transaction != transaction);
    }

    /// What is available for certain: the balance less all that it may not have taken off.
    pub(crate) fn available(&self) -> Option<Units> {
        let promised = self.uncounted.iter().fold(0_i128, |sum, item| sum.saturating_add(item.units.0));
        Some(Units(self.told?.available.0.saturating_sub(promised)))
    }

    /// Keeps the list short: the two oldest that were acknowledged become one, as if both were acknowledged last.
    fn add_up_oldest(&mut self) {
        let settled = |item: &&Uncounted| item.acknowledged.is_some();
        if self.uncounted.iter().filter(settled).count() <= ACKNOWLEDGED_MAX {
            return;
        }
        let Some(first) = self.uncounted.iter().position(|item| item.acknowledged.is_some()) else { return };
        let oldest = self.uncounted.remove(first);
        if let Some(next) = self.uncounted.iter_mut().find(|item| item.acknowledged.is_some()) {
            next.units.grow(oldest.units);
            next.acknowledged = next.acknowledged.max(oldest.acknowledged);
            // Two transactions are in it, so that nobody can name it any more.
            (next.transaction, next.duty) = (TransactionNo::default(), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(version: u64, units: i128) -> Told {
        Told { version, available: Units(units), at: Timestamp::default() }
    }

    const fn no(number: u64) -> TransactionNo {
        TransactionNo(number)
    }

    #[test]
    fn an_older_balance_tells_nothing() {
        let mut word = Word::default();
        word.tell(told(5, 100), &Counts::Ask(no(1)));
        word.tell(told(4, 900), &Counts::Ask(no(2)));
        word.tell(told(5, 900), &Counts::Named(Vec::new()));
        assert_eq!(word.available(), Some(Units(100)));
    }

    #[test]
    fn what_the_balance_cannot_have_known_is_taken_off_on_top() {
        let mut word = Word::default();
        word.tell(told(1, 100), &Counts::Ask(no(10)));
        word.owe(no(21), no(20), Units(30));
        assert_eq!(word.available(), Some(Units(70)));
        // Asked before the advice was acknowledged: the answer may be older than the advice.
        word.acknowledged(no(21), no(40));
        word.tell(told(2, 95), &Counts::Ask(no(35)));
        assert_eq!(word.available(), Some(Units(65)));
        word.tell(told(3, 64), &Counts::Ask(no(41)));
        assert_eq!(word.available(), Some(Units(64)));
    }

    #[test]
    fn a_pushed_balance_counts_what_it_names_and_nothing_else() {
        let mut word = Word::default();
        word.owe(no(21), no(20), Units(30));
        word.owe(no(23), no(22), Units(5));
        word.tell(told(1, 100), &Counts::Named(vec![no(20)]));
        assert_eq!(word.available(), Some(Units(95)));
    }

    #[test]
    fn a_promise_of_the_service_counts_where_its_own_answer_told_no_balance() {
        let mut word = Word::default();
        word.tell(told(1, 100), &Counts::Ask(no(10)));
        word.promised(no(10), Units(40), no(10));
        assert_eq!(word.available(), Some(Units(100)), "the answer itself told the balance");
        word.promised(no(11), Units(40), no(11));
        assert_eq!(word.available(), Some(Units(60)));
        word.ended(no(11));
        assert_eq!(word.available(), Some(Units(100)));
    }

    #[test]
    fn a_long_list_is_added_up_and_never_forgotten_too_soon() {
        let mut word = Word::default();
        word.tell(told(1, 1_000), &Counts::Ask(no(1)));
        for number in 2..100 {
            word.promised(no(number), Units(1), no(number));
            assert!(word.uncounted.len() <= ACKNOWLEDGED_MAX);
        }
        assert_eq!(word.available(), Some(Units(1_000 - 98)));
        // What was added up counts as acknowledged when the last of it was; the ask itself is in its balance.
        word.tell(told(2, 1_000), &Counts::Ask(no(95)));
        assert_eq!(word.available(), Some(Units(996)));
    }
}
