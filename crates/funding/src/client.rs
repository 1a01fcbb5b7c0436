//! Requests to one endpoint of the balance service over connections that are kept open.
//!
//! The connection used last is used first, so that a burst's surplus ages and closes; over HTTP/2 the least
//! burdened is shared. There is no queue: who needs a connection and finds none opens one, and with as many open
//! as there may be the request is refused at once. Nothing is ever sent twice here, with one exception that
//! cannot be seen by the service: a kept connection which turns out closed before a byte was written is replaced
//! by a fresh one, once.

use crate::config::FundingConfig;
use crate::connection::{
    Answer, BodyFailure, Connection, Dialler, Outgoing, Progress, Protocol, SendFailure, look_up, read_body,
};
use crate::contract::{DEADLINE_HEADER, Message};
use crate::endpoint::{Endpoint, Scheme};
use crate::signature::{ID_HEADER, Keys, SIGNATURE_HEADER, SignatureError, Signed, TIMESTAMP_HEADER};
use crate::tls;
use bytes::Bytes;
use domain::{FundingFailure, Moment, Mono};
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a connection that nobody waits for may take to open.
const BACKGROUND_CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// How long a name may take to look up. The system's own patience is far longer than anybody's here.
const LOOKUP_WITHIN: Duration = Duration::from_secs(5);

/// The pool of connections, and how requests are made.
pub(crate) struct Client {
    config: Arc<FundingConfig>,
    endpoint: Endpoint,
    host: HeaderValue,
    dialler: Dialler,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    addresses: Mutex<Addresses>,
}

#[derive(Debug, Default)]
struct Addresses {
    known: Arc<[SocketAddr]>,
    looked_up: Option<Mono>,
}

/// How an exchange failed, and what the service may have seen of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ExchangeFailure {
    /// No connection could be had: the service has seen nothing.
    NotConnected,
    /// As many connections are open as there may be: the service has seen nothing.
    NoPlace,
    /// The request could not be written down: the service has seen nothing.
    NotWritable,
    /// The connection broke; the service may have seen everything.
    Broken,
    /// The answer's body is above the bound.
    TooLarge,
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("the host cannot be sent in a header")]
    Host(#[from] http::header::InvalidHeaderValue),
    #[error("the host is neither a name nor an address that a certificate could bear")]
    Name,
    #[error("an https endpoint needs the file of authorities that its certificate comes from")]
    NoTls,
}

impl ExchangeFailure {
    /// The word for it, and whether the service may have seen the request.
    pub(crate) const fn classify(self) -> (FundingFailure, MayHaveSeen) {
        match self {
            Self::NotConnected => (FundingFailure::Refused, MayHaveSeen::Nothing),
            Self::NoPlace => (FundingFailure::Overloaded, MayHaveSeen::Nothing),
            Self::NotWritable => (FundingFailure::Malformed, MayHaveSeen::Nothing),
            Self::Broken => (FundingFailure::Reset, MayHaveSeen::Everything),
            Self::TooLarge => (FundingFailure::Malformed, MayHaveSeen::Everything),
        }
    }
}

/// What the service may have seen of a request that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MayHaveSeen {
    /// For certain not one byte.
    Nothing,
    /// All of it, for all we know.
    Everything,
}

impl Client {
    /// A client without any connection yet.
    pub(crate) fn new(config: Arc<FundingConfig>, endpoint: Endpoint) -> Result<Self, ClientError> {
        let host = HeaderValue::try_from(endpoint.authority())?;
        let tls = match endpoint.scheme() {
            Scheme::Http => None,
            Scheme::Https => {
                let settings = config.tls.as_ref().ok_or(ClientError::NoTls)?;
                let name = tls::server_name(&endpoint).ok_or(ClientError::Name)?;
                Some((settings.speaking(config.protocol.alpn()), name))
            }
        };
        let dialler = Dialler { protocol: config.protocol, tls };
        let places = Arc::new(Semaphore::new(config.connections_max));
        let (idle, addresses) = (Mutex::default(), Mutex::default());
        Ok(Self { config, endpoint, host, dialler, places, idle, addresses })
    }

