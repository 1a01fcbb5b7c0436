//! A balance service that does as it is told and remembers everything that it was sent.

use super::eventually;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// The development key, which everybody can read.
const KEY: &str = include_str!("../../../../config/keys/funding.key");

/// What the service says to the next asks.
#[derive(Clone, Copy, Debug)]
pub enum Says {
    Approve,
    Decline,
    /// Approves so many units.
    Part(u64),
    /// Approves after so long.
    Late(Duration),
    /// Never answers.
    Nothing,
    /// Another status than 200.
    Status(u16),
}

#[derive(Default)]
struct Inner {
    says: Option<Says>,
    takes_duties: bool,
    asks: Vec<Value>,
    cancels: Vec<Value>,
    advices: Vec<Value>,
}

#[derive(Clone)]
pub struct BalanceService {
    inner: Arc<Mutex<Inner>>,
    pub endpoint: String,
}

impl BalanceService {
    /// Listens, says yes to everything and acknowledges every duty.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let inner = Inner { takes_duties: true, ..Inner::default() };
        let service = Self { inner: Arc::new(Mutex::new(inner)), endpoint };
        let router = Router::new()
            .route("/v1/asks", post(ask))
            .route("/v1/cancels", post(cancel))
            .route("/v1/advices", post(advice))
            .with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        service
    }

    pub fn says(&self, says: Says) {
        self.inner.lock().unwrap().says = Some(says);
    }

    /// Whether cancels and advices are acknowledged.
    pub fn takes_duties(&self, takes: bool) {
        self.inner.lock().unwrap().takes_duties = takes;
    }

    pub fn asks(&self) -> Vec<Value> {
        self.inner.lock().unwrap().asks.clone()
    }

    pub fn cancels(&self) -> Vec<Value> {
        self.inner.lock().unwrap().cancels.clone()
    }

    pub fn advices(&self) -> Vec<Value> {
        self.inner.lock().unwrap().advices.clone()
    }

    /// Waits for a cancel of the ask with this id.
    pub async fn cancel_of(&self, ask: &Value) -> Value {
        let look = || async { self.cancels().into_iter().find(|cancel| cancel["ask_id"] == *ask) };
        eventually("a cancel", look).await
    }

    /// Checks the signature as the contract describes it, and reads the body.
    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Value {
        let header = |name: &str| headers.get(name).unwrap().to_str().unwrap();
        let key = BASE64_STANDARD.decode(KEY.trim().strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
        mac.update(body);
        let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(header("webhook-signature"), expected);
        serde_json::from_slice(body).unwrap()
    }

    fn acknowledgement(&self) -> StatusCode {
        let takes = self.inner.lock().unwrap().takes_duties;
        if takes { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }
    }
}

async fn ask(State(service): State<BalanceService>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let ask = service.read(&headers, &body);
    let says = {
        let mut inner = service.inner.lock().unwrap();
        inner.asks.push(ask.clone());
        inner.says.unwrap_or(Says::Approve)
    };
    let answer = |mut answer: Value| {
        answer["ask_id"] = ask["ask_id"].clone();
        (StatusCode::OK, answer.to_string())
    };
    match says {
        Says::Approve => answer(json!({ "decision": "approve" })),
        Says::Decline => answer(json!({ "decision": "decline", "code": "insufficient_funds" })),
        Says::Part(units) => answer(json!({ "decision": "approve", "units": units.to_string() })),
        Says::Late(after) => {
            tokio::time::sleep(after).await;
            answer(json!({ "decision": "approve" }))
        }
        Says::Nothing => std::future::pending().await,
        Says::Status(status) => (StatusCode::from_u16(status).unwrap(), String::new()),
    }
}

async fn cancel(State(service): State<BalanceService>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let cancel = service.read(&headers, &body);
    service.inner.lock().unwrap().cancels.push(cancel);
    service.acknowledgement()
}

async fn advice(State(service): State<BalanceService>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let advice = service.read(&headers, &body);
    service.inner.lock().unwrap().advices.push(advice);
    service.acknowledgement()
}
