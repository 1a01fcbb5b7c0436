//! Acting on requests: from the words of the domain to commands, and from replies to answers.

pub(crate) mod accounts;
mod admission;
mod api;
pub(crate) mod cards;
pub(crate) mod duties;
mod idempotency;
pub(crate) mod rates;
mod request;
pub(crate) mod snapshots;
pub(crate) mod stand_in;
pub(crate) mod totals;
pub(crate) mod transactions;

pub(crate) use admission::admit;
pub(crate) use api::Api;
