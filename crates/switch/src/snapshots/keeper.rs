//! The thread that keeps snapshots: when one is due, asked for or the last of a process, it makes it, and tells the
//! journal what is not needed any more.
//!
//! A snapshot is due when enough has been written since the last one, so that a start never has more than that to
//! replay, or when the last one is old and there is anything new. One that fails is tried again after a pause; the
//! snapshots before it still stand, and nothing is retired meanwhile.

use super::fold::{Folded, Folder};
use super::priority::Pace;
use super::retention;
use crate::metrics::Metrics;
use crate::slices::SnapshotFault;
use cache::{Clock, Release};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use domain::{Mono, Timestamp};
use journal::JournalHandle;
use journal::snapshot::{DiskShare, SnapshotHeader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often it is looked whether one is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long after a failure it is tried again by itself.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How often old segments are looked over for what has outlived its time.
const RETIRE_EVERY: Duration = Duration::from_secs(60);
/// Requests for a snapshot that may wait; more are refused, for the one being made serves them too.
const REQUESTS_MAX: usize = 8;
/// How long a fold that was told to give up may take to notice: one shard, or reading a snapshot back.
const GIVE_UP_WITHIN: Duration = Duration::from_secs(2);

/// When snapshots are made, and what is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SnapshotConfig {
    /// Bytes of facts after which one is made; 0: never for this reason.
    pub after_bytes: u64,
    /// Time after which one is made if there is anything new; zero: never for this reason.
    pub every: Duration,
    /// Whether the last thing that a switch does is make one.
    pub at_stop: bool,
    /// How long a stop waits for the snapshot under way and the last one.
    pub stop_within: Duration,
    /// How long a snapshot beside decisions takes only the time that everybody else leaves over.
    pub gives_way_for: Duration,
    /// Damaged snapshots that are kept aside.
    pub damaged_max: usize,
    /// How long segments stay that recovery does not need.
    pub keep_segments_for: Duration,
}

/// How snapshots stand.
#[derive(Clone, Debug, Default)]
pub struct SnapshotStatus {
    /// The newest one.
    pub newest: Option<SnapshotHeader>,
    /// Bytes of its slices; 0 if it was made by a process before.
    pub bytes: u64,
    /// Facts that it took over the one before it.
    pub facts: u64,
    /// How long it took.
    pub took: Duration,
    /// Made by this process.
    pub made: u64,
    /// Attempts of this process that failed.
    pub failures: u64,
    /// The last failure, if nothing has succeeded since.
    pub failing: Option<String>,
    /// Whether one is being made.
    pub making: bool,
    /// Damaged ones that are kept aside.
    pub damaged: usize,
}

/// A snapshot was asked for and cannot be had.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotMade {
    /// So many ask already.
    #[error("a snapshot is being made and others wait for the next; ask again when it is there")]
    Busy,
    /// The switch is stopping.
    #[error("the switch is stopping")]
    Stopping,
    /// It failed.
    #[error("{0}")]
    Failed(String),
}

enum Wish {
    Now(oneshot::Sender<Result<SnapshotStatus, NotMade>>),
    /// Wakes the thread: it is to end.
    Stop,
}

/// The running thread, as the rest of the switch sees it.
pub(crate) struct Keeper {
    status: Arc<Mutex<SnapshotStatus>>,
    wishes: Sender<Wish>,
    stopping: Arc<AtomicBool>,
    give_up: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
    config: SnapshotConfig,
    thread: Mutex<Option<Working>>,
}

/// A thread that gives its work back when it ends.
struct Working {
    thread: JoinHandle<Work>,
    /// Nothing is ever sent: it is closed when the thread has ended.
    ended: Receiver<()>,
}

/// What the thread works with.
struct Work {
    folder: Folder,
    journal: Arc<JournalHandle<Vec<Release>>>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    config: SnapshotConfig,
    status: Arc<Mutex<SnapshotStatus>>,
    wishes: Receiver<Wish>,
    stopping: Arc<AtomicBool>,
    /// What had been written when the newest snapshot was begun.
    bytes_at_newest: u64,
    failed_at: Option<Mono>,
    retired_at: Option<Mono>,
    /// The last record that both kept generations hold.
    needed_by_none: u64,
}

