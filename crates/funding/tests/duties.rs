//! Duties against a service that is away, answers with errors, or hangs: each arrives, and in order.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use domain::FundingFailure::{HttpError, Overloaded, TimedOut};
use std::time::Duration;
use support::{
    Reply, SHARD, Service, approve, ask, cancel, config, http, not_asked, start, transaction, within_seconds,
};

#[tokio::test]
async fn e26_a_duty_comes_again_unchanged_until_it_is_acknowledged() {
    let service = Service::start(|count, _| match count {
        1 => Reply::Bytes(http(503, "")),
        2 => Reply::BytesThenClose(Vec::new()),
        3 => Reply::Bytes(http(302, "elsewhere")),
        _ => Reply::Bytes(http(204, "")),
    })
    .await;
    let (funding, recorder) = start(config(&service.url));
    funding.owe(SHARD, cancel(1, 10));
    recorder.until("an acknowledgement", |recorder| recorder.acknowledged() == [10]).await;
    let received = service.received();
    assert_eq!(received.len(), 4);
    assert!(received.iter().all(|request| request.body == received[0].body), "the body changed");
    assert!(received.iter().all(|request| request.head.starts_with("POST /base/v1/cancels ")));
    let id = format!("{}-cancel-000000000000000a", transaction(1));
    assert!(received.iter().all(|request| request.header("webhook-id") == Some(&id)));
    assert_eq!(recorder.attempts()[0], Err(HttpError));
    assert_eq!(recorder.attempts()[3], Ok(()));
    assert_eq!(funding.gauges().duties_pending, 0);
}

#[tokio::test]
async fn over_an_outage_the_duties_of_a_transaction_keep_their_order() {
    let service = Service::start(|count, _| match count {
        0..=20 => Reply::Bytes(http(500, "")),
        odd if odd % 2 == 1 => Reply::Bytes(http(500, "")),
        _ => Reply::Bytes(http(200, "{}")),
    })
    .await;
    let (funding, recorder) = start(config(&service.url));
    for number in 0..12 {
        funding.owe(SHARD, cancel(number % 3, 100 + number));
    }
    recorder.until("all acknowledged", |recorder| recorder.acknowledged().len() == 12).await;
    let acknowledged = recorder.acknowledged();
    for transaction in 0..3 {
        let of_one: Vec<_> =
            acknowledged.iter().filter(|number| (*number - 100) % 3 == transaction).collect();
        assert!(of_one.is_sorted(), "transaction {transaction}: {of_one:?}");
        assert_eq!(of_one.len(), 4);
    }
}

#[tokio::test]
async fn a_hung_attempt_is_given_up_and_comes_again() {
    let service = Service::start(|count, _| match count {
        1 => Reply::Hang,
        _ => Reply::Bytes(http(200, "{}")),
    })
    .await;
    let mut config = config(&service.url);
    config.duty_attempt_timeout = Duration::from_millis(60);
    let (funding, recorder) = start(config);
    funding.owe(SHARD, cancel(1, 10));
    recorder.until("an acknowledgement", |recorder| recorder.acknowledged() == [10]).await;
    assert_eq!(recorder.attempts(), [Err(TimedOut), Ok(())]);
}

#[tokio::test]
async fn no_more_attempts_are_under_way_than_allowed_and_asks_do_not_wait_for_them() {
    let service = Service::start(|_, request| match request.head.contains("/v1/asks") {
        true => Reply::Bytes(approve(1)),
        false => Reply::Hang,
    })
    .await;
    let mut config = config(&service.url);
    config.duties_in_flight_max = 3;
    let (funding, recorder) = start(config);
    for number in 0..9 {
        funding.owe(SHARD, cancel(number, 100 + number));
    }
    funding.ask(ask(1, recorder.within(5_000)));
    recorder.outcome(1).await;
    let gauges = funding.gauges();
    assert!(gauges.duties_in_flight <= 3, "{gauges:?}");
    assert_eq!(gauges.duties_pending, 9);
    assert!(service.received().len() <= 4);
}

#[tokio::test]
async fn with_too_much_owed_nothing_more_is_asked() {
    let service = Service::always(Reply::Hang).await;
    let mut config = config(&service.url);
    config.duties_pending_max = 2;
    let (funding, recorder) = start(config);
    funding.owe(SHARD, cancel(8, 10));
    funding.owe(SHARD, cancel(9, 11));
    funding.ask(ask(1, recorder.within(5_000)));
    assert_eq!(recorder.ended()[0].outcome, not_asked(Overloaded));
    funding.owe(SHARD, cancel(10, 12));
    assert_eq!(funding.gauges().duties_pending, 3, "a duty itself is never refused");
}

#[tokio::test]
async fn an_operator_need_not_wait_for_the_next_attempt() {
    let service = Service::start(|count, _| match count {
        1 => Reply::Bytes(http(500, "")),
        _ => Reply::Bytes(http(200, "{}")),
    })
    .await;
    let mut config = config(&service.url);
    config.duty_backoff.min = Duration::from_secs(3_600);
    config.duty_backoff.max = Duration::from_secs(3_600);
    let (funding, recorder) = start(config);
    funding.owe(SHARD, cancel(1, 10));
    recorder.until("a failure", |recorder| recorder.attempts() == [Err(HttpError)]).await;
    within_seconds("it waits", || funding.gauges().duties_in_flight == 0).await;
    funding.retry_duties();
    recorder.until("an acknowledgement", |recorder| recorder.acknowledged() == [10]).await;
}
