//! Which day, week or month a time falls in, per IANA time zone.
//!
//! Windows follow the switch's receive time in the limit's zone; terminal time is never used (E27). The zone
//! database is compiled in, so two nodes and two replays agree. The windows of all zones are remembered for as long as
//! none of them changes its day, so that a decision compares the time once; and of each zone the last day that was asked
//! about, for what is given back to the past. Neither memory changes a result.

use domain::{Timestamp, Window, ZoneName};
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};
use std::cell::Cell;

/// A zone that the shard knows, by its place in the list.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub(crate) struct ZoneId(u16);

/// The number of one window: days since 1970, weeks since 1970, months since year 0, or 0.
pub(crate) type WindowId = i64;

/// The day with the number 0.
const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// The zones in use and their local days.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calendar {
    zones: Vec<Zone>,
    /// By zone and kind, the windows from some moment on and until another; at first never.
    now: Vec<[Cell<WindowId>; Window::ALL.len()]>,
    stretch: Cell<(Timestamp, Timestamp)>,
}

#[derive(Clone, Debug)]
struct Zone {
    name: ZoneName,
    zone: TimeZone,
    /// The day that was asked about last.
    day: Cell<LocalDay>,
}

/// One local day: when it begins and ends, and which windows it belongs to.
#[derive(Clone, Copy, Debug, Default)]
struct LocalDay {
    from: Timestamp,
    until: Timestamp,
    day: WindowId,
    week: WindowId,
    month: WindowId,
}

impl Calendar {
    /// The zone of that name, or `None` when the IANA database has none.
    pub(crate) fn zone(&mut self, name: ZoneName) -> Option<ZoneId> {
        if let Some(known) = self.zones.iter().position(|zone| zone.name == name) {
            return u16::try_from(known).ok().map(ZoneId);
        }
        let id = u16::try_from(self.zones.len()).ok()?;
        let zone = find(name)?;
        self.zones.push(Zone { name, zone, day: Cell::default() });
        self.now.push(Default::default());
        self.stretch.set(Default::default());
        Some(ZoneId(id))
    }

    /// The name of a zone, as it was given.
    pub(crate) fn name(&self, zone: ZoneId) -> Option<ZoneName> {
        self.zones.get(usize::from(zone.0)).map(|zone| zone.name)
    }

    /// The names of all zones, in the order of their places.
    pub(crate) fn names(&self) -> Vec<ZoneName> {
        self.zones.iter().map(|zone| zone.name).collect()
    }

    /// The window that `at` falls in, be it now or in the past.
    pub(crate) fn window(&self, zone: ZoneId, window: Window, at: Timestamp) -> WindowId {
        self.zones.get(usize::from(zone.0)).map_or(0, |zone| zone.local_day(at).window(window))
    }

    /// The windows of all zones that `now` falls in.
    #[inline]
    pub(crate) fn windows_at(&self, now: Timestamp) -> Windows<'_> {
        let (from, until) = self.stretch.get();
        if now < from || until <= now {
            self.turn_to(now);
        }
        Windows(&self.now)
    }

    /// Computes the windows of all zones anew: the day has changed in one of them.
    #[cold]
    fn turn_to(&self, now: Timestamp) {
        let mut stretch = (Timestamp::from_micros(i64::MIN), Timestamp::MAX);
        for (zone, windows) in self.zones.iter().zip(&self.now) {
            let day = zone.compute(now).unwrap_or_default();
            stretch = (stretch.0.max(day.from), stretch.1.min(day.until));
            for window in Window::ALL {
                if let Some(place) = windows.get(place_of(window)) {
                    place.set(day.window(window));
                }
            }
        }
        self.stretch.set(stretch);
    }
}

/// The windows of all zones at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows<'a>(&'a [[Cell<WindowId>; Window::ALL.len()]]);

impl Windows<'_> {
    /// The window of this kind in a zone.
    #[inline]
    pub(crate) fn of(self, zone: ZoneId, window: Window) -> WindowId {
        let windows = self.0.get(usize::from(zone.0));
        windows.and_then(|windows| windows.get(place_of(window))).map_or(0, Cell::get)
    }
}

/// Where the window of this kind stands in a zone.
const fn place_of(window: Window) -> usize {
    window as usize
}

impl Calendar {
    /// When a window ends. `None` for those that do not end, and outside the years of the calendar.
    pub(crate) fn end_of(&self, zone: ZoneId, window: Window, id: WindowId) -> Option<Timestamp> {
        let zone = self.zones.get(usize::from(zone.0))?;
        zone.begin_of(first_day(window, id.checked_add(1)?)?)
    }

    /// The first window that begins at `from` or later.
    pub(crate) fn first_from(&self, zone: ZoneId, window: Window, from: Timestamp) -> WindowId {
        let before = self.window(zone, window, Timestamp::from_micros(from.micros().saturating_sub(1)));
        before.saturating_add(1)
    }
}

/// Whether the IANA database has a zone of that name.
pub(crate) fn zone_exists(name: ZoneName) -> bool {
    find(name).is_some()
}

/// The day that a window begins with: what [`Calendar::window`] does, backwards.
fn first_day(window: Window, id: WindowId) -> Option<Date> {
    let days = match window {
        Window::Transaction | Window::Lifetime => return None,
        Window::Day => id,
        Window::Week => id.checked_mul(7)?.checked_sub(3)?,
        Window::Month => {
            let months = id.checked_sub(1)?;
            let year = i16::try_from(months.div_euclid(12)).ok()?;
            let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
            return Date::new(year, month, 1).ok();
        }
    };
    EPOCH.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

fn find(name: ZoneName) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name.as_str()).ok()
}

