//! How a run is doing, for whoever watches it.
//!
//! Links add to it a few times a second; reading it is cheap and disturbs nobody.

use super::latency::Latency;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Declares the counters once: a plain struct for links and readers, and the shared atomics behind it.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Counts of one run, or of one link.
        #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Counts {
            /// Adds `other`.
            pub(crate) const fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
            }

            /// What was counted since `earlier`.
            const fn since(&self, earlier: &Self) -> Self {
                Self { $($name: self.$name - earlier.$name,)+ }
            }
        }

        #[derive(Debug, Default)]
        struct Shared {
            $($name: AtomicU64,)+
        }

        impl Shared {
            fn add(&self, counts: &Counts) {
                $(self.$name.fetch_add(counts.$name, Ordering::Relaxed);)+
            }

            fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Messages sent, repeats and network management included.
    sent,
    /// Answers that belonged to a message.
    answered,
    /// Authorization requests approved.
    approved,
    /// Authorization requests declined.
    declined,
    /// Answers that came later than they should.
    late,
    /// Messages that left later than they were due, because too many were in flight.
    delayed,
    /// Messages that were due while their link was down, and were not sent.
    skipped,
    /// Messages whose answer never came.
    unanswered,
    /// Broken promises: see [`Violation`](super::Violation).
    violations,
    /// Connections that were lost.
    lost_links,
}

/// The progress of a run, shared between its links and whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    shared: Shared,
    recent: Mutex<Latency>,
    stopped: AtomicBool,
}

/// What a watcher sees.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Snapshot {
    /// Counts since the start.
    pub counts: Counts,
    /// The median of the answers since the snapshot before.
    pub p50: Duration,
    /// The 99th percentile of the answers since the snapshot before.
    pub p99: Duration,
}

impl Progress {
    /// The counts so far, and the latencies since the last snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot =
            Snapshot { counts: self.shared.read(), p50: recent.per_mille(500), p99: recent.per_mille(990) };
        recent.clear();
        snapshot
    }

    /// Ends the run early: no more messages are planned, and answers are awaited as at a usual end.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether the run was told to end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// What one link has counted and not yet shared.
#[derive(Debug, Default)]
pub(crate) struct Reporter {
    pub(crate) counts: Counts,
    shared: Counts,
    recent: Latency,
}

impl Reporter {
    pub(crate) fn answered_after(&mut self, latency: Duration) {
        self.recent.record(latency);
    }

    /// Shares what was counted since the last time.
    pub(crate) fn share(&mut self, progress: &Progress) {
        progress.shared.add(&self.counts.since(&self.shared));
        self.shared = self.counts;
        if self.recent.count() > 0 {
            progress.recent.lock().unwrap_or_else(PoisonError::into_inner).merge(&self.recent);
            self.recent.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_share_each_count_once_and_a_snapshot_forgets_old_latencies() {
        let progress = Progress::default();
        let mut links = [Reporter::default(), Reporter::default()];
        for link in &mut links {
            link.counts.sent = 3;
            link.answered_after(Duration::from_millis(5));
            link.share(&progress);
            link.share(&progress);
        }
        let first = progress.snapshot();
        assert_eq!(first.counts.sent, 6);
        assert!(first.p99 >= Duration::from_millis(5));
        assert_eq!(progress.snapshot().p99, Duration::ZERO);
    }
}
