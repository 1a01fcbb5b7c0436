//! ISO 8583 into the domain's words and back: the only module that knows both vocabularies.
//!
//! The card number becomes a keyed token here; nothing behind this line ever sees it. What cannot be
//! translated names the data element at fault, so that it can be answered with DE 39 30 and DE 44.

mod network_management;

pub(crate) use network_management::{network_answer, network_function};

use crate::config::PartialCapability;
use crate::keys::Tokenizer;
use crate::response_code::ResponseCodes;
use authorizer::Answer;
use bytes::BytesMut;
use domain::{
    AcquirerId, Authorization, CountryCode, Currency, EntryMode, Expiry, Mcc, Merchant, MessageClass, Money,
    Mono, Pan, PartialApproval, ProcessingCode, Reversal, Rrn, Stan, Text, Transmission,
};
use iso8583::{Class, Dialect, Draft, EncodeError, FrameFormat, MacKey, Message, Mti};
use std::borrow::Cow;

/// What a message asks of us.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Incoming {
    /// 0100, 0101, 0120, 0121.
    Authorization(Authorization),
    /// 0400, 0401, 0420, 0421.
    Reversal(Reversal),
    /// 0120, 0121 whose DE 39 says that the network declined in our name: nothing is to be held.
    DeclinedAdvice,
    /// 0400 and its kin with a new total above zero in DE 95: only a part is to be undone.
    PartialReversal,
    /// Something with an answer of its own that is not served: it is refused, never dropped.
    NotServed,
    /// An answer, or something else that has no answer; it is counted and dropped.
    NotARequest,
}

/// The data element that keeps a message from being understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ElementFault(pub(crate) u8);

/// What translation needs beside the message.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// Makes the card token.
    pub(crate) tokens: &'a Tokenizer,
    /// How a terminal says that it can take a part.
    pub(crate) partial: Option<&'a PartialCapability>,
    /// When our answer must have left.
    pub(crate) deadline: Mono,
}

/// Reads a message.
pub(crate) fn read(message: &Message, reading: Reading<'_>) -> Result<Incoming, ElementFault> {
    match &message.mti().digits() {
        b"0100" | b"0101" => {
            authorization(message, MessageClass::AuthorizationRequest, reading).map(Incoming::Authorization)
        }
        b"0120" | b"0121" if tells_of_a_decline(message) => Ok(Incoming::DeclinedAdvice),
        b"0120" | b"0121" => {
            authorization(message, MessageClass::AuthorizationAdvice, reading).map(Incoming::Authorization)
        }
        b"0400" | b"0401" | b"0420" | b"0421" if leaves_a_part(message) => Ok(Incoming::PartialReversal),
        b"0400" | b"0401" | b"0420" | b"0421" => reversal(message, reading).map(Incoming::Reversal),
        _ if message.mti().answer().is_some() => Ok(Incoming::NotServed),
        _ => Ok(Incoming::NotARequest),
    }
}

fn authorization(
    message: &Message,
    class: MessageClass,
    reading: Reading<'_>,
) -> Result<Authorization, ElementFault> {
    let pan = card_number(message)?;
    Ok(Authorization {
        class,
        card: reading.tokens.token(&pan),
        processing_code: ProcessingCode(narrow(required(message, 3)?, 3)?),
        amount: money(message, 4, 49)?.ok_or(ElementFault(4))?,
        billing: money(message, 6, 51).unwrap_or(None),
        transmission: Transmission::new(required(message, 7)?).map_err(|_| ElementFault(7))?,
        stan: Stan::new(required(message, 11)?).map_err(|_| ElementFault(11))?,
        acquirer: acquirer(message)?,
        rrn: rrn(message, &pan)?,
        entry_mode: message.number(22).and_then(|mode| u16::try_from(mode).ok()).map(EntryMode),
        merchant: merchant(message, &pan)?,
        partial: partial(message, reading.partial),
        details: domain::Details::default(),
        expiry: expiry(message, class)?,
        deadline: reading.deadline,
    })
}

/// Whether an advice reports a decline. One without DE 39 reports an approval.
fn tells_of_a_decline(message: &Message) -> bool {
    let approvals = ["00", "08", "10", "11", "16", "85", "87", "000", "001", "002", "003"];
    message.text(39).is_some_and(|code| !approvals.contains(&code.as_ref()))
}

/// Whether a reversal leaves a part of the amount: its first twelve digits of DE 95 are the new total.
fn leaves_a_part(message: &Message) -> bool {
    let new_total = message.text(95).and_then(|amounts| amounts.get(..12)?.parse::<u64>().ok());
    new_total.is_some_and(|total| total > 0)
}

