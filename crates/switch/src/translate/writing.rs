//! Answers: what is decided, in the words of the request's dialect.
//!
//! An answer is made of its request and of the decision alone, and holds no time and no number of its own. So the
//! answer to a repeat is the first one, byte for byte, whenever it comes (P5).

use super::amounts::{additional, balance_amounts};
use crate::response_code::ResponseCodes;
use authorizer::Answer;
use bytes::BytesMut;
use domain::{ApprovalCode, Balances, Currency, DeclineDetail, Money};
use iso8583::{AmountKind, Class, Dialect, Draft, EncodeError, FrameFormat, Function, MacKey, Message};

/// What an answer repeats from its request where the dialect has no rule for it, so that the processor can match it.
const ECHOED: [u8; 12] = [2, 3, 4, 7, 11, 12, 32, 33, 37, 41, 42, 49];

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
    frame: FrameFormat,
    pub(super) dialect: Dialect,
    /// Seals every message.
    mac: Option<MacKey>,
    codes: ResponseCodes,
    /// The element that has room for more about a decline, DE 44, and how many characters it holds.
    detail: Option<(u8, usize)>,
}

impl Writer {
    /// A writer for the messages of a dialect, in frames.
    pub(crate) fn new(dialect: &Dialect, frame: FrameFormat, mac: Option<MacKey>) -> Self {
        let detail = dialect.locations().response_detail();
        Self { frame, dialect: dialect.clone(), mac, codes: ResponseCodes::of(dialect), detail }
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
        let advice = request.mti().function() != Function::Request;
        self.write(request, out, |draft| match answer {
            Answer::Authorization { reason, approval_code, part, balances, limit, path: _ } => {
                amounts(draft, request, *part, *balances);
                if let Some(code) = approval_code {
                    approve(draft, request, *code, advice);
                }
                // An advice reports what is done already: taken note of, whatever we think of it (E40).
                draft.text(39, if advice { self.codes.accepted() } else { self.codes.reason(*reason) });
                if !advice && !reason.is_approval() {
                    let detail = DeclineDetail { reason: *reason, limit: *limit };
                    self.say(draft, detail.text(self.detail.map_or(0, |(_, room)| room)).as_str());
                }
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
                    Plain::FunctionNotServed => self.codes.function_not_served(),
                    Plain::WrongMac => self.codes.wrong_mac(),
                },
            );
        })
    }

    /// The answer to a message that cannot be read: DE 39 says so, and the element for details names the one at fault.
    pub(crate) fn format_error(
        &self,
        request: &Message,
        element: Option<u8>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        self.write(request, out, |draft| {
            draft.text(39, self.codes.format_error());
            self.say(draft, &format!("{:03}", element.unwrap_or(0)));
        })
    }

    /// Says more about an answer, as far as the dialect has room for it.
    fn say(&self, draft: &mut Draft, detail: &str) {
        if let Some((element, room)) = self.detail {
            let end = detail.len().min(room);
            draft.text(element, detail.get(..end).unwrap_or_default());
        }
    }

    fn write(
        &self,
        request: &Message,
        out: &mut BytesMut,
        fill: impl FnOnce(&mut Draft),
    ) -> Result<(), EncodeError> {
        let Some(mut draft) = Draft::answer(request) else { return Ok(()) };
        if self.dialect.rules(request.mti()).is_some() {
            draft.echo_by_rule(request);
        } else {
            let network = request.mti().class() == Class::Network;
            for element in ECHOED.into_iter().chain(network.then_some(70)) {
                draft.echo(element, request);
            }
        }
        fill(&mut draft);
        self.send(draft, out)
    }

    /// Puts a message into a frame, sealed where the link says so.
    pub(super) fn send(&self, mut draft: Draft, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.frame.write(out, |out| match &self.mac {
            Some(key) => draft.encode_sealed_into(key, out),
            None => draft.encode_into(out),
        })
    }
}

/// The amount approved where it is not the one asked for, and the balances where they were wanted.
fn amounts(draft: &mut Draft, request: &Message, part: Option<Money>, balances: Option<Balances>) {
    let mut more = Vec::new();
    if let Some(part) = part {
        draft.number(4, u64::try_from(part.minor()).unwrap_or(0));
        let asked = request.number(4).unwrap_or(0);
        // What was asked for stands beside it, in an element of its own or among the additional amounts.
        if !draft.original_amount(asked) {
            more.extend(original(request, asked, part.currency()));
        }
    }
    if let Some(balances) = balances {
        more.extend(balance_amounts(request, balances));
    }
    if !more.is_empty() {
        draft.additional_amounts(&more);
    }
}

fn original(request: &Message, asked: u64, currency: Currency) -> Option<iso8583::AdditionalAmount> {
    let asked = Money::new(i64::try_from(asked).ok()?, currency);
    Some(additional(request, AmountKind::Original, asked))
}

/// DE 38. What the network approved in our name keeps the network's code.
fn approve(draft: &mut Draft, request: &Message, code: ApprovalCode, advice: bool) {
    if advice && request.has(38) {
        draft.echo(38, request);
    } else {
        draft.characters(38, &code.characters());
    }
}
