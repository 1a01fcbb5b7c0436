//! Rates: put in force, listed, judged by their age.

use crate::client::Client;
use serde_json::json;

fn body(value: &str, more: &str) -> String {
    format!(r#"{{"from": "USD", "to": "USDT", "value": {value}, "source": "desk", "max_age": "60s"{more}}}"#)
}

#[tokio::test]
async fn a_rate_in_force_is_listed_with_its_source_and_age() {
    let client = Client::new();
    assert_eq!(client.get("/v1/rates").await.expect(200).json, json!({"rates": []}));
    client.put("/v1/rates", &body(r#""1.0001""#, "")).await.expect(200);
    let more = r#", "as_of": "2026-11-20T11:59:30Z", "id": "q-7""#;
    let set = client.put("/v1/rates", &body(r#""1.0002""#, more)).await.expect(200);
    let rate = json!({
        "from": "USD",
        "to": "USDT",
        "value": "1.0002",
        "source": "desk",
        "as_of": "2026-11-20T11:59:30Z",
        "bid": null,
        "max_age": "60000ms",
        "id": "q-7",
        "fresh": true,
    });
    assert_eq!(set.json, rate);
    assert_eq!(client.get("/v1/rates").await.json, json!({"rates": [rate]}), "the newer replaced the older");
}

#[tokio::test]
async fn a_rate_that_is_too_old_is_shown_as_such() {
    let client = Client::new();
    let more = r#", "as_of": "2026-11-20T11:58:59Z""#;
    assert_eq!(client.put("/v1/rates", &body(r#""1.0""#, more)).await.expect(200).json["fresh"], false);
}

#[tokio::test]
async fn a_rate_that_cannot_be_right_is_refused() {
    let client = Client::new();
    for (value, more, field) in [
        ("1.0002", "", "value"),
        (r#""0""#, "", "value"),
        (r#""1""#, r#", "as_of": "2026-11-20T12:01:01Z""#, "as_of"),
        (r#""1""#, r#", "spread": "0.1""#, "spread"),
    ] {
        assert_eq!(client.put("/v1/rates", &body(value, more)).await.expect(422).fields(), [field]);
    }
    assert_eq!(client.get("/v1/rates").await.json, json!({"rates": []}));
}
