//! The writer thread: take all waiting batches, write them as one, sync once, release what waited.
//!
//! Guarantees, by mode: `disk` releases after the sync, `os` after the write, `memory` has released before (see
//! `handle`). Releases keep the order of hand-over. In modes `os` and `memory` the time and the records between
//! write and sync are bounded by the settings. After a write or sync error nothing is released any more, nothing
//! is tried again, and the failure is published. A full disk is no error: the thread waits for the upkeep
//! thread to bring a new segment, and the queue in front of it fills up.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::config::{Acknowledge, JournalConfig};
use crate::ending::Ending;
use crate::error::JournalError;
use crate::log::Log;
use crate::observer::{JournalObserver, WriteReport};
use crate::shared::{Entry, Shared, Space};
use crate::spare::Spare;

/// While a new segment is awaited, the writer looks again this often, should the upkeep thread have died.
const LOOK_AGAIN_EVERY: Duration = Duration::from_millis(100);

/// What one step of the writer came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// A write was done and what it allowed was released.
    Wrote,
    /// The batches in hand need a new segment and there is none yet.
    NeedsSegment,
    /// Nothing was waiting.
    Idle,
}

pub(crate) struct Writer<R, F> {
    pub(crate) shared: Arc<Shared<R>>,
    pub(crate) observer: Arc<dyn JournalObserver>,
    pub(crate) log: Log,
    pub(crate) on_release: F,
    /// Batches that go into the next write.
    group: Vec<Entry<R>>,
    /// The batch that did not fit into this write any more.
    carried: Option<Entry<R>>,
    releases: Vec<R>,
    /// When the writer last looked into the queue: what still waits was handed over later, or did not fit.
    collected_at: u64,
    /// What the written but unsynced batches carry.
    unsynced_exposure: u64,
    last_sync: Instant,
    last_mark_sync: Instant,
}

