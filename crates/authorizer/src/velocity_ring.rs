//! What a card or an account has done of late: a bounded ring of buckets, folded from facts.
//!
//! A bucket begins as one transaction, with everything that a rule's conditions may ask about. So the ring knows no
//! rule, and replaying old facts consults none; only how far back it reaches follows the longest window in force.
//! When the ring is full its two oldest buckets become one that lives as long as the younger and is counted whole.
//! Counting errs outwards only: what is counted is never less than what happened (E28).
//!
//! Time is the transaction's number, which is a clock reading that only rises: a clock that is set back opens no
//! window again. What no rule in force can look back to is dropped; where none looks back, nothing is kept.
//!
//! What is given back (E30): an approval's money whenever what it owes falls, and its count when nothing is left of
//! it: reversed, expired, released, or the ask ended without money. An attempt stays an attempt. A bucket of several
//! transactions gives nothing back.

use domain::{
    Authorization, CountryCode, Initiator, Mcc, Presence, Timestamp, TransactionNo, TransactionType,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a rule's conditions may ask about a transaction, now and later.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Traits {
    pub(crate) kind: TransactionType,
    pub(crate) mcc: Option<Mcc>,
    pub(crate) country: Option<CountryCode>,
    pub(crate) presence: Presence,
    pub(crate) initiator: Initiator,
    /// The first two digits of DE 22.
    pub(crate) entry_mode: Option<u16>,
    /// Posted without an authorization.
    pub(crate) forced: bool,
}

impl Traits {
    pub(crate) fn of(request: &Authorization) -> Self {
        Self {
            kind: request.transaction_type(),
            mcc: request.merchant.mcc,
            country: request.merchant.country,
            presence: request.details.presence,
            initiator: request.details.initiator,
            entry_mode: request.entry_mode.map(|mode| mode.0 / 10),
            forced: false,
        }
    }
}

/// Transactions that are counted together.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Bucket {
    /// The newest one; its number is its time.
    newest: TransactionNo,
    /// Money approved and not given back: minor units of the card's currency, or units of the account's asset.
    pub(crate) amount: i128,
    pub(crate) approvals: u32,
    pub(crate) attempts: u32,
    /// `None` where the transactions differ: it then counts for every rule.
    pub(crate) traits: Option<Traits>,
    /// Whether it stands for several transactions.
    merged: bool,
}

impl Bucket {
    /// An attempt that was approved, or is reserved for.
    pub(crate) const fn approval(number: TransactionNo, amount: i128, traits: Traits) -> Self {
        Self { newest: number, amount, approvals: 1, attempts: 1, traits: Some(traits), merged: false }
    }

    /// An attempt that came to nothing.
    pub(crate) const fn attempt(number: TransactionNo, traits: Traits) -> Self {
        Self { newest: number, amount: 0, approvals: 0, attempts: 1, traits: Some(traits), merged: false }
    }

    /// More money for a transaction that was counted before: an increment, or what a clearing took beyond its hold.
    pub(crate) const fn more(number: TransactionNo, amount: i128, traits: Traits) -> Self {
        Self { newest: number, amount, approvals: 0, attempts: 0, traits: Some(traits), merged: false }
    }

    fn at(&self) -> Timestamp {
        time_of(self.newest)
    }

    /// This bucket and a younger one as one.
    fn merged_into(self, younger: Self) -> Self {
        Self {
            newest: younger.newest,
            amount: self.amount.saturating_add(younger.amount),
            approvals: self.approvals.saturating_add(younger.approvals),
            attempts: self.attempts.saturating_add(younger.attempts),
            traits: self.traits.filter(|traits| younger.traits == Some(*traits)),
            merged: true,
        }
    }
}

/// The recent past of one card or account, oldest first.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Ring {
    buckets: Vec<Bucket>,
}

