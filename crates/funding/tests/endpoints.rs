//! Several endpoints, and the bounds of each: failover, ranges, health, hedges, and the configuration alarm.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use domain::FundingFailure::{BreakerOpen, HttpError, Malformed, Overloaded, Refused};
use domain::{AccountId, FundingOutcome, Units};
use funding::{
    Backoff, BreakerConfig, BreakerState, FundingConfig, HealthSettings, HedgeBudget, RouteSettings,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use support::{
    Received, Reply, Service, ask, config, http, not_asked, start, transaction, unknown, within_seconds,
};

const APPROVED: FundingOutcome = FundingOutcome::Approved { units: Units(12_500_000) };

/// A service that approves every ask.
async fn generous() -> Service {
    Service::start(|_, request| Reply::Bytes(approval(request))).await
}

fn approval(request: &Received) -> Vec<u8> {
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    http(200, &format!(r#"{{"ask_id":{},"decision":"approve"}}"#, body["ask_id"]))
}

/// A URL that nothing listens on.
async fn nowhere() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn with_standby(primary: &str, standby: &str) -> FundingConfig {
    let mut config = config(primary);
    config.route.standby = Some(standby.parse().unwrap());
    config.breaker = Some(BreakerConfig {
        calls_min: 5,
        open_for: Backoff { min: Duration::from_millis(400), max: Duration::from_millis(400) },
        probes_max: 1,
        probes_to_close: 2,
        ..BreakerConfig::default()
    });
    config
}

#[tokio::test]
async fn where_no_byte_was_sent_the_standby_is_asked_within_the_same_ask() {
    let standby = generous().await;
    let (funding, recorder) = start(with_standby(&nowhere().await, &standby.url));
    funding.ask(ask(1, recorder.within(5_000)));
    assert_eq!(recorder.outcome(1).await, APPROVED);
    assert_eq!((standby.received().len(), recorder.asked_elsewhere()), (1, 1));
}

#[tokio::test]
async fn where_a_byte_may_have_been_sent_nobody_else_is_asked() {
    let primary = Service::always(Reply::BytesThenClose(Vec::new())).await;
    let standby = generous().await;
    let (funding, recorder) = start(with_standby(&primary.url, &standby.url));
    funding.ask(ask(1, recorder.within(5_000)));
    assert_eq!(recorder.outcome(1).await, unknown(domain::FundingFailure::Reset));
    assert!(standby.received().is_empty(), "the primary may have reserved");
}

#[tokio::test]
async fn with_nobody_left_to_ask_the_ask_was_not_made() {
    let (funding, recorder) = start(with_standby(&nowhere().await, &nowhere().await));
    funding.ask(ask(1, recorder.within(5_000)));
    assert_eq!(recorder.outcome(1).await, not_asked(Refused));
}

#[tokio::test]
async fn e22_while_the_primary_is_left_alone_the_standby_is_asked_and_then_the_primary_again() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let primary = Service::start(move |_, request| match is_well.load(Ordering::SeqCst) {
        true => Reply::Bytes(approval(request)),
        false => Reply::Bytes(http(500, "")),
    })
    .await;
    let standby = generous().await;
    let (funding, recorder) = start(with_standby(&primary.url, &standby.url));
    for number in 1..=5 {
        funding.ask(ask(number, recorder.within(5_000)));
        assert_eq!(recorder.outcome(number).await, unknown(HttpError));
    }
    funding.ask(ask(6, recorder.within(5_000)));
    assert_eq!(recorder.outcome(6).await, APPROVED, "by the standby");
    assert_eq!((primary.received().len(), standby.received().len()), (5, 1));
    well.store(true, Ordering::SeqCst);
    let state = || funding.endpoints()[0].breaker;
    within_seconds("the pause is over", || state() == BreakerState::HalfOpen).await;
    for number in 7..=9 {
        funding.ask(ask(number, recorder.within(5_000)));
        assert_eq!(recorder.outcome(number).await, APPROVED);
    }
    assert_eq!((state(), primary.received().len()), (BreakerState::Closed, 8), "the primary is back");
}

#[tokio::test]
async fn accounts_of_a_range_are_asked_for_where_their_books_are() {
    let (rest, range) = (generous().await, generous().await);
    let mut config = config(&rest.url);
    config.ranges = vec![RouteSettings {
        accounts_from: "m".into(),
        accounts_below: "n".into(),
        primary: range.url.parse().unwrap(),
        standby: None,
    }];
    let (funding, recorder) = start(config);
    for (number, account) in (1..).zip(["acct_1", "m_1", "z_1"]) {
        let mut ask = ask(number, recorder.within(5_000));
        ask.account = AccountId::new(account).unwrap();
        funding.ask(ask);
        assert_eq!(recorder.outcome(number).await, APPROVED);
    }
    assert_eq!((rest.received().len(), range.received().len()), (2, 1));
}

#[tokio::test]
async fn no_more_connections_are_opened_than_allowed_and_nobody_waits_for_one() {
    let service = Service::always(Reply::Hang).await;
    let mut config = config(&service.url);
    config.connections_max = 2;
    let (funding, recorder) = start(config);
    for number in 1..=3 {
        funding.ask(ask(number, recorder.within(60_000)));
        if number < 3 {
            let count = usize::try_from(number).unwrap();
            within_seconds("it has arrived", || service.received().len() == count).await;
        }
    }
    assert_eq!(recorder.outcome(3).await, not_asked(Overloaded), "refused at once, not queued");
    let gauges = &funding.endpoints()[0];
    assert_eq!((gauges.connections, gauges.connections_max, gauges.asks_in_flight), (2, 2, 2));
}

#[tokio::test]
async fn e24_an_unusually_slow_ask_is_sent_twice_where_one_id_reserves_once() {
    let stuck = Arc::new(AtomicUsize::new(0));
    let arrivals = Arc::clone(&stuck);
    let slow = format!("\"{}\"", transaction(200));
    let service = Service::start(move |_, request| {
        if request.body.contains(&slow) && arrivals.fetch_add(1, Ordering::SeqCst) == 0 {
            return Reply::Hang;
        }
        Reply::Bytes(approval(request))
    })
    .await;
    let mut config = config(&service.url);
    config.hedge = Some(HedgeBudget { percent: 5 });
    let (funding, recorder) = start(config);
    for number in 1..=120 {
        funding.ask(ask(number, recorder.within(30_000)));
        assert_eq!(recorder.outcome(number).await, APPROVED);
    }
    let usual = recorder.hedged();
    funding.ask(ask(200, recorder.within(30_000)));
    assert_eq!(recorder.outcome(200).await, APPROVED, "the second call brought it");
    assert_eq!(stuck.load(Ordering::SeqCst), 2);
    assert!(recorder.hedged() > usual, "and was counted");
    let [first, second] = service
        .received()
        .into_iter()
        .filter(|request| request.header("webhook-id") == Some(&transaction(200).to_string()))
        .map(|request| request.body)
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    assert_eq!(first, second, "the same id and the same body");
}

#[tokio::test]
async fn e24_without_that_promise_nothing_is_sent_twice() {
    let service = Service::start(|count, request| match count {
        121 => Reply::After(Duration::from_millis(300), approval(request)),
        _ => Reply::Bytes(approval(request)),
    })
    .await;
    let (funding, recorder) = start(config(&service.url));
    for number in 1..=121 {
        funding.ask(ask(number, recorder.within(30_000)));
        assert_eq!(recorder.outcome(number).await, APPROVED);
    }
    assert_eq!((service.received().len(), recorder.hedged()), (121, 0));
}

#[tokio::test]
async fn e23_where_there_is_a_health_path_no_cardholder_probes() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let service = Service::start(move |_, request| {
        let well = is_well.load(Ordering::SeqCst);
        match (request.head.starts_with("GET /base/healthz "), well) {
            (true, true) => Reply::Bytes(http(200, "")),
            (false, true) => Reply::Bytes(approval(request)),
            (_, false) => Reply::Bytes(http(503, "")),
        }
    })
    .await;
    let mut config = config(&service.url);
    config.breaker = Some(BreakerConfig {
        calls_min: 3,
        open_for: Backoff { min: Duration::from_millis(50), max: Duration::from_millis(50) },
        probes_to_close: 2,
        ..BreakerConfig::default()
    });
    config.health = Some(HealthSettings { path: "/healthz".into(), every: Duration::from_millis(20) });
    let (funding, recorder) = start(config);
    for number in 1..=3 {
        funding.ask(ask(number, recorder.within(5_000)));
        assert_eq!(recorder.outcome(number).await, unknown(HttpError));
    }
    within_seconds("it is found unwell", || !funding.endpoints()[0].well).await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    funding.ask(ask(4, recorder.within(5_000)));
    assert_eq!(recorder.outcome(4).await, not_asked(BreakerOpen), "an ask is no probe here");
    well.store(true, Ordering::SeqCst);
    within_seconds("it closes by itself", || funding.endpoints()[0].breaker == BreakerState::Closed).await;
    within_seconds("it is found well", || funding.endpoints()[0].well).await;
    funding.ask(ask(5, recorder.within(5_000)));
    assert_eq!(recorder.outcome(5).await, APPROVED);
}

#[tokio::test]
async fn e22_refused_keys_and_unreadable_answers_raise_an_alarm_of_their_own() {
    let service = Service::start(|count, request| match count {
        1 => Reply::Bytes(http(401, "")),
        2 | 4 => Reply::Bytes(approval(request)),
        3 => Reply::Bytes(http(200, "<html>")),
        _ => Reply::Bytes(http(500, "")),
    })
    .await;
    let (funding, recorder) = start(config(&service.url));
    let alarm = || funding.endpoints()[0].config_alarm;
    for (number, outcome, raised) in [
        (1, unknown(HttpError), true),
        (2, APPROVED, false),
        (3, unknown(Malformed), true),
        (4, APPROVED, false),
        (5, unknown(HttpError), false),
    ] {
        funding.ask(ask(number, recorder.within(5_000)));
        assert_eq!(recorder.outcome(number).await, outcome);
        assert_eq!(alarm(), raised, "after answer {number}");
    }
    assert_eq!(recorder.configuration_refused(), 2);
}
