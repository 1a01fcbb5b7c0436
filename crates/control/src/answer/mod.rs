//! What clients get: views of a shard as JSON. Money is always both an integer and a decimal string.

mod account;
mod card;
mod duty;
mod limit;
mod money;
mod rate;
mod snapshots;
mod stand_in;
mod time;
mod totals;
mod transaction;

pub(crate) use account::{AccountAnswer, BalanceTakenAnswer, PostingAnswer};
pub(crate) use card::CardAnswer;
pub(crate) use duty::{DutyAnswer, DutyName, StandingAnswer};
pub(crate) use rate::RateAnswer;
pub(crate) use snapshots::SnapshotsAnswer;
pub(crate) use stand_in::{OrderAnswer, ProgramAnswer};
pub(crate) use totals::TotalsAnswer;
pub(crate) use transaction::TransactionAnswer;
