//! One TCP connection: frames in, frames out, each side gathered so that a wake-up costs one system call.

use super::config::LinkTarget;
use super::request::{Request, Sender};
use bytes::{Buf, Bytes, BytesMut};
use iso8583::{EncodeError, FrameError};
use std::io;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Room for a few hundred answers, so that a burst is read at once.
const READ_BYTES: usize = 64 * 1024;

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("the switch closed the connection")]
    Closed,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// A connection and its buffers.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    inbound: BytesMut,
    outbound: BytesMut,
}

impl Wire {
    pub(crate) async fn connect(target: &LinkTarget) -> io::Result<Self> {
        let stream = TcpStream::connect(target.addr.as_str()).await?;
        // Messages are small and each is awaited: holding one back to fill a segment would only add latency.
        stream.set_nodelay(true)?;
        Ok(Self { stream, inbound: BytesMut::with_capacity(READ_BYTES), outbound: BytesMut::new() })
    }

    /// Puts a message into the buffer of what is to be sent.
    pub(crate) fn push(
        &mut self,
        target: &LinkTarget,
        request: &Request,
        sender: Sender<'_>,
    ) -> Result<(), EncodeError> {
        target.frame.write(&mut self.outbound, |body| request.encode(&target.dialect, sender, body))
    }

    /// Sends as much of the buffer as the connection takes at once.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while !self.outbound.is_empty() {
            match self.stream.try_write(&self.outbound) {
                Ok(written) => self.outbound.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until something can be read, or written if something is to be sent.
    pub(crate) async fn ready(&self) -> io::Result<()> {
        let wanted = if self.outbound.is_empty() {
            Interest::READABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        };
        self.stream.ready(wanted).await.map(|_| ())
    }

    /// Reads what has arrived, up to one buffer.
    pub(crate) fn fill(&mut self) -> Result<(), WireError> {
        self.inbound.reserve(READ_BYTES);
        match self.stream.try_read_buf(&mut self.inbound) {
            Ok(0) => Err(WireError::Closed),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The next whole frame that was read.
    pub(crate) fn next_frame(&mut self, target: &LinkTarget) -> Result<Option<Bytes>, FrameError> {
        target.frame.split(&mut self.inbound)
    }
}
