//! The asynchronous runtime of a subcommand.

use crate::exit::Exit;
use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

/// Runs `work` to its end on a runtime of its own.
pub(crate) fn block_on<T>(
    work: impl Future<Output = Result<T, (Exit, anyhow::Error)>>,
) -> Result<T, (Exit, anyhow::Error)> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("authswitch")
        .build()
        .context("the runtime could not be started")
        .map_err(|error| (Exit::Failed, error))?
        .block_on(work)
}

/// Waits until somebody wants the program to stop, by SIGINT or SIGTERM. Forever, where signals cannot be received.
pub(crate) async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