impl LocalDay {
    fn window(&self, window: Window) -> WindowId {
        match window {
            Window::Transaction | Window::Lifetime => 0,
            Window::Day => self.day,
            Window::Week => self.week,
            Window::Month => self.month,
        }
    }
}

impl Zone {
    fn local_day(&self, at: Timestamp) -> LocalDay {
        let remembered = self.day.get();
        if remembered.from <= at && at < remembered.until {
            return remembered;
        }
        let day = self.compute(at).unwrap_or_default();
        self.day.set(day);
        day
    }

    /// Fails only outside the years -9999 to 9999, where no switch runs.
    fn compute(&self, at: Timestamp) -> Option<LocalDay> {
        let date = self.date(at)?;
        let day = i64::from(EPOCH.until(date).ok()?.get_days());
        let month = i64::from(date.year()) * 12 + i64::from(date.month());
        Some(LocalDay {
            from: self.begin_of(date)?,
            until: self.begin_of(date.tomorrow().ok()?)?,
            day,
            // 1970-01-01 was a Thursday, so weeks that begin on Monday are three days off.
            week: (day + 3).div_euclid(7),
            month,
        })
    }

    fn date(&self, at: Timestamp) -> Option<Date> {
        let time = jiff::Timestamp::from_microsecond(at.micros()).ok()?;
        Some(time.to_zoned(self.zone.clone()).date())
    }

    fn begin_of(&self, date: Date) -> Option<Timestamp> {
        let midnight = date.to_zoned(self.zone.clone()).ok()?.timestamp();
        Some(Timestamp::from_micros(midnight.as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    fn window_ids(zone: &str, window: Window, times: &[&str]) -> Vec<WindowId> {
        let mut calendar = Calendar::default();
        let zone = calendar.zone(ZoneName::new(zone).unwrap()).unwrap();
        times.iter().map(|time| calendar.window(zone, window, at(time))).collect()
    }

    #[test]
    fn a_day_begins_at_local_midnight() {
        let days = window_ids(
            "America/New_York",
            Window::Day,
            &["2026-11-20T04:59:59Z", "2026-11-20T05:00:00Z", "2026-11-21T04:59:59Z"],
        );
        assert_eq!(days[1], days[0] + 1);
        assert_eq!(days[1], days[2]);
    }

    #[test]
    fn a_day_has_23_or_25_hours_when_the_clocks_change() {
        // Berlin, 2026-03-29: 23 hours; 2026-10-25: 25 hours.
        let spring = window_ids(
            "Europe/Berlin",
            Window::Day,
            &["2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z"],
        );
        assert_eq!((spring[0], spring[2]), (spring[1], spring[1] + 1));
        let autumn = window_ids(
            "Europe/Berlin",
            Window::Day,
            &["2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z"],
        );
        assert_eq!((autumn[0], autumn[2]), (autumn[1], autumn[1] + 1));
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        // 2026-11-22 is a Sunday.
        let weeks = window_ids("UTC", Window::Week, &["2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z"]);
        assert_eq!(weeks[1], weeks[0] + 1);
        let months = window_ids("UTC", Window::Month, &["2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"]);
        assert_eq!(months[1], months[0] + 1);
    }

    #[test]
    fn a_window_ends_where_the_next_one_begins() {
        let mut calendar = Calendar::default();
        let berlin = calendar.zone(ZoneName::new("Europe/Berlin").unwrap()).unwrap();
        let utc = calendar.zone(ZoneName::new("UTC").unwrap()).unwrap();
        let now = at("2026-11-20T12:00:00Z");
        for (window, end) in [
            (Window::Day, "2026-11-20T23:00:00Z"),
            (Window::Week, "2026-11-22T23:00:00Z"),
            (Window::Month, "2026-11-30T23:00:00Z"),
        ] {
            let id = calendar.window(berlin, window, now);
            let end_of = calendar.end_of(berlin, window, id).unwrap();
            assert_eq!(end_of, at(end));
            let first = calendar.first_from(berlin, window, end_of);
            assert_eq!(first, id + 1, "it begins at that very moment");
            let in_utc = calendar.first_from(utc, window, end_of);
            assert_eq!(
                in_utc,
                calendar.window(utc, window, end_of) + 1,
                "UTC's next one begins an hour later"
            );
        }
        assert_eq!(calendar.end_of(berlin, Window::Lifetime, 0), None);
        assert_eq!(calendar.end_of(berlin, Window::Day, WindowId::MAX), None);
    }

    #[test]
    fn a_year_ends_with_its_december() {
        let mut calendar = Calendar::default();
        let utc = calendar.zone(ZoneName::new("UTC").unwrap()).unwrap();
        for (now, end) in [
            ("2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
            ("2026-11-30T12:00:00Z", "2026-12-01T00:00:00Z"),
            ("1969-12-31T12:00:00Z", "1970-01-01T00:00:00Z"),
        ] {
            let month = calendar.window(utc, Window::Month, at(now));
            assert_eq!(calendar.end_of(utc, Window::Month, month), Some(at(end)));
        }
    }

    #[test]
    fn the_remembered_day_never_changes_a_result() {
        let times = ["2026-11-20T12:00:00Z", "2020-01-01T00:00:00Z", "2026-11-20T13:00:00Z"];
        let together = window_ids("Asia/Tokyo", Window::Day, &times);
        let apart: Vec<_> =
            times.iter().flat_map(|time| window_ids("Asia/Tokyo", Window::Day, &[time])).collect();
        assert_eq!(together, apart);
    }

    #[test]
    fn an_unknown_zone_is_not_taken_for_utc() {
        assert!(Calendar::default().zone(ZoneName::new("Mars/Olympus").unwrap()).is_none());
        assert!(!zone_exists(ZoneName::new("Mars/Olympus").unwrap()));
    }
}
