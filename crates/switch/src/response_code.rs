//! Which response code, DE 39, says which reason.
//!
//! The dialect's table has a code for each of our words; where it has none, the code of the word's class stands in, and
//! where there is no table, the codes of ISO 8583:1987.
//! Several reasons share a code: the network's vocabulary is smaller than ours, and tells a merchant no more than a
//! merchant should know. The reason itself stays in the journal and in the control API.

use domain::Reason;
use iso8583::{Dialect, NetworkManagement, ResponseClass};

/// The codes of one link, looked up once.
#[derive(Clone, Debug)]
pub(crate) struct ResponseCodes {
    /// In the order in which the reasons are declared, which is that of `Reason::ALL`.
    by_reason: Box<[Box<str>]>,
    accepted: Box<str>,
    format_error: Box<str>,
    not_served: Box<str>,
    function_not_served: Box<str>,
    wrong_mac: Box<str>,
}

impl ResponseCodes {
    /// The codes of a dialect.
    pub(crate) fn of(dialect: &Dialect) -> Self {
        let code = |word: &str, usual: &str| Box::from(dialect.response_code(word).unwrap_or(usual));
        Self {
            by_reason: Reason::ALL.iter().map(|reason| reason_code(dialect, *reason)).collect(),
            accepted: code("accepted", "00"),
            format_error: code("format_error", "30"),
            not_served: code("not_served", "12"),
            wrong_mac: code(ResponseClass::WrongMac.word(), "63"),
            function_not_served: match dialect.network_management().and_then(NetworkManagement::unsupported) {
                Some(unsupported) => unsupported.into(),
                None => code("not_served", "12"),
            },
        }
    }

    /// For a request that was decided.
    pub(crate) fn reason(&self, reason: Reason) -> &str {
        self.by_reason.get(reason as usize).map_or(usual(reason), |code| code)
    }

    /// Done, or taken note of.
    pub(crate) fn accepted(&self) -> &str {
        &self.accepted
    }

    /// A message that cannot be read; DE 44 then begins with the number of the element at fault.
    pub(crate) fn format_error(&self) -> &str {
        &self.format_error
    }

    /// A message whose authentication code is missing or wrong.
    pub(crate) fn wrong_mac(&self) -> &str {
        &self.wrong_mac
    }

    /// Network management for a function that is not served.
    pub(crate) fn function_not_served(&self) -> &str {
        &self.function_not_served
    }

    /// A message that is not served.
    pub(crate) fn not_served(&self) -> &str {
        &self.not_served
    }
}

/// The words that a dialect's table of response codes may have: a class of answers, or a reason.
pub(crate) fn known_words() -> Vec<&'static str> {
    let classes = ResponseClass::ALL.iter().map(|class| class.word());
    let reasons = Reason::ALL.iter().map(|reason| reason.as_str()).filter(|word| *word != "approved");
    std::iter::once("accepted").chain(classes).chain(reasons).collect()
}

/// An approval never gets the code of a class: that of a part would be read as one of the whole.
fn reason_code(dialect: &Dialect, reason: Reason) -> Box<str> {
    let code = match usual(reason) {
        _ if reason.is_approval() => dialect.response_code(reason.as_str()),
        "91" => dialect.response_code_of(reason.as_str(), ResponseClass::Unavailable),
        _ => dialect.response_code_of(reason.as_str(), ResponseClass::Decline),
    };
    code.unwrap_or(usual(reason)).into()
}

