//! The limits of one owner as they lie in memory: rules that owners share, and counters that they do not.
//!
//! The cards of a program have the same rules, and those of a shard share one copy; a card then takes 14 bytes for each
//! counter instead of some 140 for each limit. What does not fit into that is kept as whole limits, and is shared again
//! when it fits: limits that were set at different times, a limit whose zone is about to change, an amount beyond
//! 64 bits. Nothing outside can tell the two apart, and both are written to disk as whole limits.
//!
//! What every decision does, holding a payment against the limits and counting it, is done on the counters where they lie.
//! Everything else builds whole limits first.

use crate::calendar::{Calendar, WindowId, ZoneId};
use crate::limit::{Limit, Usage};
use domain::{Timestamp, TransactionNo, Window};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::VecDeque;
use std::sync::Arc;

/// Limits of one owner.
#[derive(Clone, Debug)]
pub(crate) enum LimitSet {
    Whole(Box<[Limit]>),
    Shared {
        rules: Arc<RuleSet>,
        /// See [`Limit`]: all of these were set at the same time.
        after: TransactionNo,
        /// Of the rules that count, in their order.
        counters: Box<[Counter]>,
    },
}

/// Rules of several owners. Behind one pointer and not as `Arc<[Rule]>`, whose length would be kept once an owner.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct RuleSet(Box<[Rule]>);

/// A limit without its counter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Rule {
    window: Window,
    zone: ZoneId,
    amount_max: Option<i64>,
    count_max: Option<u32>,
}

/// What a limit has counted, narrow and without a gap: days are numbered in 16 bits until the year 2149.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(Rust, packed(2))]
pub(crate) struct Counter {
    used_amount: i64,
    used_count: u32,
    current: u16,
}

/// What a counter has counted in one window.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    amount: i64,
    count: u32,
}

/// Sets of rules that were used last, newest first. One that has left the list is not shared with owners that come later,
/// and nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleSets(VecDeque<Arc<RuleSet>>);

/// More programs than one switch serves, and few enough to be looked through whenever limits are set.
const SETS_MAX: usize = 64;

impl RuleSets {
    fn shared(&mut self, rules: RuleSet) -> Arc<RuleSet> {
        let known = self.0.iter().position(|known| **known == rules);
        let set = known.and_then(|place| self.0.remove(place)).unwrap_or_else(|| Arc::new(rules));
        self.0.truncate(SETS_MAX - 1);
        self.0.push_front(Arc::clone(&set));
        set
    }
}

impl LimitSet {
    /// These limits, not shared yet.
    pub(crate) const fn whole(limits: Box<[Limit]>) -> Self {
        Self::Whole(limits)
    }

    /// Every limit, as it is.
    pub(crate) fn limits(&self) -> impl Iterator<Item = Limit> {
        let (whole, rules, after, counters): (&[Limit], &[Rule], _, &[Counter]) = match self {
            Self::Whole(limits) => (limits, &[], TransactionNo::default(), &[]),
            Self::Shared { rules, after, counters } => (&[], &rules.0, *after, counters),
        };
        let mut counters = counters.iter();
        let shared = rules.iter().map(move |rule| {
            let counter = if rule.counts() { counters.next() } else { None };
            rule.limit(after, counter.copied().unwrap_or_default())
        });
        whole.iter().copied().chain(shared)
    }

    /// Whether one more approval of `amount` at `at` surely breaks no limit. Where it does not look sure, the limits have to
    /// be looked at one by one.
    pub(crate) fn has_room_for(&self, amount: i128, calendar: &Calendar, at: Timestamp) -> bool {
        let (Self::Shared { rules, counters, .. }, Ok(amount)) = (self, i64::try_from(amount)) else {
            return false;
        };
        let (windows, mut counters) = (calendar.windows_at(at), counters.iter());
        rules.0.iter().all(|rule| {
            let counter = if rule.counts() { counters.next() } else { None };
            let used = counter.map(|counter| counter.used_in(windows.of(rule.zone, rule.window)));
            rule.has_room_for(amount, used.unwrap_or_default())
        })
    }

