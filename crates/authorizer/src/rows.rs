//! Rows as they are written: what a snapshot keeps of an account, a card and a transaction.
//!
//! In memory they lie as is best for decisions, and may change; these change never: the order of their fields is the
//! format on disk, and a golden file in the tests of `switch` pins it.

use crate::held::Held;
use crate::transaction::{More, Transaction, TransactionState};
use domain::{
    AcquirerId, Amounts, Approver, CardNo, CountryCode, Failure, Mcc, MessageClass, Money, NetworkReference,
    PartialApproval, ProcessingCode, Rate, Reason, Rrn, Stan, Timestamp, TransactionNo, TransactionType,
    Transmission,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

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
            duties: kept.duties,
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
            duties: self.duties,
            unusual: None,
            more: self.more.map(|more| Box::new(more.into_owned())),
        };
        kept.set_part(self.part);
        kept.set_failures(&self.failures);
        kept.set_parent(self.of);
        kept
    }
}
