//! How far we are behind with reading a connection: what waits in the system's buffer waits as well (E38).
//!
//! A connection brings more than its task can take, and no queue behind it ever fills. So what is left unread is measured
//! against the speed of reading, under the same rule as the queue in front of a lane: when it has been too much
//! for a whole while, the requests that were read are shed, which is quickly done, until it is little again. Of an
//! encrypted connection the system does not say what waits, so such a one is judged by the other bounds alone.

use cache::Overload;
use domain::Mono;

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Backlog {
    overload: Overload,
    /// When bytes were last read, and when there were last few enough behind them.
    read_at: Mono,
    in_time_at: Mono,
    shed_at: Option<Mono>,
    /// Bytes a second, and where the next measurement began.
    rate: u64,
    measured_at: Mono,
    measured_bytes: u64,
}

impl Backlog {
    pub(super) fn new(overload: Overload, now: Mono) -> Self {
        let (shed_at, rate, measured_bytes) = (None, 0, 0);
        let (read_at, in_time_at, measured_at) = (now, now, now);
        Self { overload, read_at, in_time_at, shed_at, rate, measured_at, measured_bytes }
    }

    /// So many bytes were read, and so many are there unread. Whether the requests among them are to be shed.
    pub(super) fn sheds(&mut self, read: usize, unread: u64, now: Mono) -> bool {
        let after = self.overload.wait_max_after;
        let rested = now.since(self.read_at) >= after;
        self.read_at = now;
        self.measure(read, rested, now);
        let late = u128::from(unread) > self.read_in_time();
        if !late || rested {
            self.in_time_at = now;
        }
        let standing =
            now.since(self.in_time_at) >= after || self.shed_at.is_some_and(|at| now.since(at) < after);
        let sheds = late && standing;
        if sheds {
            self.shed_at = Some(now);
        }
        sheds
    }

    /// How many bytes are read within the longest wait.
    fn read_in_time(&self) -> u128 {
        u128::from(self.rate) * self.overload.wait_max.as_nanos() / 1_000_000_000
    }

    fn measure(&mut self, read: usize, rested: bool, now: Mono) {
        self.measured_bytes = self.measured_bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        let took = now.since(self.measured_at);
        if took < self.overload.wait_max_after / 4 {
            return;
        }
        if !rested {
            let rate = u128::from(self.measured_bytes) * 1_000_000_000 / took.as_nanos().max(1);
            self.rate = u64::try_from(rate).unwrap_or(u64::MAX);
        }
        (self.measured_at, self.measured_bytes) = (now, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const OVERLOAD: Overload =
        Overload { wait_max: Duration::from_millis(10), wait_max_after: Duration::from_millis(100) };

    fn at(millis: u64) -> Mono {
        Mono::from_nanos(millis * 1_000_000)
    }

    /// Reads 1,000 bytes every millisecond, so 10,000 are read in time. Whether any of them were shed.
    fn read(backlog: &mut Backlog, from: u64, until: u64, unread: u64) -> bool {
        (from..until).fold(false, |any, now| backlog.sheds(1_000, unread, at(now)) | any)
    }

    #[test]
    fn what_is_read_in_time_is_never_shed() {
        let mut backlog = Backlog::new(OVERLOAD, at(1_000));
        assert!(!read(&mut backlog, 1_000, 1_500, 9_000));
    }

    #[test]
    fn a_burst_is_read_and_a_backlog_that_stays_is_shed_until_it_is_gone() {
        let mut backlog = Backlog::new(OVERLOAD, at(1_000));
        assert!(!read(&mut backlog, 1_000, 1_090, 500_000));
        assert!(!read(&mut backlog, 1_090, 1_092, 0));
        assert!(!read(&mut backlog, 1_092, 1_190, 500_000));
        assert!(read(&mut backlog, 1_190, 1_200, 500_000));
        assert!(!read(&mut backlog, 1_200, 1_210, 9_000), "little enough for now");
        assert!(backlog.sheds(1_000, 20_000, at(1_210)), "and too much again");
        assert!(!read(&mut backlog, 1_211, 1_350, 9_000));
        assert!(!read(&mut backlog, 1_350, 1_440, 20_000), "nothing had to be shed for a while");
    }

    #[test]
    fn what_comes_after_a_pause_is_a_burst() {
        let mut backlog = Backlog::new(OVERLOAD, at(1_000));
        assert!(read(&mut backlog, 1_000, 1_200, 500_000));
        assert!(!backlog.sheds(1_000, 500_000, at(9_000)));
    }
}
