//! The examples of `CONTRACT.md`, replayed: what we send is what the page shows, and what the page calls an
//! answer is one.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use domain::{DutyKind, Mono, PartialApproval, Text, Timestamp, TransactionNo, Units};
use funding::contract::{self, Verdict};
use serde_json::Value;
use std::time::Duration;
use support::{EXAMPLE, SHARD, ask, cancel};

/// Every fenced JSON block of the page: its label and its text.
fn examples() -> Vec<(String, String)> {
    let page = include_str!("../CONTRACT.md");
    let blocks = page.split("```json ").skip(1);
    let examples: Vec<_> = blocks
        .map(|block| {
            let (label, rest) = block.split_once('\n').unwrap();
            (label.to_owned(), rest.split_once("```").unwrap().0.to_owned())
        })
        .collect();
    assert!(examples.len() > 10, "the page has lost its examples");
    examples
}

fn example(label: &str) -> Value {
    let (_, text) = examples().into_iter().find(|(name, _)| name == label).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn an_ask_is_written_as_the_page_shows() {
    let mut ask = ask(EXAMPLE, Mono::MAX);
    ask.rate.as_mut().unwrap().as_of = Timestamp::from_micros(1_795_200_300_000_000);
    let expires_at = ask.received.plus(Duration::from_millis(1_800));
    let message = contract::ask(&ask, Duration::from_millis(1_800), expires_at).unwrap();
    assert_eq!((message.path, message.id.as_str()), ("/v1/asks", "tx-017-0006423a9f2c1b40"));
    assert_eq!(json(&message.body), example("ask"));
}

#[test]
fn what_the_processor_did_not_send_is_absent() {
    let mut ask = ask(EXAMPLE, Mono::MAX);
    ask.rate = None;
    ask.request.rrn = None;
    ask.request.entry_mode = None;
    ask.request.merchant = domain::Merchant::default();
    let message = contract::ask(&ask, Duration::ZERO, Timestamp::MAX).unwrap();
    let body = json(&message.body);
    assert_eq!(body["merchant"], serde_json::json!({}));
    assert!(body.get("rate").is_none() && body.get("entry_mode").is_none());
    assert!(body["references"].get("rrn").is_none());
    assert!(!String::from_utf8(message.body).unwrap().contains("null"));
}

#[test]
fn an_increment_says_what_it_adds_to() {
    let mut ask = ask(EXAMPLE, Mono::MAX);
    let written = |ask: &domain::Ask| json(&contract::ask(ask, Duration::ZERO, Timestamp::MAX).unwrap().body);
    assert!(written(&ask).get("increment_of").is_none(), "a payment of its own");
    ask.increment_of = Some(ask.transaction);
    assert_eq!(written(&ask)["increment_of"], "tx-017-0006423a9f2c1b40");
}

#[test]
fn duties_are_written_as_the_page_shows() {
    let duty = cancel(EXAMPLE, EXAMPLE + 0x11);
    let message = contract::duty(SHARD, &duty).unwrap();
    assert_eq!(message.path, "/v1/cancels");
    assert_eq!(json(&message.body), example("cancel"));
    assert_eq!(json(&message.body)["cancel_id"], message.id);

    let kind = DutyKind::Advise { merchant: Text::new("COFFEE BAR").unwrap() };
    let duty = domain::Duty { kind, number: TransactionNo(EXAMPLE + 0x11), ..duty };
    let message = contract::duty(SHARD, &duty).unwrap();
    assert_eq!(message.path, "/v1/advices");
    assert_eq!(json(&message.body), example("advice"));
    assert_eq!(json(&message.body)["advice_id"], message.id);
}

#[test]
fn answers_are_read_as_the_page_says() {
    let mut replayed = 0;
    for (label, text) in examples() {
        let words: Vec<_> = label.split(' ').collect();
        let mut ask = ask(EXAMPLE, Mono::MAX);
        if words[0] == "answer-to-partial" {
            ask.request.partial = PartialApproval::Supported;
        }
        let verdict = contract::verdict(&ask, text.as_bytes());
        match words.as_slice() {
            ["answer" | "answer-to-partial", "approve", units @ ..] => {
                let units = units.first().map_or(ask.amounts.units, |units| Units(units.parse().unwrap()));
                assert_eq!(verdict.unwrap(), Verdict::Approved(units), "{text}");
            }
            ["answer", "decline", code] => {
                assert_eq!(verdict.unwrap(), Verdict::Declined(Text::new(code).unwrap()), "{text}");
            }
            ["answer", "malformed"] => assert!(verdict.is_err(), "was taken for an answer: {text}"),
            _ => continue,
        }
        replayed += 1;
    }
    assert_eq!(replayed, 16);
}

#[test]
fn nothing_that_is_not_exactly_an_answer_is_taken_for_one() {
    let ask = ask(EXAMPLE, Mono::MAX);
    let id = ask.transaction;
    let with = |rest: &str| format!(r#"{{"ask_id":"{id}",{rest}}}"#);
    for bad in [
        String::new(),
        "null".into(),
        "{}".into(),
        "[]".into(),
        format!(r#"{{"ask_id":"{id}"}}"#),
        r#"{"decision":"approve"}"#.into(),
        with(r#""decision":"APPROVE""#),
        with(r#""decision":true"#),
        with(r#""decision":"approve","decision":"decline""#),
        with(r#""decision":"approve","units":1.5"#),
        with(r#""decision":"approve","units":1e3"#),
        with(r#""decision":"approve","units":"1e3""#),
        with(r#""decision":"approve","units":"12500000.0""#),
        with(r#""decision":"approve","units":"+12500000""#),
        with(r#""decision":"approve","units":"012500000""#),
        with(r#""decision":"approve","units":" 12500000""#),
        with(r#""decision":"approve","units":"-1""#),
        with(r#""decision":"approve","units":-1"#),
        with(r#""decision":"approve","units":"""#),
        with(r#""decision":"approve","units":true"#),
        with(r#""decision":"approve","units":"999999999999999999999999999999999999999999""#),
        with(r#""decision":"approve""#) + "trailing",
        with(r#""decision":"approve""#).to_uppercase(),
    ] {
        assert!(contract::verdict(&ask, bad.as_bytes()).is_err(), "was taken for an answer: {bad}");
    }
    let whole = with(r#""decision":"approve","units":12500000,"new_field":{"x":1.5},"units_note":null"#);
    assert_eq!(contract::verdict(&ask, whole.as_bytes()).unwrap(), Verdict::Approved(Units(12_500_000)));
}

#[test]
fn a_decline_stays_a_decline_however_its_code_is_written() {
    let ask = ask(EXAMPLE, Mono::MAX);
    let code = |given: &str| {
        let body = format!(r#"{{"ask_id":"{}","decision":"decline","code":"{given}"}}"#, ask.transaction);
        match contract::verdict(&ask, body.as_bytes()).unwrap() {
            Verdict::Declined(code) => code.as_str().to_owned(),
            Verdict::Approved(_) => panic!("approved"),
        }
    };
    assert_eq!(code("no_money"), "no_money");
    assert_eq!(code(r"a\u0000b\nc"), "abc");
    assert_eq!(code(&"x".repeat(200)), "x".repeat(24));
    assert_eq!(code(&"é".repeat(20)), "é".repeat(12), "cut between letters, not within one");
}
