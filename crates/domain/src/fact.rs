//! What has become true. One stream of facts serves recovery, history, metrics and the books.
//!
//! State changes only by applying facts, and recovery applies the same facts again without consulting any
//! rule. So a fact carries results (amounts, rates, reasons, numbers), never questions. Its shard, sequence
//! and time stand in the journal record around it.
//!
//! The variants and their fields are version 2 of the journal's payload format: their order is part of it. A new
//! variant goes to the end; any other change needs a new version, and the old one kept as [`crate::version_1`] is.

use crate::account::{AccountId, AccountNo};
use crate::asset::{Asset, Units};
use crate::authorization::{Authorization, Reversal};
use crate::card::{CardId, CardNo, CardStatus, CardToken, Expiry, FundingMode, LastFour};
use crate::control::Controls;
use crate::convert::Price;
use crate::duty::{Duty, DutyNo};
use crate::failure::Failure;
use crate::flags::{ClearingFlags, RefundFlags};
use crate::limit::LimitRule;
use crate::money::{Currency, Money};
use crate::rate::Rate;
use crate::reason::Reason;
use crate::reference::TransactionNo;
use crate::stand_in::StandInOrder;
use crate::text::Text;
use crate::time::Timestamp;
use crate::told::{Counts, Said};
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
        /// The amount approved in the transaction's currency, when it is less than was asked.
        part: Option<Money>,
        /// Who said yes.
        by: Approver,
        /// The balances that the answer carried, where it was asked for them.
        told: Option<Balances>,
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
        /// The payment that it adds to, where it is an increment.
        of: Option<TransactionNo>,
        /// What is reserved until the ask ends.
        hold: HoldTerms,
        /// Rules that would have declined it, were they enforced.
        flags: Vec<Failure>,
    },
    /// The balance service agreed, in full or in part, or somebody did in its place, and the hold stands.
    AskApproved {
        /// The transaction.
        transaction: TransactionNo,
        /// What is promised, at most what was reserved.
        amounts: Amounts,
        /// The amount approved in the transaction's currency, when it is less than was asked.
        part: Option<Money>,
        /// `Approved` or `ApprovedPartially`.
        reason: Reason,
        /// Who said yes.
        by: Approver,
        /// The balances that the answer carried, where it was asked for them.
        told: Option<Balances>,
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
    /// A question was answered with yes, and nothing was moved: a verification, an inquiry, a credit to come.
    Answered {
        /// The transaction.
        transaction: TransactionNo,
        /// Its card.
        card: CardNo,
        /// The request.
        request: Authorization,
        /// The answer.
        reason: Reason,
        /// The balances that the answer carried, where it was asked for them.
        told: Option<Balances>,
        /// Rules that a message broke that could not be declined.
        flags: Vec<Failure>,
    },
    /// A hold was raised by an increment, or set to what an advice said that it came to.
    HoldChanged {
        /// The number of the message that changed it.
        transaction: TransactionNo,
        /// The transaction whose hold it is.
        of: TransactionNo,
        /// Its card.
        card: CardNo,
        /// The message.
        request: Authorization,
        /// The hold from now on, with its new end.
        hold: HoldTerms,
        /// The balances that the answer carried, where it was asked for them.
        told: Option<Balances>,
        /// Rules that an advice broke.
        flags: Vec<Failure>,
    },
    /// A part of a hold, or one of its increments, was undone.
    PartlyReversed {
        /// The transaction whose hold it is.
        transaction: TransactionNo,
        /// The increment that was undone, if it was one.
        increment: Option<TransactionNo>,
        /// What is free again.
        released: Amounts,
        /// What is held still.
        left: Amounts,
        /// The message that asked for it.
        reversal: Reversal,
    },
    /// Money was paid to the merchant: it leaves the account.
    Cleared {
        /// The number of the clearing; that of the hold itself where a message approved and booked at once.
        transaction: TransactionNo,
        /// The transaction that it belongs to; `None` for a forced post.
        of: Option<TransactionNo>,
        /// Its card.
        card: CardNo,
        /// The message; `None` where the fact before has it, because it approved and booked at once.
        request: Option<Authorization>,
        /// What was paid, all in all.
        paid: Amounts,
        /// How much of that the hold had promised.
        from_hold: Amounts,
        /// What is free again of the hold on top, because no other clearing follows.
        released: Amounts,
        /// Whether the hold has ended.
        last: bool,
        /// The rate that what exceeds the hold was converted with.
        rate: Option<Box<Rate>>,
        /// What is remarkable about it.
        flags: ClearingFlags,
    },
    /// A payment that was booked at once was undone: the money is back in the account.
    ClearingReversed {
        /// The transaction.
        transaction: TransactionNo,
        /// What came back.
        amounts: Amounts,
        /// The message that asked for it.
        reversal: Reversal,
    },
    /// A merchant gave money back, or somebody sent some: it is in the account.
    Refunded {
        /// The transaction.
        transaction: TransactionNo,
        /// The transaction whose money it is; `None` when none fits.
        of: Option<TransactionNo>,
        /// Its card.
        card: CardNo,
        /// The message.
        request: Authorization,
        /// What came in.
        amounts: Amounts,
        /// The rate that it was converted with.
        rate: Option<Box<Rate>>,
        /// The balances that the answer carried, where it was asked for them.
        told: Option<Balances>,
        /// What is remarkable about it.
        flags: RefundFlags,
    },
    /// A refund was undone: the money left the account again, past the balance if it must.
    RefundReversed {
        /// The refund.
        transaction: TransactionNo,
        /// What left.
        amounts: Amounts,
        /// The message that asked for it.
        reversal: Reversal,
    },
    /// An operator ended a hold before its time: what was still held is free again.
    HoldReleased {
        /// The transaction.
        transaction: TransactionNo,
        /// What was given back.
        amounts: Amounts,
        /// The operator's words.
        note: Text<40>,
    },
    /// The balance service told the balance of an account.
    BalanceTold {
        /// The account.
        account: AccountNo,
        /// The service's version of it; an older one is never taken.
        version: u64,
        /// What the account has available there, our counted holds taken off.
        available: Units,
        /// When it was told.
        at: Timestamp,
        /// Which of our holds it has taken off.
        counts: Counts,
    },
    /// The key that card tokens are made with has this fingerprint. Kept in shard 0, so that a start with another
    /// key is noticed before no card is found any more.
    TokenKeySeen {
        /// The fingerprint; the key cannot be computed from it.
        fingerprint: KeyFingerprint,
    },
    /// The processor was told that no decision came in time; what was approved meanwhile is undone, and its repeats
    /// are declined.
    AnswerWithheld {
        /// The transaction.
        transaction: TransactionNo,
    },
    /// An approval could not be sent: its connection was gone before the first byte left. Its hold ends sooner, unless
    /// the network repeats the request.
    AnswerUndelivered {
        /// The transaction.
        transaction: TransactionNo,
        /// When the hold ends now.
        until: Timestamp,
    },
    /// A request that is approved, or being decided, was repeated, and its answer goes to whoever repeated it: whether the
    /// first one was delivered matters no more. A hold that was to end sooner for that ends when it would have.
    AnswerRepeated {
        /// The transaction.
        transaction: TransactionNo,
    },
    /// An advice told that the network declined in our name. Nothing is moved.
    DeclineAdvised {
        /// The number of the advice.
        transaction: TransactionNo,
        /// The request that it speaks of, where that had come to us too.
        of: Option<TransactionNo>,
        /// Its card.
        card: CardNo,
        /// The message.
        request: Authorization,
        /// The network's response code.
        code: Text<4>,
    },
    /// A part of what the balance service is still deciding was undone: it goes back as soon as it has come.
    ReversalDeferred {
        /// The transaction.
        transaction: TransactionNo,
        /// The message that asked for it.
        reversal: Reversal,
    },
    /// The balance service said more than its decision: kept for support.
    ServiceSaid {
        /// The transaction that it was asked about.
        transaction: TransactionNo,
        /// What it said.
        said: Said,
    },
    /// An operator ordered whether the switch stands in for a program's balance service. Kept in shard 0 and used by
    /// all.
    StandInOrdered {
        /// The order.
        order: StandInOrder,
    },
    /// What the units of an increment, a refund, or of what was paid beyond a hold, are made of, where that is more than
    /// the amount at one rate. Follows the fact that moved them.
    Priced {
        /// The message that moved them.
        transaction: TransactionNo,
        /// What its units are made of.
        price: Price,
    },
}

