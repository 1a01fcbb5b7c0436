//! The configuration as checked: everything read, every reference resolved, every wrong value reported.

use crate::config::check_link::{LinkSettings, check_links};
use crate::config::faults::{Fault, Faults};
use crate::config::file::ConfigFile;
use crate::config::funding::check_funding;
use crate::config::life::check_life;
use crate::config::rates::{RateSources, check_rates};
use crate::config::rules::check_rules;
use crate::config::stand_in::check_stand_in;
use crate::keys::{self, KeyError, Keys};
use crate::snapshots::SnapshotConfig;
use authorizer::{Life, Pricing, Rules, StandIn};
use cache::CacheConfig;
use funding::FundingConfig;
use journal::{JournalConfig, SealingKeys};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Everything the daemon is built from.
#[derive(Debug)]
pub struct Config {
    /// The file as written, defaults filled in.
    pub file: ConfigFile,
    /// Keys, read from their files.
    pub(crate) keys: Keys,
    /// Rules.
    pub policy: authorizer::Policy,
    /// Lanes.
    pub cache: CacheConfig,
    /// Journal.
    pub journal: JournalConfig,
    /// Balance service.
    pub funding: FundingConfig,
    /// Where rates come from beside the control API.
    pub(crate) rate_sources: Option<RateSources>,
    /// Admin port.
    pub admin: AdminSettings,
    /// Processor links.
    pub links: Vec<LinkSettings>,
}

/// The admin port.
#[derive(Clone, Copy, Debug)]
pub struct AdminSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Largest body read.
    pub body_bytes_max: usize,
    /// Requests under way at once.
    pub requests_in_flight_max: usize,
    /// Connections at once.
    pub connections_max: usize,
    /// Connections beyond those, for health alone.
    pub health_connections_max: usize,
    /// How long a change may wait to be durable.
    pub answer_within: Duration,
}

/// Everything that is wrong with a configuration file.
#[derive(Debug)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, one entry a key.
    pub faults: Vec<Fault>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n  ")?;
            }
            if !fault.key.is_empty() {
                write!(f, "{}: ", fault.key)?;
            }
            f.write_str(&fault.problem)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and checks a configuration file. Relative paths in it are relative to the file's folder.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let whole = |problem: String| ConfigError {
            path: path.to_owned(),
            faults: vec![Fault { key: String::new(), problem }],
        };
        let text =
            std::fs::read_to_string(path).map_err(|error| whole(format!("cannot be read: {error}")))?;
        let file =
            parse(&text).map_err(|fault| ConfigError { path: path.to_owned(), faults: vec![fault] })?;
        let base = path.parent().unwrap_or(Path::new(""));
        Self::check(file, base).map_err(|faults| ConfigError { path: path.to_owned(), faults })
    }

    /// Checks a configuration; relative paths are relative to `base`.
    pub fn check(file: ConfigFile, base: &Path) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let keys = check_keys(&file, base, &mut faults);
        let journal = check_journal(&file, base, &mut faults);
        let funding = check_funding(&file, base, &mut faults);
        check_log(&file, &mut faults);
        check_numbers(&file, &mut faults);
        let rules = check_rules(&file, &mut faults);
        let life = check_life(&file.decision.life, &mut faults);
        let stand_in = check_stand_in(&file, &mut faults);
        let (pricing, rate_sources) = check_rates(&file.rates, base, &mut faults);
        let links = check_links(&file, base, &mut faults);
        match (keys, funding) {
            (Some(keys), Some(funding)) if faults.0.is_empty() => Ok(Self {
                policy: policy(&file, rules, life, stand_in, pricing),
                rate_sources: Some(rate_sources),
                cache: cache_config(&file),
                admin: AdminSettings {
                    listen: file.admin.listen,
                    body_bytes_max: file.admin.body_bytes_max,
                    requests_in_flight_max: file.admin.requests_in_flight_max,
                    connections_max: file.admin.connections_max,
                    health_connections_max: file.admin.health_connections_max,
                    answer_within: file.admin.answer_within,
                },
                file,
                keys,
                journal,
                funding,
                links,
            }),
            _ => Err(faults.0),
        }
    }

    /// When snapshots are made, and what is kept.
    #[must_use]
    pub const fn snapshots(&self) -> SnapshotConfig {
        let journal = &self.file.journal;
        SnapshotConfig {
            after_bytes: journal.snapshot_after_bytes,
            every: journal.snapshot_every,
            at_stop: journal.snapshot_at_stop,
            stop_within: journal.snapshot_stop_within,
            gives_way_for: journal.snapshot_gives_way_for,
            damaged_max: journal.damaged_snapshots_max,
            keep_segments_for: journal.keep_segments_for,
        }
    }

    /// Whether a development key from the source is in use, which is no secret.
    #[must_use]
    pub fn uses_published_keys(&self) -> bool {
        self.keys.published
    }

    /// The configuration in force, as TOML; keys are named by their files and never shown.
    #[must_use]
    pub fn effective(&self) -> String {
        toml::to_string(&self.file).unwrap_or_else(|error| format!("# cannot be shown: {error}"))
    }
}

