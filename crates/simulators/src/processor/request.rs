//! One message to send, as plain values, and its elements on the wire.
//!
//! [`Request::elements`] is the one list of what a message carries: encoding writes it, and the checks compare
//! answers with it, so the two cannot drift apart.

use super::card::{Refusal, SimulatedCard};
use super::effect::{Earlier, Effect, Marks};
use super::merchant::Merchant;
pub(crate) use super::references::References;
use super::references::{ThreeDigits, original_data, retrieval_reference};
use domain::Currency;
use iso8583::{Dialect, Draft, EncodeError, Mti};

/// What kind of message it is, for latencies and counts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Kind {
    /// A request about money, sent for the first time: 0100, 0200.
    Purchase,
    /// An authorization request or advice sent again.
    Repeat,
    /// An advice, sent for the first time: 0120, 0220.
    Advice,
    /// A reversal, sent for the first time.
    Reversal,
    /// A reversal sent again.
    ReversalRepeat,
    /// Sign-on, sign-off or echo.
    Network,
}

/// What is bought, where, and with which card.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purchase {
    /// The card's place in the configuration.
    pub(crate) card: u32,
    /// Minor units of `currency`, DE 4.
    pub(crate) amount: u64,
    /// The merchant's currency, DE 49.
    pub(crate) currency: Currency,
    /// The same in the card's currency, DE 6 and 51, where the network converted.
    pub(crate) billing: Option<u64>,
    /// Where.
    pub(crate) merchant: Merchant,
    /// Processing code, DE 3.
    pub(crate) processing_code: u32,
    /// The part of the amount that is handed out in cash, DE 54.
    pub(crate) cash: Option<u64>,
    /// What it does when it is approved.
    pub(crate) effect: Effect,
    /// What the terminal says beside all that.
    pub(crate) marks: Marks,
    /// The decline that this should provoke, if any.
    pub(crate) refusal: Option<Refusal>,
}

impl Purchase {
    /// The amount in minor units of the card's currency: what the books count.
    pub(crate) const fn in_card_currency(&self) -> u64 {
        match self.billing {
            Some(billing) => billing,
            None => self.amount,
        }
    }
}

/// What a message is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject {
    /// 0100, 0120, 0200, 0220, and their repeats.
    Purchase(Purchase),
    /// 0400, 0420, and their repeats: undo an earlier purchase, DE 90, or the part of it that is above a new total, DE 95.
    Reversal(Purchase, Earlier, Option<u64>),
    /// 0800 with this DE 70.
    Network(u16),
}

/// DE 70: sign on, sign off, echo test.
pub(crate) const SIGN_ON: u16 = 1;
pub(crate) const SIGN_OFF: u16 = 2;
pub(crate) const ECHO: u16 = 301;

/// A message to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) kind: Kind,
    pub(crate) mti: [u8; 4],
    pub(crate) references: References,
    pub(crate) subject: Subject,
}

/// The value of an element.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Value<'a> {
    Number(u64),
    Text(&'a str),
}

/// What all messages of a run share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'a> {
    pub(crate) cards: &'a [SimulatedCard],
    pub(crate) acquirer: u64,
    /// Whether the link's dialect keeps a terminal's marks where ours do.
    pub(crate) marks: bool,
}

/// Whether a dialect is one of this project's own, which keep a terminal's marks in DE 61.
pub(crate) fn has_marks(dialect: &Dialect) -> bool {
    matches!(dialect.name(), "ascii-1987" | "binary-1987" | "ebcdic-1987")
}

/// The elements that an answer must carry as the request did, where the request has them.
pub(super) const ECHOED: [u8; 10] = [2, 3, 4, 7, 11, 32, 37, 41, 42, 49];

/// DE 22: the chip was read, the terminal can take a PIN. DE 25: nothing special.
const CHIP_READ: u64 = 51;
const NORMAL_PRESENTMENT: u64 = 0;

