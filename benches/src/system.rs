//! A switch in this process, on a journal in the current folder's file system, with cards ready to spend.

use anyhow::{Context, Result, ensure};
use bytes::BytesMut;
use iso8583::{Dialect, Draft, Mti};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::LazyLock;
use switch::{Config, ConfigFile, Switch};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A running switch.
pub(crate) struct System {
    runtime: Runtime,
    switch: Switch,
    _folder: TempDir,
}

const KEY: &str = "0123456789abcdef0123456789abcdef";

impl System {
    /// Starts the switch and issues `cards` cards, each with an account of its own.
    pub(crate) fn start(cards: usize) -> Result<Self> {
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
        for link in &mut file.link {
            link.listen = Some("127.0.0.1:0".parse()?);
        }
        let config = Config::check(file, folder.path()).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        let runtime = Runtime::new()?;
        let switch = runtime.block_on(Switch::start(config))?;
        let admin = switch.admin();
        let mut api = Api { stream: TcpStream::connect(admin)? };
        for card in 0..cards {
            api.post("accounts", &format!(r#"{{"id":"a{card}","asset":"USD"}}"#))?;
            api.post(&format!("accounts/a{card}/credits"), r#"{"amount":"10000000.00"}"#)?;
            let number = String::from_utf8_lossy(&pan(card)).into_owned();
            api.post(
                "cards",
                &format!(
                    r#"{{"id":"c{card}","number":"{number}","account":"a{card}","currency":"USD",
                    "expiry":"2029-12","funding":"pre_funded","status":"active"}}"#
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

/// A purchase of 1.00 USD, framed; `number` makes it a new one.
pub(crate) fn request(number: usize, card: usize) -> Result<Vec<u8>> {
    static DIALECT: LazyLock<Option<Dialect>> =
        LazyLock::new(|| iso8583::shipped("ascii-1987").and_then(Result::ok));
    let dialect = DIALECT.as_ref().context("the dialect is shipped")?;
    let number = u64::try_from(number)?;
    let mut body = BytesMut::new();
    Draft::new(dialect, Mti::parse("0100").context("an MTI")?)
        .text(2, &String::from_utf8_lossy(&pan(card)))
        .text(3, "000000")
        .number(4, 100)
        .number(7, 1_120_000_000 + number / 1_000_000 % 60)
        .number(11, number % 1_000_000)
        .number(18, 5_411)
        .text(32, "12345")
        .text(37, &format!("{number:012}"))
        .text(41, "TERM0001")
        .text(42, "MERCHANT0000001")
        .text(49, "840")
        .encode_into(&mut body)?;
    let mut frame = u16::try_from(body.len())?.to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// A card number with a right check digit.
fn pan(card: usize) -> Vec<u8> {
    let mut digits = format!("999999{card:09}").into_bytes();
    let sum: usize = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let doubled = usize::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
            doubled / 10 + doubled % 10
        })
        .sum();
    digits.push(b'0' + u8::try_from((10 - sum % 10) % 10).unwrap_or(0));
    digits
}

/// Just enough HTTP to issue cards.
struct Api {
    stream: TcpStream,
}

impl Api {
    fn post(&mut self, path: &str, body: &str) -> Result<()> {
        write!(
            self.stream,
            "POST /v1/{path} HTTP/1.1\r\nhost: switch\r\nauthorization: Bearer {KEY}\r\nidempotency-key: {path}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let read = self.stream.read(&mut buffer)?;
            ensure!(read > 0, "the API closed the connection");
            answer.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&answer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length: usize = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
                })
                .context("the API's answer has no length")?;
            if body.len() >= length {
                ensure!(head.starts_with("HTTP/1.1 20"), "{path}: {text}");
                return Ok(());
            }
        }
    }
}
