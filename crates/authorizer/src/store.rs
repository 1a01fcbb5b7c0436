//! The transactions of a shard: found by number, by references and by card, in constant time.
//!
//! Rows lie in chunks and are linked by their places, four bytes each, because there are millions of them; keys are looked
//! up by a part of their hash and compared in the row. What grows here grows in pieces: no insertion copies or rehashes
//! more than a fraction of the store.
//!
//! Bounded: finished transactions older than the repeat window are forgotten, and the oldest finished ones
//! also when there are too many. Open ones are never forgotten.

use crate::chunks::Chunks;
use crate::due::Due;
use crate::lookup::{Fingerprint, Lookup};
use crate::policy::Policy;
use crate::transaction::{MatchKey, Transaction};
use domain::{CardNo, Timestamp, TransactionNo};
use std::collections::VecDeque;
use std::num::NonZeroU32;

/// How many transactions one insertion may forget, so that no decision pays for a long backlog.
const FORGET_AT_ONCE_MAX: usize = 4;

/// A place in `slots`, counted from one: so that none is as small as one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Slot(NonZeroU32);

impl Slot {
    fn at(place: usize) -> Self {
        let number = u32::try_from(place).ok().and_then(|place| NonZeroU32::MIN.checked_add(place));
        assert!(number.is_some(), "a shard holds fewer than 2^32 transactions");
        Self(number.unwrap_or(NonZeroU32::MAX))
    }

    /// A slot that a lookup has: it was entered by `number`.
    fn entered(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    const fn number(self) -> u32 {
        self.0.get()
    }

    fn place(self) -> usize {
        index(self.number() - 1)
    }
}

/// All transactions that the shard remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    slots: Chunks<Option<Entry>>,
    free: Vec<Slot>,
    by_number: Lookup,
    /// Where the oldest transaction with each match key is.
    by_key: Lookup,
    newest_of_card: Chunks<Option<Slot>>,
    finished: VecDeque<(Timestamp, TransactionNo)>,
    /// Payments that were declined: a clearing may come for one all the same.
    declined: VecDeque<(Timestamp, TransactionNo)>,
    /// Finished payments, for which clearings and refunds may come late: they are kept longer.
    paid: VecDeque<(Timestamp, TransactionNo)>,
    expiries: Due,
    without_transmission: usize,
}

/// A transaction and its neighbours in the two lists it stands in.
#[derive(Clone, Debug)]
struct Entry {
    transaction: Transaction,
    next_of_key: Option<Slot>,
    older_of_card: Option<Slot>,
    newer_of_card: Option<Slot>,
}

impl Store {
    /// How many transactions are remembered.
    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// How many reversals are remembered whose original gave no transmission time.
    pub(crate) const fn without_transmission(&self) -> usize {
        self.without_transmission
    }

    /// The transaction of that number.
    pub(crate) fn find(&self, number: TransactionNo) -> Option<&Transaction> {
        self.entry(self.slot_of(number)?).map(|entry| &entry.transaction)
    }

    /// The transaction of that number, to be changed. Its references must stay as they are.
    pub(crate) fn find_mut(&mut self, number: TransactionNo) -> Option<&mut Transaction> {
        let slot = self.slot_of(number)?;
        self.entry_mut(slot).map(|entry| &mut entry.transaction)
    }

    /// All transactions with these references, oldest first.
    pub(crate) fn with_key(&self, key: MatchKey) -> impl Iterator<Item = &Transaction> {
        let first = self.first_of(key).and_then(|slot| self.entry(slot));
        std::iter::successors(first, |entry| self.entry(entry.next_of_key?)).map(|entry| &entry.transaction)
    }

    /// All transactions of a card, newest first.
    pub(crate) fn of_card(&self, card: CardNo) -> impl Iterator<Item = &Transaction> {
        let newest = self.newest_of_card.get(index(card.0)).copied().flatten();
        let first = newest.and_then(|slot| self.entry(slot));
        std::iter::successors(first, |entry| self.entry(entry.older_of_card?)).map(|entry| &entry.transaction)
    }

    /// Remembers a transaction. One that is not open counts as finished at once.
    pub(crate) fn insert(&mut self, transaction: Transaction, policy: &Policy) {
        let (number, at, open) = (transaction.number, transaction.at, transaction.state.is_open());
        self.link(transaction);
        if !open {
            self.finish(number, at);
        }
        self.forget_old(at, policy);
    }

