//! Why a payment was declined, in words that a support agent can read out.
//!
//! Every reason has its sentence here, and the match has no `_`: a new reason does not compile until somebody
//! has written down what to tell the cardholder.

use crate::denominations::Denominations;
use authorizer::TransactionState;
use domain::{
    Failure, LimitBreach, LimitOwner, Measure, Reason, RuleBreach, RuleFinding, Span, Units, Window,
};

/// What happened to a transaction.
pub(crate) fn transaction(
    state: TransactionState,
    reason: Option<Reason>,
    deciding: Option<&Failure>,
    money: &Denominations,
) -> String {
    match state {
        TransactionState::Asked => "The balance service is being asked for the money.".into(),
        TransactionState::Approved if reason == Some(Reason::ApprovedPartially) => {
            "Approved for less than was asked; the approved part is held.".into()
        }
        TransactionState::Approved => "Approved; the money is held.".into(),
        TransactionState::Reversed => "Undone by the processor; nothing is held any more.".into(),
        TransactionState::Expired => {
            "The hold ran out before anything was cleared; nothing is held any more.".into()
        }
        TransactionState::Cleared => "Paid to the merchant; nothing is held any more.".into(),
        TransactionState::Posted => "The money moved when this message came.".into(),
        TransactionState::Added => "Approved; the money is part of another payment's hold.".into(),
        TransactionState::Answered => "Answered with yes; no money was moved.".into(),
        TransactionState::ReversedFirst => {
            "Only its reversal is known; should the request still come, it will be declined.".into()
        }
        TransactionState::Declined => match (deciding, reason) {
            (Some(failure), _) => format!("Declined. {}", self::failure(failure, money)),
            (None, Some(reason)) => format!("Declined. {}", sentence(reason)),
            (None, None) => "Declined.".into(),
        },
    }
}

/// What one rule said.
pub(crate) fn failure(failure: &Failure, money: &Denominations) -> String {
    let words = match &failure.limit {
        Some(breach) => limit(breach, money),
        None => sentence(failure.reason).to_owned(),
    };
    match &failure.rule {
        Some(breach) => format!("{words}{}", rule(breach)),
        None => words,
    }
}

/// Which rule of the program said so, what it found, and whether it decided.
fn rule(breach: &RuleBreach) -> String {
    let finding = match breach.finding {
        RuleFinding::Plain => String::new(),
        RuleFinding::Score { found, refused_from } => {
            format!(" The score was {}, refused from {} on.", found.0, refused_from.0)
        }
        RuleFinding::NewCountry(country) => format!(" The country was {}.", crate::country::text(country)),
    };
    let mode = if breach.decides() { "" } else { ", which is in shadow mode and declined nothing" };
    format!("{finding} Rule {:?}{mode}.", breach.rule.as_str())
}

fn limit(breach: &LimitBreach, money: &Denominations) -> String {
    let owner = match breach.owner {
        LimitOwner::Card => "card",
        LimitOwner::Account => "account",
    };
    let span = match breach.span {
        Span::Calendar(Window::Transaction) => "per transaction".to_owned(),
        Span::Calendar(Window::Day) => "per day".to_owned(),
        Span::Calendar(Window::Week) => "per week".to_owned(),
        Span::Calendar(Window::Month) => "per month".to_owned(),
        Span::Calendar(Window::Lifetime) => "over its lifetime".to_owned(),
        Span::Trailing { seconds } => format!("within {}", duration(seconds)),
    };
    let asset = money.of(breach.owner);
    match (breach.measure, breach.span) {
        (Measure::Amount, Span::Calendar(Window::Transaction)) => {
            let amount = |units| format!("{} {}", asset.format(Units(units)), asset.code());
            format!(
                "The {owner} may spend {} {span}; {} was asked.",
                amount(breach.max),
                amount(breach.asked)
            )
        }
        (Measure::Amount, Span::Calendar(_) | Span::Trailing { .. }) => {
            let amount = |units| format!("{} {}", asset.format(Units(units)), asset.code());
            format!(
                "The {owner} may spend {} {span}; {} was spent before, {} was left, {} was asked.",
                amount(breach.max),
                amount(breach.used),
                amount(breach.left()),
                amount(breach.asked)
            )
        }
        (Measure::Count, _) => {
            let max =
                if breach.max == 1 { "1 payment".to_owned() } else { format!("{} payments", breach.max) };
            let used = if breach.used == 1 { "1 was".to_owned() } else { format!("{} were", breach.used) };
            format!("The {owner} may make {max} {span}; {used} made before this one.")
        }
    }
}

