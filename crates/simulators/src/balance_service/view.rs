//! The ledger as others see it: what each account has, what is outstanding, and what the service has seen.

use domain::{AccountId, AssetCode, TransactionId, Units};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

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
    /// Confirmations.
    pub confirms: u64,
    /// Reversals of a part.
    pub reversals: u64,
    /// Clearings.
    pub clearings: u64,
    /// Refunds.
    pub refunds: u64,
    /// Undone refunds and undone payments.
    pub undos: u64,
    /// Ends of holds.
    pub expiries: u64,
    /// Duties of any kind that came again.
    pub duty_repeats: u64,
    /// Duties that came before the one that their transaction's sequence has before them, or long after it.
    pub disordered: u64,
    /// Duties that speak of a reservation as it is not: the switch's books and these differed at that moment.
    pub mismatched: u64,
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
    /// What was paid to merchants, less what came back. Below zero where more came back.
    #[serde(serialize_with = "as_text")]
    pub spent: Units,
    /// What is reserved for transactions.
    #[serde(serialize_with = "as_text")]
    pub held: Units,
    /// What is left. Below zero after an advice or a clearing past the balance.
    #[serde(serialize_with = "as_text")]
    pub available: Units,
    /// Rises with every change.
    pub version: u64,
    /// Duties that the account's sequence tells of and that never came.
    pub missing: u64,
}

/// The whole ledger as others see it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct BooksView {
    /// Every account, by name.
    pub accounts: Vec<AccountBook>,
    /// What is reserved for each transaction that still has something.
    #[serde(serialize_with = "units_by_id")]
    pub outstanding: BTreeMap<TransactionId, Units>,
    /// What the service has seen.
    pub counts: Counts,
}

impl BooksView {
    /// An account in an asset, if it is there.
    #[must_use]
    pub fn account(&self, account: &AccountId, asset: AssetCode) -> Option<&AccountBook> {
        self.accounts.iter().find(|book| book.account == *account && book.asset == asset)
    }

    /// What is held for an account in an asset; nothing for an account that is not there.
    #[must_use]
    pub fn held(&self, account: &AccountId, asset: AssetCode) -> Units {
        self.account(account, asset).map_or(Units::ZERO, |book| book.held)
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