    /// Counts an approval of `at`.
    pub(crate) fn charge(&mut self, usage: Usage, calendar: &Calendar, at: Timestamp) {
        match self {
            Self::Whole(limits) => {
                let counting = limits.iter_mut().filter(|limit| counts(limit.window));
                counting.for_each(|limit| limit.charge(usage, calendar, at));
            }
            Self::Shared { rules, counters, .. } => {
                let Ok(amount) = i64::try_from(usage.amount) else {
                    return self.outgrow(0, |limit| limit.charge(usage, calendar, at));
                };
                let (windows, mut changed) = (calendar.windows_at(at), 0);
                let rules = rules.0.iter().filter(|rule| rule.counts());
                for (rule, counter) in rules.zip(counters) {
                    match counter.charged(amount, usage.count, windows.of(rule.zone, rule.window)) {
                        Some(charged) => *counter = charged,
                        None => return self.outgrow(changed, |limit| limit.charge(usage, calendar, at)),
                    }
                    changed += 1;
                }
            }
        }
    }

    /// Lets `change` work on what every limit that counts has counted.
    pub(crate) fn change(&mut self, change: impl Fn(&mut Limit)) {
        match self {
            Self::Whole(limits) => limits.iter_mut().filter(|limit| counts(limit.window)).for_each(change),
            Self::Shared { rules, after, counters } => {
                let rules = rules.0.iter().filter(|rule| rule.counts());
                for (place, (rule, counter)) in rules.zip(counters.iter_mut()).enumerate() {
                    let mut limit = rule.limit(*after, *counter);
                    change(&mut limit);
                    match Counter::of(&limit) {
                        Some(changed) => *counter = changed,
                        None => return self.outgrow(place, change),
                    }
                }
            }
        }
    }

    /// Keeps whole limits from now on, because one has counted more than a counter holds. Those that count and stand
    /// before `changed` are changed already.
    fn outgrow(&mut self, changed: usize, change: impl Fn(&mut Limit)) {
        let mut whole: Box<[Limit]> = self.limits().collect();
        whole.iter_mut().filter(|limit| counts(limit.window)).skip(changed).for_each(change);
        *self = Self::Whole(whole);
    }

    /// Shares the rules, where they are not shared yet and everything fits.
    pub(crate) fn share(&mut self, sets: &mut RuleSets) {
        let Self::Whole(limits) = self else { return };
        let Some(after) = limits.first().map(|limit| limit.after) else { return };
        let as_set = |limit: &Limit| {
            let counter = Counter::of(limit).filter(|_| limit.next.is_none() && limit.after == after)?;
            let fits = counts(limit.window) || counter == Counter::default();
            if fits { Some((Rule::of(limit)?, counter)) } else { None }
        };
        let Some(all): Option<Vec<(Rule, Counter)>> = limits.iter().map(as_set).collect() else { return };
        let counters = all.iter().filter(|(rule, _)| rule.counts()).map(|(_, counter)| *counter).collect();
        let rules = sets.shared(RuleSet(all.into_iter().map(|(rule, _)| rule).collect()));
        *self = Self::Shared { rules, after, counters };
    }
}

/// Whether a limit of this window counts anything.
const fn counts(window: Window) -> bool {
    !matches!(window, Window::Transaction)
}

impl Rule {
    /// The rule of a limit, if it fits.
    fn of(limit: &Limit) -> Option<Self> {
        let Limit { window, zone, count_max, .. } = *limit;
        let amount_max = limit.amount_max.map(i64::try_from).transpose().ok()?;
        Some(Self { window, zone, amount_max, count_max })
    }

    /// Whether `amount` and one approval are within the limit behind what is used.
    #[inline]
    fn has_room_for(&self, amount: i64, used: Counted) -> bool {
        let enough = |max| used.amount.checked_add(amount).is_some_and(|sum| sum <= max);
        self.amount_max.is_none_or(enough) && self.count_max.is_none_or(|max| used.count < max)
    }

    const fn counts(&self) -> bool {
        counts(self.window)
    }

