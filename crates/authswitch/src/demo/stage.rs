//! What the demo's switch runs on: a folder with keys of its own, free ports, and a configuration file.
//!
//! The keys are made for one run. The configuration is the switch's own defaults with other ports and folders, and
//! can be used again with `authswitch run` when the folder is kept.

use super::brown_out;
use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use funding::{Keys, Secret};
use iso8583::{FrameFormat, LengthHeader};
use simulators::processor::{LinkTarget, Population};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use switch::{ConfigFile, LinkSection};
use tempfile::TempDir;

/// The dialects of the links.
pub(super) const DIALECTS: [&str; 3] = ["ascii-1987", "binary-1987", "ebcdic-1987"];

/// Duties are tried again soon: the demo waits for the last one before it compares books.
const DUTY_WITHIN: Duration = Duration::from_millis(500);
const DUTY_PAUSE_MIN: Duration = Duration::from_millis(50);
const DUTY_PAUSE_MAX: Duration = Duration::from_secs(1);

/// The folder, and what is in it.
pub(super) struct Stage {
    folder: PathBuf,
    /// Removes the folder at the end, unless it is to be kept.
    _temporary: Option<TempDir>,
    /// The bearer key of the control API.
    pub(super) control_key: String,
    /// What is signed with towards the balance service.
    pub(super) funding_keys: Keys,
    /// Where the control API will listen.
    pub(super) admin: SocketAddr,
    /// Where the links will listen, in the order of [`DIALECTS`].
    links: [SocketAddr; 3],
}

impl Stage {
    /// Makes the folder, the keys, and a choice of free ports.
    pub(super) fn set(keep: Option<&Path>) -> anyhow::Result<Self> {
        let (folder, temporary) = match keep {
            Some(folder) => {
                let journal = folder.join("journal");
                if journal.exists() {
                    return Err(anyhow!(
                        "--keep {}: the folder holds the journal of an earlier run; name another folder",
                        folder.display()
                    ));
                }
                fs::create_dir_all(folder)
                    .with_context(|| format!("--keep {} cannot be made", folder.display()))?;
                (folder.to_owned(), None)
            }
            None => {
                let made = tempfile::Builder::new().prefix("authswitch-demo-").tempdir();
                let temporary = made.context("no temporary folder can be made")?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let control_key = const_hex::encode(rand::random::<[u8; 24]>());
        let funding_key = format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 32]>()));
        write_private(&folder.join("card-tokens.key"), &const_hex::encode(rand::random::<[u8; 32]>()))?;
        write_private(&folder.join("control.key"), &control_key)?;
        write_private(&folder.join("funding.key"), &funding_key)?;
        let secret: Secret = Secret::parse(&funding_key).context("the key of the balance service")?;
        let [admin, ascii, binary, ebcdic] = free_ports()?;
        Ok(Self {
            folder,
            _temporary: temporary,
            control_key,
            funding_keys: Keys::new(secret),
            admin,
            links: [ascii, binary, ebcdic],
        })
    }

    /// Writes the configuration file of a switch that asks the balance service at `endpoint`.
    pub(super) fn write_config(
        &self,
        endpoint: &str,
        segment_bytes: u64,
        population: &Population,
    ) -> anyhow::Result<PathBuf> {
        let mut file = ConfigFile::default();
        file.node.name = "demo".to_owned();
        file.keys.card_tokens = "card-tokens.key".into();
        file.keys.control = "control.key".into();
        file.keys.funding = "funding.key".into();
        file.keys.funding_answers = "funding.key".into();
        file.admin.listen = self.admin;
        file.journal.directory = "journal".into();
        file.journal.segment_bytes = segment_bytes;
        endpoint.clone_into(&mut file.funding.endpoint);
        brown_out::configure(&mut file, population);
        file.funding.duty_within = DUTY_WITHIN;
        file.funding.duty_pause_min = DUTY_PAUSE_MIN;
        file.funding.duty_pause_max = DUTY_PAUSE_MAX;
        let link = |(dialect, listen): (&&str, &SocketAddr)| LinkSection {
            name: (*dialect).to_owned(),
            listen: Some(*listen),
            dialect: (*dialect).to_owned(),
            ..LinkSection::default()
        };
        file.link = DIALECTS.iter().zip(&self.links).map(link).collect();
        let text = toml::to_string(&file).context("the configuration")?;
        let path = self.folder.join("authswitch.toml");
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    }

    /// The links as the processor simulator sees them.
    pub(super) fn link_targets(&self) -> anyhow::Result<Vec<LinkTarget>> {
        let frame = FrameFormat { length: LengthHeader::Binary2, includes_itself: false, max_bytes: 4_096 };
        DIALECTS
            .iter()
            .zip(&self.links)
            .map(|(name, address)| {
                let dialect = iso8583::shipped(name).with_context(|| format!("{name} is not shipped"))??;
                Ok(LinkTarget::new(address.to_string(), dialect, frame))
            })
            .collect()
    }

    /// The journal's folder.
    pub(super) fn journal(&self) -> PathBuf {
        self.folder.join("journal")
    }

    /// Where the switch's log lines go.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("switch.log")
    }
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| writeln!(file, "{text}"))
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// Below the ports that outgoing connections get, so that none of those takes a port between now and its use.
const PORTS: Range<u16> = 20_000..32_000;
/// Ports tried before giving up: they are nearly all free.
const PORTS_TRIED: usize = 1_000;

/// Four ports that are free now. Another program could take one before the switch does; the switch would say so.
fn free_ports() -> anyhow::Result<[SocketAddr; 4]> {
    let mut held: Vec<TcpListener> = Vec::new();
    for _ in 0..PORTS_TRIED {
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, rand::random_range(PORTS))) {
            held.push(listener);
        }
        if let [first, second, third, fourth] = held.as_slice() {
            return Ok([
                first.local_addr()?,
                second.local_addr()?,
                third.local_addr()?,
                fourth.local_addr()?,
            ]);
        }
    }
    Err(anyhow!("no free port on 127.0.0.1 from {} to {}", PORTS.start, PORTS.end))
}
