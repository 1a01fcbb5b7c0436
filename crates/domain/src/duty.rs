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
    /// Which one of the transaction's duties this is, from 1: the service is told them in this order.
    pub sequence: u32,
    /// Which one of the account's duties this is, from 1, whatever the transaction.
    pub account_sequence: u64,
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
    /// What you reserved stands: the approval is on disk and on its way to the processor.
    Confirm,
    /// The processor undid a part: give back `units` of what you reserved, and keep the rest.
    Reverse {
        /// What stays reserved.
        left: Units,
    },
    /// The merchant was paid `units`: book them, even past the balance.
    Clear {
        /// How much of it comes out of the reservation; the rest was never reserved.
        reserved: Units,
        /// What is given back of the reservation on top, because no other clearing follows.
        released: Units,
        /// Whether the reservation has ended.
        last: bool,
        /// The merchant, for the customer's statement.
        merchant: Text<40>,
    },
    /// `units` came back to the customer: book them in.
    Refund {
        /// The merchant, for the customer's statement.
        merchant: Text<40>,
    },
    /// A refund, or a payment that was booked at once, was undone: take `units` out again, or put them back in.
    Undo {
        /// Whether the customer gets the money (a booked payment was undone) or loses it (a refund was undone).
        credit: bool,
    },
    /// The hold ran out, or an operator ended it: give back `units`.
    Expire,
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
    /// The hold ran out before anything was cleared. Only earlier versions said it so; now it is [`DutyKind::Expire`].
    Expired,
}
