//! The rules of the shipped dialects: what a message must have, what its answer gives back, and codes.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use bytes::BytesMut;
use iso8583::{Dialect, Draft, Message, Mti, ResponseClass, SHIPPED};
use support::dialect;

fn message(dialect: &Dialect, mti: &str, elements: &[u8]) -> Message {
    let mut draft = Draft::new(dialect, Mti::parse(mti).unwrap());
    for de in elements {
        draft.number(*de, 1);
    }
    let mut out = BytesMut::new();
    draft.encode_into(&mut out).unwrap();
    dialect.decode(out.freeze()).unwrap()
}

#[test]
fn a_missing_mandatory_element_is_named_and_a_repeat_follows_the_same_rules() {
    for mti in ["0100", "0101"] {
        let error = message(&dialect("ascii-1987"), mti, &[3, 4, 7]).check_presence().unwrap_err();
        assert_eq!(error.to_string(), "DE 11 system trace audit number: is missing (offset 4)");
        assert_eq!(error.element(), Some(11));
    }
    message(&dialect("ascii-1987"), "0100", &[3, 7, 11]).check_presence().unwrap();
}

#[test]
fn a_message_without_rules_is_complete() {
    message(&dialect("ascii-1987"), "0600", &[]).check_presence().unwrap();
}

#[test]
fn the_offset_of_a_missing_element_is_the_bitmap_behind_the_header() {
    let error = message(&dialect("visa-like"), "0100", &[3]).check_presence().unwrap_err();
    assert_eq!(error.offset(), 22 + 2);
}

#[test]
fn the_answer_gives_back_what_the_rules_say_and_came() {
    let dialect = dialect("ascii-1987");
    let request = message(&dialect, "0101", &[2, 3, 4, 7, 11, 18, 22]);
    let mut draft = Draft::answer(&request).unwrap();
    let mut out = BytesMut::new();
    draft.echo_by_rule(&request).text(39, "00").encode_into(&mut out).unwrap();
    let answer = dialect.decode(out.freeze()).unwrap();
    assert_eq!(answer.elements().collect::<Vec<_>>(), [2, 3, 4, 7, 11, 39]);
}

#[test]
fn only_what_is_neither_mandatory_nor_optional_is_unexpected() {
    let text = "name = \"t\"\nmti = { encoding = \"ascii\" }\nbitmap = { encoding = \"hex\" }\n\
                messages.0800 = { mandatory = [11], optional = [7] }\n\
                [elements]\n7 = { name = \"a\", content = \"n\", length = 10 }\n\
                11 = { name = \"b\", content = \"n\", length = 6 }\n12 = { name = \"c\", content = \"n\", length = 6 }\n";
    let dialect = Dialect::from_toml(text, "t").unwrap();
    assert_eq!(message(&dialect, "0800", &[7, 11, 12]).unexpected(), [12]);
    assert_eq!(message(&dialect, "0100", &[7, 11, 12]).unexpected(), Vec::<u8>::new());
}

#[test]
fn every_shipped_dialect_has_rules_and_a_code_for_every_word_of_the_first() {
    let words = |text: &str| -> Vec<String> {
        let table = text.split("[response_codes]\n").nth(1).unwrap().to_owned();
        table.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    let expected = words(SHIPPED[0].1);
    assert!(expected.len() > 30);
    for (name, text) in SHIPPED {
        let dialect = dialect(name);
        assert_eq!(words(text), expected, "{name}");
        for word in &expected {
            assert!(dialect.response_code(word).is_some(), "{name}: {word}");
        }
        let request = if name == "ascii-1993" { "1100" } else { "0100" };
        assert!(dialect.rules(Mti::parse(request).unwrap()).unwrap().echo().contains(&11), "{name}");
    }
    assert_eq!(dialect("ascii-1987").response_code("insufficient_funds"), Some("51"));
    assert_eq!(dialect("ascii-1993").response_code("insufficient_funds"), Some("116"));
    assert_eq!(dialect("ascii-1987").response_code("no_such_word"), None);
}

#[test]
fn a_word_that_the_dialect_does_not_have_gets_the_code_of_its_class() {
    for (name, _) in SHIPPED {
        let dialect = dialect(name);
        for class in ResponseClass::ALL {
            let code = dialect.response_code(class.word());
            assert!(code.is_some(), "{name}: {class:?}");
            assert_eq!(dialect.response_code_of("a_newer_word", class), code, "{name}");
        }
    }
    let dialect = dialect("ascii-1987");
    assert_eq!(dialect.response_code_of("insufficient_funds", ResponseClass::Decline), Some("51"));
}

#[test]
fn a_word_of_a_response_code_that_nobody_uses_is_refused_with_its_line() {
    let (name, text) = SHIPPED[0];
    let dialect = dialect(name);
    let words = ["accepted", "approved", "decline"];
    let error = dialect.check_response_words(text, name, &words).unwrap_err().to_string();
    let line = 1 + text.lines().position(|line| line.starts_with("unknown_card")).unwrap();
    let expected = format!(
        "{name}, line {line}: response_codes.unknown_card: found unknown_card, allowed: one of accepted, approved, decline"
    );
    assert!(error.lines().any(|line| line == expected), "{error}");
    assert!(!error.contains("response_codes.approved:"), "{error}");
}