fn reversal(message: &Message, reading: Reading<'_>) -> Result<Reversal, ElementFault> {
    let own_stan = Stan::new(required(message, 11)?).map_err(|_| ElementFault(11))?;
    let own_transmission = Transmission::new(required(message, 7)?).map_err(|_| ElementFault(7))?;
    let pan = card_number(message)?;
    let base = Reversal {
        card: reading.tokens.token(&pan),
        stan: own_stan,
        transmission: Some(own_transmission),
        acquirer: Some(acquirer(message)?).filter(|_| message.has(32)),
        rrn: rrn(message, &pan)?,
        amount: money(message, 4, 49)?,
        new_total: None,
        network_reference: None,
        approval_code: None,
        original_class: None,
    };
    match message.text(90) {
        Some(original) => original_data(&original, base),
        None => Ok(base),
    }
}

/// DE 90: original MTI 4, STAN 6, transmission 10, acquirer 11, forwarder 11; parts that are not known are zero.
fn original_data(text: &str, base: Reversal) -> Result<Reversal, ElementFault> {
    let part = |from: usize, len: usize| -> Result<u64, ElementFault> {
        text.get(from..from + len).and_then(|digits| digits.parse().ok()).ok_or(ElementFault(90))
    };
    let (stan, transmission, acquirer) = (part(4, 6)?, part(10, 10)?, part(20, 11)?);
    if stan == 0 && transmission == 0 {
        return Ok(base);
    }
    let transmission = match transmission {
        0 => None,
        digits => Some(Transmission::new(digits).map_err(|_| ElementFault(90))?),
    };
    let acquirer = match acquirer {
        0 => base.acquirer,
        number => Some(AcquirerId::new(number).map_err(|_| ElementFault(90))?),
    };
    Ok(Reversal { stan: Stan::new(stan).map_err(|_| ElementFault(90))?, transmission, acquirer, ..base })
}

/// The card number, from DE 2 or else from track 2.
fn card_number(message: &Message) -> Result<Pan, ElementFault> {
    let (element, pan) = match (message.text(2), message.text(35)) {
        (Some(digits), _) => (2, Pan::from_digits(digits.as_bytes())),
        (None, Some(track)) => {
            let end = track.find(['=', 'D', 'd']).unwrap_or(track.len());
            (35, Pan::from_digits(track.as_bytes().get(..end).unwrap_or(&[])))
        }
        (None, None) => return Err(ElementFault(2)),
    };
    pan.map_err(|_| ElementFault(element))
}

/// DE 14. A month that does not exist is a format error; an advice is taken note of all the same (E40).
fn expiry(message: &Message, class: MessageClass) -> Result<Option<Expiry>, ElementFault> {
    match (message.number(14).map(Expiry::from_yymm), class) {
        (Some(Err(_)), class) if class.is_request() => Err(ElementFault(14)),
        (None | Some(Err(_)), _) => Ok(None),
        (Some(Ok(expiry)), _) => Ok(Some(expiry)),
    }
}

fn merchant(message: &Message, pan: &Pan) -> Result<Merchant, ElementFault> {
    let mcc = message.number(18).and_then(|mcc| u16::try_from(mcc).ok()).map(Mcc);
    Ok(Merchant {
        mcc,
        country: country(message),
        id: padded(message, 42, pan)?,
        terminal: padded(message, 41, pan)?,
        name: padded(message, 43, pan)?,
    })
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

fn partial(message: &Message, capability: Option<&PartialCapability>) -> PartialApproval {
    let says_so = capability.is_some_and(|capability| {
        let text = message.text(capability.element);
        text.is_some_and(|text| {
            text.get(capability.offset..).is_some_and(|rest| rest.starts_with(capability.value.as_str()))
        })
    });
    if says_so { PartialApproval::Supported } else { PartialApproval::NotSupported }
}

/// An amount and its currency; `None` when the amount was not sent.
fn money(message: &Message, amount: u8, currency: u8) -> Result<Option<Money>, ElementFault> {
    if !message.has(amount) {
        return Ok(None);
    }
    let minor = i64::try_from(required(message, amount)?).map_err(|_| ElementFault(amount))?;
    let code: u16 =
        message.text(currency).and_then(|code| code.trim().parse().ok()).ok_or(ElementFault(currency))?;
    let currency = Currency::from_numeric(code).map_err(|_| ElementFault(currency))?;
    Ok(Some(Money::new(minor, currency)))
}

/// DE 32; zero where the processor does not send it, because it is then the only acquirer.
fn acquirer(message: &Message) -> Result<AcquirerId, ElementFault> {
    AcquirerId::new(message.number(32).unwrap_or(0)).map_err(|_| ElementFault(32))
}

fn rrn(message: &Message, pan: &Pan) -> Result<Option<Rrn>, ElementFault> {
    let text = message.text(37);
    text.map(|text| Rrn::new(&without(pan, text.trim_end())).map_err(|_| ElementFault(37))).transpose()
}

/// A text element without the spaces that fill it; empty when it was not sent.
fn padded<const N: usize>(message: &Message, element: u8, pan: &Pan) -> Result<Text<N>, ElementFault> {
    let Some(text) = message.text(element) else { return Ok(Text::EMPTY) };
    Text::new(&without(pan, text.trim_end())).map_err(|_| ElementFault(element))
}

/// A text in which the card number, should a terminal have put it there, is masked but for its last four digits:
/// what is kept of a request is journaled and sent on (P9).
fn without<'a>(pan: &Pan, text: &'a str) -> Cow<'a, str> {
    let digits = std::str::from_utf8(pan.expose()).unwrap_or_default();
    if digits.is_empty() || !text.contains(digits) {
        return Cow::Borrowed(text);
    }
    let masked = format!("{}{}", "*".repeat(digits.len().saturating_sub(4)), pan.last_four());
    Cow::Owned(text.replace(digits, &masked))
}

