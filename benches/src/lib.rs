//! What the benchmarks share: a switch in this process, its floor and its ceiling, and a client that costs little.
//!
//! The client writes prepared bytes and looks at a few places of each answer. It checks nothing that the processor
//! simulator checks; what it saves is left to what is measured on the same cores.

pub mod client;
pub mod echo;
pub mod floor;
pub mod histogram;
pub mod purchase;
pub mod shards;
pub mod system;
