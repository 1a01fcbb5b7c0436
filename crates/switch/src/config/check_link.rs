//! `[[link]]` as checked: one end of a connection, what is spoken there, and its bounds.

use crate::config::faults::Faults;
use crate::config::file::{ConfigFile, OverloadSection};
use crate::config::link_file::{DialSection, EchoSection, FrameSection, LinkSection, TlsSection};
use crate::keys;
use crate::response_code::known_words;
use crate::tls::{self, Tls, TlsError, TlsFiles, TlsRole};
use cache::Overload;
use domain::NetworkName;
use iso8583::{Dialect, DialectError, FrameFormat, LengthHeader, MacAlgorithm, MacKey, MacPadding};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// One processor link.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// Name for logs and metrics.
    pub(crate) name: String,
    /// Which end of its connections it is.
    pub(crate) endpoint: Endpoint,
    /// Encryption.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Authenticates every message.
    pub(crate) mac: Option<MacKey>,
    /// How long a TLS handshake may take, where the processor connects.
    pub(crate) handshake_within: Duration,
    /// How messages are written.
    pub(crate) dialect: Dialect,
    /// Which network it leads to.
    pub(crate) network: NetworkName,
    /// How messages are framed.
    pub(crate) frame: FrameFormat,
    /// Connections at once.
    pub(crate) connections_max: usize,
    /// Unanswered requests of one connection.
    pub(crate) in_flight_max: usize,
    /// How long the processor waits.
    pub(crate) answer_within: Duration,
    /// By when the balance service must have answered.
    pub(crate) ask_within: Option<Duration>,
    /// How long a begun frame may take.
    pub(crate) frame_within: Duration,
    /// How long a connection may be silent.
    pub(crate) idle_max: Duration,
    /// Unsent bytes before reading stops.
    pub(crate) unsent_bytes_max: usize,
    /// When requests are shed although there is room for them.
    pub(crate) overload: Overload,
    /// Sign-on and echo.
    pub(crate) session: SessionSettings,
    /// How a terminal says that it can take a part, where that is not as the dialect says.
    pub(crate) partial: Option<PartialCapability>,
}

/// Which end of its connections a link is.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    /// The processor connects here.
    Listen(SocketAddr),
    /// We connect there.
    Connect {
        /// `host:port`.
        address: String,
        /// How many connections, and how often.
        dial: DialSection,
    },
}

/// Sign-on and echo.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct SessionSettings {
    /// Whether requests are refused until the processor has signed on.
    pub(crate) require_sign_on: bool,
    /// Whether we sign on when a connection opens.
    pub(crate) sign_on: bool,
    /// How long the answer to that may take.
    pub(crate) sign_on_within: Duration,
    /// Which echoes we send.
    pub(crate) echo: Option<EchoSection>,
}

/// Which character of which element says that a terminal can take a partial approval.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PartialCapability {
    /// The data element.
    pub(crate) element: u8,
    /// Byte offset in its text.
    pub(crate) offset: usize,
    /// What stands there.
    pub(crate) value: String,
}

/// Checks every link.
pub(crate) fn check_links(file: &ConfigFile, base: &Path, faults: &mut Faults) -> Vec<LinkSettings> {
    if file.link.is_empty() {
        faults.add("link", "no link was found, at least one [[link]] is needed");
    }
    let mut links: Vec<LinkSettings> = Vec::new();
    for (index, section) in file.link.iter().enumerate() {
        let key = format!("link[{index}]");
        let mut earlier = file.link.iter().take(index);
        if earlier.any(|link| link.name == section.name) {
            faults.add(format!("{key}.name"), format!("{:?} names two links, names differ", section.name));
        }
        let settings = check_link(section, &key, base, faults);
        links.extend(settings.map(|settings| LinkSettings { overload: file.overload.into(), ..settings }));
    }
    links
}

fn check_link(section: &LinkSection, key: &str, base: &Path, faults: &mut Faults) -> Option<LinkSettings> {
    let endpoint = check_endpoint(section, key, faults);
    let tls = check_tls(section, &format!("{key}.tls"), base, faults);
    let dialect = check_dialect(&section.dialect, &format!("{key}.dialect"), base, faults);
    let mac = check_mac(section, dialect.as_ref(), &format!("{key}.mac"), base, faults);
    let frame = check_frame(&section.frame, &format!("{key}.frame"), faults);
    check_bounds(section, key, faults);
    check_session(section, key, faults);
    let partial = check_partial(section, key, faults);
    let network = NetworkName::new(&section.network);
    if let Err(error) = &network {
        faults.add(format!("{key}.network"), error.to_string());
    }
    Some(LinkSettings {
        name: section.name.clone(),
        endpoint: endpoint?,
        tls: tls?,
        mac: mac?,
        handshake_within: section.tls.as_ref().map_or(Duration::ZERO, |tls| tls.handshake_within),
        dialect: dialect?,
        network: network.ok()?,
        frame: frame?,
        connections_max: section.connections_max,
        in_flight_max: section.in_flight_max,
        answer_within: section.answer_within,
        ask_within: section.ask_within,
        frame_within: section.frame_within,
        idle_max: section.idle_max,
        unsent_bytes_max: section.unsent_bytes_max,
        // As for the whole switch.
        overload: OverloadSection::default().into(),
        session: SessionSettings {
            require_sign_on: section.require_sign_on,
            sign_on: section.sign_on,
            sign_on_within: section.sign_on_within,
            echo: section.echo.clone(),
        },
        partial,
    })
}

