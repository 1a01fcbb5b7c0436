//! What is due when, in order: the ends of holds.
//!
//! Most holds end later than all before them, or than all of their kind: seven days from now, thirty days from now. A
//! tree with nodes of a fixed size is left half empty by that; here a full leaf that is appended to stays full, and the
//! entry begins the next one. Leaves that have become small are joined, so that what ended early leaves no room behind.

use domain::{Timestamp, TransactionNo};

/// Entries of a leaf: 4 KiB.
const LEAF: usize = 256;

/// When, and what.
type Entry = (Timestamp, TransactionNo);

/// Entries in order, in leaves of which none is empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Due {
    leaves: Vec<Vec<Entry>>,
    len: usize,
}

impl Due {
    /// How many entries there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// All entries, soonest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> {
        self.leaves.iter().flatten().copied()
    }

    /// Enters an entry, if it is not there yet.
    pub(crate) fn insert(&mut self, entry: Entry) {
        if let Some(leaf) = self.leaves.last_mut()
            && leaf.len() < LEAF
            && leaf.last().is_some_and(|last| *last < entry)
        {
            // Later than all, as most are where holds last equally long.
            leaf.push(entry);
            self.len += 1;
            return;
        }
        let place = self.leaf_of(entry);
        let Some(leaf) = self.leaves.get_mut(place) else {
            self.begin(place, vec![entry]);
            self.len += 1;
            return;
        };
        let Err(at) = leaf.binary_search(&entry) else { return };
        if leaf.len() < LEAF {
            leaf.insert(at, entry);
        } else if at == leaf.len() {
            self.begin(place + 1, vec![entry]);
        } else {
            // What comes next will most often stand behind this one, so the leaf is cut here, unless little of it would
            // be left.
            let upper = leaf.split_off(if at < LEAF / 4 { LEAF / 2 } else { at });
            leaf.insert(at, entry);
            self.begin(place + 1, upper);
        }
        self.len += 1;
    }

    /// Takes an entry out, if it is there.
    pub(crate) fn remove(&mut self, entry: Entry) {
        let place = self.leaf_of(entry);
        let Some(leaf) = self.leaves.get_mut(place) else { return };
        let Ok(at) = leaf.binary_search(&entry) else { return };
        leaf.remove(at);
        self.len -= 1;
        let left = leaf.len();
        if left == 0 {
            self.leaves.remove(place);
        } else if left <= LEAF / 4 {
            self.join(place);
            self.join(place.saturating_sub(1));
        }
    }

    /// The leaf that an entry is in, or would be.
    fn leaf_of(&self, entry: Entry) -> usize {
        let behind = self.leaves.partition_point(|leaf| leaf.first().is_some_and(|first| *first <= entry));
        behind.saturating_sub(1)
    }

    fn begin(&mut self, place: usize, mut leaf: Vec<Entry>) {
        leaf.reserve_exact(LEAF - leaf.len());
        self.leaves.insert(place, leaf);
    }

    /// Makes one leaf of two neighbours, where that leaves half of it free.
    fn join(&mut self, place: usize) {
        let Some([leaf, next]) = self.leaves.get_mut(place..place + 2) else { return };
        if leaf.len() + next.len() <= LEAF / 2 {
            leaf.append(next);
            self.leaves.remove(place + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn entry(seconds: i64, number: u64) -> Entry {
        (Timestamp::from_seconds(seconds), TransactionNo(number))
    }

    #[test]
    fn holds_of_two_lengths_leave_no_leaf_half_empty() {
        let mut due = Due::default();
        for number in 0..20_000_u64 {
            let days = if number % 3 == 0 { 30 } else { 7 };
            due.insert(entry(days * 86_400 + number.cast_signed(), number));
        }
        assert_eq!(due.len(), 20_000);
        assert!(due.leaves.len() <= 20_000 / LEAF + 4, "{} leaves", due.leaves.len());
        // Nearly all end early; what is left takes no more room than it needs.
        for number in (0..20_000_u64).filter(|number| number % 50 != 0) {
            let days = if number % 3 == 0 { 30 } else { 7 };
            due.remove(entry(days * 86_400 + number.cast_signed(), number));
        }
        assert_eq!(due.len(), 400);
        assert!(due.leaves.len() <= 400 / (LEAF / 4) + 2, "{} leaves", due.leaves.len());
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_sorted_set(
            steps in prop::collection::vec((any::<bool>(), 0_i64..40, 0_u64..40), 1..3_000),
        ) {
            let (mut due, mut set) = (Due::default(), BTreeSet::new());
            for (enters, seconds, number) in steps {
                let entry = entry(seconds, number);
                if enters {
                    due.insert(entry);
                    set.insert(entry);
                } else {
                    due.remove(entry);
                    set.remove(&entry);
                }
                prop_assert_eq!(due.len(), set.len());
            }
            prop_assert!(due.iter().eq(set.iter().copied()));
            prop_assert!(due.leaves.iter().all(|leaf| !leaf.is_empty() && leaf.len() <= LEAF));
        }
    }
}
