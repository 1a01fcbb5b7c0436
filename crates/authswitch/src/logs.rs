//! Log lines on standard error: text for people, JSON for machines.

use anyhow::Context;
use std::io::IsTerminal;
use switch::{LogFormat, LogSection};
use tracing_subscriber::EnvFilter;

/// Starts logging as configured. Nothing per message is logged above `debug`.
pub(crate) fn start(log: &LogSection) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.filter)
        .with_context(|| format!("log.filter: {:?} is not a level or a list of filters", log.filter))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match log.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))
}
