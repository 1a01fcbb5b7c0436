//! The three editions of the standard in one run: message types, answers, and response codes of two, three and four digits.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use bytes::BytesMut;
use iso8583::{Dialect, Draft, Mti, NetworkFunction, ResponseClass, Version};
use support::dialect;

#[test]
fn each_edition_answers_with_its_own_message_type_and_code() {
    for (name, version, request, answer, code) in [
        ("ascii-1987", Version::V1987, "0100", "0110", "51"),
        ("ascii-1987", Version::V1987, "0421", "0430", "51"),
        ("ascii-1993", Version::V1993, "1200", "1210", "116"),
        ("ascii-1993", Version::V1993, "1421", "1430", "116"),
        ("ascii-2003", Version::V2003, "2100", "2110", "1016"),
        ("ascii-2003", Version::V2003, "2121", "2130", "1016"),
    ] {
        let dialect = dialect(name);
        let request = round_trip(&dialect, Draft::new(&dialect, Mti::parse(request).unwrap()).number(11, 42));
        assert_eq!(request.mti().version(), version, "{name}");
        let mut draft = Draft::answer(&request).unwrap();
        draft.echo_by_rule(&request).text(39, dialect.response_code("insufficient_funds").unwrap());
        let sent = round_trip(&dialect, &draft);
        assert_eq!(sent.mti().to_string(), answer, "{name}");
        assert_eq!((sent.text(39).as_deref(), sent.number(11)), (Some(code), Some(42)), "{name}");
    }
}

fn round_trip(dialect: &Dialect, draft: &Draft) -> iso8583::Message {
    let mut out = BytesMut::new();
    draft.encode_into(&mut out).unwrap();
    dialect.decode(out.freeze()).unwrap()
}

#[test]
fn the_2003_edition_manages_the_network_too() {
    let dialect = dialect("ascii-2003");
    let request = round_trip(&dialect, &Draft::network_management(&dialect, NetworkFunction::Echo).unwrap());
    assert_eq!(request.mti().to_string(), "2804");
    assert_eq!(request.network_function(), Some(NetworkFunction::Echo));
    assert_eq!(dialect.response_code_of("no_such_word", ResponseClass::Unavailable), Some("9107"));
}
