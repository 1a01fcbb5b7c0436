//! The state of one shard: accounts, cards, transactions, duties, and the totals that its books are checked by.
//!
//! It is plain data with one owner. It changes only through `apply`, in its own module.

pub(crate) use crate::account::Account;
use crate::accounts_by_name::AccountsByName;
use crate::calendar::Calendar;
pub(crate) use crate::card::Card;
use crate::chunks::Chunks;
use crate::limit_set::RuleSets;
use crate::names::Names;
use crate::policy::Policy;
use crate::requests::Requests;
use crate::stand_in_rules::Exposure;
use crate::store::{Store, index};
use domain::{
    AccountId, AccountNo, AssetCode, BalanceError, CardId, CardNo, Duty, DutyNo, KeyFingerprint, Mono, Rate,
    ShardId, StandInOrders, Text, TransactionId, TransactionNo, Units,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A set of funding accounts with all their cards, holds, counters and recent transactions.
#[derive(Clone, Debug)]
pub struct Shard {
    pub(crate) id: ShardId,
    pub(crate) policy: Policy,
    pub(crate) accounts: Chunks<Account>,
    pub(crate) cards: Chunks<Card>,
    pub(crate) names: Names,
    pub(crate) calendar: Calendar,
    /// Limits of one program share their rules.
    pub(crate) rule_sets: RuleSets,
    pub(crate) store: Store,
    /// What the balance service is owed, in order.
    pub(crate) duties: BTreeMap<DutyNo, Duty>,
    /// Transactions that the balance service is deciding, and when their answer is due.
    pub(crate) asked: BTreeMap<TransactionNo, OpenAsk>,
    pub(crate) requests: Requests,
    pub(crate) last_number: TransactionNo,
    /// The rate of the newest hold; holds of one quotation share it.
    pub(crate) newest_rate: Option<Arc<Rate>>,
    pub(crate) flows: BTreeMap<AssetCode, Totals>,
    /// Which key the card tokens are made with, where a fact has said so.
    pub(crate) token_key: Option<KeyFingerprint>,
    /// What operators have ordered. Kept in shard 0 only.
    pub(crate) orders: StandInOrders,
    /// Whose account each duty is about that tells the service news. Derived from the duties.
    pub(crate) duty_accounts: BTreeMap<DutyNo, AccountNo>,
    pub(crate) accounts_by_name: AccountsByName,
    /// What each program has open that its service has not acknowledged, by place. Derived from the duties.
    pub(crate) exposed: Vec<Exposure>,
}

/// An ask that is open: what of it is of use only while somebody waits, and is not kept for a restart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenAsk {
    /// When the processor's answer is due.
    pub(crate) deadline: Mono,
    /// Name and place of the merchant, for the customer's statement.
    pub(crate) merchant: Text<40>,
}

/// Money that moved, in one asset: what the books are checked against.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Totals {
    /// Sum of the ledger balances.
    pub ledger: Units,
    /// Sum of what is held.
    pub held: Units,
    /// Booked in by the product.
    pub credited: Units,
    /// Booked out by the product.
    pub debited: Units,
    /// Moved in by the balance service at authorization time.
    pub funded: Units,
    /// Moved back to the balance service after a reversal or expiry.
    pub returned: Units,
    /// Paid to merchants, less what came back because a payment was undone.
    pub settled: Units,
    /// Brought back by merchants, less what left again because a refund was undone.
    pub refunded: Units,
}

impl Totals {
    /// What the ledger must be, by what has flowed; `None` beyond 128 bits.
    #[must_use]
    pub fn ledger_by_flows(&self) -> Option<Units> {
        let inward = self.credited.plus(self.funded)?.plus(self.refunded)?;
        let outward = self.debited.plus(self.returned)?.plus(self.settled)?;
        inward.minus(outward)
    }
}

/// A fact that does not fit the state.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ApplyError {
    /// Numbers are given in order; this one is not the next.
    #[error("shard {shard}: number {found} was given to a new account or card, {expected} was expected")]
    NumberOutOfOrder {
        /// The shard.
        shard: ShardId,
        /// The number found.
        found: u32,
        /// The number expected.
        expected: u32,
    },
    /// The fact speaks of an account that was never opened.
    #[error("shard {shard}: account number {account} was never opened", account = .account.0)]
    UnknownAccount {
        /// The shard.
        shard: ShardId,
        /// The account.
        account: AccountNo,
    },
    /// The fact speaks of a card that was never issued.
    #[error("shard {shard}: card number {card} was never issued", card = .card.0)]
    UnknownCard {
        /// The shard.
        shard: ShardId,
        /// The card.
        card: CardNo,
    },
    /// The fact speaks of a transaction that is not known, or not in the state that the fact needs.
    #[error("transaction {transaction} is not known, or cannot go from its state to the one recorded")]
    NoSuchTransition {
        /// The transaction.
        transaction: TransactionId,
    },
    /// A balance would leave its range.
    #[error("shard {shard}: {source}")]
    Balance {
        /// The shard.
        shard: ShardId,
        /// What went wrong.
        source: BalanceError,
    },
}

