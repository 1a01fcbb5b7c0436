//! A document that is fetched again and again: the feed of rates. Read-only, bounded in bytes and time, and apart from
//! asks and duties: a feed that hangs costs them nothing.

use crate::connection::{BodyFailure, Dialler, Progress, Protocol, look_up, read_body};
use crate::endpoint::{Endpoint, Scheme};
use crate::tls::{self, TlsSettings};
use bytes::Bytes;
use domain::Mono;
use http::header::{ACCEPT, HOST};
use http::{HeaderValue, Request};
use http_body_util::Full;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Where a document is fetched.
pub struct Feed {
    endpoint: Endpoint,
    dialler: Dialler,
    within: Duration,
    bytes_max: usize,
}

/// Why a document is not there.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// An `https` address without authorities to trust, or a host that no certificate could bear.
    #[error(
        "an https address needs the file of authorities that its certificate comes from, and a host that it can bear"
    )]
    Tls,
    /// No connection, or one that broke.
    #[error("the connection: {0}")]
    Connection(#[from] io::Error),
    /// Another status than 200.
    #[error("status {found}, 200 is needed")]
    Status {
        /// The status found.
        found: u16,
    },
    /// More bytes than allowed.
    #[error("the document is larger than {max} bytes")]
    TooLarge {
        /// Bytes allowed.
        max: usize,
    },
    /// Not done in time.
    #[error("no whole document within {within:?}")]
    TimedOut {
        /// The time allowed.
        within: Duration,
    },
}

impl Feed {
    /// A document at `endpoint`, whose base is the path.
    pub fn new(
        endpoint: Endpoint,
        tls: Option<&TlsSettings>,
        within: Duration,
        bytes_max: usize,
    ) -> Result<Self, FeedError> {
        let tls = match endpoint.scheme() {
            Scheme::Http => None,
            Scheme::Https => {
                let name = tls::server_name(&endpoint).ok_or(FeedError::Tls)?;
                Some((tls.ok_or(FeedError::Tls)?.speaking(Protocol::Http1.alpn()), name))
            }
        };
        Ok(Self { endpoint, dialler: Dialler { protocol: Protocol::Http1, tls }, within, bytes_max })
    }

    /// Where it is fetched, for logs.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Fetches it once, over a connection of its own.
    pub async fn fetch(&self, now: Mono) -> Result<Vec<u8>, FeedError> {
        let within = self.within;
        tokio::time::timeout(within, self.exchange(now)).await.map_err(|_| FeedError::TimedOut { within })?
    }

    async fn exchange(&self, now: Mono) -> Result<Vec<u8>, FeedError> {
        let path = if self.endpoint.base().is_empty() { "/" } else { self.endpoint.base() };
        let host = HeaderValue::try_from(self.endpoint.authority()).map_err(io::Error::other)?;
        let request = Request::get(path)
            .header(HOST, host)
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .body(Full::new(Bytes::new()))
            .map_err(io::Error::other)?;
        let addresses = look_up(&self.endpoint).await?;
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().map_err(io::Error::other)?;
        let mut connection = self.dialler.open(&addresses, place, now).await?;
        let broken = || io::Error::new(io::ErrorKind::ConnectionReset, "it broke before the document's end");
        let response = connection.send(request, &Progress::default()).await.map_err(|_| broken())?;
        let (head, body) = response.into_parts();
        if head.status != http::StatusCode::OK {
            return Err(FeedError::Status { found: head.status.as_u16() });
        }
        read_body(body, self.bytes_max).await.map_err(|failure| match failure {
            BodyFailure::TooLarge => FeedError::TooLarge { max: self.bytes_max },
            BodyFailure::Broken => broken().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// A server that answers one request with `answer`, and the feed to it.
    async fn serve(answer: &'static str) -> Feed {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1_024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /rates.json HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).await.unwrap();
            // Held open: what is to end is ended by the other side.
            let _ = stream.read(&mut request).await;
        });
        let endpoint = format!("http://{address}/rates.json").parse().unwrap();
        Feed::new(endpoint, None, Duration::from_secs(20), 64).unwrap()
    }

    #[tokio::test]
    async fn a_document_is_fetched_and_what_is_none_is_refused() {
        let feed = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
        assert_eq!(feed.fetch(Mono::default()).await.unwrap(), b"{}");
        let feed = serve("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await;
        assert!(matches!(feed.fetch(Mono::default()).await, Err(FeedError::Status { found: 503 })));
        let feed = serve("HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n").await;
        assert!(matches!(feed.fetch(Mono::default()).await, Err(FeedError::TooLarge { max: 64 })));
    }

    #[tokio::test]
    async fn a_feed_that_hangs_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let feed = Feed::new(endpoint, None, Duration::from_millis(50), 64).unwrap();
        assert!(matches!(feed.fetch(Mono::default()).await, Err(FeedError::TimedOut { .. })));
        let https = "https://localhost/rates".parse().unwrap();
        assert!(matches!(Feed::new(https, None, Duration::from_secs(1), 64), Err(FeedError::Tls)));
    }
}
