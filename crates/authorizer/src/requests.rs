//! Idempotency keys that the product has used, and what was booked under each.

use crate::lookup::{Fingerprint, Lookup};
use domain::{AccountNo, PostingKind, RequestKey, Timestamp, Units};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What was booked: on which account, in or out, how much.
pub(crate) type Posting = (AccountNo, PostingKind, Units);

/// Keys that were used, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    oldest_first: VecDeque<Used>,
    /// By key: how many keys came before it, of all that ever were; the low 32 bits of that.
    by_key: Lookup,
    /// Sums beyond 64 bits, by the same numbers.
    wide: BTreeMap<u32, Units>,
    forgotten: u32,
}

/// A key as it lies in memory, in 40 bytes: most cards were funded with one of late.
#[derive(Clone, Debug)]
struct Used {
    at: Timestamp,
    key: RequestKey,
    units: Narrow,
    account: AccountNo,
    kind: PostingKind,
}

/// A sum of 64 bits; the least of them says that the sum lies apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Narrow(i64);

impl Narrow {
    const APART: Self = Self(i64::MIN);

    fn of(units: Units) -> Self {
        i64::try_from(units.0).map_or(Self::APART, Self)
    }
}

impl Requests {
    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.oldest_first.len()
    }

    /// What was booked under a key.
    pub(crate) fn find(&self, key: &RequestKey) -> Option<Posting> {
        let number = self.number_of(key)?;
        self.oldest_first.get(self.place(number)).map(|used| self.posting(number, used))
    }

    /// What was booked under which key and when, oldest first.
    pub(crate) fn oldest_first(&self) -> impl Iterator<Item = (RequestKey, Timestamp, Posting)> {
        self.oldest_first.iter().enumerate().map(|(place, used)| {
            let number = self.forgotten.wrapping_add(u32::try_from(place).unwrap_or(u32::MAX));
            (used.key, used.at, self.posting(number, used))
        })
    }

    /// Remembers a posting under its key.
    pub(crate) fn remember(&mut self, key: RequestKey, at: Timestamp, posting: Posting) {
        let (account, kind, sum) = posting;
        let units = Narrow::of(sum);
        let known = self.number_of(&key);
        let ahead = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let number = known.unwrap_or_else(|| self.forgotten.wrapping_add(ahead));
        if units == Narrow::APART {
            self.wide.insert(number, sum);
        } else {
            self.wide.remove(&number);
        }
        if known.is_none() {
            self.by_key.insert(Fingerprint::of(key), number);
            self.oldest_first.push_back(Used { at, key, units, account, kind });
            return;
        }
        let place = self.place(number);
        if let Some(used) = self.oldest_first.get_mut(place) {
            *used = Used { at: used.at, key, units, account, kind };
        }
    }

    /// Forgets the oldest above `max`, and those that are older than `keep_for`.
    pub(crate) fn forget(&mut self, now: Timestamp, max: usize, keep_for: Duration) {
        while let Some(oldest) = self.oldest_first.front() {
            if self.len() <= max.max(1) && now.since(oldest.at) <= keep_for {
                break;
            }
            self.by_key.remove(Fingerprint::of(oldest.key), self.forgotten);
            self.wide.remove(&self.forgotten);
            self.oldest_first.pop_front();
            self.forgotten = self.forgotten.wrapping_add(1);
        }
    }

    fn number_of(&self, key: &RequestKey) -> Option<u32> {
        let is_it = |number| self.oldest_first.get(self.place(number)).is_some_and(|used| used.key == *key);
        self.by_key.find(Fingerprint::of(key), is_it)
    }

    fn posting(&self, number: u32, used: &Used) -> Posting {
        let wide = || self.wide.get(&number).copied().unwrap_or_default();
        let units = if used.units == Narrow::APART { wide() } else { Units(used.units.0.into()) };
        (used.account, used.kind, units)
    }

    fn place(&self, number: u32) -> usize {
        usize::try_from(number.wrapping_sub(self.forgotten)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> RequestKey {
        RequestKey([number; 16])
    }

    fn booked(units: i128) -> Posting {
        (AccountNo(1), PostingKind::Credit, Units(units))
    }

    #[test]
    fn a_sum_comes_back_whether_it_is_narrow_or_wide() {
        let mut requests = Requests::default();
        let edges = [0, i64::MAX.into(), i64::MIN.into(), i128::from(i64::MIN) + 1, 1 << 100, -(1 << 100)];
        for (number, units) in (0..).zip(edges) {
            requests.remember(key(number), Timestamp::default(), booked(units));
        }
        for (number, units) in (0..).zip(edges) {
            assert_eq!(requests.find(&key(number)), Some(booked(units)));
        }
        assert!(requests.oldest_first().map(|(_, _, posting)| posting).eq(edges.map(booked)));
        requests.remember(key(4), Timestamp::default(), booked(7));
        assert_eq!((requests.find(&key(4)), requests.wide.len()), (Some(booked(7)), 2));
        requests.forget(Timestamp::from_seconds(9), 1, Duration::ZERO);
        assert_eq!((requests.len(), requests.wide.len()), (0, 0), "what lies apart is forgotten too");
        assert_eq!(size_of::<Used>(), 40);
    }

    #[test]
    fn a_key_is_known_until_it_is_old_or_one_too_many() {
        let hour = Duration::from_secs(3_600);
        // Where the count of forgotten keys runs over is a place like any other.
        let mut requests = Requests { forgotten: u32::MAX - 1, ..Requests::default() };
        for number in 0..5 {
            let at = Timestamp::from_seconds(i64::from(number) * 1_000);
            requests.remember(key(number), at, booked(number.into()));
            requests.forget(at, 4, hour);
        }
        assert_eq!(requests.find(&key(0)), None, "four are kept");
        assert_eq!(requests.find(&key(1)), Some(booked(1)));
        requests.forget(Timestamp::from_seconds(2_000 + 3_601), 4, hour);
        assert_eq!((requests.find(&key(2)), requests.find(&key(3))), (None, Some(booked(3))));
        assert_eq!(requests.oldest_first().map(|(found, _, _)| found).collect::<Vec<_>>(), [key(3), key(4)]);
        requests.remember(key(4), Timestamp::from_seconds(9_000), booked(44));
        assert_eq!((requests.find(&key(4)), requests.len()), (Some(booked(44)), 2));
    }
}
