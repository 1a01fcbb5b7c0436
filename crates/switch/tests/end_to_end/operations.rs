//! What operators see: health, readiness, metrics, and a stop in good order.

use crate::support::balance_service::{BalanceService, Says};
use crate::support::daemon::{Daemon, start, with_jit_card};
use crate::support::message::DIALECTS;
use crate::support::processor::{network, purchase, reversal, usual};
use crate::support::{OTHER_PAN, PAN, PATIENCE, UNKNOWN_PAN, eventually};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A switch that has done a little of everything.
async fn with_traffic() -> Daemon {
    let (daemon, service) = with_jit_card(|_| {}).await;
    let api = daemon.api();
    api.open_account("B", "USD").await;
    api.credit("B", "100.00").await;
    api.issue("D", OTHER_PAN, "B", "pre_funded", json!({})).await;
    for (stan, dialect) in [10, 20].into_iter().zip(DIALECTS) {
        let mut processor = daemon.processor(dialect).await;
        for request in [
            network(stan, "301"),
            usual(stan + 1, 1_00),
            purchase(OTHER_PAN, stan + 2, 1_00),
            purchase(OTHER_PAN, stan + 3, 500_00),
            purchase(UNKNOWN_PAN, stan + 4, 1_00),
            reversal(&usual(stan + 1, 1_00), stan + 5),
            usual(stan + 6, 1_00).mti("0600"),
        ] {
            processor.ask(&request).await;
        }
    }
    service.says(Says::Status(500));
    daemon.ascii().await.ask(&usual(9, 1_00)).await;
    daemon
}

