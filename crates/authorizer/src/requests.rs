//! Idempotency keys that the product has used, and what was booked under each.

use crate::lookup::{Fingerprint, Lookup};
use domain::{AccountNo, PostingKind, RequestKey, Timestamp, Units};
use std::collections::VecDeque;
use std::time::Duration;

/// What was booked: on which account, in or out, how much.
pub(crate) type Posting = (AccountNo, PostingKind, Units);

/// Keys that were used, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    oldest_first: VecDeque<(Timestamp, RequestKey, Posting)>,
    /// By key: how many keys came before it, of all that ever were; the low 32 bits of that.
    by_key: Lookup,
    forgotten: u32,
}

impl Requests {
    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.oldest_first.len()
    }

    /// What was booked under a key.
    pub(crate) fn find(&self, key: &RequestKey) -> Option<Posting> {
        let number = self.number_of(key)?;
        self.oldest_first.get(self.place(number)).map(|(_, _, posting)| *posting)
    }

    /// What was booked under which key and when, oldest first.
    pub(crate) fn oldest_first(&self) -> impl Iterator<Item = (RequestKey, Timestamp, Posting)> {
        self.oldest_first.iter().map(|(at, key, posting)| (*key, *at, *posting))
    }

    /// Remembers a posting under its key.
    pub(crate) fn remember(&mut self, key: RequestKey, at: Timestamp, posting: Posting) {
        if let Some(number) = self.number_of(&key) {
            let place = self.place(number);
            if let Some((_, _, known)) = self.oldest_first.get_mut(place) {
                *known = posting;
            }
            return;
        }
        let ahead = u32::try_from(self.len()).unwrap_or(u32::MAX);
        self.by_key.insert(Fingerprint::of(key), self.forgotten.wrapping_add(ahead));
        self.oldest_first.push_back((at, key, posting));
    }

    /// Forgets the oldest above `max`, and those that are older than `keep_for`.
    pub(crate) fn forget(&mut self, now: Timestamp, max: usize, keep_for: Duration) {
        while let Some((at, key, _)) = self.oldest_first.front().copied() {
            if self.len() <= max.max(1) && now.since(at) <= keep_for {
                break;
            }
            self.by_key.remove(Fingerprint::of(key), self.forgotten);
            self.oldest_first.pop_front();
            self.forgotten = self.forgotten.wrapping_add(1);
        }
    }

    fn number_of(&self, key: &RequestKey) -> Option<u32> {
        let is_it =
            |number| self.oldest_first.get(self.place(number)).is_some_and(|(_, known, _)| known == key);
        self.by_key.find(Fingerprint::of(key), is_it)
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
