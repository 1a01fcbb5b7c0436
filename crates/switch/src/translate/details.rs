//! What most requests leave out: purpose, initiator, what others have verified, what an earlier message is called,
//! what a clearing says about itself.
//!
//! Only the results of verifications are read, never the data behind them. What a dialect has no place for, or what
//! makes no sense, was not said: nothing here refuses a message.

use super::amounts::cash;
use super::references::{named_original, network_code, network_reference};
use super::texts::named;
use super::{ElementFault, Reading};
use domain::{
    AvsResult, ClearingData, CryptogramResult, Cvv2Result, Details, Eci, Initiator, MessageClass, Pan,
    PinResult, Presence, Purpose, RiskScore, SecurityResults, ThreeDSecure, TransactionType,
};
use iso8583::{FlagAt, Message, TextAt, WordAt};

/// The highest score that is one.
const SCORE_MAX: u16 = 999;

pub(super) fn details(
    message: &Message,
    class: MessageClass,
    kind: TransactionType,
    pan: &Pan,
    reading: Reading<'_>,
) -> Result<Details, ElementFault> {
    let says = |flag| message.flag_at(flag) == Some(true);
    let incremental = says(FlagAt::Incremental);
    let follows = incremental
        || kind == TransactionType::Refund
        || matches!(class, MessageClass::FinancialAdvice | MessageClass::Clearing);
    Ok(Details {
        cash: cash(message),
        balances_wanted: says(FlagAt::BalancesWanted) || kind == TransactionType::BalanceInquiry,
        purpose: purpose(message, kind),
        incremental,
        initiator: initiator(message),
        presence: presence(message),
        security: security(message),
        score: score(message),
        network: reading.network,
        network_reference: network_reference(message, pan),
        original: named_original(message, follows, pan, reading)?.or_else(|| network_code(message, class)),
        clearing: clearing(message, class, pan),
        // The link knows until when the balance service may take, not the message.
        ask_by: None,
    })
}

fn purpose(message: &Message, kind: TransactionType) -> Purpose {
    match message.word_at(WordAt::Purpose) {
        _ if kind == TransactionType::AccountVerification => Purpose::Verification,
        Some("pre_authorization") => Purpose::PreAuthorization,
        Some("estimated") => Purpose::Estimated,
        Some("final") => Purpose::Final,
        Some("verification") => Purpose::Verification,
        Some(_) | None => Purpose::Sale,
    }
}

fn initiator(message: &Message) -> Initiator {
    match message.word_at(WordAt::Initiator) {
        Some("merchant") => Initiator::Merchant,
        Some("recurring") => Initiator::Recurring,
        Some(_) | None => Initiator::Cardholder,
    }
}

fn presence(message: &Message) -> Presence {
    match message.word_at(WordAt::Presence) {
        Some("card_present") => Presence::CardPresent,
        Some("card_not_present") => Presence::CardNotPresent,
        Some("ecommerce") => Presence::Ecommerce,
        Some(_) | None => Presence::Unknown,
    }
}

fn security(message: &Message) -> SecurityResults {
    SecurityResults {
        cvv2: result(message, WordAt::Cvv2Result, Cvv2Result::ALL, Cvv2Result::as_str),
        avs: result(message, WordAt::AvsResult, AvsResult::ALL, AvsResult::as_str),
        three_d_secure: result(message, WordAt::ThreeDSecure, ThreeDSecure::ALL, ThreeDSecure::as_str),
        eci: message.number_at(TextAt::Eci).and_then(|eci| u8::try_from(eci).ok()).map(Eci),
        authentication_value: cryptogram(message, WordAt::AuthenticationValueResult),
        pin: result(message, WordAt::PinResult, PinResult::ALL, PinResult::as_str),
        cryptogram: cryptogram(message, WordAt::CryptogramResult),
    }
}

fn cryptogram(message: &Message, at: WordAt) -> CryptogramResult {
    result(message, at, CryptogramResult::ALL, CryptogramResult::as_str)
}

/// The result that the dialect's word means; a dialect's words are the domain's own.
fn result<T: Copy + Default>(message: &Message, at: WordAt, all: &[T], word: fn(T) -> &'static str) -> T {
    let said = message.word_at(at);
    let found = said.and_then(|said| all.iter().find(|result| word(**result) == said));
    found.copied().unwrap_or_default()
}

fn score(message: &Message) -> Option<RiskScore> {
    let score = u16::try_from(message.number_at(TextAt::RiskScore)?).ok()?;
    (score <= SCORE_MAX).then_some(RiskScore(score))
}

fn clearing(message: &Message, class: MessageClass, pan: &Pan) -> Option<ClearingData> {
    if !matches!(class, MessageClass::FinancialAdvice | MessageClass::Clearing) {
        return None;
    }
    let count = |at| message.number_at(at).and_then(|count| u8::try_from(count).ok()).unwrap_or(0);
    let said = ClearingData {
        arn: named(message, TextAt::AcquirerReference, pan),
        sequence: count(TextAt::ClearingSequence),
        of: count(TextAt::ClearingCount),
        is_final: message.flag_at(FlagAt::FinalClearing) == Some(true),
    };
    (said != ClearingData::default()).then_some(said)
}
