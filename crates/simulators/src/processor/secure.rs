//! TLS over a socket that is never waited for: what goes out is sealed and what came in is opened, in memory.
//!
//! Guarantees that no more is sealed at once than the library buffers, so that what waits to be sent stays as bounded
//! as it is without TLS.

use super::config::LinkTls;
use bytes::{Buf, BufMut, BytesMut};
use rustls::{ClientConnection, Connection, ServerConnection};
use std::io::{self, Read, Write};
use std::sync::Arc;

/// One end of a TLS connection.
pub(crate) struct Channel {
    connection: Connection,
    /// As it came from the socket.
    pub(super) raw: BytesMut,
    /// As it goes to the socket.
    pub(super) sealed: BytesMut,
}

impl Channel {
    pub(crate) fn new(tls: &LinkTls) -> Result<Self, rustls::Error> {
        let connection = match tls {
            LinkTls::Client(config, name) => ClientConnection::new(Arc::clone(config), name.clone())?.into(),
            LinkTls::Server(config) => ServerConnection::new(Arc::clone(config))?.into(),
        };
        Ok(Self { connection, raw: BytesMut::new(), sealed: BytesMut::new() })
    }

    /// Whether the two sides have not agreed yet.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Seals what is in `plain`, and whatever the library itself has to say.
    pub(crate) fn seal(&mut self, plain: &mut BytesMut) -> io::Result<()> {
        loop {
            while self.connection.wants_write() {
                self.connection.write_tls(&mut (&mut self.sealed).writer())?;
            }
            if plain.is_empty() || self.connection.is_handshaking() {
                return Ok(());
            }
            let taken = self.connection.writer().write(plain)?;
            if taken == 0 {
                return Ok(());
            }
            plain.advance(taken);
        }
    }

    /// Opens what has arrived and appends it to `plain`.
    pub(crate) fn open(&mut self, plain: &mut BytesMut) -> io::Result<()> {
        while !self.raw.is_empty() {
            self.connection.read_tls(&mut (&mut self.raw).reader())?;
            let state = self.connection.process_new_packets().map_err(io::Error::other)?;
            let begin = plain.len();
            plain.resize(begin + state.plaintext_bytes_to_read(), 0);
            if let Some(room) = plain.get_mut(begin..) {
                self.connection.reader().read_exact(room)?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("handshaking", &self.is_handshaking()).finish_non_exhaustive()
    }
}
