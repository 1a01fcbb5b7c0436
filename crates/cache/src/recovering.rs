//! The shards while the journal is replayed: facts come in, no rule is run.

use crate::index::Index;
use authorizer::{ApplyError, Policy, Shard};
use domain::{Fact, RateTable, ShardId, Timestamp};
use std::sync::Arc;

/// All shards, the index and the rates, being rebuilt from facts.
#[derive(Debug)]
pub struct Recovering {
    pub(crate) shards: Vec<Shard>,
    pub(crate) index: Arc<Index>,
    pub(crate) rates: RateTable,
}

impl Recovering {
    /// Empty shards, and an index with room for so many cards and accounts.
    #[must_use]
    pub fn new(policy: Policy, cards: usize, accounts: usize) -> Self {
        let shards = (0..ShardId::COUNT).map(|id| Shard::new(ShardId(id), policy)).collect();
        Self { shards, index: Arc::new(Index::with_room(cards, accounts)), rates: RateTable::default() }
    }

    /// Makes a fact of `shard` true that was recorded at `at`.
    pub fn apply(&mut self, shard: ShardId, at: Timestamp, fact: &Fact) -> Result<(), ApplyError> {
        if let Some(shard) = self.shards.get_mut(usize::from(shard.0)) {
            shard.apply(fact, at)?;
        }
        self.index.learn(shard, fact);
        if let Fact::RateSet { rate } = fact {
            self.rates.set(*rate);
        }
        Ok(())
    }

    /// The index, which goes on being used by the cache.
    #[must_use]
    pub fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index)
    }

    /// The shards, for whoever checks the books before traffic starts.
    pub fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter()
    }
}
