//! The shards while they are rebuilt: restored as a whole or fact by fact; no rule is run.
//!
//! [`Recovering::split`] hands the shards out to as many threads as there may be, because no fact of one shard
//! depends on another, and [`Recovering::join`] brings them together again. The index is shared by all of them.

use crate::index::Index;
use authorizer::{ApplyError, Policy, Shard};
use domain::{Fact, RateTable, ShardId, Timestamp};
use std::sync::Arc;

/// All shards, the index and the rates, being rebuilt.
#[derive(Debug)]
pub struct Recovering {
    pub(crate) shards: Vec<Shard>,
    pub(crate) index: Arc<Index>,
    pub(crate) rates: RateTable,
}

/// Some of the shards: every one whose number leaves the same rest.
#[derive(Debug)]
pub struct RecoveringPart {
    place: usize,
    parts: usize,
    shards: Vec<Shard>,
    index: Arc<Index>,
    /// Those that facts of these shards have set; the first part begins with all that there were.
    rates: RateTable,
}

impl Recovering {
    /// Empty shards, and an index with room for so many cards and accounts.
    #[must_use]
    pub fn new(policy: Policy, cards: usize, accounts: usize) -> Self {
        let shards = (0..ShardId::COUNT).map(|id| Shard::new(ShardId(id), policy.clone())).collect();
        Self { shards, index: Arc::new(Index::with_room(cards, accounts)), rates: RateTable::default() }
    }

    /// Puts a restored shard in place, and the rates that came with it. Its names are learned apart from this; see
    /// [`Index::learn_shards`].
    pub fn put(&mut self, shard: Shard, rates: Option<RateTable>) {
        if let Some(place) = self.shards.get_mut(usize::from(shard.id().0)) {
            *place = shard;
        }
        self.rates = rates.unwrap_or_else(|| std::mem::take(&mut self.rates));
    }

    /// Makes a fact of `shard` true that was recorded at `at`.
    pub fn apply(&mut self, shard: ShardId, at: Timestamp, fact: &Fact) -> Result<(), ApplyError> {
        let owner = self.shards.get_mut(usize::from(shard.0));
        make_true(owner, shard, at, fact, &self.index, &mut self.rates)
    }

    /// Hands the shards out in `parts`. A fact of shard `s` belongs to part `s % parts`.
    #[must_use]
    pub fn split(self, parts: usize) -> Vec<RecoveringPart> {
        let parts = parts.max(1);
        let mut split: Vec<RecoveringPart> = (0..parts)
            .map(|place| RecoveringPart {
                place,
                parts,
                shards: Vec::new(),
                index: Arc::clone(&self.index),
                rates: RateTable::default(),
            })
            .collect();
        for shard in self.shards {
            if let Some(part) = split.get_mut(usize::from(shard.id().0) % parts) {
                part.shards.push(shard);
            }
        }
        if let Some(first) = split.first_mut() {
            first.rates = self.rates;
        }
        split
    }

    /// Brings all parts of one split together again.
    #[must_use]
    pub fn join(parts: Vec<RecoveringPart>) -> Self {
        let index =
            parts.first().map_or_else(|| Arc::new(Index::with_room(0, 0)), |part| Arc::clone(&part.index));
        let mut state = Self { shards: Vec::new(), index, rates: RateTable::default() };
        for part in parts {
            state.shards.extend(part.shards);
            part.rates.iter().for_each(|rate| state.rates.set(*rate));
        }
        state.shards.sort_by_key(Shard::id);
        state
    }

    /// The index, which goes on being used by the cache.
    #[must_use]
    pub fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index)
    }

    /// The rates in force.
    #[must_use]
    pub const fn rates(&self) -> &RateTable {
        &self.rates
    }

    /// The shards, for whoever checks the books before traffic starts.
    pub fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter()
    }
}

impl RecoveringPart {
    /// Makes a fact of `shard` true that was recorded at `at`. A fact of another part's shard changes nothing.
    pub fn apply(&mut self, shard: ShardId, at: Timestamp, fact: &Fact) -> Result<(), ApplyError> {
        let number = usize::from(shard.0);
        if number % self.parts != self.place {
            return Ok(());
        }
        let owner = self.shards.get_mut(number / self.parts);
        make_true(owner, shard, at, fact, &self.index, &mut self.rates)
    }
}

fn make_true(
    owner: Option<&mut Shard>,
    shard: ShardId,
    at: Timestamp,
    fact: &Fact,
    index: &Index,
    rates: &mut RateTable,
) -> Result<(), ApplyError> {
    if let Some(owner) = owner {
        owner.apply(fact, at)?;
    }
    index.learn(shard, fact);
    if let Fact::RateSet { rate } = fact {
        rates.set(*rate);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AccountId, AccountNo, Asset, Currency};

    #[test]
    fn what_was_handed_out_and_brought_together_is_what_one_thread_makes() {
        let asset = Asset::of(Currency::from_alpha("USD").unwrap());
        for parts in [1, 2, 3, 7, 300] {
            let mut whole = Recovering::new(Policy::default(), 8, 8);
            let mut split = Recovering::new(Policy::default(), 8, 8).split(parts);
            for number in 0..600_u16 {
                let shard = ShardId(number % ShardId::COUNT);
                let id = AccountId::new(&format!("A{number}")).unwrap();
                let account = AccountNo(u32::from(number / ShardId::COUNT));
                let fact = Fact::AccountOpened { account, id, asset };
                whole.apply(shard, Timestamp::default(), &fact).unwrap();
                split[usize::from(shard.0) % parts].apply(shard, Timestamp::default(), &fact).unwrap();
            }
            let joined = Recovering::join(split);
            assert!(whole.shards().map(Shard::id).eq(joined.shards().map(Shard::id)));
            assert!(whole.shards().map(Shard::control_totals).eq(joined.shards().map(Shard::control_totals)));
            assert_eq!(whole.index().accounts(), joined.index().accounts());
        }
    }
}
