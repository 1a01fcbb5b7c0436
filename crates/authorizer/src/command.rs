//! What a shard can be told and asked.

use crate::shard::Totals;
use crate::view::{AccountView, CardView, PostingView, TransactionView};
use domain::{
    AccountId, AccountNo, AcquirerId, Asset, AssetCode, Authorization, CardId, CardNo, CardStatus, CardToken,
    Controls, Currency, DutyNo, Expiry, FundingMode, FundingOutcome, LastFour, LimitRule, MessageClass,
    Money, PostingKind, ProcessingCode, ProgramName, Rate, RequestKey, Reversal, Rrn, Said, Stan,
    StandInOrder, Text, TransactionNo, Transmission, Units, ZoneName,
};
use std::collections::BTreeMap;

/// Who waits for an answer. Opaque here: the daemon packs a link and a slot, or a ticket of the API.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Caller(pub u64);

/// One thing for a shard to decide. `card` and `account` numbers come from the routing index.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// An authorization request or advice from the processor.
    Authorize {
        /// The card, as the routing index knows it.
        card: CardNo,
        /// What is asked.
        request: Authorization,
        /// Who waits.
        caller: Caller,
    },
    /// An advice from the processor: the network declined in our name.
    NoteDecline {
        /// The card, as the routing index knows it.
        card: CardNo,
        /// What was asked of the network.
        request: Authorization,
        /// The network's response code.
        code: Text<4>,
        /// Who waits.
        caller: Caller,
    },
    /// A reversal from the processor.
    Reverse {
        /// The card, as the routing index knows it.
        card: CardNo,
        /// What is to be undone.
        reversal: Reversal,
        /// Who waits.
        caller: Caller,
    },
    /// The balance service answered, or will not.
    AskEnded {
        /// The transaction that was asked for.
        transaction: TransactionNo,
        /// How it ended.
        outcome: FundingOutcome,
    },
    /// The balance service said more than its decision.
    ServiceTold {
        /// The transaction that it was asked about.
        transaction: TransactionNo,
        /// What it said.
        word: Box<ServiceWord>,
    },
    /// The answer to a request did not reach the processor.
    AnswerLost {
        /// The card, as the routing index knows it.
        card: CardNo,
        /// Which request.
        references: References,
        /// How it was lost.
        loss: AnswerLoss,
    },
    /// The balance service acknowledged a duty.
    DutyAcknowledged {
        /// Which.
        duty: DutyNo,
    },
    /// The product changes something.
    Change {
        /// What.
        change: Box<Change>,
        /// Who waits.
        caller: Caller,
    },
    /// The product or support looks something up.
    Inquire {
        /// What.
        inquiry: Inquiry,
        /// Who waits.
        caller: Caller,
    },
    /// Time has passed: expire what has run out.
    Tick,
    /// The switch has recovered: end asks that nobody waits for any more and take up duties again.
    Resume,
}

/// What the balance service said beside its decision.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ServiceWord {
    /// The account's balance there: its version, and what is available.
    pub balance: Option<(u64, Units)>,
    /// The rest, kept for support.
    pub said: Said,
}

/// What a request is found again by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct References {
    /// Its class.
    pub class: MessageClass,
    /// DE 3.
    pub processing_code: ProcessingCode,
    /// DE 11.
    pub stan: Stan,
    /// DE 7.
    pub transmission: Transmission,
    /// DE 32.
    pub acquirer: AcquirerId,
    /// DE 37.
    pub rrn: Option<Rrn>,
    /// DE 4.
    pub amount: Money,
}

impl References {
    /// Those of a request.
    #[must_use]
    pub const fn of(request: &Authorization) -> Self {
        Self {
            class: request.class,
            processing_code: request.processing_code,
            stan: request.stan,
            transmission: request.transmission,
            acquirer: request.acquirer,
            rrn: request.rrn,
            amount: request.amount,
        }
    }
}

/// How an answer was lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AnswerLoss {
    /// It came too late, and the processor was told so instead.
    Withheld,
    /// Its connection was gone before any of it left.
    Undelivered,
}