fn check_endpoint(section: &LinkSection, key: &str, faults: &mut Faults) -> Option<Endpoint> {
    match (section.listen, &section.connect) {
        (Some(address), None) => {
            if section.dial.is_some() {
                faults.add(format!("{key}.dial"), "says how to connect, and this link listens");
            }
            Some(Endpoint::Listen(address))
        }
        (None, Some(address)) => {
            if host_of(address).is_none() {
                let problem = format!("{address:?} was found, \"host:port\" is allowed");
                faults.add(format!("{key}.connect"), problem);
            }
            Some(Endpoint::Connect {
                address: address.clone(),
                dial: check_dial(section.dial.clone().unwrap_or_default(), &format!("{key}.dial"), faults),
            })
        }
        (Some(_), Some(_)) => {
            faults.add(key, "has both listen and connect, one of them is allowed");
            None
        }
        (None, None) => {
            faults.add(key, "has neither listen nor connect, one of them is needed");
            None
        }
    }
}

fn check_dial(dial: DialSection, key: &str, faults: &mut Faults) -> DialSection {
    let milli = Duration::from_millis(1);
    let connections = u128::try_from(dial.connections).unwrap_or(u128::MAX);
    faults.in_range(&format!("{key}.connections"), connections, 1, 64);
    faults.duration(&format!("{key}.connect_within"), dial.connect_within, milli * 100, milli * 120_000);
    faults.duration(&format!("{key}.pause_min"), dial.pause_min, milli * 10, milli * 3_600_000);
    faults.duration(&format!("{key}.pause_max"), dial.pause_max, dial.pause_min, milli * 3_600_000);
    dial
}

/// The host of `host:port`, without the brackets of an IPv6 address.
pub(crate) fn host_of(address: &str) -> Option<&str> {
    let (host, port) = address.rsplit_once(':')?;
    port.parse::<u16>().ok().filter(|port| *port > 0)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (!host.is_empty()).then_some(host)
}

/// `Some(None)` is a link without TLS.
fn check_tls(section: &LinkSection, key: &str, base: &Path, faults: &mut Faults) -> Option<Option<Arc<Tls>>> {
    let Some(tls) = &section.tls else { return Some(None) };
    let second = Duration::from_secs(1);
    faults.duration(&format!("{key}.handshake_within"), tls.handshake_within, second / 10, second * 120);
    let identity = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => Some((base.join(certificate), base.join(key))),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            faults.add(key, "certificate and key belong together: both are named, or neither");
            return None;
        }
    };
    let role = match &section.connect {
        Some(address) => TlsRole::Client(check_server_name(tls, address, key, faults)?),
        None if tls.server_name.is_some() => {
            faults.add(format!("{key}.server_name"), "is for a link that connects, and this one listens");
            return None;
        }
        None => TlsRole::Server,
    };
    let files = TlsFiles { identity, ca: tls.ca.as_ref().map(|ca| base.join(ca)) };
    let report = |error: TlsError| faults.add(key, error.to_string());
    Tls::load(files, role).map_err(report).ok().map(|tls| Some(Arc::new(tls)))
}

fn check_server_name(
    tls: &TlsSection,
    address: &str,
    key: &str,
    faults: &mut Faults,
) -> Option<rustls::pki_types::ServerName<'static>> {
    let name = tls.server_name.as_deref().or_else(|| host_of(address)).unwrap_or_default();
    let named = tls::server_name(name);
    let report = |_| {
        faults.add(
            format!("{key}.server_name"),
            format!("{name:?} was found, a host name or an IP address is allowed"),
        );
    };
    named.map_err(report).ok()
}

