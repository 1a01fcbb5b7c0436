//! Transactions: what a card did, and why a payment was declined, in words.

use crate::client::{Client, PAN};
use authorizer::{Caller, Command};
use control::Switchboard;
use domain::*;
use serde_json::json;

/// A purchase in dollars, decided by the card's shard.
fn pay(client: &Client, stan: u64, minor: i64) {
    send(client, stan, minor, MessageClass::AuthorizationRequest, domain::Details::default());
}

fn send(client: &Client, stan: u64, minor: i64, class: MessageClass, details: Details) {
    let place = client.bench.place_of("C");
    let request = Authorization {
        class,
        card: client.bench.token(&Pan::from_digits(PAN.as_bytes()).unwrap()),
        processing_code: ProcessingCode(0),
        amount: Money::new(minor, Currency::from_alpha("USD").unwrap()),
        billing: None,
        transmission: Transmission::new(1_120_120_000).unwrap(),
        stan: Stan::new(stan).unwrap(),
        acquirer: AcquirerId::new(123_456).unwrap(),
        rrn: Some(Rrn::new("000000000001").unwrap()),
        entry_mode: None,
        merchant: Merchant { mcc: Some(Mcc(742)), ..Merchant::default() },
        partial: PartialApproval::NotSupported,
        details,
        expiry: None,
        deadline: Mono::MAX,
    };
    client.bench.execute(place.shard, Command::Authorize { card: place.number, request, caller: Caller(1) });
}

