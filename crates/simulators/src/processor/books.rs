//! The simulator's own books: what was approved, advised and reversed on each card, as the processor saw it.
//!
//! Amounts are minor units of the card's currency. Nothing here is taken from the switch but its answers, so
//! that equal books mean something.

use domain::{AccountId, CardId, Currency};
use std::collections::BTreeMap;

/// A number of transactions and their amount in minor units.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sum {
    /// Transactions.
    pub count: u64,
    /// Minor units.
    pub minor: i128,
}

impl Sum {
    /// Adds one transaction.
    pub fn add(&mut self, minor: u64) {
        self.count += 1;
        self.minor += i128::from(minor);
    }

    /// The sum of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { count: self.count + other.count, minor: self.minor + other.minor }
    }
}

/// What happened on one card.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CardBook {
    /// Requests that the switch approved.
    pub approved: Sum,
    /// Advices that the switch acknowledged.
    pub advised: Sum,
    /// Approvals and advices that were reversed.
    pub reversed: Sum,
    /// What increments added to holds.
    pub raised: Sum,
    /// What reversals of a part, or of an increment, took from holds.
    pub lowered: Sum,
    /// Holds that completions ended, with what they held then.
    pub completed: Sum,
    /// Money that was paid: completions, clearings without an authorization, purchases booked at once, refunds undone.
    pub paid: Sum,
    /// Money that came back: refunds, and payments undone.
    pub returned: Sum,
    /// Messages that got no answer: their outcome is not known.
    pub unknown: Sum,
}

impl CardBook {
    /// What must be held: approved, advised and added, less what was reversed, taken off or completed.
    #[must_use]
    pub const fn open(&self) -> OpenHolds {
        OpenHolds {
            count: (self.approved.count + self.advised.count)
                .saturating_sub(self.reversed.count + self.completed.count),
            minor: self.approved.minor + self.advised.minor + self.raised.minor
                - self.lowered.minor
                - self.reversed.minor
                - self.completed.minor,
        }
    }

    /// What must have left the account: what was paid, less what came back.
    #[must_use]
    pub const fn spent(&self) -> i128 {
        self.paid.minor - self.returned.minor
    }

    /// The sum of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            approved: self.approved.plus(other.approved),
            advised: self.advised.plus(other.advised),
            reversed: self.reversed.plus(other.reversed),
            raised: self.raised.plus(other.raised),
            lowered: self.lowered.plus(other.lowered),
            completed: self.completed.plus(other.completed),
            paid: self.paid.plus(other.paid),
            returned: self.returned.plus(other.returned),
            unknown: self.unknown.plus(other.unknown),
        }
    }
}

/// Holds that are open, and what they hold in minor units of the card's currency.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OpenHolds {
    /// Holds.
    pub count: u64,
    /// Minor units.
    pub minor: i128,
}

/// The book of one card, with whose it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CardEntry {
    /// The account behind the card.
    pub account: AccountId,
    /// The currency of the amounts.
    pub currency: Currency,
    /// What happened.
    pub book: CardBook,
}

/// The books of a run: every card that something happened on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Books {
    /// By card.
    pub cards: BTreeMap<CardId, CardEntry>,
}

impl Books {
    /// Adds a book to that of the card.
    pub(crate) fn add(&mut self, card: &super::card::SimulatedCard, book: CardBook) {
        let (account, currency) = (card.account, card.currency);
        let entry =
            self.cards.entry(card.id).or_insert(CardEntry { account, currency, book: CardBook::default() });
        entry.book = entry.book.plus(book);
    }

    /// The books by account and currency.
    #[must_use]
    pub fn by_account(&self) -> BTreeMap<(AccountId, &'static str), CardBook> {
        let mut accounts: BTreeMap<_, CardBook> = BTreeMap::new();
        for entry in self.cards.values() {
            let book = accounts.entry((entry.account, entry.currency.alpha())).or_default();
            *book = book.plus(entry.book);
        }
        accounts
    }

    /// The books by currency.
    #[must_use]
    pub fn by_currency(&self) -> BTreeMap<&'static str, CardBook> {
        let mut currencies: BTreeMap<_, CardBook> = BTreeMap::new();
        for entry in self.cards.values() {
            let book = currencies.entry(entry.currency.alpha()).or_default();
            *book = book.plus(entry.book);
        }
        currencies
    }

    /// Messages whose outcome is not known.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.cards.values().map(|entry| entry.book.unknown.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(count: u64, minor: i128) -> Sum {
        Sum { count, minor }
    }

    #[test]
    fn open_is_what_was_held_and_not_ended() {
        let book = CardBook {
            approved: sum(3, 600),
            advised: sum(1, 50),
            reversed: sum(2, 350),
            ..CardBook::default()
        };
        assert_eq!(book.open(), OpenHolds { count: 2, minor: 300 });
        assert_eq!(book.plus(book).open(), OpenHolds { count: 4, minor: 600 });
        let later = CardBook {
            raised: sum(1, 40),
            lowered: sum(1, 10),
            completed: sum(1, 130),
            paid: sum(1, 135),
            returned: sum(1, 5),
            ..book
        };
        assert_eq!((later.open(), later.spent()), (OpenHolds { count: 1, minor: 200 }, 130));
        assert_eq!(later.plus(book).open(), OpenHolds { count: 3, minor: 500 });
    }
}
