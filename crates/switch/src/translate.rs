//! ISO 8583 into the domain's words and back: the only place that knows both vocabularies.
//!
//! The card number becomes a keyed token here; nothing behind this line ever sees it. Sensitive authentication data is
//! not even read: what others found out about it is. What cannot be translated names the data element at fault, so
//! that it can be answered with a format error.
//!
//! ```text
//! request.rs     authorizations, financial messages, advices and clearings
//! details.rs     what most requests leave out: purpose, verification results, clearing data
//! reversal.rs    reversals, of all or of a part
//! references.rs  what ties messages to one another
//! amounts.rs     money on the wire
//! texts.rs       texts without fillers, and without card numbers
//! writing.rs     answers
//! network_management.rs  sign-on, sign-off, echo
//! ```
//!
//! Which element says what is the dialect's business; see its `[locations]`. So the editions of 1987, 1993 and 2003 are
//! read by the same lines.

mod amounts;
mod details;
mod network_management;
mod references;
mod request;
mod reversal;
mod texts;
mod writing;

pub(crate) use network_management::{network_answer, network_function};
pub(crate) use writing::{Plain, Writer};

use crate::config::PartialCapability;
use crate::keys::Tokenizer;
use domain::{Authorization, MessageClass, Mono, NetworkName, Reversal, Text};
use iso8583::{Class, Dialect, Function, Message, Mti, Origin, Version, WordAt};

/// What a message asks of us.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // it lives for one call; a box would cost an allocation a request
pub(crate) enum Incoming {
    /// A request or advice about money: 0100, 0120, 0200, 0220, their repeats, and their forms of 1993 and 2003.
    Authorization(Authorization),
    /// 0400, 0420 and their kin.
    Reversal(Reversal),
    /// An advice whose DE 39 says that the network declined in our name: nothing is to be held. Without a request where the
    /// advice says too little to be recorded; it is acknowledged all the same (E40).
    DeclinedAdvice(Option<(Authorization, Text<4>)>),
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
    /// The dialect of the link.
    pub(crate) dialect: &'a Dialect,
    /// How a terminal says that it can take a part, where the link says it otherwise than the dialect.
    pub(crate) partial: Option<&'a PartialCapability>,
    /// Which network the link leads to.
    pub(crate) network: NetworkName,
    /// When our answer must have left.
    pub(crate) deadline: Mono,
}

/// Reads a message.
pub(crate) fn read(message: &Message, reading: Reading<'_>) -> Result<Incoming, ElementFault> {
    match kind_of(message.mti(), reading.dialect) {
        Kind::Money(class) => {
            let class = told_class(message, class);
            match class {
                MessageClass::AuthorizationRequest | MessageClass::FinancialRequest => {
                    let lacks = |error: iso8583::DecodeError| ElementFault(error.element().unwrap_or(0));
                    message.check_presence().map_err(lacks)?;
                }
                MessageClass::AuthorizationAdvice | MessageClass::FinancialAdvice
                    if tells_of_a_decline(message) =>
                {
                    let code =
                        message.text(39).and_then(|code| Text::new(code.trim()).ok()).unwrap_or_default();
                    let request = request::authorization(message, class, reading).ok();
                    return Ok(Incoming::DeclinedAdvice(request.map(|request| (request, code))));
                }
                MessageClass::AuthorizationAdvice
                | MessageClass::FinancialAdvice
                | MessageClass::Clearing => {}
            }
            request::authorization(message, class, reading).map(Incoming::Authorization)
        }
        Kind::Reversal => reversal::reversal(message, reading).map(Incoming::Reversal),
        Kind::NotServed => Ok(Incoming::NotServed),
        Kind::NotARequest => Ok(Incoming::NotARequest),
    }
}

/// Whether a message asks for something for the first time: what may be declined before it is read any further.
pub(crate) fn is_new_request(message: &Message, dialect: &Dialect) -> bool {
    let mti = message.mti();
    !mti.is_repeat() && matches!(kind_of(mti, dialect), Kind::Money(class) if class.is_request())
}

/// What a message type stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Money(MessageClass),
    Reversal,
    NotServed,
    NotARequest,
}

fn kind_of(mti: Mti, dialect: &Dialect) -> Kind {
    if mti.answer().is_none() {
        return Kind::NotARequest;
    }
    let from_acquirer = matches!(mti.origin(), Origin::Acquirer | Origin::AcquirerRepeat);
    if !from_acquirer || !speaks(dialect, mti) {
        return Kind::NotServed;
    }
    match (mti.class(), class_of(mti)) {
        (_, Some(class)) => Kind::Money(class),
        (Class::Reversal, None) if matches!(mti.function(), Function::Request | Function::Advice) => {
            Kind::Reversal
        }
        (_, None) => Kind::NotServed,
    }
}

/// Whether a dialect has messages of this type: it has rules for it, or its own edition is that of the message.
fn speaks(dialect: &Dialect, mti: Mti) -> bool {
    let edition = dialect.network_management().map_or(Version::V1987, |network| network.mti().version());
    dialect.rules(mti).is_some() || mti.version() == edition
}

/// The question that a message type stands for; `None` for one that is not about spending.
fn class_of(mti: Mti) -> Option<MessageClass> {
    match (mti.class(), mti.function()) {
        (Class::Authorization, Function::Request) => Some(MessageClass::AuthorizationRequest),
        (Class::Authorization, Function::Advice) => Some(MessageClass::AuthorizationAdvice),
        (Class::Financial, Function::Request) => Some(MessageClass::FinancialRequest),
        (Class::Financial, Function::Advice) => Some(MessageClass::FinancialAdvice),
        _ => None,
    }
}

/// What an advice is: some networks send completions as 0120, and presentments from clearing as 0220, and say so
/// elsewhere in the message. What asks, asks.
fn told_class(message: &Message, class: MessageClass) -> MessageClass {
    match message.word_at(WordAt::MessageClass) {
        _ if class.is_request() => class,
        Some("financial_advice") => MessageClass::FinancialAdvice,
        Some("clearing") => MessageClass::Clearing,
        Some(_) | None => class,
    }
}

/// Whether an advice reports a decline. One without DE 39 reports an approval. The codes are the network's own, and
/// no dialect lists them all: those of 1987 are two characters, and in the later editions approvals begin with 0. What a chip
/// and its terminal approved without us comes with the chip's own codes: Y1 offline, Y2 after a referral, Y3 because nobody
/// could be reached.
fn tells_of_a_decline(message: &Message) -> bool {
    const APPROVALS: [&str; 10] = ["00", "08", "10", "11", "16", "85", "87", "Y1", "Y2", "Y3"];
    message.text(39).is_some_and(|code| match code.trim() {
        "" => false,
        code if code.len() <= 2 => !APPROVALS.contains(&code),
        code => !code.starts_with('0'),
    })
}

#[cfg(test)]
#[path = "translate_tests.rs"]
mod tests;
