//! Creating and changing at the same time, again, otherwise, and when the switch does not answer.

use crate::client::{Client, OTHER_PAN, PAN, card};
use control::Unavailable;
use tokio::task::yield_now;

const ACCOUNT: &str = r#"{"id": "A", "asset": "USDT", "limits": [{"window": "day", "amount_max": "100"}]}"#;

#[tokio::test]
async fn creating_the_same_again_answers_with_what_exists() {
    let client = Client::new();
    let first = client.post("/v1/accounts", ACCOUNT).await.expect(201);
    assert_eq!(client.post("/v1/accounts", ACCOUNT).await.expect(200).json, first.json);
    let limits = r#", "limits": [{"window": "day", "amount_max": "5.00"}]"#;
    let first = client.post("/v1/cards", &card("C", PAN, limits)).await.expect(201);
    assert_eq!(client.post("/v1/cards", &card("C", PAN, limits)).await.expect(200).json, first.json);
    // What the request does not speak of may have changed meanwhile.
    client.post("/v1/cards/C/freeze", "").await.expect(200);
    assert_eq!(client.post("/v1/cards", &card("C", PAN, "")).await.expect(200).json["status"], "frozen");
}

#[tokio::test]
async fn creating_it_otherwise_names_what_differs() {
    let client = Client::new();
    client.post("/v1/accounts", ACCOUNT).await.expect(201);
    client.post("/v1/accounts", r#"{"id": "B", "asset": "EUR"}"#).await.expect(201);
    let answer =
        client.post("/v1/accounts", r#"{"id": "A", "asset": "EUR", "limits": []}"#).await.expect(409);
    assert_eq!(answer.problem(), "exists_with_other_content");
    assert_eq!(answer.fields(), ["asset", "limits"]);

    client.post("/v1/cards", &card("C", PAN, "")).await.expect(201);
    let same = card("C", PAN, "");
    for (from, to, field) in [
        (PAN, OTHER_PAN, "number"),
        (r#""A""#, r#""B""#, "account"),
        ("USD", "EUR", "currency"),
        ("2029-12", "2030-01", "expiry"),
        ("pre_funded", "jit", "funding"),
        (r#"funded""#, r#"funded", "status": "frozen""#, "status"),
        (r#"funded""#, r#"funded", "controls": {"mcc": {"allowed": []}}"#, "controls"),
        (r#"funded""#, r#"funded", "limits": [{"window": "day", "count_max": 1}]"#, "limits"),
    ] {
        let answer = client.post("/v1/cards", &same.replace(from, to)).await.expect(409);
        assert_eq!(answer.fields(), [field]);
    }
}

#[tokio::test]
async fn a_card_number_is_issued_once() {
    let client = Client::with_card().await;
    let answer = client.post("/v1/cards", &card("D", PAN, "")).await.expect(409);
    assert_eq!(answer.problem(), "card_number_taken");
    client.get("/v1/cards/D").await.expect(404);
    client.post("/v1/cards", &card("D", OTHER_PAN, "")).await.expect(201);
}

/// Starts a request and lets it run until its change stands at the closed door.
async fn start(client: &Client, path: &'static str, body: String) -> tokio::task::JoinHandle<u16> {
    let before = client.bench.changes_so_far();
    let task = tokio::spawn({
        let client = client.clone();
        async move { client.post(path, &body).await.status.as_u16() }
    });
    client.bench.until_at_the_door(before + 1).await;
    task
}

#[tokio::test]
async fn of_two_racing_issues_of_a_number_one_wins() {
    let client = Client::with_card().await;
    client.bench.shut_the_door();
    let first = start(&client, "/v1/cards", card("D", OTHER_PAN, "")).await;
    assert_eq!(
        client.post("/v1/cards", &card("E", OTHER_PAN, "")).await.expect(409).problem(),
        "card_number_taken"
    );
    assert_eq!(
        client.post("/v1/cards", &card("D", OTHER_PAN, "")).await.expect(409).problem(),
        "being_created"
    );
    client.bench.open_the_door();
    assert_eq!(first.await.unwrap(), 201);
    client.post("/v1/cards", &card("D", OTHER_PAN, "")).await.expect(200);
}

#[tokio::test]
async fn a_client_that_hangs_up_stops_nothing_half_way() {
    let client = Client::new();
    client.bench.shut_the_door();
    let request = start(&client, "/v1/accounts", ACCOUNT.to_owned()).await;
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    client.bench.open_the_door();
    client.bench.until_at_the_door(1).await;
    let answer = client.post("/v1/accounts", ACCOUNT).await.expect(200);
    assert_eq!(answer.json["limits"][0]["amount_max"]["amount"], "100.000000");
}

#[tokio::test]
async fn a_name_is_free_again_when_nothing_was_created() {
    for unavailable in [Unavailable::Overloaded, Unavailable::Stopped] {
        let client = Client::with_card().await;
        *client.bench.next_change.lock().unwrap() = Some(unavailable);
        let answer = client.post("/v1/cards", &card("D", OTHER_PAN, "")).await.expect(503);
        assert_eq!(answer.headers["retry-after"], "1");
        client.post("/v1/cards", &card("D", OTHER_PAN, "")).await.expect(201);
        *client.bench.next_change.lock().unwrap() = Some(unavailable);
        client.post("/v1/accounts", r#"{"id": "B", "asset": "EUR"}"#).await.expect(503);
        client.post("/v1/accounts", r#"{"id": "B", "asset": "EUR"}"#).await.expect(201);
    }
}

#[tokio::test]
async fn a_name_stays_taken_when_the_outcome_is_unknown() {
    let client = Client::with_card().await;
    *client.bench.next_change.lock().unwrap() = Some(Unavailable::OutcomeUnknown);
    let answer = client.post("/v1/cards", &card("D", OTHER_PAN, "")).await.expect(503);
    assert_eq!(answer.problem(), "outcome_unknown");
    assert_eq!(
        client.post("/v1/cards", &card("D", OTHER_PAN, "")).await.expect(409).problem(),
        "being_created"
    );
    assert_eq!(
        client.post("/v1/cards", &card("E", OTHER_PAN, "")).await.expect(409).problem(),
        "card_number_taken"
    );
    *client.bench.next_change.lock().unwrap() = Some(Unavailable::OutcomeUnknown);
    client.post("/v1/accounts", r#"{"id": "B", "asset": "EUR"}"#).await.expect(503);
    client.post("/v1/accounts", r#"{"id": "B", "asset": "EUR"}"#).await.expect(409);
}

#[tokio::test]
async fn nobody_sets_a_status_between_anothers_look_and_change() {
    let client = Client::with_card().await;
    client.put("/v1/cards/C/status", r#"{"status": "not_yet_active"}"#).await.expect(200);
    client.bench.shut_the_door();
    let activation = start(&client, "/v1/cards/C/activate", String::new()).await;
    let before = client.bench.changes_so_far();
    let freeze = tokio::spawn({
        let client = client.clone();
        async move { client.post("/v1/cards/C/freeze", "").await.status.as_u16() }
    });
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!(client.bench.changes_so_far(), before, "the freeze waits for its turn");
    client.bench.open_the_door();
    assert_eq!((activation.await.unwrap(), freeze.await.unwrap()), (200, 200));
    assert_eq!(client.get("/v1/cards/C").await.json["status"], "frozen");
}