    /// Writes and signs a message. `remaining` is told to the service where it has a deadline.
    pub(crate) fn request(
        &self,
        message: &Message,
        remaining: Option<Duration>,
        now: Moment,
    ) -> Result<Outgoing, ExchangeFailure> {
        let timestamp = (now.utc.micros() / 1_000_000).to_string();
        let signature = self.config.request_keys.sign(&message.id, &timestamp, &message.body);
        let mut request = self
            .begin(Method::POST, message.path)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(ID_HEADER, message.id.as_str())
            .header(TIMESTAMP_HEADER, timestamp)
            .header(SIGNATURE_HEADER, signature);
        if let Some(remaining) = remaining {
            let milliseconds = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
            request = request.header(DEADLINE_HEADER, milliseconds);
        }
        finish(request, message.body.clone())
    }

    /// Asks whether the service is well.
    pub(crate) fn health_request(&self, path: &str) -> Result<Outgoing, ExchangeFailure> {
        finish(self.begin(Method::GET, path), Bytes::new())
    }

    fn begin(&self, method: Method, path: &str) -> http::request::Builder {
        let base = self.endpoint.base();
        let builder = Request::builder().method(method);
        let json = HeaderValue::from_static("application/json");
        match self.config.protocol {
            Protocol::Http1 => builder.uri(format!("{base}{path}")).header(HOST, self.host.clone()),
            // HTTP/2 has no Host header; the authority travels with the address.
            Protocol::Http2 => builder.uri(format!("{}{path}", self.endpoint)),
        }
        .header(ACCEPT, json)
    }

