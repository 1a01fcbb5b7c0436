//! What the results of others' checks mean: which decline by themselves, and which do not meet a rule's demand.
//!
//! Only results reach this place. The data behind them never enters the decision core, so there is nothing to forget
//! after a decision.

use domain::{AvsResult, CryptogramResult, Cvv2Result, PinResult, Reason, SecurityResults, ThreeDSecure};
use serde::{Deserialize, Serialize};

/// What a rule may demand of a request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Requirement {
    /// Authenticated by 3-D Secure, or attempted, as networks count it.
    ThreeDSecure,
    /// Authenticated by 3-D Secure, or left out by an agreed exemption.
    ThreeDSecureOrExempt,
    /// The verification value printed on the card was sent and matches.
    Cvv2Match,
    /// Street and postal code were sent and match.
    AvsMatch,
    /// The postal code was sent and matches, whatever the street.
    PostalCodeMatch,
    /// A cryptogram of the chip or the wallet was sent and is genuine.
    CryptogramValid,
    /// A PIN was entered and is the card's.
    PinVerified,
}

impl Requirement {
    /// The word that configuration uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ThreeDSecure => "three_d_secure",
            Self::ThreeDSecureOrExempt => "three_d_secure_or_exempt",
            Self::Cvv2Match => "cvv2_match",
            Self::AvsMatch => "avs_match",
            Self::PostalCodeMatch => "postal_code_match",
            Self::CryptogramValid => "cryptogram_valid",
            Self::PinVerified => "pin_verified",
        }
    }

    /// Why `results` do not meet the demand; `None` when they do.
    pub(crate) const fn unmet(self, results: &SecurityResults) -> Option<Reason> {
        match self {
            Self::ThreeDSecure => not_authenticated(results, false),
            Self::ThreeDSecureOrExempt => not_authenticated(results, true),
            Self::Cvv2Match => match results.cvv2 {
                Cvv2Result::Match => None,
                Cvv2Result::NoMatch => Some(Reason::Cvv2Mismatch),
                Cvv2Result::Absent | Cvv2Result::NotChecked | Cvv2Result::NotOnCard => {
                    Some(Reason::VerificationRequired)
                }
            },
            Self::AvsMatch => match results.avs {
                AvsResult::Match => None,
                AvsResult::PostalCodeOnly | AvsResult::AddressOnly | AvsResult::NoMatch => {
                    Some(Reason::AddressMismatch)
                }
                AvsResult::Absent | AvsResult::NotChecked => Some(Reason::VerificationRequired),
            },
            Self::PostalCodeMatch => match results.avs {
                AvsResult::Match | AvsResult::PostalCodeOnly => None,
                AvsResult::AddressOnly | AvsResult::NoMatch => Some(Reason::AddressMismatch),
                AvsResult::Absent | AvsResult::NotChecked => Some(Reason::VerificationRequired),
            },
            Self::CryptogramValid => match results.cryptogram {
                CryptogramResult::Valid => None,
                CryptogramResult::Invalid => Some(Reason::CryptogramInvalid),
                CryptogramResult::Absent | CryptogramResult::NotChecked => Some(Reason::VerificationRequired),
            },
            Self::PinVerified => match results.pin {
                PinResult::Verified => None,
                PinResult::Wrong => Some(Reason::PinWrong),
                PinResult::TriesExceeded => Some(Reason::PinTriesExceeded),
                PinResult::Absent | PinResult::NotChecked => Some(Reason::VerificationRequired),
            },
        }
    }
}

const fn not_authenticated(results: &SecurityResults, exempt_will_do: bool) -> Option<Reason> {
    let forged = matches!(results.authentication_value, CryptogramResult::Invalid);
    match results.three_d_secure {
        ThreeDSecure::Failed => Some(Reason::AuthenticationFailed),
        ThreeDSecure::Authenticated | ThreeDSecure::Attempted if forged => Some(Reason::AuthenticationFailed),
        ThreeDSecure::Authenticated | ThreeDSecure::Attempted => None,
        ThreeDSecure::Exempt if exempt_will_do => None,
        ThreeDSecure::Absent | ThreeDSecure::Exempt => Some(Reason::AuthenticationRequired),
    }
}

