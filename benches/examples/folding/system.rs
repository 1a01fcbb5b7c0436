//! A switch in this process that knows many cards from a snapshot, and a few more that can be used.

use crate::population::Population;
use crate::{Counts, moment};
use anyhow::{Context, Result, ensure};
use authorizer::Policy;
use benches::purchase::pan_of;
use journal::storage::Storage;
use journal::{Batch, FileStorage, JournalConfig, JournalHandle};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use switch::{Config, ConfigFile, Switch};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Cards that the purchases are spread over.
pub(crate) const CARDS: u32 = 500;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A running switch.
pub(crate) struct System {
    runtime: Runtime,
    switch: Switch,
    _folder: TempDir,
}

impl System {
    /// Starts it over a snapshot of `known` cards.
    pub(crate) fn start(known: u32) -> Result<Self> {
        let folder = tempfile::tempdir_in(".")?;
        know(known, &folder.path().join("journal"))?;
        std::fs::write(folder.path().join("tokens"), "5a".repeat(32))?;
        std::fs::write(folder.path().join("control"), KEY)?;
        std::fs::write(folder.path().join("funding"), "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")?;
        let mut file = ConfigFile::default();
        file.keys.card_tokens = "tokens".into();
        file.keys.control = "control".into();
        file.keys.funding = "funding".into();
        file.journal.directory = "journal".into();
        // Only when this program says so.
        file.journal.snapshot_after_bytes = 0;
        file.journal.snapshot_every = std::time::Duration::ZERO;
        file.journal.snapshot_at_stop = false;
        file.admin.listen = "127.0.0.1:0".parse()?;
        file.decision.open_holds_per_card_max = u32::MAX;
        for link in &mut file.link {
            link.listen = Some("127.0.0.1:0".parse()?);
            link.in_flight_max = 100_000;
        }
        let config = Config::check(file, folder.path()).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        let runtime = Runtime::new()?;
        let switch = runtime.block_on(Switch::start(config))?;
        let system = Self { runtime, switch, _folder: folder };
        // Numbered as the traffic has the cards that are funded from memory.
        for card in CARDS..2 * CARDS {
            system.ask("POST", "accounts", &format!(r#"{{"id":"a{card}","asset":"USD"}}"#))?;
            system.ask("POST", &format!("accounts/a{card}/credits"), r#"{"amount":"10000000.00"}"#)?;
            let number = String::from_utf8_lossy(&pan_of(card)).into_owned();
            system.ask(
                "POST",
                "cards",
                &format!(
                    r#"{{"id":"c{card}","number":"{number}","account":"a{card}","currency":"USD",
                    "expiry":"2029-12","funding":"pre_funded","status":"active"}}"#
                ),
            )?;
        }
        Ok(system)
    }

    /// Where the processor connects.
    pub(crate) fn link(&self) -> SocketAddr {
        self.switch.links().first().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Makes a snapshot of everything that is durable; returns when it is verified.
    pub(crate) fn make_snapshot(&self) -> Result<()> {
        self.ask("POST", "snapshots", "{}").map(drop)
    }

    /// Decisions so far, and those of them that the lane took up within a millisecond.
    pub(crate) fn waits(&self) -> Result<Counts> {
        let page = self.ask("GET", "../metrics", "")?;
        let count = |sample: &str| -> Result<u64> {
            let value = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
            Ok(value.context("a sample is missing on the metrics page")?.parse()?)
        };
        let within = r#"authswitch_stage_duration_seconds_bucket{stage="queue",le="0.001"}"#;
        Ok(Counts {
            all: count(r#"authswitch_stage_duration_seconds_count{stage="queue"}"#)?,
            within_a_millisecond: count(within)?,
        })
    }

    /// Stops it in good order.
    pub(crate) fn stop(self) -> Result<()> {
        self.runtime.block_on(self.switch.stop()).context("the switch stopped with an error")
    }

    /// Just enough HTTP for the control API.
    fn ask(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let path = path.strip_prefix("../").map_or_else(|| format!("/v1/{path}"), |path| format!("/{path}"));
        let mut stream = TcpStream::connect(self.switch.admin())?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: switch\r\nauthorization: Bearer {KEY}\r\nidempotency-key: {path}\r\n\
             connection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 20"), "{path}: {answer}");
        Ok(answer)
    }
}

/// A journal with one record, and a snapshot of so many cards that stands behind it.
fn know(cards: u32, directory: &Path) -> Result<()> {
    let config = JournalConfig { free_bytes_min: 0, ..JournalConfig::new(directory) };
    let node = ConfigFile::default().node.id;
    let (_, journal) =
        journal::open(JournalConfig { node, ..config }, |_| Ok::<_, journal::JournalError>(()))?;
    let journal: JournalHandle<()> = journal.start(|_| {}, Arc::new(()))?;
    let population =
        Population::new(cards, Policy { open_holds_per_card_max: u32::MAX, ..Policy::default() });
    let (at, rate) = population.first_fact();
    let mut records = journal.buffer();
    records.push(0, at.micros(), &rate)?;
    journal.append(Batch { records, release: () }).map_err(|refused| refused.because)?;
    journal.shutdown().map_err(|error| anyhow::anyhow!("{error}"))?;
    let storage: Arc<dyn Storage> = Arc::new(FileStorage::open_existing(directory)?);
    switch::offline::write_snapshot(storage, node, 1, moment(0), population.shards())?;
    Ok(())
}
