//! The configuration as written: one struct a section, one field a key, each with its default.

use super::life_file::LifeSection;
use crate::config::link_file::LinkSection;
use crate::config::rates_file::RatesSection;
use crate::config::rules_file::{RuleSection, SecuritySection};
use crate::config::stand_in_file::StandInSection;
use cache::Overload;
use journal::Acknowledge;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The whole file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConfigFile {
    /// Who this switch is.
    pub node: NodeSection,
    /// Files with keys.
    pub keys: KeysSection,
    /// Logs.
    pub log: LogSection,
    /// Health, metrics and the control API.
    pub admin: AdminSection,
    /// Rules that decisions depend on.
    pub decision: DecisionSection,
    /// Which results of verification decline by themselves.
    pub security: SecuritySection,
    /// Lanes and their queues.
    pub cache: CacheSection,
    /// When requests are shed although there is room for them.
    pub overload: OverloadSection,
    /// The write-behind journal.
    pub journal: JournalSection,
    /// The balance service.
    pub funding: FundingSection,
    /// Which rates are believed, what is added to them, and where they come from.
    pub rates: RatesSection,
    /// What the switch may approve in the balance service's place.
    pub stand_in: StandInSection,
    /// Groups of accounts with rules of their own.
    pub program: Vec<ProgramSection>,
    /// Rules of the card program.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<RuleSection>,
    /// Connections from processors. A file names its own: there is no link that it does not show.
    #[serde(default = "Vec::new")]
    pub link: Vec<LinkSection>,
}

impl Default for ConfigFile {
    fn default() -> Self {
        Self {
            node: NodeSection::default(),
            keys: KeysSection::default(),
            log: LogSection::default(),
            admin: AdminSection::default(),
            decision: DecisionSection::default(),
            security: SecuritySection::default(),
            cache: CacheSection::default(),
            overload: OverloadSection::default(),
            journal: JournalSection::default(),
            funding: FundingSection::default(),
            rates: RatesSection::default(),
            stand_in: StandInSection::default(),
            program: Vec::new(),
            rule: Vec::new(),
            link: vec![LinkSection::default()],
        }
    }
}

/// `[node]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeSection {
    /// A number that is written into every journal segment.
    pub id: u32,
    /// A name for logs.
    pub name: String,
}

impl Default for NodeSection {
    fn default() -> Self {
        Self { id: 1, name: "authswitch-1".into() }
    }
}

/// `[keys]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeysSection {
    /// The key of card tokens: 32 bytes in hex.
    pub card_tokens: PathBuf,
    /// The bearer key of the control API: at least 32 characters.
    pub control: PathBuf,
    /// The key that asks to the balance service are signed with: `whsec_` and base64.
    pub funding: PathBuf,
    /// The key that the balance service signs its answers with; empty: answers are not verified.
    pub funding_answers: PathBuf,
}

impl Default for KeysSection {
    fn default() -> Self {
        Self {
            card_tokens: "keys/card-tokens.key".into(),
            control: "keys/control.key".into(),
            funding: "keys/funding.key".into(),
            funding_answers: PathBuf::new(),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// Text or JSON.
    pub format: LogFormat,
    /// Which lines: a level, or a filter such as `info,switch=debug`.
    pub filter: String,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

/// `[admin]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSection {
    /// Where health, metrics and the control API listen.
    pub listen: SocketAddr,
    /// The largest body that the control API reads.
    pub body_bytes_max: usize,
    /// Requests of the control API that may be under way at once.
    pub requests_in_flight_max: usize,
    /// Connections at once; on more only health is served.
    pub connections_max: usize,
    /// Connections beyond those that are kept for health, readiness and metrics.
    pub health_connections_max: usize,
    /// How long a control request may wait for its change to be durable.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub answer_within: Duration,
}

impl Default for AdminSection {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9583),
            body_bytes_max: 64 * 1024,
            requests_in_flight_max: 256,
            connections_max: 256,
            health_connections_max: 16,
            answer_within: Duration::from_secs(10),
        }
    }
}

