//! A client of the control API: HTTP/1.1 over connections that are kept open.
//!
//! Guarantees: one request at a time on a connection; a request that was cut off or answered "busy" is sent again a
//! few times with growing pauses, which is safe because postings carry an idempotency key and creations answer the
//! same the second time. Bodies are never part of an error: they may hold card numbers.

use anyhow::{Context, anyhow, bail};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// Attempts at one request, with pauses of 50 ms, 100 ms, 200 ms and so on between them.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Longer than the API itself lets a change wait for the disk.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The longest answer is a page of a card's history.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Where the API is, and the key to it.
#[derive(Clone)]
pub(crate) struct Api {
    authority: Arc<str>,
    key: HeaderValue,
}

/// A connection to the API, opened when it is first needed and again when it was lost.
pub(crate) struct Connection {
    api: Api,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) body: Bytes,
}

/// What the API answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Bytes,
}

impl Api {
    /// The API at `url` with the bearer key `key`.
    pub(crate) fn new(url: &str, key: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url:?} is not a URL"))?;
        let authority = match (uri.scheme_str(), uri.authority()) {
            (Some("http"), Some(authority)) => authority,
            _ => bail!("{url:?} is not a URL of the form http://host:port"),
        };
        let port = authority.port_u16().unwrap_or(80);
        let mut key = HeaderValue::try_from(format!("Bearer {}", key.trim()))
            .map_err(|_| anyhow!("the control key holds characters that no key has"))?;
        key.set_sensitive(true);
        Ok(Self { authority: format!("{}:{port}", authority.host()).into(), key })
    }

    /// A connection, not yet opened.
    pub(crate) fn connection(&self) -> Connection {
        Connection { api: self.clone(), sender: None }
    }
}

impl Call {
    /// A request without a body.
    pub(crate) fn show(path: &str) -> Self {
        Self { method: Method::GET, path: path.to_owned(), idempotency_key: None, body: Bytes::new() }
    }
}

impl From<control::import::Call> for Call {
    fn from(call: control::import::Call) -> Self {
        Self {
            method: call.method,
            path: call.path,
            idempotency_key: call.idempotency_key,
            body: call.body.into(),
        }
    }
}

impl Connection {
    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// The API cannot be reached, or was busy or cut off at every attempt.
    pub(crate) async fn send(&mut self, call: &Call) -> anyhow::Result<Answer> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let last = attempt == ATTEMPTS;
            match self.send_once(call).await {
                Ok(answer) if answer.status != StatusCode::SERVICE_UNAVAILABLE => return Ok(answer),
                ended if last => return ended,
                Ok(_) | Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
        }
        bail!("no attempt was made")
    }

    /// Sends a request that must be answered 200, and reads the answer as JSON.
    pub(crate) async fn read(&mut self, path: &str) -> anyhow::Result<Value> {
        let answer = self.send(&Call::show(path)).await?;
        if answer.status != StatusCode::OK {
            bail!("GET {path}: {}", answer.problem());
        }
        answer.json().with_context(|| format!("GET {path}"))
    }

    /// Sends a request and does not try again.
    ///
    /// # Errors
    /// The API cannot be reached or did not answer in time.
    pub(crate) async fn send_once(&mut self, call: &Call) -> anyhow::Result<Answer> {
        let attempted = tokio::time::timeout(ANSWER_WITHIN, self.attempt(call)).await;
        let answer = attempted
            .map_err(|_elapsed| anyhow!("{} did not answer within {ANSWER_WITHIN:?}", self.api.authority))
            .flatten();
        if answer.is_err() {
            self.sender = None;
        }
        answer
    }

    async fn attempt(&mut self, call: &Call) -> anyhow::Result<Answer> {
        let authority = Arc::clone(&self.api.authority);
        let context = || format!("control API at {authority}");
        let mut request = Request::builder()
            .method(&call.method)
            .uri(&call.path)
            .header(HOST, &*self.api.authority)
            .header(AUTHORIZATION, &self.api.key);
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let request = request.body(Full::new(call.body.clone())).with_context(context)?;
        let sender = self.sender().await.with_context(context)?;
        let response = sender.send_request(request).await.with_context(context)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| anyhow!("{}: {error}", context()))?;
        Ok(Answer { status, body: body.to_bytes() })
    }

    async fn sender(&mut self) -> anyhow::Result<&mut SendRequest<Full<Bytes>>> {
        if let Some(mut sender) = self.sender.take()
            // The other side may have closed a quiet connection.
            && sender.ready().await.is_ok()
        {
            return Ok(self.sender.insert(sender));
        }
        Ok(self.sender.insert(open(&self.api.authority).await?))
    }
}

async fn open(authority: &str) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the connection; what went wrong is told to whoever waits for an answer.
    tokio::spawn(connection);
    Ok(sender)
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("the answer is not JSON")
    }

    /// What the API says is wrong: every field at fault, or else the detail, or else the status.
    pub(crate) fn problem(&self) -> String {
        let Ok(problem) = self.json() else { return self.status.to_string() };
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let fault = |fault: &Value| {
            Some(format!(
                "{}: found {}; allowed: {}",
                text(fault, "field")?,
                text(fault, "found")?,
                text(fault, "allowed")?
            ))
        };
        let faults: Vec<String> = problem
            .get("errors")
            .and_then(Value::as_array)
            .map(|errors| errors.iter().filter_map(fault).collect())
            .unwrap_or_default();
        let detail = if faults.is_empty() { text(&problem, "detail") } else { Some(faults.join("; ")) };
        match (text(&problem, "title"), detail) {
            (Some(title), Some(detail)) if title != detail => format!("{title}: {detail}"),
            (Some(title), _) => title,
            (None, _) => self.status.to_string(),
        }
    }
}
