//! A switch in this process with its defaults, and two kinds of cards: asked for, and funded from memory.

use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use switch::{Config, ConfigFile, Switch};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Cards of each kind.
pub(crate) const CARDS: u32 = 500;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A running switch.
pub(crate) struct System {
    runtime: Runtime,
    switch: Switch,
    _folder: TempDir,
}

impl System {
    pub(crate) fn start(service: &str, breaker: bool) -> Result<Self> {
        let folder = tempfile::tempdir_in(".")?;
        std::fs::write(folder.path().join("tokens"), "5a".repeat(32))?;
        std::fs::write(folder.path().join("control"), KEY)?;
        std::fs::write(folder.path().join("funding"), "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")?;
        let mut file = ConfigFile::default();
        file.keys.card_tokens = "tokens".into();
        file.keys.control = "control".into();
        file.keys.funding = "funding".into();
        file.journal.directory = "journal".into();
        file.admin.listen = "127.0.0.1:0".parse()?;
        file.decision.open_holds_per_card_max = u32::MAX;
        file.funding.endpoint = service.into();
        file.funding.connections_warm = 64;
        file.funding.breaker = breaker;
        for link in &mut file.link {
            link.listen = Some("127.0.0.1:0".parse()?);
            link.in_flight_max = 100_000;
        }
        let config = Config::check(file, folder.path()).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        let runtime = Runtime::new()?;
        let switch = runtime.block_on(Switch::start(config))?;
        let mut stream = TcpStream::connect(switch.admin())?;
        for card in 0..2 * CARDS {
            let funding = if card < CARDS { "jit" } else { "pre_funded" };
            post(&mut stream, "accounts", &format!(r#"{{"id":"a{card}","asset":"USD"}}"#))?;
            if card >= CARDS {
                post(&mut stream, &format!("accounts/a{card}/credits"), r#"{"amount":"10000000.00"}"#)?;
            }
            let number = pan(card);
            post(
                &mut stream,
                "cards",
                &format!(
                    r#"{{"id":"c{card}","number":"{number}","account":"a{card}","currency":"USD",
                    "expiry":"2029-12","funding":"{funding}","status":"active"}}"#
                ),
            )?;
        }
        Ok(Self { runtime, switch, _folder: folder })
    }

    /// Where the processor connects.
    pub(crate) fn link(&self) -> SocketAddr {
        self.switch.links().first().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Stops it in good order.
    pub(crate) fn stop(self) -> Result<()> {
        self.runtime.block_on(self.switch.stop()).context("the switch stopped with an error")
    }
}

/// A card number with a right check digit.
pub(crate) fn pan(card: u32) -> String {
    let digits = format!("999999{card:09}");
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let doubled = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
            doubled / 10 + doubled % 10
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// Just enough HTTP to issue cards.
fn post(stream: &mut TcpStream, path: &str, body: &str) -> Result<()> {
    write!(
        stream,
        "POST /v1/{path} HTTP/1.1\r\nhost: switch\r\nauthorization: Bearer {KEY}\r\nidempotency-key: {path}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer)?;
        ensure!(read > 0, "the API closed the connection");
        answer.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length: usize = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
            .context("the API's answer has no length")?;
        if body.len() >= length {
            ensure!(head.starts_with("HTTP/1.1 20"), "{path}: {text}");
            return Ok(());
        }
    }
}