/// A length of time in its largest whole unit.
fn duration(seconds: u32) -> String {
    let (number, unit) = match seconds {
        0 => (0, "seconds"),
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "days"),
        _ if seconds.is_multiple_of(3_600) => (seconds / 3_600, "hours"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minutes"),
        _ => (seconds, "seconds"),
    };
    if number == 1 { format!("1 {}", unit.trim_end_matches('s')) } else { format!("{number} {unit}") }
}

/// The sentence of a reason that needs no numbers.
const fn sentence(reason: Reason) -> &'static str {
    match reason {
        Reason::Approved => "Approved in full.",
        Reason::ApprovedPartially => "Approved for less than was asked.",
        Reason::NoReasonToDecline => "Nothing was asked for; there is no reason to decline the card.",
        Reason::DuplicateWithOtherAmount => {
            "The processor sent the references of an earlier request again, with another amount or currency."
        }
        Reason::PreviouslyReversed => "The processor had undone this request before it arrived.",
        Reason::UnknownCard => "No card has this number.",
        Reason::CardClosed => "The card is closed for good.",
        Reason::CardFrozen => "The card is frozen.",
        Reason::CardNotYetActive => "The card has not been activated yet.",
        Reason::CardExpired => "The card has expired.",
        Reason::ExpiryMismatch => "The expiry date that was entered is not the card's.",
        Reason::PinWrong => "The PIN was wrong.",
        Reason::PinTriesExceeded => "The PIN was entered wrongly too often.",
        Reason::Cvv2Mismatch => "The security code printed on the card was entered wrongly.",
        Reason::CryptogramInvalid => "The card's or the wallet's cryptogram was not genuine.",
        Reason::AuthenticationFailed => "The cardholder failed 3-D Secure.",
        Reason::AuthenticationRequired => "The purchase went without 3-D Secure, which a rule demands.",
        Reason::VerificationRequired => "A verification that a rule demands was not made.",
        Reason::AddressMismatch => "The billing address that was entered is not the cardholder's.",
        Reason::DeclinedByNetwork => {
            "The network declined in the place of the switch and reported it afterwards."
        }
        Reason::OriginalNotFound => "The payment that this one adds to is not known, or is no longer open.",
        Reason::RuleDenied => "A rule of the program refuses this payment.",
        Reason::RiskScore => "The network's risk score was too high.",
        Reason::Velocity => "There were too many payments, or too much money, in a short time.",
        Reason::NewCountry => "The card was never used in this country before.",
        Reason::CashLimit => "The cash part was above the limit for one transaction.",
        Reason::TransactionTypeNotAllowed => "This type of transaction is not served.",
        Reason::InvalidAmount => "The amount was zero or less.",
        Reason::CountryNotAllowed => "The card may not be used in the merchant's country.",
        Reason::CurrencyNotAllowed => "The card may not be used in this currency.",
        Reason::MccNotAllowed => "The card may not be used at this kind of merchant.",
        Reason::MerchantNotAllowed => "The card may not be used at this merchant.",
        Reason::TransactionLimit => "The amount was above the limit for one transaction.",
        Reason::AmountLimit => "A spending limit was reached.",
        Reason::CountLimit => "A limit on the number of payments was reached.",
        Reason::TooManyHolds => "The card has as many open payments as it may have.",
        Reason::InsufficientFunds => "The account has not enough money available.",
        Reason::FundingDeclined => "The product's balance service refused the payment.",
        Reason::RateUnavailable => "There was no exchange rate, or none recent enough.",
        Reason::AmountOutOfRange => "The amount is larger than the switch can keep.",
        Reason::ReversedInFlight => "The processor undid the request while the balance service was deciding.",
        Reason::FundingTimedOut => "The product's balance service did not answer in time.",
        Reason::FundingUnavailable => "The product's balance service could not be reached, or failed.",
        Reason::FundingMalformed => "The product's balance service gave an answer that could not be trusted.",
        Reason::FundingOverloaded => "Too many payments were waiting for the balance service.",
        Reason::DeadlinePassed => "The request arrived too late to be answered in time.",
        Reason::Overloaded => "The switch was overloaded.",
        Reason::SignedOff => "The processor had signed off and sent a request all the same.",
        Reason::JournalUnavailable => "The switch could not record the payment, so it approved nothing.",
        Reason::StandInBarred => {
            "The switch does not stand in for the balance service for this card, merchant category or kind of payment."
        }
        Reason::StandInBalanceUnknown => {
            "The switch could not stand in for the balance service: it knew no balance that was recent enough."
        }
        Reason::StandInFunds => {
            "The switch could not stand in for the balance service: the last balance that it told was not enough."
        }
        Reason::StandInLimit => {
            "The switch could not stand in for the balance service: more than it may for one payment, card or account."
        }
        Reason::StandInExposure => {
            "The switch could not stand in for the balance service: the program had as much open as it may."
        }
        Reason::RateOutsideBand => "The exchange rate had left the band in which it is believed.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Asset, AssetCode, CountryCode, Currency, RiskScore, RuleMode, RuleName};

    fn breach(owner: LimitOwner, window: Window, measure: Measure) -> Failure {
        let span = Span::Calendar(window);
        let limit = LimitBreach { owner, span, measure, max: 50_000, used: 48_000, asked: 3_500 };
        Failure { reason: Reason::AmountLimit, limit: Some(limit), rule: None }
    }

    fn money() -> Denominations {
        let asset = Asset::new(AssetCode::new("USDT").unwrap(), 6).unwrap();
        Denominations { card: Currency::from_alpha("USD").unwrap(), account: asset }
    }

    #[test]
    fn a_broken_limit_is_explained_with_the_limit_what_was_used_and_what_was_asked() {
        for (failure, words) in [
            (
                breach(LimitOwner::Card, Window::Day, Measure::Amount),
                "The card may spend 500.00 USD per day; 480.00 USD was spent before, 20.00 USD was left, 35.00 USD was asked.",
            ),
            (
                breach(LimitOwner::Account, Window::Transaction, Measure::Amount),
                "The account may spend 0.050000 USDT per transaction; 0.003500 USDT was asked.",
            ),
            (
                breach(LimitOwner::Card, Window::Month, Measure::Count),
                "The card may make 50000 payments per month; 48000 were made before this one.",
            ),
        ] {
            assert_eq!(super::failure(&failure, &money()), words);
        }
    }

    #[test]
    fn a_rule_is_explained_with_its_name_its_finding_and_its_mode() {
        let of_rule = |reason, mode, finding| {
            let rule = Some(RuleBreach { rule: RuleName::new("r1").unwrap(), mode, finding });
            Failure { reason, limit: None, rule }
        };
        let score = RuleFinding::Score { found: RiskScore(931), refused_from: RiskScore(900) };
        let slow = Span::Trailing { seconds: 7_200 };
        let limit = LimitBreach {
            owner: LimitOwner::Card,
            span: slow,
            measure: Measure::Count,
            max: 3,
            used: 3,
            asked: 1,
        };
        for (failure, words) in [
            (
                of_rule(Reason::RiskScore, RuleMode::Enforce, score),
                "The network's risk score was too high. The score was 931, refused from 900 on. Rule \"r1\".",
            ),
            (
                of_rule(Reason::NewCountry, RuleMode::Shadow, RuleFinding::NewCountry(CountryCode(276))),
                "The card was never used in this country before. The country was DE. Rule \"r1\", which is in shadow mode and declined nothing.",
            ),
            (
                Failure {
                    limit: Some(limit),
                    ..of_rule(Reason::Velocity, RuleMode::Enforce, RuleFinding::Plain)
                },
                "The card may make 3 payments within 2 hours; 3 were made before this one. Rule \"r1\".",
            ),
        ] {
            assert_eq!(super::failure(&failure, &money()), words);
        }
    }

    #[test]
    fn a_decline_leads_with_the_deciding_rule() {
        let deciding = Failure::from(Reason::CardFrozen);
        let words =
            transaction(TransactionState::Declined, Some(Reason::CardFrozen), Some(&deciding), &money());
        assert_eq!(words, "Declined. The card is frozen.");
    }

    #[test]
    fn every_reason_is_a_sentence_of_its_own() {
        let mut sentences: Vec<&str> = Reason::ALL.iter().map(|reason| sentence(*reason)).collect();
        assert!(sentences.iter().all(|words| words.ends_with('.')));
        sentences.sort_unstable();
        sentences.dedup();
        assert_eq!(sentences.len(), Reason::ALL.len());
    }
}
