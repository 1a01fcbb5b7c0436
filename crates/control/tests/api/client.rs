//! A client: sends requests into the router and scans every answer for card data before a test sees it.

use crate::bench::Bench;
use crate::contract;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use control::{ApiKey, ControlBounds, router};
use serde_json::Value;
use std::sync::Arc;
use tower::ServiceExt;

pub const KEY: &str = "a-key-for-tests-only";

/// Two card numbers of the schemes' published test ranges.
pub const PAN: &str = "4242424242424242";
pub const OTHER_PAN: &str = "5555555555554444";
pub const EXPIRY: &str = "2029-12";

#[derive(Clone)]
pub struct Client {
    pub bench: Arc<Bench>,
    router: Router,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub json: Value,
}

impl Client {
    pub fn new() -> Self {
        Self::with_bounds(ControlBounds::default())
    }

    pub fn with_bounds(bounds: ControlBounds) -> Self {
        let bench = Bench::new();
        let router = router(Arc::clone(&bench), ApiKey::new(KEY).unwrap(), bounds);
        Self { bench, router }
    }

    /// A switch with the account `A` in USDT and the card `C` on it.
    pub async fn with_card() -> Self {
        let client = Self::new();
        client.post("/v1/accounts", r#"{"id": "A", "asset": "USDT"}"#).await.expect(201);
        client.post("/v1/cards", &card("C", PAN, "")).await.expect(201);
        client
    }

    /// Sends a request as it is.
    pub async fn raw(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        scan(&text, &parts.headers);
        let json = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        let answer = Answer { status: parts.status, headers: parts.headers, json };
        answer.check_shape();
        contract::check_answer(&method, &path, answer.status, &answer.json);
        answer
    }

    pub async fn send(&self, method: Method, path: &str, key: Option<&str>, body: &str) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {KEY}"))
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.raw(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, "").await
    }

    pub async fn put(&self, path: &str, body: &str) -> Answer {
        self.send(Method::PUT, path, None, body).await
    }

    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(Method::POST, path, None, body).await
    }

    /// Books money.
    pub async fn book(&self, path: &str, key: &str, amount: &str) -> Answer {
        self.send(Method::POST, path, Some(key), &format!(r#"{{"amount": {amount}}}"#)).await
    }
}

impl Answer {
    /// The answer, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:#?}");
        self
    }

    /// The last word of a problem's type.
    pub fn problem(&self) -> &str {
        self.json["type"].as_str().unwrap().strip_prefix("urn:authswitch:problem:").unwrap()
    }

    /// The fields at fault.
    pub fn fields(&self) -> Vec<&str> {
        self.json["errors"].as_array().unwrap().iter().map(|fault| fault["field"].as_str().unwrap()).collect()
    }

    /// Every error is a problem detail, and every success is JSON.
    fn check_shape(&self) {
        assert_eq!(self.headers["cache-control"], "no-store");
        let content_type = self.headers.get("content-type").map(|value| value.to_str().unwrap());
        if self.status.is_success() {
            assert_eq!(content_type, Some("application/json"), "{self:#?}");
            return;
        }
        assert_eq!(content_type, Some("application/problem+json"), "{self:#?}");
        assert_eq!(self.json["status"], self.status.as_u16());
        for member in ["type", "title", "detail"] {
            assert!(self.json[member].as_str().is_some_and(|text| !text.is_empty()), "{self:#?}");
        }
    }
}

/// The body that issues a card; `more` is added to its fields.
pub fn card(id: &str, number: &str, more: &str) -> String {
    format!(
        r#"{{"id": "{id}", "number": "{number}", "account": "A", "currency": "USD",
            "expiry": "{EXPIRY}", "funding": "pre_funded"{more}}}"#
    )
}

/// No answer holds a card number, whole or without its last four digits, nor an expiry.
fn scan(body: &str, headers: &HeaderMap) {
    let everything = format!("{body} {headers:?}");
    let joined: String = everything.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    for secret in [PAN, OTHER_PAN] {
        assert!(!joined.contains(&secret[..12]), "an answer holds a card number: {everything}");
    }
    for secret in [EXPIRY, "202912", "12/29", "2912"] {
        assert!(!everything.contains(secret), "an answer holds an expiry: {everything}");
    }
}