/// A change that the product asks for through the control API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// Open an account. The caller has made sure that the name is free.
    OpenAccount {
        /// The product's name for it.
        id: AccountId,
        /// What it holds.
        asset: Asset,
        /// What it may spend.
        limits: Vec<LimitRule>,
    },
    /// Book money in or out.
    Post {
        /// The account.
        account: AccountNo,
        /// In or out.
        kind: PostingKind,
        /// How much; above zero.
        units: Units,
        /// The digest of the idempotency key.
        request: RequestKey,
        /// The product's words for the statement.
        note: Text<40>,
    },
    /// Replace an account's limits.
    SetAccountLimits {
        /// The account.
        account: AccountNo,
        /// All its limits.
        limits: Vec<LimitRule>,
    },
    /// Issue a card. The caller has made sure that the name and the number are free.
    IssueCard(NewCard),
    /// Freeze, unfreeze, activate or close a card.
    SetCardStatus {
        /// The card.
        card: CardNo,
        /// Its status from now on.
        status: CardStatus,
    },
    /// Replace a card's controls.
    SetCardControls {
        /// The card.
        card: CardNo,
        /// All its controls.
        controls: Controls,
    },
    /// Replace a card's limits.
    SetCardLimits {
        /// The card.
        card: CardNo,
        /// All its limits.
        limits: Vec<LimitRule>,
    },
    /// End a hold before its time: an operator knows that nothing will be cleared.
    ReleaseHold {
        /// The transaction.
        transaction: TransactionNo,
        /// The operator's words.
        note: Text<40>,
    },
    /// The balance service tells an account's balance by itself.
    TellBalance {
        /// The account.
        account: AccountNo,
        /// The service's version of it; an older one is passed over.
        version: u64,
        /// What the account has available there.
        available: Units,
        /// The transactions that it has taken off.
        counted: Vec<TransactionNo>,
    },
    /// An operator orders whether the switch stands in. Goes to shard 0.
    OrderStandIn(StandInOrder),
    /// Put a rate in force. Goes to shard 0.
    SetRate(Rate),
}

/// A card to be issued.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewCard {
    /// The product's name for it.
    pub id: CardId,
    /// What stands for the card number.
    pub token: CardToken,
    /// What people may see of the card number.
    pub last_four: LastFour,
    /// Where its money comes from.
    pub account: AccountNo,
    /// The currency that it is billed and limited in.
    pub currency: Currency,
    /// Its last month.
    pub expiry: Expiry,
    /// Pre-funded or Just-in-Time.
    pub funding: FundingMode,
    /// Its status at issue.
    pub status: CardStatus,
    /// Where and for what it may be used.
    pub controls: Controls,
    /// What it may spend.
    pub limits: Vec<LimitRule>,
}

/// A look-up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Inquiry {
    /// An account and its balances.
    Account(AccountNo),
    /// An account after a posting.
    Posting {
        /// The account.
        account: AccountNo,
        /// Whether the posting had been made before.
        repeated: bool,
    },
    /// A card and its counters.
    Card(CardNo),
    /// A card's most recent transactions, newest first.
    TransactionsOf {
        /// The card.
        card: CardNo,
        /// How many at most.
        count_max: usize,
    },
    /// One transaction.
    Transaction(TransactionNo),
    /// What belongs to a transaction, newest first: its increments, clearings and refunds.
    FollowUpsOf(TransactionNo),
    /// The books of the shard, by asset.
    Totals,
}

/// The answer to a change or an inquiry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// The account as it is now.
    Account(AccountView),
    /// The posting, done now or before, and the account as it is now.
    Posted(PostingView),
    /// The card as it is now.
    Card(CardView),
    /// The rate that is in force now.
    Rate(Rate),
    /// The order that is in force now.
    StandIn(StandInOrder),
    /// The transactions asked for.
    Transactions(Vec<TransactionView>),
    /// The books of the shard, by asset.
    Totals(BTreeMap<AssetCode, Totals>),
    /// Nothing was changed, and why.
    Refused(Refusal),
}

/// Why a change was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The account is not in this shard.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The card is not in this shard.
    #[error("there is no such card")]
    NoSuchCard,
    /// The transaction is not known, or was forgotten.
    #[error("there is no such transaction among those kept")]
    NoSuchTransaction,
    /// There is nothing to release.
    #[error("the transaction holds nothing that could be released")]
    NoOpenHold,
    /// A closed card stays closed.
    #[error("the card is closed, and a closed card cannot be opened again")]
    CardClosed,
    /// Money that open holds promise cannot be taken out.
    #[error("the account has {available} units available, {asked} were asked for")]
    InsufficientFunds {
        /// What is available, in the asset's smallest unit.
        available: Units,
        /// What was asked for.
        asked: Units,
    },
    /// Only amounts above zero can be booked.
    #[error("the amount is {found} units, only amounts above zero can be booked")]
    NotPositive {
        /// The amount found.
        found: Units,
    },
    /// The balance would leave its range.
    #[error("the balance would not fit in 128 bits of the asset's smallest unit")]
    OutOfRange,
    /// The same idempotency key came with another request before.
    #[error("this idempotency key was used before for another account, direction or amount")]
    RequestKeyReused,
    /// The zone is not in the IANA database.
    #[error("time zone {0:?} is not in the IANA database")]
    UnknownZone(ZoneName),
    /// Nobody has configured how the program stands in.
    #[error("there is no program {0} that could stand in")]
    NoSuchProgram(ProgramName),
    /// A limit that limits nothing, or something below zero.
    #[error(
        "limit {index} must bound an amount or a count, and neither below zero; a transaction has no count"
    )]
    EmptyLimit {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// Too many limits.
    #[error("{found} limits were given, at most {max} are allowed")]
    TooManyLimits {
        /// Limits found.
        found: usize,
        /// Limits allowed.
        max: usize,
    },
}
