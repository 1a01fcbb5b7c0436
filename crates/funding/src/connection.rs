//! One connection to the balance service, and one exchange over it: HTTP/1.1 or HTTP/2, in clear or over TLS.
//!
//! The exchange tells apart what the books depend on: whether the service can have seen the request. Only a
//! connection that says for certain that no byte was written gives the request back; everything else that goes
//! wrong leaves the outcome open. An HTTP/1.1 connection carries one exchange at a time, and dropping it closes
//! its socket at once. An HTTP/2 connection is shared: its socket closes when the last of its handles is dropped,
//! and an exchange that is dropped resets its own stream.

use crate::endpoint::Endpoint;
use bytes::Bytes;
use domain::Mono;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long one address of several may take to answer. The next one is tried while the ask still has time.
const ADDRESS_TRIED_FOR: Duration = Duration::from_millis(300);

/// The request as it is sent; cheap to give back and send again.
pub(crate) type Outgoing = Request<Full<Bytes>>;

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// HTTP/1.1: one exchange at a time on a connection.
    Http1,
    /// HTTP/2: many exchanges on few connections; in clear "with prior knowledge", over TLS by ALPN.
    Http2,
}

impl Protocol {
    /// Its name in TLS.
    pub(crate) const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

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

/// How a connection is opened.
#[derive(Clone)]
pub(crate) struct Dialler {
    pub(crate) protocol: Protocol,
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// A connection, or one handle of a shared one.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: Sender,
    driver: Arc<Driver>,
    /// When it was opened.
    pub(crate) opened: Mono,
    /// When its last exchange ended or began, or when it was opened.
    pub(crate) idle_since: Mono,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Moves the bytes. Ends, with its socket and its place among the connections, when the last handle is dropped.
#[derive(Debug)]
struct Driver {
    task: JoinHandle<()>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
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

impl Dialler {
    /// Opens a connection to the first address that takes it. The last address has the caller's whole time.
    pub(crate) async fn open(
        &self,
        addresses: &[SocketAddr],
        place: OwnedSemaphorePermit,
        now: Mono,
    ) -> io::Result<Connection> {
        let Some((last, others)) = addresses.split_last() else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the endpoint's name has no address"));
        };
        for address in others {
            if let Ok(Ok(stream)) = timeout(ADDRESS_TRIED_FOR, TcpStream::connect(address)).await {
                return self.speak(stream, place, now).await;
            }
        }
        self.speak(TcpStream::connect(last).await?, place, now).await
    }

    async fn speak(
        &self,
        stream: TcpStream,
        place: OwnedSemaphorePermit,
        now: Mono,
    ) -> io::Result<Connection> {
        // An ask is one small write, and nothing follows it that could be sent along.
        stream.set_nodelay(true)?;
        let Some((config, name)) = &self.tls else { return self.shake_hands(stream, place, now).await };
        let stream = TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await?;
        let agreed = stream.get_ref().1.alpn_protocol();
        let agrees = match self.protocol {
            // A service that knows no ALPN speaks HTTP/1.1.
            Protocol::Http1 => agreed.is_none_or(|name| name == Protocol::Http1.alpn()),
            Protocol::Http2 => agreed == Some(Protocol::Http2.alpn()),
        };
        if !agrees {
            return Err(io::Error::other("the service does not speak the configured version of HTTP"));
        }
        self.shake_hands(stream, place, now).await
    }

    async fn shake_hands<S>(
        &self,
        stream: S,
        place: OwnedSemaphorePermit,
        now: Mono,
    ) -> io::Result<Connection>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let io = TokioIo::new(stream);
        let (sender, task) = match self.protocol {
            Protocol::Http1 => {
                let mut builder = http1::Builder::new();
                builder.max_headers(64).max_buf_size(32 * 1024);
                let (sender, connection) = builder.handshake(io).await.map_err(io::Error::other)?;
                (Sender::Http1(sender), tokio::spawn(drive(connection)))
            }
            Protocol::Http2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.max_header_list_size(32 * 1024);
                let (sender, connection) = builder.handshake(io).await.map_err(io::Error::other)?;
                (Sender::Http2(sender), tokio::spawn(drive(connection)))
            }
        };
        let driver = Arc::new(Driver { task, _place: place });
        Ok(Connection { sender, driver, opened: now, idle_since: now })
    }
}

async fn drive(connection: impl Future<Output = Result<(), hyper::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to the balance service ended");
    }
}

impl Connection {
    /// Whether it can still carry an exchange, as far as anybody knows.
    pub(crate) fn is_usable(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Another handle, where a connection carries many exchanges.
    pub(crate) fn share(&self) -> Option<Self> {
        let Sender::Http2(sender) = &self.sender else { return None };
        Some(Self {
            sender: Sender::Http2(sender.clone()),
            driver: Arc::clone(&self.driver),
            opened: self.opened,
            idle_since: self.idle_since,
        })
    }

    /// How many handles there are beside this one: the exchanges under way.
    pub(crate) fn shared(&self) -> usize {
        Arc::strong_count(&self.driver).saturating_sub(1)
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(
        &mut self,
        request: Outgoing,
        progress: &Progress,
    ) -> Result<Response<Incoming>, SendFailure> {
        match &mut self.sender {
            Sender::Http1(sender) => {
                if sender.ready().await.is_err() {
                    return Err(SendFailure::NotSent(Box::new(request)));
                }
                progress.set(true);
                taken(sender.try_send_request(request).await, progress)
            }
            Sender::Http2(sender) => {
                if sender.ready().await.is_err() {
                    return Err(SendFailure::NotSent(Box::new(request)));
                }
                progress.set(true);
                taken(sender.try_send_request(request).await, progress)
            }
        }
    }
}

/// What became of a request: answered, given back unsent, or unknown.
fn taken(
    result: Result<Response<Incoming>, TrySendError<Outgoing>>,
    progress: &Progress,
) -> Result<Response<Incoming>, SendFailure> {
    let mut failure = match result {
        Ok(response) => return Ok(response),
        Err(failure) => failure,
    };
    match failure.take_message() {
        Some(request) => {
            // The request comes back only if it never reached the connection's write buffer.
            progress.set(false);
            Err(SendFailure::NotSent(Box::new(request)))
        }
        None => {
            tracing::debug!(error = %failure.into_error(), "an exchange with the balance service broke");
            Err(SendFailure::Broken)
        }
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
