//! What the tests of the switch stand on: a simulated world, a naive model, invariants, scenarios, and checks
//! of the code itself. Nothing here runs in production.
//!
//! Where to start reading: [`World`] plays commands against the decision core and the naive [`reference`] model
//! at once, on a virtual clock, and checks the [`invariants`] after each. Two things drive a world:
//! [`History`], random and repeatable from its seed, and [`scenario`], written by a payments person.
//! [`tidy`] reads the sources of the workspace.
//!
//! No socket, no disk, no sleep and no real clock; everything is a function of a seed or a file.
#![allow(clippy::unwrap_used, clippy::panic)] // here a panic is a failed test, which is what this crate is for

pub mod history;
pub mod invariants;
pub mod reference;
pub mod scenario;
pub mod tidy;
pub mod world;

mod drafts;
mod endings;
mod finding;
mod pricing;
mod program;
mod random;
mod script;
mod snapshots;
mod stage;
mod standing_in;
mod steps;

pub use finding::Finding;
pub use history::History;
pub use world::{Happened, World};
