//! Snapshots of the state, so that a start need not replay the whole journal.
//!
//! `fold` makes one from the one before and the facts behind it, `keeper` is the thread that decides when,
//! `priority` lets it give way to everybody else, and `retention` says which old segments may go then. Reading them back is `recovery`.

#[cfg(test)]
mod crash_tests;
mod fold;
#[cfg(test)]
mod golden_tests;
mod keeper;
mod priority;
mod retention;

pub(crate) use fold::Folder;
pub(crate) use keeper::Keeper;
pub use keeper::{NotMade, SnapshotConfig, SnapshotStatus};