async fn with_money_and_limits() -> Client {
    let client = Client::with_card().await;
    client.book("/v1/accounts/A/credits", "k", r#""100""#).await.expect(201);
    let rate = r#"{"from": "USD", "to": "USDT", "value": "1", "source": "desk", "max_age": "60s"}"#;
    client.put("/v1/rates", rate).await.expect(200);
    let limits =
        r#"{"limits": [{"window": "day", "amount_max": "50.00"}, {"window": "month", "count_max": 1}]}"#;
    client.put("/v1/cards/C/limits", limits).await.expect(200);
    client
}

#[tokio::test]
async fn a_declined_payment_names_every_rule_that_said_no_in_words() {
    let client = with_money_and_limits().await;
    pay(&client, 1, 4_800);
    pay(&client, 2, 500);
    let list = client.get("/v1/cards/C/transactions").await.expect(200);
    let declined = &list.json["transactions"][0];
    let id = declined["id"].as_str().unwrap();
    let answer = client.get(&format!("/v1/transactions/{id}")).await.expect(200);
    assert_eq!(answer.json, *declined);
    assert_eq!((&answer.json["state"], &answer.json["reason"]), (&json!("declined"), &json!("amount_limit")));
    assert_eq!((&answer.json["card"], &answer.json["account"]), (&json!("C"), &json!("A")));
    assert_eq!(answer.json["amount"], json!({"currency": "USD", "units": "500", "amount": "5.00"}));
    let words = "The card may spend 50.00 USD per day; 48.00 USD was spent before, 2.00 USD was left, 5.00 USD was asked.";
    assert_eq!(answer.json["explanation"], format!("Declined. {words}"));
    let usd = |units: &str, amount: &str| json!({"units": units, "amount": amount});
    assert_eq!(
        answer.json["failures"],
        json!([
            {
                "reason": "amount_limit",
                "explanation": words,
                "limit": {
                    "owner": "card", "window": "day", "seconds": null, "measure": "amount",
                    "max": usd("5000", "50.00"), "used": usd("4800", "48.00"),
                    "left": usd("200", "2.00"), "asked": usd("500", "5.00"),
                },
                "rule": null,
            },
            {
                "reason": "count_limit",
                "explanation": "The card may make 1 payment per month; 1 was made before this one.",
                "limit": {
                    "owner": "card", "window": "month", "seconds": null, "measure": "count",
                    "max": 1, "used": 1, "left": 0, "asked": 1,
                },
                "rule": null,
            },
        ])
    );
}

#[tokio::test]
async fn an_approved_payment_shows_its_hold_and_rate() {
    let client = with_money_and_limits().await;
    pay(&client, 1, 4_800);
    let list = client.get("/v1/cards/C/transactions?limit=1").await.expect(200);
    let approved = &list.json["transactions"][0];
    assert_eq!(approved["state"], "approved");
    assert_eq!(approved["explanation"], "Approved; the money is held.");
    assert_eq!(
        approved["held"],
        json!({
            "card": {"currency": "USD", "units": "4800", "amount": "48.00"},
            "account": {"asset": "USDT", "units": "48000000", "amount": "48.000000"},
        })
    );
    assert_eq!(approved["at"], "2026-11-20T12:00:00Z");
    assert_eq!(approved["expires_at"], "2026-11-27T12:00:00Z");
    assert_eq!((&approved["rate"]["value"], &approved["rate"]["source"]), (&json!("1"), &json!("desk")));
    assert_eq!((&approved["mcc"], &approved["stan"]), (&json!("0742"), &json!("000001")));
    assert_eq!(approved["approval_code"].as_str().unwrap().len(), 6);
    let account = client.get("/v1/accounts/A").await;
    assert_eq!(account.json["balance"]["available"]["amount"], "52.000000");
}

#[tokio::test]
async fn a_history_comes_newest_first_and_in_pages() {
    let client = with_money_and_limits().await;
    for stan in 1..=25 {
        pay(&client, stan, 100);
    }
    let stans = |json: &serde_json::Value| -> Vec<String> {
        let list = json["transactions"].as_array().unwrap();
        list.iter().map(|one| one["stan"].as_str().unwrap().to_owned()).collect()
    };
    let answer = client.get("/v1/cards/C/transactions?limit=2").await.expect(200);
    assert_eq!(stans(&answer.json), ["000025", "000024"]);
    assert_eq!(stans(&client.get("/v1/cards/C/transactions").await.json).len(), 20);
    for query in ["limit=0", "limit=201", "limit=x", "limit=", "limit=1&limit=2", "offset=3", "limit=1.5"] {
        let answer = client.get(&format!("/v1/cards/C/transactions?{query}")).await.expect(400);
        assert_eq!(answer.problem(), "invalid_address", "{query}");
    }
}

#[tokio::test]
async fn an_operator_ends_a_hold_early_and_once() {
    let client = with_money_and_limits().await;
    pay(&client, 1, 4_800);
    let list = client.get("/v1/cards/C/transactions").await.expect(200);
    let path = format!("/v1/transactions/{}/expire", list.json["transactions"][0]["id"].as_str().unwrap());
    for _ in 0..2 {
        let answer = client.post(&path, "").await.expect(200);
        assert_eq!((&answer.json["state"], &answer.json["held"]), (&json!("expired"), &json!(null)));
        let account = client.get("/v1/accounts/A").await;
        assert_eq!(account.json["balance"]["available"]["amount"], "100.000000");
    }
    pay(&client, 2, 4_900);
    pay(&client, 3, 4_900);
    let list = client.get("/v1/cards/C/transactions").await.expect(200);
    let declined = list.json["transactions"][0]["id"].as_str().unwrap();
    let answer = client.post(&format!("/v1/transactions/{declined}/expire"), "").await.expect(409);
    assert_eq!(answer.problem(), "status_conflict");
    client.post("/v1/transactions/tx-017-0006423a9f2c1b40/expire", "").await.expect(404);
}

#[tokio::test]
async fn what_followed_a_payment_is_listed_newest_first() {
    let client = with_money_and_limits().await;
    pay(&client, 1, 4_800);
    let list = client.get("/v1/cards/C/transactions").await.expect(200);
    let id = list.json["transactions"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/transactions/{id}/follow_ups");
    assert_eq!(client.get(&path).await.expect(200).json["transactions"], json!([]));
    let original = OriginalReferences {
        stan: Some(Stan::new(1).unwrap()),
        transmission: Some(Transmission::new(1_120_120_000).unwrap()),
        ..OriginalReferences::default()
    };
    for (stan, part) in [(2, 1), (3, 2)] {
        let clearing = ClearingData { sequence: part, of: 3, ..ClearingData::default() };
        let details = Details { original: Some(original), clearing: Some(clearing), ..Details::default() };
        send(&client, stan, 1_000, MessageClass::Clearing, details);
    }
    let followed = client.get(&path).await.expect(200);
    let followed = followed.json["transactions"].as_array().unwrap();
    let stans: Vec<_> = followed.iter().map(|one| one["stan"].as_str().unwrap()).collect();
    assert_eq!(stans, ["000003", "000002"]);
    assert!(followed.iter().all(|one| one["belongs_to"] == id.as_str()));
    let payment = client.get(&format!("/v1/transactions/{id}")).await.expect(200);
    assert_eq!(payment.json["paid"]["card"]["amount"], "20.00");
    client.get("/v1/transactions/tx-017-0006423a9f2c1b40/follow_ups").await.expect(404);
}

#[tokio::test]
async fn an_unknown_transaction_is_told_from_a_name_that_cannot_be_one() {
    let client = Client::with_card().await;
    let answer = client.get("/v1/transactions/tx-017-0006423a9f2c1b40").await.expect(404);
    assert_eq!(answer.json["detail"], "there is no transaction among those kept \"tx-017-0006423a9f2c1b40\"");
    for bad in ["tx-256-0006423a9f2c1b40", "42", "%FF"] {
        assert_eq!(
            client.get(&format!("/v1/transactions/{bad}")).await.expect(400).fields(),
            ["id in the path"]
        );
    }
}
