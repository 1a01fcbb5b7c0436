//! The routing index: which shard owns a card or an account.
//!
//! It also makes names unique across shards: a name is reserved before its card or account is created, and the
//! reservation frees it again when nothing came of it. Sized at start, because growing a `DashMap` stalls
//! readers. No guard is ever held across an await: every method copies out.
//!
//! An entry takes 15 bytes of any name or token, because both stand in the rows of their shards already: see [`Digest`].

use crate::digest::{Digest, Digester};
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

/// A place in the index: a shard, and a number there. Bytes, so that an entry has no gaps: this table is the largest thing
/// that a card without limits needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Place {
    shard: u8,
    number: [u8; 4],
}

// One byte names every shard.
const _: () = assert!(ShardId::COUNT == 256);

impl Place {
    /// Kept for something that may come to exist. No card or account has this number: it would be the last of 2^32.
    const RESERVED: Self = Self { shard: 0, number: [u8::MAX; 4] };

    fn new(shard: ShardId, number: u32) -> Self {
        // A shard above the last one exists in no journal: facts of it are refused before they come here.
        Self { shard: u8::try_from(shard.0).unwrap_or(u8::MAX), number: number.to_le_bytes() }
    }

    /// What is there, unless it is only reserved.
    fn found(self) -> Option<(ShardId, u32)> {
        (self != Self::RESERVED).then(|| (ShardId(self.shard.into()), u32::from_le_bytes(self.number)))
    }
}

/// Locks of one map. A start fills the maps by as many threads as there are cores, and two that meet at a lock put one
/// another to sleep: with so many they hardly ever meet.
const LOCKS: usize = 256;

type Map<K> = DashMap<K, Place, RandomState>;

/// Card numbers, card names and account names.
#[derive(Debug)]
pub struct Index {
    tokens: Map<Digest>,
    cards: Map<Digest>,
    accounts: Map<Digest>,
    digester: Digester,
}

impl Index {
    /// An index with room for so many cards and accounts before it has to grow.
    #[must_use]
    pub fn with_room(cards: usize, accounts: usize) -> Self {
        let digester = Digester::default();
        Self { tokens: map(cards), cards: map(cards), accounts: map(accounts), digester }
    }

    /// The card with this token.
    #[must_use]
    pub fn route(&self, token: &CardToken) -> Option<Route> {
        find(&self.tokens, &Digest::token(token)).map(route)
    }

    /// The card of this name.
    #[must_use]
    pub fn card(&self, id: &CardId) -> Option<Route> {
        find(&self.cards, &self.digester.card(id)).map(route)
    }

    /// The account of this name.
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<AccountPlace> {
        let (shard, number) = find(&self.accounts, &self.digester.account(id))?;
        Some(AccountPlace { shard, account: AccountNo(number) })
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
            self.accounts.insert(self.digester.account(id), Place::new(shard, account.0));
        }
        if let Fact::CardIssued { card, id, token, .. } = fact {
            let place = Place::new(shard, card.0);
            self.cards.insert(self.digester.card(id), place);
            self.tokens.insert(Digest::token(token), place);
        }
    }

    /// Takes in every name of shards that were restored as a whole. Many names at once are cheaper: see `fill`.
    pub fn learn_shards<'s>(&self, shards: impl Iterator<Item = &'s Shard> + Clone) {
        let accounts = shards.clone().flat_map(|shard| {
            let names = shard.account_names();
            names.map(|(account, name)| (self.digester.account(&name), Place::new(shard.id(), account.0)))
        });
        fill(&self.accounts, accounts);
        let cards = shards.clone().flat_map(|shard| {
            let names = shard.card_names();
            names.map(|(card, name)| (self.digester.card(&name), Place::new(shard.id(), card.0)))
        });
        fill(&self.cards, cards);
        let tokens = shards.flat_map(|shard| {
            let tokens = shard.card_tokens();
            tokens.map(|(card, token)| (Digest::token(&token), Place::new(shard.id(), card.0)))
        });
        fill(&self.tokens, tokens);
    }

    /// Keeps an account name for the caller until the account is opened or the reservation is dropped.
    pub fn reserve_account(self: &Arc<Self>, id: AccountId) -> Result<Reservation, Taken> {
        let name = self.digester.account(&id);
        if !reserve(&self.accounts, name) {
            return Err(Taken::Account);
        }
        Ok(Reservation { index: Arc::clone(self), names: Names::Account(name) })
    }

    /// Keeps a card's name and number for the caller until the card is issued or the reservation is dropped.
    pub fn reserve_card(self: &Arc<Self>, id: CardId, token: CardToken) -> Result<Reservation, Taken> {
        let name = self.digester.card(&id);
        if !reserve(&self.cards, name) {
            return Err(Taken::CardId);
        }
        let token = Digest::token(&token);
        if !reserve(&self.tokens, token) {
            release(&self.cards, &name);
            return Err(Taken::CardNumber);
        }
        Ok(Reservation { index: Arc::clone(self), names: Names::Card(name, token) })
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
    Account(Digest),
    Card(Digest, Digest),
}