impl Request {
    /// The request as a repeat: the same references, and a message type that says "again".
    pub(crate) fn repeated(&self) -> Self {
        let [version, class, function, origin] = self.mti;
        let origin = if origin == b'0' { b'1' } else { origin };
        Self { kind: self.repeat_kind(), mti: [version, class, function, origin], ..*self }
    }

    /// The request as a repeat that does not say so: the very same bytes.
    pub(crate) fn duplicated(&self) -> Self {
        Self { kind: self.repeat_kind(), ..*self }
    }

    const fn repeat_kind(&self) -> Kind {
        match self.subject {
            Subject::Reversal(..) => Kind::ReversalRepeat,
            Subject::Purchase(_) | Subject::Network(_) => Kind::Repeat,
        }
    }

    /// A full reversal of this request, or `None` if it is not one that can be reversed.
    pub(crate) const fn reversal(&self, mti: [u8; 4], references: References) -> Option<Self> {
        match self.subject {
            Subject::Purchase(purchase) => {
                let earlier = Earlier { references: self.references, mti: self.mti };
                let subject = Subject::Reversal(purchase, earlier, None);
                Some(Self { kind: Kind::Reversal, mti, references, subject })
            }
            Subject::Reversal(..) | Subject::Network(_) => None,
        }
    }

    /// A reversal of the part of this request that is above `total`.
    pub(crate) const fn partial_reversal(
        &self,
        mti: [u8; 4],
        references: References,
        total: u64,
    ) -> Option<Self> {
        match self.subject {
            Subject::Purchase(purchase) => {
                let earlier = Earlier { references: self.references, mti: self.mti };
                let subject = Subject::Reversal(purchase, earlier, Some(total));
                Some(Self { kind: Kind::Reversal, mti, references, subject })
            }
            Subject::Reversal(..) | Subject::Network(_) => None,
        }
    }

    /// The references of what this message reverses, if it is a reversal.
    pub(crate) const fn reverses(&self) -> Option<References> {
        match self.subject {
            Subject::Reversal(_, earlier, _) => Some(earlier.references),
            Subject::Purchase(_) | Subject::Network(_) => None,
        }
    }

    /// The earlier message that this one builds on or undoes.
    pub(crate) const fn follows(&self) -> Option<Earlier> {
        match self.subject {
            Subject::Reversal(_, earlier, _) => Some(earlier),
            Subject::Purchase(purchase) => purchase.effect.earlier(),
            Subject::Network(_) => None,
        }
    }

    /// Whether it makes sense only for a hold that is known to stand: it changes the hold, or ends it with a payment.
    pub(crate) const fn needs_a_hold(&self) -> bool {
        match self.subject {
            Subject::Reversal(_, _, total) => total.is_some(),
            Subject::Purchase(purchase) => purchase.effect.earlier().is_some(),
            Subject::Network(_) => false,
        }
    }

    /// The purchase that the message is about.
    pub(crate) const fn purchase(&self) -> Option<&Purchase> {
        match &self.subject {
            Subject::Purchase(purchase) | Subject::Reversal(purchase, ..) => Some(purchase),
            Subject::Network(_) => None,
        }
    }

    /// Whether it is an advice of a purchase: 0120, 0220 and their repeats.
    pub(crate) const fn is_advice(&self) -> bool {
        let [_, class, function, _] = self.mti;
        matches!(class, b'1' | b'2') && function == b'2'
    }

