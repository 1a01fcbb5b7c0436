//! Cards: issued, looked up, controlled, limited, and led through their life.

use crate::client::{Client, EXPIRY, PAN, card};
use serde_json::json;

#[tokio::test]
async fn an_issued_card_shows_its_last_four_digits_and_no_more() {
    let client = Client::with_card().await;
    let answer = client.get("/v1/cards/C").await.expect(200);
    let open = json!({"allowed": null, "blocked": []});
    assert_eq!(
        answer.json,
        json!({
            "id": "C",
            "last_four": "4242",
            "account": "A",
            "currency": "USD",
            "funding": "pre_funded",
            "status": "active",
            "controls": {"mcc": open, "country": open, "currency": open, "merchant": open},
            "limits": [],
            "open_holds": 0,
        })
    );
}

#[tokio::test]
async fn a_card_is_issued_with_its_status_controls_and_limits() {
    let client = Client::with_card().await;
    let more = r#", "status": "not_yet_active",
        "controls": {"mcc": {"blocked": ["0763", "7995"]}, "country": {"allowed": ["DEU", "FR", 40]},
                     "currency": {"allowed": ["USD"]}, "merchant": {"blocked": ["M-1"]}},
        "limits": [{"window": "transaction", "amount_max": {"units": 5000}}, {"window": "month", "count_max": 3}]"#;
    let answer = client.post("/v1/cards", &card("D", "5555555555554444", more)).await.expect(201);
    assert_eq!(answer.json["status"], "not_yet_active");
    assert_eq!(answer.json["controls"]["mcc"]["blocked"], json!(["0763", "7995"]));
    assert_eq!(answer.json["controls"]["country"]["allowed"], json!(["DE", "FR", "AT"]));
    assert_eq!(answer.json["limits"][0]["amount_max"], json!({"units": "5000", "amount": "50.00"}));
    assert_eq!(answer.json["limits"][1]["count_max"], 3);
    assert_eq!(client.get("/v1/cards/D").await.json, answer.json);
}

#[tokio::test]
async fn every_fault_of_a_card_is_named_and_no_card_data_is_repeated() {
    let client = Client::with_card().await;
    let body = format!(
        r#"{{"id": "{PAN}", "number": "{PAN}", "account": 7, "currency": "usd", "expiry": "{EXPIRY}-01",
            "funding": "both", "status": "open", "colour": "{PAN}", "{PAN}": 1,
            "controls": {{"mcc": {{"allowed": ["{PAN}"]}}}}}}"#
    );
    let answer = client.post("/v1/cards", &body).await.expect(422);
    let mut fields = answer.fields();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "****4242",
            "account",
            "colour",
            "controls.mcc.allowed[0]",
            "currency",
            "expiry",
            "funding",
            "status"
        ]
    );
    for body in [card("D", "4242424242424241", ""), card(PAN, PAN, ""), card("D", &format!("{PAN}0000"), "")]
    {
        client.post("/v1/cards", &body).await.expect(422);
    }
    // A card number where a name is expected does not come back either.
    client.get(&format!("/v1/cards/{PAN}")).await.expect(404);
    client.get("/v1/cards/4242-4242-4242-4242").await.expect(404);
    client.get(&format!("/v1/{PAN}")).await.expect(404);
    client.get(&format!("/v1/transactions/{PAN}")).await.expect(400);
    client.get(&format!("/v1/cards/C/transactions?limit={PAN}")).await.expect(400);
    client.get(&format!("/v1/cards/C/transactions?{PAN}=1")).await.expect(400);
    client.post("/v1/cards", PAN).await.expect(422);
    client.post("/v1/cards", &format!("{{\"number\": {PAN}x")).await.expect(400);
}

#[tokio::test]
async fn a_card_needs_an_account_that_exists() {
    let client = Client::new();
    let answer = client.post("/v1/cards", &card("C", PAN, "")).await.expect(422);
    assert_eq!(answer.fields(), ["account"]);
    assert_eq!(answer.json["detail"], "account: found \"A\"; allowed: an account that exists");
}

