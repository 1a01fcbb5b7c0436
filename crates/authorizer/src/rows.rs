//! Rows as they are written: what a snapshot keeps of an account, a card and a transaction.
//!
//! In memory they lie as is best for decisions, and may change; these change never: the order of their fields is the
//! format on disk, and a golden file in the tests of `switch` pins it.

use crate::account::Account;
use crate::card::{Card, Issued};
use crate::held::Held;
use crate::limits::Limits;
use crate::names::Names;
use crate::told::Word;
use crate::transaction::{More, Transaction, TransactionState};
use crate::velocity_ring::{Countries, Ring};
use domain::{
    AccountId, AccountNo, AcquirerId, Amounts, Approver, Asset, Balance, CardId, CardNo, CardStatus,
    CardToken, Controls, CountryCode, Currency, Expiry, Failure, FundingMode, LastFour, Mcc, MessageClass,
    Money, NetworkReference, PartialApproval, ProcessingCode, Rate, Reason, Rrn, Stan, Timestamp,
    TransactionNo, TransactionType, Transmission,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// An account.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct AccountRow<'a> {
    id: AccountId,
    asset: Asset,
    balance: Balance,
    pub(crate) limits: Cow<'a, Limits>,
    duties: u64,
    word: Option<Cow<'a, Word>>,
    recent: Option<Cow<'a, Ring>>,
}

impl<'a> AccountRow<'a> {
    /// The row of an account of this name.
    pub(crate) fn of(id: AccountId, kept: &'a Account) -> Self {
        Self {
            id,
            asset: kept.asset,
            balance: kept.balance(),
            limits: kept.limits().map_or_else(Cow::default, Cow::Borrowed),
            duties: kept.duties(),
            word: kept.word().map(Cow::Borrowed),
            recent: kept.recent().map(Cow::Borrowed),
        }
    }

    /// The account in memory, with its name among `names`.
    pub(crate) fn kept(self, names: &mut Names) -> Account {
        let mut kept = Account::new(names.keep(self.id.as_str()), self.asset, self.balance);
        let plain =
            self.limits.is_empty() && self.duties == 0 && self.word.is_none() && self.recent.is_none();
        if !plain {
            let more = kept.more_mut();
            more.limits = self.limits.into_owned();
            more.duties = self.duties;
            more.word = self.word.map(|word| Box::new(word.into_owned()));
            more.recent = self.recent.map(|recent| Box::new(recent.into_owned()));
        }
        kept
    }
}

/// A card.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct CardRow<'a> {
    id: CardId,
    token: CardToken,
    last_four: LastFour,
    pub(crate) account: AccountNo,
    currency: Currency,
    expiry: Expiry,
    funding: FundingMode,
    status: CardStatus,
    controls: Option<Cow<'a, Controls>>,
    pub(crate) limits: Cow<'a, Limits>,
    open_holds: u32,
    countries: Countries,
    recent: Option<Cow<'a, Ring>>,
}

impl<'a> CardRow<'a> {
    /// The row of a card of this name.
    pub(crate) fn of(id: CardId, kept: &'a Card) -> Self {
        Self {
            id,
            token: kept.token,
            last_four: kept.last_four,
            account: kept.account,
            currency: kept.currency,
            expiry: kept.expiry,
            funding: kept.funding,
            status: kept.status,
            controls: kept.controls().map(|controls| Cow::Borrowed(&**controls)),
            limits: Cow::Borrowed(&kept.limits),
            open_holds: kept.open_holds,
            countries: kept.countries(),
            recent: kept.recent().map(Cow::Borrowed),
        }
    }

    /// The card in memory, with its name among `names`.
    pub(crate) fn kept(self, names: &mut Names) -> Card {
        let issued = Issued {
            name: names.keep(self.id.as_str()),
            token: self.token,
            last_four: self.last_four,
            account: self.account,
            currency: self.currency,
            expiry: self.expiry,
            funding: self.funding,
        };
        let mut kept = Card::new(issued, self.status);
        kept.limits = self.limits.into_owned();
        kept.open_holds = self.open_holds;
        kept.set_controls(self.controls.map(|controls| Arc::new(controls.into_owned())));
        kept.set_countries(self.countries);
        kept.set_recent(self.recent.map(|recent| Box::new(recent.into_owned())));
        kept
    }
}

/// A transaction.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct TransactionRow<'a> {
    pub(crate) number: TransactionNo,
    at: Timestamp,
    ended_at: Timestamp,
    pub(crate) card: CardNo,
    class: MessageClass,
    processing_code: ProcessingCode,
    stan: Stan,
    transmission: Option<Transmission>,
    acquirer: Option<AcquirerId>,
    rrn: Option<Rrn>,
    mcc: Option<Mcc>,
    country: Option<CountryCode>,
    partial: PartialApproval,
    amount: Option<Money>,
    state: TransactionState,
    reason: Option<Reason>,
    part: Option<Money>,
    held: Option<Amounts>,
    pub(crate) rate: Option<Cow<'a, Rate>>,
    expires_at: Timestamp,
    failures: Cow<'a, [Failure]>,
    kind: TransactionType,
    by: Approver,
    of: Option<TransactionNo>,
    network_reference: Option<NetworkReference>,
    balances_wanted: bool,
    duties: u32,
    more: Option<Cow<'a, More>>,
}

impl<'a> From<&'a Transaction> for TransactionRow<'a> {
    fn from(kept: &'a Transaction) -> Self {
        Self {
            number: kept.number,
            at: kept.at,
            ended_at: kept.ended_at,
            card: kept.card,
            class: kept.class,
            processing_code: kept.processing_code,
            stan: kept.stan,
            transmission: kept.transmission,
            acquirer: kept.acquirer,
            rrn: kept.rrn,
            mcc: kept.mcc,
            country: kept.country,
            partial: kept.partial,
            amount: kept.amount,
            state: kept.state,
            reason: kept.reason,
            part: kept.part(),
            held: kept.held(),
            rate: kept.rate.as_deref().map(Cow::Borrowed),
            expires_at: kept.expires_at,
            failures: Cow::Borrowed(kept.failures()),
            kind: kept.kind,
            by: kept.by,
            of: kept.parent(),
            network_reference: kept.network_reference,
            balances_wanted: kept.balances_wanted,
            duties: kept.duties(),
            more: kept.more.as_deref().map(Cow::Borrowed),
        }
    }
}

impl TransactionRow<'_> {
    /// The transaction in memory. Its rate is `rate`, which holds of one quotation share.
    pub(crate) fn kept(self, rate: Option<Arc<Rate>>) -> Transaction {
        let mut kept = Transaction {
            number: self.number,
            at: self.at,
            ended_at: self.ended_at,
            card: self.card,
            class: self.class,
            processing_code: self.processing_code,
            stan: self.stan,
            transmission: self.transmission,
            acquirer: self.acquirer,
            rrn: self.rrn,
            mcc: self.mcc,
            country: self.country,
            partial: self.partial,
            amount: self.amount,
            state: self.state,
            reason: self.reason,
            held: Held::of(self.held),
            rate,
            expires_at: self.expires_at,
            kind: self.kind,
            by: self.by,
            network_reference: self.network_reference,
            balances_wanted: self.balances_wanted,
            unusual: None,
            more: self.more.map(|more| Box::new(more.into_owned())),
        };
        kept.set_part(self.part);
        kept.set_failures(&self.failures);
        kept.set_parent(self.of);
        kept.set_duties(self.duties);
        kept
    }
}
