//! A request in our words: what the processor asks, free of any message format.

use crate::card::{CardToken, Expiry};
use crate::details::{Details, Purpose};
use crate::money::Money;
use crate::reference::{AcquirerId, ApprovalCode, MessageClass, NetworkReference, Rrn, Stan, Transmission};
use crate::text::Text;
use crate::time::Mono;
use crate::transaction_type::TransactionType;
use serde::{Deserialize, Serialize};

/// Merchant category code, DE 18: four digits (ISO 18245).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Mcc(pub u16);

/// Country of the merchant: ISO 3166-1 numeric.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct CountryCode(pub u16);

/// Processing code, DE 3: six digits; the first two are the transaction type.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ProcessingCode(pub u32);

impl ProcessingCode {
    /// The transaction type, by the first two digits.
    #[must_use]
    #[inline]
    pub const fn transaction_type(self) -> TransactionType {
        TransactionType::of(self.0 / 10_000)
    }
}

/// Point of service entry mode, DE 22: three digits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct EntryMode(pub u16);

/// Whether the terminal can complete a sale for less than was asked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartialApproval {
    /// It can, and said so.
    Supported,
    /// It cannot, or did not say.
    NotSupported,
}

/// Who is being paid. Empty texts were not sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Merchant {
    /// Merchant category, DE 18.
    pub mcc: Option<Mcc>,
    /// Country, DE 19 or the end of DE 43.
    pub country: Option<CountryCode>,
    /// Card acceptor id, DE 42.
    pub id: Text<15>,
    /// Terminal id, DE 41.
    pub terminal: Text<16>,
    /// Name and place, DE 43.
    pub name: Text<40>,
}

/// A request or advice that is about money: an authorization (0100, 0120), a financial message (0200, 0220) or a
/// clearing. The card number became a token before this was built.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Authorization {
    /// Which question it asks, or what it tells.
    pub class: MessageClass,
    /// Whose card.
    pub card: CardToken,
    /// What kind of transaction, DE 3.
    pub processing_code: ProcessingCode,
    /// What the merchant wants, in the merchant's currency, DE 4 and DE 49.
    pub amount: Money,
    /// The same in the cardholder's billing currency, DE 6 and DE 51, where the network converted.
    pub billing: Option<Money>,
    /// Transmission date and time, DE 7.
    pub transmission: Transmission,
    /// System trace audit number, DE 11.
    pub stan: Stan,
    /// Acquirer, DE 32.
    pub acquirer: AcquirerId,
    /// Retrieval reference number, DE 37.
    pub rrn: Option<Rrn>,
    /// How the card was read, DE 22.
    pub entry_mode: Option<EntryMode>,
    /// Who is being paid.
    pub merchant: Merchant,
    /// Whether less than the whole may be approved.
    pub partial: PartialApproval,
    /// Everything that most requests leave out.
    pub details: Details,
    /// The expiry that the terminal read, DE 14: compared, and never journaled.
    #[serde(skip)]
    pub expiry: Option<Expiry>,
    /// When our answer must have left. Never journaled: a deadline means nothing after a restart.
    #[serde(skip)]
    pub deadline: Mono,
}

impl Authorization {
    /// What kind of transaction it is. A verification may also be a purchase of nothing that is marked as one.
    #[must_use]
    #[inline]
    pub const fn transaction_type(&self) -> TransactionType {
        match self.details.purpose {
            Purpose::Verification => TransactionType::AccountVerification,
            Purpose::Sale | Purpose::PreAuthorization | Purpose::Estimated | Purpose::Final => {
                self.processing_code.transaction_type()
            }
        }
    }
}

/// A reversal request or advice: undo what an earlier message did.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reversal {
    /// Whose card.
    pub card: CardToken,
    /// The original's STAN, from DE 90 or else DE 11.
    pub stan: Stan,
    /// The original's transmission time, from DE 90 or else DE 7; `None` when DE 90 has zeros there.
    pub transmission: Option<Transmission>,
    /// The original's acquirer, from DE 90 or else DE 32; `None` when DE 90 has zeros there.
    pub acquirer: Option<AcquirerId>,
    /// Retrieval reference number, DE 37.
    pub rrn: Option<Rrn>,
    /// The original's amount, DE 4 and DE 49, where sent.
    pub amount: Option<Money>,
    /// What the transaction comes to in the end, DE 95: only what is above it is undone. `None` undoes everything.
    pub new_total: Option<Money>,
    /// The network's transaction id.
    pub network_reference: Option<NetworkReference>,
    /// The approval code that the original got, DE 38.
    pub approval_code: Option<ApprovalCode>,
    /// The original's message class, from DE 90.
    pub original_class: Option<MessageClass>,
}