/// The code of ISO 8583:1987.
const fn usual(reason: Reason) -> &'static str {
    match reason {
        Reason::Approved => "00",
        Reason::ApprovedPartially => "10",
        Reason::NoReasonToDecline => "85",
        Reason::UnknownCard => "14",
        Reason::CardClosed | Reason::CardFrozen => "62",
        Reason::CardNotYetActive => "78",
        Reason::CardExpired | Reason::ExpiryMismatch => "54",
        Reason::PinWrong => "55",
        Reason::PinTriesExceeded => "75",
        Reason::TransactionTypeNotAllowed => "12",
        Reason::OriginalNotFound => "25",
        Reason::RiskScore => "59",
        Reason::InvalidAmount | Reason::AmountOutOfRange => "13",
        Reason::CountryNotAllowed
        | Reason::CurrencyNotAllowed
        | Reason::MccNotAllowed
        | Reason::MerchantNotAllowed
        | Reason::NewCountry => "57",
        Reason::TransactionLimit | Reason::AmountLimit | Reason::CashLimit => "61",
        Reason::CountLimit | Reason::TooManyHolds | Reason::Velocity => "65",
        Reason::InsufficientFunds | Reason::FundingDeclined => "51",
        Reason::DuplicateWithOtherAmount => "94",
        // 1987 has no code for "previously reversed" (1993 has 1824); do not honour.
        Reason::PreviouslyReversed
        | Reason::ReversedInFlight
        | Reason::Cvv2Mismatch
        | Reason::CryptogramInvalid
        | Reason::AuthenticationFailed
        | Reason::AuthenticationRequired
        | Reason::VerificationRequired
        | Reason::AddressMismatch
        | Reason::RuleDenied
        // Only advices end so, and those are acknowledged.
        | Reason::DeclinedByNetwork => "05",
        Reason::RateUnavailable
        | Reason::FundingTimedOut
        | Reason::FundingUnavailable
        | Reason::FundingMalformed
        | Reason::FundingOverloaded
        | Reason::DeadlinePassed
        | Reason::Overloaded
        | Reason::SignedOff
        | Reason::JournalUnavailable
        | Reason::StandInBarred
        | Reason::StandInBalanceUnknown
        | Reason::StandInFunds
        | Reason::StandInLimit
        | Reason::StandInExposure
        | Reason::RateOutsideBand => "91",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iso8583::WordAt;

    #[test]
    fn every_shipped_dialect_has_a_code_for_every_reason_and_only_approvals_approve() {
        for (name, _) in iso8583::SHIPPED {
            let dialect = iso8583::shipped(name).unwrap().unwrap();
            let codes = ResponseCodes::of(&dialect);
            let approvals = Reason::ALL.iter().filter(|reason| reason.is_approval());
            let approving: Vec<_> = approvals.map(|reason| codes.reason(*reason)).collect();
            for reason in Reason::ALL {
                let approves = approving.contains(&codes.reason(*reason));
                assert_eq!(approves, reason.is_approval(), "{name}: {reason}");
            }
        }
    }

    #[test]
    fn every_reason_has_its_own_place() {
        for (place, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, place, "{reason}");
        }
    }

    #[test]
    fn every_shipped_dialect_names_every_reason() {
        for (name, _) in iso8583::SHIPPED {
            let dialect = iso8583::shipped(name).unwrap().unwrap();
            let unnamed: Vec<_> = Reason::ALL
                .iter()
                .filter(|reason| dialect.response_code(reason.as_str()).is_none())
                .collect();
            assert!(unnamed.is_empty(), "{name} has no code of its own for {unnamed:?}");
        }
    }

    #[test]
    fn a_misspelt_word_is_refused_with_its_line_and_what_is_allowed() {
        for (name, text) in iso8583::SHIPPED {
            let read = |text: &str| {
                let dialect = Dialect::from_toml(text, name).unwrap();
                dialect.check_response_words(text, name, &known_words())
            };
            assert_eq!(read(text), Ok(()), "{name}");
            let misspelt = text.replace("insufficient_funds =", "insuficient_funds =");
            let line = 1 + misspelt.lines().position(|line| line.starts_with("insuficient")).unwrap();
            let error = read(&misspelt).unwrap_err().to_string();
            let expected = format!(
                "{name}, line {line}: response_codes.insuficient_funds: found insuficient_funds, allowed: one of accepted, "
            );
            assert!(error.starts_with(&expected) && error.contains(" insufficient_funds,"), "{error}");
        }
    }

    #[test]
    fn a_dialect_without_a_table_uses_the_codes_of_1987() {
        let (_, text) = iso8583::SHIPPED.iter().find(|(name, _)| *name == "ascii-1987").unwrap();
        let (without_codes, _) = text.split_once("[response_codes]").unwrap();
        let bare = Dialect::from_toml(without_codes, "bare").unwrap();
        let codes = ResponseCodes::of(&bare);
        assert_eq!((codes.accepted(), codes.reason(Reason::InsufficientFunds)), ("00", "51"));
    }

    #[test]
    fn a_dialect_says_the_results_of_verifications_in_the_domains_words() {
        for (at, expected) in [
            (WordAt::Cvv2Result, words(domain::Cvv2Result::ALL)),
            (WordAt::AvsResult, words(domain::AvsResult::ALL)),
            (WordAt::ThreeDSecure, words(domain::ThreeDSecure::ALL)),
            (WordAt::AuthenticationValueResult, words(domain::CryptogramResult::ALL)),
            (WordAt::PinResult, words(domain::PinResult::ALL)),
            (WordAt::CryptogramResult, words(domain::CryptogramResult::ALL)),
        ] {
            assert_eq!(at.words().join(" "), expected, "{}", at.key());
        }
    }

    fn words<T: std::fmt::Display>(results: &[T]) -> String {
        results.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }
}
