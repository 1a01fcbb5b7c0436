//! How a thread of the journal ends: with a verdict that the others learn of, also when it ends by a panic.
//!
//! Guarantees: no lane appends to a journal whose writer is dead, no writer waits for a segment from a dead upkeep
//! thread, and the observer hears of the first failure exactly once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::JournalError;
use crate::observer::JournalObserver;
use crate::shared::Shared;

/// Held by a thread while it runs.
pub(crate) struct Ending<R> {
    name: &'static str,
    shared: Arc<Shared<R>>,
    observer: Arc<dyn JournalObserver>,
    /// Nothing yet, for as long as only a panic could end the thread.
    outcome: Option<Result<(), JournalError>>,
}

impl<R> Ending<R> {
    pub(crate) fn new(
        name: &'static str,
        shared: Arc<Shared<R>>,
        observer: Arc<dyn JournalObserver>,
    ) -> Self {
        Self { name, shared, observer, outcome: None }
    }

    /// The thread returns.
    pub(crate) fn tell(mut self, outcome: Result<(), JournalError>) {
        self.outcome = Some(outcome);
    }
}

impl<R> Drop for Ending<R> {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or(Err(JournalError::ThreadEnded { name: self.name }));
        let first = outcome.is_err_and(|error| self.shared.fail(error));
        // The upkeep thread ends only after the writer, or by an error that ends the writer.
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.wake_writer();
        self.shared.wake_upkeep();
        if first && let Some(error) = self.shared.failure() {
            self.observer.failed(error);
        }
    }
}
