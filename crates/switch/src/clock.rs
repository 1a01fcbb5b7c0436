//! The only reader of the clock: everything else is told the time.

use cache::Clock;
use domain::{Moment, Mono, Timestamp};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The machine's clocks. Monotonic time counts from the moment this was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock {
    begin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    pub(crate) fn start() -> Self {
        Self { begin: Instant::now() }
    }

    /// The runtime's instant for a monotonic time, for timers.
    #[must_use]
    pub(crate) fn instant(&self, mono: Mono) -> Instant {
        self.begin + Duration::from_nanos(mono.nanos())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let utc = Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX));
        let mono = Mono::from_nanos(u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX));
        Moment { utc, mono }
    }
}
