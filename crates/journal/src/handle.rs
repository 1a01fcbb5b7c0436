//! The running journal, as the lanes see it.

use std::any::Any;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::buffer::{Batch, RecordBuffer};
use crate::config::{Acknowledge, JournalConfig};
use crate::error::JournalError;
use crate::observer::JournalObserver;
use crate::recovery::Journal;
use crate::shared::{Entry, Exposure, Positions, Shared, Space};
use crate::upkeep::Upkeep;
use crate::writer::Writer;

/// What happened to an appended batch.
#[derive(Debug, Eq, PartialEq)]
pub enum Appended<R> {
    /// It is on its way; its release comes through `on_release` when it is acknowledged.
    Queued,
    /// Mode `memory`: it is acknowledged now, and here is its release. It will be written behind.
    Released(R),
}

/// Why a batch was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RefusedBecause {
    /// The queue is full, or as much is at risk as the settings allow. It may pass later.
    #[error("journal is full")]
    Full,
    /// The batch has more bytes than `batch_bytes_max`; it will never pass.
    #[error("batch is over the maximum")]
    TooLarge,
    /// The journal is shutting down.
    #[error("journal is stopped")]
    Stopped,
    /// The journal has failed; see [`JournalHandle::failure`].
    #[error("journal has failed")]
    Failed,
}

/// A batch that was not taken, given back.
#[derive(Debug)]
pub struct Refused<R> {
    /// Why.
    pub because: RefusedBecause,
    /// The batch, as it was.
    pub batch: Batch<R>,
}

/// The running journal. Shared by the lanes behind an `Arc`; dropping the last one shuts it down. It must not be
/// owned by its own `on_release`: the writer thread would have to wait for itself.
pub struct JournalHandle<R> {
    shared: Arc<Shared<R>>,
    threads: Mutex<Vec<(&'static str, JoinHandle<()>)>>,
    /// Given back when the handle is dropped, after the threads have ended.
    _lock: Box<dyn Any + Send + Sync>,
}

impl Journal {
    /// Starts the journal's two threads. `on_release` runs on the writer thread, with the releases of all batches
    /// that one write and sync have acknowledged, in the order of hand-over; what it leaves in the vector is dropped.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start<R: Send + 'static>(
        self,
        on_release: impl FnMut(&mut Vec<R>) + Send + 'static,
        observer: Arc<dyn JournalObserver>,
    ) -> Result<JournalHandle<R>, JournalError> {
        let (handle, writer, upkeep) = self.split(on_release, observer);
        let upkeep = handle.spawn("upkeep", move || upkeep.run())?;
        handle.shared.set_threads(None, Some(upkeep));
        let writer = handle.spawn("writer", move || writer.run())?;
        handle.shared.set_threads(Some(writer), None);
        // Woken once in case a wake-up was wanted before the threads were known.
        handle.shared.wake_writer();
        handle.shared.wake_upkeep();
        Ok(handle)
    }

    /// The three parts of a running journal, before any thread runs: the crash tests step them by hand.
    pub(crate) fn split<R, F: FnMut(&mut Vec<R>)>(
        self,
        on_release: F,
        observer: Arc<dyn JournalObserver>,
    ) -> (JournalHandle<R>, Writer<R, F>, Upkeep<R>) {
        let Self { config, storage, log, spares, next_serial, lock } = self;
        let shared = Arc::new(Shared::new(config, log.synced()));
        for spare in spares {
            let _ = shared.spares.push(spare);
        }
        let handle = JournalHandle { shared: shared.clone(), threads: Mutex::new(Vec::new()), _lock: lock };
        let upkeep = Upkeep { shared: shared.clone(), observer: observer.clone(), storage, next_serial };
        let writer = Writer::new(shared, observer, log, on_release);
        (handle, writer, upkeep)
    }
}

impl<R> JournalHandle<R> {
    fn spawn(
        &self,
        name: &'static str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<thread::Thread, JournalError> {
        let join = thread::Builder::new()
            .name(format!("journal-{name}"))
            .spawn(run)
            .map_err(|source| JournalError::Thread { name, source })?;
        let thread = join.thread().clone();
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push((name, join));
        Ok(thread)
    }

    /// Hands a batch over. Never waits.
    ///
    /// # Errors
    /// Gives the batch back, with the reason, if it cannot be taken.
    pub fn append(&self, batch: Batch<R>) -> Result<Appended<R>, Refused<R>> {
        // Announced before looking at `stopping`: the writer leaves only when nobody is in here any more.
        self.shared.entering.fetch_add(1, Ordering::SeqCst);
        let outcome = self.enter(batch);
        self.shared.entering.fetch_sub(1, Ordering::SeqCst);
        self.shared.wake_writer();
        outcome
    }