/// `Some(None)` is a link whose messages are not authenticated.
fn check_mac(
    section: &LinkSection,
    dialect: Option<&Dialect>,
    key: &str,
    base: &Path,
    faults: &mut Faults,
) -> Option<Option<MacKey>> {
    let Some(mac) = &section.mac else { return Some(None) };
    for de in [64, 128] {
        if dialect.is_some_and(|dialect| dialect.element(de).is_none()) {
            faults.add(
                key,
                format!("DE {de} is needed for the code, and {} does not list it", section.dialect),
            );
        }
    }
    let algorithm = named::<MacAlgorithm>(&mac.algorithm, &format!("{key}.algorithm"), faults);
    let padding = named::<MacPadding>(&mac.padding, &format!("{key}.padding"), faults);
    let file = keys::File::read(base, &mac.key);
    let file = file.map_err(|error| faults.add(format!("{key}.key"), error.to_string())).ok();
    let made = file?.mac(algorithm?, padding?, mac.length);
    made.map_err(|error| faults.add(key, error.to_string())).ok().map(Some)
}

/// One of the words that a type is written as.
fn named<'a, T: Deserialize<'a>>(word: &'a str, key: &str, faults: &mut Faults) -> Option<T> {
    let text: serde::de::value::StrDeserializer<'a, serde::de::value::Error> = word.into_deserializer();
    T::deserialize(text).map_err(|error| faults.add(key, error.to_string())).ok()
}

fn check_bounds(section: &LinkSection, key: &str, faults: &mut Faults) {
    let number = |value: usize| u128::try_from(value).unwrap_or(u128::MAX);
    for (name, found, min, max) in [
        ("connections_max", section.connections_max, 1, 65_536),
        ("in_flight_max", section.in_flight_max, 1, 1_000_000),
        ("unsent_bytes_max", section.unsent_bytes_max, 4_096, 1 << 30),
    ] {
        faults.in_range(&format!("{key}.{name}"), number(found), min, max);
    }
    let second = Duration::from_secs(1);
    for (name, found) in [
        ("answer_within", section.answer_within),
        ("frame_within", section.frame_within),
        ("idle_max", section.idle_max),
        ("sign_on_within", section.sign_on_within),
    ] {
        faults.duration(&format!("{key}.{name}"), found, Duration::from_millis(10), second * 86_400);
    }
}

fn check_session(section: &LinkSection, key: &str, faults: &mut Faults) {
    let Some(echo) = &section.echo else { return };
    let (milli, day) = (Duration::from_millis(1), Duration::from_secs(86_400));
    faults.duration(&format!("{key}.echo.after"), echo.after, milli * 10, day);
    faults.duration(&format!("{key}.echo.answer_within"), echo.answer_within, milli * 10, day);
    faults.in_range(&format!("{key}.echo.missed_max"), echo.missed_max.into(), 1, 1_000);
    if echo.after >= section.idle_max {
        faults.add(
            format!("{key}.echo.after"),
            format!(
                "{:?} was found, less than idle_max ({:?}) is needed: the connection would be closed first",
                echo.after, section.idle_max
            ),
        );
    }
}

fn check_partial(section: &LinkSection, key: &str, faults: &mut Faults) -> Option<PartialCapability> {
    let partial = section.partial_approval.as_ref()?;
    if partial.position == 0 || partial.value.is_empty() {
        faults.add(
            format!("{key}.partial_approval"),
            "position counts from 1, and value is at least one character",
        );
    }
    Some(PartialCapability {
        element: partial.element,
        offset: partial.position.saturating_sub(1),
        value: partial.value.clone(),
    })
}

fn check_dialect(name: &str, key: &str, base: &Path, faults: &mut Faults) -> Option<Dialect> {
    let shipped = iso8583::shipped(name);
    let parsed = match shipped {
        Some(parsed) => parsed,
        None if name.ends_with(".toml") => {
            let path = base.join(name);
            match std::fs::read_to_string(&path) {
                Ok(text) => read_dialect(&text, &path.display().to_string()),
                Err(error) => {
                    faults.add(key, format!("{} cannot be read: {error}", path.display()));
                    return None;
                }
            }
        }
        None => {
            let shipped: Vec<_> = iso8583::SHIPPED.iter().map(|(name, _)| *name).collect();
            faults.add(
                key,
                format!("{name:?} was found, a path ending in .toml or one of {shipped:?} is allowed"),
            );
            return None;
        }
    };
    parsed.map_err(|error| faults.add(key, error.to_string())).ok()
}

/// A dialect of the operator's own: the words of its response codes have to be ours, or they would never be used.
fn read_dialect(text: &str, origin: &str) -> Result<Dialect, DialectError> {
    let dialect = Dialect::from_toml(text, origin)?;
    dialect.check_response_words(text, origin, &known_words())?;
    Ok(dialect)
}

fn check_frame(section: &FrameSection, key: &str, faults: &mut Faults) -> Option<FrameFormat> {
    let length = named::<LengthHeader>(&section.length, &format!("{key}.length"), faults);
    faults.in_range(
        &format!("{key}.max_bytes"),
        u128::try_from(section.max_bytes).unwrap_or(u128::MAX),
        64,
        1 << 20,
    );
    Some(FrameFormat {
        length: length?,
        includes_itself: section.includes_itself,
        max_bytes: section.max_bytes,
    })
}
