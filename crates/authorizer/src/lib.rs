//! The decision core: one shard's state, and what it answers to a command.
//!
//! A [`Shard`] holds a set of funding accounts with all their cards, holds, counters and recent transactions.
//! [`Shard::decide`] reads the state and a [`Command`] and returns **facts** (what is now true) and
//! **actions** (what has to happen once the facts are durable). It changes nothing. [`Shard::apply`] is the only
//! way the state changes, and recovery is `apply` over the journal: no rule is ever run again for the past.
//!
//! Everything here is a function of its arguments. The crate reads no clock, starts no task, touches no
//! socket, file or environment, uses no float, and iterates over no hash map, so that two replays of the same
//! facts end in the same state.
//!
//! There are millions of cards and holds, so their rows lie small, and what few of them have lies apart (bytes):
//!
//! | a card with six limits and an account | | an open hold | |
//! |---|---|---|---|
//! | `Card` | 80 | `Transaction` and its place in three lists | 184 |
//! | its five counters, with the allocator's share | 80 | found by number and by references: `Lookup`, 9 at a load of 44 to 87 in 100 | 20 to 40 |
//! | `Account` | 40 | when it runs out: `Due` | 16 |
//! | both names, each a byte more than it has | 2 + 20 to 80 | | |
//! | its newest transaction | 4 | | |
//! | three entries of the routing index, 16 at a load of 44 to 87 in 100 | 55 to 110 | | |
//! | while it was posted to of late: an idempotency key, 40, and its `Lookup` | 50 to 60 | | |
//!
//! How rows are written to disk is in `rows`, and does not follow from how they lie.
//!
//! Where to start reading: [`Command`], then `decide.rs` and `authorize.rs`, then one file a step: `repeats`, `controls`,
//! `limits`, `asks`, `stand_in`; what follows a payment: `originals`, `increments`, `clearings`, `refunds`, `reversals`, `expiry`; what
//! moves nothing: `questions`; what the product changes: `changes`. `apply` and the files below it change the state.

mod account;
mod accounts_by_name;
mod action;
mod apply;
mod asks;
mod authorize;
mod balances;
mod calendar;
mod card;
mod case;
mod changes;
mod chunks;
mod clearings;
mod command;
mod controls;
mod decide;
mod declined_advices;
mod delivery;
mod due;
mod duties;
mod expiry;
mod held;
mod increments;
mod inquiries;
mod life;
mod limit;
mod limit_set;
mod limits;
mod lookup;
mod names;
mod originals;
mod parts;
mod policy;
mod price;
mod pricing;
mod questions;
mod refunds;
mod repeats;
mod requests;
mod reversals;
mod risk;
mod risk_check;
mod risk_conditions;
mod rounding;
mod rows;
mod security;
mod service_word;
mod shard;
mod snapshot;
mod stand_in;
mod stand_in_rules;
mod standing;
mod store;
mod told;
mod transaction;
mod velocity;
mod velocity_ring;
mod view;

pub use action::{Action, Answer, Effects, FundingPath};
pub use command::{
    AnswerLoss, Caller, Change, Command, Inquiry, NewCard, References, Refusal, Reply, ServiceWord,
};
pub use decide::Context;
pub use life::{AdviceAfterReversal, HoldRule, Life, MccRange, Tolerance};
pub use policy::Policy;
pub use pricing::{PriceRule, Pricing};
pub use risk::{Demand, Rule, Rules};
pub use risk_conditions::When;
pub use security::Requirement;
pub use shard::{ApplyError, Shard, Totals};
pub use snapshot::{ControlTotals, ROWS_VERSION, RestoreError, Restoring, Row};
pub use stand_in::Exposes;
pub use stand_in_rules::{
    BLOCKED_MCC, BLOCKED_TYPES, Exposure, ExposureBound, ExposureSlot, STAND_IN_OUTCOMES, StandIn,
    StandInProgram,
};
pub use standing::Standing;
pub use told::Told;
pub use transaction::TransactionState;
pub use velocity::{Counted, Group, Velocity};
pub use view::{AccountView, CardView, LimitView, PostingView, TransactionView};
