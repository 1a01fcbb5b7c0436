//! The two ends of a connection's stream, plain or encrypted.
//!
//! The plain ends are halves of the socket that share nothing; only an encrypted connection pays for encryption.

use bytes::BytesMut;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
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
    Plain(OwnedWriteHalf),
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
                (Reader::Plain(reader), Writer::Plain(writer))
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
    /// Whether there is something to write.
    pub(crate) fn wants(&self, out: &BytesMut) -> bool {
        !out.is_empty() || matches!(self, Self::Encrypted { unflushed: true, .. })
    }

    /// Takes bytes off the front of `out` as the network takes them. Safe to abandon.
    pub(crate) async fn write(&mut self, out: &mut BytesMut) -> io::Result<usize> {
        let written = match self {
            Self::Plain(stream) => stream.write_buf(out).await?,
            Self::Encrypted { stream, unflushed } if out.is_empty() => {
                stream.flush().await?;
                *unflushed = false;
                return Ok(0);
            }
            Self::Encrypted { stream, unflushed } => {
                let written = stream.write_buf(out).await?;
                *unflushed = true;
                written
            }
        };
        if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) }
    }

    /// Says that nothing more will come.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shutdown().await,
            Self::Encrypted { stream, .. } => stream.shutdown().await,
        }
    }
}
