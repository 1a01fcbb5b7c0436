//! What the API needs of the switch: look-ups in the routing index, the card token, and commands to shards.

use crate::snapshots::{NoSnapshot, SnapshotsView};
use crate::stand_in::ProgramView;
use authorizer::{Change, Inquiry, Reply};
use domain::{
    AccountId, AccountNo, CardId, CardNo, CardToken, Duty, DutyNo, FundingFailure, Pan, RateTable, ShardId,
    Timestamp,
};
use std::sync::Arc;
use std::time::Duration;

/// Where something lives: its shard, and its number there.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Place<N> {
    /// The shard that owns it.
    pub shard: ShardId,
    /// Its number within the shard.
    pub number: N,
}

/// An account's name is in use, or about to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the account's name is taken")]
pub struct NameTaken;

/// A card cannot be issued because of one that exists, or is about to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CardTaken {
    /// The product's name for the card is in use.
    #[error("the card's name is taken")]
    Id,
    /// The card number is in use.
    #[error("the card number is taken")]
    Number,
}

/// A command got no reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unavailable {
    /// The shard's queue is full. Nothing was changed; asking again can help.
    #[error("the switch is busy; nothing was changed")]
    Overloaded,
    /// The switch is stopping, or its journal takes no more facts. Nothing was changed.
    #[error("the switch takes no changes at the moment; nothing was changed")]
    Stopped,
    /// The command was taken and its end was not seen: it may or may not have been done.
    #[error("the outcome is not known; ask what is there before you send it again")]
    OutcomeUnknown,
}

/// What is owed to the balance service, as the API shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OwedDuty {
    /// Which shard owes it.
    pub shard: ShardId,
    /// What has to be said.
    pub duty: Duty,
    /// Attempts that failed since the last one that did not.
    pub failures: u32,
    /// Why the last attempt failed.
    pub last_failure: Option<FundingFailure>,
    /// Where it stands.
    pub standing: DutyStanding,
}

/// Where a duty stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DutyStanding {
    /// It was sent, and its end is awaited.
    UnderWay,
    /// It is sent again after this time.
    Waiting(Duration),
    /// It waits for an earlier one of its transaction.
    Behind,
}

/// What the API needs of the switch. All look-ups are quick and wait for nothing.
pub trait Switchboard: Send + Sync + 'static {
    /// A name that is kept for one creation. Dropping it frees the name, unless the index holds it by then.
    type Reservation: Send + 'static;

    /// The time, for judging how old a rate is.
    fn now(&self) -> Timestamp;

    /// Where the account of this name is.
    fn account(&self, id: &AccountId) -> Option<Place<AccountNo>>;

    /// Where the card of this name is.
    fn card(&self, id: &CardId) -> Option<Place<CardNo>>;

    /// The keyed token that stands for a card number.
    fn token(&self, pan: &Pan) -> CardToken;

    /// Keeps an account's name for one creation: of two racing requests, one gets it.
    fn reserve_account(&self, id: AccountId) -> Result<Self::Reservation, NameTaken>;

    /// Keeps a card's name and number for one issue, both or neither.
    fn reserve_card(&self, id: CardId, token: CardToken) -> Result<Self::Reservation, CardTaken>;

    /// Sends a change to a shard. When it returns a reply, the facts are durable and the look-ups above find
    /// what it created. It must come to an end by itself, within the time that the switch allows a change.
    fn change(
        &self,
        shard: ShardId,
        change: Change,
    ) -> impl Future<Output = Result<Reply, Unavailable>> + Send;

    /// Asks a shard something.
    fn inquire(
        &self,
        shard: ShardId,
        inquiry: Inquiry,
    ) -> impl Future<Output = Result<Reply, Unavailable>> + Send;

    /// Up to `count_max` duties that are owed, in the order of shard and number, from behind `after` on.
    fn duties(&self, after: Option<(ShardId, DutyNo)>, count_max: usize) -> Vec<OwedDuty>;

    /// How many duties are owed in all.
    fn duties_pending(&self) -> usize;

    /// Sends a duty's transaction now. Where the duty stands; `None` for one that is not owed.
    fn retry_duty(&self, shard: ShardId, number: DutyNo) -> Option<DutyStanding>;

    /// The rates in force.
    fn rates(&self) -> Arc<RateTable>;

    /// The programs that the switch may stand in for, and what they have open.
    fn stand_in(&self) -> Vec<ProgramView>;

    /// How snapshots stand, and what was read at the start.
    fn snapshots(&self) -> SnapshotsView;

    /// Makes a snapshot of everything that is durable now; returns when it is verified.
    fn make_snapshot(&self) -> impl Future<Output = Result<SnapshotsView, NoSnapshot>> + Send;
}
