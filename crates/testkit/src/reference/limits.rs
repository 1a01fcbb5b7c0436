//! Limits without counters: usage is added up from all transactions that a limit ever counted.

use super::Model;
use super::uses::{Counting, Use};
use domain::{
    Failure, LimitBreach, LimitOwner, LimitRule, Measure, Reason, Span, Timestamp, Window, ZoneName,
};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::cell::RefCell;
use std::collections::HashMap;

/// A limit, and which transactions it counts: those that came after it was set.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    pub(super) rule: LimitRule,
    /// The number of the last transaction before it was set.
    pub(super) after: u64,
    pub(super) set_at: Timestamp,
    /// The zones that it had before, oldest first, each with the last window in it and the first in the next zone.
    pub(super) before: Vec<Before>,
}

/// A zone that a limit had. Another one takes over with the first of its windows that begins after the last one here.
#[derive(Clone, Debug)]
pub(super) struct Before {
    rule: LimitRule,
    last: Date,
    first_of_next: Date,
}

/// A window of a limit: how many zones it had before, and the window's first day.
type Key = (usize, Date);
/// Amount and count that one transaction counts with, and in which window.
type Counted = (Key, (i128, u32));

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

    /// The window of a limit that `at` counts in.
    fn key(&self, limit: &Limit, at: Timestamp) -> Key {
        let zones = limit.before.len();
        let rule = |zone: usize| limit.before.get(zone).map_or(&limit.rule, |before| &before.rule);
        let has_begun = |zone: &usize| {
            *zone == 0 || self.window(rule(*zone), at) >= limit.before[*zone - 1].first_of_next
        };
        let zone = (0..=zones).rev().find(has_begun).expect("the first zone has no beginning");
        let window = self.window(rule(zone), at);
        (zone, limit.before.get(zone).map_or(window, |before| window.min(before.last)))
    }

    /// When the window ends that begins on `first`.
    fn end(rule: &LimitRule, first: Date) -> Timestamp {
        let zone = TimeZone::get(rule.zone.as_str()).expect("a zone that was checked");
        let next = next_window(rule.window, first);
        let midnight = next.to_zoned(zone).expect("a date of our times").timestamp();
        Timestamp::from_micros(midnight.as_microsecond())
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
        let (newest, counted) = self.counted(owner, index, limit);
        let current = newest.max(self.calendar.key(limit, now));
        let in_window = counted.iter().filter(|(window, _)| *window == current);
        in_window.fold((0, 0), |(amount, count), (_, (more, one))| (amount + more, count + one))
    }

    /// The newest window that was counted in, and what was counted in which.
    fn counted(&self, owner: LimitOwner, index: u32, limit: &Limit) -> (Key, Vec<Counted>) {
        let mut newest = self.calendar.key(limit, limit.set_at);
        let mut counted = Vec::new();
        if limit.rule.window != Window::Transaction {
            for found in self.uses.iter().filter(|used| used.is_limited() && used.number > limit.after) {
                let is_owners = match owner {
                    LimitOwner::Card => found.card == index,
                    LimitOwner::Account => self.account_of(found.card) == index,
                };
                if is_owners {
                    let own = self.calendar.key(limit, found.at);
                    newest = newest.max(own);
                    counted.push((newest, counts(owner, found, newest == own)));
                }
            }
        }
        (newest, counted)
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

    /// The limits of one transaction that `more` breaks, where so much of it was promised before.
    pub(super) fn broken_transaction_limits(
        &self,
        owner: LimitOwner,
        index: u32,
        (before, more): (i128, i128),
    ) -> Vec<Failure> {
        let limits = match owner {
            LimitOwner::Card => &self.card(index).limits,
            LimitOwner::Account => &self.account(index).limits,
        };
        let of_one = limits.iter().filter(|limit| limit.rule.window == Window::Transaction);
        let broken = of_one.filter_map(|limit| limit.rule.amount_max.filter(|max| before + more > *max));
        let failure = |max| {
            let (span, measure) = (Span::Calendar(Window::Transaction), Measure::Amount);
            let limit = Some(LimitBreach { owner, span, measure, max, used: before, asked: more });
            Failure { reason: Reason::TransactionLimit, limit, rule: None }
        };
        broken.map(failure).collect()
    }

    /// Replaces limits. One over the same window goes on counting from where it began; with another zone, until the
    /// first whole window of that zone after the newest one (E27).
    pub(super) fn replaced(
        &self,
        (owner, index): (LimitOwner, u32),
        before: &[Limit],
        rules: &[LimitRule],
        now: Timestamp,
    ) -> Vec<Limit> {
        let limits = rules.iter().map(|rule| {
            let fresh = Limit { rule: *rule, after: self.last_number, set_at: now, before: Vec::new() };
            if let Some(same) = before.iter().find(|limit| is_same_window(&limit.rule, rule)) {
                return Limit { rule: *rule, ..same.clone() };
            }
            let is_kept = |limit: &Limit| rules.iter().any(|rule| is_same_window(&limit.rule, rule));
            let left = before.iter().find(|limit| limit.rule.window == rule.window && !is_kept(limit));
            match left {
                Some(limit) if self.used(owner, index, limit, now) != (0, 0) => {
                    self.moved((owner, index), limit.clone(), rule, now)
                }
                Some(_) | None => fresh,
            }
        });
        limits.collect()
    }

    fn moved(
        &self,
        (owner, index): (LimitOwner, u32),
        mut limit: Limit,
        rule: &LimitRule,
        now: Timestamp,
    ) -> Limit {
        let newest = self.counted(owner, index, &limit).0.max(self.calendar.key(&limit, now));
        // A zone that was asked for and has not begun yet is taken back.
        let mut running = limit.rule;
        while newest.0 < limit.before.len() {
            running = limit.before.pop().expect("a zone before").rule;
        }
        // The clock's window, or a later one that was counted in before the clock was set back.
        let window = self.calendar.window(&running, now).max(newest.1);
        if !(running.zone == rule.zone && window == newest.1) {
            let end = Calendar::end(&running, window);
            let just_before = Timestamp::from_micros(end.micros() - 1);
            let before_it = self.calendar.window(&LimitRule { zone: rule.zone, ..running }, just_before);
            let first = next_window(rule.window, before_it);
            limit.before.push(Before { rule: running, last: newest.1, first_of_next: first });
        }
        limit.rule = *rule;
        limit
    }
}

/// The first day of the window after the one that begins on `first`.
fn next_window(window: Window, first: Date) -> Date {
    let span = jiff::Span::new();
    let later = match window {
        Window::Week => span.days(7),
        Window::Month => span.months(1),
        Window::Day | Window::Transaction | Window::Lifetime => span.days(1),
    };
    first.checked_add(later).expect("a date of our times")
}

/// The zone matters only where days do.
fn is_same_window(one: &LimitRule, other: &LimitRule) -> bool {
    let zoneless = matches!(one.window, Window::Transaction | Window::Lifetime);
    one.window == other.window && (zoneless || one.zone == other.zone)
}

/// Amount and count that an entry uses: what is left of it. One that was counted into a later window than its own
/// (the clock had been set back) gives nothing back: usage is given back in its own window only (E27).
fn counts(owner: LimitOwner, found: &Use, in_its_own_window: bool) -> (i128, u32) {
    let amounts = if in_its_own_window { found.left() } else { found.used };
    let amount = match owner {
        LimitOwner::Card => i128::from(amounts.card.minor()),
        LimitOwner::Account => amounts.units.0,
    };
    let is_payment = found.counting == Counting::Payment;
    (amount, u32::from(is_payment && !(in_its_own_window && found.uncounted)))
}
