//! What the lanes, the writer thread and the upkeep thread share: two bounded queues, positions, the verdict.
//!
//! Everything is an atomic or a lock-free queue; nobody waits for a lock. **Why no wake-up is lost:** a lane pushes
//! and then unparks the writer; the writer looks into the queue and only then parks. If the push came after the
//! look, its unpark leaves a token, and the park returns at once. If it came before, the look found it. `unpark` of
//! a thread that is not parked is one atomic swap, so lanes do not ask first.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crossbeam::queue::ArrayQueue;
use crossbeam::utils::CachePadded;

use crate::buffer::RecordBuffer;
use crate::config::JournalConfig;
use crate::error::JournalError;
use crate::spare::Spare;

/// How the disk stands for space.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Space {
    /// The next segment is ready, or can be made.
    Ample,
    /// The next segment cannot be made, or free space is below its minimum: stop approving; follow-ups still fit
    /// into the segments at hand.
    Low,
    /// The segments at hand are full. Nothing is written until space returns; nothing is lost meanwhile.
    Exhausted,
}

impl Space {
    const ALL: [Self; 3] = [Self::Ample, Self::Low, Self::Exhausted];
}

/// How far the journal has come, as sequence numbers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Positions {
    /// Last record that a lane has handed over.
    pub appended: u64,
    /// Last record written to the operating system.
    pub written: u64,
    /// Last record known to be on disk.
    pub durable: u64,
}

/// What a power cut at this moment would take.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Exposure {
    /// Records handed over and not on disk.
    pub records: u64,
    /// Their exposure, in the caller's unit.
    pub amount: u64,
    /// How long the oldest of them has been waiting.
    pub oldest: Duration,
}

/// A batch on its way to the writer. In mode `memory` the release has already been given back.
pub(crate) struct Entry<R> {
    pub(crate) records: RecordBuffer,
    pub(crate) release: Option<R>,
}

pub(crate) struct Shared<R> {
    pub(crate) config: JournalConfig,
    queue: ArrayQueue<Entry<R>>,
    /// Places in the queue that are taken or promised.
    queued: CachePadded<AtomicUsize>,
    pub(crate) pool: ArrayQueue<RecordBuffer>,
    pub(crate) spares: ArrayQueue<Spare>,
    /// Lanes inside `append`: at shutdown the writer drains until the last has left.
    pub(crate) entering: CachePadded<AtomicUsize>,
    pub(crate) stopping: AtomicBool,
    /// A thread of the journal has ended; the other one is to follow.
    pub(crate) ended: AtomicBool,
    /// A batch was refused because too much is at risk: the next sync must not wait for its time.
    pub(crate) sync_wanted: AtomicBool,
    /// Recovery needs no record up to here any more.
    pub(crate) retired: AtomicU64,
    /// Segment files present.
    pub(crate) segments: AtomicU64,
    appended: CachePadded<AtomicU64>,
    appended_exposure: AtomicU64,
    written: CachePadded<AtomicU64>,
    durable: AtomicU64,
    durable_exposure: AtomicU64,
    /// Microseconds from `started` to the oldest hand-over that is not on disk; 0 when all is.
    unsynced_since: AtomicU64,
    last_sync_micros: AtomicU64,
    started: Instant,
    space: AtomicU8,
    failure: OnceLock<Arc<JournalError>>,
    writer: OnceLock<Thread>,
    upkeep: OnceLock<Thread>,
}

impl<R> Shared<R> {
    pub(crate) fn new(config: JournalConfig, synced: u64) -> Self {
        Self {
            queue: ArrayQueue::new(config.queue_batches_max.max(1)),
            queued: CachePadded::new(AtomicUsize::new(0)),
            // A lane fills one buffer while others wait or are written: as many as can be on their way, plus a few.
            pool: ArrayQueue::new(config.queue_batches_max.saturating_add(8)),
            spares: ArrayQueue::new(config.spare_segments.max(1)),
            entering: CachePadded::new(AtomicUsize::new(0)),
            stopping: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            sync_wanted: AtomicBool::new(false),
            retired: AtomicU64::new(0),
            segments: AtomicU64::new(0),
            appended: CachePadded::new(AtomicU64::new(synced)),
            appended_exposure: AtomicU64::new(0),
            written: CachePadded::new(AtomicU64::new(synced)),
            durable: AtomicU64::new(synced),
            durable_exposure: AtomicU64::new(0),
            unsynced_since: AtomicU64::new(0),
            last_sync_micros: AtomicU64::new(0),
            started: Instant::now(),
            space: AtomicU8::new(0),
            failure: OnceLock::new(),
            writer: OnceLock::new(),
            upkeep: OnceLock::new(),
            config,
        }
    }

