//! Every metric: name, labels and buckets, in one list.
//!
//! Names and label values are closed sets; no card, account or STAN is ever a label. Handles are made once and
//! kept, because looking one up costs more than using it. Latencies are histograms with fixed buckets, so that
//! they can be added up over instances.

mod help;

use authorizer::Rules;
use cache::{BatchReport, LaneObserver};
use domain::{Approver, Fact, Failure, Reason, RuleName};
use funding::AskEnd;
use journal::{JournalError, JournalObserver, Space, WriteReport};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in seconds: from the floor of a journal sync to the longest deadline of a processor.
const BUCKETS: [f64; 20] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_3, 0.000_5, 0.000_75, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05,
    0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0,
];

/// Which way an authorization was funded; a label.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Path {
    Cache,
    Jit,
    /// Answered without funding: declines, and repeats of them.
    None,
}

/// The handles of one running switch.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    by_reason: Vec<Counter>,
    authorization: [Histogram; 3],
    stage_decode: Histogram,
    stage_queue: Histogram,
    stage_decide: Histogram,
    stage_journal: Histogram,
    stage_answer: Histogram,
    pub(crate) reversals: Counter,
    pub(crate) snapshots_made: Counter,
    pub(crate) snapshot_failures: Counter,
    pub(crate) reversals_unmatched: Counter,
    pub(crate) network_messages: Counter,
    pub(crate) not_served: Counter,
    pub(crate) overload_declines: Counter,
    pub(crate) unanswered_repeats: Counter,
    pub(crate) late_answers: Counter,
    pub(crate) undelivered_answers: Counter,
    pub(crate) withheld_answers: Counter,
    pub(crate) unknown_card_follow_ups: Counter,
    pub(crate) noted_follow_ups: Counter,
    ask_outcomes: Vec<Counter>,
    ask_duration: Histogram,
    late_funding_answers: Counter,
    funding_lateness: Histogram,
    pub(crate) rate_source_failures: Counter,
    pub(crate) asks_hedged: Counter,
    pub(crate) asked_elsewhere: Counter,
    pub(crate) funding_misconfigured: Counter,
    pub(crate) duty_attempts: Counter,
    pub(crate) duty_failures: Counter,
    pub(crate) duties_done: Counter,
    journal_syncs: Histogram,
    journal_records: Counter,
    journal_bytes: Counter,
    /// The same, for those who decide by it.
    journal_bytes_written: AtomicU64,
    journal_failed: Gauge,
    journal_space: Gauge,
    lane_batch: Histogram,
}

