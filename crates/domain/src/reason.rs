//! Why a request was approved or declined.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Declares [`Reason`] once: variant, the word that people and labels read, and what it means.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// Why a request was answered as it was. The order is the order of precedence: when several rules
        /// fail, the smallest reason decides the response code and all of them are recorded. Steps, in
        /// order: repeats, card state, account state, security, transaction type, country, currency, MCC,
        /// merchant, risk, limits per transaction, limits per period, funds, and last our own inability.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason {
            $($(#[$doc])* $variant,)+
        }

        impl Reason {
            /// Every reason, in order of precedence.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word that metrics, reports and the API use.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

reasons! {
    /// Approved in full.
    Approved = "approved",
    /// Approved for less than was asked.
    ApprovedPartially = "approved_partially",
    /// Nothing was asked for, and there is no reason to decline the card.
    NoReasonToDecline = "no_reason_to_decline",
    /// The same references as an earlier request, with another amount or currency.
    DuplicateWithOtherAmount = "duplicate_with_other_amount",
    /// A reversal of this very request came first.
    PreviouslyReversed = "previously_reversed",
    /// No card has this number.
    UnknownCard = "unknown_card",
    /// The card was closed for good.
    CardClosed = "card_closed",
    /// The card is frozen.
    CardFrozen = "card_frozen",
    /// The card was not activated yet.
    CardNotYetActive = "card_not_yet_active",
    /// The card's last month is over.
    CardExpired = "card_expired",
    /// The expiry that the terminal read is not the card's.
    ExpiryMismatch = "expiry_mismatch",
    /// The PIN is not the card's.
    PinWrong = "pin_wrong",
    /// The PIN was entered wrongly too often.
    PinTriesExceeded = "pin_tries_exceeded",
    /// The verification value printed on the card does not match.
    Cvv2Mismatch = "cvv2_mismatch",
    /// The chip's or the wallet's cryptogram is not genuine.
    CryptogramInvalid = "cryptogram_invalid",
    /// The cardholder failed 3-D Secure.
    AuthenticationFailed = "authentication_failed",
    /// A rule demands 3-D Secure, and the purchase went without it.
    AuthenticationRequired = "authentication_required",
    /// A rule demands a verification (PIN, verification value, cryptogram, address) that was not made.
    VerificationRequired = "verification_required",
    /// The billing address does not match, and a rule demands that it does.
    AddressMismatch = "address_mismatch",
    /// The transaction type is not served.
    TransactionTypeNotAllowed = "transaction_type_not_allowed",
    /// The amount is zero or negative where money is asked for.
    InvalidAmount = "invalid_amount",
    /// What is to be added to is not known, or is no hold any more.
    OriginalNotFound = "original_not_found",
    /// The card's controls refuse the merchant's country.
    CountryNotAllowed = "country_not_allowed",
    /// The card's controls refuse the currency.
    CurrencyNotAllowed = "currency_not_allowed",
    /// The card's controls refuse the merchant category.
    MccNotAllowed = "mcc_not_allowed",
    /// The card's controls refuse the merchant.
    MerchantNotAllowed = "merchant_not_allowed",
    /// A rule of the program refuses it.
    RuleDenied = "rule_denied",
    /// The network's risk score is at or above the threshold.
    RiskScore = "risk_score",
    /// Too many transactions, or too much money, in too short a time.
    Velocity = "velocity",
    /// The card was never used in this country before.
    NewCountry = "new_country",
    /// More cash than one transaction may hand out.
    CashLimit = "cash_limit",
    /// More than one transaction may be.
    TransactionLimit = "transaction_limit",
    /// More than a day, week, month or lifetime may spend.
    AmountLimit = "amount_limit",
    /// More approvals than a day, week, month or lifetime may hold.
    CountLimit = "count_limit",
    /// The card has as many open holds as it may.
    TooManyHolds = "too_many_holds",
    /// The available balance does not cover the amount.
    InsufficientFunds = "insufficient_funds",
    /// The balance service said no.
    FundingDeclined = "funding_declined",
    /// No rate, or none that is fresh enough, to convert with.
    RateUnavailable = "rate_unavailable",
    /// The amount does not fit the integers it would have to be kept in.
    AmountOutOfRange = "amount_out_of_range",
    /// The transaction was reversed while the balance service was still deciding.
    ReversedInFlight = "reversed_in_flight",
    /// The balance service did not answer in time.
    FundingTimedOut = "funding_timed_out",
    /// The balance service could not be reached, broke off, or answered with an error.
    FundingUnavailable = "funding_unavailable",
    /// The balance service's answer could not be read or trusted.
    FundingMalformed = "funding_malformed",
    /// As many asks are open as there may be.
    FundingOverloaded = "funding_overloaded",
    /// The request reached the decision after its deadline.
    DeadlinePassed = "deadline_passed",
    /// A queue is full.
    Overloaded = "overloaded",
    /// The processor signed off and sent a request all the same.
    SignedOff = "signed_off",
    /// The journal cannot take facts, so nothing may be approved.
    JournalUnavailable = "journal_unavailable",
    /// The network declined in our name and told us afterwards.
    DeclinedByNetwork = "declined_by_network",
    /// The switch would have stood in, but the card, the merchant's category or the kind of transaction bars it.
    StandInBarred = "stand_in_barred",
    /// The switch would have stood in, but knows no balance that is fresh enough.
    StandInBalanceUnknown = "stand_in_balance_unknown",
    /// The switch would have stood in, but the last balance less what is promised since does not cover the amount.
    StandInFunds = "stand_in_funds",
    /// The switch would have stood in, but more than it may for one transaction, card or account.
    StandInLimit = "stand_in_limit",
    /// The switch would have stood in, but the program has as much open that the service does not know as it may.
    StandInExposure = "stand_in_exposure",
    /// The rate has left the band in which it is believed: a token has lost its peg.
    RateOutsideBand = "rate_outside_band",
}

impl Reason {
    /// Whether the answer is yes.
    #[must_use]
    pub const fn is_approval(self) -> bool {
        matches!(self, Self::Approved | Self::ApprovedPartially | Self::NoReasonToDecline)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_rank_from_card_state_over_limits_to_funds() {
        let order = [
            Reason::CardClosed,
            Reason::CountryNotAllowed,
            Reason::CurrencyNotAllowed,
            Reason::MccNotAllowed,
            Reason::MerchantNotAllowed,
            Reason::TransactionLimit,
            Reason::AmountLimit,
            Reason::InsufficientFunds,
        ];
        assert!(order.is_sorted());
        assert!(Reason::ALL.is_sorted());
    }

    #[test]
    fn the_word_in_json_is_the_word_in_metrics() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
