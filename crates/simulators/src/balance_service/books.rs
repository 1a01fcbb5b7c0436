//! The service's own ledger: what each account had, what was paid from it, and what is reserved for which ask.
//!
//! Pure. It keeps the promises that the contract asks of a balance service:
//!
//! - an ask is idempotent by its id: the same answer again, and nothing more reserved;
//! - every other message has its effect once, by its own id, and none is refused: an account may fall below zero;
//! - a cancel for an unknown ask is remembered, so that the ask, if it comes later, is declined;
//! - an advice takes the place of what was reserved.
//!
//! `available = opening - spent - held` for each account, and `held` is always the sum over its transactions.
//! What a duty says about the reservation is compared with the reservation as it is: a difference is counted.

use super::duty::{Cause, Clearing, Common, Direction, Duty, What};
use super::messages::{Answer, Ask, Balance, Decision, Opening};
use super::view::{AccountBook, BooksView, Counts};
use domain::{AccountId, AssetCode, TransactionId, Units};
use funding::contract::ASKS_PATH;
use std::collections::{BTreeMap, BTreeSet};

/// What the service would answer if it were free to.
pub(super) use super::chance::Inclination;

/// The ledger.
#[derive(Clone, Debug, Default)]
pub struct Books {
    accounts: BTreeMap<(AccountId, AssetCode), Account>,
    transactions: BTreeMap<TransactionId, Transaction>,
    // Every duty that had its effect.
    done: BTreeSet<String>,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    opening: Units,
    spent: Units,
    held: Units,
    version: u64,
    duties_seen: u64,
    duties_max: u64,
}

#[derive(Clone, Debug, Default)]
struct Transaction {
    account: Option<(AccountId, AssetCode)>,
    /// What is reserved for it now.
    held: Units,
    /// What its ask was answered, and for how much it asked.
    answer: Option<(Units, Answer)>,
    /// What an ask is told that was not answered before.
    closed: Option<&'static str>,
    /// The last of its duties that came.
    sequence: u32,
}

impl Account {
    const fn available(&self) -> Units {
        Units(self.opening.0.saturating_sub(self.spent.0).saturating_sub(self.held.0))
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
        let account = self.accounts.entry((account, asset)).or_default();
        account.opening = Units(account.opening.0.saturating_add(units.0));
        account.version += 1;
    }

    /// Forgets everything but the accounts as they were opened.
    pub(super) fn forget(&mut self) {
        let opened = self.accounts.iter().map(|(key, account)| {
            (*key, Account { opening: account.opening, version: 1, ..Account::default() })
        });
        *self = Self { accounts: opened.collect(), ..Self::default() };
    }

    /// Takes in what was posted to `path` and answers it, quickly and well: the service without its network.
    ///
    /// # Errors
    /// The message is not one of the contract's.
    pub fn take(&mut self, path: &str, body: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
        if path != ASKS_PATH {
            self.perform(&Duty::read(path, body)?);
            return Ok(Vec::new());
        }
        let ask: Ask = serde_json::from_slice(body)?;
        serde_json::to_vec(&self.ask(&ask, Inclination::Approve).json(ask.ask_id))
    }

    /// Decides an ask, or repeats what was decided before. The same id with another amount or account is
    /// somebody's bug, and declined.
    pub(super) fn ask(&mut self, ask: &Ask, inclination: Inclination) -> Answer {
        let key = (ask.account, ask.asset);
        let known = self.transactions.get(&ask.ask_id);
        if let Some((asked, answer)) = known.and_then(|known| known.answer) {
            self.counts.ask_repeats += 1;
            let same = asked == ask.units && known.is_some_and(|known| known.account == Some(key));
            return if same { answer } else { self.answer(key, Decision::Decline("id_used_before")) };
        }
        let decision = match known.and_then(|known| known.closed) {
            Some(code) => Decision::Decline(code),
            None => self.decide(ask, inclination),
        };
        self.counts.asks += 1;
        let count = match decision {
            Decision::Approve(units) if units < ask.units => &mut self.counts.approved_partially,
            Decision::Approve(_) => &mut self.counts.approved,
            Decision::Decline(_) => &mut self.counts.declined,
        };
        *count += 1;
        self.transaction(ask.ask_id).account.get_or_insert(key);
        if let Decision::Approve(units) = decision {
            self.hold(ask.ask_id, units);
        }
        let answer = self.answer(key, decision);
        self.transaction(ask.ask_id).answer = Some((ask.units, answer));
        answer
    }

    fn answer(&self, key: (AccountId, AssetCode), decision: Decision) -> Answer {
        let account = self.accounts.get(&key);
        let balance =
            account.map(|account| Balance { version: account.version, available: account.available() });
        Answer { decision, balance }
    }