/// `[decision]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecisionSection {
    /// How long an approval holds money.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub hold_for: Duration,
    /// How long an approval that could not be sent holds money.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub undelivered_hold_for: Duration,
    /// How long a repeat is recognised.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub repeat_window: Duration,
    /// Transactions kept in each of the 256 shards.
    pub transactions_per_shard_max: usize,
    /// Open holds of one card.
    pub open_holds_per_card_max: u32,
    /// Limits of one card or account.
    pub limits_per_owner_max: usize,
    /// Idempotency keys kept in each shard.
    pub requests_per_shard_max: usize,
    /// Duties pending in each shard.
    pub duties_per_shard_max: usize,
    /// What velocity rules remember of one card or account.
    pub velocity_buckets_max: usize,
    /// The life of a transaction.
    pub life: LifeSection,
}

impl Default for DecisionSection {
    fn default() -> Self {
        let policy = authorizer::Policy::default();
        Self {
            hold_for: policy.hold_for,
            undelivered_hold_for: policy.undelivered_hold_for,
            repeat_window: policy.repeat_window,
            transactions_per_shard_max: policy.transactions_per_shard_max,
            open_holds_per_card_max: policy.open_holds_per_card_max,
            limits_per_owner_max: policy.limits_per_owner_max,
            requests_per_shard_max: policy.requests_per_shard_max,
            duties_per_shard_max: policy.duties_per_shard_max,
            velocity_buckets_max: authorizer::Rules::BUCKETS_MAX,
            life: LifeSection::default(),
        }
    }
}

/// `[cache]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSection {
    /// Lane threads.
    pub lanes: usize,
    /// Cards that the routing index has room for before it grows.
    pub cards_expected: usize,
    /// Accounts that the routing index has room for before it grows.
    pub accounts_expected: usize,
    /// Requests that may wait for one lane.
    pub requests_max: usize,
    /// Follow-ups that may wait for one lane.
    pub follow_ups_max: usize,
    /// Commands decided before their facts are handed over.
    pub batch_commands_max: usize,
    /// Bytes of facts gathered before they are handed over.
    pub batch_bytes_max: usize,
    /// How often holds and asks are looked over.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub tick_every: Duration,
}

impl Default for CacheSection {
    fn default() -> Self {
        Self {
            lanes: 1,
            cards_expected: 100_000,
            accounts_expected: 100_000,
            requests_max: 8_192,
            follow_ups_max: 65_536,
            batch_commands_max: 256,
            batch_bytes_max: 128 * 1024,
            tick_every: Duration::from_millis(100),
        }
    }
}

/// `[overload]`
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OverloadSection {
    /// How long a request may wait while more comes than can be served.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub wait_max: Duration,
    /// For how long waits must have been longer before any request is shed.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub wait_max_after: Duration,
}

impl Default for OverloadSection {
    fn default() -> Self {
        Self { wait_max: Duration::from_millis(500), wait_max_after: Duration::from_secs(2) }
    }
}

impl From<OverloadSection> for Overload {
    fn from(section: OverloadSection) -> Self {
        Self { wait_max: section.wait_max, wait_max_after: section.wait_max_after }
    }
}

