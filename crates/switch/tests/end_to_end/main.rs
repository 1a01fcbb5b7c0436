//! The whole switch over loopback: each test starts one of its own, connects to it as a processor, a balance
//! service or an operator would, and looks at what comes back.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
#![allow(clippy::inconsistent_digit_grouping)] // cents stand behind an underscore: 100_01 is 100.01

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod books;
mod configuration;
mod declines;
mod dialects;
mod disk;
mod encryption;
mod exchange;
mod just_in_time;
mod life;
mod links;
mod mac;
mod operations;
mod rates;
mod restart;
mod standing_in;