fn required(message: &Message, element: u8) -> Result<u64, ElementFault> {
    message.number(element).ok_or(ElementFault(element))
}

fn narrow(number: u64, element: u8) -> Result<u32, ElementFault> {
    u32::try_from(number).map_err(|_| ElementFault(element))
}

/// What an answer repeats from its request, so that the processor can match it.
const ECHOED: [u8; 19] = [2, 3, 4, 7, 11, 12, 13, 15, 23, 25, 32, 33, 37, 41, 42, 49, 50, 51, 70];
/// And what the answer to a reversal repeats beside that.
const ECHOED_OF_REVERSAL: [u8; 2] = [90, 95];

/// An answer that needs no decision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Plain {
    /// Done, or taken note of.
    Accepted,
    /// Messages of this kind are not served.
    NotServed,
    /// Network management for a function that is not served.
    FunctionNotServed,
    /// The message is not what its sender made it.
    WrongMac,
}

/// Writes the answers of one link.
#[derive(Clone)]
pub(crate) struct Writer {
    dialect: Dialect,
    frame: FrameFormat,
    /// Seals every message.
    mac: Option<MacKey>,
    codes: ResponseCodes,
}

impl Writer {
    /// A writer for the messages of a dialect, in frames.
    pub(crate) fn new(dialect: &Dialect, frame: FrameFormat, mac: Option<MacKey>) -> Self {
        Self { dialect: dialect.clone(), frame, mac, codes: ResponseCodes::of(dialect) }
    }

    /// Whether a response code of the other side says that what we asked for was done.
    pub(crate) fn accepts(&self, code: &str) -> bool {
        code == self.codes.accepted()
    }

    /// The answer to a request that was decided.
    pub(crate) fn decided(
        &self,
        request: &Message,
        answer: &Answer,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let advice = matches!(&request.mti().digits(), b"0120" | b"0121");
        self.write(request, out, |draft| match answer {
            Answer::Authorization { reason, approval_code, part, balances: _, path: _ } => {
                if let Some(part) = part {
                    draft.number(4, u64::try_from(part.minor()).unwrap_or(0));
                }
                match approval_code {
                    // What the network approved in our name keeps the network's code.
                    Some(_) if advice && request.has(38) => {
                        draft.echo(38, request);
                    }
                    Some(code) => {
                        draft.text(38, &code.to_string());
                    }
                    None => {}
                }
                // An advice reports what is done already: taken note of, whatever we think of it (E40).
                draft.text(39, if advice { self.codes.accepted() } else { self.codes.reason(*reason) });
            }
            Answer::Reversal(_) => {
                draft.text(39, self.codes.accepted());
            }
        })
    }

    /// An answer that needs no decision: a code, and nothing else.
    pub(crate) fn plain(
        &self,
        request: &Message,
        answer: Plain,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        self.write(request, out, |draft| {
            draft.text(
                39,
                match answer {
                    Plain::Accepted => self.codes.accepted(),
                    Plain::NotServed => self.codes.not_served(),
                    Plain::WrongMac => self.codes.wrong_mac(),
                    Plain::FunctionNotServed => self.codes.function_not_served(),
                },
            );
        })
    }

    /// The answer to a message that cannot be read: DE 39 says so, and DE 44 names the element at fault.
    pub(crate) fn format_error(
        &self,
        request: &Message,
        element: Option<u8>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        self.write(request, out, |draft| {
            draft.text(39, self.codes.format_error());
            draft.text(44, &format!("{:03}", element.unwrap_or(0)));
        })
    }

    fn write(
        &self,
        request: &Message,
        out: &mut BytesMut,
        fill: impl FnOnce(&mut Draft),
    ) -> Result<(), EncodeError> {
        let Some(mut draft) = Draft::answer(request) else { return Ok(()) };
        for element in ECHOED {
            draft.echo(element, request);
        }
        if is_reversal(draft.mti()) {
            for element in ECHOED_OF_REVERSAL {
                draft.echo(element, request);
            }
        }
        if draft.mti().class() == Class::Network {
            draft.echo_by_rule(request);
        }
        fill(&mut draft);
        self.send(draft, out)
    }

    /// Puts a message into a frame, sealed where the link says so.
    fn send(&self, mut draft: Draft, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.frame.write(out, |out| match &self.mac {
            Some(key) => draft.encode_sealed_into(key, out),
            None => draft.encode_into(out),
        })
    }
}

fn is_reversal(mti: Mti) -> bool {
    matches!(mti.digits(), [_, b'4', ..])
}

#[cfg(test)]
#[path = "translate_tests.rs"]
mod tests;
