//! How far a recovery has come, said once a second: an operator who waits wants to know for how long.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;
use std::time::Duration;

/// How often progress is said.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// Bytes to do and bytes done, counted by all threads.
pub(super) struct Progress {
    what: &'static str,
    total: u64,
    done: AtomicU64,
    ended: AtomicBool,
    teller: Mutex<Option<Thread>>,
}

impl Progress {
    pub(super) const fn new(what: &'static str, total: u64) -> Self {
        Self { what, total, done: AtomicU64::new(0), ended: AtomicBool::new(false), teller: Mutex::new(None) }
    }

    /// So many bytes more are done.
    pub(super) fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many bytes in all are done.
    pub(super) fn reach(&self, bytes: u64) {
        self.done.store(bytes, Ordering::Relaxed);
    }

    /// Bytes done, in whole percents.
    fn percent(&self) -> u64 {
        let done = self.done.load(Ordering::Relaxed).min(self.total);
        done.saturating_mul(100).checked_div(self.total).unwrap_or(100)
    }

    /// Says every second how far it is, until [`Progress::end`].
    pub(super) fn tell(&self) {
        *self.teller.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current());
        while !self.ended.load(Ordering::Acquire) {
            std::thread::park_timeout(SAY_EVERY);
            if !self.ended.load(Ordering::Acquire) {
                let (done, percent) = (self.done.load(Ordering::Relaxed), self.percent());
                tracing::info!(percent, megabytes = done >> 20, of = self.total >> 20, "{}", self.what);
            }
        }
    }

    /// Ends the telling.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        if let Some(teller) = &*self.teller.lock().unwrap_or_else(PoisonError::into_inner) {
            teller.unpark();
        }
    }
}

/// Ends the telling when the work ends, however it ends.
pub(super) struct EndsWith<'a>(pub(super) &'a Progress);

impl Drop for EndsWith<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
