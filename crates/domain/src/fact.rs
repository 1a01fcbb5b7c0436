//! What has become true. One stream of facts serves recovery, history, metrics and the books.
//!
//! State changes only by applying facts, and recovery applies the same facts again without consulting any
//! rule. So a fact carries results (amounts, rates, reasons, numbers), never questions. Its shard, sequence
//! and time stand in the journal record around it.
//!
//! The variants and their fields are the journal's payload format: their order is part of it. A change needs
//! a new payload version in the journal crate.

use crate::account::{AccountId, AccountNo};
use crate::asset::{Asset, Units};
use crate::authorization::{Authorization, Reversal};
use crate::card::{CardId, CardNo, CardStatus, CardToken, Expiry, FundingMode, LastFour};
use crate::control::Controls;
use crate::duty::{Duty, DutyNo};
use crate::limit::{LimitBreach, LimitRule};
use crate::money::{Currency, Money};
use crate::rate::Rate;
use crate::reason::Reason;
use crate::reference::TransactionNo;
use crate::text::Text;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One thing that has become true in one shard.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Fact {
    /// An account exists.
    AccountOpened {
        /// Its number from now on.
        account: AccountNo,
        /// The product's name for it.
        id: AccountId,
        /// What it holds.
        asset: Asset,
    },
    /// Money came into an account or left it, at the product's word.
    Posted {
        /// The account.
        account: AccountNo,
        /// In or out.
        kind: PostingKind,
        /// How much.
        units: Units,
        /// The product's request, for recognising a repeat.
        request: RequestKey,
        /// The product's words for the statement.
        note: Text<40>,
    },
    /// An account's limits were replaced.
    AccountLimitsSet {
        /// The account.
        account: AccountNo,
        /// All its limits.
        limits: Vec<LimitRule>,
    },
    /// A card exists.
    CardIssued {
        /// Its number from now on.
        card: CardNo,
        /// The product's name for it.
        id: CardId,
        /// What stands for the card number.
        token: CardToken,
        /// What people may see of the card number.
        last_four: LastFour,
        /// Where its money comes from.
        account: AccountNo,
        /// The currency that it is billed and limited in.
        currency: Currency,
        /// Its last month.
        expiry: Expiry,
        /// Pre-funded or Just-in-Time.
        funding: FundingMode,
        /// Its status at issue.
        status: CardStatus,
    },
    /// A card's status changed.
    CardStatusSet {
        /// The card.
        card: CardNo,
        /// Its status from now on.
        status: CardStatus,
    },
    /// A card's controls were replaced.
    CardControlsSet {
        /// The card.
        card: CardNo,
        /// All its controls.
        controls: Controls,
    },
    /// A card's limits were replaced.
    CardLimitsSet {
        /// The card.
        card: CardNo,
        /// All its limits.
        limits: Vec<LimitRule>,
    },
    /// A rate is in force. Kept in shard 0 and used by all.
    RateSet {
        /// The rate.
        rate: Rate,
    },
    /// Money was promised: a hold stands.
    Approved {
        /// The transaction.
        transaction: TransactionNo,
        /// Its card.
        card: CardNo,
        /// The request or advice.
        request: Authorization,
        /// What is promised.
        hold: HoldTerms,
        /// `Approved` or `ApprovedPartially`.
        reason: Reason,
        /// Rules that an advice broke; a request that broke any was declined.
        flags: Vec<Failure>,
    },
    /// A request was refused; nothing is promised.
    Declined {
        /// The transaction.
        transaction: TransactionNo,
        /// Its card.
        card: CardNo,
        /// The request.
        request: Authorization,
        /// Every rule that failed, the deciding one first.
        failures: Vec<Failure>,
    },
    /// Funds and limits are reserved and the balance service is about to be asked.
    Asked {
        /// The transaction.
        transaction: TransactionNo,
        /// Its card.
        card: CardNo,
        /// The request.
        request: Authorization,
        /// What is reserved until the ask ends.
        hold: HoldTerms,
    },
    /// The balance service agreed, in full or in part, and the hold stands.
    AskApproved {
        /// The transaction.
        transaction: TransactionNo,
        /// What is promised, at most what was reserved.
        amounts: Amounts,
        /// The amount approved in the transaction's currency, when it is less than was asked.
        part: Option<Money>,
        /// `Approved` or `ApprovedPartially`.
        reason: Reason,
    },
    /// The ask ended without money; the reservation is gone.
    AskDeclined {
        /// The transaction.
        transaction: TransactionNo,
        /// Why, the deciding reason first.
        failures: Vec<Failure>,
        /// The balance service's own code, where it gave one.
        code: Text<24>,
    },
    /// A transaction was undone: what was still held is free again.
    Reversed {
        /// The transaction.
        transaction: TransactionNo,
        /// What was given back.
        amounts: Amounts,
        /// The message that asked for it.
        reversal: Reversal,
    },
    /// A reversal came whose original is not known (yet): the original will be declined.
    ReversalUnmatched {
        /// The number under which the reversal is remembered.
        transaction: TransactionNo,
        /// The card.
        card: CardNo,
        /// The message.
        reversal: Reversal,
    },
    /// A hold ran out: what was still held is free again.
    HoldExpired {
        /// The transaction.
        transaction: TransactionNo,
        /// What was given back.
        amounts: Amounts,
    },
    /// The balance service must be told something.
    DutyOwed {
        /// What.
        duty: Duty,
    },
    /// The balance service acknowledged it.
    DutyDone {
        /// Which.
        duty: DutyNo,
    },
}

/// Money in or out of an account at the product's word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PostingKind {
    /// In: the ledger balance rises.
    Credit,
    /// Out: the ledger balance falls.
    Debit,
}

/// A digest of the idempotency key that came with a request of the product.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct RequestKey(pub [u8; 16]);

/// One amount, on the card side and on the account side.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Amounts {
    /// In the card's currency.
    pub card: Money,
    /// In the account's asset.
    pub units: Units,
}

/// What a hold promises, at which rate, and until when.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HoldTerms {
    /// The amount promised.
    pub amounts: Amounts,
    /// The rate that the account side was computed with; locked for the life of the hold.
    pub rate: Option<Rate>,
    /// When the hold runs out.
    pub expires_at: Timestamp,
}

/// One rule that said no.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// Which rule.
    pub reason: Reason,
    /// The limit, where the rule was one.
    pub limit: Option<LimitBreach>,
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self { reason, limit: None }
    }
}

/// How a reversal relates to what is known.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReversalMatch {
    /// It undid its original.
    Matched,
    /// Its original was undone before, or never promised anything.
    NothingLeft,
    /// Its original is not known; it is remembered.
    Unmatched,
    /// Its card is not known.
    UnknownCard,
}