impl Drop for Reservation {
    fn drop(&mut self) {
        match &self.names {
            Names::Account(name) => release(&self.index.accounts, name),
            Names::Card(name, token) => {
                release(&self.index.cards, name);
                release(&self.index.tokens, token);
            }
        }
    }
}

fn route((shard, number): (ShardId, u32)) -> Route {
    Route { shard, card: CardNo(number) }
}

fn map<K: Eq + Hash>(room: usize) -> Map<K> {
    DashMap::with_capacity_and_hasher_and_shard_amount(room, RandomState::default(), LOCKS)
}

/// Inserts in the order in which the map lies in memory. In any other order each insertion waits for memory three
/// times over, and at millions of names that is most of what a start takes.
fn fill<K: Eq + Hash + Copy>(map: &Map<K>, entries: impl Iterator<Item = (K, Place)>) {
    let entries: Vec<(K, Place)> = entries.collect();
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
        if let Some((key, place)) = entries.get(place) {
            map.insert(*key, *place);
        }
    }
}

fn find<K: Eq + Hash>(map: &Map<K>, key: &K) -> Option<(ShardId, u32)> {
    map.get(key)?.found()
}

fn reserve<K: Eq + Hash>(map: &Map<K>, key: K) -> bool {
    match map.entry(key) {
        Entry::Occupied(_) => false,
        Entry::Vacant(place) => {
            place.insert(Place::RESERVED);
            true
        }
    }
}

fn release<K: Eq + Hash>(map: &Map<K>, key: &K) {
    map.remove_if(key, |_, place| *place == Place::RESERVED);
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
    fn the_first_card_of_the_first_shard_and_the_last_one_of_the_last_are_found() {
        let index = Arc::new(Index::with_room(8, 8));
        let usd = domain::Currency::from_alpha("USD").unwrap();
        let issued = |number, name, token| Fact::CardIssued {
            card: CardNo(number),
            id: card(name),
            token,
            last_four: domain::Pan::from_digits(b"4242424242424242").unwrap().last_four(),
            account: AccountNo(0),
            currency: usd,
            expiry: domain::Expiry::new(2030, 1).unwrap(),
            funding: domain::FundingMode::PreFunded,
            status: domain::CardStatus::Active,
        };
        for (shard, number, name, token) in
            [(0, 0, "first", CardToken([0; 16])), (255, u32::MAX - 1, "last", CardToken([255; 16]))]
        {
            index.learn(ShardId(shard), &issued(number, name, token));
            let route = Route { shard: ShardId(shard), card: CardNo(number) };
            assert_eq!((index.route(&token), index.card(&card(name))), (Some(route), Some(route)));
        }
        assert_eq!(index.account(&account("first")), None, "a card's name is no account's");
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
