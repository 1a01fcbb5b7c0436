//! Rates that a feed quotes over HTTP, through to decisions: what is good converts, and nothing else does (E11).

use crate::support::daemon::Daemon;
use crate::support::processor::{Processor, usual};
use crate::support::{PAN, eventually};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use switch::ConfigFile;
use tokio::net::TcpListener;

const FAILURES: &str = "authswitch_rate_source_failures_total";

/// What the feed does.
#[derive(Clone, Debug)]
enum Feed {
    /// It gives this document.
    Gives(String),
    /// It takes the question and gives nothing.
    Hangs,
    /// It gives more bytes than anybody wants.
    Floods,
}

#[derive(Clone)]
struct Source {
    feed: Arc<Mutex<Feed>>,
    address: String,
}

impl Source {
    async fn start(feed: Feed) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/rates", listener.local_addr().unwrap());
        let source = Self { feed: Arc::new(Mutex::new(feed)), address };
        let router = Router::new().route("/rates", get(answer)).with_state(source.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        source
    }

    fn does(&self, feed: Feed) {
        *self.feed.lock().unwrap() = feed;
    }
}

async fn answer(State(source): State<Source>) -> Response {
    let feed = source.feed.lock().unwrap().clone();
    match feed {
        Feed::Gives(document) => document.into_response(),
        Feed::Hangs => std::future::pending().await,
        Feed::Floods => (StatusCode::OK, Body::from(vec![b' '; 1 << 20])).into_response(),
    }
}

/// A document with one rate, quoted `ago` ago.
fn quoted(value: &str, ago: Duration) -> Feed {
    let as_of = (jiff::Timestamp::now() - ago).to_string();
    let rate =
        json!({"from": "USD", "to": "USDT", "value": value, "as_of": as_of, "max_age": "1h", "id": "q"});
    Feed::Gives(json!({ "rates": [rate] }).to_string())
}

/// A switch that follows `source`, with a card in US dollars on an account of USDT.
async fn following(source: &Source, adjust: impl FnOnce(&mut ConfigFile)) -> Daemon {
    let daemon = Daemon::start_with(|file| {
        file.rates.feed = source.address.clone();
        file.rates.every = Duration::from_millis(100);
        file.rates.within = Duration::from_millis(200);
        file.rates.pause_max = Duration::from_millis(100);
        file.rates.bytes_max = 64 * 1_024;
        adjust(file);
    })
    .await;
    let api = daemon.api();
    api.open_account("A", "USDT").await;
    api.credit("A", "1000.00").await;
    api.issue("C", PAN, "A", "pre_funded", json!({})).await;
    daemon
}

async fn in_force(daemon: &Daemon, value: &str) {
    eventually("the feed's rate", || async {
        let rates = daemon.api().show("/v1/rates").await;
        (rates["rates"][0]["value"] == value).then_some(())
    })
    .await;
}

async fn one_more_failure(daemon: &Daemon) {
    let before = daemon.api().metric(FAILURES).await;
    eventually("a failure of the feed that is counted", || async {
        (daemon.api().metric(FAILURES).await > before + 1).then_some(())
    })
    .await;
}

async fn declined_for(daemon: &Daemon, processor: &mut Processor, stan: u32, reason: &str) {
    assert_ne!(processor.ask(&usual(stan, 1_00)).await.code(), "00", "{reason}");
    assert_eq!(daemon.api().last_transaction("C").await["failures"][0]["reason"], reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_converted_at_what_the_feed_quotes_and_never_at_what_it_should_not() {
    let source = Source::start(quoted("1.0100", Duration::ZERO)).await;
    let daemon = following(&source, |_| {}).await;
    in_force(&daemon, "1.0100").await;
    let mut processor = daemon.ascii().await;
    assert_eq!(processor.ask(&usual(1, 10_00)).await.code(), "00");
    assert_eq!(daemon.api().balance("A").await[1], "10.100000", "held at the feed's rate");

    // Whatever else it says or does not say, the rate in force stays, and the failures are counted.
    let garbage =
        ["<html>", r#"{"rates": [{"from": "USD", "to": "USDT", "value": 1.5}]}"#].map(str::to_owned);
    let [page, float] = garbage.map(Feed::Gives);
    for failing in [page, float, Feed::Floods, Feed::Hangs] {
        source.does(failing);
        one_more_failure(&daemon).await;
        assert_eq!(daemon.api().show("/v1/rates").await["rates"][0]["value"], "1.0100");
    }
    assert_eq!(processor.ask(&usual(2, 10_00)).await.code(), "00", "the rate is fresh still");

    source.does(quoted("1.0200", Duration::ZERO));
    in_force(&daemon, "1.0200").await;
    // An older one does not take its place.
    source.does(quoted("1.0300", Duration::from_secs(60)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    in_force(&daemon, "1.0200").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_that_is_too_old_when_it_comes_converts_nothing() {
    let source = Source::start(quoted("1.0100", Duration::from_secs(2 * 3_600))).await;
    let daemon = following(&source, |_| {}).await;
    in_force(&daemon, "1.0100").await;
    let mut processor = daemon.ascii().await;
    declined_for(&daemon, &mut processor, 1, "rate_unavailable").await;
    assert_eq!(daemon.api().metric("authswitch_rate_usable{from=\"USD\",to=\"USDT\"}").await, 0);
    source.does(quoted("1.0100", Duration::ZERO));
    eventually("a fresh rate", || async {
        let usable = daemon.api().metric("authswitch_rate_usable{from=\"USD\",to=\"USDT\"}").await;
        (usable == 1).then_some(())
    })
    .await;
    assert_eq!(processor.ask(&usual(2, 1_00)).await.code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_leaves_its_band_stops_with_an_alarm_and_comes_back() {
    let source = Source::start(quoted("1.0000", Duration::ZERO)).await;
    let daemon = following(&source, |file| {
        let pair = r#"{"from": "USD", "to": "USDT", "band": ["0.98", "1.02"]}"#;
        file.rates.pair = vec![serde_json::from_str(pair).unwrap()];
    })
    .await;
    in_force(&daemon, "1.0000").await;
    let mut processor = daemon.ascii().await;
    assert_eq!(processor.ask(&usual(1, 1_00)).await.code(), "00");
    let alarm = "authswitch_rate_outside_band{from=\"USD\",to=\"USDT\"}";
    assert_eq!(daemon.api().metric(alarm).await, 0);

    source.does(quoted("1.0201", Duration::ZERO));
    in_force(&daemon, "1.0201").await;
    declined_for(&daemon, &mut processor, 2, "rate_outside_band").await;
    assert_eq!(daemon.api().metric(alarm).await, 1);

    source.does(quoted("1.0199", Duration::ZERO));
    in_force(&daemon, "1.0199").await;
    assert_eq!(processor.ask(&usual(3, 1_00)).await.code(), "00");
    assert_eq!(daemon.api().metric(alarm).await, 0);
}
