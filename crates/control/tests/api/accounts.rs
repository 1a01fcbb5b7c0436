//! Accounts: opened, looked up, credited, debited, limited.

use crate::client::Client;
use axum::http::Method;
use serde_json::json;

async fn with_account() -> Client {
    let client = Client::new();
    client.post("/v1/accounts", r#"{"id": "A", "asset": "USDT"}"#).await.expect(201);
    client
}

#[tokio::test]
async fn an_opened_account_is_shown_with_its_three_balances() {
    let client = with_account().await;
    client.book("/v1/accounts/A/credits", "k1", r#""12.50""#).await.expect(201);
    let answer = client.get("/v1/accounts/A").await.expect(200);
    let twelve = json!({"units": "12500000", "amount": "12.500000"});
    let zero = json!({"units": "0", "amount": "0.000000"});
    assert_eq!(
        answer.json,
        json!({
            "id": "A",
            "asset": {"code": "USDT", "decimals": 6},
            "balance": {"ledger": twelve, "held": zero, "available": twelve},
            "limits": [],
            "told": null,
            "unacknowledged": zero,
        })
    );
}

#[tokio::test]
async fn any_name_can_be_used_in_a_path() {
    let client = Client::new();
    client.post("/v1/accounts", r#"{"id": "a/b ü?", "asset": "EUR"}"#).await.expect(201);
    assert_eq!(client.get("/v1/accounts/a%2Fb%20%C3%BC%3F").await.expect(200).json["id"], "a/b ü?");
    let answer = client.get("/v1/accounts/%FF").await.expect(400);
    assert_eq!(answer.problem(), "invalid_address");
    let answer = client.get(&format!("/v1/accounts/{}", "x".repeat(41))).await.expect(400);
    assert_eq!(answer.fields(), ["id in the path"]);
}

#[tokio::test]
async fn money_is_booked_once_for_each_idempotency_key() {
    let client = with_account().await;
    let first = client.book("/v1/accounts/A/credits", "k1", r#""5.00""#).await.expect(201);
    assert_eq!(first.json["repeated"], false);
    let again = client.book("/v1/accounts/A/credits", "k1", r#"{"units": 5000000}"#).await.expect(200);
    assert_eq!(again.json["repeated"], true);
    assert_eq!(again.json["account"], first.json["account"]);

    let other = client.book("/v1/accounts/A/credits", "k1", r#""6.00""#).await.expect(422);
    assert_eq!(other.problem(), "idempotency_key_reused");

    // The same key for another operation or account is another posting.
    client.book("/v1/accounts/A/debits", "k1", r#""1.00""#).await.expect(201);
    let answer = client.get("/v1/accounts/A").await;
    assert_eq!(answer.json["balance"]["ledger"]["amount"], "4.000000");
}

#[tokio::test]
async fn a_key_is_known_for_48_hours() {
    let client = with_account().await;
    client.book("/v1/accounts/A/credits", "k1", r#""5.00""#).await.expect(201);
    client.bench.wait(48);
    let again = client.book("/v1/accounts/A/credits", "k1", r#""5.00""#).await.expect(200);
    assert_eq!(again.json["repeated"], true);
    // What is older is forgotten with the next posting.
    client.bench.wait(1);
    client.book("/v1/accounts/A/credits", "k2", r#""1.00""#).await.expect(201);
    let anew = client.book("/v1/accounts/A/credits", "k1", r#""5.00""#).await.expect(201);
    assert_eq!(anew.json["account"]["balance"]["ledger"]["amount"], "11.000000");
}

#[tokio::test]
async fn an_account_is_opened_with_its_limits_in_one_change_or_not_at_all() {
    let client = Client::new();
    let limited = |zone: &str| {
        format!(
            r#"{{"id": "A", "asset": "USD", "limits": [{{"window": "day", "zone": "{zone}", "amount_max": "50.00"}}]}}"#
        )
    };
    client.post("/v1/accounts", &limited("Mars/Olympus")).await.expect(422);
    client.get("/v1/accounts/A").await.expect(404);
    let before = client.bench.changes_so_far();
    let answer = client.post("/v1/accounts", &limited("Europe/Berlin")).await.expect(201);
    assert_eq!(client.bench.changes_so_far(), before + 1);
    assert_eq!(answer.json["limits"][0]["window"], "day");
    client.post("/v1/accounts", &limited("Europe/Berlin")).await.expect(200);
}

#[tokio::test]
async fn a_posting_says_what_was_booked() {
    let client = with_account().await;
    let body = r#"{"amount": "0.000001", "note": "dust"}"#;
    let answer = client.send(Method::POST, "/v1/accounts/A/credits", Some("k"), body).await.expect(201);
    assert_eq!(answer.json["posting"], "credit");
    assert_eq!((&answer.json["units"], &answer.json["amount"]), (&json!("1"), &json!("0.000001")));
}

#[tokio::test]
async fn a_posting_without_a_usable_key_is_refused_before_anything_is_booked() {
    let client = with_account().await;
    let long = "k".repeat(256);
    for key in [None, Some(""), Some("two words"), Some(long.as_str())] {
        let body = r#"{"amount": "1.00"}"#;
        let answer = client.send(Method::POST, "/v1/accounts/A/credits", key, body).await.expect(400);
        assert_eq!(answer.problem(), "invalid_idempotency_key");
        assert_eq!(answer.fields(), ["Idempotency-Key"]);
    }
    assert_eq!(client.get("/v1/accounts/A").await.json["balance"]["ledger"]["units"], "0");
}

#[tokio::test]
async fn a_float_is_refused_with_the_name_of_its_field() {
    let client = with_account().await;
    for amount in ["12.5", "1e2", "-0.0", "99999999999999999999", r#"{"units": 12.0}"#] {
        let answer = client.book("/v1/accounts/A/credits", "k", amount).await.expect(422);
        let field = if amount.starts_with('{') { "amount.units" } else { "amount" };
        assert_eq!(answer.fields(), [field], "{amount}");
        assert!(answer.json["errors"][0]["found"].as_str().unwrap().contains("float"), "{answer:?}");
    }
    let limits = r#"{"limits": [{"window": "day", "amount_max": 100.0}]}"#;
    assert_eq!(
        client.put("/v1/accounts/A/limits", limits).await.expect(422).fields(),
        ["limits[0].amount_max"]
    );
}

#[tokio::test]
async fn amounts_that_cannot_be_booked_are_refused() {
    let client = with_account().await;
    for amount in [r#""0""#, r#""-1""#, r#""1.0000001""#, r#"{"units": 0}"#, "5", "null", "[]", r#""ten""#] {
        let answer = client.book("/v1/accounts/A/credits", "k", amount).await.expect(422);
        assert_eq!(answer.fields(), ["amount"], "{amount}");
    }
    let most = (i128::MAX).to_string();
    client.book("/v1/accounts/A/credits", "k", &format!(r#"{{"units": "{most}"}}"#)).await.expect(422);
    let more = r#"{"amount": "1", "currency": "USD"}"#;
    let answer = client.send(Method::POST, "/v1/accounts/A/credits", Some("k"), more).await.expect(422);
    assert_eq!(answer.fields(), ["currency"]);
}

#[tokio::test]
async fn a_debit_takes_no_more_than_is_available() {
    let client = with_account().await;
    client.book("/v1/accounts/A/credits", "k1", r#""5.00""#).await.expect(201);
    let answer = client.book("/v1/accounts/A/debits", "k2", r#""5.000001""#).await.expect(422);
    assert_eq!(answer.problem(), "insufficient_funds");
    assert_eq!(
        answer.json["detail"],
        "amount: found 5.000001 USDT; allowed: at most 5.000000 USDT, what is available"
    );
    client.book("/v1/accounts/A/debits", "k3", r#""5.00""#).await.expect(201);
}

#[tokio::test]
async fn account_limits_are_replaced_as_a_whole() {
    let client = with_account().await;
    let limits =
        r#"{"limits": [{"window": "day", "zone": "Europe/Berlin", "amount_max": "100", "count_max": 7}]}"#;
    let answer = client.put("/v1/accounts/A/limits", limits).await.expect(200);
    assert_eq!(
        answer.json["limits"],
        json!([{
            "window": "day",
            "zone": "Europe/Berlin",
            "amount_max": {"units": "100000000", "amount": "100.000000"},
            "count_max": 7,
            "amount_used": {"units": "0", "amount": "0.000000"},
            "count_used": 0,
        }])
    );
    let answer = client.put("/v1/accounts/A/limits", r#"{"limits": []}"#).await.expect(200);
    assert_eq!(answer.json["limits"], json!([]));
    // As many limits as a shard takes is the shard's setting; its refusal names the field too.
    let zones = ["UTC", "Europe/Berlin", "Asia/Tokyo", "America/New_York", "Africa/Cairo"];
    let many: Vec<String> = ["day", "week", "month", "lifetime"]
        .iter()
        .flat_map(|window| {
            zones.map(|zone| format!(r#"{{"window": "{window}", "zone": "{zone}", "count_max": 1}}"#))
        })
        .collect();
    let body = format!(r#"{{"limits": [{}]}}"#, many.join(","));
    assert_eq!(client.put("/v1/accounts/A/limits", &body).await.expect(422).fields(), ["limits"]);
}

#[tokio::test]
async fn what_does_not_exist_is_a_404_that_names_it() {
    let client = Client::new();
    let answer = client.get("/v1/accounts/nobody").await.expect(404);
    assert_eq!(answer.json["detail"], "there is no account \"nobody\"");
    client.book("/v1/accounts/nobody/credits", "k", r#""1""#).await.expect(404);
    client.book("/v1/accounts/nobody/debits", "k", r#""1""#).await.expect(404);
    client.put("/v1/accounts/nobody/limits", r#"{"limits": []}"#).await.expect(404);
}

#[tokio::test]
async fn the_books_add_up_over_all_accounts() {
    let client = with_account().await;
    client.post("/v1/accounts", r#"{"id": "B", "asset": "USDT"}"#).await.expect(201);
    client.book("/v1/accounts/A/credits", "k1", r#""5.00""#).await.expect(201);
    client.book("/v1/accounts/B/credits", "k2", r#""3.00""#).await.expect(201);
    client.book("/v1/accounts/B/debits", "k3", r#""1.00""#).await.expect(201);
    let answer = client.get("/v1/totals").await.expect(200);
    let usdt = &answer.json["totals"][0];
    assert_eq!((&usdt["asset"], &usdt["ledger_units"]), (&json!("USDT"), &json!("7000000")));
    assert_eq!((&usdt["credited_units"], &usdt["debited_units"]), (&json!("8000000"), &json!("1000000")));
}
