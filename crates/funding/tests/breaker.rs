//! E22, E23: a service that fails is left alone, and asked again when it is well.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use domain::FundingFailure::{BreakerOpen, HttpError, Overloaded, TimedOut};
use domain::{FundingOutcome, Units};
use funding::{Backoff, BreakerConfig, BreakerState, FundingConfig};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::{
    Reply, SHARD, Service, approve, ask, cancel, config, http, not_asked, start, unknown, within_seconds,
};

fn guarded(url: &str) -> FundingConfig {
    let mut config = config(url);
    config.breaker = Some(BreakerConfig {
        calls_min: 5,
        open_for: Backoff { min: Duration::from_millis(500), max: Duration::from_millis(500) },
        probes_max: 1,
        probes_to_close: 2,
        ..BreakerConfig::default()
    });
    config
}

#[tokio::test]
async fn e22_a_failing_service_is_left_alone_and_asked_again_when_it_is_well() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let service = Service::start(move |count, _| match is_well.load(Ordering::SeqCst) {
        true => Reply::Bytes(approve(u64::try_from(count).unwrap())),
        false => Reply::Bytes(http(500, "")),
    })
    .await;
    let (funding, recorder) = start(guarded(&service.url));
    for number in 1..=5 {
        funding.ask(ask(number, recorder.within(5_000)));
        assert_eq!(recorder.outcome(number).await, unknown(HttpError));
    }
    assert_eq!(recorder.breaker(), [BreakerState::Open]);
    funding.ask(ask(99, recorder.within(5_000)));
    assert_eq!(recorder.ended()[5].outcome, not_asked(BreakerOpen), "told before `ask` returns");
    assert_eq!(service.received().len(), 5, "the service was left alone");

    well.store(true, Ordering::SeqCst);
    let half_open = || funding.gauges().breaker == BreakerState::HalfOpen;
    within_seconds("the pause is over", half_open).await;
    for number in 6..=8 {
        funding.ask(ask(number, recorder.within(5_000)));
        assert_eq!(recorder.outcome(number).await, FundingOutcome::Approved { units: Units(12_500_000) });
    }
    assert_eq!(recorder.breaker(), [BreakerState::Open, BreakerState::HalfOpen, BreakerState::Closed]);
}

#[tokio::test]
async fn e23_time_outs_open_it_and_a_probe_that_times_out_opens_it_again() {
    let service = Service::always(Reply::Hang).await;
    let (funding, recorder) = start(guarded(&service.url));
    for number in 1..=5 {
        funding.ask(ask(number, recorder.within(130)));
    }
    recorder.until("it opens", |recorder| recorder.breaker() == [BreakerState::Open]).await;
    within_seconds("the pause is over", || funding.gauges().breaker == BreakerState::HalfOpen).await;
    funding.ask(ask(6, recorder.within(130)));
    funding.ask(ask(7, recorder.within(130)));
    assert_eq!(recorder.ended()[5].outcome, not_asked(BreakerOpen), "one probe at a time");
    assert_eq!(recorder.outcome(6).await, unknown(TimedOut));
    assert_eq!(recorder.breaker(), [BreakerState::Open, BreakerState::HalfOpen, BreakerState::Open]);
}

#[tokio::test]
async fn duties_go_on_while_it_is_open() {
    let service = Service::start(|_, request| match request.head.contains("/v1/asks") {
        true => Reply::Bytes(http(500, "")),
        false => Reply::Bytes(http(200, "{}")),
    })
    .await;
    let (funding, recorder) = start(guarded(&service.url));
    for number in 1..=5 {
        funding.ask(ask(number, recorder.within(5_000)));
        recorder.outcome(number).await;
    }
    assert_eq!(recorder.breaker(), [BreakerState::Open]);
    funding.owe(SHARD, cancel(1, 10));
    recorder.until("acknowledged", |recorder| recorder.acknowledged() == [10]).await;
}

#[tokio::test]
async fn when_it_closes_the_duties_that_wait_are_sent_at_once() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let service = Service::start(move |_, request| match (is_well.load(Ordering::SeqCst), request) {
        (false, _) => Reply::Bytes(http(500, "")),
        (true, request) => {
            let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
            Reply::Bytes(http(200, &format!(r#"{{"ask_id":{},"decision":"decline"}}"#, body["ask_id"])))
        }
    })
    .await;
    let mut config = guarded(&service.url);
    config.duty_backoff = Backoff { min: Duration::from_secs(3_600), max: Duration::from_secs(3_600) };
    let (funding, recorder) = start(config);
    funding.owe(SHARD, cancel(50, 10));
    recorder.until("a failure", |recorder| recorder.attempts().len() == 1).await;
    for number in 1..=5 {
        funding.ask(ask(number, recorder.within(5_000)));
        recorder.outcome(number).await;
    }
    well.store(true, Ordering::SeqCst);
    within_seconds("the pause is over", || funding.gauges().breaker == BreakerState::HalfOpen).await;
    for number in 6..=7 {
        funding.ask(ask(number, recorder.within(5_000)));
        assert!(matches!(recorder.outcome(number).await, FundingOutcome::Declined { .. }), "no is an answer");
    }
    recorder.until("an acknowledgement", |recorder| recorder.acknowledged() == [10]).await;
    assert_eq!(funding.gauges().breaker, BreakerState::Closed);
}

#[tokio::test]
async fn e23_an_ask_that_finds_no_place_gives_its_probe_back() {
    let service = Service::start(|count, request| match count {
        1 => Reply::Hang,
        2..=6 => Reply::Bytes(http(500, "")),
        _ => {
            let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
            let answer = format!(r#"{{"ask_id":{},"decision":"approve"}}"#, body["ask_id"]);
            Reply::After(Duration::from_millis(20), http(200, &answer))
        }
    })
    .await;
    let mut config = guarded(&service.url);
    config.asks_in_flight_max = 2;
    config.breaker =
        config.breaker.map(|breaker| BreakerConfig { probes_max: 2, probes_to_close: 9, ..breaker });
    let (funding, recorder) = start(config);
    // One ask from before holds a place, but no probe, until it times out.
    funding.ask(ask(1, recorder.within(1_500)));
    within_seconds("it has arrived", || service.received().len() == 1).await;
    for number in 2..=6 {
        funding.ask(ask(number, recorder.within(5_000)));
        recorder.outcome(number).await;
    }
    within_seconds("the pause is over", || funding.gauges().breaker == BreakerState::HalfOpen).await;
    let approved = FundingOutcome::Approved { units: Units(12_500_000) };
    funding.ask(ask(7, recorder.within(5_000)));
    funding.ask(ask(8, recorder.within(5_000)));
    assert_eq!(recorder.outcome(8).await, not_asked(Overloaded), "no place");
    assert_eq!(recorder.outcome(7).await, approved);
    assert_eq!(recorder.outcome(1).await, unknown(TimedOut));
    funding.ask(ask(9, recorder.within(5_000)));
    funding.ask(ask(10, recorder.within(5_000)));
    assert_eq!((recorder.outcome(9).await, recorder.outcome(10).await), (approved, approved), "two probes");
}