impl Fact {
    /// Whether every balance, every hold and every ask is the same after it: it names, sets, tells or takes note. What
    /// adds a fact that moves something finds here who must hear of it.
    #[must_use]
    pub const fn moves_nothing(&self) -> bool {
        match self {
            Self::AccountOpened { .. }
            | Self::AccountLimitsSet { .. }
            | Self::CardIssued { .. }
            | Self::CardStatusSet { .. }
            | Self::CardControlsSet { .. }
            | Self::CardLimitsSet { .. }
            | Self::RateSet { .. }
            | Self::Declined { .. }
            | Self::ReversalUnmatched { .. }
            | Self::DutyOwed { .. }
            | Self::DutyDone { .. }
            | Self::Answered { .. }
            | Self::BalanceTold { .. }
            | Self::TokenKeySeen { .. }
            | Self::AnswerWithheld { .. }
            | Self::AnswerUndelivered { .. }
            | Self::AnswerRepeated { .. }
            | Self::DeclineAdvised { .. }
            | Self::ReversalDeferred { .. }
            | Self::ServiceSaid { .. }
            | Self::StandInOrdered { .. } => true,
            Self::Posted { .. }
            | Self::Approved { .. }
            | Self::Asked { .. }
            | Self::AskApproved { .. }
            | Self::AskDeclined { .. }
            | Self::Reversed { .. }
            | Self::HoldExpired { .. }
            | Self::HoldChanged { .. }
            | Self::PartlyReversed { .. }
            | Self::Cleared { .. }
            | Self::ClearingReversed { .. }
            | Self::Refunded { .. }
            | Self::RefundReversed { .. }
            | Self::HoldReleased { .. }
            | Self::Priced { .. } => false,
        }
    }

