//! The published contract: what we send fits its schemas and its examples, and its answers are read as it says.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

#[path = "../../control/tests/api/schema.rs"]
mod schema;
mod support;

use domain::{
    CancelCause, Duty, DutyKind, Margins, Mono, PartialApproval, Price, Text, Timestamp, TransactionNo, Units,
};
use funding::contract::{self, DeclineReason, OPENAPI, Verdict};
use serde_json::Value;
use std::sync::LazyLock;
use std::time::Duration;
use support::{EXAMPLE, SHARD, ask, cancel};

static CONTRACT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(OPENAPI).unwrap());

fn example(name: &str) -> &'static Value {
    &CONTRACT["components"]["examples"][name]["value"]
}

/// What is sent to a path has the schema of its operation.
fn assert_fits(path: &str, body: &Value) {
    let content = &CONTRACT["paths"][path]["post"]["requestBody"]["content"]["application/json"];
    assert!(content["schema"].is_object(), "{path} is not described");
    let faults = schema::faults(&CONTRACT, &content["schema"], body, "body");
    assert!(faults.is_empty(), "{path}: {faults:#?}");
}

fn sent(message: &contract::Message) -> Value {
    serde_json::from_slice(&message.body).unwrap()
}

#[test]
fn an_ask_is_sent_as_the_example_shows_and_as_the_schema_says() {
    let mut ask = ask(EXAMPLE, Mono::MAX);
    ask.rate.as_mut().unwrap().as_of = Timestamp::from_micros(1_795_200_300_000_000);
    let expires_at = ask.received.plus(Duration::from_millis(1_800));
    let message = contract::ask(&ask, Duration::from_millis(1_800), expires_at).unwrap();
    assert_eq!(&sent(&message), example("ask"));
    assert_fits(message.path, &sent(&message));
    let (margins, second_leg) = (Margins { markup: 100, fee: 50, buffer: 2_000 }, ask.rate);
    let [base, markup, fee, buffer] = [10_000_000, 100_000, 50_000, 2_030_000].map(Units);
    ask.increment_of = Some(ask.transaction);
    ask.price = Some(Price { base, markup, fee, buffer, second_leg, margins });
    let message = contract::ask(&ask, Duration::from_millis(1_800), expires_at).unwrap();
    let price = &sent(&message)["price"];
    let parts = ["base", "markup", "fee", "buffer"].map(|part| price[part].as_str().unwrap());
    assert_eq!(
        parts,
        ["10000000", "100000", "50000", "2030000"],
        "what is charged and what is held, apart (E13)"
    );
    assert_eq!(price["second_rate"], sent(&message)["rate"]);
    assert_fits(message.path, &sent(&message));
    (ask.rate, ask.price) = (None, None);
    ask.request.rrn = None;
    ask.request.entry_mode = None;
    ask.request.merchant = domain::Merchant::default();
    ask.request.details = domain::Details::default();
    let message = contract::ask(&ask, Duration::ZERO, expires_at).unwrap();
    assert_fits(message.path, &sent(&message));
}

#[test]
fn every_duty_is_sent_as_its_example_shows_and_as_its_schema_says() {
    let merchant = Text::new("COFFEE BAR").unwrap();
    let clear =
        |merchant| DutyKind::Clear { reserved: Units(12_000_000), released: Units(0), last: true, merchant };
    for (name, kind) in [
        ("confirm", DutyKind::Confirm),
        ("cancel", DutyKind::Cancel(CancelCause::OutcomeUnknown)),
        ("advice", DutyKind::Advise { merchant }),
        ("reversal", DutyKind::Reverse { left: Units(2_500_000) }),
        ("clearing", clear(merchant)),
        ("refund", DutyKind::Refund { merchant }),
        ("undo", DutyKind::Undo { credit: false }),
        ("expiry", DutyKind::Expire),
    ] {
        let duty = Duty { kind, number: TransactionNo(EXAMPLE + 0x11), ..cancel(EXAMPLE, 0) };
        let message = contract::duty(SHARD, &duty).unwrap();
        assert_eq!(&sent(&message), example(name));
        assert_fits(message.path, &sent(&message));
        assert_eq!(message.id, example(name)[format!("{name}_id")], "its id is its idempotency key (E26)");
    }
}

#[test]
fn the_answers_of_the_contract_are_read_as_it_says() {
    let answers = &CONTRACT["paths"]["/v1/asks"]["post"]["responses"]["200"]["content"]["application/json"];
    let read = |name: &str| {
        let value = &answers["examples"][name]["value"];
        let faults = schema::faults(&CONTRACT, &answers["schema"], value, name);
        assert!(faults.is_empty(), "{faults:#?}");
        let mut ask = ask(EXAMPLE, Mono::MAX);
        ask.request.partial = PartialApproval::Supported;
        contract::answer(&ask, value.to_string().as_bytes(), ask.received).unwrap()
    };
    let declined = |code: &str| Verdict::Declined(Text::new(code).unwrap());
    assert_eq!(answers["examples"].as_object().unwrap().len(), 6);
    assert_eq!(read("approve").verdict, Verdict::Approved(Units(12_500_000)));
    assert_eq!(read("approve_units").verdict, Verdict::Approved(Units(12_500_000)));
    assert_eq!(read("approve_part").verdict, Verdict::Approved(Units(5_000_000)));
    assert_eq!(read("decline_for_a_reason").verdict, declined("insufficient_funds"));
    let coded = read("decline_with_a_code");
    assert_eq!(
        (coded.verdict, coded.told.unwrap().text.as_str()),
        (declined("KYC-7"), "The passport has expired")
    );
    let told = read("approve_and_tell").told.unwrap();
    assert_eq!(told.account.unwrap().as_str(), "acct_1_savings");
    assert_eq!((told.balance.unwrap().version, told.balance.unwrap().available), (42, Units(87_500_000)));
    assert_eq!(told.quote.unwrap().id.as_str(), "quote-9");
}

#[test]
fn e11_a_quote_that_is_over_before_our_answer_can_leave_is_no_approval() {
    let ask = ask(EXAMPLE, Mono::MAX);
    let body = r#"{"ask_id":"tx-017-0006423a9f2c1b40","decision":"approve",
        "quote":{"id":"quote-9","expires_at":"2026-11-20T18:45:31.060Z"}}"#;
    let at = |ms| ask.received.plus(Duration::from_millis(ms));
    assert!(contract::answer(&ask, body.as_bytes(), at(59)).is_ok());
    let over = contract::answer(&ask, body.as_bytes(), at(60));
    assert!(matches!(over, Err(contract::AnswerError::QuoteOver { .. })), "{over:?}");
}

#[test]
fn the_reasons_of_the_contract_are_those_that_are_read() {
    let listed = &CONTRACT["components"]["schemas"]["Answer"]["properties"]["reason"]["enum"];
    let read: Vec<&str> = DeclineReason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(listed, &serde_json::json!(read));
}