impl Ring {
    /// Counts a bucket, drops what is older than `horizon`, and keeps `max` buckets at most.
    pub(crate) fn count(&mut self, bucket: Bucket, horizon: Duration, max: usize) {
        let now = bucket.at();
        let old = self.buckets.iter().take_while(|old| now.since(old.at()) >= horizon).count();
        self.buckets.drain(..old);
        if self.buckets.len() >= max.max(2)
            && let [oldest, next, ..] = self.buckets.as_slice()
        {
            let merged = oldest.merged_into(*next);
            self.buckets.remove(0);
            if let Some(first) = self.buckets.first_mut() {
                *first = merged;
            }
        }
        self.buckets.push(bucket);
    }

    /// Gives back `amount` of the transaction `number`, and its count where `whole`.
    pub(crate) fn give_back(&mut self, number: TransactionNo, amount: i128, whole: bool) {
        let alone = |bucket: &&mut Bucket| bucket.newest == number && !bucket.merged;
        if let Some(bucket) = self.buckets.iter_mut().rev().find(alone) {
            bucket.amount = bucket.amount.saturating_sub(amount).max(0);
            if whole {
                bucket.approvals = 0;
            }
        }
    }

    /// The buckets in which something happened less than `over` before `now`.
    pub(crate) fn within(&self, over: Duration, now: Timestamp) -> impl Iterator<Item = &Bucket> {
        self.buckets.iter().rev().take_while(move |bucket| now.since(bucket.at()) < over)
    }

    /// Whether nothing in it can be counted any more.
    pub(crate) fn is_over(&self, horizon: Duration, now: Timestamp) -> bool {
        self.buckets.last().is_none_or(|newest| now.since(newest.at()) >= horizon)
    }
}

/// The time that a number stands for.
pub(crate) fn time_of(number: TransactionNo) -> Timestamp {
    i64::try_from(number.0).map_or(Timestamp::MAX, Timestamp::from_micros)
}

/// The countries that a card was used in, the latest first. The eight latest are enough for anybody who may be called
/// at home there; one that was forgotten is new again, which errs on the careful side. Code 0 is no country.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Countries([CountryCode; 8]);

impl Default for Countries {
    fn default() -> Self {
        Self([NO_COUNTRY; 8])
    }
}

impl Countries {
    /// One country, or none.
    pub(crate) fn only(country: CountryCode) -> Self {
        let mut countries = Self::default();
        if let Some(first) = countries.0.first_mut() {
            *first = country;
        }
        countries
    }

    /// The country that `only` would make this of; `None` where there are several.
    pub(crate) fn one(&self) -> Option<CountryCode> {
        self.0.first().copied().filter(|first| *self == Self::only(*first))
    }

    /// Whether the card was used, and never here.
    pub(crate) fn is_new(&self, country: CountryCode) -> bool {
        self.0.first().is_some_and(|first| *first != NO_COUNTRY) && !self.0.contains(&country)
    }

    /// Whether the card was used here last.
    pub(crate) fn is_latest(&self, country: CountryCode) -> bool {
        self.0.first() == Some(&country)
    }

    /// Notes that the card was used here.
    pub(crate) fn note(&mut self, country: CountryCode) {
        let last = self.0.len() - 1;
        let place = self.0.iter().position(|known| *known == country).unwrap_or(last);
        if let Some(older) = self.0.get_mut(..=place) {
            older.rotate_right(1);
        }
        if let Some(first) = self.0.first_mut() {
            *first = country;
        }
    }
}

