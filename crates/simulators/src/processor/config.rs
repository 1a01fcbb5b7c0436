//! What a run of the processor simulator needs to know.

use super::card::SimulatedCard;
use super::mix::Mix;
use super::pace::Pace;
use super::skew::Skew;
use iso8583::{Dialect, FrameFormat};
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;

/// Where one link leads, and what is spoken there.
#[derive(Clone)]
pub struct LinkTarget {
    /// Host and port, for example `127.0.0.1:8583`: where we connect, or where we listen.
    pub addr: String,
    /// The dialect of the link.
    pub dialect: Dialect,
    /// How its frames are cut.
    pub frame: FrameFormat,
    /// Which side connects.
    pub opening: Opening,
    /// Encryption.
    pub tls: Option<LinkTls>,
}

/// Which side opens the connections of a link.
#[derive(Clone, Debug)]
pub enum Opening {
    /// We connect to the switch.
    Connect,
    /// The switch connects to us; all connections of a link come from one listener.
    Accept(Arc<std::net::TcpListener>),
}

/// What makes the connections of a link secure.
#[derive(Clone)]
pub enum LinkTls {
    /// We connect, and the switch's certificate must hold this name.
    Client(Arc<rustls::ClientConfig>, ServerName<'static>),
    /// The switch connects, and we show a certificate.
    Server(Arc<rustls::ServerConfig>),
}

impl LinkTarget {
    /// A link that is opened by connecting to `addr`, in the clear.
    #[must_use]
    pub fn new(addr: impl Into<String>, dialect: Dialect, frame: FrameFormat) -> Self {
        Self { addr: addr.into(), dialect, frame, opening: Opening::Connect, tls: None }
    }
}

impl std::fmt::Debug for LinkTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LinkTarget({} {})", self.addr, self.dialect.name())
    }
}

/// What is done, once a lost link is up again, about the messages that got no answer on it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhenUnanswered {
    /// Nothing: they stay unanswered.
    Leave,
    /// Each is sent again as a repeat (0101, 0121, 0401, 0421).
    Repeat,
    /// Requests are reversed (0420); advices and reversals, which must arrive, are sent again.
    Reverse,
}

/// No run takes longer, and instants this far ahead exist on every machine.
const WAIT_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A run of the processor simulator.
#[derive(Clone, Debug)]
pub struct ProcessorConfig {
    /// The links; each has its own connection and its own part of the traffic.
    pub links: Vec<LinkTarget>,
    /// The cards to pay with.
    pub cards: Vec<SimulatedCard>,
    /// How often each kind of message is sent.
    pub mix: Mix,
    /// How messages are spread over the good cards.
    pub skew: Skew,
    /// How fast messages are sent.
    pub pace: Pace,
    /// How long messages are sent for.
    pub duration: Duration,
    /// The same seed sends the same messages.
    pub seed: u64,
    /// Acquiring institution, DE 32: at most eleven digits.
    pub acquirer: u64,
    /// Messages without an answer on one link, above which no more are sent. Overdue ones do not count.
    pub in_flight_per_link_max: usize,
    /// An answer that takes longer is late.
    pub answer_within: Duration,
    /// How long answers are awaited after the last message.
    pub drain_within: Duration,
    /// How long a connection and its sign-on may take, at the start and after a loss.
    pub connect_within: Duration,
    /// What is done about messages that got no answer on a lost link.
    pub when_unanswered: WhenUnanswered,
    /// Whether every approval is kept in [`Outcome::approvals`](super::Outcome::approvals). About 100 bytes each.
    pub keep_approvals: bool,
}

impl ProcessorConfig {
    /// A run against `links` with `cards`: 1,000 messages a second for 30 s, and the usual mix.
    #[must_use]
    pub fn new(links: Vec<LinkTarget>, cards: Vec<SimulatedCard>) -> Self {
        Self {
            links,
            cards,
            mix: Mix::default(),
            skew: Skew::Even,
            pace: Pace::Open { rate_per_second: 1_000, arrivals: super::Arrivals::Even },
            duration: Duration::from_secs(30),
            seed: 1,
            acquirer: 12_345,
            in_flight_per_link_max: 10_000,
            answer_within: Duration::from_secs(3),
            drain_within: Duration::from_secs(5),
            connect_within: Duration::from_secs(5),
            when_unanswered: WhenUnanswered::Leave,
            keep_approvals: false,
        }
    }

    /// Checks what can be checked before a connection is made.
    pub(crate) fn check(&self) -> Result<(), ProcessorError> {
        let bad = |key: &'static str, found: String, allowed: &'static str| {
            Err(ProcessorError::Config { key, found, allowed })
        };
        if self.links.is_empty() {
            return bad("links", "none".into(), "at least one link");
        }
        if self.acquirer > 99_999_999_999 {
            return bad("acquirer", self.acquirer.to_string(), "at most eleven digits");
        }
        if self.in_flight_per_link_max == 0 {
            return bad("in_flight_per_link_max", "0".into(), "at least 1");
        }
        let waits = [
            ("duration", self.duration),
            ("answer_within", self.answer_within),
            ("drain_within", self.drain_within),
            ("connect_within", self.connect_within),
        ];
        if let Some((key, found)) = waits.into_iter().find(|(_, wait)| *wait > WAIT_MAX) {
            return bad(key, format!("{found:?}"), "at most seven days");
        }
        if let Some((found, allowed)) = self.skew.fault() {
            return bad("skew", found, allowed);
        }
        match self.pace {
            Pace::Open { rate_per_second: 0, .. } => bad("rate_per_second", "0".into(), "at least 1"),
            Pace::Closed { window_per_link: 0 } => bad("window_per_link", "0".into(), "at least 1"),
            Pace::Open { .. } | Pace::Closed { .. } => Ok(()),
        }
    }
}

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    /// A value of the configuration is out of bounds.
    #[error("{key}: found {found}, allowed is {allowed}")]
    Config {
        /// The key.
        key: &'static str,
        /// What was found.
        found: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The cards do not serve the mix.
    #[error("mix: none of the {cards} cards can send any of the messages that it asks for")]
    NothingToSend {
        /// How many cards there are.
        cards: usize,
    },
    /// A link could not be opened at the start.
    #[error("link {link} to {addr}: {source}")]
    Connect {
        /// The link, from 0.
        link: usize,
        /// Its address.
        addr: String,
        /// Why.
        source: std::io::Error,
    },
    /// A link was opened, and the sign-on not answered as it should be.
    #[error("link {link} to {addr}: sign-on {what}")]
    SignOn {
        /// The link, from 0.
        link: usize,
        /// Its address.
        addr: String,
        /// What happened instead of an answer with DE 39 00.
        what: String,
    },
    /// A message cannot be written in the link's dialect.
    #[error("dialect {dialect}: {source}")]
    Encode {
        /// The dialect.
        dialect: String,
        /// Which element, and why.
        source: Box<iso8583::EncodeError>,
    },
    /// The operating system gave no timer.
    #[error("timer: {0}")]
    Timer(std::io::Error),
    /// A link's task ended without a result.
    #[error("a link's task ended: {0}")]
    Task(String),
}
