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
    let outcome = runtime.block_on(serve(config));
    // What had to be finished was waited for. A start that was interrupted still reads on a thread, and changes nothing
    // that the next start would miss: the process may end under it as it may be killed.
    runtime.shutdown_background();
    outcome
}

async fn serve(config: Config) -> Outcome {
    // Before all else: from here on a signal to stop is obeyed in good order, also in the middle of the start.
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let mut hang_up = listen_for(SignalKind::hangup())?;
    tracing::info!(node = %config.file.node.name, "starting; settings in force:\n{}", config.effective());
    if config.uses_published_keys() {
        tracing::warn!("development keys from the source are in use; they are no secret");
    }
    let switch = tokio::select! {
        started = Switch::start(config) => started.map_err(|error| (exit_of(&error), error.into()))?,
        _ = terminate.recv() => return interrupted(),
        _ = interrupt.recv() => return interrupted(),
    };
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

/// Stopped before there was anything to stop.
fn interrupted() -> Outcome {
    tracing::info!("stopped in the middle of the start; nothing was served yet");
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