impl Keeper {
    /// Starts the thread. `unsaved` is how many bytes of facts the newest snapshot does not have yet.
    pub(crate) fn start(
        mut folder: Folder,
        journal: Arc<JournalHandle<Vec<Release>>>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        config: SnapshotConfig,
        unsaved: u64,
    ) -> std::io::Result<Self> {
        metrics.count_journal_bytes(unsaved);
        let status = Arc::new(Mutex::new(SnapshotStatus::default()));
        let (sender, wishes) = bounded(REQUESTS_MAX);
        let stopping = Arc::new(AtomicBool::new(false));
        folder.damaged_max = config.damaged_max;
        folder.disk = DiskShare::BesideTheJournal;
        let give_up = Arc::clone(&folder.give_up);
        let mut work = Work {
            folder,
            journal,
            clock: Arc::clone(&clock),
            metrics,
            config,
            status: Arc::clone(&status),
            wishes,
            stopping: Arc::clone(&stopping),
            bytes_at_newest: 0,
            failed_at: None,
            retired_at: None,
            needed_by_none: 0,
        };
        // Two headers are read, so that whoever asks first is told what is there.
        work.look_at_what_is_there();
        let thread = Mutex::new(Some(Working::start("snapshots", move || work.run())?));
        Ok(Self { status, wishes: sender, stopping, give_up, clock, config, thread })
    }

    /// How snapshots stand.
    pub(crate) fn status(&self) -> SnapshotStatus {
        locked(&self.status).clone()
    }

    /// The most damaged ones that are kept aside.
    pub(crate) const fn damaged_max(&self) -> usize {
        self.config.damaged_max
    }

    /// Makes a snapshot of everything that is durable now; returns when it is verified.
    pub(crate) async fn make(&self) -> Result<SnapshotStatus, NotMade> {
        let (sender, made) = oneshot::channel();
        self.wishes.try_send(Wish::Now(sender)).map_err(|error| match error {
            TrySendError::Full(_) => NotMade::Busy,
            TrySendError::Disconnected(_) => NotMade::Stopping,
        })?;
        made.await.unwrap_or(Err(NotMade::Stopping))
    }

    /// Ends the thread, and makes the last snapshot: after the journal was shut down, so that it holds everything. One
    /// that is being made is given up, for the last one holds more. Waits as long as the configuration says, in all.
    ///
    /// The last one is made by a thread of its own, at the priority of the caller: nobody else wants the processor, and
    /// a stop should not take longer than it must.
    pub(crate) fn stop(&self) {
        let begin = self.clock.now().mono;
        let left = || self.config.stop_within.saturating_sub(self.clock.now().mono.since(begin));
        self.stopping.store(true, Ordering::Release);
        self.give_up.store(true, Ordering::Release);
        // A full queue needs no wake-up: the thread looks after each wish whether it is to end.
        let _ = self.wishes.try_send(Wish::Stop);
        let Some(working) = locked(&self.thread).take() else { return };
        let Some(work) = working.end(left().max(GIVE_UP_WITHIN)) else { return };
        if !self.config.at_stop || !work.journal.is_healthy() {
            return;
        }
        self.give_up.store(false, Ordering::Release);
        match Working::start("last-snapshot", move || work.last()) {
            Ok(last) if last.ends(left()) => drop(last.end(GIVE_UP_WITHIN)),
            Ok(last) => {
                let within = self.config.stop_within;
                tracing::warn!(
                    ?within,
                    "the last snapshot takes too long and is given up; the next start replays instead"
                );
                self.give_up.store(true, Ordering::Release);
                drop(last.end(GIVE_UP_WITHIN));
            }
            Err(error) => {
                tracing::error!(%error, "no thread for the last snapshot; the next start replays instead")
            }
        }
    }
}

impl Working {
    fn start(name: &str, run: impl FnOnce() -> Work + Send + 'static) -> std::io::Result<Self> {
        let (alive, ended) = bounded(0);
        let run = move || {
            let _alive: Sender<()> = alive;
            run()
        };
        Ok(Self { thread: std::thread::Builder::new().name(name.into()).spawn(run)?, ended })
    }

    /// Whether the thread ends in time.
    fn ends(&self, within: Duration) -> bool {
        matches!(self.ended.recv_timeout(within), Err(RecvTimeoutError::Disconnected))
    }

