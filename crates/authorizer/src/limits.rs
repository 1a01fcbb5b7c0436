//! What a card or an account may spend per window, and what it has spent.
//!
//! One rule covers holds, partial answers, reversals and expiry: usage belongs to the window of its
//! authorization, and what is given back is given back only there (E27, E30). A clock that is set back
//! never opens an old window again: spending then counts into the newest window known.

use crate::calendar::{Calendar, ZoneId};
use crate::limit::{Limit, Usage};
use crate::limit_set::{LimitSet, RuleSets};
use crate::view::LimitView;
use domain::{
    Failure, LimitBreach, LimitOwner, LimitRule, Measure, Reason, Span, Timestamp, TransactionNo, Window,
};
use serde::{Deserialize, Serialize};

/// The limits of one owner, with their counters.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Limits(LimitSet);

impl Limits {
    /// Limits by the rules given. Counters of a window that was limited before go on.
    pub(crate) fn replaced(
        &self,
        rules: &[LimitRule],
        calendar: &mut Calendar,
        at: Timestamp,
        last_number: TransactionNo,
    ) -> Self {
        let zones: Vec<_> =
            rules.iter().filter_map(|rule| Some((rule.window, calendar.zone(rule.zone)?))).collect();
        let limits = rules.iter().filter_map(|rule| {
            let zone = calendar.zone(rule.zone)?;
            let fresh = Limit {
                window: rule.window,
                zone,
                amount_max: None,
                count_max: None,
                after: last_number,
                current: calendar.window(zone, rule.window, at),
                used_amount: 0,
                used_count: 0,
                next: None,
            };
            let limit = match self.before(rule, zone, &zones) {
                Before::Same(limit) => limit,
                Before::OtherZone(limit) => limit.moved(fresh, calendar, at),
                Before::None => fresh,
            };
            Some(Limit { amount_max: rule.amount_max, count_max: rule.count_max, ..limit })
        });
        Self(LimitSet::whole(limits.collect()))
    }

    /// Whether there is no limit at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.limits().next().is_none()
    }

    /// Shares the rules with other owners of the same, where they are not shared yet and can be.
    pub(crate) fn share(&mut self, rules: &mut RuleSets) {
        self.0.share(rules);
    }

    /// The limit that `rule` replaces: the one of its window and zone, or else one of its window whose zone no rule has
    /// any more.
    fn before(&self, rule: &LimitRule, zone: ZoneId, kept: &[(Window, ZoneId)]) -> Before {
        let zoneless = matches!(rule.window, Window::Transaction | Window::Lifetime);
        let mut of_window = self.0.limits().filter(|limit| limit.window == rule.window);
        if zoneless {
            return of_window.next().map_or(Before::None, |limit| Before::Same(Limit { zone, ..limit }));
        }
        if let Some(same) =
            self.0.limits().find(|limit| limit.window == rule.window && limit.asked_zone() == zone)
        {
            return Before::Same(same);
        }
        let left = of_window.find(|limit| !kept.contains(&(limit.window, limit.asked_zone())));
        left.map_or(Before::None, Before::OtherZone)
    }

    /// Adds every limit that one more approval of `amount` would break.
    pub(crate) fn check(
        &self,
        owner: LimitOwner,
        amount: i128,
        calendar: &Calendar,
        at: Timestamp,
        failures: &mut Vec<Failure>,
    ) {
        if self.0.has_room_for(amount, calendar, at) {
            return;
        }
        for limit in self.0.limits() {
            let used = limit.used_at(calendar, at);
            let breach = |measure, max: i128, used: i128, asked: i128| {
                let reason = match (limit.window, measure) {
                    (Window::Transaction, _) => Reason::TransactionLimit,
                    (_, Measure::Amount) => Reason::AmountLimit,
                    (_, Measure::Count) => Reason::CountLimit,
                };
                let limit =
                    LimitBreach { owner, span: Span::Calendar(limit.window), measure, max, used, asked };
                (used.saturating_add(asked) > max).then_some(Failure {
                    reason,
                    limit: Some(limit),
                    rule: None,
                })
            };
            let amount_breach =
                limit.amount_max.and_then(|max| breach(Measure::Amount, max, used.amount, amount));
            let count_breach = limit
                .count_max
                .and_then(|max| breach(Measure::Count, i128::from(max), i128::from(used.count), 1));
            failures.extend(amount_breach.into_iter().chain(count_breach));
        }
    }

    /// Adds every limit of one transaction that `more` would break, where so much of it was promised before.
    pub(crate) fn check_whole(
        &self,
        owner: LimitOwner,
        before: i128,
        more: i128,
        failures: &mut Vec<Failure>,
    ) {
        let limits = self.0.limits().filter(|limit| limit.window == Window::Transaction);
        for max in limits.filter_map(|limit| limit.amount_max) {
            if before.saturating_add(more) > max {
                let (span, measure) = (Span::Calendar(Window::Transaction), Measure::Amount);
                let limit = Some(LimitBreach { owner, span, measure, max, used: before, asked: more });
                failures.push(Failure { reason: Reason::TransactionLimit, limit, rule: None });
            }
        }
    }

    /// Counts an approval of `at`.
    pub(crate) fn charge(&mut self, usage: Usage, calendar: &Calendar, at: Timestamp) {
        self.0.charge(usage, calendar, at);
    }

    /// Gives back what the approval `number` of `approved_at` had used, where its window is still the current one.
    pub(crate) fn give_back(
        &mut self,
        usage: Usage,
        calendar: &Calendar,
        number: TransactionNo,
        approved_at: Timestamp,
    ) {
        self.0.change(|limit| {
            let window = calendar.window(limit.zone, limit.window, approved_at);
            let same_window = match limit.next {
                None => window == limit.current,
                Some(_) => window >= limit.current,
            };
            if same_window && number > limit.after {
                limit.used_amount = limit.used_amount.saturating_sub(usage.amount);
                limit.used_count = limit.used_count.saturating_sub(usage.count);
            }
        });
    }

    /// Whether every limit names a zone that the calendar has.
    pub(crate) fn fit(&self, calendar: &Calendar) -> bool {
        let is_known = |zone| calendar.name(zone).is_some();
        self.0.limits().all(|limit| is_known(limit.zone) && is_known(limit.asked_zone()))
    }

    /// The limits and their usage at `at`, for people.
    pub(crate) fn view(&self, calendar: &Calendar, at: Timestamp) -> Vec<LimitView> {
        let views = self.0.limits().filter_map(|limit| {
            let used = limit.used_at(calendar, at);
            let rule = LimitRule {
                window: limit.window,
                zone: calendar.name(limit.asked_zone())?,
                amount_max: limit.amount_max,
                count_max: limit.count_max,
            };
            Some(LimitView { rule, used_amount: used.amount, used_count: used.count })
        });
        views.collect()
    }
}