/// Results that say that something is wrong, each with its reason. Which of them decline is configuration.
pub(crate) fn wrong(results: &SecurityResults) -> impl Iterator<Item = Reason> {
    let forged = matches!(results.authentication_value, CryptogramResult::Invalid);
    let failed = matches!(results.three_d_secure, ThreeDSecure::Failed);
    let avs_wrong =
        matches!(results.avs, AvsResult::NoMatch | AvsResult::PostalCodeOnly | AvsResult::AddressOnly);
    [
        (matches!(results.pin, PinResult::Wrong), Reason::PinWrong),
        (matches!(results.pin, PinResult::TriesExceeded), Reason::PinTriesExceeded),
        (matches!(results.cvv2, Cvv2Result::NoMatch), Reason::Cvv2Mismatch),
        (matches!(results.cryptogram, CryptogramResult::Invalid), Reason::CryptogramInvalid),
        (failed || forged, Reason::AuthenticationFailed),
        (avs_wrong, Reason::AddressMismatch),
    ]
    .into_iter()
    .filter_map(|(is_wrong, reason)| is_wrong.then_some(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demand_tells_what_is_wrong_from_what_is_missing() {
        let nothing = SecurityResults::default();
        let wrong = SecurityResults {
            cvv2: Cvv2Result::NoMatch,
            avs: AvsResult::NoMatch,
            three_d_secure: ThreeDSecure::Failed,
            pin: PinResult::Wrong,
            cryptogram: CryptogramResult::Invalid,
            ..nothing
        };
        for (requirement, missing, mismatch) in [
            (Requirement::ThreeDSecure, Reason::AuthenticationRequired, Reason::AuthenticationFailed),
            (Requirement::ThreeDSecureOrExempt, Reason::AuthenticationRequired, Reason::AuthenticationFailed),
            (Requirement::Cvv2Match, Reason::VerificationRequired, Reason::Cvv2Mismatch),
            (Requirement::AvsMatch, Reason::VerificationRequired, Reason::AddressMismatch),
            (Requirement::PostalCodeMatch, Reason::VerificationRequired, Reason::AddressMismatch),
            (Requirement::CryptogramValid, Reason::VerificationRequired, Reason::CryptogramInvalid),
            (Requirement::PinVerified, Reason::VerificationRequired, Reason::PinWrong),
        ] {
            assert_eq!(requirement.unmet(&nothing), Some(missing), "{requirement:?}");
            assert_eq!(requirement.unmet(&wrong), Some(mismatch), "{requirement:?}");
        }
    }

    #[test]
    fn a_demand_that_is_met_says_nothing() {
        let all = SecurityResults {
            cvv2: Cvv2Result::Match,
            avs: AvsResult::Match,
            three_d_secure: ThreeDSecure::Attempted,
            pin: PinResult::Verified,
            cryptogram: CryptogramResult::Valid,
            ..SecurityResults::default()
        };
        for requirement in [
            Requirement::ThreeDSecure,
            Requirement::ThreeDSecureOrExempt,
            Requirement::Cvv2Match,
            Requirement::AvsMatch,
            Requirement::PostalCodeMatch,
            Requirement::CryptogramValid,
            Requirement::PinVerified,
        ] {
            assert_eq!(requirement.unmet(&all), None, "{requirement:?}");
        }
        let exempt = SecurityResults { three_d_secure: ThreeDSecure::Exempt, ..all };
        assert_eq!(Requirement::ThreeDSecureOrExempt.unmet(&exempt), None);
        assert_eq!(Requirement::ThreeDSecure.unmet(&exempt), Some(Reason::AuthenticationRequired));
    }

    #[test]
    fn a_forged_value_fails_the_authentication_it_claims() {
        let forged = SecurityResults {
            three_d_secure: ThreeDSecure::Authenticated,
            authentication_value: CryptogramResult::Invalid,
            ..SecurityResults::default()
        };
        assert_eq!(Requirement::ThreeDSecure.unmet(&forged), Some(Reason::AuthenticationFailed));
        assert_eq!(wrong(&forged).collect::<Vec<_>>(), [Reason::AuthenticationFailed]);
        assert_eq!(wrong(&SecurityResults::default()).count(), 0);
    }
}
