//! One limit with its counter, and the windows that it counts in.
//!
//! A limit counts in its newest window: the clock's, or a later one that was counted in before the clock was set back. One
//! that gets another time zone goes on counting there until that window has ended and a whole window of the new zone
//! begins (E27): a change of zone never cuts a window short, and never opens one for what was spent today.

use crate::calendar::{Calendar, WindowId, ZoneId};
use domain::{Timestamp, TransactionNo, Window};
use serde::{Deserialize, Serialize};

/// A limit. The order of the fields is part of the format on disk.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Limit {
    pub(crate) window: Window,
    pub(crate) zone: ZoneId,
    pub(crate) amount_max: Option<i128>,
    pub(crate) count_max: Option<u32>,
    /// The last number given before the limit was set. No transaction up to it is in the counters, so nothing
    /// of it is given back either. A number, because a clock reading is shared by a whole batch and may run back.
    pub(crate) after: TransactionNo,
    pub(crate) current: WindowId,
    pub(crate) used_amount: i128,
    pub(crate) used_count: u32,
    /// The zone that was asked for meanwhile, and its first window.
    pub(crate) next: Option<(ZoneId, WindowId)>,
}

/// Money and approvals that a transaction adds to the counters, or takes back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Usage {
    pub(crate) amount: i128,
    pub(crate) count: u32,
}

impl Limit {
    pub(crate) fn used_at(&self, calendar: &Calendar, at: Timestamp) -> Usage {
        let now = self.at(calendar, at);
        Usage { amount: now.used_amount, count: now.used_count }
    }

    /// Counts an approval of `at`.
    pub(crate) fn charge(&mut self, usage: Usage, calendar: &Calendar, at: Timestamp) {
        *self = self.at(calendar, at);
        self.used_amount = self.used_amount.saturating_add(usage.amount);
        self.used_count = self.used_count.saturating_add(usage.count);
    }

    /// The limit as it counts at `at`: in a new window from zero.
    pub(crate) fn at(self, calendar: &Calendar, at: Timestamp) -> Self {
        let (zone, first) = self.next.unwrap_or((self.zone, self.current.saturating_add(1)));
        let window = calendar.window(zone, self.window, at);
        if window < first {
            return self;
        }
        Self { zone, current: window, used_amount: 0, used_count: 0, next: None, ..self }
    }

    /// The zone that it was last given.
    pub(crate) fn asked_zone(&self) -> ZoneId {
        self.next.map_or(self.zone, |(zone, _)| zone)
    }

    /// This limit with the zone of `fresh`: from the first whole window on that follows the newest one. Where nothing was
    /// spent in that, at once.
    pub(crate) fn moved(self, fresh: Self, calendar: &Calendar, at: Timestamp) -> Self {
        let now = self.at(calendar, at);
        if now.used_amount == 0 && now.used_count == 0 {
            return fresh;
        }
        let newest = calendar.window(now.zone, now.window, at).max(now.current);
        if fresh.zone == now.zone && newest == now.current {
            return Self { next: None, ..now };
        }
        match calendar.end_of(now.zone, now.window, newest) {
            Some(end) => {
                let first = calendar.first_from(fresh.zone, now.window, end);
                Self { next: Some((fresh.zone, first)), ..now }
            }
            None => fresh,
        }
    }
}