    /// Hands every element of the message to `visit`, in ascending order.
    pub(crate) fn elements(&self, sender: Sender<'_>, mut visit: impl FnMut(u8, Value<'_>)) {
        let References { stan, transmission } = self.references;
        let (purchase, total) = match self.subject {
            Subject::Network(code) => {
                visit(7, Value::Number(transmission.into()));
                visit(11, Value::Number(stan.into()));
                visit(70, Value::Number(code.into()));
                return;
            }
            Subject::Purchase(purchase) => (purchase, None),
            Subject::Reversal(purchase, _, total) => (purchase, total),
        };
        let Some(card) = sender.cards.get(purchase.card as usize) else { return };
        let earlier = self.follows();
        let first = earlier.map_or(self.references, |earlier| earlier.references);
        visit(2, Value::Text(std::str::from_utf8(card.number.expose()).unwrap_or_default()));
        visit(3, Value::Number(purchase.processing_code.into()));
        visit(4, Value::Number(purchase.amount));
        if let Some(billing) = purchase.billing {
            visit(6, Value::Number(billing));
        }
        visit(7, Value::Number(transmission.into()));
        visit(11, Value::Number(stan.into()));
        // The simulated terminals stand in Greenwich: their local time is the transmission time.
        visit(12, Value::Number(u64::from(first.transmission % 1_000_000)));
        visit(13, Value::Number(u64::from(first.transmission / 1_000_000)));
        if earlier.is_none() {
            visit(14, Value::Number(expiry(card, &purchase)));
        }
        visit(18, Value::Number(purchase.merchant.mcc.into()));
        visit(19, Value::Number(purchase.merchant.country.into()));
        visit(22, Value::Number(CHIP_READ));
        visit(25, Value::Number(NORMAL_PRESENTMENT));
        visit(32, Value::Number(sender.acquirer));
        visit(37, Value::Text(retrieval_reference(first).as_str()));
        visit(41, Value::Text(purchase.merchant.terminal));
        visit(42, Value::Text(purchase.merchant.id));
        visit(43, Value::Text(purchase.merchant.name));
        visit(49, Value::Text(ThreeDigits::of(purchase.currency).as_str()));
        if purchase.billing.is_some() {
            visit(51, Value::Text(ThreeDigits::of(card.currency).as_str()));
        }
        if let Some(cash) = purchase.cash {
            // Account unspecified, cashback, currency, debit.
            let currency = purchase.currency.numeric();
            visit(54, Value::Text(&format!("0040{currency:03}D{cash:012}")));
        }
        if sender.marks && purchase.marks != Marks::None {
            visit(61, Value::Text(purchase.marks.text()));
        }
        if let Some(Earlier { references, mti }) = earlier {
            visit(90, Value::Text(&original_data(references, mti, sender.acquirer)));
        }
        if let Some(total) = total {
            visit(95, Value::Text(&format!("{total:012}{:030}", 0)));
        }
    }

    /// Appends the message to `out`.
    pub(crate) fn encode(
        &self,
        dialect: &Dialect,
        sender: Sender<'_>,
        out: &mut bytes::BytesMut,
    ) -> Result<(), EncodeError> {
        let Some(mti) = Mti::from_digits(self.mti) else { return Ok(()) };
        let mut draft = Draft::new(dialect, mti);
        self.elements(sender, |de, value| {
            match value {
                Value::Number(number) => draft.number(de, number),
                Value::Text(text) => draft.text(de, text),
            };
        });
        draft.encode_into(out)
    }

    /// The first element that `answer` does not carry as this request did.
    pub(crate) fn first_not_echoed(&self, sender: Sender<'_>, answer: &iso8583::Message) -> Option<u8> {
        let mut missing = None;
        // A partial approval answers with the amount approved.
        let partial = answer.text(39).as_deref() == Some("10");
        self.elements(sender, |de, value| {
            let wanted = ECHOED.contains(&de) && !(de == 4 && partial);
            if missing.is_some() || !wanted {
                return;
            }
            let same = match value {
                Value::Number(number) => answer.number(de) == Some(number),
                Value::Text(text) => answer.text(de).as_deref() == Some(text),
            };
            if !same {
                missing = Some(de);
            }
        });
        missing
    }
}

/// DE 14, `YYMM`; another year than the card's where that is what is wrong with the request.
fn expiry(card: &SimulatedCard, purchase: &Purchase) -> u64 {
    let yymm = u64::from(card.expiry.year() % 100) * 100 + u64::from(card.expiry.month());
    if purchase.refusal == Some(Refusal::WrongExpiry) { (yymm + 100) % 10_000 } else { yymm }
}
