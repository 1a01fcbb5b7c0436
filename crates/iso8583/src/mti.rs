//! The message type indicator: four digits that say what a message is.
//!
//! Guarantees that an [`Mti`] always holds four digits (decimal ones, but for dialects that say otherwise), and knows which answer belongs to
//! which request. It does not judge whether a combination is in use: that is for whoever serves it.

use std::fmt;

/// A message type indicator, for example `0100`.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mti([u8; 4]);

/// The first digit: which edition of the standard the message follows.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Version {
    /// `0`: ISO 8583:1987.
    V1987,
    /// `1`: ISO 8583:1993.
    V1993,
    /// `2`: ISO 8583:2003.
    V2003,
    /// `8`: national use.
    National,
    /// `9`: private use.
    Private,
    /// Any other digit: reserved.
    Reserved,
}

/// The second digit: what the message is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Class {
    /// `1`: may this be spent?
    Authorization,
    /// `2`: money moves.
    Financial,
    /// `3`: file actions.
    File,
    /// `4`: reversals and chargebacks.
    Reversal,
    /// `5`: reconciliation.
    Reconciliation,
    /// `6`: administrative.
    Administrative,
    /// `7`: fee collection.
    Fee,
    /// `8`: sign-on, echo, keys.
    Network,
    /// `0` and `9`: reserved.
    Reserved,
}

/// The third digit: the message's part in the exchange.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Function {
    /// `0`: asks, and may be refused.
    Request,
    /// `1`: answers a request.
    Response,
    /// `2`: tells what has happened, and is never refused.
    Advice,
    /// `3`: acknowledges an advice.
    AdviceResponse,
    /// `4`: tells, and expects no particular answer.
    Notification,
    /// `5`: acknowledges a notification.
    NotificationAcknowledgement,
    /// `6`: instructs (2003).
    Instruction,
    /// `7`: acknowledges an instruction (2003).
    InstructionAcknowledgement,
    /// `8` and `9`: reserved.
    Reserved,
}

/// The fourth digit: who sent the message, and whether it is a repeat.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Origin {
    /// `0`.
    Acquirer,
    /// `1`: sent again because no answer came.
    AcquirerRepeat,
    /// `2`.
    Issuer,
    /// `3`: sent again because no answer came.
    IssuerRepeat,
    /// `4`.
    Other,
    /// `5`: sent again because no answer came.
    OtherRepeat,
    /// `6` to `9`: reserved.
    Reserved,
}

