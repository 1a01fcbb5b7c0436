//! One TCP connection, in the clear or over TLS: frames in, frames out, each side gathered so that a wake-up costs one
//! system call.

use super::config::{LinkTarget, Opening};
use super::request::{Request, Sender};
use super::secure::Channel;
use bytes::{Buf, Bytes, BytesMut};
use iso8583::{Draft, EncodeError, FrameError, Message};
use std::io;
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};

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
    channel: Option<Channel>,
    inbound: BytesMut,
    outbound: BytesMut,
}

impl Wire {
    pub(crate) async fn connect(target: &LinkTarget) -> io::Result<Self> {
        let stream = match &target.opening {
            Opening::Connect => TcpStream::connect(target.addr.as_str()).await?,
            Opening::Accept(listener) => {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener.try_clone()?)?.accept().await?.0
            }
        };
        // Messages are small and each is awaited: holding one back to fill a segment would only add latency.
        stream.set_nodelay(true)?;
        let channel = target.tls.as_ref().map(Channel::new).transpose().map_err(io::Error::other)?;
        let (inbound, outbound) = (BytesMut::with_capacity(READ_BYTES), BytesMut::new());
        let mut wire = Self { stream, channel, inbound, outbound };
        wire.shake_hands().await?;
        Ok(wire)
    }

    /// Lets the two ends of a TLS connection agree.
    async fn shake_hands(&mut self) -> io::Result<()> {
        while self.channel.as_ref().is_some_and(Channel::is_handshaking) {
            self.flush()?;
            self.ready().await?;
            match self.fill() {
                Ok(()) => {}
                Err(WireError::Io(error)) => {
                    // An alert says to the other side what is wrong.
                    let _ = self.flush();
                    return Err(error);
                }
                Err(WireError::Closed | WireError::Frame(_)) => {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            }
        }
        self.flush()
    }

    /// Puts an answer to one of the switch's own messages into the buffer of what is to be sent.
    pub(crate) fn push_acceptance(
        &mut self,
        target: &LinkTarget,
        asked: &Message,
        code: &str,
    ) -> Result<(), EncodeError> {
        let Some(mut draft) = Draft::answer(asked) else { return Ok(()) };
        if target.dialect.rules(asked.mti()).is_some() {
            draft.echo_by_rule(asked);
        } else {
            for element in [7, 11, 70] {
                draft.echo(element, asked);
            }
        }
        draft.text(39, code);
        target.frame.write(&mut self.outbound, |body| draft.encode_into(body))
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
        let out = match &mut self.channel {
            Some(channel) => {
                channel.seal(&mut self.outbound)?;
                &mut channel.sealed
            }
            None => &mut self.outbound,
        };
        while !out.is_empty() {
            match self.stream.try_write(out) {
                Ok(written) => out.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until something can be read, or written if something is to be sent.
    pub(crate) async fn ready(&self) -> io::Result<()> {
        let sealed = self.channel.as_ref().is_some_and(|channel| !channel.sealed.is_empty());
        let wanted = if self.outbound.is_empty() && !sealed {
            Interest::READABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        };
        self.stream.ready(wanted).await.map(|_| ())
    }

    /// Reads what has arrived, up to one buffer.
    pub(crate) fn fill(&mut self) -> Result<(), WireError> {
        let buffer = match &mut self.channel {
            Some(channel) => &mut channel.raw,
            None => &mut self.inbound,
        };
        buffer.reserve(READ_BYTES);
        match self.stream.try_read_buf(buffer) {
            Ok(0) => return Err(WireError::Closed),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        match &mut self.channel {
            Some(channel) => Ok(channel.open(&mut self.inbound)?),
            None => Ok(()),
        }
    }

    /// The next whole frame that was read.
    pub(crate) fn next_frame(&mut self, target: &LinkTarget) -> Result<Option<Bytes>, FrameError> {
        target.frame.split(&mut self.inbound)
    }
}
