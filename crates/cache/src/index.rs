//! The routing index: which shard owns a card or an account.
//!
//! It also makes names unique across shards: a name is reserved before its card or account is created, and the
//! reservation frees it again when nothing came of it. Sized at start, because growing a `DashMap` stalls
//! readers. No guard is ever held across an await: every method copies out.

use authorizer::Shard;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use domain::{AccountId, AccountNo, CardId, CardNo, CardToken, Fact, ShardId};
use foldhash::fast::RandomState;
use std::hash::Hash;
use std::sync::Arc;

/// Where a card is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// The shard that owns the card and its funding account.
    pub shard: ShardId,
    /// The card's number there.
    pub card: CardNo,
}

/// Where an account is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AccountPlace {
    /// The shard that owns the account.
    pub shard: ShardId,
    /// The account's number there.
    pub account: AccountNo,
}

/// A name or number that is in use, or about to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Taken {
    /// The account's name.
    #[error("an account of this name exists, or is just being opened")]
    Account,
    /// The card's name.
    #[error("a card of this name exists, or is just being issued")]
    CardId,
    /// The card's number.
    #[error("a card with this number exists, or is just being issued")]
    CardNumber,
}

/// A place in the index: taken by something that exists, or reserved for something that may.
#[derive(Clone, Copy, Debug)]
enum Place<T> {
    Reserved,
    At(T),
}

/// Locks of one map. A start fills the maps by as many threads as there are cores, and two that meet at a lock put one
/// another to sleep: with so many they hardly ever meet.
const LOCKS: usize = 256;

type Map<K, T> = DashMap<K, Place<T>, RandomState>;

/// Card numbers, card names and account names.
#[derive(Debug)]
pub struct Index {
    tokens: Map<CardToken, Route>,
    cards: Map<CardId, Route>,
    accounts: Map<AccountId, AccountPlace>,
}

impl Index {
    /// An index with room for so many cards and accounts before it has to grow.
    #[must_use]
    pub fn with_room(cards: usize, accounts: usize) -> Self {
        Self { tokens: map(cards), cards: map(cards), accounts: map(accounts) }
    }

    /// The card with this token.
    #[must_use]
    pub fn route(&self, token: &CardToken) -> Option<Route> {
        find(&self.tokens, token)
    }

    /// The card of this name.
    #[must_use]
    pub fn card(&self, id: &CardId) -> Option<Route> {
        find(&self.cards, id)
    }

    /// The account of this name.
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<AccountPlace> {
        find(&self.accounts, id)
    }

    /// How many cards there are, counting those just being issued.
    #[must_use]
    pub fn cards(&self) -> usize {
        self.cards.len()
    }

    /// How many accounts there are, counting those just being opened.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// Takes in what a fact says about names.
    pub fn learn(&self, shard: ShardId, fact: &Fact) {
        if let Fact::AccountOpened { account, id, .. } = fact {
            self.accounts.insert(*id, Place::At(AccountPlace { shard, account: *account }));
        }
        if let Fact::CardIssued { card, id, token, .. } = fact {
            let route = Route { shard, card: *card };
            self.cards.insert(*id, Place::At(route));
            self.tokens.insert(*token, Place::At(route));
        }
    }

    /// Takes in every name of shards that were restored as a whole. Many names at once are cheaper: see `fill`.
    pub fn learn_shards<'s>(&self, shards: impl Iterator<Item = &'s Shard> + Clone) {
        let account = |shard: ShardId, account| AccountPlace { shard, account };
        let accounts = shards.clone().flat_map(|shard| {
            shard.account_names().map(move |(number, name)| (name, account(shard.id(), number)))
        });
        fill(&self.accounts, accounts);
        let cards = |shard: &'s Shard| {
            let id = shard.id();
            shard.card_names().map(move |(card, name, token)| (name, token, Route { shard: id, card }))
        };
        fill(&self.cards, shards.clone().flat_map(cards).map(|(name, _, route)| (name, route)));
        fill(&self.tokens, shards.flat_map(cards).map(|(_, token, route)| (token, route)));
    }

    /// Keeps an account name for the caller until the account is opened or the reservation is dropped.
    pub fn reserve_account(self: &Arc<Self>, id: AccountId) -> Result<Reservation, Taken> {
        if !reserve(&self.accounts, id) {
            return Err(Taken::Account);
        }
        Ok(Reservation { index: Arc::clone(self), names: Names::Account(id) })
    }

    /// Keeps a card's name and number for the caller until the card is issued or the reservation is dropped.
    pub fn reserve_card(self: &Arc<Self>, id: CardId, token: CardToken) -> Result<Reservation, Taken> {
        if !reserve(&self.cards, id) {
            return Err(Taken::CardId);
        }
        if !reserve(&self.tokens, token) {
            release(&self.cards, &id);
            return Err(Taken::CardNumber);
        }
        Ok(Reservation { index: Arc::clone(self), names: Names::Card(id, token) })
    }
}

/// Names kept for someone. Dropping it frees those that nothing was created under.
#[derive(Debug)]
pub struct Reservation {
    index: Arc<Index>,
    names: Names,
}

#[derive(Debug)]
enum Names {
    Account(AccountId),
    Card(CardId, CardToken),
}

