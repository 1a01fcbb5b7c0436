//! Snapshots: how they stand, and making one now.

use crate::client::Client;
use control::NoSnapshot;

#[tokio::test]
async fn a_snapshot_is_made_when_asked_for_and_shown_with_the_start_that_read_one() {
    let client = Client::new();
    let before = client.get("/v1/snapshots").await.expect(200).json.clone();
    assert_eq!(before["newest"], serde_json::Value::Null);
    assert_eq!(before["start"]["snapshot"]["generation"], 7);
    assert_eq!(before["start"]["passed_over"][0]["because"], "the slice's checksum does not match");
    let made = client.post("/v1/snapshots", "").await.expect(201).json.clone();
    assert_eq!((&made["newest"]["generation"], &made["newest"]["through"]), (&1.into(), &41.into()));
    assert_eq!(client.get("/v1/snapshots").await.json, made);
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_made_is_a_problem_with_its_reason() {
    let client = Client::new();
    for (refusal, status, kind) in [
        (NoSnapshot::Busy, 503, "overloaded"),
        (NoSnapshot::Stopping, 503, "stopped"),
        (NoSnapshot::Failed("no space is left".into()), 500, "internal"),
    ] {
        client.bench.refuse_snapshot(refusal);
        let answer = client.post("/v1/snapshots", "").await;
        assert_eq!(answer.expect(status).problem(), kind);
    }
}