    /// Enters a transaction into every list that is derived from it, as the newest of each.
    #[inline]
    pub(crate) fn link(&mut self, transaction: Transaction) {
        let (number, key, card) = (transaction.number, transaction.key(), transaction.card);
        self.without_transmission += usize::from(key.transmission.is_none());
        let older_of_card = self.newest_of_card.get(index(card.0)).copied().flatten();
        let slot =
            self.place(Some(Entry { transaction, next_of_key: None, older_of_card, newer_of_card: None }));
        self.by_number.insert(Fingerprint::of(number), slot.number());
        self.append_to_key(key, slot);
        if let Some(older) = older_of_card.and_then(|older| self.entry_mut(older)) {
            older.newer_of_card = Some(slot);
        }
        while self.newest_of_card.len() <= index(card.0) {
            self.newest_of_card.push(None);
        }
        self.set_newest(card, Some(slot));
    }

    /// Notes that a transaction is finished: it may be forgotten once it is old enough.
    pub(crate) fn finish(&mut self, number: TransactionNo, at: Timestamp) {
        let queue = match self.find(number) {
            Some(row) if row.may_be_followed() => &mut self.paid,
            Some(row) if row.is_declined_payment() => &mut self.declined,
            Some(_) | None => &mut self.finished,
        };
        queue.push_back((at, number));
    }

    /// Notes when a hold runs out.
    pub(crate) fn expect_expiry(&mut self, number: TransactionNo, expires_at: Timestamp) {
        self.expiries.insert((expires_at, number));
    }

    /// Forgets when a hold would have run out: it is finished.
    pub(crate) fn cancel_expiry(&mut self, number: TransactionNo, expires_at: Timestamp) {
        self.expiries.remove((expires_at, number));
    }

    /// All transactions in the order of their numbers, which is the order they were entered in.
    pub(crate) fn by_number(&self) -> Vec<&Transaction> {
        let entries = self.slots.iter().flatten();
        let mut all: Vec<&Transaction> = entries.map(|entry| &entry.transaction).collect();
        all.sort_unstable_by_key(|transaction| transaction.number);
        all
    }

    /// Finished transactions in the order in which they will be forgotten.
    pub(crate) fn finished(&self) -> impl Iterator<Item = (Timestamp, TransactionNo)> {
        self.finished.iter().chain(&self.declined).chain(&self.paid).copied()
    }

    /// How many holds are to run out.
    pub(crate) const fn expiries_len(&self) -> usize {
        self.expiries.len()
    }

    /// When each hold runs out, soonest first.
    pub(crate) fn expiries(&self) -> impl Iterator<Item = (Timestamp, TransactionNo)> {
        self.expiries.iter()
    }

    /// Holds that have run out at `now`, oldest first.
    pub(crate) fn expired(&self, now: Timestamp) -> impl Iterator<Item = &Transaction> {
        let due = self.expiries.iter().take_while(move |(at, _)| *at <= now);
        due.filter_map(|(_, number)| self.find(number))
    }

    /// Forgets what is older than it has to be, and the oldest above the bound: first what nothing can follow, then
    /// what hardly anything follows.
    fn forget_old(&mut self, now: Timestamp, policy: &Policy) {
        let repeats = policy.repeat_window;
        let declines = policy.life.keep_declines_for.max(repeats);
        let follow_ups = policy.life.keep_for.max(repeats);
        for _ in 0..FORGET_AT_ONCE_MAX {
            let too_many = self.len() > policy.transactions_per_shard_max;
            let due = |queue: &VecDeque<(Timestamp, TransactionNo)>, keep_for| {
                let (at, number) = *queue.front()?;
                (now.since(at) > keep_for || too_many).then_some((at, number))
            };
            let (at, number) = if let Some(oldest) = due(&self.finished, repeats) {
                self.finished.pop_front();
                oldest
            } else if let Some(oldest) = due(&self.declined, declines) {
                self.declined.pop_front();
                oldest
            } else if let Some(oldest) = due(&self.paid, follow_ups) {
                self.paid.pop_front();
                oldest
            } else {
                break;
            };
            // What was booked at once and undone later has ended a second time, and is kept from then on.
            let ended_again = self.find(number).map(|found| found.ended_at).filter(|ended| *ended > at);
            match ended_again.filter(|_| !too_many) {
                Some(ended_at) => self.finish(number, ended_at),
                None => self.forget(number),
            }
        }
    }

    fn forget(&mut self, number: TransactionNo) {
        let Some(slot) = self.slot_of(number) else { return };
        self.by_number.remove(Fingerprint::of(number), slot.number());
        let Some(entry) = self.slots.get_mut(slot.place()).and_then(Option::take) else { return };
        self.free.push(slot);
        let key = entry.transaction.key();
        self.without_transmission -= usize::from(key.transmission.is_none());
        self.remove_from_key(key, slot, entry.next_of_key);
        if let Some(older) = entry.older_of_card.and_then(|older| self.entry_mut(older)) {
            older.newer_of_card = entry.newer_of_card;
        }
        match entry.newer_of_card {
            Some(newer) => {
                if let Some(newer) = self.entry_mut(newer) {
                    newer.older_of_card = entry.older_of_card;
                }
            }
            None => self.set_newest(entry.transaction.card, entry.older_of_card),
        }
    }

