//! Cards whose money is asked for while the processor waits: yes, no, a part, silence, and rates.

use crate::support::PAN;
use crate::support::balance_service::Says;
use crate::support::daemon::{Daemon, with_jit_card, with_jit_card_in};
use crate::support::eventually;
use crate::support::message::{DIALECTS, Dialect};
use crate::support::processor::{reversal, usual};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use switch::{ConfigFile, PartialApprovalSection};

fn answer_within(file: &mut ConfigFile, within: Duration) {
    for link in &mut file.link {
        link.answer_within = within;
    }
}

/// A rate from US dollars to USDT.
async fn set_rate(daemon: &Daemon, value: &str, max_age: &str) {
    let rate = json!({ "from": "USD", "to": "USDT", "value": value, "source": "desk", "max_age": max_age, "id": "q-1" });
    daemon.api().change("PUT", "/v1/rates", rate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_is_approved_with_the_balance_services_money() {
    for dialect in DIALECTS {
        let (daemon, service) = with_jit_card(|_| {}).await;
        let mut processor = daemon.processor(dialect).await;
        let request = usual(1, 12_34);
        let first = processor.ask_body(&request).await;
        let answer = crate::support::message::Message::decode(dialect, &first);
        assert_eq!((answer.code(), answer.get(38).len()), ("00", 6));
        assert_eq!(daemon.api().balance("A").await, ["12.34", "12.34", "0.00"]);

        let [ask] = service.asks().try_into().unwrap();
        assert_eq!(
            (&ask["account"], &ask["units"], &ask["asset"]),
            (&json!("A"), &json!("1234"), &json!("USD"))
        );
        assert_eq!(ask["card"], json!({ "id": "C", "last_four": "4242" }));
        assert_eq!(ask["references"]["stan"], "000001");
        assert_eq!(processor.ask_body(&request.mti("0101")).await, first);
        assert_eq!(service.asks().len(), 1, "a repeat is not asked for again");
        let asked = "authswitch_funding_asks_total{outcome=\"approved\"}";
        assert_eq!(daemon.api().metric(asked).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_that_the_balance_service_declines_is_51_and_leaves_nothing_behind() {
    let (daemon, service) = with_jit_card(|_| {}).await;
    service.says(Says::Decline);
    let answer = daemon.ascii().await.ask(&usual(1, 12_34)).await;
    assert_eq!((answer.code(), answer.has(38)), ("51", false));
    assert_eq!(daemon.api().balance("A").await, ["0.00", "0.00", "0.00"]);
    assert_eq!(daemon.api().last_transaction("C").await["reason"], "funding_declined");
    assert!(service.cancels().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_approved_only_where_the_terminal_can_take_one() {
    let partial = PartialApprovalSection { element: 60, position: 10, value: "1".into() };
    for dialect in DIALECTS {
        let (daemon, service) = with_jit_card(|file| {
            for link in &mut file.link {
                link.partial_approval = Some(partial.clone());
            }
        })
        .await;
        service.says(Says::Part(5_00));
        let mut processor = daemon.processor(dialect).await;
        let able = usual(1, 12_34).with(60, "0000000001");
        let answer = processor.ask(&able).await;
        assert_eq!((answer.code(), answer.get(4), answer.get(38).len()), ("10", "000000000500", 6));
        assert_eq!(processor.ask(&able.clone().mti("0101")).await, answer);
        assert_eq!(daemon.api().balance("A").await, ["5.00", "5.00", "0.00"]);
        assert_eq!(service.asks()[0]["partial_ok"], true);

        let unable = usual(2, 12_34).with(60, "0000000000");
        let answer = processor.ask(&unable).await;
        assert_eq!((answer.code(), answer.get(4)), ("91", "000000001234"), "an answer that was not allowed");
        assert_eq!(service.asks()[1]["partial_ok"], false);
        service.cancel_of(&service.asks()[1]["ask_id"]).await;
        assert_eq!(daemon.api().balance("A").await, ["5.00", "5.00", "0.00"]);

        // The merchant may have no use for a part.
        assert_eq!(processor.ask(&reversal(&able, 3)).await.code(), "00");
        assert_eq!(service.cancel_of(&service.asks()[0]["ask_id"]).await["units"], "500");
        assert_eq!(daemon.api().balance("A").await, ["0.00", "0.00", "0.00"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_answer_means_91_before_the_deadline_and_a_cancel() {
    let within = Duration::from_millis(600);
    let (daemon, service) = with_jit_card(|file| {
        answer_within(file, within);
        // More than anybody would keep back, so that a busy machine does not fail the test.
        file.funding.write_margin = Duration::from_millis(200);
    })
    .await;
    service.says(Says::Nothing);
    let mut processor = daemon.ascii().await;
    let begin = Instant::now();
    let answer = processor.ask(&usual(1, 12_34)).await;
    let took = begin.elapsed();
    assert_eq!(answer.code(), "91");
    assert!(took < within, "answered after {took:?}, {within:?} are allowed");
    assert!(took > within / 2, "given up after {took:?} already");
    let [ask] = service.asks().try_into().unwrap();
    let cancel = service.cancel_of(&ask["ask_id"]).await;
    assert_eq!((&cancel["cause"], &cancel["units"]), (&json!("outcome_unknown"), &json!("1234")));
    assert_eq!(daemon.api().balance("A").await, ["0.00", "0.00", "0.00"]);
    assert_eq!(daemon.api().metric("authswitch_late_answers_total").await, 0);
    let done = || async { (daemon.api().metric("authswitch_duties_done_total").await == 1).then_some(()) };
    eventually("the cancel's acknowledgement", done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_late_changes_nothing_and_is_counted() {
    let within = Duration::from_millis(300);
    let (daemon, service) = with_jit_card(|file| answer_within(file, within)).await;
    service.says(Says::Late(within + Duration::from_millis(50)));
    let mut processor = daemon.ascii().await;
    let first = processor.ask_body(&usual(1, 12_34)).await;
    let late =
        || async { (daemon.api().metric("authswitch_funding_late_answers_total").await == 1).then_some(()) };
    eventually("the late answer", late).await;
    assert_eq!(processor.ask_body(&usual(1, 12_34)).await, first, "an answer, once given, never changes");
    assert_eq!(daemon.api().balance("A").await, ["0.00", "0.00", "0.00"]);
    service.cancel_of(&service.asks()[0]["ask_id"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_or_broken_means_91_at_once() {
    let daemon = Daemon::start().await;
    daemon.api().open_account("A", "USD").await;
    daemon.api().issue("C", PAN, "A", "jit", json!({})).await;
    let begin = Instant::now();
    assert_eq!(daemon.ascii().await.ask(&usual(1, 1_00)).await.code(), "91");
    let (took, allowed) = (begin.elapsed(), daemon.file.link[0].answer_within);
    assert!(took < allowed / 2, "answered after {took:?}");
    assert_eq!(daemon.api().last_transaction("C").await["reason"], "funding_unavailable");

    let (daemon, service) = with_jit_card(|_| {}).await;
    service.says(Says::Status(503));
    assert_eq!(daemon.ascii().await.ask(&usual(1, 1_00)).await.code(), "91");
    service.cancel_of(&service.asks()[0]["ask_id"]).await;
    assert_eq!(daemon.api().balance("A").await, ["0.00", "0.00", "0.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_is_sent_until_it_is_acknowledged() {
    let (daemon, service) = with_jit_card(|_| {}).await;
    service.says(Says::Status(500));
    service.takes_duties(false);
    assert_eq!(daemon.ascii().await.ask(&usual(1, 1_00)).await.code(), "91");
    eventually("a second attempt", || async { (service.cancels().len() >= 2).then_some(()) }).await;
    assert_eq!(daemon.api().metric("authswitch_duties_pending").await, 1);
    service.takes_duties(true);
    let done = || async { (daemon.api().metric("authswitch_duties_done_total").await == 1).then_some(()) };
    eventually("the acknowledgement", done).await;
    let ids: Vec<Value> = service.cancels().iter().map(|cancel| cancel["cancel_id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_gives_the_money_back_to_the_balance_service() {
    let (daemon, service) = with_jit_card(|_| {}).await;
    let mut processor = daemon.ascii().await;
    let request = usual(1, 12_34);
    assert_eq!(processor.ask(&request).await.code(), "00");
    assert_eq!(processor.ask(&reversal(&request, 2)).await.code(), "00");
    let cancel = service.cancel_of(&service.asks()[0]["ask_id"]).await;
    assert_eq!((&cancel["cause"], &cancel["units"]), (&json!("reversed"), &json!("1234")));
    assert_eq!(daemon.api().balance("A").await, ["0.00", "0.00", "0.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_while_the_service_is_asked_ends_the_request() {
    let (daemon, service) = with_jit_card(|_| {}).await;
    service.says(Says::Nothing);
    let mut processor = daemon.ascii().await;
    let request = usual(1, 12_34);
    processor.send(&request).await;
    eventually("the ask", || async { (!service.asks().is_empty()).then_some(()) }).await;
    processor.send(&reversal(&request, 2)).await;
    let mut answers = [processor.receive().await, processor.receive().await];
    answers.sort_by_key(|answer| answer.mti.clone());
    let [purchase, reversed] = answers;
    assert_eq!((purchase.mti.as_str(), purchase.code()), ("0110", "05"));
    assert_eq!((reversed.mti.as_str(), reversed.code()), ("0410", "00"));
    assert_eq!(service.cancel_of(&service.asks()[0]["ask_id"]).await["cause"], "reversed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_frozen_while_the_service_is_asked_is_declined() {
    let (daemon, service) = with_jit_card(|_| {}).await;
    service.says(Says::Late(Duration::from_millis(200)));
    let mut processor = daemon.ascii().await;
    processor.send(&usual(1, 12_34)).await;
    eventually("the ask", || async { (!service.asks().is_empty()).then_some(()) }).await;
    daemon.api().change("POST", "/v1/cards/C/freeze", Value::Null).await;
    assert_eq!(processor.receive().await.code(), "62");
    assert_eq!(service.cancel_of(&service.asks()[0]["ask_id"]).await["cause"], "unused");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advice_is_told_to_the_balance_service() {
    let (daemon, service) = with_jit_card(|_| {}).await;
    assert_eq!(daemon.ascii().await.ask(&usual(1, 12_34).mti("0120")).await.code(), "00");
    let advice = eventually("the advice", || async { service.advices().first().cloned() }).await;
    assert_eq!((&advice["account"], &advice["units"]), (&json!("A"), &json!("1234")));
    assert!(service.asks().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dollar_card_on_a_token_account_is_converted_at_the_rate_and_rounded_up() {
    let (daemon, service) = with_jit_card_in("USDT", |_| {}).await;
    set_rate(&daemon, "0.99990001", "60s").await;
    let mut processor = daemon.ascii().await;
    assert_eq!(processor.ask(&usual(1, 12_34)).await.code(), "00");
    let [ask] = service.asks().try_into().unwrap();
    // 12.34 * 0.99990001 is 12.3387661234, and a debit is rounded up at the sixth decimal.
    assert_eq!((&ask["units"], &ask["asset"]), (&json!("12338767"), &json!("USDT")));
    assert_eq!(ask["rate"]["id"], "q-1");
    assert_eq!(daemon.api().balance("A").await, ["12.338767", "12.338767", "0.000000"]);
    assert_eq!(daemon.api().last_transaction("C").await["rate"]["value"], "0.99990001");
    set_rate(&daemon, "2", "60s").await;
    assert_eq!(processor.ask(&reversal(&usual(1, 12_34), 2)).await.code(), "00");
    let cancel = service.cancel_of(&ask["ask_id"]).await;
    assert_eq!(cancel["units"], "12338767", "what was taken, at the rate of then");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_stale_rate_is_91_and_the_service_is_not_asked() {
    let (daemon, service) = with_jit_card_in("USDT", |_| {}).await;
    let mut processor = daemon.processor(Dialect::Binary).await;
    assert_eq!(processor.ask(&usual(1, 12_34)).await.code(), "91");
    set_rate(&daemon, "1.0001", "1ms").await;
    let stale = || async {
        let rates = daemon.api().show("/v1/rates").await;
        (rates["rates"][0]["fresh"] == false).then_some(())
    };
    eventually("the rate to grow stale", stale).await;
    assert_eq!(processor.ask(&usual(2, 12_34)).await.code(), "91");
    assert_eq!(daemon.api().last_transaction("C").await["reason"], "rate_unavailable");
    assert!(service.asks().is_empty());
    set_rate(&daemon, "1.0001", "60s").await;
    assert_eq!(processor.ask(&usual(3, 12_34)).await.code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pre_funded_card_on_a_token_account_is_paid_from_the_cache() {
    let daemon = Daemon::start().await;
    let api = daemon.api();
    api.open_account("A", "USDT").await;
    api.credit("A", "20.00").await;
    api.issue("C", PAN, "A", "pre_funded", json!({})).await;
    set_rate(&daemon, "1.5", "60s").await;
    let mut processor = daemon.ascii().await;
    assert_eq!(processor.ask(&usual(1, 10_00)).await.code(), "00");
    assert_eq!(api.balance("A").await, ["20.000000", "15.000000", "5.000000"]);
    assert_eq!(processor.ask(&usual(2, 3_34)).await.code(), "51");
}
