//! `[[link]]` as written: one struct a table, one field a key, each with its default.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// `[[link]]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkSection {
    /// A name for logs and metrics.
    pub name: String,
    /// Where the processor connects to; this or `connect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Where we connect to, `host:port`; this or `listen`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<String>,
    /// A shipped dialect's name, or the path of a dialect file.
    pub dialect: String,
    /// Which network the link leads to, at most twelve bytes; empty where it does not matter.
    pub network: String,
    /// How messages are framed.
    pub frame: FrameSection,
    /// Connections at once, where the processor connects.
    pub connections_max: usize,
    /// Requests of one connection that may be unanswered.
    pub in_flight_max: usize,
    /// How long the processor waits, counted from the moment that a frame is read.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub answer_within: Duration,
    /// By when the balance service must have answered, counted from the same moment. What is left until
    /// `answer_within` is for making the outcome durable and writing the answer.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask_within: Option<Duration>,
    /// How long a frame that has begun may take to come in whole.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub frame_within: Duration,
    /// How long a connection may be silent.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub idle_max: Duration,
    /// Bytes of answers that may wait for a slow reader before no more is read from it.
    pub unsent_bytes_max: usize,
    /// Whether requests are refused until the processor has signed on.
    pub require_sign_on: bool,
    /// Whether we sign on when a connection opens, and off before we close it.
    pub sign_on: bool,
    /// How long the answer to our sign-on may take.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub sign_on_within: Duration,
    /// Which echoes we send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo: Option<EchoSection>,
    /// How we connect, where we do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dial: Option<DialSection>,
    /// Encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSection>,
    /// Message authentication codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacSection>,
    /// How a terminal says that it can take a partial approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial_approval: Option<PartialApprovalSection>,
}

impl Default for LinkSection {
    fn default() -> Self {
        Self {
            name: "processor".into(),
            listen: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8583)),
            connect: None,
            dialect: "ascii-1987".into(),
            network: String::new(),
            frame: FrameSection::default(),
            connections_max: 64,
            in_flight_max: 4_096,
            answer_within: Duration::from_millis(2_300),
            ask_within: None,
            frame_within: Duration::from_secs(5),
            idle_max: Duration::from_secs(600),
            unsent_bytes_max: 1024 * 1024,
            require_sign_on: false,
            sign_on: false,
            sign_on_within: Duration::from_secs(10),
            echo: None,
            dial: None,
            tls: None,
            mac: None,
            partial_approval: None,
        }
    }
}

/// `frame = { .. }`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrameSection {
    /// The kind of length header.
    pub length: String,
    /// Whether the length counts its own bytes.
    pub includes_itself: bool,
    /// The longest message.
    pub max_bytes: usize,
}

impl Default for FrameSection {
    fn default() -> Self {
        Self { length: "binary-2".into(), includes_itself: false, max_bytes: 4_096 }
    }
}

/// `[link.echo]`: echoes that we send on a silent connection.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EchoSection {
    /// How long a connection is silent before we ask whether anybody is there.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub after: Duration,
    /// How long the answer may take.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub answer_within: Duration,
    /// Unanswered echoes in a row that close the connection.
    pub missed_max: u32,
}

impl Default for EchoSection {
    fn default() -> Self {
        Self { after: Duration::from_secs(60), answer_within: Duration::from_secs(10), missed_max: 3 }
    }
}

/// `[link.dial]`: how we connect.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DialSection {
    /// Connections that are kept open.
    pub connections: usize,
    /// How long one attempt may take: name look-up, connection and TLS handshake together.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub connect_within: Duration,
    /// The first pause after a failure; it doubles from there.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub pause_min: Duration,
    /// The longest pause.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub pause_max: Duration,
}

impl Default for DialSection {
    fn default() -> Self {
        Self {
            connections: 1,
            connect_within: Duration::from_secs(10),
            pause_min: Duration::from_millis(500),
            pause_max: Duration::from_secs(30),
        }
    }
}

/// `[link.tls]`: certificates and keys, in files in PEM form.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSection {
    /// Our certificate, followed by those that lead to its root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Our certificate's private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Who must have signed the other side's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The name that the certificate of the other side must hold, where we connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// How long a handshake may take, where the processor connects.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub handshake_within: Duration,
}

impl Default for TlsSection {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            ca: None,
            server_name: None,
            handshake_within: Duration::from_secs(5),
        }
    }
}

/// `[link.mac]`: every message is authenticated, in DE 64 or DE 128.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MacSection {
    /// A file with the key in hexadecimal digits.
    pub key: PathBuf,
    /// How a code is made.
    pub algorithm: String,
    /// How the last block is filled up.
    #[serde(default = "MacSection::usual_padding")]
    pub padding: String,
    /// How many bytes of a code are used; all that the element holds, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
}

impl MacSection {
    fn usual_padding() -> String {
        "method-1".into()
    }
}

/// `partial_approval = { .. }`: which character of which element says it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PartialApprovalSection {
    /// The data element.
    pub element: u8,
    /// The character's place in it, from 1.
    pub position: usize,
    /// What stands there when the terminal can.
    pub value: String,
}