    fn limit(&self, after: TransactionNo, counter: Counter) -> Limit {
        Limit {
            window: self.window,
            zone: self.zone,
            amount_max: self.amount_max.map(i128::from),
            count_max: self.count_max,
            after,
            current: WindowId::from(counter.current),
            used_amount: counter.used_amount.into(),
            used_count: counter.used_count,
            next: None,
        }
    }
}

impl Counter {
    /// What a limit has counted, if it fits.
    fn of(limit: &Limit) -> Option<Self> {
        Some(Self {
            used_amount: i64::try_from(limit.used_amount).ok()?,
            current: u16::try_from(limit.current).ok()?,
            used_count: limit.used_count,
        })
    }

    /// Whether `window` is a newer one than it counts in.
    fn is_over(&self, window: WindowId) -> bool {
        window > WindowId::from(self.current)
    }

    /// What it has counted in its newest window, or in `window` if that is newer (see [`Limit::at`]).
    #[inline]
    fn used_in(&self, window: WindowId) -> Counted {
        if self.is_over(window) {
            return Counted::default();
        }
        Counted { amount: self.used_amount, count: self.used_count }
    }

    /// With `amount` and `count` more in `window`, or in its newest window if that is newer; `None` where that does not
    /// fit any more.
    #[inline]
    fn charged(&self, amount: i64, count: u32, window: WindowId) -> Option<Self> {
        if self.is_over(window) {
            return Some(Self {
                used_amount: amount,
                current: u16::try_from(window).ok()?,
                used_count: count,
            });
        }
        let used_amount = self.used_amount.checked_add(amount)?;
        Some(Self { used_amount, used_count: self.used_count.saturating_add(count), ..*self })
    }
}

impl Default for LimitSet {
    fn default() -> Self {
        Self::Whole(Box::default())
    }
}

impl PartialEq for LimitSet {
    fn eq(&self, other: &Self) -> bool {
        self.limits().eq(other.limits())
    }
}

impl Eq for LimitSet {}

impl Serialize for LimitSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.limits())
    }
}

