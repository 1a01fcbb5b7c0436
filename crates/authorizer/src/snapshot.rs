//! A shard as rows, and a shard from rows: what a snapshot keeps instead of the facts that led here.
//!
//! [`Shard::save`] names everything that decisions depend on, one row each, in an order in which [`Restoring`] can
//! check every row against those before it. What is derived from rows (look-ups by reference and by card, balances'
//! sums) is built again. What does not outlive the process (deadlines on the monotonic clock) is left out, exactly as
//! facts leave it out, so a shard restored and a shard replayed are the same.
//!
//! [`ControlTotals`] are kept beside the rows. A restored shard must come to the same totals, or it is refused: a
//! row that was lost or taken twice shows there even if every byte on disk is whole.
//!
//! The rows are a format on disk (`ROWS_VERSION`). The order of the variants and the fields of `AccountRow`,
//! `CardRow`, `TransactionRow`, `Limit` and `Duty` are part of it; a golden file in the tests of `switch` pins them.

use crate::policy::Policy;
use crate::rows::{AccountRow, CardRow, TransactionRow};
use crate::shard::{OpenAsk, Shard, Totals};
use domain::{
    AccountId, AccountNo, ApprovalCode, AssetCode, CardId, CardNo, CardToken, Duty, KeyFingerprint, Money,
    PostingKind, Rate, RequestKey, ShardId, StandInOrder, Timestamp, TransactionNo, Units, ZoneName,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Version of the rows that this build writes.
pub const ROWS_VERSION: u16 = 1;

/// One row of a shard. Opaque: it is encoded, decoded and handed to [`Restoring::take`].
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Row<'a>(Kind<'a>);

