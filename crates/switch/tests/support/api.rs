//! A client of the control API and the admin port. One connection a request: slow, and free of surprises.

use super::PATIENCE;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The development key, which everybody can read.
const KEY: &str = include_str!("../../../../config/keys/control.key");

#[derive(Clone, Copy)]
pub struct Api {
    address: SocketAddr,
    key: &'static str,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Api {
    pub fn at(address: SocketAddr) -> Self {
        Self { address, key: KEY }
    }

    /// The same client without the right key.
    pub fn without_key(self) -> Self {
        Self { key: "not-the-key-of-this-switch", ..self }
    }

    /// Sends one request; `None` if nobody answers.
    pub async fn try_request(&self, method: &str, path: &str, headers: &str, body: &str) -> Option<Answer> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: switch\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}",
            self.key.trim()
        );
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.ok()?;
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            let (head, text) = answer.split_once("\r\n\r\n")?;
            assert!(!head.contains("chunked"), "{head}");
            let status = head.split(' ').nth(1)?.parse().ok()?;
            Some(Answer { status, text: text.to_owned() })
        };
        tokio::time::timeout(PATIENCE, exchange).await.expect("an answer of the admin port")
    }

    async fn request(&self, method: &str, path: &str, headers: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.try_request(method, path, headers, &body).await.expect("an admin port that answers")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "", &Value::Null).await
    }

    /// Looks something up that is there.
    pub async fn show(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// A change that must be taken.
    pub async fn change(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.request(method, path, "", &body).await;
        assert!(matches!(answer.status, 200 | 201), "{method} {path} {body}: {answer:?}");
        answer.json()
    }

    /// Books money under an idempotency key.
    pub async fn book(&self, path: &str, key: &str, amount: &str) -> Answer {
        self.request("POST", path, &format!("Idempotency-Key: {key}\r\n"), &json!({ "amount": amount })).await
    }

    pub async fn open_account(&self, id: &str, asset: &str) {
        self.change("POST", "/v1/accounts", json!({ "id": id, "asset": asset })).await;
    }

    pub async fn credit(&self, id: &str, amount: &str) {
        let answer = self.book(&format!("/v1/accounts/{id}/credits"), "first-credit", amount).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// Issues an active card in US dollars; `more` adds to its fields or replaces them.
    pub async fn issue(&self, id: &str, pan: &str, account: &str, funding: &str, more: Value) {
        let mut card = json!({
            "id": id, "number": pan, "account": account, "currency": "USD", "expiry": "2031-12",
            "funding": funding, "status": "active",
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            card[field] = value.clone();
        }
        self.change("POST", "/v1/cards", card).await;
    }

    /// Ledger, held and available, as decimal text.
    pub async fn balance(&self, account: &str) -> [String; 3] {
        let answer = self.show(&format!("/v1/accounts/{account}")).await;
        ["ledger", "held", "available"]
            .map(|kind| answer["balance"][kind]["amount"].as_str().unwrap().to_owned())
    }

    /// The card's last transaction.
    pub async fn last_transaction(&self, card: &str) -> Value {
        self.show(&format!("/v1/cards/{card}/transactions?limit=1")).await["transactions"][0].clone()
    }

    pub async fn metrics_page(&self) -> String {
        self.get("/metrics").await.text
    }

    /// One count of the metrics page, named as it is written there; 0 if it is not there.
    pub async fn metric(&self, sample: &str) -> u64 {
        let page = self.metrics_page().await;
        let value = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }
}
