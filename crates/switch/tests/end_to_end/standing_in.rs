//! The switch stands in for a balance service that fails, from a balance that was pushed, and tells it afterwards; and
//! rates come from a file and from a feed.

use crate::support::balance_service::Says;
use crate::support::daemon::{Daemon, with_jit_card};
use crate::support::eventually;
use crate::support::processor::usual;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_ask_is_approved_from_the_balance_that_was_pushed_and_advised() {
    let bound = |amount: &str| BTreeMap::from([("USD".to_owned(), amount.to_owned())]);
    let (daemon, service) = with_jit_card(|file| {
        let rules = &mut file.stand_in;
        rules.mode = domain::StandInMode::Automatic;
        rules.first_use = true;
        rules.transaction_max = bound("50.00");
        rules.card_max = bound("90.00");
        rules.account_max = bound("90.00");
        rules.exposure_max = bound("1000.00");
    })
    .await;
    let pushed = json!({"version": 1, "available": "80.00", "counted": []});
    let taken = daemon.api().change("POST", "/v1/accounts/A/balance", pushed.clone()).await;
    assert_eq!((&taken["taken"], &taken["account"]["told"]["version"]), (&json!(true), &json!(1)));
    let again = daemon.api().change("POST", "/v1/accounts/A/balance", pushed).await;
    assert_eq!(again["taken"], json!(false));

    service.says(Says::Status(500));
    service.takes_duties(false);
    let mut processor = daemon.ascii().await;
    assert_eq!(processor.ask(&usual(1, 25_00)).await.code(), "00");
    assert_eq!(processor.ask(&usual(2, 50_01)).await.code(), "91", "more than one transaction may be");
    let stood_in = daemon.api().last_transaction("C").await;
    assert_eq!(stood_in["failures"][1]["reason"], "stand_in_limit");
    assert_eq!(daemon.api().metric("authswitch_stand_in_total{outcome=\"approved\"}").await, 1);
    assert_eq!(daemon.api().metric("authswitch_stand_in_total{outcome=\"stand_in_limit\"}").await, 1);
    let exposed = daemon.api().show("/v1/stand_in").await;
    assert_eq!(
        exposed["programs"][0]["exposures"][0],
        json!({"asset": "USD", "open": "25.00", "max": "1000.00"})
    );

    let order = json!({"mode": "off", "operator": "j.doe", "reason": "a try"});
    daemon.api().change("PUT", "/v1/stand_in/default", order).await;
    let daemon = daemon.restart().await;
    let exposed = daemon.api().show("/v1/stand_in").await;
    assert_eq!(exposed["programs"][0]["mode"], "off", "orders are kept over restarts");
    assert_eq!(exposed["programs"][0]["order"]["operator"], "j.doe");
    assert_eq!(exposed["programs"][0]["exposures"][0]["open"], "25.00", "and so is what is open");
    assert_eq!(daemon.ascii().await.ask(&usual(3, 1_00)).await.code(), "91");
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_come_from_a_file_and_a_newer_one_replaces_an_older() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rates.json");
    let write = |value: &str, second: u8| {
        let rate = json!({"from": "USD", "to": "USDT", "value": value, "as_of": format!("2026-01-01T00:00:0{second}Z"), "id": "q"});
        std::fs::write(&path, json!({ "rates": [rate] }).to_string()).unwrap();
    };
    write("1.0001", 1);
    let daemon = Daemon::start_with(|file| {
        file.rates.file = path.clone();
        file.rates.every = Duration::from_millis(100);
        file.rates.pause_max = Duration::from_millis(200);
    })
    .await;
    let in_force = async |value: &str| daemon.api().show("/v1/rates").await["rates"][0]["value"] == value;
    eventually("the file's rate", || async { in_force("1.0001").await.then_some(()) }).await;
    write("1.0002", 2);
    eventually("a newer rate in its place", || async { in_force("1.0002").await.then_some(()) }).await;
    std::fs::write(&path, r#"{"rates": [{"from": "USD", "to": "USDT", "value": 1.5}]}"#).unwrap();
    let failures = "authswitch_rate_source_failures_total";
    eventually("the refusal of a float", || async {
        (daemon.api().metric(failures).await > 0).then_some(())
    })
    .await;
    assert!(in_force("1.0002").await, "what was in force stays");
}
