//! The tool as its users run it: the built program, its exit codes, and what it prints.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    missing_docs
)]

mod check;
mod daemon;
mod demo;
mod describe;
mod disk;
mod duties;
mod import;
mod journal;
mod kill;
mod power_cut;
mod processor;
mod simulate;
mod tool;