#[tokio::test]
async fn a_card_goes_through_its_life_and_stays_closed() {
    let client = Client::with_card().await;
    let steps = [
        ("unfreeze", 200, "active"),
        ("freeze", 200, "frozen"),
        ("freeze", 200, "frozen"),
        ("activate", 409, "frozen"),
        ("unfreeze", 200, "active"),
        ("close", 200, "closed"),
        ("close", 200, "closed"),
        ("freeze", 409, "closed"),
        ("unfreeze", 409, "closed"),
        ("activate", 409, "closed"),
    ];
    for (step, status, after) in steps {
        let answer = client.post(&format!("/v1/cards/C/{step}"), "").await.expect(status);
        if status == 409 {
            assert_eq!(answer.problem(), "status_conflict", "{step}");
        }
        assert_eq!(client.get("/v1/cards/C").await.json["status"], after, "{step}");
    }
    client.put("/v1/cards/C/status", r#"{"status": "active"}"#).await.expect(409);
}

#[tokio::test]
async fn unfreezing_never_activates_a_card_that_was_not_yet_activated() {
    let client = Client::with_card().await;
    client.put("/v1/cards/C/status", r#"{"status": "not_yet_active"}"#).await.expect(200);
    let answer = client.post("/v1/cards/C/unfreeze", "").await.expect(409);
    assert_eq!(
        answer.json["detail"],
        "status: found not_yet_active; allowed: frozen or active, to become active"
    );
    client.post("/v1/cards/C/freeze", "").await.expect(409);
    client.post("/v1/cards/C/activate", "").await.expect(200);
}

#[tokio::test]
async fn controls_and_limits_are_replaced_as_a_whole() {
    let client = Client::with_card().await;
    let controls = r#"{"controls": {"country": {"blocked": ["RU"]}}}"#;
    let answer = client.put("/v1/cards/C/controls", controls).await.expect(200);
    assert_eq!(answer.json["controls"]["country"]["blocked"], json!(["RU"]));
    let answer = client.put("/v1/cards/C/controls", r#"{"controls": {}}"#).await.expect(200);
    assert_eq!(answer.json["controls"]["country"]["blocked"], json!([]));

    let limits = r#"{"limits": [{"window": "week", "amount_max": "20.00"}]}"#;
    let answer = client.put("/v1/cards/C/limits", limits).await.expect(200);
    assert_eq!(answer.json["limits"][0]["amount_max"]["units"], "2000");
    let tenth = r#"{"limits": [{"window": "week", "amount_max": "20.005"}]}"#;
    assert_eq!(client.put("/v1/cards/C/limits", tenth).await.expect(422).fields(), ["limits[0].amount_max"]);
}

#[tokio::test]
async fn wrong_bodies_name_the_field_that_is_needed() {
    let client = Client::with_card().await;
    for (path, body, field) in [
        ("/v1/cards/C/status", "{}", "status"),
        ("/v1/cards/C/status", r#"{"status": "melted"}"#, "status"),
        ("/v1/cards/C/status", "[]", "body"),
        ("/v1/cards/C/controls", r#"{"controls": []}"#, "controls"),
        ("/v1/cards/C/controls", r#"{"controls": {"mcc": {"only": []}}}"#, "controls.mcc.only"),
        ("/v1/cards/C/limits", r#"{"limits": {}}"#, "limits"),
    ] {
        assert_eq!(client.put(path, body).await.expect(422).fields(), [field], "{body}");
    }
}

#[tokio::test]
async fn a_card_that_does_not_exist_is_a_404_everywhere() {
    let client = Client::with_card().await;
    client.get("/v1/cards/X").await.expect(404);
    client.get("/v1/cards/X/transactions").await.expect(404);
    for step in ["activate", "freeze", "unfreeze", "close"] {
        client.post(&format!("/v1/cards/X/{step}"), "").await.expect(404);
    }
    for (path, body) in [
        ("status", r#"{"status": "frozen"}"#),
        ("controls", r#"{"controls": {}}"#),
        ("limits", r#"{"limits": []}"#),
    ] {
        client.put(&format!("/v1/cards/X/{path}"), body).await.expect(404);
    }
}