/// `[journal]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalSection {
    /// Where segments are kept.
    pub directory: PathBuf,
    /// When an answer may leave.
    pub acknowledge: Acknowledge,
    /// Size of one segment.
    pub segment_bytes: u64,
    /// Batches that may wait for the writer.
    pub queue_batches_max: usize,
    /// Bytes of one batch.
    pub batch_bytes_max: usize,
    /// How often written facts are synced in the modes that do not wait for it.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub sync_every: Duration,
    /// Records that may be at risk in those modes.
    pub unsynced_records_max: u64,
    /// Money that may be at risk in those modes, in minor units of mixed currencies.
    pub unsynced_exposure_max: u64,
    /// Free space below which approvals stop.
    pub free_bytes_min: u64,
    /// Bytes of facts after which a snapshot is made; 0: never for this reason.
    pub snapshot_after_bytes: u64,
    /// Time after which a snapshot is made if there is anything new; zero: never for this reason.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub snapshot_every: Duration,
    /// Whether the last thing that a switch does is make a snapshot.
    pub snapshot_at_stop: bool,
    /// How long a stop waits for the last snapshot.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub snapshot_stop_within: Duration,
    /// How long a snapshot beside decisions takes only the time that everybody else leaves over.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub snapshot_gives_way_for: Duration,
    /// Damaged snapshots kept aside.
    pub damaged_snapshots_max: usize,
    /// Bytes of segments kept that no start needs any more.
    pub keep_segments_bytes: u64,
    /// How long segments are kept that no start needs any more.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub keep_segments_for: Duration,
    /// Key files that payloads are encrypted under, the newest first.
    pub encryption_keys: Vec<PathBuf>,
}

impl Default for JournalSection {
    fn default() -> Self {
        let journal = journal::JournalConfig::new(std::path::Path::new("../data/journal"));
        Self {
            directory: journal.directory,
            acknowledge: journal.acknowledge,
            segment_bytes: journal.segment_bytes,
            queue_batches_max: journal.queue_batches_max,
            batch_bytes_max: journal.batch_bytes_max,
            sync_every: journal.sync_every,
            unsynced_records_max: journal.unsynced_records_max,
            unsynced_exposure_max: 100_000_000,
            free_bytes_min: journal.free_bytes_min,
            snapshot_after_bytes: 1024 * 1024 * 1024,
            snapshot_every: Duration::from_secs(3_600),
            snapshot_at_stop: true,
            snapshot_stop_within: Duration::from_secs(60),
            snapshot_gives_way_for: Duration::from_secs(30),
            damaged_snapshots_max: 2,
            keep_segments_bytes: 1024 * 1024 * 1024,
            keep_segments_for: Duration::ZERO,
            encryption_keys: Vec::new(),
        }
    }
}

/// `[funding]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FundingSection {
    /// Where the balance service listens.
    pub endpoint: String,
    /// Asked instead while the first cannot be reached or is left alone; it must keep the same books. Empty: none.
    pub standby: String,
    /// Accounts whose books are kept elsewhere.
    pub range: Vec<FundingRangeSection>,
    /// Which HTTP the service speaks.
    pub protocol: HttpProtocol,
    /// The authorities that the service's certificate comes from, for `https`. Empty: `http` only.
    pub tls_authorities: PathBuf,
    /// Our certificate, for a service that asks for one. Empty: none.
    pub tls_certificate: PathBuf,
    /// The certificate's private key.
    pub tls_key: PathBuf,
    /// Where a GET answers 200 when the service is well. Empty: only asks can tell.
    pub health_path: String,
    /// How often that is asked.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub health_every: Duration,
    /// How many of a hundred asks may be sent a second time, where the service reserves once for one id.
    pub hedge_percent: u32,
    /// Asks that may be open at once to one endpoint.
    pub asks_in_flight_max: usize,
    /// Connections that may be open to one endpoint.
    pub connections_max: usize,
    /// Exchanges that share one connection of HTTP/2.
    pub streams_per_connection_max: usize,
    /// Duties that may be under way at once.
    pub duties_in_flight_max: usize,
    /// Duties that may be pending before no more asks are made.
    pub duties_pending_max: usize,
    /// The most that one ask may take, whatever the processor allows.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub ask_within: Duration,
    /// Kept back from the processor's deadline for recording the outcome.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub commit_margin: Duration,
    /// Kept back from the processor's deadline for writing the answer.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub write_margin: Duration,
    /// How long one attempt at a duty may take.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub duty_within: Duration,
    /// The first pause before a duty is tried again; it doubles from there.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub duty_pause_min: Duration,
    /// The longest pause.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub duty_pause_max: Duration,
    /// Connections opened before traffic starts.
    pub connections_warm: usize,
    /// Whether a service that keeps failing is left alone for a while.
    pub breaker: bool,
    /// How far back the breaker looks.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub breaker_window: Duration,
    /// Asks within the window below which it never opens.
    pub breaker_calls_min: u32,
    /// Failures of a hundred asks that open it.
    pub breaker_failure_percent_max: u32,
    /// Slow answers of a hundred asks that open it.
    pub breaker_slow_percent_max: u32,
    /// Hundredths of an ask's time after which an answer is slow.
    pub breaker_slow_after_percent: u32,
    /// Asks that may probe a service at once after a pause.
    pub breaker_probes_max: u32,
    /// Probes in a row that must succeed.
    pub breaker_probes_to_close: u32,
    /// When a probe without an end gives its place to another.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub breaker_probe_expires: Duration,
    /// Asks of at most so many minor units are preferred as probes.
    pub breaker_probe_amount_max: i64,
    /// The first pause; it doubles each time the service fails again.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub breaker_open_min: Duration,
    /// The longest pause.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub breaker_open_max: Duration,
}

