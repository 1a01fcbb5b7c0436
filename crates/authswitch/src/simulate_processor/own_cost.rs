//! `simulate processor --against-echo`: what the load generator itself costs.

use super::{Arguments, report, send};
use crate::exit::{Exit, Outcome};
use crate::output;
use anyhow::Context;
use simulators::processor::{EchoServer, Mix, ProcessorConfig, process_time};
use std::time::Duration;

/// Runs the traffic against an echo server and says what a message costs on this side.
pub(super) fn measure(config: ProcessorConfig, arguments: &Arguments) -> Outcome {
    let server = EchoServer::start(config.links.clone())
        .context("the echo server could not be started")
        .map_err(|error| (Exit::Failed, error))?;
    // It says yes to everything, so nothing is asked that must be refused.
    let mix = Mix { declines: 0, ..config.mix };
    let begun = process_time();
    let outcome = send(ProcessorConfig { links: server.links().to_vec(), mix, ..config })?;
    let all = process_time().saturating_sub(begun);
    let echo = server.stop();
    report(&outcome, arguments)?;
    let a_message = |time: Duration| {
        let messages = u32::try_from(outcome.counts.answered).unwrap_or(u32::MAX).max(1);
        format!("{:.2} us", (time / messages).as_secs_f64() * 1_000_000.0)
    };
    output::print(&format!(
        "Own cost: {} of processor time a message, sending, taking and checking its answer; the echo server's {} are not \
         in it.\nNo latency below the ones above can be seen with this load.",
        a_message(all.saturating_sub(echo)),
        a_message(echo)
    ))
}
