//! What the switch owes the balance service until the service acknowledges it.

use crate::asset::{Asset, Units};
use crate::reference::TransactionNo;
use crate::text::Text;
use serde::{Deserialize, Serialize};

/// The number of a duty within its shard; from the same rising sequence as transactions.
pub type DutyNo = TransactionNo;

/// One message that must reach the balance service, however often it has to be sent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Duty {
    /// Its number; the service sees it as part of the idempotency key.
    pub number: DutyNo,
    /// The transaction it speaks of.
    pub transaction: TransactionNo,
    /// The account at the service.
    pub account: crate::AccountId,
    /// What has to be said.
    pub kind: DutyKind,
    /// How much it concerns, in units of `asset`.
    pub units: Units,
    /// The account's asset.
    pub asset: Asset,
}

/// What has to be said.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DutyKind {
    /// Give back whatever you reserved for this transaction. Also right for a transaction you never saw:
    /// remember it then, because this may have overtaken the ask.
    Cancel(CancelCause),
    /// Somebody approved this in your name: book it, even past the balance.
    Advise {
        /// The merchant, for the customer's statement.
        merchant: Text<40>,
    },
}

/// Why a reservation is given back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelCause {
    /// The outcome of the ask is unknown.
    OutcomeUnknown,
    /// The service approved after the processor had its answer, or what could not be used.
    Unused,
    /// The processor reversed the transaction.
    Reversed,
    /// The hold ran out before anything was cleared.
    Expired,
}