    fn decide(&self, ask: &Ask, inclination: Inclination) -> Decision {
        let Some(account) = self.accounts.get(&(ask.account, ask.asset)) else {
            return Decision::Decline("unknown_account");
        };
        let (available, wanted) = (account.available().0, ask.units.0);
        let offered = match inclination {
            Inclination::Decline => return Decision::Decline("do_not_honour"),
            Inclination::Part(hundredths) if ask.partial_ok => {
                (wanted / 100).saturating_mul(i128::from(hundredths)).max(1)
            }
            Inclination::Approve | Inclination::Part(_) => wanted,
        };
        let granted = offered.min(if ask.partial_ok { available } else { offered });
        if wanted <= 0 || granted <= 0 || granted > available {
            return Decision::Decline("insufficient_funds");
        }
        Decision::Approve(Units(granted))
    }

    /// Does what a duty says, once.
    pub(super) fn perform(&mut self, duty: &Duty) {
        if !self.done.insert(duty.id.clone()) {
            self.counts.duty_repeats += 1;
            return;
        }
        let Common { ask_id, units, .. } = duty.common;
        self.count_sequences(&duty.common);
        let held = self.transaction(ask_id).held;
        let less = |back: Units| Units(held.0 - held.min(back).0);
        match duty.what {
            What::Confirm => {
                self.counts.confirms += 1;
                self.expect(held == units);
            }
            What::Cancel(cause) => self.cancel(ask_id, cause, units),
            What::Advice => {
                self.counts.advices += 1;
                self.transaction(ask_id).closed = Some("advised_before");
                self.hold(ask_id, units);
            }
            What::Reversal(left) => {
                self.counts.reversals += 1;
                self.expect(held.0 == units.0.saturating_add(left.left.0));
                self.hold(ask_id, less(units));
            }
            What::Expiry => {
                self.counts.expiries += 1;
                self.expect(held == units);
                self.hold(ask_id, less(units));
            }
            What::Clearing(Clearing { reserved, released, last }) => {
                self.counts.clearings += 1;
                let gone = Units(reserved.0.saturating_add(released.0));
                self.expect(if last { held == gone } else { held >= gone });
                self.hold(ask_id, if last { Units::ZERO } else { less(gone) });
                self.spend(&duty.common, units.0);
            }
            What::Refund => {
                self.counts.refunds += 1;
                self.spend(&duty.common, -units.0);
            }
            What::Undo(direction) => {
                self.counts.undos += 1;
                let credit = direction == Direction::Credit;
                self.spend(&duty.common, if credit { -units.0 } else { units.0 });
            }
        }
    }

    fn cancel(&mut self, ask_id: TransactionId, cause: Cause, units: Units) {
        self.counts.cancels += 1;
        let transaction = self.transaction(ask_id);
        let held = transaction.held;
        if transaction.answer.is_none() && held == Units::ZERO {
            transaction.closed = Some("cancelled_before");
            self.counts.tombstones += 1;
            return;
        }
        let back = match cause {
            Cause::OutcomeUnknown => held,
            Cause::Unused | Cause::Reversed | Cause::Expired => held.min(units),
        };
        self.hold(ask_id, Units(held.0 - back.0));
    }

    fn count_sequences(&mut self, common: &Common) {
        let key = (common.account, common.asset);
        let account = self.accounts.entry(key).or_default();
        account.version += 1;
        account.duties_seen += 1;
        account.duties_max = account.duties_max.max(common.account_sequence);
        let transaction = self.transaction(common.ask_id);
        transaction.account.get_or_insert(key);
        let in_order = common.sequence == transaction.sequence.saturating_add(1);
        transaction.sequence = common.sequence.max(transaction.sequence);
        self.counts.disordered += u64::from(!in_order);
    }

    /// Counts what is not as a duty says that it is.
    fn expect(&mut self, as_said: bool) {
        self.counts.mismatched += u64::from(!as_said);
    }

    /// The ledger as others see it.
    #[must_use]
    pub fn view(&self) -> BooksView {
        let accounts = self.accounts.iter().map(|((account, asset), book)| AccountBook {
            account: *account,
            asset: *asset,
            opening: book.opening,
            spent: book.spent,
            held: book.held,
            available: book.available(),
            version: book.version,
            missing: book.duties_max.saturating_sub(book.duties_seen),
        });
        let outstanding = self.transactions.iter().filter(|(_, known)| known.held != Units::ZERO);
        BooksView {
            accounts: accounts.collect(),
            outstanding: outstanding.map(|(id, known)| (*id, known.held)).collect(),
            counts: self.counts,
        }
    }

    /// How many transactions and duties are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.transactions.len().saturating_add(self.done.len())
    }

    fn transaction(&mut self, id: TransactionId) -> &mut Transaction {
        self.transactions.entry(id).or_default()
    }

    /// Makes `units` what is held for a transaction, and moves its account along.
    fn hold(&mut self, id: TransactionId, units: Units) {
        let transaction = self.transaction(id);
        let change = units.0.saturating_sub(transaction.held.0);
        transaction.held = units;
        if let Some(key) = transaction.account {
            let account = self.accounts.entry(key).or_default();
            account.held = Units(account.held.0.saturating_add(change));
            account.version += 1;
        }
    }

    fn spend(&mut self, common: &Common, units: i128) {
        let account = self.accounts.entry((common.account, common.asset)).or_default();
        account.spent = Units(account.spent.0.saturating_add(units));
    }
}

#[cfg(test)]
#[path = "books_tests.rs"]
mod tests;
