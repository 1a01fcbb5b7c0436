//! Limits without counters: usage is added up from all transactions that a limit ever counted.

use super::{Model, Transaction};
use domain::{
    Failure, LimitBreach, LimitOwner, LimitRule, Measure, Reason, Span, Timestamp, Window, ZoneName,
};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::cell::RefCell;
use std::collections::HashMap;

/// A limit, and which transactions it counts: those that came after it was set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) rule: LimitRule,
    /// The number of the last transaction before it was set.
    pub(super) after: u64,
    pub(super) set_at: Timestamp,
}

/// Local dates. Looking one up in the zone database is slow, so each is looked up once.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    dates: RefCell<HashMap<(ZoneName, Timestamp), Date>>,
}

impl Calendar {
    /// The first day of the window that `at` falls in.
    fn window(&self, rule: &LimitRule, at: Timestamp) -> Date {
        let date = match rule.window {
            Window::Transaction | Window::Lifetime => return Date::ZERO,
            Window::Day | Window::Week | Window::Month => self.date(rule.zone, at),
        };
        match rule.window {
            Window::Week => {
                let days_since_monday = date.weekday().to_monday_zero_offset();
                date.checked_sub(jiff::Span::new().days(days_since_monday)).expect("a date of our times")
            }
            Window::Month => date.first_of_month(),
            Window::Day | Window::Transaction | Window::Lifetime => date,
        }
    }

    fn date(&self, zone: ZoneName, at: Timestamp) -> Date {
        *self.dates.borrow_mut().entry((zone, at)).or_insert_with(|| {
            let time = jiff::Timestamp::from_microsecond(at.micros()).expect("a time of our times");
            time.to_zoned(TimeZone::get(zone.as_str()).expect("a zone that was checked")).date()
        })
    }
}

impl Model {
    /// Amount and count that `limit` has used at `now`. A window never opens again once a later one has been
    /// counted in: after the clock is set back, spending counts into the newest window.
    pub(super) fn used(&self, owner: LimitOwner, index: u32, limit: &Limit, now: Timestamp) -> (i128, u32) {
        let mut newest = self.calendar.window(&limit.rule, limit.set_at);
        let mut counted = Vec::new();
        if limit.rule.window != Window::Transaction {
            for found in
                self.transactions.iter().filter(|found| found.charged.is_some() && found.number > limit.after)
            {
                let is_owners = match owner {
                    LimitOwner::Card => found.card == index,
                    LimitOwner::Account => self.account_of(found.card) == index,
                };
                if is_owners {
                    let own = self.calendar.window(&limit.rule, found.at);
                    newest = newest.max(own);
                    counted.push((newest, counts(owner, found, newest == own)));
                }
            }
        }
        let current = newest.max(self.calendar.window(&limit.rule, now));
        let in_window = counted.iter().filter(|(window, _)| *window == current);
        in_window.fold((0, 0), |(amount, count), (_, (more, one))| (amount + more, count + one))
    }

    /// Every limit of the owner that one more approval of `asked` would break.
    pub(super) fn broken_limits(
        &self,
        owner: LimitOwner,
        index: u32,
        asked: i128,
        now: Timestamp,
    ) -> Vec<Failure> {
        let limits = match owner {
            LimitOwner::Card => &self.card(index).limits,
            LimitOwner::Account => &self.account(index).limits,
        };
        let mut broken = Vec::new();
        for limit in limits {
            let (amount, count) = self.used(owner, index, limit, now);
            let window = limit.rule.window;
            let amount_reason =
                if window == Window::Transaction { Reason::TransactionLimit } else { Reason::AmountLimit };
            let measures = [
                (amount_reason, Measure::Amount, limit.rule.amount_max, amount, asked),
                (
                    Reason::CountLimit,
                    Measure::Count,
                    limit.rule.count_max.map(i128::from),
                    i128::from(count),
                    1,
                ),
            ];
            for (reason, measure, max, used, asked) in measures {
                if let Some(max) = max.filter(|max| used + asked > *max) {
                    let span = Span::Calendar(window);
                    let limit = LimitBreach { owner, span, measure, max, used, asked };
                    broken.push(Failure { reason, limit: Some(limit), rule: None });
                }
            }
        }
        broken
    }

    /// Replaces limits. One over the same window goes on counting from where it began.
    pub(super) fn replaced(&self, before: &[Limit], rules: &[LimitRule], now: Timestamp) -> Vec<Limit> {
        let limits = rules.iter().map(|rule| {
            let same = before.iter().find(|limit| is_same_window(&limit.rule, rule));
            let fresh = Limit { rule: *rule, after: self.last_number, set_at: now };
            same.map_or(fresh, |limit| Limit { rule: *rule, ..*limit })
        });
        limits.collect()
    }
}

/// The zone matters only where days do.
fn is_same_window(one: &LimitRule, other: &LimitRule) -> bool {
    let zoneless = matches!(one.window, Window::Transaction | Window::Lifetime);
    one.window == other.window && (zoneless || one.zone == other.zone)
}

/// Amount and count that a transaction uses: what it still owes. One that was counted into a later window than
/// its own (the clock had been set back) gives nothing back: usage is given back in its own window only (E27).
fn counts(owner: LimitOwner, found: &Transaction, in_its_own_window: bool) -> (i128, u32) {
    let (counts, open) =
        if in_its_own_window { (found.owed, u32::from(found.state.is_open())) } else { (found.charged, 1) };
    let amount = counts.map_or(0, |amounts| match owner {
        LimitOwner::Card => i128::from(amounts.card.minor()),
        LimitOwner::Account => amounts.units.0,
    });
    (amount, open)
}