fn parse(text: &str) -> Result<ConfigFile, Fault> {
    let document = toml::Deserializer::parse(text)
        .map_err(|error| Fault { key: String::new(), problem: format!("is not TOML: {error}") })?;
    serde_path_to_error::deserialize(document).map_err(|error| Fault {
        key: error.path().to_string().replace('?', ""),
        problem: error.into_inner().to_string().trim_end().to_owned(),
    })
}

fn check_keys(file: &ConfigFile, base: &Path, faults: &mut Faults) -> Option<Keys> {
    let report = |key: &str, result: Result<keys::File, KeyError>, faults: &mut Faults| {
        result.map_err(|error| faults.add(format!("keys.{key}"), error.to_string())).ok()
    };
    let tokens = report("card_tokens", keys::File::read(base, &file.keys.card_tokens), faults);
    let control = report("control", keys::File::read(base, &file.keys.control), faults);
    let tokens = tokens.and_then(|found| {
        found.tokenizer().map_err(|error| faults.add("keys.card_tokens", error.to_string())).ok()
    });
    let control = control
        .and_then(|found| found.bearer().map_err(|error| faults.add("keys.control", error.to_string())).ok());
    let published = published_keys(file, base);
    let open = std::iter::once(file.admin.listen).chain(file.link.iter().filter_map(|link| link.listen));
    let exposed: Vec<_> = open.filter(|address| !address.ip().is_loopback()).collect();
    if let (Some(key), Some(address)) = (published.first(), exposed.first()) {
        faults.add(
            format!("keys.{key}"),
            format!(
                "is the development key that everybody can read in the source, and {address} is open to \
                 other machines; make a key of your own, or listen on loopback only"
            ),
        );
    }
    Some(Keys { tokens: tokens?, control: control?, published: !published.is_empty() })
}

fn published_keys<'a>(file: &'a ConfigFile, base: &Path) -> Vec<&'a str> {
    let keys = [
        ("card_tokens", &file.keys.card_tokens),
        ("control", &file.keys.control),
        ("funding", &file.keys.funding),
    ];
    let is_published = |path: &PathBuf| keys::File::read(base, path).is_ok_and(|key| key.is_published());
    keys.into_iter().filter(|(_, path)| is_published(path)).map(|(key, _)| key).collect()
}

fn check_journal(file: &ConfigFile, base: &Path, faults: &mut Faults) -> JournalConfig {
    let section = &file.journal;
    let mut journal = JournalConfig::new(&base.join(&section.directory));
    journal.node = file.node.id;
    journal.acknowledge = section.acknowledge;
    journal.segment_bytes = section.segment_bytes;
    journal.queue_batches_max = section.queue_batches_max;
    journal.batch_bytes_max = section.batch_bytes_max;
    journal.sync_every = section.sync_every;
    journal.unsynced_records_max = section.unsynced_records_max;
    journal.unsynced_exposure_max = section.unsynced_exposure_max;
    journal.free_bytes_min = section.free_bytes_min;
    let kept = section.keep_segments_bytes.checked_div(section.segment_bytes).unwrap_or(0);
    journal.retain_segments = usize::try_from(kept).unwrap_or(usize::MAX);
    journal.keys = sealing_keys(&section.encryption_keys, base, faults);
    // A write must fit into a fresh segment; the file has no key for it, so it follows the segment's size.
    let fits = usize::try_from(journal.segment_records_bytes_max()).unwrap_or(usize::MAX);
    journal.write_bytes_max = journal.write_bytes_max.min(fits);
    if let Err(error) = journal.check() {
        faults.add("journal", error.to_string());
    }
    if file.cache.batch_bytes_max.saturating_mul(2) > section.batch_bytes_max {
        // A lane seals its batch once it is above its bound, so the last command may go past it.
        faults.add(
            "cache.batch_bytes_max",
            format!(
                "{} was found, at most half of journal.batch_bytes_max ({}) is allowed",
                file.cache.batch_bytes_max, section.batch_bytes_max
            ),
        );
    }
    journal
}

/// The keys that payloads are sealed under; none when any of them is wrong, and the switch then does not start.
fn sealing_keys(files: &[PathBuf], base: &Path, faults: &mut Faults) -> SealingKeys {
    const KEY: &str = "journal.encryption_keys";
    let mut found = Vec::new();
    for file in files {
        match keys::File::read(base, file) {
            Ok(file) => found.push(file),
            Err(error) => faults.add(KEY, error.to_string()),
        }
    }
    let parsed = SealingKeys::parse(found.iter().map(keys::File::text));
    parsed.map_err(|error| faults.add(KEY, error.to_string())).unwrap_or_default()
}

fn check_log(file: &ConfigFile, faults: &mut Faults) {
    if let Err(error) = file.log.filter.parse::<tracing_subscriber::filter::Targets>() {
        faults.add(
            "log.filter",
            format!("{:?} is not a level or a list such as \"info,switch=debug\": {error}", file.log.filter),
        );
    }
}

