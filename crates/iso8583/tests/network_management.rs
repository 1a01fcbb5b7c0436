//! Network management as the dialects say it: what a code means, what we send, and what an answer says of a function
//! that is not served.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use bytes::BytesMut;
use iso8583::{Dialect, Draft, EmptyFrame, Message, Mti, NetworkFunction, SHIPPED};
use support::dialect;

fn message(dialect: &Dialect, draft: &Draft) -> Message {
    let mut out = BytesMut::new();
    draft.encode_into(&mut out).unwrap();
    dialect.decode(out.freeze()).unwrap()
}

#[test]
fn every_shipped_dialect_sends_what_it_understands() {
    for (name, _) in SHIPPED {
        let dialect = dialect(name);
        for function in [
            NetworkFunction::SignOn,
            NetworkFunction::SignOff,
            NetworkFunction::Echo,
            NetworkFunction::KeyExchange,
            NetworkFunction::Cutover,
        ] {
            let mut draft = Draft::network_management(&dialect, function).unwrap();
            draft.number(7, 1_125_160_000).number(11, 42);
            let request = message(&dialect, &draft);
            assert_eq!(request.network_function(), Some(function), "{name}");
            request.check_presence().unwrap();
            let answer = message(&dialect, Draft::answer(&request).unwrap().echo_by_rule(&request));
            assert_eq!(answer.network_function(), None, "{name}: an answer wants nothing");
        }
    }
}

#[test]
fn a_code_that_is_not_listed_is_known_to_be_unknown() {
    let dialect = dialect("ascii-1987");
    let mut draft = Draft::new(&dialect, Mti::parse("0800").unwrap());
    assert_eq!(message(&dialect, &draft).network_function(), Some(NetworkFunction::Unknown));
    draft.text(70, "999");
    assert_eq!(message(&dialect, &draft).network_function(), Some(NetworkFunction::Unknown));
    let purchase = message(&dialect, &Draft::new(&dialect, Mti::parse("0100").unwrap()));
    assert_eq!(purchase.network_function(), None);
}

const HEAD: &str = "name = \"t\"\nmti = { encoding = \"ascii\" }\nbitmap = { encoding = \"hex\" }\n\
                    elements.24 = { name = \"function code\", content = \"n\", length = 3 }\n\
                    elements.33 = { name = \"forwarder\", content = \"n\", prefix = \"LL\", max = 11 }\n\
                    elements.39 = { name = \"action code\", content = \"n\", length = 4 }\n[network_management]\n";

#[test]
fn a_dialect_says_what_all_of_our_messages_carry_and_how_the_rest_is_refused() {
    let text = format!(
        "{HEAD}mti = \"2804\"\nelement = 24\nsign_on = [\"801\"]\nunsupported = \"9102\"\nsent = {{ 33 = \"12345\" }}\n\
         keep_alive = \"answer\"\nsession_control = \"refuse\"\n"
    );
    let dialect = Dialect::from_toml(&text, "t").unwrap();
    let management = dialect.network_management().unwrap();
    assert_eq!(management.unsupported(), Some("9102"));
    assert_eq!(
        (management.keep_alive(), management.session_control()),
        (EmptyFrame::Answer, EmptyFrame::Refuse)
    );
    let draft = Draft::network_management(&dialect, NetworkFunction::SignOn).unwrap();
    let request = message(&dialect, &draft);
    assert_eq!((request.mti().to_string().as_str(), request.number(33)), ("2804", Some(12_345)));
    assert!(Draft::network_management(&dialect, NetworkFunction::Echo).is_none());
}

#[test]
fn a_code_that_is_filled_up_on_the_wire_is_still_the_same_code() {
    let text = HEAD.replace(
        "[network_management]",
        "elements.70 = { name = \"code\", content = \"an\", length = 4 }\n[network_management]",
    ) + "mti = \"0800\"\nelement = 70\necho = [\"E\"]\n";
    let dialect = Dialect::from_toml(&text, "t").unwrap();
    let draft = Draft::network_management(&dialect, NetworkFunction::Echo).unwrap();
    let request = message(&dialect, &draft);
    assert_eq!(request.text(70).as_deref(), Some("E   "));
    assert_eq!(request.network_function(), Some(NetworkFunction::Echo));
}

#[test]
fn what_makes_no_sense_is_named() {
    for (section, expected) in [
        (
            "element = 24\nmti = \"0810\"",
            "mti: found 0810, allowed: a network management request that is no repeat",
        ),
        (
            "element = 24\nmti = \"0100\"",
            "mti: found 0100, allowed: a network management request that is no repeat",
        ),
        ("mti = \"1804\"\nelement = 70", "element: found 70, allowed: elements that the dialect lists"),
        (
            "mti = \"1804\"\nelement = 24\necho = [\"8\"]",
            "echo: found 8, allowed: what DE 24 can hold: length 1",
        ),
        (
            "mti = \"1804\"\nelement = 24\nsign_on = [\"801\"]\necho = [\"801\"]",
            "echo: found 801, allowed: a code that no other function has",
        ),
        (
            "mti = \"1804\"\nelement = 24\nunsupported = \"12\"",
            "unsupported: found 12, allowed: what DE 39 can hold",
        ),
        (
            "mti = \"1804\"\nelement = 24\nsent = { 34 = \"1\" }",
            "sent.34: found 34, allowed: elements that the",
        ),
        (
            "mti = \"1804\"\nelement = 24\nsent = { 33 = \"x\" }",
            "sent.33: found x, allowed: what DE 33 can hold",
        ),
    ] {
        let error = Dialect::from_toml(&format!("{HEAD}{section}\n"), "t.toml").unwrap_err().to_string();
        let line = 7 + section.lines().count();
        assert!(error.starts_with(&format!("t.toml, line {line}: network_management.")), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    let error = Dialect::from_toml(&format!("{HEAD}mti = \"1804\"\nelement = 24\nlogon = []\n"), "t.toml");
    assert!(error.unwrap_err().to_string().contains("unknown field `logon`"));
}