    fn slot_of(&self, number: TransactionNo) -> Option<Slot> {
        let is_it = |slot| self.row(slot).is_some_and(|row| row.number == number);
        self.by_number.find(Fingerprint::of(number), is_it).and_then(Slot::entered)
    }

    fn first_of(&self, key: MatchKey) -> Option<Slot> {
        let is_it = |slot| self.row(slot).is_some_and(|row| row.key() == key);
        self.by_key.find(Fingerprint::of(key), is_it).and_then(Slot::entered)
    }

    fn row(&self, slot: u32) -> Option<&Transaction> {
        self.entry(Slot::entered(slot)?).map(|entry| &entry.transaction)
    }

    /// Enters a row that lies at `slot` already as the last one of its key.
    fn append_to_key(&mut self, key: MatchKey, slot: Slot) {
        let slots = &self.slots;
        let is_it = |other: u32| {
            let entry = Slot::entered(other).and_then(|other| slots.get(other.place()));
            entry.and_then(Option::as_ref).is_some_and(|entry| entry.transaction.key() == key)
        };
        let first = self.by_key.find_or_insert(Fingerprint::of(key), is_it, slot.number());
        let Some(mut last) = first.and_then(Slot::entered) else { return };
        while let Some(next) = self.entry(last).and_then(|entry| entry.next_of_key) {
            last = next;
        }
        if let Some(entry) = self.entry_mut(last) {
            entry.next_of_key = Some(slot);
        }
    }

    /// Takes a row out of the list of its key. It is gone already, so the list is found by its place.
    fn remove_from_key(&mut self, key: MatchKey, slot: Slot, next: Option<Slot>) {
        let fingerprint = Fingerprint::of(key);
        if self.by_key.find(fingerprint, |first| first == slot.number()).is_some() {
            match next {
                Some(next) => self.by_key.replace(fingerprint, slot.number(), next.number()),
                None => self.by_key.remove(fingerprint, slot.number()),
            }
            return;
        }
        let mut before = self.first_of(key);
        while let Some(entry) = before.and_then(|before| self.entry_mut(before)) {
            if entry.next_of_key == Some(slot) {
                entry.next_of_key = next;
                return;
            }
            before = entry.next_of_key;
        }
    }

    #[inline]
    fn place(&mut self, entry: Option<Entry>) -> Slot {
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.slots.get_mut(slot.place())
        {
            *place = entry;
            return slot;
        }
        let slot = Slot::at(self.slots.len());
        self.slots.push(entry);
        slot
    }

    fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.slots.get(slot.place()).and_then(Option::as_ref)
    }

    fn entry_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.slots.get_mut(slot.place()).and_then(Option::as_mut)
    }

    fn set_newest(&mut self, card: CardNo, slot: Option<Slot>) {
        if let Some(newest) = self.newest_of_card.get_mut(index(card.0)) {
            *newest = slot;
        }
    }
}

