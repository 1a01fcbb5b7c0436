//! `authswitch run CONFIG`: the daemon, until a signal or a failure stops it. SIGHUP makes it read certificates again.

use crate::exit::{Exit, Outcome};
use crate::logs;
use anyhow::Context;
use std::path::Path;
use switch::{Config, StartError, Switch};
use tokio::signal::unix::{SignalKind, signal};

/// Runs the switch.
pub(crate) fn run(path: &Path) -> Outcome {
    let config = Config::load(path).map_err(|error| (Exit::Configuration, error.into()))?;
    logs::start(&config.file.log).map_err(|error| (Exit::Configuration, error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("authswitch")
        .build()
        .context("the runtime could not be started")
        .map_err(|error| (Exit::Failed, error))?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Outcome {
    tracing::info!(node = %config.file.node.name, "starting; settings in force:\n{}", config.effective());
    if config.uses_published_keys() {
        tracing::warn!("development keys from the source are in use; they are no secret");
    }
    // Before the start: a switch that says it is ready must stop in good order from then on.
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let mut hang_up = listen_for(SignalKind::hangup())?;
    let switch = Switch::start(config).await.map_err(|error| (exit_of(&error), error.into()))?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => switch.reload(),
            reason = switch.failed() => {
                // Nothing that waits can be answered any more, so there is nothing to wait for.
                tracing::error!(%reason, "stopping at once");
                return Err((Exit::JournalFailed, reason.into()));
            }
        }
    }
    tracing::info!("stopping: finishing what is in flight");
    switch.stop().await.map_err(|reason| (Exit::JournalFailed, reason.into()))?;
    tracing::info!("stopped; the journal is synced");
    Ok(())
}

fn listen_for(kind: SignalKind) -> Result<tokio::signal::unix::Signal, (Exit, anyhow::Error)> {
    signal(kind).context("signals cannot be received").map_err(|error| (Exit::Failed, error))
}

const fn exit_of(error: &StartError) -> Exit {
    match error {
        StartError::Journal(_) | StartError::Unbalanced(_) | StartError::Snapshots(_) => Exit::JournalRefused,
        StartError::Bind { .. } | StartError::Funding(_) | StartError::TokenKey(_) => Exit::Configuration,
        StartError::Metrics(_) | StartError::Thread(_) => Exit::Failed,
    }
}