impl Drop for Reservation {
    fn drop(&mut self) {
        match &self.names {
            Names::Account(id) => release(&self.index.accounts, id),
            Names::Card(id, token) => {
                release(&self.index.cards, id);
                release(&self.index.tokens, token);
            }
        }
    }
}

fn map<K: Eq + Hash, T>(room: usize) -> Map<K, T> {
    DashMap::with_capacity_and_hasher_and_shard_amount(room, RandomState::default(), LOCKS)
}

/// Inserts in the order in which the map lies in memory. In any other order each insertion waits for memory three
/// times over, and at millions of names that is most of what a start takes.
fn fill<K: Eq + Hash + Copy, T: Copy>(map: &Map<K, T>, entries: impl Iterator<Item = (K, T)>) {
    let entries: Vec<(K, T)> = entries.collect();
    // A map's table is found by the hash's upper bits behind the first seven, the place in it by its lower ones. Should
    // that ever change, the order is a worse one and nothing is wrong.
    let places = (map.capacity() / LOCKS).next_power_of_two().saturating_sub(1);
    let order = |key: &K| {
        let hash = map.hash_usize(key);
        ((hash << 7) >> (usize::BITS - LOCKS.trailing_zeros()), hash & places)
    };
    let mut sorted: Vec<(usize, usize, usize)> = (0..)
        .zip(&entries)
        .map(|(place, (key, _))| {
            let (table, bucket) = order(key);
            (table, bucket, place)
        })
        .collect();
    sorted.sort_unstable();
    for (_, _, place) in sorted {
        if let Some((key, value)) = entries.get(place) {
            map.insert(*key, Place::At(*value));
        }
    }
}

fn find<K: Eq + Hash, T: Copy>(map: &Map<K, T>, key: &K) -> Option<T> {
    match *map.get(key)? {
        Place::At(place) => Some(place),
        Place::Reserved => None,
    }
}

fn reserve<K: Eq + Hash, T>(map: &Map<K, T>, key: K) -> bool {
    match map.entry(key) {
        Entry::Occupied(_) => false,
        Entry::Vacant(place) => {
            place.insert(Place::Reserved);
            true
        }
    }
}

fn release<K: Eq + Hash, T>(map: &Map<K, T>, key: &K) {
    map.remove_if(key, |_, place| matches!(place, Place::Reserved));
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Asset;

    fn account(name: &str) -> AccountId {
        AccountId::new(name).unwrap()
    }

    fn card(name: &str) -> CardId {
        CardId::new(name).unwrap()
    }

    #[test]
    fn a_name_is_reserved_once_and_free_again_when_nothing_came_of_it() {
        let index = Arc::new(Index::with_room(8, 8));
        let first = index.reserve_account(account("a")).unwrap();
        assert_eq!(index.reserve_account(account("a")).unwrap_err(), Taken::Account);
        assert_eq!(index.account(&account("a")), None);
        drop(first);
        assert!(index.reserve_account(account("a")).is_ok());
    }

    #[test]
    fn what_was_created_under_a_reservation_stays() {
        let index = Arc::new(Index::with_room(8, 8));
        let reservation = index.reserve_account(account("a")).unwrap();
        let usd = Asset::of(domain::Currency::from_alpha("USD").unwrap());
        let opened = Fact::AccountOpened { account: AccountNo(0), id: account("a"), asset: usd };
        index.learn(ShardId(3), &opened);
        drop(reservation);
        let place = AccountPlace { shard: ShardId(3), account: AccountNo(0) };
        assert_eq!(index.account(&account("a")), Some(place));
    }

    #[test]
    fn the_names_of_restored_shards_are_found() {
        let index = Index::with_room(8, 8);
        let usd = Asset::of(domain::Currency::from_alpha("USD").unwrap());
        let shard = |number: u16| {
            let mut shard = Shard::new(ShardId(number), authorizer::Policy::default());
            for place in 0..300 {
                let id = account(&format!("a{number}-{place}"));
                let opened = Fact::AccountOpened { account: AccountNo(place), id, asset: usd };
                shard.apply(&opened, domain::Timestamp::default()).unwrap();
            }
            shard
        };
        let shards = [shard(3), shard(200)];
        index.learn_shards(shards.iter());
        assert_eq!(index.accounts(), 600);
        for (number, place) in [(3, 0), (3, 299), (200, 7)] {
            let expected = AccountPlace { shard: ShardId(number), account: AccountNo(place) };
            assert_eq!(index.account(&account(&format!("a{number}-{place}"))), Some(expected));
        }
    }

    #[test]
    fn a_card_needs_both_its_name_and_its_number() {
        let index = Arc::new(Index::with_room(8, 8));
        let (one, two) = (CardToken([1; 16]), CardToken([2; 16]));
        let _held = index.reserve_card(card("c"), one).unwrap();
        assert_eq!(index.reserve_card(card("c"), two).unwrap_err(), Taken::CardId);
        assert_eq!(index.reserve_card(card("d"), one).unwrap_err(), Taken::CardNumber);
        assert!(index.reserve_card(card("d"), two).is_ok(), "the refused attempt left nothing behind");
    }
}