/// Stands where a card was used nowhere yet.
pub(crate) const NO_COUNTRY: CountryCode = CountryCode(0);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn traits(mcc: u16) -> Traits {
        Traits {
            kind: TransactionType::Purchase,
            mcc: Some(Mcc(mcc)),
            country: None,
            presence: Presence::Unknown,
            initiator: Initiator::Cardholder,
            entry_mode: None,
            forced: false,
        }
    }

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Amount and approvals of the last hour, among those with this category.
    fn counted(ring: &Ring, mcc: u16, now: Timestamp) -> (i128, u32) {
        let meant = |bucket: &&Bucket| bucket.traits.is_none_or(|found| found.mcc == Some(Mcc(mcc)));
        ring.within(HOUR, now)
            .filter(meant)
            .fold((0, 0), |(amount, count), bucket| (amount + bucket.amount, count + bucket.approvals))
    }

    proptest! {
        #[test]
        fn a_full_ring_counts_too_much_at_most_and_a_ring_with_room_counts_exactly(
            steps in prop::collection::vec((1_u64..1_500, 1_i128..100, 0_u16..3, any::<bool>()), 1..60),
            max in 2_usize..20,
        ) {
            let mut ring = Ring::default();
            let mut list: Vec<(u64, i128, u16)> = Vec::new();
            let mut seconds = 0;
            for (later, amount, mcc, given_back) in steps {
                seconds += later;
                let number = TransactionNo(seconds * 1_000_000);
                ring.count(Bucket::approval(number, amount, traits(mcc)), HOUR, max);
                list.push((seconds, amount, mcc));
                prop_assert!(ring.buckets.len() <= max);
                if given_back && let Some(index) = list.len().checked_sub(2) {
                    let (at, amount, _) = list[index];
                    ring.give_back(TransactionNo(at * 1_000_000), amount, true);
                    list.remove(index);
                }
                let now = time_of(number);
                for mcc in 0..3 {
                    let happened = list.iter().filter(|(at, _, found)| seconds - at < 3_600 && *found == mcc);
                    let exact = happened.fold((0, 0), |(sum, count), (_, amount, _)| (sum + amount, count + 1));
                    let found = counted(&ring, mcc, now);
                    prop_assert!(found.0 >= exact.0 && found.1 >= exact.1, "{found:?} counts less than {exact:?}");
                    if ring.buckets.iter().all(|bucket| !bucket.merged) {
                        prop_assert_eq!(found, exact);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_as_old_as_the_window_is_out_of_it() {
        let mut ring = Ring::default();
        ring.count(Bucket::approval(TransactionNo(0), 5, traits(1)), HOUR, 8);
        assert_eq!(counted(&ring, 1, Timestamp::from_micros(3_599_999_999)), (5, 1));
        assert_eq!(counted(&ring, 1, Timestamp::from_seconds(3_600)), (0, 0));
        assert!(ring.is_over(HOUR, Timestamp::from_seconds(3_600)));
    }

    #[test]
    fn a_part_that_is_given_back_leaves_the_count_and_the_attempt_always_stays() {
        let mut ring = Ring::default();
        ring.count(Bucket::approval(TransactionNo(7), 50, traits(1)), HOUR, 8);
        ring.give_back(TransactionNo(7), 20, false);
        assert_eq!(counted(&ring, 1, Timestamp::from_seconds(1)), (30, 1));
        ring.give_back(TransactionNo(7), 30, true);
        assert_eq!(counted(&ring, 1, Timestamp::from_seconds(1)), (0, 0));
        assert_eq!(ring.buckets[0].attempts, 1);
    }

    #[test]
    fn a_country_is_new_after_another_one_and_the_ninth_is_forgotten() {
        let mut countries = Countries::default();
        assert!(!countries.is_new(CountryCode(276)), "the first use makes a home");
        countries.note(CountryCode(276));
        assert!(countries.is_new(CountryCode(840)) && !countries.is_new(CountryCode(276)));
        for code in 1..=7 {
            countries.note(CountryCode(code));
        }
        countries.note(CountryCode(276));
        countries.note(CountryCode(8));
        assert!(!countries.is_new(CountryCode(276)), "it was used a moment ago");
        assert!(countries.is_new(CountryCode(1)), "the one longest ago is forgotten");
    }

    #[test]
    fn rows_stay_small() {
        assert!(size_of::<Bucket>() <= 64, "{}", size_of::<Bucket>());
        assert_eq!(size_of::<Countries>(), 16);
    }
}
