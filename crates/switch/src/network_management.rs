//! What a network management message wants, and the messages of that kind that we send.
//!
//! The function is a code in DE 70 in 1987, and in DE 24 from 1993 on.

use domain::Timestamp;
use iso8583::{Class, Dialect, Draft, Message, Mti, Version};

/// What a network management message is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum NetworkFunction {
    /// The sender will send requests.
    SignOn,
    /// The sender will send no more requests.
    SignOff,
    /// Are you there?
    Echo,
    /// A new working key.
    KeyExchange,
    /// The business day changes.
    Cutover,
    /// A code that is not known.
    Unknown,
}

/// Whether a message manages the network, be it a request or an answer.
pub(crate) fn is_network_management(message: &Message) -> bool {
    message.mti().class() == Class::Network
}

/// What a request wants; the element with the code, if it is missing.
pub(crate) fn function_of(message: &Message) -> Result<NetworkFunction, u8> {
    let element = element_of(message.mti());
    let code = message.text(element).ok_or(element)?;
    let known = CODES
        .iter()
        .find(|(_, of_1987, since_1993)| *code == **if element == 70 { of_1987 } else { since_1993 });
    Ok(known.map_or(NetworkFunction::Unknown, |(function, ..)| *function))
}

/// A request of ours. `None` if the dialect has no such message.
pub(crate) fn request(
    dialect: &Dialect,
    function: NetworkFunction,
    stan: u32,
    now: Timestamp,
) -> Option<Draft> {
    let mti =
        Mti::parse("1804").filter(|mti| dialect.rules(*mti).is_some()).or_else(|| Mti::parse("0800"))?;
    let element = element_of(mti);
    let (_, of_1987, since_1993) = CODES.iter().find(|(listed, ..)| *listed == function)?;
    let mut draft = Draft::new(dialect, mti);
    let time = jiff::Timestamp::from_microsecond(now.micros()).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    draft.text(7, &time.strftime("%m%d%H%M%S").to_string());
    draft.text(11, &format!("{stan:06}"));
    draft.text(element, if element == 70 { of_1987 } else { since_1993 });
    Some(draft)
}

const fn element_of(mti: Mti) -> u8 {
    match mti.version() {
        Version::V1993 | Version::V2003 => 24,
        Version::V1987 | Version::National | Version::Private | Version::Reserved => 70,
    }
}

/// The codes of 1987, and those since 1993.
const CODES: [(NetworkFunction, &str, &str); 5] = [
    (NetworkFunction::SignOn, "001", "801"),
    (NetworkFunction::SignOff, "002", "802"),
    (NetworkFunction::Echo, "301", "831"),
    (NetworkFunction::KeyExchange, "101", "811"),
    (NetworkFunction::Cutover, "201", "821"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;

    fn dialect(name: &str) -> Dialect {
        iso8583::shipped(name).unwrap().unwrap()
    }

    #[test]
    fn what_we_send_is_read_as_what_it_says_in_every_shipped_dialect() {
        let functions = [NetworkFunction::SignOn, NetworkFunction::SignOff, NetworkFunction::Echo];
        let now = Timestamp::from_seconds(1_763_663_520);
        for (name, _) in iso8583::SHIPPED {
            let dialect = dialect(name);
            for function in functions {
                let mut bytes = BytesMut::new();
                request(&dialect, function, 42, now).unwrap().encode_into(&mut bytes).unwrap();
                let message = dialect.decode(bytes.freeze()).unwrap();
                assert!(is_network_management(&message), "{name}");
                assert_eq!(function_of(&message), Ok(function), "{name}");
                assert_eq!(
                    (message.number(7), message.number(11)),
                    (Some(1_120_183_200), Some(42)),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn functions_are_told_apart_by_their_codes_in_each_edition() {
        use NetworkFunction::{Cutover, Echo, KeyExchange, SignOff, SignOn, Unknown};
        for (name, mti, element, codes) in [
            ("ascii-1987", "0800", 70, ["001", "002", "301", "101", "201", "999"]),
            ("ascii-1993", "1804", 24, ["801", "802", "831", "811", "821", "999"]),
            ("ascii-1993", "2800", 24, ["801", "802", "831", "811", "821", "999"]),
        ] {
            let dialect = dialect(name);
            for (code, function) in
                codes.into_iter().zip([SignOn, SignOff, Echo, KeyExchange, Cutover, Unknown])
            {
                let mut draft = Draft::new(&dialect, Mti::parse(mti).unwrap());
                draft.number(7, 1_120_183_200).number(11, 42).text(element, code);
                let mut bytes = BytesMut::new();
                draft.encode_into(&mut bytes).unwrap();
                let message = dialect.decode(bytes.freeze()).unwrap();
                assert_eq!(function_of(&message), Ok(function), "{name} {mti} {code}");
            }
        }
    }
}
