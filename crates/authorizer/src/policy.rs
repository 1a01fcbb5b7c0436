//! The settings that decisions depend on, fixed while the switch runs.

use crate::life::Life;
use crate::pricing::Pricing;
use crate::risk::Rules;
use crate::stand_in_rules::StandIn;
use std::sync::Arc;
use std::time::Duration;

/// How many holds, and how many asks, one decision may end, so that none waits behind a long backlog and no batch
/// outgrows the journal's bound. The next tick goes on.
pub(crate) const END_AT_ONCE_MAX: usize = 64;

/// How long things are kept and how many of them there may be. The daemon reads it from its configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// How long an approval holds money when nothing is cleared.
    pub hold_for: Duration,
    /// How long an approval that could not be sent holds money.
    pub undelivered_hold_for: Duration,
    /// How long a repeat is recognised after its first answer.
    pub repeat_window: Duration,
    /// Transactions kept in one shard; the oldest finished ones are forgotten above it.
    pub transactions_per_shard_max: usize,
    /// Open holds that one card may have.
    pub open_holds_per_card_max: u32,
    /// Duties towards the balance service pending in one shard; above it no more asks are made.
    pub duties_per_shard_max: usize,
    /// Limits that one card or account may have.
    pub limits_per_owner_max: usize,
    /// Idempotency keys of the control API kept in one shard; the oldest are forgotten above it.
    pub requests_per_shard_max: usize,
    /// What the program decides about the life of a transaction, shared by all shards.
    pub life: Arc<Life>,
    /// The rules of the card program, shared by all shards.
    pub rules: Arc<Rules>,
    /// Which rates are believed, and what is added to them, shared by all shards.
    pub pricing: Arc<Pricing>,
    /// What programs allow when the switch stands in for their balance service, shared by all shards.
    pub stand_in: Arc<StandIn>,
}

impl Policy {
    /// The longest that any hold lasts from its last approved amount on.
    pub(crate) fn longest_hold(&self) -> Duration {
        self.life.hold_rules.iter().map(|rule| rule.hold_for).fold(self.hold_for, Duration::max)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            hold_for: Duration::from_secs(7 * 24 * 3600),
            undelivered_hold_for: Duration::from_secs(600),
            repeat_window: Duration::from_secs(72 * 3600),
            transactions_per_shard_max: 1_000_000,
            open_holds_per_card_max: 1_000,
            duties_per_shard_max: 10_000,
            limits_per_owner_max: 16,
            requests_per_shard_max: 100_000,
            life: Arc::default(),
            rules: Arc::default(),
            pricing: Arc::default(),
            stand_in: Arc::default(),
        }
    }
}
