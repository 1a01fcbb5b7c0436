//! The two ends of a connection's stream, plain or encrypted.
//!
//! The plain ends are halves of the socket, of which anybody can be handed the one for sending; only an encrypted
//! connection pays for encryption, and only its own task sends on it.

use super::exchange::{Exchange, hold};
use bytes::BytesMut;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::TlsStream;

/// A connection that may be used, encrypted where the link says so.
pub(crate) enum Wire {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// Where bytes come from.
pub(crate) enum Reader {
    Plain(OwnedReadHalf),
    Encrypted(ReadHalf<TlsStream<TcpStream>>),
}

/// Where bytes go.
pub(crate) enum Writer {
    /// Written by [`Exchange`]: the connection's task waits until it can be.
    Plain(Arc<OwnedWriteHalf>),
    Encrypted {
        stream: WriteHalf<TlsStream<TcpStream>>,
        /// Bytes that were taken and may still wait to be encrypted and sent.
        unflushed: bool,
    },
}

impl Wire {
    /// Messages are small and each is awaited: holding one back to fill a segment would only add latency.
    pub(crate) fn send_at_once(&self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.set_nodelay(true),
            Self::Encrypted(stream) => stream.get_ref().0.set_nodelay(true),
        }
    }

    /// Both ends.
    pub(crate) fn split(self) -> (Reader, Writer) {
        match self {
            Self::Plain(stream) => {
                let (reader, writer) = stream.into_split();
                (Reader::Plain(reader), Writer::Plain(Arc::new(writer)))
            }
            Self::Encrypted(stream) => {
                let (reader, stream) = tokio::io::split(*stream);
                (Reader::Encrypted(reader), Writer::Encrypted { stream, unflushed: false })
            }
        }
    }
}

impl Reader {
    /// How many bytes can be read at once; nothing of an encrypted stream, whose bytes are not the messages' own.
    pub(crate) fn unread(&self) -> u64 {
        match self {
            Self::Plain(stream) => rustix::io::ioctl_fionread(stream.as_ref()).unwrap_or(0),
            Self::Encrypted(_) => 0,
        }
    }

    /// Adds what has come to `buffer`; 0 is the end. Safe to abandon.
    pub(crate) async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(buffer).await,
            Self::Encrypted(stream) => stream.read_buf(buffer).await,
        }
    }
}

impl Writer {
    /// Where anybody can send at once, if that can be done.
    pub(crate) fn line(&self) -> Option<Arc<OwnedWriteHalf>> {
        match self {
            Self::Plain(stream) => Some(Arc::clone(stream)),
            Self::Encrypted { .. } => None,
        }
    }

    /// Whether there is something to write.
    pub(crate) fn wants(&self, out: &BytesMut) -> bool {
        !out.is_empty() || matches!(self, Self::Encrypted { unflushed: true, .. })
    }

    /// Takes bytes off the front of what is to be sent as the network takes them, or waits until they can be. Safe to
    /// abandon.
    pub(crate) async fn write(&mut self, exchange: &Mutex<Exchange>) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.writable().await,
            Self::Encrypted { stream, unflushed } => {
                poll_fn(|context| encrypt(Pin::new(&mut *stream), unflushed, exchange, context)).await
            }
        }
    }

    /// Says that nothing more will come. A plain stream says so when it is dropped.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Encrypted { stream, .. } => stream.shutdown().await,
        }
    }
}

/// Takes what is to be sent, or sends what was taken.
fn encrypt(
    stream: Pin<&mut WriteHalf<TlsStream<TcpStream>>>,
    unflushed: &mut bool,
    exchange: &Mutex<Exchange>,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let mut exchange = hold(exchange);
    if exchange.conversation.out.is_empty() {
        ready!(stream.poll_flush(context))?;
        *unflushed = false;
        return Poll::Ready(Ok(()));
    }
    let sent = ready!(stream.poll_write(context, &exchange.conversation.out))?;
    *unflushed = true;
    exchange.conversation.sent(sent);
    Poll::Ready(if sent == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) })
}