    pub(crate) fn positions(&self) -> Positions {
        // Read from the last to the first, so that no position overtakes the one before it.
        let durable = self.durable.load(Ordering::Acquire);
        let written = self.written.load(Ordering::Acquire);
        let appended = self.appended.load(Ordering::Acquire);
        Positions { appended: appended.max(written), written, durable }
    }

    pub(crate) fn exposure(&self) -> Exposure {
        let Positions { appended, durable, .. } = self.positions();
        let durable_exposure = self.durable_exposure.load(Ordering::Acquire);
        let amount = self.appended_exposure.load(Ordering::Acquire).wrapping_sub(durable_exposure);
        let since = self.unsynced_since.load(Ordering::Acquire);
        let oldest = if since == 0 { 0 } else { self.micros().saturating_sub(since) };
        let oldest = Duration::from_micros(oldest);
        Exposure { records: appended.saturating_sub(durable), amount, oldest }
    }

    /// Promises one place in the queue; false when it is full. Whoever has a place must [`Shared::push`].
    pub(crate) fn reserve(&self) -> bool {
        let most = self.config.queue_batches_max;
        let taken = self.queued.fetch_update(Ordering::AcqRel, Ordering::Acquire, |queued| {
            (queued < most).then_some(queued + 1)
        });
        taken.is_ok()
    }

    /// Hands a batch over. It is counted before it is in the queue: positions never lag behind what is at risk.
    pub(crate) fn push(&self, entry: Entry<R>) {
        self.appended.fetch_add(u64::from(entry.records.records()), Ordering::AcqRel);
        self.appended_exposure.fetch_add(entry.records.exposure(), Ordering::AcqRel);
        if !entry.records.is_empty() {
            let now = self.micros();
            let _ = self.unsynced_since.compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire);
        }
        // The queue has as many places as can be promised, and a place is free again only after its batch has left.
        assert!(self.queue.push(entry).is_ok(), "a promised place in the queue was taken");
    }

    /// Takes the oldest batch.
    pub(crate) fn pop(&self) -> Option<Entry<R>> {
        let entry = self.queue.pop()?;
        self.queued.fetch_sub(1, Ordering::AcqRel);
        Some(entry)
    }

    /// Batches in the queue.
    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Acquire)
    }

    pub(crate) fn set_written(&self, sequence: u64) {
        self.written.store(sequence, Ordering::Release);
    }

    /// Publishes a sync. `exposure` is what the synced batches carried; `since` is when the first batch that may
    /// still be waiting was handed over, in [`Shared::micros`].
    pub(crate) fn set_durable(&self, sequence: u64, exposure: u64, since: u64, took: Duration) {
        self.durable.store(sequence, Ordering::Release);
        self.durable_exposure.fetch_add(exposure, Ordering::AcqRel);
        let waiting = self.appended.load(Ordering::Acquire) > sequence;
        self.unsynced_since.store(if waiting { since } else { 0 }, Ordering::Release);
        self.last_sync_micros.store(micros(took), Ordering::Relaxed);
    }

    pub(crate) fn last_sync(&self) -> Duration {
        Duration::from_micros(self.last_sync_micros.load(Ordering::Relaxed))
    }

    /// Microseconds since the journal was started, at least 1.
    pub(crate) fn micros(&self) -> u64 {
        micros(self.started.elapsed()).max(1)
    }

    pub(crate) fn space(&self) -> Space {
        let code = usize::from(self.space.load(Ordering::Acquire));
        Space::ALL.get(code).copied().unwrap_or(Space::Exhausted)
    }

    /// Publishes the state of space; whether it is new.
    pub(crate) fn set_space(&self, space: Space) -> bool {
        let code = match space {
            Space::Ample => 0,
            Space::Low => 1,
            Space::Exhausted => 2,
        };
        self.space.swap(code, Ordering::AcqRel) != code
    }

    pub(crate) fn failure(&self) -> Option<&Arc<JournalError>> {
        self.failure.get()
    }

    /// Publishes the first failure; later ones are its echoes. Whether this was the first.
    pub(crate) fn fail(&self, error: JournalError) -> bool {
        self.failure.set(Arc::new(error)).is_ok()
    }

    pub(crate) fn set_threads(&self, writer: Option<Thread>, upkeep: Option<Thread>) {
        if let Some(thread) = writer {
            let _ = self.writer.set(thread);
        }
        if let Some(thread) = upkeep {
            let _ = self.upkeep.set(thread);
        }
    }

    pub(crate) fn wake_writer(&self) {
        if let Some(thread) = self.writer.get() {
            thread.unpark();
        }
    }

    pub(crate) fn wake_upkeep(&self) {
        if let Some(thread) = self.upkeep.get() {
            thread.unpark();
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
