//! Waiting for an instant with microseconds of precision.
//!
//! The runtime's own timers fire at whole milliseconds. A load generator that waits with those would send up
//! to a millisecond late and count its own lateness as the switch's. On Linux a `timerfd` does better; elsewhere
//! the runtime's timer is used, and latencies below two milliseconds mean little.

use std::io;
use std::time::Instant;

#[cfg(target_os = "linux")]
pub(crate) use precise::Timer;

#[cfg(not(target_os = "linux"))]
pub(crate) use coarse::Timer;

#[cfg(target_os = "linux")]
mod precise {
    use super::{Instant, io};
    use rustix::fd::OwnedFd;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::time::Duration;
    use tokio::io::unix::AsyncFd;

    /// A timer that is set anew for each wait.
    #[derive(Debug)]
    pub(crate) struct Timer {
        fd: AsyncFd<OwnedFd>,
    }

    impl Timer {
        /// Makes a timer on the current runtime.
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // What replaces it is `unsafe`, because a descriptor could be swapped behind tokio's back. This one
            // is owned, moved in, and only ever borrowed.
            #[expect(
                deprecated,
                reason = "this crate forbids unsafe code, and an OwnedFd keeps the promise asked for"
            )]
            let fd = AsyncFd::new(fd)?;
            Ok(Self { fd })
        }

        /// Waits until `wake`. Giving up the wait is safe: the next one sets the timer anew.
        pub(crate) async fn until(&self, wake: Instant) -> io::Result<()> {
            let wait = wake.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Ok(());
            }
            timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &once(wait))?;
            loop {
                let mut guard = self.fd.readable().await?;
                let mut expirations = [0; 8];
                // A read error says that the readiness was that of an earlier setting.
                let read = guard.try_io(|fd| rustix::io::read(fd, &mut expirations).map_err(io::Error::from));
                if let Ok(read) = read {
                    return read.map(|_| ());
                }
            }
        }
    }

    fn once(wait: Duration) -> Itimerspec {
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        Itimerspec {
            it_interval: zero,
            it_value: Timespec { tv_sec: seconds, tv_nsec: i64::from(wait.subsec_nanos()) },
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod coarse {
    use super::{Instant, io};

    /// The runtime's timer.
    #[derive(Debug)]
    pub(crate) struct Timer;

    impl Timer {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(crate) async fn until(&self, wake: Instant) -> io::Result<()> {
            tokio::time::sleep_until(wake.into()).await;
            Ok(())
        }
    }
}
