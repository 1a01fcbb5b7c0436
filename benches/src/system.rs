//! A switch in this process, on a journal in the current folder's file system, with cards ready to spend.

use crate::purchase::pan_of;
use anyhow::{Context, Result, anyhow, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use switch::{Config, ConfigFile, Switch};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A running switch.
pub struct System {
    runtime: Runtime,
    switch: Switch,
    folder: TempDir,
}

/// The cards that it has: the JIT cards first, each with an account of its own.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cards {
    /// Cards whose balance service is asked.
    pub jit: u32,
    /// Cards with ten million on their account, and six limits.
    pub pre_funded: u32,
}

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Connections that cards are issued over, so that they share the journal's syncs.
const ISSUERS: u32 = 16;

/// Six limits, of which none is ever reached.
const LIMITS: &str = r#"[{"window":"transaction","amount_max":"10000.00"},
    {"window":"day","zone":"Europe/Berlin","amount_max":"9000000.00","count_max":100000000},
    {"window":"week","zone":"Europe/Berlin","amount_max":"90000000.00"},
    {"window":"month","zone":"Europe/Berlin","amount_max":"90000000.00"},
    {"window":"lifetime","zone":"Europe/Berlin","amount_max":"90000000.00"},
    {"window":"day","zone":"UTC","count_max":100000000}]"#;

impl System {
    /// Starts the switch with its defaults as `adjust` changes them, and issues the cards.
    ///
    /// # Errors
    /// The switch does not start, or refuses a card.
    pub fn start(cards: Cards, adjust: impl FnOnce(&mut ConfigFile)) -> Result<Self> {
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
        adjust(&mut file);
        let config = Config::check(file, folder.path()).map_err(|faults| anyhow!("{faults:?}"))?;
        let runtime = Runtime::new()?;
        let switch = runtime.block_on(Switch::start(config))?;
        issue(switch.admin(), cards)?;
        Ok(Self { runtime, switch, folder })
    }

    /// Where the processor connects.
    #[must_use]
    pub fn link(&self) -> SocketAddr {
        self.switch.links().first().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Its journal.
    #[must_use]
    pub fn journal(&self) -> std::path::PathBuf {
        self.folder.path().join("journal")
    }

    /// Makes a snapshot of everything that is durable; returns when it is verified.
    ///
    /// # Errors
    /// None could be made.
    pub fn make_snapshot(&self) -> Result<()> {
        Api { stream: TcpStream::connect(self.switch.admin())? }.post("snapshots", "{}")
    }

    /// The value of a metric on its metrics page; `name` has its labels, if it has any.
    ///
    /// # Errors
    /// There is no such page or metric.
    pub fn metric(&self, name: &str) -> Result<u64> {
        let mut stream = TcpStream::connect(self.switch.admin())?;
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: switch\r\nconnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        let mut values = page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = values.next().with_context(|| format!("no metric {name}"))?;
        Ok(value.trim().split('.').next().unwrap_or_default().parse()?)
    }

    /// Stops it in good order.
    ///
    /// # Errors
    /// It could not.
    pub fn stop(self) -> Result<()> {
        self.runtime.block_on(self.switch.stop()).context("the switch stopped with an error")
    }
}

fn issue(admin: SocketAddr, cards: Cards) -> Result<()> {
    let all = cards.jit + cards.pre_funded;
    std::thread::scope(|scope| {
        let issuers: Vec<_> = (0..ISSUERS)
            .map(|issuer| {
                scope.spawn(move || -> Result<()> {
                    let mut api = Api { stream: TcpStream::connect(admin)? };
                    (issuer..all)
                        .step_by(usize::try_from(ISSUERS)?)
                        .try_for_each(|card| api.issue(card, card < cards.jit))
                })
            })
            .collect();
        issuers.into_iter().try_for_each(|issuer| issuer.join().map_err(|_| anyhow!("an issuer panicked"))?)
    })
}

/// Just enough HTTP to issue cards.
struct Api {
    stream: TcpStream,
}

impl Api {
    fn issue(&mut self, card: u32, jit: bool) -> Result<()> {
        self.post("accounts", &format!(r#"{{"id":"a{card}","asset":"USD"}}"#))?;
        let (funding, limits) = if jit { ("jit", "[]") } else { ("pre_funded", LIMITS) };
        if !jit {
            self.post(&format!("accounts/a{card}/credits"), r#"{"amount":"10000000.00"}"#)?;
        }
        let number = String::from_utf8_lossy(&pan_of(card)).into_owned();
        self.post(
            "cards",
            &format!(
                r#"{{"id":"c{card}","number":"{number}","account":"a{card}","currency":"USD","expiry":"2029-12",
                "funding":"{funding}","status":"active","limits":{limits}}}"#
            ),
        )
    }

    fn post(&mut self, path: &str, body: &str) -> Result<()> {
        let request = format!(
            "POST /v1/{path} HTTP/1.1\r\nhost: switch\r\nauthorization: Bearer {KEY}\r\nidempotency-key: {path}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes())?;
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
