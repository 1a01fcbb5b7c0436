//! A small processor: one blocking connection, messages in the dialect `ascii-1987`, answers kept as they came.

use bytes::{Bytes, BytesMut};
use iso8583::{Dialect, Draft, FrameFormat, LengthHeader, Mti};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;

const FRAME: FrameFormat =
    FrameFormat { length: LengthHeader::Binary2, includes_itself: false, max_bytes: 4_096 };

/// A purchase.
#[derive(Clone, Debug)]
pub(crate) struct Purchase {
    pub(crate) number: String,
    /// Minor units of US dollars.
    pub(crate) amount: u64,
    pub(crate) stan: u32,
    /// DE 7.
    pub(crate) transmission: String,
}

/// An answer: its bytes, and what they say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub(crate) bytes: Bytes,
    pub(crate) stan: u32,
    pub(crate) code: String,
}

impl Answer {
    pub(crate) fn is_approval(&self) -> bool {
        self.code == "00"
    }
}

fn dialect() -> &'static Dialect {
    // Read once: a dialect takes longer to compile than a hundred messages to write.
    static DIALECT: OnceLock<Dialect> = OnceLock::new();
    DIALECT.get_or_init(|| iso8583::shipped("ascii-1987").unwrap().unwrap())
}

impl Purchase {
    /// A purchase of now.
    pub(crate) fn new(number: &str, amount: u64, stan: u32) -> Self {
        let transmission = jiff::Timestamp::now().strftime("%m%d%H%M%S").to_string();
        Self { number: number.to_owned(), amount, stan, transmission }
    }

    /// The message: 0100, or 0101 for a repeat.
    pub(crate) fn message(&self, mti: &str) -> Bytes {
        let mut draft = Draft::new(dialect(), Mti::parse(mti).unwrap());
        draft
            .text(2, &self.number)
            .text(3, "000000")
            .number(4, self.amount)
            .text(7, &self.transmission)
            .number(11, self.stan.into())
            .text(18, "5411")
            .text(32, "12345")
            .text(37, &format!("{:012}", self.stan))
            .text(41, "TERM0001")
            .text(42, "MERCHANT0000001")
            .text(49, "840");
        let mut bytes = BytesMut::new();
        draft.encode_into(&mut bytes).unwrap();
        bytes.freeze()
    }
}

/// A connection to a switch.
pub(crate) struct Link {
    stream: TcpStream,
    received: BytesMut,
}

impl Link {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(crate::daemon::PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, received: BytesMut::new() }
    }

    pub(crate) fn send(&mut self, message: &Bytes) -> io::Result<()> {
        let mut framed = BytesMut::new();
        FRAME
            .write(&mut framed, |out| {
                out.extend_from_slice(message);
                Ok(())
            })
            .unwrap();
        self.stream.write_all(&framed)
    }

    /// The next answer, in whatever order they come.
    pub(crate) fn receive(&mut self) -> io::Result<Answer> {
        let mut part = [0; 4_096];
        loop {
            if let Some(bytes) = FRAME.split(&mut self.received).unwrap() {
                let message = dialect().decode(bytes.clone()).unwrap();
                let stan = u32::try_from(message.number(11).unwrap()).unwrap();
                return Ok(Answer { bytes, stan, code: message.text(39).unwrap().into_owned() });
            }
            let read = self.stream.read(&mut part)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.received.extend_from_slice(&part[..read]);
        }
    }

    /// Sends one message and waits for its answer.
    pub(crate) fn exchange(&mut self, message: &Bytes) -> Answer {
        self.send(message).unwrap();
        self.receive().unwrap()
    }
}
