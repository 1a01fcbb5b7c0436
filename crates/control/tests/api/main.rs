//! The control API as a client sees it: every endpoint and every error, over real shards, without a socket.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

mod accounts;
mod bench;
mod cards;
mod client;
mod contract;
mod creation;
mod duties;
mod logs;
mod nonsense;
mod protocol;
mod rates;
mod schema;
mod snapshots;
mod transactions;
