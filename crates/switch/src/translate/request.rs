//! A request or advice about money: who pays, whom, how much, and what for.

use super::amounts::{asked, billing};
use super::details::details;
use super::references::{acquirer, rrn, stan, transmission};
use super::texts::{padded, unpadded};
use super::{ElementFault, Reading};
use crate::config::PartialCapability;
use domain::{
    Authorization, CountryCode, EntryMode, Expiry, Mcc, Merchant, MessageClass, Pan, PartialApproval,
    ProcessingCode,
};
use iso8583::{FlagAt, Message, TextAt};

pub(super) fn authorization(
    message: &Message,
    class: MessageClass,
    reading: Reading<'_>,
) -> Result<Authorization, ElementFault> {
    let pan = card_number(message)?;
    let processing_code = processing_code(message)?;
    Ok(Authorization {
        class,
        card: reading.tokens.token(&pan),
        processing_code,
        amount: asked(message, processing_code.transaction_type())?,
        billing: billing(message),
        transmission: transmission(message)?,
        stan: stan(message)?,
        acquirer: acquirer(message)?,
        rrn: rrn(message, &pan)?,
        entry_mode: entry_mode(message),
        merchant: merchant(message, &pan)?,
        partial: partial(message, reading.partial),
        details: details(message, class, processing_code.transaction_type(), &pan, reading)?,
        expiry: expiry(message, class)?,
        deadline: reading.deadline,
    })
}

fn processing_code(message: &Message) -> Result<ProcessingCode, ElementFault> {
    let code = message.number(3).and_then(|code| u32::try_from(code).ok());
    code.map(ProcessingCode).ok_or(ElementFault(3))
}

/// The card number, from DE 2 or else from track 2.
pub(super) fn card_number(message: &Message) -> Result<Pan, ElementFault> {
    if let Some(digits) = message.characters(2) {
        return Pan::from_digits(&digits).map_err(|_| ElementFault(2));
    }
    let track = message.characters(35).ok_or(ElementFault(2))?;
    let digits = track.split(|character| matches!(character, b'=' | b'D' | b'd')).next().unwrap_or_default();
    Pan::from_digits(digits).map_err(|_| ElementFault(35))
}

/// DE 14. A month that does not exist is a format error; an advice is taken note of all the same (E40).
fn expiry(message: &Message, class: MessageClass) -> Result<Option<Expiry>, ElementFault> {
    match (message.number(14).map(Expiry::from_yymm), class) {
        (Some(Err(_)), class) if class.is_request() => Err(ElementFault(14)),
        (None | Some(Err(_)), _) => Ok(None),
        (Some(Ok(expiry)), _) => Ok(Some(expiry)),
    }
}

fn entry_mode(message: &Message) -> Option<EntryMode> {
    let mode = message.number_at(TextAt::EntryMode)?;
    u16::try_from(mode).ok().map(EntryMode)
}

fn merchant(message: &Message, pan: &Pan) -> Result<Merchant, ElementFault> {
    let mcc = message.number_at(TextAt::MerchantCategory).and_then(|mcc| u16::try_from(mcc).ok()).map(Mcc);
    Ok(Merchant {
        mcc,
        country: country(message),
        id: padded(message, 42, pan)?,
        terminal: padded(message, 41, pan)?,
        name: merchant_name(message, pan)?,
    })
}

/// DE 43; where an edition gives it more room, as much of it as is kept.
fn merchant_name(message: &Message, pan: &Pan) -> Result<domain::Text<40>, ElementFault> {
    let Some(text) = message.characters(43) else { return Ok(domain::Text::EMPTY) };
    if text.len() <= 40 {
        return unpadded(&text, 43, pan);
    }
    let masked = super::texts::without(pan, &text);
    let start = masked.get(..40).unwrap_or(&masked);
    domain::Text::from_ascii(super::texts::without_filler(start)).map_err(|_| ElementFault(43))
}

/// DE 19, or else the two letters at the end of DE 43.
fn country(message: &Message) -> Option<CountryCode> {
    if let Some(numeric) = message.number(19) {
        return u16::try_from(numeric).ok().map(CountryCode);
    }
    let place = message.text(43)?;
    let letters = place.get(38..40)?;
    rust_iso3166::from_alpha2(letters).map(|country| CountryCode(country.numeric))
}

/// The link's own place for it goes before the dialect's.
fn partial(message: &Message, capability: Option<&PartialCapability>) -> PartialApproval {
    let says_so = match capability {
        Some(capability) => message.text(capability.element).is_some_and(|text| {
            text.get(capability.offset..).is_some_and(|rest| rest.starts_with(capability.value.as_str()))
        }),
        None => message.flag_at(FlagAt::PartialApproval) == Some(true),
    };
    if says_so { PartialApproval::Supported } else { PartialApproval::NotSupported }
}