/// The names of our metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("authswitch_")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_that_alerts_and_dashboard_name_is_on_the_page() {
    let page = names(&with_traffic().await.api().metrics_page().await);
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    for file in ["alerts.yaml", "dashboard.json"] {
        let named = names(&std::fs::read_to_string(deploy.join(file)).unwrap());
        assert!(!named.is_empty(), "{file}");
        // A series a rule of the program, some a rate in force, and one a program that may stand in: here there is none.
        let none = [
            "authswitch_rate_age_seconds",
            "authswitch_rate_outside_band",
            "authswitch_rate_usable",
            "authswitch_rule_hits_total",
            "authswitch_stand_in_exposure",
            "authswitch_stand_in_exposure_max",
        ];
        let missing: Vec<_> = named.difference(&page).filter(|name| !none.contains(&name.as_str())).collect();
        assert!(missing.is_empty(), "{file} names {missing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_on_the_page_is_described() {
    let page = with_traffic().await.api().metrics_page().await;
    let described: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    let mut samples = 0;
    for line in page.lines().filter(|line| line.starts_with("authswitch_")) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        assert!(described.contains(name) || family.is_some_and(|name| described.contains(name)), "{line}");
        samples += 1;
    }
    assert!(samples > 100, "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_counts_what_happened() {
    let daemon = with_traffic().await;
    daemon.ascii().await.expect_echo(1).await;
    for (sample, expected) in [
        ("authswitch_authorizations_total{outcome=\"approved\",reason=\"approved\"}", 4),
        ("authswitch_authorizations_total{outcome=\"declined\",reason=\"insufficient_funds\"}", 2),
        ("authswitch_authorizations_total{outcome=\"declined\",reason=\"unknown_card\"}", 2),
        ("authswitch_authorizations_total{outcome=\"declined\",reason=\"funding_unavailable\"}", 1),
        ("authswitch_authorization_duration_seconds_count{funding=\"cache\"}", 2),
        ("authswitch_authorization_duration_seconds_count{funding=\"jit\"}", 3),
        ("authswitch_authorization_duration_seconds_count{funding=\"none\"}", 4),
        ("authswitch_reversals_total", 2),
        ("authswitch_not_served_total", 2),
        ("authswitch_network_messages_total", 3),
        ("authswitch_funding_asks_total{outcome=\"approved\"}", 2),
        ("authswitch_funding_asks_total{outcome=\"http_error\"}", 1),
        ("authswitch_cards", 2),
        ("authswitch_accounts", 2),
        ("authswitch_late_answers_total", 0),
        ("authswitch_journal_failed", 0),
        ("authswitch_link_up{link=\"ascii-1987\"}", 1),
        ("authswitch_link_in_flight_max{link=\"ascii-1987\"}", 4_096),
        ("authswitch_queue_records_max{queue=\"lane_requests\"}", 8_192),
    ] {
        assert_eq!(daemon.api().metric(sample).await, expected, "{sample}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_connections_and_requests_are_gauged_while_they_last() {
    let (daemon, service) = with_jit_card(|_| {}).await;
    service.says(Says::Late(Duration::from_millis(300)));
    let mut processor = daemon.ascii().await;
    processor.send(&usual(1, 1_00)).await;
    eventually("the ask", || async { (!service.asks().is_empty()).then_some(()) }).await;
    let api = daemon.api();
    assert_eq!(api.metric("authswitch_link_connections{link=\"ascii-1987\"}").await, 1);
    assert_eq!(api.metric("authswitch_link_in_flight{link=\"ascii-1987\"}").await, 1);
    assert_eq!(api.metric("authswitch_funding_asks_in_flight").await, 1);
    assert_eq!(processor.receive().await.code(), "00");
    drop(processor);
    for gauge in ["authswitch_link_connections", "authswitch_link_in_flight"] {
        let sample = format!("{gauge}{{link=\"ascii-1987\"}}");
        eventually(gauge, || async { (api.metric(&sample).await == 0).then_some(()) }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_and_metrics_need_no_key_and_the_control_api_does() {
    let daemon = Daemon::start().await;
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/v1/totals", 401)] {
        let answer = daemon.api().without_key().get(path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    let page = daemon.api().get("/readyz").await.text;
    assert!(page.lines().count() >= 4 && page.lines().all(|line| line.starts_with("ok ")), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_answered_while_the_connections_of_the_api_are_used_up() {
    let daemon = Daemon::start_with(|file| {
        file.admin.connections_max = 2;
        file.admin.health_connections_max = 1;
    })
    .await;
    let idle = [
        TcpStream::connect(daemon.switch.admin()).await.unwrap(),
        TcpStream::connect(daemon.switch.admin()).await.unwrap(),
    ];
    let api = daemon.api();
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/v1/totals", 503)] {
        let answer = eventually(path, || api.try_request("GET", path, "", "")).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    drop(idle);
    let served = || async { api.try_request("GET", "/v1/totals", "", "").await.filter(|a| a.status != 503) };
    eventually("a place of the API", served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_answers_what_is_in_flight_and_takes_nothing_more() {
    let (daemon, service) = with_jit_card(|_| {}).await;
    service.says(Says::Late(Duration::from_millis(500)));
    let api = daemon.api();
    let link = daemon.switch.links()[0];
    let mut processor = daemon.ascii().await;
    let mut idle = daemon.ascii().await;
    idle.expect_echo(1).await;
    processor.send(&usual(1, 12_34)).await;
    eventually("the ask", || async { (!service.asks().is_empty()).then_some(()) }).await;

    let Daemon { switch, file, folder } = daemon;
    let stopping = tokio::spawn(switch.stop());
    let not_ready = || async {
        let answer = api.try_request("GET", "/readyz", "", "").await?;
        (answer.status == 503).then_some(answer)
    };
    let answer = eventually("not being ready", not_ready).await;
    assert!(answer.text.contains("FAIL not stopping"), "{answer:?}");
    assert_eq!(api.get("/healthz").await.status, 200, "it is still alive");
    idle.expect_close().await;
    let refused = || async { TcpStream::connect(link).await.err() };
    eventually("the link to be closed", refused).await;
    let answer = processor.receive().await;
    assert_eq!((answer.get(11), answer.code()), ("000001", "00"));
    processor.expect_close().await;
    tokio::time::timeout(PATIENCE, stopping).await.unwrap().unwrap().unwrap();
    assert!(api.try_request("GET", "/healthz", "", "").await.is_none(), "the admin port is closed too");

    let switch = start(&file).await.unwrap();
    let daemon = Daemon { switch, file, folder };
    assert_eq!(daemon.api().balance("A").await, ["12.34", "12.34", "0.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_only_after_the_last_answer_has_left() {
    let service = BalanceService::start().await;
    service.says(Says::Late(Duration::from_millis(300)));
    let endpoint = service.endpoint.clone();
    // A runtime of its own, which ends with the switch as its process would.
    let process = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let daemon = process.spawn(Daemon::start_with(|file| file.funding.endpoint = endpoint)).await.unwrap();
    daemon.api().open_account("A", "USD").await;
    daemon.api().issue("C", PAN, "A", "jit", json!({})).await;
    let mut processor = daemon.ascii().await;
    for stan in 1..=50 {
        processor.send(&usual(stan, 1_00)).await;
    }
    eventually("the asks", || async { (service.asks().len() == 50).then_some(()) }).await;
    let Daemon { switch, file: _, folder: _folder } = daemon;
    process.spawn(switch.stop()).await.unwrap().unwrap();
    process.shutdown_background();
    for _ in 1..=50 {
        assert_eq!(processor.receive().await.code(), "00");
    }
    processor.expect_close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_connections_that_ask_nothing() {
    // Ten seconds are what requests in flight are given. A slow machine may need them for other things, once.
    let mut took = Vec::new();
    while took.len() < 3 {
        took.push(stop_with_idle_connections().await);
        if took.last() < Some(&Duration::from_secs(5)) {
            return;
        }
    }
    panic!("stopped after {took:?}");
}

async fn stop_with_idle_connections() -> Duration {
    let daemon = Daemon::with_card().await;
    let mut idle = daemon.ascii().await;
    idle.expect_echo(1).await;
    let mut half = daemon.ascii().await;
    half.send_bytes(b"\x00\x40half a message").await;
    let _silent = TcpStream::connect(daemon.switch.admin()).await.unwrap();
    let mut half_a_header = TcpStream::connect(daemon.switch.admin()).await.unwrap();
    half_a_header.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").await.unwrap();
    let begin = Instant::now();
    daemon.switch.stop().await.unwrap();
    let took = begin.elapsed();
    idle.expect_close().await;
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_port_has_room_for_so_many_connections_and_costs_processors_nothing() {
    let daemon = Daemon::start_with(|file| {
        file.admin.connections_max = 2;
        file.admin.health_connections_max = 1;
    })
    .await;
    let address = daemon.switch.admin();
    // The third has the place that is kept for health.
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    assert!(daemon.api().try_request("GET", "/healthz", "", "").await.is_none(), "one too many");
    daemon.ascii().await.expect_echo(1).await;
    drop(silent);
    let served = || async { daemon.api().try_request("GET", "/healthz", "", "").await };
    assert_eq!(eventually("a free place", served).await.status, 200);
}
