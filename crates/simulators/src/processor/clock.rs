//! Transmission times, DE 7: the wall clock in UTC as `MMDDhhmmss`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::{Duration, Instant};

/// Turns instants of the run into transmission times; computes each second once.
#[derive(Debug)]
pub(crate) struct TransmissionClock {
    origin: Instant,
    wall: Timestamp,
    second: u64,
    number: u32,
}

impl TransmissionClock {
    /// A clock for which `origin` is now.
    pub(crate) fn starting(origin: Instant) -> Self {
        Self::at_wall(origin, Timestamp::now())
    }

    fn at_wall(origin: Instant, wall: Timestamp) -> Self {
        Self { origin, wall, second: 0, number: transmission(wall) }
    }

    /// The transmission time of a message that is sent at `instant`.
    pub(crate) fn at(&mut self, instant: Instant) -> u32 {
        let elapsed = instant.saturating_duration_since(self.origin);
        // The wall clock's second changes within ours, so a shift of the origin would be wrong; elapsed whole
        // seconds are right for telling messages apart, which is all that DE 7 is for.
        if elapsed.as_secs() != self.second {
            self.second = elapsed.as_secs();
            let wall = self.wall.checked_add(Duration::from_secs(self.second));
            self.number = transmission(wall.unwrap_or(self.wall));
        }
        self.number
    }
}

fn transmission(wall: Timestamp) -> u32 {
    let utc = wall.to_zoned(TimeZone::UTC);
    [utc.month(), utc.day(), utc.hour(), utc.minute(), utc.second()]
        .into_iter()
        .fold(0, |number, two_digits| number * 100 + u32::from(two_digits.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transmission_times_follow_the_run_over_the_year_s_end() {
        let origin = Instant::now();
        let mut clock = TransmissionClock::at_wall(origin, "2026-12-31T23:59:59.5Z".parse().unwrap());
        assert_eq!(clock.at(origin), 1_231_235_959);
        assert_eq!(clock.at(origin + Duration::from_millis(1_400)), 101_000_000);
        assert_eq!(clock.at(origin), 1_231_235_959);
    }
}
