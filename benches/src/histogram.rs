//! Latencies in nanoseconds: recorded, shown, and written to files that can be read back by anybody.

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Nanoseconds from 1 to a minute, three digits.
pub type Latencies = Histogram<u64>;

const LONGEST: u64 = 60_000_000_000;

/// An empty one.
///
/// # Errors
/// Never: the bounds are constant and in order.
pub fn latencies() -> Result<Latencies> {
    Ok(Histogram::new_with_bounds(1, LONGEST, 3)?)
}

/// Adds one latency.
pub fn record(latencies: &mut Latencies, latency: Duration) {
    latencies.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(LONGEST).max(1));
}

/// A quantile in microseconds with one decimal below a hundred.
#[must_use]
pub fn micros(latencies: &Latencies, quantile: f64) -> String {
    let tenths = latencies.value_at_quantile(quantile) / 100;
    if tenths < 1_000 { format!("{}.{}", tenths / 10, tenths % 10) } else { (tenths / 10).to_string() }
}

/// A ratio with two decimals, in integers.
#[must_use]
pub fn ratio(a: u64, b: u64) -> String {
    let hundredths = a.saturating_mul(100) / b.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Writes a value in nanoseconds and its count on each line.
///
/// # Errors
/// The file cannot be written.
pub fn write(latencies: &Latencies, path: &Path) -> Result<()> {
    let mut text = String::from("# nanoseconds count\n");
    for value in latencies.iter_recorded() {
        writeln!(text, "{} {}", value.value_iterated_to(), value.count_since_last_iteration())?;
    }
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