/// Numbers in a shard are 32 bits, and so is the smallest `usize` this is built for.
pub(crate) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::held::Held;
    use crate::life::Life;
    use crate::transaction::TransactionState;
    use domain::{MessageClass, PartialApproval, ProcessingCode, Stan, Transmission};
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn transaction(number: u64, card: u32, stan: u64, timed: bool, state: TransactionState) -> Transaction {
        let at = Timestamp::from_seconds(number.cast_signed());
        Transaction {
            number: TransactionNo(number),
            at,
            ended_at: at,
            card: CardNo(card),
            class: MessageClass::AuthorizationRequest,
            processing_code: ProcessingCode(0),
            stan: Stan::new(stan).unwrap(),
            transmission: timed.then(|| Transmission::new(1_120_120_000).unwrap()),
            acquirer: None,
            rrn: None,
            mcc: None,
            country: None,
            partial: PartialApproval::NotSupported,
            amount: None,
            state,
            reason: None,
            held: Held::default(),
            rate: None,
            expires_at: Timestamp::MAX,
            kind: domain::TransactionType::Purchase,
            by: domain::Approver::Switch,
            network_reference: None,
            balances_wanted: false,
            unusual: None,
            more: None,
        }
    }

    fn policy(most: usize) -> Policy {
        let life = Life { keep_declines_for: Duration::from_secs(30), ..Life::default() };
        Policy {
            transactions_per_shard_max: most,
            repeat_window: Duration::from_secs(20),
            life: Arc::new(life),
            ..Policy::default()
        }
    }

    /// Everything the store can be asked about one transaction agrees with a plain list, oldest first.
    fn agrees(store: &Store, kept: &[Transaction]) -> Result<(), TestCaseError> {
        let numbers = |found: Vec<&Transaction>| found.iter().map(|found| found.number.0).collect::<Vec<_>>();
        prop_assert_eq!(store.len(), kept.len());
        let untimed = kept.iter().filter(|found| found.transmission.is_none()).count();
        prop_assert_eq!(store.without_transmission(), untimed);
        for found in kept {
            prop_assert_eq!(store.find(found.number), Some(found));
            let same_key = kept.iter().filter(|other| other.key() == found.key()).collect();
            prop_assert_eq!(numbers(store.with_key(found.key()).collect()), numbers(same_key));
            let of_card = kept.iter().rev().filter(|other| other.card == found.card).collect();
            prop_assert_eq!(numbers(store.of_card(found.card).collect()), numbers(of_card));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn what_is_forgotten_leaves_every_list_and_nothing_else_does(
            steps in prop::collection::vec((0_u32..3, 0_u64..4, any::<bool>(), 0_u8..4, 1_u64..6), 1..80),
            most in 1_usize..12,
        ) {
            let policy = policy(most);
            let mut store = Store::default();
            let mut kept: Vec<Transaction> = Vec::new();
            let (mut finished, mut declined): (VecDeque<(Timestamp, TransactionNo)>, VecDeque<_>) = Default::default();
            let mut number = 0;
            for (card, stan, timed, what, later) in steps {
                number += later;
                let now = Timestamp::from_seconds(number.cast_signed());
                if what == 0 && let Some(open) = kept.iter_mut().find(|found| found.state.is_open()) {
                    store.find_mut(open.number).unwrap().state = TransactionState::Reversed;
                    open.state = TransactionState::Reversed;
                    store.finish(open.number, now);
                    finished.push_back((now, open.number));
                    continue;
                }
                let state = if what == 1 { TransactionState::Approved } else { TransactionState::Declined };
                let new = transaction(number, card, stan, timed, state);
                store.insert(new.clone(), &policy);
                if !state.is_open() {
                    declined.push_back((now, new.number));
                }
                kept.push(new);
                for _ in 0..FORGET_AT_ONCE_MAX {
                    let due = |at: Timestamp, seconds| now.since(at) > Duration::from_secs(seconds) || kept.len() > most;
                    let queue = match (finished.front(), declined.front()) {
                        (Some((at, _)), _) if due(*at, 20) => &mut finished,
                        (_, Some((at, _))) if due(*at, 30) => &mut declined,
                        _ => break,
                    };
                    let Some((_, oldest)) = queue.pop_front() else { break };
                    kept.retain(|found| found.number != oldest);
                }
                agrees(&store, &kept)?;
            }
            prop_assert!(kept.iter().filter(|found| found.state.is_open()).all(|open| store.find(open.number).is_some()));
        }
    }

    #[test]
    fn a_transaction_takes_less_than_three_cache_lines() {
        assert_eq!(
            size_of::<Option<Entry>>(),
            184,
            "there are millions: a field that few need belongs in `Unusual`"
        );
    }

    #[test]
    fn a_place_that_was_freed_is_used_again() {
        let policy = policy(1);
        let mut store = Store::default();
        for number in 1..100 {
            store.insert(transaction(number, 0, 1, true, TransactionState::Declined), &policy);
        }
        assert_eq!((store.len(), store.slots.len()), (1, 2), "memory does not grow with what was forgotten");
    }

    #[test]
    fn holds_run_out_in_order_and_only_when_due() {
        let mut store = Store::default();
        for (number, seconds) in [(1, 30), (2, 10), (3, 20)] {
            store.insert(transaction(number, 0, number, true, TransactionState::Approved), &policy(9));
            store.expect_expiry(TransactionNo(number), Timestamp::from_seconds(seconds));
        }
        let due = |store: &Store, seconds| {
            let due = store.expired(Timestamp::from_seconds(seconds));
            due.map(|found| found.number.0).collect::<Vec<_>>()
        };
        assert_eq!(due(&store, 9), [0_u64; 0]);
        assert_eq!(due(&store, 20), [2, 3], "at the very moment");
        store.cancel_expiry(TransactionNo(2), Timestamp::from_seconds(10));
        assert_eq!(due(&store, 99), [3, 1]);
    }
}
