//! Each reason to decline, as the processor sees it in DE 39 and as support reads it in the control API.

use crate::support::daemon::Daemon;
use crate::support::message::{DIALECTS, Message};
use crate::support::processor::{purchase, usual};
use crate::support::{PAN, UNKNOWN_PAN};
use serde_json::{Value, json};

/// A card with these fields, on an account of 100 US dollars.
async fn with_card(card: Value) -> Daemon {
    let daemon = Daemon::start().await;
    let api = daemon.api();
    api.open_account("A", "USD").await;
    api.credit("A", "100.00").await;
    api.issue("C", PAN, "A", "pre_funded", card).await;
    daemon
}

/// Sends each request in both dialects and expects it to be declined with this code, for this reason.
async fn expect_decline(daemon: &Daemon, request: &Message, code: &str, reason: &str) {
    for (offset, dialect) in (0..).zip(DIALECTS) {
        let stan: u32 = request.get(11).parse().unwrap();
        let sample = format!("authswitch_authorizations_total{{outcome=\"declined\",reason=\"{reason}\"}}");
        let counted = daemon.api().metric(&sample).await;
        let request = request.clone().with(11, &format!("{:06}", stan + 500_000 * offset));
        let answer = daemon.processor(dialect).await.ask(&request).await;
        assert_eq!((answer.mti.as_str(), answer.code()), ("0110", code), "{request:?}");
        assert!(!answer.has(38), "a decline has no approval code: {answer:?}");
        for de in [2, 3, 4, 7, 11, 32, 37, 41, 42, 49] {
            assert_eq!(answer.get(de), request.get(de), "DE {de}");
        }
        let kept = daemon.api().last_transaction("C").await;
        assert_eq!((&kept["state"], &kept["reason"]), (&json!("declined"), &json!(reason)));
        assert!(!kept["explanation"].as_str().unwrap().is_empty());
        assert_eq!(daemon.api().metric(&sample).await, counted + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_card_is_14() {
    let daemon = Daemon::with_card().await;
    for dialect in DIALECTS {
        let answer = daemon.processor(dialect).await.ask(&purchase(UNKNOWN_PAN, 1, 1_00)).await;
        assert_eq!((answer.code(), answer.has(38)), ("14", false));
    }
    let sample = "authswitch_authorizations_total{outcome=\"declined\",reason=\"unknown_card\"}";
    assert_eq!(daemon.api().metric(sample).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_may_not_pay_is_declined_by_its_state() {
    for (card, code, reason) in [
        (json!({ "status": "frozen" }), "62", "card_frozen"),
        (json!({ "status": "closed" }), "62", "card_closed"),
        (json!({ "status": "not_yet_active" }), "78", "card_not_yet_active"),
        (json!({ "expiry": "2024-02" }), "54", "card_expired"),
    ] {
        expect_decline(&with_card(card).await, &usual(1, 1_00), code, reason).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_frozen_and_unfrozen_while_it_is_in_use() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    assert_eq!(processor.ask(&usual(1, 1_00)).await.code(), "00");
    daemon.api().change("POST", "/v1/cards/C/freeze", Value::Null).await;
    assert_eq!(processor.ask(&usual(2, 1_00)).await.code(), "62");
    daemon.api().change("POST", "/v1/cards/C/unfreeze", Value::Null).await;
    assert_eq!(processor.ask(&usual(3, 1_00)).await.code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_expiry_is_54() {
    let daemon = Daemon::with_card().await;
    expect_decline(&daemon, &usual(1, 1_00).with(14, "3011"), "54", "expiry_mismatch").await;
    let answer = daemon.ascii().await.ask(&usual(3, 1_00).with(14, "3112")).await;
    assert_eq!(answer.code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_is_available_is_51() {
    let daemon = Daemon::with_card().await;
    expect_decline(&daemon, &usual(1, 100_01), "51", "insufficient_funds").await;
    assert_eq!(daemon.ascii().await.ask(&usual(2, 100_00)).await.code(), "00");
    expect_decline(&daemon, &usual(3, 1), "51", "insufficient_funds").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_controls_do_not_allow_is_57() {
    for (controls, request, reason) in [
        (json!({ "mcc": { "blocked": ["5411"] } }), usual(1, 1_00), "mcc_not_allowed"),
        (json!({ "mcc": { "allowed": ["5812"] } }), usual(1, 1_00), "mcc_not_allowed"),
        (json!({ "country": { "allowed": ["DE"] } }), usual(1, 1_00), "country_not_allowed"),
        // Without DE 19 the country is the one at the end of DE 43.
        (json!({ "country": { "blocked": ["US"] } }), usual(1, 1_00).without(19), "country_not_allowed"),
        (json!({ "currency": { "allowed": ["EUR"] } }), usual(1, 1_00), "currency_not_allowed"),
        (json!({ "merchant": { "blocked": ["MERCHANT0000001"] } }), usual(1, 1_00), "merchant_not_allowed"),
    ] {
        let daemon = with_card(json!({ "controls": controls })).await;
        expect_decline(&daemon, &request, "57", reason).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controls_let_pass_what_they_allow() {
    let controls = json!({
        "mcc": { "allowed": ["5411"] }, "country": { "allowed": ["US"], "blocked": ["RU"] },
        "currency": { "allowed": ["USD"] }, "merchant": { "allowed": ["MERCHANT0000001"] },
    });
    let daemon = with_card(json!({ "controls": controls })).await;
    assert_eq!(daemon.ascii().await.ask(&usual(1, 1_00)).await.code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_over_a_limit_is_61_and_one_purchase_too_many_is_65() {
    for (limits, code, reason, told) in [
        // What is left does not fit behind so long a word, and is left out.
        (json!([{ "window": "transaction", "amount_max": "19.99" }]), "61", "transaction_limit", ""),
        (json!([{ "window": "day", "amount_max": "29.99" }]), "61", "amount_limit", " day 1999"),
        (
            json!([{ "window": "month", "zone": "Asia/Tokyo", "count_max": 1 }]),
            "65",
            "count_limit",
            " month 0",
        ),
    ] {
        let daemon = with_card(json!({ "limits": limits })).await;
        assert_eq!(daemon.ascii().await.ask(&usual(1, 10_00)).await.code(), "00", "{reason}");
        expect_decline(&daemon, &usual(2, 20_00), code, reason).await;
        let repeat = daemon.ascii().await.ask(&usual(2, 20_00)).await;
        assert_eq!(repeat.get(44), format!("{reason}{told}"));
        assert_eq!(daemon.api().balance("A").await, ["100.00", "10.00", "90.00"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_the_account_counts_all_of_its_cards() {
    let daemon = Daemon::with_card().await;
    let api = daemon.api();
    api.issue("D", crate::support::OTHER_PAN, "A", "pre_funded", json!({})).await;
    let limits = json!([{ "window": "lifetime", "amount_max": "30.00" }]);
    api.change("PUT", "/v1/accounts/A/limits", json!({ "limits": limits })).await;
    let mut processor = daemon.ascii().await;
    assert_eq!(processor.ask(&usual(1, 20_00)).await.code(), "00");
    assert_eq!(processor.ask(&purchase(crate::support::OTHER_PAN, 2, 10_01)).await.code(), "61");
    assert_eq!(processor.ask(&purchase(crate::support::OTHER_PAN, 3, 10_00)).await.code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zero_amount_is_13_and_an_unserved_kind_of_transaction_is_12() {
    let daemon = Daemon::with_card().await;
    expect_decline(&daemon, &usual(1, 0), "13", "invalid_amount").await;
    for (stan, kind) in [(2, "400000"), (3, "210000"), (4, "990000")] {
        let answer = daemon.ascii().await.ask(&usual(stan, 1_00).with(3, kind)).await;
        assert_eq!(answer.code(), "12", "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_currency_without_a_rate_is_91() {
    let daemon = Daemon::with_card().await;
    expect_decline(&daemon, &usual(1, 1_00).with(49, "978"), "91", "rate_unavailable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_that_said_no_is_kept_and_the_first_in_order_decides() {
    let controls = json!({ "mcc": { "blocked": ["5411"] }, "country": { "allowed": ["DE"] } });
    let limits = json!([{ "window": "day", "amount_max": "1.00" }]);
    let daemon = with_card(json!({ "status": "frozen", "controls": controls, "limits": limits })).await;
    assert_eq!(daemon.ascii().await.ask(&usual(1, 500_00)).await.code(), "62");
    let kept = daemon.api().last_transaction("C").await;
    let reasons: Vec<&str> = kept["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["reason"].as_str().unwrap())
        .collect();
    assert_eq!(
        reasons,
        ["card_frozen", "country_not_allowed", "mcc_not_allowed", "amount_limit", "insufficient_funds"]
    );
}
