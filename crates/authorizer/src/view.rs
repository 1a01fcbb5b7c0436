//! What the control API and support see of a shard: copies, never references into the state.

use crate::told::Told;
use crate::transaction::TransactionState;
use domain::{
    AccountId, Amounts, ApprovalCode, Approver, Arn, Asset, Balance, CardId, CardStatus, CardToken,
    ClearingFlags, Controls, Currency, Expiry, Failure, FundingMode, LastFour, LimitRule, Mcc, MessageClass,
    Money, NetworkReference, Price, Rate, Reason, RefundFlags, Rrn, Said, Stan, Timestamp, TransactionId,
    TransactionType, Transmission, Units,
};

/// A limit and how much of it is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LimitView {
    /// The limit.
    pub rule: LimitRule,
    /// What the current window has used.
    pub used_amount: i128,
    /// How many approvals the current window holds.
    pub used_count: u32,
}

/// An account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccountView {
    /// The product's name for it.
    pub id: AccountId,
    /// What it holds.
    pub asset: Asset,
    /// Ledger and held; available is derived.
    pub balance: Balance,
    /// Its limits.
    pub limits: Vec<LimitView>,
    /// What the balance service last told about it.
    pub told: Option<Told>,
    /// What was approved in the service's name and it has not acknowledged.
    pub outstanding: Units,
}

/// A posting and the account after it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PostingView {
    /// Whether the same request had been booked before; nothing was booked now then.
    pub repeated: bool,
    /// The account as it is now.
    pub account: AccountView,
}

/// A card.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CardView {
    /// The product's name for it.
    pub id: CardId,
    /// What stands for the card number; never shown, only compared.
    pub token: CardToken,
    /// What people may see of the card number.
    pub last_four: LastFour,
    /// Where its money comes from.
    pub account: AccountId,
    /// The currency that it is billed and limited in.
    pub currency: Currency,
    /// Its last month; never shown, only compared.
    pub expiry: Expiry,
    /// Pre-funded or Just-in-Time.
    pub funding: FundingMode,
    /// Its status.
    pub status: CardStatus,
    /// Where and for what it may be used.
    pub controls: Controls,
    /// Its limits.
    pub limits: Vec<LimitView>,
    /// How many holds are open.
    pub open_holds: u32,
}

/// A transaction, as support reads it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TransactionView {
    /// Its name across the switch and towards the balance service.
    pub id: TransactionId,
    /// When it was decided or asked for.
    pub at: Timestamp,
    /// The card.
    pub card: CardId,
    /// Where its money comes from.
    pub account: AccountId,
    /// The currency that the card is billed and limited in.
    pub card_currency: Currency,
    /// The account's asset.
    pub asset: Asset,
    /// Request or advice; `None` when only the reversal is known.
    pub class: Option<MessageClass>,
    /// Where it stands.
    pub state: TransactionState,
    /// What the merchant wanted.
    pub amount: Option<Money>,
    /// What was approved in the transaction's currency, when it was less.
    pub part: Option<Money>,
    /// What is held, if anything.
    pub held: Option<Amounts>,
    /// The rate that the account side was computed with.
    pub rate: Option<Rate>,
    /// When the hold runs out.
    pub expires_at: Option<Timestamp>,
    /// The deciding reason, once decided.
    pub reason: Option<Reason>,
    /// Every rule that said no, the deciding one first.
    pub failures: Vec<Failure>,
    /// The approval code, when approved: the network's own, where it approved in our name and said one.
    pub approval_code: Option<ApprovalCode>,
    /// Merchant category.
    pub mcc: Option<Mcc>,
    /// System trace audit number.
    pub stan: Stan,
    /// Transmission date and time; `None` when a reversal did not say.
    pub transmission: Option<Transmission>,
    /// Retrieval reference number.
    pub rrn: Option<Rrn>,
    /// What kind of transaction it is.
    pub kind: TransactionType,
    /// Who said yes, when somebody did.
    pub by: Option<Approver>,
    /// The transaction that an increment, a clearing or a refund belongs to.
    pub of: Option<TransactionId>,
    /// The network's transaction id.
    pub network_reference: Option<NetworkReference>,
    /// What was paid to the merchant, or what a refund brought in.
    pub paid: Option<Amounts>,
    /// What refunds have brought back.
    pub refunded: Option<Amounts>,
    /// Acquirer reference number of a clearing.
    pub arn: Option<Arn>,
    /// Which one of several clearings; 0 when it was not said.
    pub sequence: u8,
    /// What the units of its hold are made of, where that is more than the amount at one rate.
    pub price: Option<Price>,
    /// What the balance service said beside its decision.
    pub said: Option<Said>,
    /// What is remarkable about a clearing.
    pub clearing_flags: ClearingFlags,
    /// What is remarkable about a refund.
    pub refund_flags: RefundFlags,
}