/// What a row is about. Written in this order, except for the last ones, which say when: whatever is kept newly gets a kind
/// of its own at the end, so that rows which were written before stay readable.
#[derive(Clone, Debug, Deserialize, Serialize)]
enum Kind<'a> {
    Head {
        /// Limits name zones by their place here.
        zones: Vec<ZoneName>,
        last_number: TransactionNo,
        newest_rate: Option<Rate>,
        flows: BTreeMap<AssetCode, Totals>,
        token_key: Option<KeyFingerprint>,
        orders: Vec<StandInOrder>,
    },
    Account(AccountRow<'a>),
    Card(CardRow<'a>),
    /// By number, oldest first.
    Transaction(TransactionRow<'a>),
    /// A transaction that may be forgotten, in the order of forgetting.
    Finished(Timestamp, TransactionNo),
    /// When a hold runs out.
    Expiry(Timestamp, TransactionNo),
    /// A transaction that the balance service is deciding.
    Asked(TransactionNo),
    /// An idempotency key and what was booked under it, oldest first.
    Request(RequestKey, Timestamp, AccountNo, PostingKind, Units),
    Duty(Cow<'a, Duty>),
    /// What stands of a transaction's amount in the merchant's currency; after the transaction.
    Stands(TransactionNo, Money),
    /// The code under which the network approved a transaction in our name; after the transaction.
    NetworkCode(TransactionNo, ApprovalCode),
    /// What of a hold's promise has ended and was not reversed, in minor units; after the transaction.
    Lapsed(TransactionNo, i64),
}

/// What a shard adds up to: counts, and the books of each asset.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ControlTotals {
    /// Accounts.
    pub accounts: u64,
    /// Cards.
    pub cards: u64,
    /// Transactions remembered.
    pub transactions: u64,
    /// Of those, finished ones.
    pub finished: u64,
    /// Holds that are to run out.
    pub expiries: u64,
    /// Open asks.
    pub asked: u64,
    /// Idempotency keys remembered.
    pub requests: u64,
    /// Duties owed.
    pub duties: u64,
    /// The last number given.
    pub last_number: TransactionNo,
    /// Sums of every balance and flow.
    pub books: BTreeMap<AssetCode, Totals>,
}

/// Rows that do not make a shard.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// A row refers to something that no row before it made.
    #[error("shard {shard}: a row of kind {row} refers to what is not there, or stands where it cannot")]
    Misplaced {
        /// The shard.
        shard: ShardId,
        /// What the row is about.
        row: &'static str,
    },
    /// The rows add up to something else than was written beside them.
    #[error("shard {shard}: the rows add up to {found:?}, the control totals say {expected:?}")]
    Totals {
        /// The shard.
        shard: ShardId,
        /// What they add up to.
        found: Box<ControlTotals>,
        /// What they should add up to.
        expected: Box<ControlTotals>,
    },
}

impl Shard {
    /// Hands every row to `out`, until it refuses one.
    ///
    /// # Errors
    /// Whatever `out` said.
    pub fn save<E>(&self, mut out: impl FnMut(&Row<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut put = |kind: Kind<'_>| out(&Row(kind));
        put(Kind::Head {
            zones: self.calendar.names(),
            last_number: self.last_number,
            newest_rate: self.newest_rate.as_deref().copied(),
            flows: self.flows.clone(),
            token_key: self.token_key,
            orders: self.orders.iter().copied().collect(),
        })?;
        let mut accounts = self.accounts.iter();
        accounts
            .try_for_each(|account| put(Kind::Account(AccountRow::of(self.account_id(account), account))))?;
        let mut cards = self.cards.iter();
        cards.try_for_each(|card| put(Kind::Card(CardRow::of(self.card_id(card), card))))?;
        let mut transactions = self.store.by_number().into_iter();
        transactions.try_for_each(|transaction| {
            put(Kind::Transaction(transaction.into()))?;
            let Some(more) = &transaction.more else { return Ok(()) };
            more.stands.map_or(Ok(()), |stands| put(Kind::Stands(transaction.number, stands)))?;
            more.network_code.map_or(Ok(()), |code| put(Kind::NetworkCode(transaction.number, code)))?;
            if more.lapsed > 0 { put(Kind::Lapsed(transaction.number, more.lapsed)) } else { Ok(()) }
        })?;
        self.store.finished().try_for_each(|(at, number)| put(Kind::Finished(at, number)))?;
        self.store.expiries().try_for_each(|(at, number)| put(Kind::Expiry(at, number)))?;
        self.asked.keys().try_for_each(|number| put(Kind::Asked(*number)))?;
        let mut requests = self.requests.oldest_first();
        requests.try_for_each(|(key, at, (account, kind, units))| {
            put(Kind::Request(key, at, account, kind, units))
        })?;
        self.duties.values().try_for_each(|duty| put(Kind::Duty(Cow::Borrowed(duty))))
    }

    /// What this shard adds up to.
    #[must_use]
    pub fn control_totals(&self) -> ControlTotals {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        ControlTotals {
            accounts: count(self.accounts.len()),
            cards: count(self.cards.len()),
            transactions: count(self.store.len()),
            finished: count(self.store.finished().count()),
            expiries: count(self.store.expiries_len()),
            asked: count(self.asked.len()),
            requests: count(self.requests.len()),
            duties: count(self.duties.len()),
            last_number: self.last_number,
            books: self.totals(),
        }
    }

    /// The name of every account, in the order of their numbers.
    pub fn account_names(&self) -> impl Iterator<Item = (AccountNo, AccountId)> {
        (0..).map(AccountNo).zip(self.accounts.iter().map(|account| self.account_id(account)))
    }

    /// The name of every card, in the order of their numbers.
    pub fn card_names(&self) -> impl Iterator<Item = (CardNo, CardId)> {
        (0..).map(CardNo).zip(self.cards.iter().map(|card| self.card_id(card)))
    }

    /// The token of every card, in the order of their numbers.
    pub fn card_tokens(&self) -> impl Iterator<Item = (CardNo, CardToken)> {
        (0..).map(CardNo).zip(self.cards.iter().map(|card| card.token))
    }
}

/// A shard being built from rows.
#[derive(Debug)]
pub struct Restoring {
    shard: Shard,
    begun: bool,
    /// The rate of the transaction before: holds of one quotation share it.
    rate: Option<Arc<Rate>>,
}

impl Restoring {
    /// Nothing yet.
    #[must_use]
    pub fn new(id: ShardId, policy: Policy) -> Self {
        Self { shard: Shard::new(id, policy), begun: false, rate: None }
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// The row does not fit those before it.
    pub fn take(&mut self, row: Row<'_>) -> Result<(), RestoreError> {
        let name = row.0.name();
        let fits = self.enter(row.0);
        if fits { Ok(()) } else { Err(RestoreError::Misplaced { shard: self.shard.id, row: name }) }
    }

    /// The shard, if it adds up to what is expected.
    ///
    /// # Errors
    /// It does not.
    pub fn finish(self, expected: &ControlTotals) -> Result<Shard, RestoreError> {
        let found = self.shard.control_totals();
        if found == *expected {
            return Ok(self.shard);
        }
        let shard = self.shard.id;
        Err(RestoreError::Totals { shard, found: Box::new(found), expected: Box::new(expected.clone()) })
    }

    /// Enters a row; whether it fits.
    fn enter(&mut self, kind: Kind<'_>) -> bool {
        let shard = &mut self.shard;
        if matches!(kind, Kind::Head { .. }) == self.begun {
            return false;
        }
        match kind {
            Kind::Head { zones, last_number, newest_rate, flows, token_key, orders } => {
                self.begun = true;
                shard.last_number = last_number;
                shard.newest_rate = newest_rate.map(Arc::new);
                shard.flows = flows;
                shard.token_key = token_key;
                orders.into_iter().for_each(|order| shard.orders.set(order));
                zones.into_iter().all(|name| shard.calendar.zone(name).is_some())
            }
            Kind::Account(account) => {
                let fits = account.limits.fit(&shard.calendar);
                let mut account = account.kept(&mut shard.names);
                if let Some(more) = &mut account.more {
                    more.limits.share(&mut shard.rule_sets);
                }
                shard.add_account(account);
                fits
            }
            Kind::Card(card) => {
                let fits = card.limits.fit(&shard.calendar) && shard.account(card.account).is_ok();
                let mut card = card.kept(&mut shard.names);
                card.limits.share(&mut shard.rule_sets);
                shard.cards.push(card);
                fits
            }
            Kind::Transaction(transaction) => {
                let fits =
                    shard.card(transaction.card).is_ok() && shard.store.find(transaction.number).is_none();
                let rate = transaction.rate.as_deref().map(|rate| {
                    let before = self.rate.iter().chain(&shard.newest_rate).find(|before| ***before == *rate);
                    before.map_or_else(|| Arc::new(*rate), Arc::clone)
                });
                if rate.is_some() {
                    self.rate.clone_from(&rate);
                }
                if fits {
                    shard.store.link(transaction.kept(rate));
                }
                fits
            }
            Kind::Finished(at, number) => {
                shard.store.finish(number, at);
                true
            }
            Kind::Expiry(at, number) => {
                shard.store.expect_expiry(number, at);
                shard.store.find(number).is_some()
            }
            Kind::Asked(number) => {
                // Deadlines are of the process that asked; see `Shard::resume`.
                shard.asked.insert(number, OpenAsk::default());
                shard.store.find(number).is_some()
            }
            Kind::Request(key, at, account, kind, units) => {
                shard.requests.remember(key, at, (account, kind, units));
                shard.account(account).is_ok()
            }
            Kind::Stands(number, stands) => {
                let more = shard.store.find_mut(number).and_then(|row| row.more.as_mut());
                more.map(|more| more.stands = Some(stands)).is_some()
            }
            Kind::NetworkCode(number, code) => {
                let more = shard.store.find_mut(number).and_then(|row| row.more.as_mut());
                more.map(|more| more.network_code = Some(code)).is_some()
            }
            Kind::Lapsed(number, lapsed) => {
                let more = shard.store.find_mut(number).and_then(|row| row.more.as_mut());
                more.map(|more| more.lapsed = lapsed).is_some()
            }
            Kind::Duty(duty) => {
                let known = shard.duties.contains_key(&duty.number);
                shard.enter_duty(duty.into_owned());
                !known
            }
        }
    }
}

impl Kind<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Head { .. } => "head",
            Self::Account(_) => "account",
            Self::Card(_) => "card",
            Self::Transaction(_) => "transaction",
            Self::Finished(..) => "finished",
            Self::Expiry(..) => "expiry",
            Self::Asked(_) => "asked",
            Self::Request(..) => "request",
            Self::Duty(_) => "duty",
            Self::Stands(..) => "what stands",
            Self::NetworkCode(..) => "network's code",
            Self::Lapsed(..) => "what lapsed",
        }
    }
}
