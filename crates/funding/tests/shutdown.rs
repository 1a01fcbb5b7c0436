//! The end: every ask has an outcome, whether the switch stops in order or its runtime is torn down.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use domain::FundingFailure::Interrupted;
use domain::{FundingOutcome, Units};
use std::time::Duration;
use support::{
    Reply, SHARD, Service, approve, ask, cancel, config, not_asked, start, unknown, within_seconds,
};

#[tokio::test]
async fn an_open_ask_has_time_to_end_and_is_interrupted_afterwards() {
    let service = Service::start(|count, _| match count {
        1 => Reply::After(Duration::from_millis(60), approve(1)),
        _ => Reply::Hang,
    })
    .await;
    let (funding, recorder) = start(config(&service.url));
    funding.ask(ask(1, recorder.within(10_000)));
    within_seconds("the first ask has arrived", || !service.received().is_empty()).await;
    funding.ask(ask(2, recorder.within(10_000)));
    funding.owe(SHARD, cancel(3, 10));
    funding.shutdown(Duration::from_millis(300)).await;
    assert_eq!(recorder.outcome(1).await, FundingOutcome::Approved { units: Units(12_500_000) });
    assert_eq!(recorder.outcome(2).await, unknown(Interrupted));
    assert_eq!(recorder.ended().len(), 2);
    assert_eq!(funding.gauges().duties_pending, 1, "still owed, and durable elsewhere");
}

#[tokio::test]
async fn after_the_stop_nothing_is_asked() {
    let service = Service::always(Reply::Bytes(approve(1))).await;
    let (funding, recorder) = start(config(&service.url));
    funding.shutdown(Duration::from_secs(1)).await;
    funding.ask(ask(1, recorder.within(5_000)));
    assert_eq!(recorder.outcome(1).await, not_asked(Interrupted));
    assert!(service.received().is_empty());
}

#[test]
fn e31_a_runtime_that_is_torn_down_leaves_no_ask_without_an_outcome() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (funding, recorder, service) = runtime.block_on(async {
        let service = Service::always(Reply::Hang).await;
        let (funding, recorder) = start(config(&service.url));
        for number in 0..20 {
            funding.ask(ask(number, recorder.within(60_000)));
        }
        within_seconds("all have arrived", || service.received().len() == 20).await;
        (funding, recorder, service)
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    assert_eq!(recorder.ended().len(), 20);
    assert!(recorder.ended().iter().all(|ended| ended.outcome == unknown(Interrupted)));
    funding.ask(ask(99, recorder.within(60_000)));
    assert_eq!(recorder.ended()[20].outcome, not_asked(Interrupted), "and none is taken afterwards");
    drop(service);
}
