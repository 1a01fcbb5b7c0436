//! The report at the end of a demo or a load run: for the terminal, and as one HTML file with charts.
//!
//! [`DemoReport`] is plain data. [`DemoReport::of`] fills it from a run of the processor simulator; whoever knows
//! the other books adds [`BooksTable`] and the conditions. Rendering changes nothing and cannot fail.

mod axis;
mod books;
mod chart;
mod html;
mod number;
mod svg;
mod terminal;

pub use books::{BookRow, BooksTable, Difference, Figure};
pub use terminal::Style;

use crate::processor::{Outcome, Path, Second};
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything that a report shows.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoReport {
    /// The heading.
    pub title: String,
    /// Under which conditions: name and value, for example `acknowledge` and `disk`.
    pub conditions: Vec<(String, String)>,
    /// The figures at the top.
    pub headline: Headline,
    /// Latencies by path.
    pub paths: Vec<PathLatency>,
    /// Declines by reason, most frequent first.
    pub declines: Vec<DeclineCount>,
    /// The run second by second.
    pub timeline: Vec<Second>,
    /// The books beside one another.
    pub books: BooksTable,
    /// Broken promises, masked: what, how often, and examples.
    pub violations: Vec<String>,
}

/// The figures at the top of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Headline {
    /// How long messages were sent for.
    pub sending: Duration,
    /// Answers a second in that time.
    pub answers_per_second: f64,
    /// Messages sent.
    pub sent: u64,
    /// Answers received.
    pub answered: u64,
    /// Authorization requests approved.
    pub approved: u64,
    /// Authorization requests declined.
    pub declined: u64,
    /// Answers after the time that the processor waits.
    pub late: u64,
    /// Messages without an answer.
    pub unanswered: u64,
    /// Messages that the generator sent late.
    pub delayed: u64,
    /// Broken promises.
    pub violations: u64,
}

/// The latencies of one path, from the scheduled send time.
#[derive(Clone, Debug, PartialEq)]
pub struct PathLatency {
    /// The path, for example `cache`.
    pub name: String,
    /// Answers.
    pub count: u64,
    /// The median.
    pub p50: Duration,
    /// 99 in 100 are not slower.
    pub p99: Duration,
    /// 999 in 1000 are not slower.
    pub p999: Duration,
    /// The slowest.
    pub max: Duration,
    /// The percentile curve: (k, latency at the quantile 1 - 10^-k).
    pub curve: Vec<(f64, Duration)>,
}

/// How often one reason led to a decline.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeclineCount {
    /// The reason.
    pub reason: String,
    /// The response codes, DE 39, that it was given.
    pub response_codes: String,
    /// How often.
    pub count: u64,
}

impl DemoReport {
    /// The report of a run, without conditions and with empty books.
    #[must_use]
    pub fn of(title: impl Into<String>, outcome: &Outcome) -> Self {
        let counts = &outcome.counts;
        Self {
            title: title.into(),
            conditions: Vec::new(),
            headline: Headline {
                sending: outcome.sending,
                answers_per_second: outcome.answers_per_second(),
                sent: counts.sent,
                answered: counts.answered,
                approved: counts.approved,
                declined: counts.declined,
                late: counts.late,
                unanswered: counts.unanswered,
                delayed: counts.delayed,
                violations: counts.violations,
            },
            paths: paths(outcome),
            declines: declines(outcome),
            timeline: whole_seconds(outcome),
            books: BooksTable::default(),
            violations: violations(outcome),
        }
    }

    /// Whether the run shows a switch that keeps its promises: equal books, no broken promise, an answer to
    /// every message.
    #[must_use]
    pub fn is_green(&self) -> bool {
        self.books.agree() && self.headline.violations == 0 && self.headline.unanswered == 0
    }

    /// The report as text for a terminal.
    #[must_use]
    pub fn to_text(&self, style: Style) -> String {
        terminal::render(self, style)
    }

    /// The report as one HTML file that needs nothing else.
    #[must_use]
    pub fn to_html(&self) -> String {
        html::render(self)
    }
}

/// The seconds that messages were sent in. The last answers may take longer, and would look like a slump.
fn whole_seconds(outcome: &Outcome) -> Vec<Second> {
    // A run of ten seconds ends just before or just after the tenth.
    let seconds = (outcome.sending + Duration::from_millis(100)).as_secs();
    let seconds = usize::try_from(seconds).unwrap_or(usize::MAX).max(1);
    outcome.timeline.iter().take(seconds).copied().collect()
}

fn paths(outcome: &Outcome) -> Vec<PathLatency> {
    let measured = Path::ALL.into_iter().filter(|path| outcome.latencies.of(*path).count() > 0);
    measured
        .map(|path| {
            let latency = outcome.latencies.of(path);
            PathLatency {
                name: path.as_str().to_owned(),
                count: latency.count(),
                p50: latency.per_mille(500),
                p99: latency.per_mille(990),
                p999: latency.per_mille(999),
                max: latency.max(),
                curve: latency.curve(),
            }
        })
        .collect()
}

/// Declines by the reason that the simulator provoked; what it did not provoke is named by its response code.
fn declines(outcome: &Outcome) -> Vec<DeclineCount> {
    let mut by_reason: BTreeMap<String, (Vec<String>, u64)> = BTreeMap::new();
    for declines in &outcome.declines {
        let reason = match declines.provoked {
            Some(refusal) => refusal.reason().as_str().replace('_', " "),
            None => format!("not provoked, code {}", declines.response_code),
        };
        let entry = by_reason.entry(reason).or_default();
        entry.0.push(declines.response_code.clone());
        entry.1 += declines.count;
    }
    let counts = by_reason.into_iter().map(|(reason, (mut codes, count))| {
        codes.sort();
        codes.dedup();
        DeclineCount { reason, response_codes: codes.join(" "), count }
    });
    let mut counts: Vec<DeclineCount> = counts.collect();
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
    counts
}

fn violations(outcome: &Outcome) -> Vec<String> {
    let counts = &outcome.violations.counts;
    let totals = counts.iter().map(|(kind, count)| format!("{}: {}", kind.as_str(), number::count(*count)));
    totals.chain(outcome.violations.examples.iter().map(|example| format!("for example {example}"))).collect()
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
