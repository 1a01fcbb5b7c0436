//! Each named day of the service against the real client: how its asks end, and equal books when it is over.

use crate::switch::{Switch, account, config, service};
use domain::FundingFailure::{Malformed, Reset, TimedOut};
use domain::PartialApproval::{NotSupported, Supported};
use domain::{CancelCause, DutyKind, FundingOutcome, TransactionId, Units};
use simulators::balance_service::{BooksView, Profile};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const APPROVED_BY_NONE: usize = 0;

/// What a day has come to.
struct Day {
    outcomes: Vec<FundingOutcome>,
    books: BooksView,
    /// What the switch believes that the service holds.
    believed: BTreeMap<TransactionId, Units>,
}

impl Day {
    fn count(&self, which: impl Fn(&FundingOutcome) -> bool) -> usize {
        self.outcomes.iter().filter(|outcome| which(outcome)).count()
    }

    fn approved(&self) -> usize {
        self.count(|outcome| matches!(outcome, FundingOutcome::Approved { .. }))
    }

    fn unknown(&self) -> usize {
        self.count(|outcome| matches!(outcome, FundingOutcome::Unknown(_)))
    }

    fn ended_as(&self, outcome: FundingOutcome) -> usize {
        self.count(|seen| *seen == outcome)
    }

    /// Every ask ended once, and the service holds what the switch believes.
    fn books_are_equal(&self) {
        assert_eq!(self.books.outstanding, self.believed);
        assert_eq!((self.books.counts.mismatched, self.books.counts.disordered), (0, 0));
    }
}

/// Lives through a day: `asks` asks with `patience` each, `pause` apart. A third of what was approved is reversed.
async fn day(name: &str, asks: u64, pause: Duration, patience: Duration) -> Day {
    let service = service(Profile::named(name).unwrap(), 10, 1_000_000).await;
    let mut config = config(&service.url());
    config.asks_in_flight_max = 1_000;
    let switch = Switch::start(config);
    for number in 0..asks {
        let partial = if number % 2 == 0 { Supported } else { NotSupported };
        let patience = u64::try_from(patience.as_millis()).unwrap();
        switch.ask(number, account(number % 10), i128::from(number) + 1, partial, patience);
        tokio::time::sleep(pause).await;
        if number % 3 == 0 {
            reverse_an_approved_one(&switch, number / 2);
        }
    }
    let all = usize::try_from(asks).unwrap();
    switch.until("every outcome", |switch| switch.outcomes().len() == all).await;
    service.set_profile(Profile::instant());
    switch.until("every duty", |switch| switch.funding().gauges().duties_pending == 0).await;
    // What the service was told to take in later must have been taken in.
    switch.funding().shutdown(Duration::from_secs(20)).await;
    let books = service.shutdown(Duration::from_secs(20)).await.view();
    let reversed = switch.reversed();
    let mut outcomes = Vec::new();
    let mut believed = BTreeMap::new();
    for (id, ends) in switch.outcomes() {
        assert_eq!(ends.len(), 1, "{name}: {id} ended as {ends:?}");
        outcomes.push(ends[0]);
        if let FundingOutcome::Approved { units } = ends[0]
            && !reversed.contains(&id)
        {
            believed.insert(id, units);
        }
    }
    println!("{name}: {outcomes:?}");
    Day { outcomes, books, believed }
}

fn reverse_an_approved_one(switch: &Arc<Switch>, number: u64) {
    let id = crate::switch::transaction(number);
    let outcomes = switch.outcomes();
    if let Some(FundingOutcome::Approved { units }) = outcomes.get(&id).and_then(|ends| ends.first()) {
        switch.reverse(number, account(number % 10), DutyKind::Cancel(CancelCause::Reversed), *units);
    }
}

const QUICK: Duration = Duration::from_millis(4);
const A_WHILE: Duration = Duration::from_millis(60);
/// Longer than any answer takes on any machine.
const PATIENT: Duration = Duration::from_secs(25);
const IMPATIENT: Duration = Duration::from_millis(150);

#[tokio::test]
async fn on_a_normal_day_every_ask_is_approved() {
    let day = day("normal", 60, QUICK, PATIENT).await;
    assert_eq!(day.approved(), 60);
    day.books_are_equal();
}

#[tokio::test]
async fn on_a_slow_day_asks_run_out_of_time_and_leave_nothing_behind() {
    let day = day("slow", 40, QUICK, IMPATIENT).await;
    assert!(day.ended_as(FundingOutcome::Unknown(TimedOut)) > 10);
    day.books_are_equal();
}

#[tokio::test]
async fn on_a_hung_day_nothing_is_approved_and_nothing_is_left_behind() {
    let day = day("hung", 40, QUICK, IMPATIENT).await;
    assert_eq!(day.approved(), APPROVED_BY_NONE);
    assert!(day.ended_as(FundingOutcome::Unknown(TimedOut)) > 10);
    day.books_are_equal();
}

#[tokio::test]
async fn a_service_that_dies_in_mid_answer_approves_nothing() {
    let day = day("dying", 40, QUICK, PATIENT).await;
    assert_eq!(day.approved(), APPROVED_BY_NONE);
    assert!(day.ended_as(FundingOutcome::Unknown(Reset)) > 10);
    day.books_are_equal();
}

#[tokio::test]
async fn a_service_that_resets_connections_leaves_outcomes_unknown_until_they_are_cancelled() {
    let day = day("resetting", 40, QUICK, PATIENT).await;
    assert_eq!(day.approved(), APPROVED_BY_NONE);
    assert!(day.ended_as(FundingOutcome::Unknown(Reset)) > 10);
    day.books_are_equal();
}

#[tokio::test]
async fn a_lie_is_never_an_approval() {
    let day = day("lying", 60, QUICK, PATIENT).await;
    assert_eq!(day.approved(), APPROVED_BY_NONE);
    assert!(day.ended_as(FundingOutcome::Unknown(Malformed)) > 10);
    day.books_are_equal();
}

#[tokio::test]
async fn a_flapping_service_approves_while_it_is_well() {
    let day = day("flapping", 80, A_WHILE, IMPATIENT).await;
    assert!(day.approved() > 0 && day.unknown() > 0);
    day.books_are_equal();
}

#[tokio::test]
async fn e1_an_answer_after_the_cancel_changes_nothing() {
    let day = day("late", 40, QUICK, IMPATIENT).await;
    assert_eq!(day.approved(), APPROVED_BY_NONE);
    assert!(day.ended_as(FundingOutcome::Unknown(TimedOut)) > 10);
    assert!(day.books.counts.tombstones > 0, "no cancel overtook its ask");
    day.books_are_equal();
}

#[tokio::test]
async fn messages_that_are_taken_in_out_of_their_order_leave_equal_books() {
    let day = day("shuffled", 60, QUICK, IMPATIENT).await;
    assert!(day.unknown() > 0);
    day.books_are_equal();
}

#[tokio::test]
async fn a_service_that_restarts_with_its_memory_loses_nothing() {
    let day = day("restarting", 80, A_WHILE, IMPATIENT).await;
    assert!(day.approved() > 0 && day.approved() < 80);
    day.books_are_equal();
}

/// Its books cannot be equal any more; that nothing waits for ever is what is left to promise.
#[tokio::test]
async fn a_service_that_restarts_without_its_memory_is_told_every_duty_all_the_same() {
    let day = day("forgetful", 80, A_WHILE, IMPATIENT).await;
    assert!(day.approved() > 0 && day.approved() < 80);
    assert!(day.books.outstanding.len() < day.believed.len(), "it forgot nothing");
    assert!(day.books.outstanding.values().all(|units| units.is_positive()));
}