fn check_numbers(file: &ConfigFile, faults: &mut Faults) {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let (decision, cache, admin) = (&file.decision, &file.cache, &file.admin);
    faults.duration("decision.hold_for", decision.hold_for, Duration::from_secs(60), DAY * 365);
    let undelivered = decision.undelivered_hold_for;
    faults.duration("decision.undelivered_hold_for", undelivered, Duration::from_secs(1), DAY * 7);
    faults.duration("decision.repeat_window", decision.repeat_window, Duration::from_secs(60), DAY * 30);
    let number = |value: usize| u128::try_from(value).unwrap_or(u128::MAX);
    for (key, found, max) in [
        ("decision.transactions_per_shard_max", decision.transactions_per_shard_max, 100_000_000),
        ("decision.limits_per_owner_max", decision.limits_per_owner_max, 64),
        ("decision.requests_per_shard_max", decision.requests_per_shard_max, 10_000_000),
        ("decision.duties_per_shard_max", decision.duties_per_shard_max, 10_000_000),
        ("cache.lanes", cache.lanes, 256),
        ("cache.cards_expected", cache.cards_expected, 1_000_000_000),
        ("cache.accounts_expected", cache.accounts_expected, 1_000_000_000),
        ("cache.requests_max", cache.requests_max, 10_000_000),
        ("cache.follow_ups_max", cache.follow_ups_max, 10_000_000),
        ("cache.batch_commands_max", cache.batch_commands_max, 65_536),
        ("cache.batch_bytes_max", cache.batch_bytes_max, 64 * 1024 * 1024),
        ("journal.damaged_snapshots_max", file.journal.damaged_snapshots_max, 1_000),
        ("admin.body_bytes_max", admin.body_bytes_max, 64 * 1024 * 1024),
        ("admin.requests_in_flight_max", admin.requests_in_flight_max, 65_536),
        ("admin.connections_max", admin.connections_max, 65_536),
        ("admin.health_connections_max", admin.health_connections_max, 1_024),
    ] {
        faults.in_range(key, number(found), 1, max);
    }
    let second = Duration::from_secs(1);
    let stop_within = file.journal.snapshot_stop_within;
    faults.duration("journal.snapshot_stop_within", stop_within, Duration::ZERO, second * 3_600);
    let gives_way_for = file.journal.snapshot_gives_way_for;
    faults.duration("journal.snapshot_gives_way_for", gives_way_for, Duration::ZERO, second * 86_400);
    faults.duration("cache.tick_every", cache.tick_every, Duration::from_millis(1), second * 60);
    let overload = &file.overload;
    faults.duration("overload.wait_max", overload.wait_max, Duration::from_millis(1), second * 60);
    let after = overload.wait_max_after;
    faults.duration("overload.wait_max_after", after, Duration::from_millis(10), second * 60);
    faults.duration("admin.answer_within", admin.answer_within, Duration::from_millis(10), second * 60);
    // What is lost when follow-ups find no room cannot be made good, so there is room for every one at once.
    let endpoints = 2_usize.saturating_mul(file.funding.range.len().saturating_add(1));
    let asks = file.funding.asks_in_flight_max.saturating_mul(endpoints);
    // Each ask may tell a balance beside its outcome.
    let owed = asks.saturating_mul(2).saturating_add(file.funding.duties_in_flight_max);
    if cache.follow_ups_max < owed {
        faults.add(
            "cache.follow_ups_max",
            format!(
                "{} was found, at least twice funding.asks_in_flight_max for each endpoint + \
                 funding.duties_in_flight_max ({owed}) is needed",
                cache.follow_ups_max
            ),
        );
    }
}

fn policy(
    file: &ConfigFile,
    rules: Rules,
    life: Life,
    stand_in: StandIn,
    pricing: Pricing,
) -> authorizer::Policy {
    authorizer::Policy {
        hold_for: file.decision.hold_for,
        undelivered_hold_for: file.decision.undelivered_hold_for,
        repeat_window: file.decision.repeat_window,
        transactions_per_shard_max: file.decision.transactions_per_shard_max,
        open_holds_per_card_max: file.decision.open_holds_per_card_max,
        limits_per_owner_max: file.decision.limits_per_owner_max,
        requests_per_shard_max: file.decision.requests_per_shard_max,
        duties_per_shard_max: file.decision.duties_per_shard_max,
        life: Arc::new(life),
        rules: Arc::new(rules),
        pricing: Arc::new(pricing),
        stand_in: Arc::new(stand_in),
    }
}

fn cache_config(file: &ConfigFile) -> CacheConfig {
    CacheConfig {
        lanes: file.cache.lanes,
        requests_max: file.cache.requests_max,
        follow_ups_max: file.cache.follow_ups_max,
        batch_commands_max: file.cache.batch_commands_max,
        batch_bytes_max: file.cache.batch_bytes_max,
        tick_every: file.cache.tick_every,
        overload: file.overload.into(),
    }
}