    /// Every rule that the fact says has failed, decided or not.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        match self {
            Self::Declined { failures, .. } | Self::AskDeclined { failures, .. } => failures,
            Self::Approved { flags, .. }
            | Self::Asked { flags, .. }
            | Self::Answered { flags, .. }
            | Self::HoldChanged { flags, .. } => flags,
            Self::AccountOpened { .. }
            | Self::Posted { .. }
            | Self::AccountLimitsSet { .. }
            | Self::CardIssued { .. }
            | Self::CardStatusSet { .. }
            | Self::CardControlsSet { .. }
            | Self::CardLimitsSet { .. }
            | Self::RateSet { .. }
            | Self::AskApproved { .. }
            | Self::Reversed { .. }
            | Self::ReversalUnmatched { .. }
            | Self::HoldExpired { .. }
            | Self::DutyOwed { .. }
            | Self::DutyDone { .. }
            | Self::PartlyReversed { .. }
            | Self::Cleared { .. }
            | Self::ClearingReversed { .. }
            | Self::Refunded { .. }
            | Self::RefundReversed { .. }
            | Self::HoldReleased { .. }
            | Self::BalanceTold { .. }
            | Self::TokenKeySeen { .. }
            | Self::AnswerWithheld { .. }
            | Self::AnswerUndelivered { .. }
            | Self::AnswerRepeated { .. }
            | Self::DeclineAdvised { .. }
            | Self::ReversalDeferred { .. }
            | Self::ServiceSaid { .. }
            | Self::StandInOrdered { .. }
            | Self::Priced { .. } => &[],
        }
    }
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

/// What a hold promises, at which rate, and until when. Most convert nothing, so what conversions need lies apart: facts are
/// large enough.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HoldTerms {
    /// The amount promised.
    pub amounts: Amounts,
    /// The rate that the account side was computed with; locked for the life of the hold.
    pub rate: Option<Box<Rate>>,
    /// When the hold runs out.
    pub expires_at: Timestamp,
    /// What the units are made of, where that is more than the amount at one rate.
    pub price: Option<Box<Price>>,
}

/// Who said yes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Approver {
    /// The switch, from its own balances.
    #[default]
    Switch,
    /// The product's balance service.
    BalanceService,
    /// The switch in the place of a balance service that could not be asked.
    StandIn,
    /// The network in our place; we were told afterwards.
    Network,
}

impl Approver {
    /// The word that the API uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::BalanceService => "balance_service",
            Self::StandIn => "stand_in",
            Self::Network => "network",
        }
    }
}

/// The balances of an account as an answer carries them, in the card's currency.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Balances {
    /// Money booked.
    pub ledger: Money,
    /// What can be spent.
    pub available: Money,
}

/// A fingerprint of a secret key: the first half of a keyed digest of a constant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct KeyFingerprint(pub [u8; 16]);

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
