//! `simulate processor --ramp`: the highest rate at which answers still come within a bound.

use super::{send, write_histograms};
use crate::exit::{Exit, Outcome};
use crate::output;
use anyhow::anyhow;
use simulators::processor::{Arrivals, Pace, ProcessorConfig, Ramp, Strain};
use std::path::Path;
use std::time::Duration;

/// A queue that a failed rate has left behind would count against the next rate.
const REST: Duration = Duration::from_millis(500);

/// Tries rates until the knee is found, and prints each and the result.
pub(super) fn find(config: ProcessorConfig, bound: Duration, histograms: Option<&Path>) -> Outcome {
    let Pace::Open { rate_per_second, arrivals } = config.pace else {
        return Err((Exit::Configuration, anyhow!("--ramp needs a rate to begin with")));
    };
    let mut ramp = Ramp::starting_at(rate_per_second);
    output::print(&format!("p99 within {bound:?}, {:?} a rate, {arrivals:?} gaps", config.duration))?;
    output::print("  messages/s       p50 ms    p99 ms  p99.9 ms    max ms")?;
    let mut seed = config.seed;
    while let Some(rate) = ramp.next() {
        // Other messages each time: what was sent before would be a repeat.
        seed = seed.wrapping_add(1);
        let held = attempt(&config, bound, rate, arrivals, seed, histograms)?;
        ramp.tried(rate, held);
        std::thread::sleep(REST);
    }
    match ramp.knee() {
        Some(knee) => output::print(&format!("the knee is at {knee} messages/s")),
        None => Err((Exit::Failed, anyhow!("no rate holds a p99 of {bound:?}"))),
    }
}

/// Sends at one rate; whether it held. The histograms of the last rate that held stay.
fn attempt(
    config: &ProcessorConfig,
    bound: Duration,
    rate: u32,
    arrivals: Arrivals,
    seed: u64,
    histograms: Option<&Path>,
) -> Result<bool, (Exit, anyhow::Error)> {
    let pace = Pace::Open { rate_per_second: rate, arrivals };
    let outcome = send(ProcessorConfig { pace, seed, ..config.clone() })?;
    let strain = Strain::of(&outcome, bound, rate, config.duration);
    let all = outcome.latencies.all();
    let [p50, p99, p999] = [500, 990, 999].map(|per_mille| milliseconds(all.per_mille(per_mille)));
    let verdict = strain.map_or_else(|| "held".to_owned(), |strain| strain.to_string());
    output::print(&format!(
        "{rate:>12} {p50:>12} {p99:>9} {p999:>9} {:>9}  {verdict}",
        milliseconds(all.max())
    ))?;
    if let (None, Some(folder)) = (strain, histograms) {
        write_histograms(folder, &outcome.latencies).map_err(|error| (Exit::Failed, error))?;
    }
    Ok(strain.is_none())
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1_000.0)
}