    fn enter(&self, batch: Batch<R>) -> Result<Appended<R>, Refused<R>> {
        if let Some(because) = self.refusal(&batch.records) {
            return Err(Refused { because, batch });
        }
        if !self.shared.reserve() {
            return Err(Refused { because: RefusedBecause::Full, batch });
        }
        let Batch { records, release } = batch;
        if self.config().acknowledge == Acknowledge::Memory {
            self.shared.push(Entry { records, release: None });
            return Ok(Appended::Released(release));
        }
        self.shared.push(Entry { records, release: Some(release) });
        Ok(Appended::Queued)
    }

    fn refusal(&self, records: &RecordBuffer) -> Option<RefusedBecause> {
        if self.shared.failure().is_some() {
            return Some(RefusedBecause::Failed);
        }
        if self.shared.stopping.load(Ordering::SeqCst) {
            return Some(RefusedBecause::Stopped);
        }
        if records.bytes() > self.config().batch_bytes_max {
            return Some(RefusedBecause::TooLarge);
        }
        match self.config().acknowledge {
            Acknowledge::Disk => None,
            Acknowledge::Os | Acknowledge::Memory => self.over_exposure(records),
        }
    }

    /// Whether taking these records would put more at risk than the settings allow.
    fn over_exposure(&self, records: &RecordBuffer) -> Option<RefusedBecause> {
        let at_risk = self.shared.exposure();
        let amount = at_risk.amount.saturating_add(records.exposure());
        let over_amount = at_risk.amount > 0 && amount > self.config().unsynced_exposure_max;
        let count = at_risk.records.saturating_add(u64::from(records.records()));
        let over_count = at_risk.records > 0 && count > self.config().unsynced_records_max;
        if !over_amount && !over_count {
            return None;
        }
        self.shared.sync_wanted.store(true, Ordering::Release);
        Some(RefusedBecause::Full)
    }

    /// Whether a batch would certainly be taken: of every bound that could refuse it no more than half is used.
    #[must_use]
    pub fn has_ample_room(&self) -> bool {
        let config = self.config();
        let little_queued = self.queued_batches() <= config.queue_batches_max / 2;
        let little_at_risk = match config.acknowledge {
            Acknowledge::Disk => true,
            Acknowledge::Os | Acknowledge::Memory => {
                let at_risk = self.exposure();
                at_risk.records <= config.unsynced_records_max / 2
                    && at_risk.amount <= config.unsynced_exposure_max / 2
            }
        };
        little_queued && little_at_risk && self.is_healthy() && self.space() == Space::Ample
    }

    /// An empty buffer, with the memory of a used one where there is one.
    #[must_use]
    pub fn buffer(&self) -> RecordBuffer {
        self.shared.pool.pop().unwrap_or_default()
    }

    /// How far the journal has come.
    #[must_use]
    pub fn positions(&self) -> Positions {
        self.shared.positions()
    }

    /// What a power cut at this moment would take.
    #[must_use]
    pub fn exposure(&self) -> Exposure {
        self.shared.exposure()
    }

    /// Batches waiting for the writer, beside [`JournalConfig::queue_batches_max`].
    #[must_use]
    pub fn queued_batches(&self) -> usize {
        self.shared.queued()
    }

    /// How long the last sync took.
    #[must_use]
    pub fn last_sync(&self) -> Duration {
        self.shared.last_sync()
    }

    /// How the disk stands for space.
    #[must_use]
    pub fn space(&self) -> Space {
        self.shared.space()
    }

    /// Segment files present, the active one included; looked at every second.
    #[must_use]
    pub fn segments(&self) -> u64 {
        self.shared.segments.load(Ordering::Acquire)
    }

    /// Says that recovery needs no record up to `sequence` any more, because a verified snapshot holds what they
    /// did. Segments that hold only such records are recycled or removed, oldest first, except those that the
    /// retention keeps. Keep two snapshots and name the older one here.
    pub fn retire_through(&self, sequence: u64) {
        self.shared.retired.fetch_max(sequence, Ordering::AcqRel);
        self.shared.wake_upkeep();
    }

    /// Whether batches are still written and acknowledged.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.shared.failure().is_none()
    }

    /// The error that ended the journal, if one has.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<JournalError>> {
        self.shared.failure().cloned()
    }

    /// The settings it runs with.
    #[must_use]
    pub fn config(&self) -> &JournalConfig {
        &self.shared.config
    }

    /// Takes no more batches, writes and releases what was taken, syncs, and ends the threads. Called again it gives
    /// the same answer.
    ///
    /// # Errors
    /// The failure that ended the journal, now or before.
    pub fn shutdown(&self) -> Result<(), Arc<JournalError>> {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.wake_writer();
        self.shared.wake_upkeep();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for (name, join) in threads {
            if join.join().is_err() {
                self.shared.fail(JournalError::ThreadEnded { name });
            }
        }
        self.failure().map_or(Ok(()), Err)
    }
}

impl<R> Drop for JournalHandle<R> {
    fn drop(&mut self) {
        if let Err(error) = self.shutdown() {
            tracing::error!(%error, "journal was dropped after a failure");
        }
    }
}
