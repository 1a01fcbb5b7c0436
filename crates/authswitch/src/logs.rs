//! Log lines on standard error: text for people, JSON for machines.
//!
//! A line that cannot be written is lost, and nothing else is: standard error may be a file on the disk that is just full,
//! and a daemon that panics over its log would not live to see the space return.

use anyhow::Context;
use std::io::IsTerminal;
use switch::{LogFormat, LogSection};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Starts logging as configured. Nothing per message is logged above `debug`.
pub(crate) fn start(log: &LogSection) -> anyhow::Result<()> {
    let filter: Targets =
        log.filter.parse().with_context(|| format!("log.filter: {:?} is not a filter", log.filter))?;
    // Otherwise what cannot be written is reported on standard error, where it cannot be written either: a panic.
    let lines = fmt::layer().log_internal_errors(false);
    let lines = lines.with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let started = match log.format {
        LogFormat::Text => tracing_subscriber::registry().with(lines.with_filter(filter)).try_init(),
        LogFormat::Json => tracing_subscriber::registry().with(lines.json().with_filter(filter)).try_init(),
    };
    started.context("logging could not be started")
}
