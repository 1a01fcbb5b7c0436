//! The service's own ledger: what each account had, and what is reserved for which ask.
//!
//! Pure. It keeps the promises that the contract asks of a balance service:
//!
//! - an ask is idempotent by its id: the same answer again, and nothing more reserved;
//! - a cancel gives back once per `cancel_id`, and one for an unknown ask is remembered, so that the ask, if it
//!   comes later, is declined;
//! - an advice is booked once per `advice_id`, even below zero, in place of what was reserved.
//!
//! `available = opening - held` for each account, and `held` is always the sum over its transactions.

use super::messages::{Advice, Answer, Ask, Cancel, Cause, Opening};
use domain::{AccountId, AssetCode, TransactionId, Units};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// What the service would answer if it were free to.
pub(super) use super::chance::Inclination;

/// The ledger.
#[derive(Clone, Debug, Default)]
pub struct Books {
    accounts: BTreeMap<(AccountId, AssetCode), Account>,
    transactions: BTreeMap<TransactionId, Transaction>,
    // Every cancel and advice that had its effect.
    done: BTreeSet<String>,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    opening: Units,
    held: Units,
}

#[derive(Clone, Debug)]
struct Transaction {
    account: Option<(AccountId, AssetCode)>,
    /// What is reserved or booked for it now.
    held: Units,
    /// What its ask was answered, and for how much it asked.
    answer: Option<(Units, Answer)>,
    /// What an ask is told that was not answered before.
    closed: Option<&'static str>,
}

/// What the service has seen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Counts {
    /// Asks that were decided, repeats not counted.
    pub asks: u64,
    /// Of these, approved in full.
    pub approved: u64,
    /// Of these, approved in part.
    pub approved_partially: u64,
    /// Of these, declined.
    pub declined: u64,
    /// Asks that came again.
    pub ask_repeats: u64,
    /// Cancels that had an effect or were remembered.
    pub cancels: u64,
    /// Of these, cancels that came before their ask, or instead of it.
    pub tombstones: u64,
    /// Advices that were booked.
    pub advices: u64,
    /// Cancels and advices that came again.
    pub duty_repeats: u64,
}

/// One account as others see it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct AccountBook {
    /// The account.
    pub account: AccountId,
    /// What it holds.
    pub asset: AssetCode,
    /// What it had when it was opened, in the asset's smallest unit.
    #[serde(serialize_with = "as_text")]
    pub opening: Units,
    /// What is reserved or booked for transactions.
    #[serde(serialize_with = "as_text")]
    pub held: Units,
    /// What is left. Below zero after an advice past the balance.
    #[serde(serialize_with = "as_text")]
    pub available: Units,
}

/// The whole ledger as others see it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct BooksView {
    /// Every account, by name.
    pub accounts: Vec<AccountBook>,
    /// What is reserved or booked for each transaction that still has something.
    #[serde(serialize_with = "units_by_id")]
    pub outstanding: BTreeMap<TransactionId, Units>,
    /// What the service has seen.
    pub counts: Counts,
}

impl BooksView {
    /// What is held for an account in an asset; nothing for an account that is not there.
    #[must_use]
    pub fn held(&self, account: &AccountId, asset: AssetCode) -> Units {
        let mine = |book: &&AccountBook| book.account == *account && book.asset == asset;
        self.accounts.iter().find(mine).map_or(Units::ZERO, |book| book.held)
    }
}

impl Books {
    /// A ledger with these accounts. An account that is named twice has the sum.
    #[must_use]
    pub fn with(openings: impl IntoIterator<Item = Opening>) -> Self {
        let mut books = Self::default();
        for opening in openings {
            books.open(opening);
        }
        books
    }

    /// Opens an account, or adds to what it was opened with.
    pub fn open(&mut self, Opening { account, asset, units }: Opening) {
        let opening = &mut self.accounts.entry((account, asset)).or_default().opening;
        *opening = Units(opening.0.saturating_add(units.0));
    }

