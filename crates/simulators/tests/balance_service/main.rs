//! The funding client against the simulated balance service: outcomes, duties, and equal books afterwards.

#![allow(clippy::panic, clippy::unwrap_used, missing_docs)]

mod days;
mod examples;
mod life;
mod switch;
mod transport;

use domain::FundingFailure::{HttpError, TimedOut};
use domain::PartialApproval::{NotSupported, Supported};
use domain::{CancelCause, DutyKind, FundingOutcome, Text, TransactionId, Units};
use funding::{Keys, Secret};
use life::{LEFT, play};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use simulators::balance_service::{BooksView, Profile};
use std::collections::BTreeMap;
use std::time::Duration;
use switch::{Switch, account, config, keys, service, service_with, transaction, usdt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CANCEL: DutyKind = DutyKind::Cancel(CancelCause::Reversed);

fn approved(units: i128) -> FundingOutcome {
    FundingOutcome::Approved { units: Units(units) }
}

fn declined(code: &str) -> FundingOutcome {
    FundingOutcome::Declined { code: Text::new(code).unwrap() }
}

fn held(books: &BooksView) -> i128 {
    books.held(&account(0), usdt()).0
}

#[tokio::test]
async fn the_balance_decides_and_a_reversal_gives_back() {
    let service = service(Profile::instant(), 1, 100).await;
    let switch = Switch::start(config(&service.url()));
    switch.ask(1, account(0), 70, NotSupported, 5_000);
    assert_eq!(switch.outcome(1).await, approved(70));
    switch.ask(2, account(0), 70, NotSupported, 5_000);
    assert_eq!(switch.outcome(2).await, declined("insufficient_funds"));
    switch.ask(3, account(0), 70, Supported, 5_000);
    assert_eq!(switch.outcome(3).await, approved(30));
    switch.ask(4, account(9), 70, NotSupported, 5_000);
    assert_eq!(switch.outcome(4).await, declined("unknown_account"));
    assert_eq!(held(&service.books()), 100);

    let duty = switch.owe(1, account(0), CANCEL, Units(70));
    switch.until("acknowledged", |switch| switch.acknowledged() == [duty]).await;
    assert_eq!(service.books().outstanding, BTreeMap::from([(transaction(3), Units(30))]));
}

/// Every message of the contract, as the switch sends it over a payment's life.
#[tokio::test]
async fn the_books_follow_every_message_of_a_payments_life() {
    let service = service(Profile::instant(), 1, 1_000).await;
    let switch = Switch::start(config(&service.url()));
    play(&switch).await;
    let books = service.books();
    let book = books.account(&account(0), usdt()).unwrap();
    assert_eq!((book.spent, book.held, book.available), (Units(1_000 - LEFT), Units(0), Units(LEFT)));
    let counts = books.counts;
    assert_eq!((counts.confirms, counts.reversals, counts.clearings, counts.refunds), (1, 1, 3, 1));
    assert_eq!((counts.undos, counts.advices, counts.expiries, counts.cancels), (2, 1, 1, 1));
    assert_eq!((counts.mismatched, counts.disordered, book.missing), (0, 0, 0));
    switch.ask(5, account(0), LEFT, NotSupported, 25_000);
    assert_eq!(switch.outcome(5).await, approved(LEFT), "what is available can be spent");
}

#[tokio::test]
async fn a_repeated_ask_gets_the_same_answer_and_reserves_nothing_more_also_after_a_restart() {
    let first = service(Profile::instant(), 1, 100).await;
    for _ in 0..2 {
        let switch = Switch::start(config(&first.url()));
        switch.ask(1, account(0), 70, NotSupported, 5_000);
        assert_eq!(switch.outcome(1).await, approved(70));
    }
    let memory = first.shutdown(Duration::from_secs(5)).await;
    let second = service_with(Profile::instant(), memory).await;
    let switch = Switch::start(config(&second.url()));
    switch.ask(1, account(0), 70, NotSupported, 5_000);
    assert_eq!(switch.outcome(1).await, approved(70));
    assert_eq!(held(&second.books()), 70);
    assert_eq!(second.books().counts.ask_repeats, 2);
}

#[tokio::test]
async fn e1_a_cancel_that_overtakes_its_ask_makes_the_ask_declined() {
    let service = service(Profile::instant(), 1, 100).await;
    let switch = Switch::start(config(&service.url()));
    let duty = switch.owe(1, account(0), DutyKind::Cancel(CancelCause::OutcomeUnknown), Units(70));
    switch.until("acknowledged", |switch| switch.acknowledged() == [duty]).await;
    switch.ask(1, account(0), 70, NotSupported, 5_000);
    assert_eq!(switch.outcome(1).await, declined("cancelled_before"));
    assert_eq!(held(&service.books()), 0);
}

#[tokio::test]
async fn e22_a_hung_service_costs_each_ask_its_time_and_no_more_and_keeps_no_money() {
    let service = service(Profile::hung(), 1, 1_000).await;
    let switch = Switch::start(config(&service.url()));
    for number in 0..10 {
        switch.ask(number, account(0), 70, NotSupported, 150);
    }
    for number in 0..10 {
        assert_eq!(switch.outcome(number).await, FundingOutcome::Unknown(TimedOut));
    }
    assert!(held(&service.books()) > 0, "some of the hung asks were booked");
    service.set_profile(Profile::instant());
    switch.until("ten cancels", |switch| switch.acknowledged().len() == 10).await;
    assert_eq!(held(&service.books()), 0);
}

#[tokio::test]
async fn duties_outlive_an_outage_in_their_order() {
    let service = service(Profile::failing(), 1, 100).await;
    let switch = Switch::start(config(&service.url()));
    let merchant = Text::new("COFFEE BAR").unwrap();
    let mut numbers = Vec::new();
    for _ in 0..3 {
        numbers.push(switch.owe(1, account(0), DutyKind::Advise { merchant }, Units(130)));
        numbers.push(switch.owe(1, account(0), CANCEL, Units(130)));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(switch.acknowledged().is_empty());
    service.set_profile(Profile::instant());
    switch.until("all", |switch| switch.acknowledged().len() == numbers.len()).await;
    assert_eq!(switch.acknowledged(), numbers);
    let books = service.books();
    assert_eq!((books.counts.advices, books.counts.cancels, held(&books)), (3, 3, 0));
}

#[tokio::test]
async fn a_wrong_key_is_turned_away_on_either_side() {
    let service = service(Profile::instant(), 1, 100).await;
    let other = Keys::new(Secret::parse("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap());
    let mut ours = config(&service.url());
    ours.request_keys = other.clone();
    let switch = Switch::start(ours);
    switch.ask(1, account(0), 70, NotSupported, 5_000);
    assert_eq!(switch.outcome(1).await, FundingOutcome::Unknown(HttpError));
    assert_eq!(service.books().counts.asks, 0, "an unsigned ask was booked");

    let mut theirs = config(&service.url());
    theirs.answer_keys = Some(other.clone());
    let switch = Switch::start(theirs);
    switch.ask(2, account(0), 70, NotSupported, 5_000);
    assert!(matches!(switch.outcome(2).await, FundingOutcome::Unknown(_)));

    let mut rotating = config(&service.url());
    let secret = || Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let new = Secret::parse("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    rotating.request_keys = Keys::rotating(new.clone(), secret());
    rotating.answer_keys = Some(Keys::rotating(new, secret()));
    let switch = Switch::start(rotating);
    switch.ask(3, account(0), 10, NotSupported, 5_000);
    assert_eq!(switch.outcome(3).await, approved(10));
    assert!(keys().sign("a", "1", b"").starts_with("v1,"));
}

#[tokio::test]
async fn the_books_can_be_read_over_http() {
    let service = service(Profile::instant(), 2, 100).await;
    let mut stream = tokio::net::TcpStream::connect(service.address()).await.unwrap();
    stream.write_all(b"GET /books HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"));
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body, serde_json::to_value(service.books()).unwrap());
    assert_eq!(body["accounts"][1]["available"], "100");
}

/// Whatever the service does, in any mixture: every ask ends once, and when the weather has cleared and all
/// duties are done, the service holds exactly what the switch believes is held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_storm_the_books_are_equal() {
    for seed in [1, 2, 3] {
        println!("seed {seed}");
        storm(seed).await;
    }
}

async fn storm(seed: u64) {
    const ASKS: u64 = 300;
    let service = service(Profile::stormy(), 20, 5_000).await;
    let mut config = config(&service.url());
    config.asks_in_flight_max = 40;
    config.late_answers_max = 8;
    let switch = Switch::start(config);
    let mut random = StdRng::seed_from_u64(seed);
    for number in 0..ASKS {
        let partial = if random.random_bool(0.5) { Supported } else { NotSupported };
        let (account, units) = (account(random.random_range(0..20)), random.random_range(1..900));
        switch.ask(number, account, units, partial, random.random_range(30..120));
        tokio::time::sleep(Duration::from_millis(random.random_range(0..4))).await;
    }
    switch.until("every outcome", |switch| switch.outcomes().len() == usize::try_from(ASKS).unwrap()).await;

    // A third of what was approved is reversed while the storm still blows.
    let mut believed: BTreeMap<TransactionId, Units> = BTreeMap::new();
    for (id, outcomes) in switch.outcomes() {
        assert_eq!(outcomes.len(), 1, "seed {seed}: {id} ended as {outcomes:?}");
        if let FundingOutcome::Approved { units } = outcomes[0] {
            if id.number.0 % 3 == 0 {
                switch.owe(id.number.0, account(0), CANCEL, units);
            } else {
                believed.insert(id, units);
            }
        }
    }
    service.set_profile(Profile::instant());
    switch.until("every duty", |switch| switch.funding().gauges().duties_pending == 0).await;
    switch.funding().shutdown(Duration::from_secs(5)).await;
    let books = service.shutdown(Duration::from_secs(5)).await.view();
    assert_eq!(books.outstanding, believed, "seed {seed}");
    let kinds = |wanted: fn(&FundingOutcome) -> bool| {
        switch.outcomes().values().filter(|outcomes| wanted(&outcomes[0])).count()
    };
    assert!(kinds(|outcome| matches!(outcome, FundingOutcome::Approved { .. })) > 30, "seed {seed}");
    assert!(kinds(|outcome| matches!(outcome, FundingOutcome::Unknown(_))) > 50, "seed {seed}");
    assert!(books.counts.tombstones > 0, "seed {seed}: no cancel overtook its ask");
}
