//! What is fed to each door of the switch, and what must hold then. A fault panics.
//!
//! The programs in `fuzz_targets/` let libFuzzer find the inputs; the test in `tests/` plays the committed corpus, and changed
//! copies of it, with any compiler.

pub mod composite;
pub mod decode;
pub mod describe;
pub mod dialect;
pub mod frame;
pub mod header;
pub mod mac;
pub mod messages;
pub mod recovery;
pub mod round_trip;
pub mod tlv;

/// A target: its name, which is its folder's in `corpus/` too, and what it does with one input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 10] = [
    ("composite", composite::run),
    ("decode", decode::run),
    ("describe", describe::run),
    ("dialect", dialect::run),
    ("frame", frame::run),
    ("header", header::run),
    ("mac", mac::run),
    ("recovery", recovery::run),
    ("round_trip", round_trip::run),
    ("tlv", tlv::run),
];
