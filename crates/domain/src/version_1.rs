//! Version 1 of the journal's payload, frozen: the types as they were, for reading what was written then.
//!
//! Nothing here changes any more and nothing here is written. A fact of version 1 becomes one of today by `From`; what
//! was not known then gets the value that says so. Only types whose layout has changed since stand here. An enum that
//! only grew at its end is read as it is today.

#![allow(missing_docs)] // each word is explained where its successor lives

use crate::account::{AccountId, AccountNo};
use crate::asset::{Asset, AssetCode, Units};
use crate::authorization::{CountryCode, EntryMode, Mcc, PartialApproval, ProcessingCode};
use crate::card::{CardId, CardNo, CardStatus, CardToken, Expiry, FundingMode, LastFour};
use crate::details::Details;
use crate::duty::{CancelCause, DutyNo};
use crate::fact::{Amounts, Approver, PostingKind, RequestKey};
use crate::limit::{LimitOwner, Measure, Span, Window, ZoneName};
use crate::money::{Currency, Money};
use crate::reference::{AcquirerId, MessageClass, Rrn, Stan, TransactionNo, Transmission};
use crate::text::Text;
use crate::time::{Mono, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Fact {
    AccountOpened {
        account: AccountNo,
        id: AccountId,
        asset: Asset,
    },
    Posted {
        account: AccountNo,
        kind: PostingKind,
        units: Units,
        request: RequestKey,
        note: Text<40>,
    },
    AccountLimitsSet {
        account: AccountNo,
        limits: Vec<LimitRule>,
    },
    CardIssued {
        card: CardNo,
        id: CardId,
        token: CardToken,
        last_four: LastFour,
        account: AccountNo,
        currency: Currency,
        expiry: Expiry,
        funding: FundingMode,
        status: CardStatus,
    },
    CardStatusSet {
        card: CardNo,
        status: CardStatus,
    },
    CardControlsSet {
        card: CardNo,
        controls: Controls,
    },
    CardLimitsSet {
        card: CardNo,
        limits: Vec<LimitRule>,
    },
    RateSet {
        rate: Rate,
    },
    Approved {
        transaction: TransactionNo,
        card: CardNo,
        request: Authorization,
        hold: HoldTerms,
        reason: Reason,
        flags: Vec<Failure>,
    },
    Declined {
        transaction: TransactionNo,
        card: CardNo,
        request: Authorization,
        failures: Vec<Failure>,
    },
    Asked {
        transaction: TransactionNo,
        card: CardNo,
        request: Authorization,
        hold: HoldTerms,
    },
    AskApproved {
        transaction: TransactionNo,
        amounts: Amounts,
        part: Option<Money>,
        reason: Reason,
    },
    AskDeclined {
        transaction: TransactionNo,
        failures: Vec<Failure>,
        code: Text<24>,
    },
    Reversed {
        transaction: TransactionNo,
        amounts: Amounts,
        reversal: Reversal,
    },
    ReversalUnmatched {
        transaction: TransactionNo,
        card: CardNo,
        reversal: Reversal,
    },
    HoldExpired {
        transaction: TransactionNo,
        amounts: Amounts,
    },
    DutyOwed {
        duty: Duty,
    },
    DutyDone {
        duty: DutyNo,
    },
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HoldTerms {
    pub amounts: Amounts,
    pub rate: Option<Rate>,
    pub expires_at: Timestamp,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    pub reason: Reason,
    pub limit: Option<LimitBreach>,
}

/// Declares the reasons once, and that each has kept its name.
macro_rules! reasons {
    ($($variant:ident,)+) => {
        #[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
        pub enum Reason {
            $($variant,)+
        }

        impl From<Reason> for crate::Reason {
            fn from(reason: Reason) -> Self {
                match reason {
                    $(Reason::$variant => Self::$variant,)+
                }
            }
        }
    };
}

reasons! {
    Approved,
    ApprovedPartially,
    DuplicateWithOtherAmount,
    PreviouslyReversed,
    UnknownCard,
    CardClosed,
    CardFrozen,
    CardNotYetActive,
    CardExpired,
    ExpiryMismatch,
    TransactionTypeNotAllowed,
    InvalidAmount,
    CountryNotAllowed,
    CurrencyNotAllowed,
    MccNotAllowed,
    MerchantNotAllowed,
    TransactionLimit,
    AmountLimit,
    CountLimit,
    TooManyHolds,
    InsufficientFunds,
    FundingDeclined,
    RateUnavailable,
    AmountOutOfRange,
    ReversedInFlight,
    FundingTimedOut,
    FundingUnavailable,
    FundingMalformed,
    FundingOverloaded,
    DeadlinePassed,
    Overloaded,
    SignedOff,
    JournalUnavailable,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct LimitRule {
    pub window: Window,
    pub zone: ZoneName,
    pub amount_max: Option<i128>,
    pub count_max: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LimitBreach {
    pub owner: LimitOwner,
    pub window: Window,
    pub measure: Measure,
    pub max: i128,
    pub used: i128,
    pub asked: i128,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Merchant {
    pub mcc: Option<Mcc>,
    pub country: Option<CountryCode>,
    pub id: Text<15>,
    pub terminal: Text<16>,
    pub name: Text<40>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Authorization {
    pub class: MessageClass,
    pub card: CardToken,
    pub processing_code: ProcessingCode,
    pub amount: Money,
    pub billing: Option<Money>,
    pub transmission: Transmission,
    pub stan: Stan,
    pub acquirer: AcquirerId,
    pub rrn: Option<Rrn>,
    pub entry_mode: Option<EntryMode>,
    pub merchant: Merchant,
    pub partial: PartialApproval,
    #[serde(skip)]
    pub expiry: Option<Expiry>,
    #[serde(skip)]
    pub deadline: Mono,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reversal {
    pub card: CardToken,
    pub stan: Stan,
    pub transmission: Option<Transmission>,
    pub acquirer: Option<AcquirerId>,
    pub rrn: Option<Rrn>,
    pub amount: Option<Money>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Duty {
    pub number: DutyNo,
    pub transaction: TransactionNo,
    pub account: AccountId,
    pub kind: DutyKind,
    pub units: Units,
    pub asset: Asset,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DutyKind {
    Cancel(CancelCause),
    Advise { merchant: Text<40> },
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rate {
    pub from: AssetCode,
    pub to: AssetCode,
    #[serde(with = "crate::rate::decimal_as_text")]
    pub value: Decimal,
    pub source: Text<24>,
    pub as_of: Timestamp,
    pub max_age: Duration,
    pub id: Text<40>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ListRule<T> {
    pub allowed: Option<Vec<T>>,
    pub blocked: Vec<T>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Controls {
    pub mcc: ListRule<Mcc>,
    pub country: ListRule<CountryCode>,
    pub currency: ListRule<Currency>,
    pub merchant: ListRule<Text<15>>,
}

impl From<Fact> for crate::Fact {
    fn from(fact: Fact) -> Self {
        match fact {
            Fact::AccountOpened { account, id, asset } => Self::AccountOpened { account, id, asset },
            Fact::Posted { account, kind, units, request, note } => {
                Self::Posted { account, kind, units, request, note }
            }
            Fact::AccountLimitsSet { account, limits } => {
                Self::AccountLimitsSet { account, limits: all(limits) }
            }
            Fact::CardIssued { card, id, token, last_four, account, currency, expiry, funding, status } => {
                Self::CardIssued { card, id, token, last_four, account, currency, expiry, funding, status }
            }
            Fact::CardStatusSet { card, status } => Self::CardStatusSet { card, status },
            Fact::CardControlsSet { card, controls } => {
                Self::CardControlsSet { card, controls: controls.into() }
            }
            Fact::CardLimitsSet { card, limits } => Self::CardLimitsSet { card, limits: all(limits) },
            Fact::RateSet { rate } => Self::RateSet { rate: rate.into() },
            Fact::Approved { transaction, card, request, hold, reason, flags } => {
                let by = approver_of(request.class);
                let (request, hold, reason, flags) = (request.into(), hold.into(), reason.into(), all(flags));
                Self::Approved { transaction, card, request, hold, reason, part: None, by, told: None, flags }
            }
            Fact::Declined { transaction, card, request, failures } => {
                Self::Declined { transaction, card, request: request.into(), failures: all(failures) }
            }
            Fact::Asked { transaction, card, request, hold } => {
                let (request, hold, flags) = (request.into(), hold.into(), Vec::new());
                Self::Asked { transaction, card, request, of: None, hold, flags }
            }
            Fact::AskApproved { transaction, amounts, part, reason } => {
                let (reason, by, told) = (reason.into(), Approver::BalanceService, None);
                Self::AskApproved { transaction, amounts, part, reason, by, told }
            }
            Fact::AskDeclined { transaction, failures, code } => {
                Self::AskDeclined { transaction, failures: all(failures), code }
            }
            Fact::Reversed { transaction, amounts, reversal } => {
                Self::Reversed { transaction, amounts, reversal: reversal.into() }
            }
            Fact::ReversalUnmatched { transaction, card, reversal } => {
                Self::ReversalUnmatched { transaction, card, reversal: reversal.into() }
            }
            Fact::HoldExpired { transaction, amounts } => Self::HoldExpired { transaction, amounts },
            Fact::DutyOwed { duty } => Self::DutyOwed { duty: duty.into() },
            Fact::DutyDone { duty } => Self::DutyDone { duty },
        }
    }
}

/// An advice told of an approval that the network gave.
const fn approver_of(class: MessageClass) -> Approver {
    if class.is_request() { Approver::Switch } else { Approver::Network }
}

fn all<Old, New: From<Old>>(old: Vec<Old>) -> Vec<New> {
    old.into_iter().map(New::from).collect()
}

impl From<HoldTerms> for crate::HoldTerms {
    fn from(hold: HoldTerms) -> Self {
        let HoldTerms { amounts, rate, expires_at } = hold;
        Self { amounts, rate: rate.map(|rate| Box::new(rate.into())), expires_at, price: None }
    }
}

impl From<Failure> for crate::Failure {
    fn from(failure: Failure) -> Self {
        let Failure { reason, limit } = failure;
        Self { reason: reason.into(), limit: limit.map(Into::into), rule: None }
    }
}

impl From<LimitRule> for crate::LimitRule {
    fn from(rule: LimitRule) -> Self {
        let LimitRule { window, zone, amount_max, count_max } = rule;
        Self { window, zone, amount_max, count_max }
    }
}

impl From<LimitBreach> for crate::LimitBreach {
    fn from(breach: LimitBreach) -> Self {
        let LimitBreach { owner, window, measure, max, used, asked } = breach;
        Self { owner, span: Span::Calendar(window), measure, max, used, asked }
    }
}

impl From<Merchant> for crate::Merchant {
    fn from(merchant: Merchant) -> Self {
        let Merchant { mcc, country, id, terminal, name } = merchant;
        Self { mcc, country, id, terminal, name }
    }
}

impl From<Authorization> for crate::Authorization {
    fn from(old: Authorization) -> Self {
        Self {
            class: old.class,
            card: old.card,
            processing_code: old.processing_code,
            amount: old.amount,
            billing: old.billing,
            transmission: old.transmission,
            stan: old.stan,
            acquirer: old.acquirer,
            rrn: old.rrn,
            entry_mode: old.entry_mode,
            merchant: old.merchant.into(),
            partial: old.partial,
            details: Details::default(),
            expiry: old.expiry,
            deadline: old.deadline,
        }
    }
}

impl From<Reversal> for crate::Reversal {
    fn from(reversal: Reversal) -> Self {
        let Reversal { card, stan, transmission, acquirer, rrn, amount } = reversal;
        Self {
            card,
            stan,
            transmission,
            acquirer,
            rrn,
            amount,
            new_total: None,
            network_reference: None,
            approval_code: None,
            original_class: None,
        }
    }
}

impl From<Duty> for crate::Duty {
    fn from(duty: Duty) -> Self {
        let Duty { number, transaction, account, kind, units, asset } = duty;
        let kind = match kind {
            DutyKind::Cancel(cause) => crate::DutyKind::Cancel(cause),
            DutyKind::Advise { merchant } => crate::DutyKind::Advise { merchant },
        };
        Self { number, transaction, account, kind, units, asset, sequence: 0, account_sequence: 0 }
    }
}

impl From<Rate> for crate::Rate {
    fn from(rate: Rate) -> Self {
        let Rate { from, to, value, source, as_of, max_age, id } = rate;
        Self { from, to, value, bid: None, source, as_of, max_age, id }
    }
}

impl<T> From<ListRule<T>> for crate::ListRule<T> {
    fn from(list: ListRule<T>) -> Self {
        let ListRule { allowed, blocked } = list;
        Self { allowed, blocked }
    }
}

impl From<Controls> for crate::Controls {
    fn from(controls: Controls) -> Self {
        let Controls { mcc, country, currency, merchant } = controls;
        Self {
            mcc: mcc.into(),
            country: country.into(),
            currency: currency.into(),
            merchant: merchant.into(),
        }
    }
}
