//! Which response code, DE 39, says which reason (ISO 8583:1987).
//!
//! Several reasons share a code: the network's vocabulary is smaller than ours, and tells a merchant no more
//! than a merchant should know. The reason itself stays in the journal and in the control API.

use domain::Reason;

/// Format error; DE 44 then begins with the number of the element at fault.
pub(crate) const FORMAT_ERROR: &str = "30";
/// A message or transaction that is not served.
pub(crate) const INVALID_TRANSACTION: &str = "12";
/// Issuer or switch inoperative: ask again later, or stand in.
pub(crate) const UNAVAILABLE: &str = "91";
/// Done, or taken note of.
pub(crate) const ACCEPTED: &str = "00";

/// The code for a request that was decided.
pub(crate) const fn of(reason: Reason) -> &'static str {
    match reason {
        Reason::Approved => ACCEPTED,
        Reason::ApprovedPartially => "10",
        Reason::UnknownCard => "14",
        Reason::CardClosed | Reason::CardFrozen => "62",
        Reason::CardNotYetActive => "78",
        Reason::CardExpired | Reason::ExpiryMismatch => "54",
        Reason::TransactionTypeNotAllowed => INVALID_TRANSACTION,
        Reason::InvalidAmount | Reason::AmountOutOfRange => "13",
        Reason::CountryNotAllowed
        | Reason::CurrencyNotAllowed
        | Reason::MccNotAllowed
        | Reason::MerchantNotAllowed => "57",
        Reason::TransactionLimit | Reason::AmountLimit => "61",
        Reason::CountLimit | Reason::TooManyHolds => "65",
        Reason::InsufficientFunds | Reason::FundingDeclined => "51",
        Reason::DuplicateWithOtherAmount => "94",
        // 1987 has no code for "previously reversed" (1993 has 1824); do not honour.
        Reason::PreviouslyReversed | Reason::ReversedInFlight => "05",
        Reason::RateUnavailable
        | Reason::FundingTimedOut
        | Reason::FundingUnavailable
        | Reason::FundingMalformed
        | Reason::FundingOverloaded
        | Reason::DeadlinePassed
        | Reason::Overloaded
        | Reason::SignedOff
        | Reason::JournalUnavailable => UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_approvals_have_an_approval_code() {
        for reason in Reason::ALL {
            let approves = matches!(of(*reason), "00" | "10");
            assert_eq!(approves, reason.is_approval(), "{reason}");
        }
    }
}
