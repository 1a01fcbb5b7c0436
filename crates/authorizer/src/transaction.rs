//! The life of one transaction, from asked to approved, declined, reversed or expired.
//!
//! Exactly one transition leads out of `Asked`; whoever comes second finds another state and compensates.
//!
//! ```text
//!            ┌────────── Approved ──┬── Reversed
//!   Asked ───┤                      └── Expired
//!            ├── Declined
//!            └── Reversed            ReversedFirst (a reversal whose original was never seen)
//! ```

use domain::{
    AcquirerId, Amounts, Authorization, CardNo, Failure, Mcc, MessageClass, Money, PartialApproval,
    ProcessingCode, Rate, Reason, Rrn, Stan, Timestamp, TransactionNo, Transmission,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionState {
    /// Limits are reserved and the balance service is deciding.
    Asked,
    /// Money is held.
    Approved,
    /// Refused; nothing is held.
    Declined,
    /// Undone by the processor.
    Reversed,
    /// The hold ran out.
    Expired,
    /// Only its reversal is known.
    ReversedFirst,
}

impl TransactionState {
    /// Whether limits or money are still reserved for it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Asked | Self::Approved)
    }
}

/// What ties a message to its transaction (E6). The card is implied by the index that is searched first.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct MatchKey {
    pub(crate) card: CardNo,
    pub(crate) stan: Stan,
    pub(crate) transmission: Option<Transmission>,
}

/// One transaction as the shard keeps it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Transaction {
    pub(crate) number: TransactionNo,
    pub(crate) at: Timestamp,
    /// When it was finished; the same as `at` while it is open.
    pub(crate) ended_at: Timestamp,
    pub(crate) card: CardNo,
    pub(crate) class: MessageClass,
    pub(crate) processing_code: ProcessingCode,
    pub(crate) stan: Stan,
    pub(crate) transmission: Option<Transmission>,
    pub(crate) acquirer: Option<AcquirerId>,
    pub(crate) rrn: Option<Rrn>,
    pub(crate) mcc: Option<Mcc>,
    pub(crate) partial: PartialApproval,
    /// What the merchant asked for; `None` when only the reversal is known and named no amount.
    pub(crate) amount: Option<Money>,
    pub(crate) state: TransactionState,
    /// The first answer; it stays when the transaction is reversed later.
    pub(crate) reason: Option<Reason>,
    /// The amount approved in the transaction's currency, when it was less than asked.
    pub(crate) part: Option<Money>,
    /// What is reserved or held now.
    pub(crate) held: Option<Amounts>,
    pub(crate) rate: Option<Arc<Rate>>,
    pub(crate) expires_at: Timestamp,
    pub(crate) failures: Box<[Failure]>,
}

impl Transaction {
    /// The part that every transaction with a request shares.
    pub(crate) fn of(
        number: TransactionNo,
        at: Timestamp,
        card: CardNo,
        request: &Authorization,
        state: TransactionState,
    ) -> Self {
        Self {
            number,
            at,
            ended_at: at,
            card,
            class: request.class,
            processing_code: request.processing_code,
            stan: request.stan,
            transmission: Some(request.transmission),
            acquirer: Some(request.acquirer),
            rrn: request.rrn,
            mcc: request.merchant.mcc,
            partial: request.partial,
            amount: Some(request.amount),
            state,
            reason: None,
            part: None,
            held: None,
            rate: None,
            expires_at: Timestamp::MAX,
            failures: Box::default(),
        }
    }

    pub(crate) fn key(&self) -> MatchKey {
        MatchKey { card: self.card, stan: self.stan, transmission: self.transmission }
    }

    /// Whether `request` carries the same references, apart from those in the match key.
    pub(crate) fn same_references(&self, request: &Authorization) -> bool {
        self.class == request.class
            && self.acquirer == Some(request.acquirer)
            && self.rrn == request.rrn
            && self.processing_code == request.processing_code
    }
}
