//! The shared words of authswitch: money, cards, accounts, limits, references, reasons and facts.
//!
//! Everything here is a value. The crate reads no clock, touches no file or socket and depends on none
//! of its neighbours, so each word means the same to the decision core, the journal, the balance service's
//! client and the control API.
//!
//! Two rules shape the types. Money is an integer with its unit, and every operation on it is checked.
//! A card number is never a `String`: [`Pan`] shows only its last four digits, cannot be serialized, and is
//! turned into a keyed [`CardToken`] before anything else sees it.
//!
//! ```
//! use domain::{Currency, Money};
//! let usd = Currency::from_alpha("USD").unwrap();
//! let coffee = Money::new(450, usd);
//! assert_eq!(coffee.to_string(), "4.50 USD");
//! ```

mod account;
mod asset;
mod authorization;
mod card;
mod control;
mod convert;
mod decimal;
mod decline;
mod details;
mod duty;
mod fact;
mod failure;
mod flags;
mod fraction;
mod funding;
mod limit;
mod money;
mod pan;
mod rate;
mod reason;
mod reference;
mod risk;
mod security;
mod stand_in;
mod text;
mod time;
mod told;
mod transaction_type;
pub mod version_1;

pub use account::{AccountId, AccountNo, Balance, BalanceError};
pub use asset::{Asset, AssetCode, AssetError, Units};
pub use authorization::{
    Authorization, CountryCode, EntryMode, Mcc, Merchant, PartialApproval, ProcessingCode, Reversal,
};
pub use card::{CardId, CardNo, CardStatus, CardToken, Expiry, ExpiryError, FundingMode, LastFour};
pub use control::{Controls, ListRule};
pub use convert::{Margins, PairTerms, Price, Priced, RateTerms, Side, exact_at};
pub use decline::{DeclineDetail, LimitLeft, decline_detail};
pub use details::{
    Arn, ClearingData, Details, Initiator, NetworkName, OriginalReferences, Presence, Purpose, RiskScore,
};
pub use duty::{CancelCause, Duty, DutyKind, DutyNo};
pub use fact::{
    Amounts, Approver, Balances, Fact, HoldTerms, KeyFingerprint, PostingKind, RequestKey, ReversalMatch,
};
pub use failure::Failure;
pub use flags::{ClearingFlags, RefundFlags};
pub use fraction::Fraction;
pub use funding::{Ask, FundingFailure, FundingOutcome};
pub use limit::{LimitBreach, LimitOwner, LimitRule, Measure, Span, Window, ZoneName};
pub use money::{Currency, CurrencyError, Money, MoneyError};
pub use pan::{Pan, PanError};
pub use rate::{Rate, RateError, RateId, RateTable};
pub use reason::Reason;
pub use reference::{
    AcquirerId, ApprovalCode, MessageClass, NetworkReference, ReferenceError, Rrn, ShardId, Stan,
    TransactionId, TransactionNo, Transmission,
};
pub use risk::{RuleAmount, RuleBreach, RuleFinding, RuleMode, RuleName};
pub use security::{
    AvsResult, CryptogramResult, Cvv2Result, Eci, EciTable, PinResult, SecurityResults, ThreeDSecure,
};
pub use stand_in::{ProgramName, StandInMode, StandInOrder, StandInOrders};
pub use text::{Text, TextError};
pub use time::{Moment, Mono, Timestamp};
pub use told::{Counts, Said};
pub use transaction_type::TransactionType;