impl Default for FundingSection {
    fn default() -> Self {
        Self {
            endpoint: "http://127.0.0.1:8584".into(),
            standby: String::new(),
            range: Vec::new(),
            protocol: HttpProtocol::Http1,
            tls_authorities: PathBuf::new(),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            health_path: String::new(),
            health_every: Duration::from_secs(1),
            hedge_percent: 0,
            asks_in_flight_max: 512,
            connections_max: 1_024,
            streams_per_connection_max: 64,
            duties_in_flight_max: 16,
            duties_pending_max: 100_000,
            ask_within: Duration::from_millis(1_800),
            commit_margin: Duration::from_millis(10),
            write_margin: Duration::from_millis(50),
            duty_within: Duration::from_secs(5),
            duty_pause_min: Duration::from_millis(200),
            duty_pause_max: Duration::from_secs(60),
            connections_warm: 8,
            breaker: true,
            breaker_window: Duration::from_secs(10),
            breaker_calls_min: 20,
            breaker_failure_percent_max: 50,
            breaker_slow_percent_max: 80,
            breaker_slow_after_percent: 80,
            breaker_probes_max: 3,
            breaker_probes_to_close: 3,
            breaker_probe_expires: Duration::from_secs(5),
            breaker_probe_amount_max: 5_000,
            breaker_open_min: Duration::from_secs(2),
            breaker_open_max: Duration::from_secs(30),
        }
    }
}

/// Which HTTP the balance service speaks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum HttpProtocol {
    /// HTTP/1.1.
    #[serde(rename = "http/1.1")]
    Http1,
    /// HTTP/2.
    #[serde(rename = "http/2")]
    Http2,
}

/// `[[funding.range]]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FundingRangeSection {
    /// The first account name that belongs to it, in byte order; empty: from the beginning.
    #[serde(default)]
    pub accounts_from: String,
    /// The first account name that no longer does; empty: to the end.
    #[serde(default)]
    pub accounts_below: String,
    /// Where their books are kept.
    pub endpoint: String,
    /// Another endpoint for the same books; empty: none.
    #[serde(default)]
    pub standby: String,
}

/// `[[program]]`: a group of accounts with rules of their own.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramSection {
    /// A name for logs, metrics and reports.
    pub name: String,
    /// How the names of its accounts begin. Of several that fit, the longest names the program.
    pub account_prefix: String,
    /// The most that one ask may take, where that is less than `funding.ask_within`.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask_within: Option<Duration>,
    /// What the switch may approve in the place of its balance service; left out: what `[stand_in]` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stand_in: Option<StandInSection>,
}