impl Shard {
    /// An empty shard.
    #[must_use]
    pub fn new(id: ShardId, policy: Policy) -> Self {
        let exposed = vec![Exposure::default(); policy.stand_in.bounds().len()];
        Self {
            id,
            policy,
            accounts: Chunks::default(),
            cards: Chunks::default(),
            names: Names::default(),
            calendar: Calendar::default(),
            rule_sets: RuleSets::default(),
            store: Store::default(),
            duties: BTreeMap::new(),
            asked: BTreeMap::new(),
            requests: Requests::default(),
            last_number: TransactionNo::default(),
            newest_rate: None,
            flows: BTreeMap::new(),
            token_key: None,
            orders: StandInOrders::new(),
            duty_accounts: BTreeMap::new(),
            accounts_by_name: AccountsByName::default(),
            exposed,
        }
    }

    /// Which shard this is.
    #[must_use]
    pub const fn id(&self) -> ShardId {
        self.id
    }

    /// Duties pending towards the balance service.
    #[must_use]
    pub fn duties_pending(&self) -> usize {
        self.duties.len()
    }

    /// The fingerprint of the key that card tokens are made with, where a fact has said so.
    #[must_use]
    pub const fn token_key(&self) -> Option<KeyFingerprint> {
        self.token_key
    }

    /// What operators have ordered, where facts of this shard have said so.
    #[must_use]
    pub const fn stand_in_orders(&self) -> &StandInOrders {
        &self.orders
    }

    /// Transactions remembered, open or finished.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.store.len()
    }

    pub(crate) fn transaction_id(&self, number: TransactionNo) -> TransactionId {
        TransactionId { shard: self.id, number }
    }

    pub(crate) fn account(&self, account: AccountNo) -> Result<&Account, ApplyError> {
        let unknown = ApplyError::UnknownAccount { shard: self.id, account };
        self.accounts.get(index(account.0)).ok_or(unknown)
    }

    pub(crate) fn account_mut(&mut self, account: AccountNo) -> Result<&mut Account, ApplyError> {
        let unknown = ApplyError::UnknownAccount { shard: self.id, account };
        self.accounts.get_mut(index(account.0)).ok_or(unknown)
    }

    pub(crate) fn card(&self, card: CardNo) -> Result<&Card, ApplyError> {
        self.cards.get(index(card.0)).ok_or(ApplyError::UnknownCard { shard: self.id, card })
    }

    pub(crate) fn card_mut(&mut self, card: CardNo) -> Result<&mut Card, ApplyError> {
        let unknown = ApplyError::UnknownCard { shard: self.id, card };
        self.cards.get_mut(index(card.0)).ok_or(unknown)
    }

    /// Adds an account under the next number.
    pub(crate) fn add_account(&mut self, account: Account) {
        let number = AccountNo(u32::try_from(self.accounts.len()).unwrap_or(u32::MAX));
        self.accounts_by_name.opened(self.names.text(account.name), number);
        self.accounts.push(account);
    }

    /// The product's name for an account.
    pub(crate) fn account_id(&self, account: &Account) -> AccountId {
        AccountId::new(self.names.text(account.name)).unwrap_or(AccountId::NONE)
    }

    /// The product's name for a card.
    pub(crate) fn card_id(&self, card: &Card) -> CardId {
        CardId::new(self.names.text(card.name)).unwrap_or(CardId::NONE)
    }

    /// The books of this shard, by asset: balances summed from the accounts, flows counted as they happened.
    /// Always `ledger = credited - debited + funded - returned - settled + refunded`.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<AssetCode, Totals> {
        let mut totals = self.flows.clone();
        for account in self.accounts.iter() {
            let total = totals.entry(account.asset.code()).or_default();
            let balance = account.balance();
            total.ledger.grow(balance.ledger);
            total.held.grow(balance.held);
        }
        totals
    }
}