impl Metrics {
    /// Makes all metrics, in a registry of their own: two switches in one process do not mix.
    pub(crate) fn new() -> Result<Self, metrics_exporter_prometheus::BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&BUCKETS)?
            .set_buckets_for_metric(
                Matcher::Full("authswitch_lane_batch_commands".into()),
                &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0],
            )?
            .build_recorder();
        let handle = recorder.handle();
        let metrics = metrics::with_local_recorder(&recorder, || {
            help::describe();
            help::describe_snapshots();
            let stage =
                |stage: &'static str| histogram!("authswitch_stage_duration_seconds", "stage" => stage);
            let path = |path: &'static str| histogram!("authswitch_authorization_duration_seconds", "funding" => path);
            Handles {
                by_reason: Reason::ALL.iter().map(|reason| by_reason(*reason)).collect(),
                authorization: [path("cache"), path("jit"), path("none")],
                stages: [stage("decode"), stage("queue"), stage("decide"), stage("journal"), stage("answer")],
                asks: AskEnd::ALL
                    .iter()
                    .map(|end| counter!("authswitch_funding_asks_total", "outcome" => end.as_str()))
                    .collect(),
            }
        });
        let counter = |name: &'static str| metrics::with_local_recorder(&recorder, || counter!(name));
        let [stage_decode, stage_queue, stage_decide, stage_journal, stage_answer] = metrics.stages;
        Ok(Self {
            by_reason: metrics.by_reason,
            authorization: metrics.authorization,
            stage_decode,
            stage_queue,
            stage_decide,
            stage_journal,
            stage_answer,
            reversals: counter("authswitch_reversals_total"),
            snapshots_made: counter("authswitch_snapshots_total"),
            snapshot_failures: counter("authswitch_snapshot_failures_total"),
            reversals_unmatched: counter("authswitch_reversals_unmatched_total"),
            network_messages: counter("authswitch_network_messages_total"),
            not_served: counter("authswitch_not_served_total"),
            overload_declines: counter("authswitch_overload_declines_total"),
            unanswered_repeats: counter("authswitch_unanswered_repeats_total"),
            late_answers: counter("authswitch_late_answers_total"),
            withheld_answers: counter("authswitch_withheld_answers_total"),
            undelivered_answers: counter("authswitch_undelivered_answers_total"),
            unknown_card_follow_ups: counter("authswitch_unknown_card_follow_ups_total"),
            noted_follow_ups: counter("authswitch_noted_follow_ups_total"),
            ask_outcomes: metrics.asks,
            late_funding_answers: counter("authswitch_funding_late_answers_total"),
            funding_lateness: metrics::with_local_recorder(&recorder, || {
                histogram!("authswitch_funding_lateness_seconds")
            }),
            rate_source_failures: counter("authswitch_rate_source_failures_total"),
            asks_hedged: counter("authswitch_funding_asks_hedged_total"),
            asked_elsewhere: counter("authswitch_funding_asks_failed_over_total"),
            funding_misconfigured: counter("authswitch_funding_misconfigured_answers_total"),
            duty_attempts: counter("authswitch_duty_attempts_total"),
            duty_failures: counter("authswitch_duty_failures_total"),
            duties_done: counter("authswitch_duties_done_total"),
            journal_records: counter("authswitch_journal_records_total"),
            journal_bytes: counter("authswitch_journal_bytes_total"),
            journal_bytes_written: AtomicU64::new(0),
            ask_duration: metrics::with_local_recorder(&recorder, || {
                histogram!("authswitch_funding_ask_duration_seconds")
            }),
            journal_syncs: metrics::with_local_recorder(&recorder, || {
                histogram!("authswitch_journal_sync_duration_seconds")
            }),
            journal_failed: metrics::with_local_recorder(&recorder, || gauge!("authswitch_journal_failed")),
            journal_space: metrics::with_local_recorder(&recorder, || gauge!("authswitch_journal_space_low")),
            lane_batch: metrics::with_local_recorder(&recorder, || {
                histogram!("authswitch_lane_batch_commands")
            }),
            recorder,
            handle,
        })
    }

    /// The counters of the program's rules: as many as there are rules, each shown from the start.
    pub(crate) fn rule_hits(&self, rules: &Rules) -> RuleHits {
        metrics::with_local_recorder(&self.recorder, || {
            let counters = rules.all().iter().map(|rule| {
                let (name, mode) = (rule.name.to_string(), rule.mode.as_str());
                (rule.name, counter!("authswitch_rule_hits_total", "rule" => name, "mode" => mode))
            });
            RuleHits(counters.collect())
        })
    }

    /// The counters of standing in, each shown from the start.
    pub(crate) fn stand_in_hits(&self) -> StandInHits {
        metrics::with_local_recorder(&self.recorder, || {
            let counter = |outcome: &'static str| counter!("authswitch_stand_in_total", "outcome" => outcome);
            let refused = STAND_IN_REFUSALS.map(|reason| (reason, counter(reason.as_str())));
            StandInHits { approved: counter("approved"), refused: Arc::new(refused) }
        })
    }

    /// A gauge of one pair.
    pub(crate) fn rate_gauge(&self, name: &'static str, from: &str, to: &str) -> Gauge {
        metrics::with_local_recorder(
            &self.recorder,
            || gauge!(name, "from" => from.to_owned(), "to" => to.to_owned()),
        )
    }

    /// A gauge of what one program has open in one asset.
    pub(crate) fn exposure_gauge(&self, name: &'static str, program: &str, asset: &str) -> Gauge {
        metrics::with_local_recorder(
            &self.recorder,
            || gauge!(name, "program" => program.to_owned(), "asset" => asset.to_owned()),
        )
    }

    /// The counters of one link.
    pub(crate) fn link(&self, name: &str) -> LinkMetrics {
        metrics::with_local_recorder(&self.recorder, || LinkMetrics {
            up: gauge!("authswitch_link_up", "link" => name.to_owned()),
            connections: gauge!("authswitch_link_connections", "link" => name.to_owned()),
            in_flight: gauge!("authswitch_link_in_flight", "link" => name.to_owned()),
            in_flight_max: gauge!("authswitch_link_in_flight_max", "link" => name.to_owned()),
            format_errors: counter!("authswitch_format_errors_total", "link" => name.to_owned()),
            frame_errors: counter!("authswitch_frame_errors_total", "link" => name.to_owned()),
            refused: counter!("authswitch_link_refused_connections_total", "link" => name.to_owned()),
            connections_max: gauge!("authswitch_link_connections_max", "link" => name.to_owned()),
            signed_on: gauge!("authswitch_link_signed_on_connections", "link" => name.to_owned()),
            reconnects: counter!("authswitch_link_reconnects_total", "link" => name.to_owned()),
            connect_failures: counter!("authswitch_link_connect_failures_total", "link" => name.to_owned()),
            missed_echoes: counter!("authswitch_link_missed_echoes_total", "link" => name.to_owned()),
            mac_failures: counter!("authswitch_link_mac_failures_total", "link" => name.to_owned()),
            tls_failures: counter!("authswitch_link_tls_failures_total", "link" => name.to_owned()),
        })
    }

    /// A gauge without labels.
    pub(crate) fn gauge(&self, name: &'static str) -> Gauge {
        metrics::with_local_recorder(&self.recorder, || gauge!(name))
    }

    /// A gauge of one of the queues.
    pub(crate) fn queue_gauge(&self, name: &'static str, queue: &'static str) -> Gauge {
        metrics::with_local_recorder(&self.recorder, || gauge!(name, "queue" => queue))
    }

    /// An authorization was answered `took` after its frame was read.
    pub(crate) fn answered(&self, reason: Reason, path: Path, took: Duration) {
        if let Some(counter) = self.by_reason.get(position(reason)) {
            counter.increment(1);
        }
        let [cache, jit, none] = &self.authorization;
        let histogram = match path {
            Path::Cache => cache,
            Path::Jit => jit,
            Path::None => none,
        };
        histogram.record(took.as_secs_f64());
    }

    /// Frames were decoded, translated and posted.
    pub(crate) fn read_requests(&self, took: Duration) {
        self.stage_decode.record(took.as_secs_f64());
    }

    /// Answers were encoded and handed to the network.
    pub(crate) fn wrote_answers(&self, took: Duration) {
        self.stage_answer.record(took.as_secs_f64());
    }

    /// An ask ended.
    pub(crate) fn ask_ended(&self, end: AskEnd, took: Duration) {
        if let Some(place) = AskEnd::ALL.iter().position(|known| *known == end)
            && let Some(counter) = self.ask_outcomes.get(place)
        {
            counter.increment(1);
        }
        self.ask_duration.record(took.as_secs_f64());
    }

    /// Bytes of facts that no snapshot had when this process started, and all written since.
    pub(crate) fn journal_bytes_written(&self) -> u64 {
        self.journal_bytes_written.load(Ordering::Relaxed)
    }

    /// So many bytes of facts more.
    pub(crate) fn count_journal_bytes(&self, bytes: u64) {
        self.journal_bytes_written.fetch_add(bytes, Ordering::Relaxed);
    }

    /// An answer of the balance service came after its ask had ended.
    pub(crate) fn answer_was_late(&self, late_by: Duration) {
        self.late_funding_answers.increment(1);
        self.funding_lateness.record(late_by.as_secs_f64());
    }

    /// The gauges of one endpoint of the balance service; `number` counts from 0 in the order of the configuration.
    pub(crate) fn endpoint(&self, number: usize) -> EndpointMetrics {
        metrics::with_local_recorder(&self.recorder, || EndpointMetrics {
            breaker_open: gauge!("authswitch_funding_breaker_open", "endpoint" => number.to_string()),
            well: gauge!("authswitch_funding_endpoint_well", "endpoint" => number.to_string()),
            config_alarm: gauge!("authswitch_funding_config_alarm", "endpoint" => number.to_string()),
            asks: gauge!("authswitch_funding_endpoint_asks", "endpoint" => number.to_string()),
            connections: gauge!("authswitch_funding_endpoint_connections", "endpoint" => number.to_string()),
        })
    }

    /// Sorts new samples into their buckets; must be called every second or so, or samples pile up.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// The page that Prometheus reads.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }
}