/// What a rule finds in its place.
enum Before {
    Same(Limit),
    OtherZone(Limit),
    None,
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ZoneName;

    const DAY: i64 = 86_400;

    fn rule(window: Window, amount_max: Option<i128>, count_max: Option<u32>) -> LimitRule {
        LimitRule { window, zone: ZoneName::new("UTC").unwrap(), amount_max, count_max }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn broken(limits: &Limits, calendar: &Calendar, amount: i128, now: Timestamp) -> Vec<Reason> {
        let mut failures = Vec::new();
        limits.check(LimitOwner::Card, amount, calendar, now, &mut failures);
        failures.into_iter().map(|failure| failure.reason).collect()
    }

    fn no(number: u64) -> TransactionNo {
        TransactionNo(number)
    }

    fn one(amount: i128) -> Usage {
        Usage { amount, count: 1 }
    }

    #[test]
    fn the_last_unit_of_a_window_can_be_spent_and_no_more() {
        let mut calendar = Calendar::default();
        let mut limits =
            Limits::default().replaced(&[rule(Window::Day, Some(100), None)], &mut calendar, at(0), no(0));
        limits.charge(one(60), &calendar, at(1));
        assert_eq!(broken(&limits, &calendar, 40, at(2)), []);
        assert_eq!(broken(&limits, &calendar, 41, at(2)), [Reason::AmountLimit]);
        assert_eq!(broken(&limits, &calendar, 100, at(DAY)), [], "a new day starts from zero");
    }

    #[test]
    fn what_is_given_back_belongs_to_the_window_of_its_authorization() {
        let mut calendar = Calendar::default();
        let rules = [rule(Window::Day, Some(100), Some(1)), rule(Window::Lifetime, Some(100), None)];
        let mut limits = Limits::default().replaced(&rules, &mut calendar, at(0), no(0));
        limits.charge(one(60), &calendar, at(1));
        limits.charge(one(10), &calendar, at(DAY));
        limits.give_back(one(60), &calendar, no(1), at(1));
        let used: Vec<_> = limits.view(&calendar, at(DAY)).iter().map(|view| view.used_amount).collect();
        assert_eq!(used, [10, 10], "yesterday's money does not come back today; the lifetime's does");
    }

    #[test]
    fn a_clock_set_back_opens_no_old_window() {
        let mut calendar = Calendar::default();
        let mut limits =
            Limits::default().replaced(&[rule(Window::Day, Some(100), None)], &mut calendar, at(DAY), no(0));
        limits.charge(one(90), &calendar, at(DAY));
        assert_eq!(broken(&limits, &calendar, 20, at(DAY - 1)), [Reason::AmountLimit]);
    }

    #[test]
    fn a_raised_limit_remembers_what_was_spent() {
        let mut calendar = Calendar::default();
        let mut limits =
            Limits::default().replaced(&[rule(Window::Day, Some(100), None)], &mut calendar, at(0), no(0));
        limits.charge(one(90), &calendar, at(1));
        let raised = limits.replaced(&[rule(Window::Day, Some(120), None)], &mut calendar, at(2), no(0));
        assert_eq!(broken(&raised, &calendar, 31, at(3)), [Reason::AmountLimit]);
        assert_eq!(broken(&raised, &calendar, 30, at(3)), []);
    }

    #[test]
    fn a_new_limit_gives_nothing_back_for_what_it_never_counted() {
        let mut calendar = Calendar::default();
        let mut limits =
            Limits::default().replaced(&[rule(Window::Day, Some(100), None)], &mut calendar, at(10), no(9));
        limits.charge(one(50), &calendar, at(11));
        limits.give_back(one(50), &calendar, no(9), at(11));
        assert_eq!(limits.view(&calendar, at(12))[0].used_amount, 50);
    }

    #[test]
    fn another_zone_is_taken_at_the_next_window_and_opens_nothing_today() {
        let in_zone =
            |zone| LimitRule { zone: ZoneName::new(zone).unwrap(), ..rule(Window::Day, Some(100), None) };
        let mut calendar = Calendar::default();
        let set = |limits: &Limits, zone, calendar: &mut Calendar, now| {
            limits.replaced(&[in_zone(zone)], calendar, now, no(0))
        };
        let hour = |hours: i64| at(hours * 3_600);
        let mut limits = set(&Limits::default(), "UTC", &mut calendar, hour(8));
        limits.charge(one(90), &calendar, hour(9));
        // A day of Tokyo begins at 15:00 UTC: the first whole one after this day of UTC begins at 15:00 tomorrow.
        let mut moved = set(&limits, "Asia/Tokyo", &mut calendar, hour(10));
        assert_eq!(moved.view(&calendar, hour(10))[0].rule.zone.as_str(), "Asia/Tokyo");
        assert_eq!(broken(&moved, &calendar, 11, hour(16)), [Reason::AmountLimit], "not at Tokyo's midnight");
        assert_eq!(broken(&moved, &calendar, 11, hour(25)), [Reason::AmountLimit], "nor at the old one's");
        assert_eq!(broken(&moved, &calendar, 100, hour(39)), []);
        moved.charge(one(10), &calendar, hour(26));
        assert_eq!(broken(&moved, &calendar, 1, hour(38)), [Reason::AmountLimit], "it counts until then");
        moved.give_back(one(10), &calendar, no(1), hour(26));
        assert_eq!(broken(&moved, &calendar, 10, hour(38)), [], "and is given back until then");
        // Back again within the window that runs: nothing has changed.
        let back = set(&set(&limits, "Asia/Tokyo", &mut calendar, hour(10)), "UTC", &mut calendar, hour(11));
        assert_eq!(back, limits);
        // A limit that nothing was spent of has its zone at once.
        let unused = set(&limits, "Asia/Tokyo", &mut calendar, hour(30));
        assert_eq!(broken(&unused, &calendar, 100, hour(30)), []);
        assert_eq!(unused.0.limits().next().unwrap().next, None);
    }

    #[test]
    fn another_zone_opens_nothing_that_was_spent_before_the_clock_was_set_back() {
        let in_zone =
            |zone| LimitRule { zone: ZoneName::new(zone).unwrap(), ..rule(Window::Day, Some(100), None) };
        let mut calendar = Calendar::default();
        let mut limits = Limits::default().replaced(&[in_zone("UTC")], &mut calendar, at(DAY), no(0));
        limits.charge(one(90), &calendar, at(DAY + 3_600));
        // The clock is set back a day. A day of Tokyo begins at 15:00 UTC: the first whole one after the day that was
        // spent in begins at 15:00 of the day after that.
        let moved = limits.replaced(&[in_zone("Asia/Tokyo")], &mut calendar, at(3_600), no(1));
        let opens = 2 * DAY + 15 * 3_600;
        assert_eq!(broken(&moved, &calendar, 11, at(DAY + 15 * 3_600)), [Reason::AmountLimit]);
        assert_eq!(broken(&moved, &calendar, 11, at(opens - 1)), [Reason::AmountLimit]);
        assert_eq!(broken(&moved, &calendar, 100, at(opens)), []);
    }

    #[test]
    fn every_broken_limit_is_named_with_what_was_left() {
        let mut calendar = Calendar::default();
        let rules = [
            rule(Window::Transaction, Some(30), None),
            rule(Window::Day, Some(50), Some(1)),
            rule(Window::Month, None, Some(9)),
        ];
        let mut limits = Limits::default().replaced(&rules, &mut calendar, at(0), no(0));
        limits.charge(one(20), &calendar, at(1));
        let mut failures = Vec::new();
        limits.check(LimitOwner::Account, 31, &calendar, at(2), &mut failures);
        let breaches: Vec<_> = failures.iter().filter_map(|failure| failure.limit).collect();
        let described: Vec<_> =
            breaches.iter().map(|breach| (breach.span, breach.measure, breach.max, breach.used)).collect();
        assert_eq!(
            described,
            [
                (Span::Calendar(Window::Transaction), Measure::Amount, 30, 0),
                (Span::Calendar(Window::Day), Measure::Amount, 50, 20),
                (Span::Calendar(Window::Day), Measure::Count, 1, 1),
            ]
        );
    }
}
