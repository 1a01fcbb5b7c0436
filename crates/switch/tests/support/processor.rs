//! A processor's end of a link: connects, sends frames and messages, and reads what comes back.

use super::message::{Dialect, Message};
use super::{PAN, PATIENCE};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Anything that bytes go through, plain or encrypted.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One connection.
pub struct Processor {
    pub stream: Box<dyn Duplex>,
    dialect: Dialect,
}

impl Processor {
    pub async fn connect(address: SocketAddr, dialect: Dialect) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream, dialect)
    }

    /// Waits for the switch to connect.
    pub async fn accept(listener: &TcpListener, dialect: Dialect) -> Self {
        let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
        Self::over(accepted.expect("a connection from the switch").unwrap().0, dialect)
    }

    pub fn over(stream: impl Duplex + 'static, dialect: Dialect) -> Self {
        Self { stream: Box::new(stream), dialect }
    }

    /// Sends bytes as they are.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Sends bytes as the body of a frame.
    pub async fn send_body(&mut self, body: &[u8]) {
        self.send_bytes(&frame(body)).await;
    }

    pub async fn send(&mut self, message: &Message) {
        self.send_body(&message.encode(self.dialect)).await;
    }

    /// The body of the next frame, or `None` when the switch has closed the connection.
    pub async fn receive_body(&mut self) -> Option<Vec<u8>> {
        let read = async {
            let mut header = [0; 2];
            if self.stream.read_exact(&mut header).await.is_err() {
                return None;
            }
            let mut body = vec![0; usize::from(u16::from_be_bytes(header))];
            self.stream.read_exact(&mut body).await.unwrap();
            Some(body)
        };
        tokio::time::timeout(PATIENCE, read).await.expect("an answer or the end of the connection")
    }

    pub async fn receive(&mut self) -> Message {
        let body = self.receive_body().await.expect("an answer, not the end of the connection");
        Message::decode(self.dialect, &body)
    }

    /// Sends one request and reads its answer; nothing else may be in flight.
    pub async fn ask(&mut self, request: &Message) -> Message {
        self.send(request).await;
        let answer = self.receive().await;
        assert_eq!(answer.references(), request.references(), "the answer to another request: {answer:?}");
        answer
    }

    /// Sends one request and returns its answer as it came.
    pub async fn ask_body(&mut self, request: &Message) -> Vec<u8> {
        self.send(request).await;
        self.receive_body().await.expect("an answer")
    }

    /// Waits for the switch to close the connection without another answer.
    pub async fn expect_close(&mut self) {
        assert_eq!(self.receive_body().await, None, "the connection should have been closed");
    }

    /// Reads a network management request of the switch, and answers it.
    pub async fn answer_network(&mut self, function: &str, code: &str) {
        let request = self.receive().await;
        assert_eq!((request.mti.as_str(), request.get(70)), ("0800", function), "{request:?}");
        self.send(&request.mti("0810").with(39, code)).await;
    }

    /// Whether the link is served: an echo is answered.
    pub async fn expect_echo(&mut self, stan: u32) {
        assert_eq!(self.ask(&network(stan, "301")).await.code(), "00");
    }
}

/// Two bytes of length, then the body.
pub fn frame(body: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes
}

/// A purchase of `cents` US dollars in a shop in the United States.
pub fn purchase(pan: &str, stan: u32, cents: u64) -> Message {
    Message::new("0100")
        .with(2, pan)
        .with(3, "000000")
        .with(4, &format!("{cents:012}"))
        .with(7, "1120193000")
        .with(11, &format!("{stan:06}"))
        .with(12, "143000")
        .with(13, "1120")
        .with(18, "5411")
        .with(19, "840")
        .with(22, "051")
        .with(32, "12345")
        .with(37, &format!("6325{stan:08}"))
        .with(41, "TERM0001")
        .with(42, "MERCHANT0000001")
        .with(43, "CORNER SHOP              SPRINGFIELD  US")
        .with(49, "840")
}

/// A purchase with the usual card.
pub fn usual(stan: u32, cents: u64) -> Message {
    purchase(PAN, stan, cents)
}

/// The reversal of `original`, with a STAN of its own and the original's data in DE 90.
pub fn reversal(original: &Message, stan: u32) -> Message {
    original.clone().mti("0400").with(11, &format!("{stan:06}")).with(90, &original_data(original))
}

/// DE 90 of whatever follows `original`.
pub fn original_data(original: &Message) -> String {
    let acquirer = format!("{:0>11}", original.get(32));
    format!("{}{}{}{acquirer}{}", original.mti, original.get(11), original.get(7), "0".repeat(11))
}

/// A message of another type and amount that follows `original`: the same retrieval reference, and its data in DE 90.
pub fn following(original: &Message, mti: &str, stan: u32, cents: u64) -> Message {
    original
        .clone()
        .without(61)
        .mti(mti)
        .with(4, &format!("{cents:012}"))
        .with(11, &format!("{stan:06}"))
        .with(90, &original_data(original))
}

/// Network management: sign-on, sign-off or echo.
pub fn network(stan: u32, function: &str) -> Message {
    Message::new("0800").with(7, "1120193000").with(11, &format!("{stan:06}")).with(70, function)
}