struct Handles {
    by_reason: Vec<Counter>,
    authorization: [Histogram; 3],
    stages: [Histogram; 5],
    asks: Vec<Counter>,
}

/// The counters of one link.
#[derive(Clone)]
pub(crate) struct LinkMetrics {
    pub(crate) up: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) in_flight: Gauge,
    pub(crate) in_flight_max: Gauge,
    pub(crate) format_errors: Counter,
    pub(crate) frame_errors: Counter,
    pub(crate) refused: Counter,
    pub(crate) connections_max: Gauge,
    pub(crate) signed_on: Gauge,
    pub(crate) reconnects: Counter,
    pub(crate) connect_failures: Counter,
    pub(crate) missed_echoes: Counter,
    pub(crate) tls_failures: Counter,
    pub(crate) mac_failures: Counter,
}

/// The gauges of one endpoint of the balance service.
pub(crate) struct EndpointMetrics {
    pub(crate) breaker_open: Gauge,
    pub(crate) well: Gauge,
    pub(crate) config_alarm: Gauge,
    pub(crate) asks: Gauge,
    pub(crate) connections: Gauge,
}

impl LaneObserver for Metrics {
    fn batch_decided(&self, _lane: usize, report: BatchReport) {
        self.stage_queue.record(report.queue_wait.as_secs_f64());
        self.stage_decide.record(report.deciding.as_secs_f64());
        #[allow(clippy::cast_precision_loss)] // a batch has far fewer commands than 2^52
        self.lane_batch.record(report.commands as f64);
    }
}