    /// Sends a request and reads the whole answer. Has no time limit of its own: the caller's holds for all of
    /// it, and dropping the future ends the exchange.
    pub(crate) async fn exchange(
        &self,
        request: Outgoing,
        progress: &Progress,
        clock: impl Fn() -> Mono,
    ) -> Result<Answer, ExchangeFailure> {
        let (mut connection, response) = self.send(request, progress, &clock).await?;
        let (head, body) = response.into_parts();
        let body = match read_body(body, self.config.answer_bytes_max).await {
            Ok(body) => body,
            Err(BodyFailure::TooLarge) => return Err(ExchangeFailure::TooLarge),
            Err(BodyFailure::Broken) => return Err(ExchangeFailure::Broken),
        };
        if self.config.protocol == Protocol::Http1 {
            let now = clock();
            connection.idle_since = now;
            self.keep(connection, now);
        }
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    async fn send(
        &self,
        mut request: Outgoing,
        progress: &Progress,
        clock: impl Fn() -> Mono,
    ) -> Result<(Connection, Response<Incoming>), ExchangeFailure> {
        if let Some(mut kept) = self.take(clock()) {
            match kept.send(request, progress).await {
                Ok(response) => return Ok((kept, response)),
                Err(SendFailure::Broken) => return Err(ExchangeFailure::Broken),
                Err(SendFailure::NotSent(back)) => request = *back,
            }
        }
        let mut fresh = self.connect(clock()).await.map_err(|error| {
            tracing::debug!(%error, endpoint = %self.endpoint, "no connection to the balance service");
            if error.kind() == io::ErrorKind::QuotaExceeded {
                ExchangeFailure::NoPlace
            } else {
                ExchangeFailure::NotConnected
            }
        })?;
        if let Some(another) = fresh.share() {
            self.keep(another, clock());
        }
        match fresh.send(request, progress).await {
            Ok(response) => Ok((fresh, response)),
            Err(SendFailure::Broken) => Err(ExchangeFailure::Broken),
            Err(SendFailure::NotSent(_)) => Err(ExchangeFailure::NotConnected),
        }
    }

    /// Opens connections until `connections_warm` are idle. Returns how many are.
    pub(crate) async fn warm_up(&self, now: Mono) -> io::Result<usize> {
        while self.idle() < self.config.connections_warm {
            let connection = timeout(BACKGROUND_CONNECT_WITHIN, self.connect(now)).await??;
            if !self.keep(connection, now) {
                break;
            }
        }
        Ok(self.idle())
    }

    /// Closes idle connections that have waited or lived too long, or were closed by the service.
    pub(crate) fn prune(&self, now: Mono) {
        self.lock_idle().retain(|kept| self.is_fresh(kept, now));
    }

    /// Closes all idle connections.
    pub(crate) fn close(&self) {
        self.lock_idle().clear();
    }

    /// How many connections are idle and, as far as anybody knows, not closed by the service.
    pub(crate) fn idle(&self) -> usize {
        self.lock_idle().iter().filter(|kept| kept.is_usable()).count()
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.config.connections_max.saturating_sub(self.places.available_permits())
    }

    /// Looks the endpoint's name up again when that is due. A failure keeps the addresses that are known.
    pub(crate) async fn refresh_addresses(&self, now: Mono) -> io::Result<()> {
        let looked_up = self.lock_addresses().looked_up;
        if looked_up.is_some_and(|then| now.since(then) < self.config.lookup_interval) {
            return Ok(());
        }
        let known = timeout(LOOKUP_WITHIN, look_up(&self.endpoint)).await??.into();
        *self.lock_addresses() = Addresses { known, looked_up: Some(now) };
        Ok(())
    }

    async fn connect(&self, now: Mono) -> io::Result<Connection> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            io::Error::new(io::ErrorKind::QuotaExceeded, "as many connections are open as there may be")
        })?;
        let never_looked_up = self.lock_addresses().looked_up.is_none();
        if never_looked_up {
            self.refresh_addresses(now).await?;
        }
        let addresses = Arc::clone(&self.lock_addresses().known);
        self.dialler.open(&addresses, place, now).await
    }

    /// A connection for one exchange, if one is open and free.
    fn take(&self, now: Mono) -> Option<Connection> {
        let mut idle = self.lock_idle();
        match self.config.protocol {
            Protocol::Http1 => {
                while let Some(kept) = idle.pop() {
                    if self.is_fresh(&kept, now) {
                        return Some(kept);
                    }
                }
                None
            }
            Protocol::Http2 => {
                idle.retain(|kept| self.is_fresh(kept, now));
                let least = idle.iter_mut().min_by_key(|kept| kept.shared())?;
                if least.shared() >= self.config.streams_per_connection_max {
                    return None;
                }
                least.idle_since = now;
                least.share()
            }
        }
    }

    /// Keeps a connection for the next exchange, if it is worth it. Returns whether it was.
    fn keep(&self, connection: Connection, now: Mono) -> bool {
        let mut idle = self.lock_idle();
        let worth = self.is_fresh(&connection, now) && idle.len() < self.config.asks_in_flight_max;
        if worth {
            idle.push(connection);
        }
        worth
    }

    fn is_fresh(&self, kept: &Connection, now: Mono) -> bool {
        kept.is_usable()
            && now.since(kept.idle_since) < self.config.connection_idle_max
            && now.since(kept.opened) < self.config.connection_age_max
    }

    fn lock_idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_addresses(&self) -> MutexGuard<'_, Addresses> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn finish(request: http::request::Builder, body: impl Into<Bytes>) -> Result<Outgoing, ExchangeFailure> {
    request.body(Full::new(body.into())).map_err(|error| {
        tracing::error!(%error, "a request to the balance service could not be written");
        ExchangeFailure::NotWritable
    })
}

/// Checks that the service signed this answer, as the answer to the message `id`.
pub(crate) fn check_signed(
    answer: &Answer,
    id: &str,
    keys: &Keys,
    now: Moment,
) -> Result<(), UntrustedAnswer> {
    let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed = Signed {
        id: header(ID_HEADER),
        timestamp: header(TIMESTAMP_HEADER),
        signature: header(SIGNATURE_HEADER),
        body: &answer.body,
    };
    if signed.id != id {
        return Err(UntrustedAnswer::OtherMessage);
    }
    Ok(keys.verify(signed, now.utc)?)
}

/// Why an answer is not believed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum UntrustedAnswer {
    /// Its headers name no message, or another one.
    #[error("the answer is not signed as the answer to this ask")]
    OtherMessage,
    /// The signature does not fit.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}
