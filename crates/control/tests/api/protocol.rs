//! What holds for every endpoint: the key, the bounds, paths and methods that do not exist, broken bodies.

use crate::client::{Client, KEY};
use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use control::{ControlBounds, Kind, Unavailable};
use std::time::Duration;

pub const ENDPOINTS: [(&str, &str); 29] = [
    ("POST", "/v1/accounts"),
    ("GET", "/v1/transactions/tx-017-0006423a9f2c1b40/follow_ups"),
    ("POST", "/v1/transactions/tx-017-0006423a9f2c1b40/expire"),
    ("GET", "/v1/accounts/A"),
    ("POST", "/v1/accounts/A/credits"),
    ("POST", "/v1/accounts/A/debits"),
    ("PUT", "/v1/accounts/A/limits"),
    ("POST", "/v1/accounts/A/balance"),
    ("GET", "/v1/stand_in"),
    ("PUT", "/v1/stand_in/default"),
    ("POST", "/v1/cards"),
    ("GET", "/v1/cards/C"),
    ("PUT", "/v1/cards/C/status"),
    ("POST", "/v1/cards/C/activate"),
    ("POST", "/v1/cards/C/freeze"),
    ("POST", "/v1/cards/C/unfreeze"),
    ("POST", "/v1/cards/C/close"),
    ("PUT", "/v1/cards/C/controls"),
    ("PUT", "/v1/cards/C/limits"),
    ("GET", "/v1/cards/C/transactions"),
    ("GET", "/v1/transactions/tx-017-0006423a9f2c1b40"),
    ("GET", "/v1/rates"),
    ("PUT", "/v1/rates"),
    ("GET", "/v1/duties"),
    ("POST", "/v1/duties/duty-017-0006423a9f2c1b52/retry"),
    ("GET", "/v1/snapshots"),
    ("POST", "/v1/snapshots"),
    ("GET", "/v1/totals"),
    ("GET", "/v1/openapi.json"),
];

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

#[tokio::test]
async fn nothing_is_answered_without_the_key() {
    let client = Client::with_card().await;
    let wrong = format!("Bearer {KEY}x");
    for (method, path) in ENDPOINTS.into_iter().chain([("GET", "/nowhere"), ("DELETE", "/v1/cards/C")]) {
        for headers in [&[][..], &[("authorization", wrong.as_str())], &[("authorization", "Basic eDp5")]] {
            let answer = client.raw(request(method, path, headers, Body::empty())).await.expect(401);
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            assert_eq!(answer.problem(), "unauthorized");
        }
    }
    assert_eq!(client.get("/v1/cards/C").await.json["status"], "active", "nothing was frozen or closed");
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_a_problem_too() {
    let client = Client::new();
    for path in ["/", "/v1", "/v2/cards", "/v1/cards/C/pin", "/v1/accounts/"] {
        assert_eq!(client.get(path).await.expect(404).problem(), "no_such_endpoint", "{path}");
    }
}

#[tokio::test]
async fn a_method_that_an_endpoint_does_not_take_names_those_it_takes() {
    let client = Client::new();
    for (method, path) in ENDPOINTS {
        let answer = client.send(Method::DELETE, path, None, "").await.expect(405);
        assert_eq!(answer.problem(), "method_not_allowed");
        assert!(answer.headers["allow"].to_str().unwrap().contains(method), "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused() {
    let client = Client::new();
    for body in ["", "{", "no", "{}{}", "{\"id\": \"\u{0}\"}"] {
        assert_eq!(
            client.post("/v1/accounts", body).await.expect(400).problem(),
            "malformed_json",
            "{body:?}"
        );
    }
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    client.post("/v1/accounts", &deep).await.expect(400);
    let authorization = format!("Bearer {KEY}");
    let headers =
        [("authorization", authorization.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let answer = client.raw(request("POST", "/v1/accounts", &headers, Body::from("id=A"))).await.expect(415);
    assert_eq!(answer.fields(), ["Content-Type"]);
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused_whether_announced_or_not() {
    let client = Client::with_bounds(ControlBounds { body_bytes_max: 100, ..ControlBounds::default() });
    let long = format!(r#"{{"id": "{}"}}"#, "x".repeat(100));
    let answer = client.post("/v1/accounts", &long).await.expect(413);
    assert_eq!(answer.problem(), "body_too_large");
    assert_eq!(answer.json["errors"][0]["allowed"], "at most 100 bytes");
    let authorization = format!("Bearer {KEY}");
    let headers = [("authorization", authorization.as_str()), ("content-length", "101")];
    client.raw(request("POST", "/v1/accounts", &headers, Body::empty())).await.expect(413);
    client.post("/v1/accounts", r#"{"id": "A", "asset": "USDT"}"#).await.expect(201);
}

/// A body that never ends and never comes.
struct Silent;

impl axum::body::HttpBody for Silent {
    type Data = Bytes;
    type Error = std::convert::Infallible;
    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_send_its_body_is_not_waited_for() {
    let client = Client::with_bounds(ControlBounds {
        body_within: Duration::from_secs(5),
        ..ControlBounds::default()
    });
    let authorization = format!("Bearer {KEY}");
    let headers = [("authorization", authorization.as_str())];
    let answer = client.raw(request("POST", "/v1/accounts", &headers, Body::new(Silent))).await.expect(408);
    assert_eq!(answer.problem(), "body_timed_out");
    assert_eq!(answer.json["errors"][0]["allowed"], "the whole body within 5000 ms");
}

#[tokio::test]
async fn requests_above_the_bound_are_turned_away_and_those_in_flight_finish() {
    let client = Client::with_bounds(ControlBounds { requests_in_flight_max: 1, ..ControlBounds::default() });
    client.bench.shut_the_door();
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.post("/v1/accounts", r#"{"id": "A", "asset": "USDT"}"#).await.status.as_u16() }
    });
    client.bench.until_at_the_door(1).await;
    let answer = client.get("/v1/rates").await.expect(503);
    assert_eq!(answer.problem(), "overloaded");
    assert_eq!(answer.headers["retry-after"], "1");
    client.raw(request("GET", "/v1/rates", &[], Body::empty())).await.expect(401);
    client.bench.open_the_door();
    assert_eq!(first.await.unwrap(), 201);
    client.get("/v1/rates").await.expect(200);
}

#[tokio::test]
async fn a_switch_that_cannot_answer_says_whether_something_was_changed() {
    let client = Client::with_card().await;
    for (unavailable, problem) in [
        (Unavailable::Overloaded, "overloaded"),
        (Unavailable::Stopped, "stopped"),
        (Unavailable::OutcomeUnknown, "outcome_unknown"),
    ] {
        *client.bench.next_change.lock().unwrap() = Some(unavailable);
        let answer = client.book("/v1/accounts/A/credits", "k", r#""1""#).await.expect(503);
        assert_eq!(answer.problem(), problem);
        assert_eq!(answer.json["detail"], unavailable.to_string());
        assert_eq!(answer.headers["retry-after"], "1");
    }
}

#[test]
fn every_kind_of_problem_has_a_word_of_its_own_and_an_error_status() {
    let mut words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Kind::ALL.len());
    assert!(Kind::ALL.iter().all(|kind| kind.status().is_client_error() || kind.status().is_server_error()));
}