impl JournalObserver for Metrics {
    fn wrote(&self, report: &WriteReport) {
        self.journal_records.increment(report.records);
        self.journal_bytes.increment(report.bytes);
        self.count_journal_bytes(report.bytes);
        self.stage_journal.record(report.write.as_secs_f64());
    }

    fn synced(&self, took: Duration) {
        self.journal_syncs.record(took.as_secs_f64());
    }

    fn space_changed(&self, space: Space) {
        self.journal_space.set(if space == Space::Ample { 0.0 } else { 1.0 });
    }

    fn failed(&self, _error: &JournalError) {
        self.journal_failed.set(1.0);
    }
}

/// Counts what the program's rules found, by the facts that say so.
#[derive(Clone, Default)]
pub(crate) struct RuleHits(Arc<[(RuleName, Counter)]>);

impl RuleHits {
    /// Counts the rules that a fact names. A rule that failed in two ways counts once a transaction.
    pub(crate) fn count(&self, failures: &[Failure]) {
        if failures.is_empty() {
            return;
        }
        for (name, counter) in self.0.iter() {
            if failures.iter().any(|failure| failure.rule.is_some_and(|breach| breach.rule == *name)) {
                counter.increment(1);
            }
        }
    }
}

/// Why the switch did not stand in where its program would.
const STAND_IN_REFUSALS: [Reason; 5] = [
    Reason::StandInBarred,
    Reason::StandInBalanceUnknown,
    Reason::StandInFunds,
    Reason::StandInLimit,
    Reason::StandInExposure,
];

/// Counts what was decided in the balance service's place, by the facts that say so.
#[derive(Clone)]
pub(crate) struct StandInHits {
    approved: Counter,
    refused: Arc<[(Reason, Counter); 5]>,
}

impl StandInHits {
    /// Counts a fact.
    pub(crate) fn count(&self, fact: &Fact) {
        if let Fact::AskApproved { by: Approver::StandIn, .. } = fact {
            self.approved.increment(1);
        }
        for failure in fact.failures() {
            let found = self.refused.iter().find(|(reason, _)| *reason == failure.reason);
            if let Some((_, counter)) = found {
                counter.increment(1);
            }
        }
    }
}

fn by_reason(reason: Reason) -> Counter {
    let outcome = if reason.is_approval() { "approved" } else { "declined" };
    counter!("authswitch_authorizations_total", "outcome" => outcome, "reason" => reason.as_str())
}

fn position(reason: Reason) -> usize {
    Reason::ALL.iter().position(|other| *other == reason).unwrap_or(0)
}
