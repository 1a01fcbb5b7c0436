//! Card traffic with a live line about how it is doing.
//!
//! On a terminal the line is redrawn; elsewhere a line is printed every few seconds. An interrupt ends the traffic
//! early and in good order: what was sent is still answered and counted.

use crate::runtime;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::SignedDuration;
use simulators::processor::{self, Outcome, ProcessorConfig, ProcessorError, Progress, Snapshot};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often the line is redrawn on a terminal, and printed elsewhere.
const REDRAW_EVERY: Duration = Duration::from_millis(500);
const PRINT_EVERY: Duration = Duration::from_secs(5);

/// A duration with its unit, as a value parser of arguments.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: SignedDuration =
        text.parse().map_err(|_| format!("{text:?} is no duration with a unit, such as \"30s\""))?;
    Duration::try_from(parsed).map_err(|_| format!("{text:?} is below zero"))
}

/// Runs the traffic of `config` and shows its progress on standard error.
pub(crate) async fn run(config: ProcessorConfig) -> Result<Outcome, ProcessorError> {
    let progress = Arc::new(Progress::default());
    let mut line = LiveLine::new(config.duration);
    let mut ticks = interval(if line.on_terminal { REDRAW_EVERY } else { PRINT_EVERY });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let traffic = processor::run(config, Arc::clone(&progress));
    let interrupted = runtime::interrupted();
    tokio::pin!(traffic, interrupted);
    let outcome = loop {
        tokio::select! {
            outcome = &mut traffic => break outcome,
            _ = ticks.tick() => line.show(&progress.snapshot()),
            () = &mut interrupted, if !progress.is_stopped() => progress.stop(),
        }
    };
    line.bar.finish_and_clear();
    outcome
}

/// The line, and what it said last.
struct LiveLine {
    bar: ProgressBar,
    on_terminal: bool,
    since: Instant,
    answered: u64,
    looked: Instant,
}

impl LiveLine {
    fn new(duration: Duration) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let tenths = u64::try_from(duration.as_millis() / 100).unwrap_or(u64::MAX);
        let style =
            ProgressStyle::with_template("{bar:24} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let now = Instant::now();
        let bar = ProgressBar::new(tenths.max(1)).with_style(style);
        Self { bar, on_terminal, since: now, answered: 0, looked: now }
    }

    fn show(&mut self, snapshot: &Snapshot) {
        let now = Instant::now();
        let seconds = now.duration_since(self.looked).as_secs_f64().max(0.001);
        let counts = snapshot.counts;
        // For the eye only; the report counts exactly.
        #[allow(clippy::cast_precision_loss)]
        let rate = counts.answered.saturating_sub(self.answered) as f64 / seconds;
        let message = format!(
            "{:>3} s  {rate:>6.0} answers/s  p50 {:>8} p99 {:>8}  approved {} declined {} open {}",
            now.duration_since(self.since).as_secs(),
            in_milliseconds(snapshot.p50),
            in_milliseconds(snapshot.p99),
            counts.approved,
            counts.declined,
            counts.sent.saturating_sub(counts.answered),
        );
        (self.answered, self.looked) = (counts.answered, now);
        if self.on_terminal {
            let tenths = u64::try_from(now.duration_since(self.since).as_millis() / 100).unwrap_or(u64::MAX);
            self.bar.set_position(tenths);
            self.bar.set_message(message);
        } else {
            eprintln!("{message}");
        }
    }
}

fn in_milliseconds(duration: Duration) -> String {
    format!("{:.2}ms", duration.as_secs_f64() * 1_000.0)
}
