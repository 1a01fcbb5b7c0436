//! One HTTP/1.1 connection to the balance service, and one exchange over it.
//!
//! The exchange tells apart what the books depend on: whether the service can have seen the request. Only a
//! connection that says for certain that no byte was written gives the request back; everything else that goes
//! wrong leaves the outcome open. Dropping a connection closes its socket at once.

use crate::config::Endpoint;
use bytes::Bytes;
use domain::Mono;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long one address of several may take to answer. The next one is tried while the ask still has time.
const ADDRESS_TRIED_FOR: Duration = Duration::from_millis(300);

/// The request as it is sent; cheap to give back and send again.
pub(crate) type Outgoing = Request<Full<Bytes>>;

/// Whether any byte of a request may have left. Shared between an exchange and whoever gives up on it.
#[derive(Debug, Default)]
pub(crate) struct Progress(AtomicBool);

impl Progress {
    /// Whether the service may have seen the request.
    pub(crate) fn may_have_sent(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self, sent: bool) {
        self.0.store(sent, Ordering::Release);
    }
}

/// A connection that carries one exchange at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    /// When it was opened.
    pub(crate) opened: Mono,
    /// When its last exchange ended, or when it was opened.
    pub(crate) idle_since: Mono,
}

/// Why nothing came back.
#[derive(Debug)]
pub(crate) enum SendFailure {
    /// No byte was written. The request may be sent again elsewhere.
    NotSent(Box<Outgoing>),
    /// The connection broke after something may have been written.
    Broken,
}

/// Why an answer's body is not there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BodyFailure {
    /// It has more bytes than allowed.
    TooLarge,
    /// The connection broke before its end.
    Broken,
}

impl Connection {
    /// Opens a connection to the first address that takes it. The last address has the caller's whole time.
    pub(crate) async fn open(addresses: &[SocketAddr], now: Mono) -> io::Result<Self> {
        let Some((last, others)) = addresses.split_last() else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the endpoint's name has no address"));
        };
        for address in others {
            if let Ok(Ok(connection)) = timeout(ADDRESS_TRIED_FOR, Self::to(*address, now)).await {
                return Ok(connection);
            }
        }
        Self::to(*last, now).await
    }

    async fn to(address: SocketAddr, now: Mono) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        // An ask is one small write, and nothing follows it that could be sent along.
        stream.set_nodelay(true)?;
        let mut builder = Builder::new();
        builder.max_headers(64).max_buf_size(32 * 1024);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the balance service ended");
            }
        });
        Ok(Self { sender, driver, opened: now, idle_since: now })
    }

    /// Whether it can still carry an exchange, as far as anybody knows.
    pub(crate) fn is_usable(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(
        &mut self,
        request: Outgoing,
        progress: &Progress,
    ) -> Result<Response<Incoming>, SendFailure> {
        if self.sender.ready().await.is_err() {
            return Err(SendFailure::NotSent(Box::new(request)));
        }
        progress.set(true);
        match self.sender.try_send_request(request).await {
            Ok(response) => Ok(response),
            Err(mut failure) => match failure.take_message() {
                Some(request) => {
                    // The request comes back only if it never reached the connection's write buffer.
                    progress.set(false);
                    Err(SendFailure::NotSent(Box::new(request)))
                }
                None => {
                    tracing::debug!(error = %failure.into_error(), "an exchange with the balance service broke");
                    Err(SendFailure::Broken)
                }
            },
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Reads a body of at most `bytes_max` bytes.
pub(crate) async fn read_body(mut body: Incoming, bytes_max: usize) -> Result<Vec<u8>, BodyFailure> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > bytes_max {
        return Err(BodyFailure::TooLarge);
    }
    let mut bytes = Vec::with_capacity(announced);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(BodyFailure::Broken) };
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > bytes_max.saturating_sub(bytes.len()) {
            return Err(BodyFailure::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Looks up the endpoint's addresses.
pub(crate) async fn look_up(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((endpoint.host(), endpoint.port())).await?.collect())
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}