    /// Decides an ask, or repeats what was decided before. The same id with another amount or account is
    /// somebody's bug, and declined.
    pub(super) fn ask(&mut self, ask: &Ask, inclination: Inclination) -> Answer {
        let key = (ask.account, ask.asset);
        if let Some(known) = self.transactions.get(&ask.ask_id)
            && let Some((asked, answer)) = known.answer
        {
            self.counts.ask_repeats += 1;
            let same = asked == ask.units && known.account == Some(key);
            return if same { answer } else { Answer::Decline("id_used_before") };
        }
        let closed = self.transactions.get(&ask.ask_id).and_then(|known| known.closed);
        let answer = match closed {
            Some(code) => Answer::Decline(code),
            None => self.decide(ask, inclination),
        };
        self.counts.asks += 1;
        let count = match answer {
            Answer::Approve(units) if units < ask.units => &mut self.counts.approved_partially,
            Answer::Approve(_) => &mut self.counts.approved,
            Answer::Decline(_) => &mut self.counts.declined,
        };
        *count += 1;
        let transaction = self.transaction(ask.ask_id);
        transaction.account.get_or_insert(key);
        transaction.answer = Some((ask.units, answer));
        if let Answer::Approve(units) = answer {
            self.hold(ask.ask_id, units);
        }
        answer
    }

    fn decide(&self, ask: &Ask, inclination: Inclination) -> Answer {
        let Some(account) = self.accounts.get(&(ask.account, ask.asset)) else {
            return Answer::Decline("unknown_account");
        };
        let available = account.opening.0.saturating_sub(account.held.0);
        let wanted = ask.units.0;
        let offered = match inclination {
            Inclination::Decline => return Answer::Decline("do_not_honour"),
            Inclination::Part(hundredths) if ask.partial_ok => {
                (wanted / 100).saturating_mul(i128::from(hundredths)).max(1)
            }
            Inclination::Approve | Inclination::Part(_) => wanted,
        };
        let granted = offered.min(if ask.partial_ok { available } else { offered });
        if wanted <= 0 || granted <= 0 || granted > available {
            return Answer::Decline("insufficient_funds");
        }
        Answer::Approve(Units(granted))
    }

    /// Gives back what a cancel names, once.
    pub(super) fn cancel(&mut self, cancel: &Cancel) {
        if !self.done.insert(cancel.cancel_id.clone()) {
            self.counts.duty_repeats += 1;
            return;
        }
        self.counts.cancels += 1;
        let transaction = self.transaction(cancel.ask_id);
        if transaction.answer.is_none() && transaction.held == Units::ZERO {
            transaction.closed = Some("cancelled_before");
            self.counts.tombstones += 1;
            return;
        }
        let held = transaction.held;
        let back = match cancel.cause {
            Cause::OutcomeUnknown => held,
            Cause::Unused | Cause::Reversed | Cause::Expired => held.min(cancel.units),
        };
        self.hold(cancel.ask_id, Units(held.0 - back.0));
    }

    /// Books an advice, once, in place of what was reserved.
    pub(super) fn advise(&mut self, advice: &Advice) {
        if !self.done.insert(advice.advice_id.clone()) {
            self.counts.duty_repeats += 1;
            return;
        }
        self.counts.advices += 1;
        let transaction = self.transaction(advice.ask_id);
        transaction.account.get_or_insert((advice.account, advice.asset));
        transaction.closed = Some("advised_before");
        self.hold(advice.ask_id, advice.units);
    }

    /// The ledger as others see it.
    #[must_use]
    pub fn view(&self) -> BooksView {
        let accounts = self.accounts.iter().map(|((account, asset), book)| AccountBook {
            account: *account,
            asset: *asset,
            opening: book.opening,
            held: book.held,
            available: Units(book.opening.0.saturating_sub(book.held.0)),
        });
        let outstanding = self.transactions.iter().filter(|(_, known)| known.held != Units::ZERO);
        BooksView {
            accounts: accounts.collect(),
            outstanding: outstanding.map(|(id, known)| (*id, known.held)).collect(),
            counts: self.counts,
        }
    }

    /// How many transactions, cancels and advices are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.transactions.len().saturating_add(self.done.len())
    }

    fn transaction(&mut self, id: TransactionId) -> &mut Transaction {
        let unseen = Transaction { account: None, held: Units::ZERO, answer: None, closed: None };
        self.transactions.entry(id).or_insert(unseen)
    }

    /// Makes `units` what is held for a transaction, and moves its account along.
    fn hold(&mut self, id: TransactionId, units: Units) {
        let transaction = self.transaction(id);
        let change = units.0.saturating_sub(transaction.held.0);
        transaction.held = units;
        if let Some(key) = transaction.account {
            let held = &mut self.accounts.entry(key).or_default().held;
            *held = Units(held.0.saturating_add(change));
        }
    }
}

fn as_text<S: Serializer>(units: &Units, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(units)
}

fn units_by_id<S: Serializer>(
    outstanding: &BTreeMap<TransactionId, Units>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(outstanding.iter().map(|(id, units)| (id.to_string(), units.to_string())))
}

#[cfg(test)]
#[path = "books_tests.rs"]
mod tests;