impl Mti {
    /// Reads an MTI written as four ASCII digits. `None` if it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        <[u8; 4]>::try_from(text.as_bytes()).ok().and_then(Self::from_digits)
    }

    /// Makes an MTI of four ASCII digits. `None` if one of them is not a digit.
    #[must_use]
    pub fn from_digits(digits: [u8; 4]) -> Option<Self> {
        digits.iter().all(u8::is_ascii_digit).then_some(Self(digits))
    }

    /// As [`Mti::from_digits`], but `A` to `F` are digits too: for dialects that pack something else there.
    pub(crate) fn from_hex_digits(digits: [u8; 4]) -> Option<Self> {
        let is_digit = |digit: &u8| matches!(digit, b'0'..=b'9' | b'A'..=b'F');
        digits.iter().all(is_digit).then_some(Self(digits))
    }

    /// The four digits in ASCII, so that a caller can match on `b"0100"`.
    #[must_use]
    pub const fn digits(&self) -> [u8; 4] {
        self.0
    }

    /// The edition of the standard.
    #[must_use]
    pub const fn version(self) -> Version {
        let [version, ..] = self.0;
        match version {
            b'0' => Version::V1987,
            b'1' => Version::V1993,
            b'2' => Version::V2003,
            b'8' => Version::National,
            b'9' => Version::Private,
            _ => Version::Reserved,
        }
    }

    /// What the message is about.
    #[must_use]
    pub const fn class(self) -> Class {
        let [_, class, ..] = self.0;
        match class {
            b'1' => Class::Authorization,
            b'2' => Class::Financial,
            b'3' => Class::File,
            b'4' => Class::Reversal,
            b'5' => Class::Reconciliation,
            b'6' => Class::Administrative,
            b'7' => Class::Fee,
            b'8' => Class::Network,
            _ => Class::Reserved,
        }
    }

    /// The message's part in the exchange.
    #[must_use]
    pub const fn function(self) -> Function {
        let [_, _, function, _] = self.0;
        match function {
            b'0' => Function::Request,
            b'1' => Function::Response,
            b'2' => Function::Advice,
            b'3' => Function::AdviceResponse,
            b'4' => Function::Notification,
            b'5' => Function::NotificationAcknowledgement,
            b'6' => Function::Instruction,
            b'7' => Function::InstructionAcknowledgement,
            _ => Function::Reserved,
        }
    }

    /// Who sent the message, and whether it is a repeat.
    #[must_use]
    pub const fn origin(self) -> Origin {
        let [.., origin] = self.0;
        match origin {
            b'0' => Origin::Acquirer,
            b'1' => Origin::AcquirerRepeat,
            b'2' => Origin::Issuer,
            b'3' => Origin::IssuerRepeat,
            b'4' => Origin::Other,
            b'5' => Origin::OtherRepeat,
            _ => Origin::Reserved,
        }
    }

    /// Whether the sender says that it has sent this message before.
    #[must_use]
    pub const fn is_repeat(self) -> bool {
        matches!(self.origin(), Origin::AcquirerRepeat | Origin::IssuerRepeat | Origin::OtherRepeat)
    }

    /// The MTI with which this message was sent first: 0101 gives 0100, and 0100 itself.
    #[must_use]
    pub const fn first_sent(self) -> Self {
        let [version, class, function, origin] = self.0;
        if self.is_repeat() { Self([version, class, function, origin - 1]) } else { self }
    }

    /// The MTI of the answer: 0100 and 0101 give 0110, 0420 and 0421 give 0430.
    ///
    /// `None` for a message that is itself an answer, and for reserved functions: answering those
    /// could start two machines answering each other for ever.
    #[must_use]
    pub const fn answer(self) -> Option<Self> {
        let [version, class, function, origin] = self.first_sent().0;
        match self.function() {
            Function::Request | Function::Advice | Function::Notification | Function::Instruction => {
                Some(Self([version, class, function + 1, origin]))
            }
            Function::Response
            | Function::AdviceResponse
            | Function::NotificationAcknowledgement
            | Function::InstructionAcknowledgement
            | Function::Reserved => None,
        }
    }
}

impl fmt::Display for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| write!(f, "{}", char::from(*digit)))
    }
}

impl fmt::Debug for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mti({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mti(text: &str) -> Mti {
        Mti::parse(text).unwrap()
    }

    #[test]
    fn each_request_and_its_repeat_have_one_answer() {
        for (request, answer) in [
            ("0100", "0110"),
            ("0101", "0110"),
            ("0120", "0130"),
            ("0121", "0130"),
            ("0400", "0410"),
            ("0401", "0410"),
            ("0420", "0430"),
            ("0421", "0430"),
            ("0800", "0810"),
            ("1100", "1110"),
            ("0103", "0112"),
        ] {
            assert_eq!(mti(request).answer(), Some(mti(answer)), "{request}");
        }
    }

    #[test]
    fn an_answer_is_never_answered() {
        for answer in ["0110", "0130", "0430", "0810", "0150", "0190"] {
            assert_eq!(mti(answer).answer(), None, "{answer}");
        }
    }

    #[test]
    fn the_four_digits_are_named() {
        let repeat = mti("1421");
        assert_eq!(repeat.version(), Version::V1993);
        assert_eq!(repeat.class(), Class::Reversal);
        assert_eq!(repeat.function(), Function::Advice);
        assert_eq!(repeat.origin(), Origin::AcquirerRepeat);
        assert!(repeat.is_repeat());
        assert!(!mti("0420").is_repeat());
        assert_eq!(repeat.to_string(), "1421");
    }

    #[test]
    fn only_four_digits_are_an_mti() {
        for wrong in ["", "010", "01000", "01A0", "٠١٠٠"] {
            assert_eq!(Mti::parse(wrong), None, "{wrong}");
        }
    }
}
