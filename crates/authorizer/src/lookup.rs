//! Finds the place of a row by the hash of what the row holds.
//!
//! An entry is a part of the hash and a place. The key stands in the row and is compared there: what is looked up is
//! read next anyway, and a copy of every key would be larger than both. Because entries keep their hash, growing reads
//! no row; because there are several tables, each grows by itself, and no decision waits for all of them.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::{BuildHasher, Hash};

/// Tables of one lookup.
const TABLES: usize = 16;

/// Keys are references of a trusted processor and replay must not depend on a seed, so the hash has none.
const HASH: FixedState = FixedState::with_seed(0);

/// A part of the hash of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Fingerprint(u32);

impl Fingerprint {
    /// Of a key.
    pub(crate) fn of(key: impl Hash) -> Self {
        let hash = HASH.hash_one(key);
        // Each half mixes all of the key.
        Self(u32::try_from(hash >> 32).unwrap_or_default())
    }

    /// Spread over 64 bits again: a table takes the place from the lower bits and a tag from the upper ones.
    fn spread(self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// By the upper bits, so that in each table the lower ones still differ.
    fn table(self) -> usize {
        usize::try_from(self.0 >> (u32::BITS - TABLES.trailing_zeros())).unwrap_or_default()
    }
}

/// Places of rows by the fingerprints of their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lookup {
    tables: [HashTable<(Fingerprint, u32)>; TABLES],
    len: usize,
}

impl Lookup {
    /// How many places are entered.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The place with this fingerprint that `is_it` says yes to.
    pub(crate) fn find(&self, fingerprint: Fingerprint, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let table = self.tables.get(fingerprint.table())?;
        let found = table.find(fingerprint.spread(), |(of, place)| *of == fingerprint && is_it(*place));
        found.map(|(_, place)| *place)
    }

    /// Enters a place. The caller has looked whether its key is there already.
    pub(crate) fn insert(&mut self, fingerprint: Fingerprint, place: u32) {
        if let Some(table) = self.tables.get_mut(fingerprint.table()) {
            table.insert_unique(fingerprint.spread(), (fingerprint, place), |(of, _)| of.spread());
            self.len += 1;
        }
    }

    /// The place with this fingerprint that `is_it` says yes to; `place` is entered where there is none.
    pub(crate) fn find_or_insert(
        &mut self,
        fingerprint: Fingerprint,
        is_it: impl Fn(u32) -> bool,
        place: u32,
    ) -> Option<u32> {
        let table = self.tables.get_mut(fingerprint.table())?;
        let same = |(of, place): &(Fingerprint, u32)| *of == fingerprint && is_it(*place);
        match table.entry(fingerprint.spread(), same, |(of, _)| of.spread()) {
            Entry::Occupied(found) => Some(found.get().1),
            Entry::Vacant(room) => {
                room.insert((fingerprint, place));
                self.len += 1;
                None
            }
        }
    }

    /// Lets a key that is found at `before` be found at `after`.
    pub(crate) fn replace(&mut self, fingerprint: Fingerprint, before: u32, after: u32) {
        let Some(table) = self.tables.get_mut(fingerprint.table()) else { return };
        let entry = table.find_mut(fingerprint.spread(), |entry| *entry == (fingerprint, before));
        if let Some((_, place)) = entry {
            *place = after;
        }
    }

    /// Takes a place out.
    pub(crate) fn remove(&mut self, fingerprint: Fingerprint, place: u32) {
        let Some(table) = self.tables.get_mut(fingerprint.table()) else { return };
        if let Ok(entry) = table.find_entry(fingerprint.spread(), |entry| *entry == (fingerprint, place)) {
            entry.remove();
            self.len -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_it_was_entered_until_it_is_taken_out() {
        let keys: Vec<u64> = (0..5_000).map(|number| number * 977).collect();
        let mut lookup = Lookup::default();
        let find = |lookup: &Lookup, key: u64| {
            lookup.find(Fingerprint::of(key), |place| keys.get(place as usize) == Some(&key))
        };
        for (place, key) in (0..).zip(&keys) {
            assert_eq!(find(&lookup, *key), None);
            lookup.insert(Fingerprint::of(*key), place);
        }
        for (place, key) in (5_000..).zip([keys[3], 1]) {
            let is_it = |place| keys.get(place as usize).map_or(key == 1, |kept| *kept == key);
            let found = lookup.find_or_insert(Fingerprint::of(key), is_it, place);
            assert_eq!(found, (key != 1).then_some(3), "what is there stays where it is");
            assert_eq!(lookup.find(Fingerprint::of(key), is_it), found.or(Some(place)));
        }
        lookup.remove(Fingerprint::of(1_u64), 5_001);
        for (place, key) in (0..).zip(&keys).step_by(2) {
            lookup.remove(Fingerprint::of(*key), place);
        }
        for (place, key) in (0..).zip(&keys) {
            assert_eq!(find(&lookup, *key), (place % 2 == 1).then_some(place));
        }
        assert_eq!(lookup.len(), 2_500);
        let key = keys[7];
        lookup.replace(Fingerprint::of(key), 7, 8);
        assert_eq!(lookup.find(Fingerprint::of(key), |_| true), Some(8));
    }

    #[test]
    fn keys_spread_over_all_tables() {
        let mut lookup = Lookup::default();
        (0..16_000_u32).for_each(|key| lookup.insert(Fingerprint::of(u64::from(key)), key));
        assert!(lookup.tables.iter().all(|table| (800..1_200).contains(&table.len())));
    }
}