impl<R, F> Writer<R, F>
where
    F: FnMut(&mut Vec<R>),
{
    pub(crate) fn new(
        shared: Arc<Shared<R>>,
        observer: Arc<dyn JournalObserver>,
        log: Log,
        on_release: F,
    ) -> Self {
        let now = Instant::now();
        Self {
            shared,
            observer,
            log,
            on_release,
            group: Vec::new(),
            carried: None,
            releases: Vec::new(),
            collected_at: 0,
            unsynced_exposure: 0,
            last_sync: now,
            last_mark_sync: now,
        }
    }

    /// Serves until the journal is stopped or fails, and publishes which.
    pub(crate) fn run(mut self) {
        let ending = Ending::new("writer", self.shared.clone(), self.observer.clone());
        let outcome = self.serve();
        ending.tell(outcome);
    }

    fn serve(&mut self) -> Result<(), JournalError> {
        loop {
            if let Some(failed) = self.shared.failure() {
                // The upkeep thread met an error of the disk: what it says of the disk holds for us too.
                tracing::error!(error = %failed, "journal stops writing");
                return Ok(());
            }
            // Read before the queue: what was handed over before the stop is seen by this look or the next.
            let stopping = self.shared.stopping.load(Ordering::SeqCst);
            let left = self.shared.entering.load(Ordering::SeqCst) == 0;
            match self.step()? {
                Step::Wrote => {}
                Step::NeedsSegment => self.await_segment(stopping)?,
                Step::Idle if stopping && left => return self.finish(),
                Step::Idle => self.idle()?,
            }
        }
    }

    /// Does what can be done without waiting: at most one write and its sync.
    pub(crate) fn step(&mut self) -> Result<Step, JournalError> {
        if self.group.is_empty() && !self.collect() {
            return Ok(Step::Idle);
        }
        let bytes: usize = self.group.iter().map(|entry| self.log.bytes_of(&entry.records)).sum();
        if bytes > 0 && (bytes as u64 > self.log.room() || self.log.must_change_segment()) {
            let Some(spare) = self.shared.spares.pop() else {
                return Ok(Step::NeedsSegment);
            };
            self.shared.wake_upkeep();
            self.change_segment(spare)?;
        }
        self.write_group()?;
        Ok(Step::Wrote)
    }

    /// Takes what is waiting, up to the most that one write carries; whether there was anything.
    fn collect(&mut self) -> bool {
        self.collected_at = self.shared.micros();
        let most = self.config().write_bytes_max;
        let mut bytes = 0;
        while let Some(entry) = self.carried.take().or_else(|| self.shared.pop()) {
            bytes += self.log.bytes_of(&entry.records);
            if bytes > most && !self.group.is_empty() {
                self.carried = Some(entry);
                break;
            }
            self.group.push(entry);
        }
        !self.group.is_empty()
    }

    fn write_group(&mut self) -> Result<(), JournalError> {
        let records: u64 = self.group.iter().map(|entry| u64::from(entry.records.records())).sum();
        if records > 0 {
            self.write_records(records)?;
            if self.must_sync_before_release() {
                self.sync()?;
            }
            // What is acknowledged is marked first: a killed process must find its mark exact.
            self.mark()?;
        }
        self.release();
        if self.log.synced() < self.log.written() && self.sync_is_due() {
            self.sync()?;
            self.mark()?;
        }
        self.sync_mark_if_due()
    }

    fn write_records(&mut self, records: u64) -> Result<(), JournalError> {
        let bytes: usize = self.group.iter().map(|entry| entry.records.bytes()).sum();
        if self.log.synced() == self.log.written() {
            // Nothing was at risk: the time at risk starts now.
            self.last_sync = Instant::now();
        }
        let started = Instant::now();
        self.log.write(self.group.iter().map(|entry| &entry.records))?;
        for entry in &self.group {
            self.unsynced_exposure = self.unsynced_exposure.saturating_add(entry.records.exposure());
        }
        self.shared.set_written(self.log.written());
        let (batches, write) = (self.group.len(), started.elapsed());
        self.observer.wrote(&WriteReport { batches, records, bytes: bytes as u64, write });
        Ok(())
    }

    /// Whether the time has come, or somebody waits for less to be at risk.
    fn sync_is_due(&self) -> bool {
        self.last_sync.elapsed() >= self.config().sync_every
            || self.shared.sync_wanted.load(Ordering::Acquire)
    }

    fn must_sync_before_release(&self) -> bool {
        match self.config().acknowledge {
            Acknowledge::Disk => true,
            Acknowledge::Os | Acknowledge::Memory => {
                self.log.written() - self.log.synced() > self.config().unsynced_records_max
            }
        }
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        let started = Instant::now();
        // Whoever is refused from here on wants another one.
        self.shared.sync_wanted.store(false, Ordering::Release);
        self.log.sync()?;
        self.synced(started.elapsed());
        Ok(())
    }

    fn synced(&mut self, took: Duration) {
        let exposure = std::mem::take(&mut self.unsynced_exposure);
        self.shared.set_durable(self.log.synced(), exposure, self.collected_at, took);
        self.last_sync = Instant::now();
        self.observer.synced(took);
    }

    /// Lets go what waited for the group.
    fn release(&mut self) {
        for entry in self.group.drain(..) {
            self.releases.extend(entry.release);
            let mut records = entry.records;
            records.clear();
            // A full pool means that more buffers exist than can be used at once: this one is let go.
            let _ = self.shared.pool.push(records);
        }
        if !self.releases.is_empty() {
            (self.on_release)(&mut self.releases);
            self.releases.clear();
        }
    }

    fn mark(&mut self) -> Result<(), JournalError> {
        // Every mode acknowledges what was written: `disk` has synced it by now.
        self.log.mark(self.log.written(), false)
    }

    fn sync_mark_if_due(&mut self) -> Result<(), JournalError> {
        if self.last_mark_sync.elapsed() >= self.config().mark_sync_every {
            self.sync_mark()?;
        }
        Ok(())
    }

    fn sync_mark(&mut self) -> Result<(), JournalError> {
        self.log.sync_mark()?;
        self.last_mark_sync = Instant::now();
        Ok(())
    }

    /// Waits a while for the upkeep thread to bring a segment.
    fn await_segment(&mut self, stopping: bool) -> Result<(), JournalError> {
        if self.shared.space() != Space::Ample {
            if stopping {
                // Nobody frees space for a switch that is going: what is still waiting is not acknowledged.
                let path = self.config().directory.display().to_string();
                return Err(JournalError::NoSpace { needed: self.config().segment_bytes, path });
            }
            self.tell_space(Space::Exhausted);
        }
        self.shared.wake_upkeep();
        thread::park_timeout(LOOK_AGAIN_EVERY);
        Ok(())
    }

    /// Continues in a new segment.
    fn change_segment(&mut self, spare: Spare) -> Result<(), JournalError> {
        let started = Instant::now();
        let first = self.group.iter().find(|entry| !entry.records.is_empty());
        let at_utc_micros = first.map_or(0, |entry| entry.records.first_at_utc_micros());
        let unsynced = self.log.synced() < self.log.written();
        self.log.change_segment(spare, at_utc_micros)?;
        if unsynced {
            self.synced(started.elapsed());
        }
        self.mark()?;
        self.sync_mark()?;
        self.observer.changed_segment(self.log.segment(), started.elapsed());
        Ok(())
    }

    fn tell_space(&self, space: Space) {
        if self.shared.set_space(space) {
            self.observer.space_changed(space);
        }
    }

    /// Nothing is waiting: do what is due, else sleep until a lane wakes us or something falls due.
    fn idle(&mut self) -> Result<(), JournalError> {
        if self.log.synced() < self.log.written() {
            if !self.sync_is_due() {
                thread::park_timeout(self.config().sync_every.saturating_sub(self.last_sync.elapsed()));
                return Ok(());
            }
            self.sync()?;
            self.mark()?;
            return self.sync_mark_if_due();
        }
        if self.log.mark_is_unsynced() {
            let left = self.config().mark_sync_every.saturating_sub(self.last_mark_sync.elapsed());
            if left.is_zero() {
                return self.sync_mark();
            }
            thread::park_timeout(left);
        } else {
            thread::park();
        }
        Ok(())
    }

    /// The orderly end: everything on disk, and a mark that says so.
    fn finish(&mut self) -> Result<(), JournalError> {
        if self.log.synced() < self.log.written() {
            self.sync()?;
        }
        self.log.mark(self.log.written(), true)?;
        self.sync_mark()
    }

    fn config(&self) -> &JournalConfig {
        &self.shared.config
    }
}