    /// What the thread worked with, if it ends in time; else it is left behind, and ends with the process.
    fn end(self, within: Duration) -> Option<Work> {
        if !self.ends(within) {
            tracing::warn!(
                "the thread of the snapshots is left behind; the next start removes its unfinished file"
            );
            return None;
        }
        let work = self.thread.join();
        work.inspect_err(|_| tracing::error!("the thread of the snapshots ended with a panic")).ok()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Work {
    fn run(mut self) -> Self {
        while !self.stopping.load(Ordering::Acquire) {
            match self.wishes.recv_timeout(LOOK_EVERY) {
                Ok(Wish::Now(asked)) => {
                    let made = self.make(self.pace()).map(|()| locked(&self.status).clone());
                    // Whoever asked may have gone; the snapshot is there all the same.
                    let _ = asked.send(made.map_err(|error| NotMade::Failed(error.to_string())));
                }
                Ok(Wish::Stop) => {}
                Err(RecvTimeoutError::Timeout) if self.is_due() => {
                    // Told and counted where it failed.
                    let _ = self.make(self.pace());
                }
                Err(RecvTimeoutError::Timeout) => self.retire(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self
    }

    /// Makes the last snapshot of this process.
    fn last(mut self) -> Self {
        self.folder.disk = DiskShare::Alone;
        tracing::info!("making the last snapshot; a start after it has nothing to replay");
        // Told and counted where it failed.
        let _ = self.make(Pace::AtOnce);
        self
    }

    /// Whether a snapshot should be made without anybody asking.
    fn is_due(&self) -> bool {
        let now = self.clock.now();
        if self.failed_at.is_some_and(|failed| now.mono.since(failed) < AGAIN_AFTER) {
            return false;
        }
        let newest = locked(&self.status).newest;
        let new_facts = self.journal.positions().durable > newest.map_or(0, |newest| newest.through);
        let written = self.metrics.journal_bytes_written().saturating_sub(self.bytes_at_newest);
        let by_bytes = self.config.after_bytes > 0 && written >= self.config.after_bytes;
        let by_time = !self.config.every.is_zero()
            && newest.is_none_or(|newest| {
                now.utc.since(Timestamp::from_micros(newest.at_utc_micros)) >= self.config.every
            });
        new_facts && (by_bytes || by_time)
    }

    /// Beside decisions.
    fn pace(&self) -> Pace {
        Pace::giving_way(&self.clock, self.config.gives_way_for)
    }

    fn make(&mut self, pace: Pace) -> Result<(), SnapshotFault> {
        self.folder.pace = pace;
        let (begin, written) = (self.clock.now(), self.metrics.journal_bytes_written());
        let through = self.journal.positions().durable;
        locked(&self.status).making = true;
        let (mut facts, mut last) = (0, None);
        let outcome = self.folder.fold(through, begin.utc, |step| {
            facts += step.facts;
            last = Some(*step);
        });
        let took = self.clock.now().mono.since(begin.mono);
        self.count_damaged();
        // Steps that were finished before a failure stand.
        if let Some(step) = last {
            self.needed_by_none = self.needed_by_none.max(step.kept.retire_through);
        }
        let mut status = locked(&self.status);
        status.making = false;
        match outcome {
            Ok(made) => {
                self.failed_at = None;
                self.bytes_at_newest = written;
                status.failing = None;
                if let Some(folded) = made {
                    note(&mut status, &folded, facts, took);
                }
                drop(status);
                self.retire_now();
                Ok(())
            }
            Err(error) => {
                self.failed_at = Some(self.clock.now().mono);
                status.failures += 1;
                status.failing = Some(error.to_string());
                tracing::error!(%error, "no snapshot could be made; the ones before it stand");
                Err(error)
            }
        }
    }

    /// What processes before this one have left.
    fn look_at_what_is_there(&mut self) {
        match journal::snapshot::kept(&*self.folder.storage) {
            Ok(Some(kept)) => {
                self.needed_by_none = kept.retire_through;
                locked(&self.status).newest = Some(kept.newest);
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the snapshots that are there cannot be listed"),
        }
        self.count_damaged();
        self.retire_now();
    }

    fn count_damaged(&self) {
        match journal::snapshot::those_aside(&*self.folder.storage) {
            Ok(there) => locked(&self.status).damaged = there.len(),
            Err(error) => tracing::warn!(%error, "the damaged snapshots cannot be counted"),
        }
    }

    fn retire(&mut self) {
        let now = self.clock.now().mono;
        if self.retired_at.is_none_or(|last| now.since(last) >= RETIRE_EVERY) {
            self.retire_now();
        }
    }

    /// Tells the journal which records neither a start nor the configured history needs.
    fn retire_now(&mut self) {
        let now = self.clock.now();
        self.retired_at = Some(now.mono);
        let keep = self.config.keep_segments_for;
        match retention::retirable(&*self.folder.storage, self.needed_by_none, now.utc, keep) {
            Ok(0) => {}
            Ok(through) => self.journal.retire_through(through),
            Err(error) => tracing::warn!(%error, "old segments cannot be looked over; none are let go"),
        }
    }
}

fn note(status: &mut SnapshotStatus, folded: &Folded, facts: u64, took: Duration) {
    let newest = folded.kept.newest;
    status.newest = Some(newest);
    status.bytes = folded.bytes;
    status.facts = facts;
    status.took = took;
    status.made += 1;
    tracing::info!(
        generation = newest.generation,
        through = newest.through,
        facts,
        megabytes = folded.bytes >> 20,
        took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "a snapshot was made and verified"
    );
}
