//! Network management messages: those that we send, and the answers to them.
//!
//! What a message wants, and the code that says it, is the dialect's; see `[network_management]` there.

use super::{ElementFault, Writer};
use bytes::BytesMut;
use domain::Timestamp;
use iso8583::{Class, Dialect, Draft, EncodeError, Message, NetworkFunction};
use std::borrow::Cow;

/// What a message wants as network management, or that it does not say so; `None` for any other message.
pub(crate) fn network_function(
    message: &Message,
    dialect: &Dialect,
) -> Option<Result<NetworkFunction, ElementFault>> {
    let function = message.network_function()?;
    let element = dialect.network_management()?.element();
    Some(if message.has(element) { Ok(function) } else { Err(ElementFault(element)) })
}

/// An answer to network management of ours.
#[derive(Debug)]
pub(crate) struct NetworkAnswer<'a> {
    /// Which request it answers.
    pub(crate) stan: Option<u64>,
    /// DE 39.
    pub(crate) code: Cow<'a, str>,
}

/// Reads an answer to network management; `None` for any other message.
pub(crate) fn network_answer(message: &Message) -> Option<NetworkAnswer<'_>> {
    let is_answer = message.mti().class() == Class::Network && message.mti().answer().is_none();
    is_answer.then(|| NetworkAnswer { stan: message.number(11), code: message.text(39).unwrap_or_default() })
}

impl Writer {
    /// A request of ours. Writes nothing if the dialect has no code for the function.
    pub(crate) fn network_request(
        &self,
        function: NetworkFunction,
        stan: u32,
        now: Timestamp,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        match network_request(&self.dialect, function, stan, now) {
            Some(draft) => self.send(draft, out),
            None => Ok(()),
        }
    }
}

fn network_request(dialect: &Dialect, function: NetworkFunction, stan: u32, now: Timestamp) -> Option<Draft> {
    let mut draft = Draft::network_management(dialect, function)?;
    let time = jiff::Timestamp::from_microsecond(now.micros()).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    draft.text(7, &time.strftime("%m%d%H%M%S").to_string());
    draft.text(11, &format!("{stan:06}"));
    let rules = dialect.rules(draft.mti());
    if rules.is_some_and(|rules| rules.mandatory().any(|de| de == 12)) {
        // The date belongs to it from 1993 on.
        let with_date = draft.mti().digits() >= *b"1000";
        draft.text(12, &time.strftime(if with_date { "%y%m%d%H%M%S" } else { "%H%M%S" }).to_string());
    }
    Some(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_send_is_read_as_what_it_says_in_every_shipped_dialect() {
        let functions = [NetworkFunction::SignOn, NetworkFunction::SignOff, NetworkFunction::Echo];
        let now = Timestamp::from_seconds(1_763_663_520);
        for (name, _) in iso8583::SHIPPED {
            let dialect = iso8583::shipped(name).unwrap().unwrap();
            for function in functions {
                let mut bytes = BytesMut::new();
                network_request(&dialect, function, 42, now).unwrap().encode_into(&mut bytes).unwrap();
                let message = dialect.decode(bytes.freeze()).unwrap();
                assert_eq!(message.network_function(), Some(function), "{name}");
                assert_eq!(
                    (message.number(7), message.number(11)),
                    (Some(1_120_183_200), Some(42)),
                    "{name}"
                );
                assert!(network_answer(&message).is_none(), "{name}");
                let mut bytes = BytesMut::new();
                Draft::answer(&message).unwrap().echo(11, &message).encode_into(&mut bytes).unwrap();
                let partial = dialect.decode(bytes.freeze());
                let answer = partial.unwrap_or_else(|rejected| rejected.partial.unwrap());
                assert_eq!(network_answer(&answer).unwrap().stan, Some(42), "{name}");
            }
        }
    }
}