impl<'de> Deserialize<'de> for LimitSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(deserializer).map(Self::Whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Calendar;
    use domain::ZoneName;
    use proptest::prelude::*;

    fn limits(windows: &[Window], amounts: &[i128], after: u64) -> Box<[Limit]> {
        let zone = Calendar::default().zone(ZoneName::new("UTC").unwrap()).unwrap();
        let limit = |(window, used_amount): (&Window, &i128)| Limit {
            window: *window,
            zone,
            amount_max: Some(100),
            count_max: None,
            after: TransactionNo(after),
            current: if counts(*window) { 20_000 } else { 0 },
            used_amount: if counts(*window) { *used_amount } else { 0 },
            used_count: u32::from(counts(*window)),
            next: None,
        };
        windows.iter().zip(amounts).map(limit).collect()
    }

    const WINDOWS: [Window; 4] = [Window::Day, Window::Transaction, Window::Week, Window::Lifetime];

    fn shared(whole: &[Limit], sets: &mut RuleSets) -> LimitSet {
        let mut set = LimitSet::whole(whole.into());
        set.share(sets);
        set
    }

    #[test]
    fn owners_of_the_same_rules_share_them_and_keep_counters_of_their_own() {
        let mut sets = RuleSets::default();
        let (one, other) = (limits(&WINDOWS, &[1, 0, 2, 3], 5), limits(&WINDOWS, &[4, 0, 5, 6], 7));
        let (first, second) = (shared(&one, &mut sets), shared(&other, &mut sets));
        let (LimitSet::Shared { rules, counters, .. }, LimitSet::Shared { rules: same, .. }) =
            (&first, &second)
        else {
            panic!("they fit");
        };
        assert!(Arc::ptr_eq(rules, same));
        assert_eq!((counters.len(), size_of::<Counter>()), (3, 14), "what counts nothing takes no counter");
        assert!(first.limits().eq(one.iter().copied()) && second.limits().eq(other.iter().copied()));
    }

    #[test]
    fn what_does_not_fit_stays_whole_until_it_does() {
        let mut sets = RuleSets::default();
        let whole = limits(&WINDOWS, &[1, 0, 2, 3], 5);
        let is_shared = |limits: &[Limit], sets: &mut RuleSets| {
            let set = shared(limits, sets);
            assert!(set.limits().eq(limits.iter().copied()));
            matches!(set, LimitSet::Shared { .. })
        };
        let with = |change: fn(&mut Limit)| {
            let mut limits = whole.clone();
            change(&mut limits[2]);
            limits
        };
        assert!(is_shared(&whole, &mut sets));
        assert!(!is_shared(&with(|limit| limit.after = TransactionNo(6)), &mut sets));
        assert!(!is_shared(&with(|limit| limit.next = Some((limit.zone, 20_001))), &mut sets));
        assert!(!is_shared(&with(|limit| limit.used_amount = i128::from(i64::MAX) + 1), &mut sets));
        assert!(!is_shared(&with(|limit| limit.current = i64::MAX), &mut sets));
        assert!(!is_shared(&with(|limit| limit.amount_max = Some(i128::MAX)), &mut sets));
        assert!(!is_shared(&[], &mut sets));
    }

    #[test]
    fn sets_that_were_not_used_for_long_are_let_go() {
        let mut sets = RuleSets::default();
        for max in 0..1_000 {
            let mut whole = limits(&WINDOWS, &[1, 0, 2, 3], 5);
            whole[0].amount_max = Some(max);
            shared(&whole, &mut sets);
            assert!(sets.0.len() <= SETS_MAX);
        }
    }

    proptest! {
        #[test]
        fn what_outgrows_a_counter_goes_on_as_if_it_never_had_one(
            amounts in prop::collection::vec(prop_oneof![Just(i64::MAX - 5), 0_i64..100], 4),
            steps in prop::collection::vec((0_i128..4, any::<bool>()), 0..12),
        ) {
            let amounts: Vec<i128> = amounts.into_iter().map(i128::from).collect();
            let whole = limits(&WINDOWS, &amounts, 5);
            let mut sets = RuleSets::default();
            let (mut plain, mut set) = (LimitSet::whole(whole.clone()), shared(&whole, &mut sets));
            for (amount, back) in steps {
                let change = |limit: &mut Limit| limit.used_amount += if back { -amount } else { amount };
                plain.change(change);
                set.change(change);
                prop_assert_eq!(&plain, &set);
                set.share(&mut sets);
                prop_assert_eq!(&plain, &set);
            }
        }

        #[test]
        fn counters_are_charged_and_found_to_have_room_as_whole_limits_are(
            amounts in prop::collection::vec(prop_oneof![Just(i64::MAX - 60), 0_i64..100], 4),
            steps in prop::collection::vec((0_i128..70, -40_i64..80, any::<bool>()), 1..20),
        ) {
            let mut calendar = Calendar::default();
            calendar.zone(ZoneName::new("UTC").unwrap()).unwrap();
            let amounts: Vec<i128> = amounts.into_iter().map(i128::from).collect();
            let whole = limits(&WINDOWS, &amounts, 5);
            let mut sets = RuleSets::default();
            let (mut plain, mut set) = (LimitSet::whole(whole.clone()), shared(&whole, &mut sets));
            // Day 20,000 is the one that the limits begin in; the clock may be set back.
            let mut hours = 20_000 * 24;
            for (amount, later, huge) in steps {
                hours += later;
                let at = Timestamp::from_seconds(hours * 3_600);
                let amount = if huge { amount + i128::from(i64::MAX) } else { amount };
                let fits = plain.limits().all(|limit| {
                    let used = limit.used_at(&calendar, at).amount;
                    limit.amount_max.is_none_or(|max| used.saturating_add(amount) <= max)
                });
                let sure = set.has_room_for(amount, &calendar, at);
                prop_assert!(fits || !sure, "a limit is broken that was said to have room");
                prop_assert!(sure == fits || huge || matches!(set, LimitSet::Whole(_)));
                plain.charge(Usage { amount, count: 1 }, &calendar, at);
                set.charge(Usage { amount, count: 1 }, &calendar, at);
                prop_assert_eq!(&plain, &set);
                set.share(&mut sets);
            }
        }
    }
}
