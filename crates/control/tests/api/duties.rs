//! What the balance service is owed: seen page by page, and sent again at an operator's word.

use crate::client::Client;
use control::{DutyStanding, OwedDuty};
use domain::*;
use std::time::Duration;

fn owed(number: u64, standing: DutyStanding) -> OwedDuty {
    OwedDuty {
        shard: ShardId(17),
        duty: Duty {
            number: TransactionNo(number),
            transaction: TransactionNo(1_763_663_520_123_456),
            account: AccountId::new("acct_1").unwrap(),
            kind: DutyKind::Cancel(CancelCause::OutcomeUnknown),
            units: Units(12_500_000),
            asset: Asset::new(AssetCode::new("USDT").unwrap(), 6).unwrap(),
            sequence: 1,
            account_sequence: 1,
        },
        failures: 3,
        last_failure: Some(FundingFailure::HttpError),
        standing,
    }
}

#[tokio::test]
async fn duties_are_listed_in_pages_with_what_is_owed_since_when_and_why() {
    let client = Client::new();
    *client.bench.duties.lock().unwrap() = vec![
        owed(1_763_663_521_000_000, DutyStanding::Waiting(Duration::from_millis(1_500))),
        owed(1_763_663_522_000_000, DutyStanding::Behind),
    ];
    let first = client.get("/v1/duties?limit=1").await.expect(200).json;
    assert_eq!(first["pending"], 2);
    let duty = &first["duties"][0];
    assert_eq!(duty["amount"], "12.500000");
    assert_eq!((&duty["kind"], &duty["last_failure"]), (&"cancel".into(), &"http_error".into()));
    assert_eq!((&duty["standing"], &duty["next_attempt_in_ms"]), (&"waiting".into(), &1_500.into()));
    assert_eq!(duty["owed_since"], "2025-11-20T18:32:01Z");
    let next = format!("/v1/duties?after={}", first["next"].as_str().unwrap());
    let rest = client.get(&next).await.expect(200).json;
    assert_eq!((&rest["duties"][0]["standing"], &rest["next"]), (&"behind".into(), &serde_json::Value::Null));
}

#[tokio::test]
async fn a_duty_is_sent_again_at_an_operators_word() {
    let client = Client::new();
    *client.bench.duties.lock().unwrap() = vec![owed(0x10, DutyStanding::UnderWay)];
    let answer = client.post("/v1/duties/duty-017-0000000000000010/retry", "").await.expect(200);
    assert_eq!(answer.json["standing"], "under_way");
    let other = client.post("/v1/duties/duty-017-0000000000000011/retry", "").await.expect(404);
    assert_eq!(other.problem(), "not_found");
    for path in ["/v1/duties/duty-17-10/retry", "/v1/duties/tx-017-0000000000000010/retry"] {
        assert_eq!(client.post(path, "").await.expect(400).problem(), "invalid_address", "{path}");
    }
    for path in ["/v1/duties?limit=0", "/v1/duties?after=x", "/v1/duties?page=2"] {
        assert_eq!(client.get(path).await.expect(400).problem(), "invalid_address", "{path}");
    }
}
