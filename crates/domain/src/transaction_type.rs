//! What kind of transaction a request is: the first two digits of the processing code, DE 3, as words.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The kind of a transaction.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionType {
    /// Goods and services (00).
    Purchase,
    /// Cash from a machine or over a counter (01, 17).
    Cash,
    /// Goods and services, and cash out of the same till (09).
    PurchaseWithCashback,
    /// Money into another account or wallet of the cardholder (10).
    AccountFunding,
    /// What is as good as cash: chips, money orders, foreign notes (11).
    QuasiCash,
    /// A bill is paid (50 to 59).
    Payment,
    /// A merchant gives back what was paid (20).
    Refund,
    /// Money sent to the card by somebody who was not paid before (26, 28).
    OriginalCredit,
    /// How much is there (30, 31).
    BalanceInquiry,
    /// Is the card good? Nothing is paid (33, 39, or where the dialect says so).
    AccountVerification,
    /// Something that is not served.
    Other,
}

impl TransactionType {
    /// Every kind, in order.
    pub const ALL: [Self; 11] = [
        Self::Purchase,
        Self::Cash,
        Self::PurchaseWithCashback,
        Self::AccountFunding,
        Self::QuasiCash,
        Self::Payment,
        Self::Refund,
        Self::OriginalCredit,
        Self::BalanceInquiry,
        Self::AccountVerification,
        Self::Other,
    ];

    /// The kind that the first two digits of a processing code name.
    #[must_use]
    #[inline]
    pub const fn of(digits: u32) -> Self {
        match digits {
            0 => Self::Purchase,
            1 | 17 => Self::Cash,
            9 => Self::PurchaseWithCashback,
            10 => Self::AccountFunding,
            11 => Self::QuasiCash,
            50..=59 => Self::Payment,
            20 => Self::Refund,
            26 | 28 => Self::OriginalCredit,
            30 | 31 => Self::BalanceInquiry,
            33 | 39 => Self::AccountVerification,
            _ => Self::Other,
        }
    }

    /// Whether it takes money from the cardholder.
    #[must_use]
    pub const fn is_debit(self) -> bool {
        match self {
            Self::Purchase
            | Self::Cash
            | Self::PurchaseWithCashback
            | Self::AccountFunding
            | Self::QuasiCash
            | Self::Payment => true,
            Self::Refund
            | Self::OriginalCredit
            | Self::BalanceInquiry
            | Self::AccountVerification
            | Self::Other => false,
        }
    }

    /// Whether it brings money to the cardholder.
    #[must_use]
    pub const fn is_credit(self) -> bool {
        matches!(self, Self::Refund | Self::OriginalCredit)
    }

    /// Whether it asks a question and moves nothing.
    #[must_use]
    pub const fn is_inquiry(self) -> bool {
        matches!(self, Self::BalanceInquiry | Self::AccountVerification)
    }

    /// The word that configuration, reports and the API use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Cash => "cash",
            Self::PurchaseWithCashback => "purchase_with_cashback",
            Self::AccountFunding => "account_funding",
            Self::QuasiCash => "quasi_cash",
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::OriginalCredit => "original_credit",
            Self::BalanceInquiry => "balance_inquiry",
            Self::AccountVerification => "account_verification",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for TransactionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_processing_code_has_one_kind_and_a_kind_moves_money_one_way_at_most() {
        for digits in 0..=99 {
            let kind = TransactionType::of(digits);
            let ways = [kind.is_debit(), kind.is_credit(), kind.is_inquiry()];
            let expected = usize::from(kind != TransactionType::Other);
            assert_eq!(ways.into_iter().filter(|way| *way).count(), expected, "{digits:02} {kind}");
        }
    }

    #[test]
    fn the_word_in_json_is_the_word_in_metrics() {
        for kind in TransactionType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
