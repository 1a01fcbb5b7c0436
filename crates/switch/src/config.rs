//! The configuration: the file as written, checked into settings that the parts can be built from.
//!
//! One commented TOML file; every key has a default, and a test holds the shipped file to these defaults. Unknown
//! keys fail, durations carry a unit, and every wrong value is reported in one run, with its key, what was found
//! and what is allowed, before any port is bound.

mod check;
mod file;

pub use check::{Config, ConfigError, Fault};
pub(crate) use check::{LinkSettings, PartialCapability};
pub use file::{ConfigFile, FrameSection, LinkSection, LogFormat, LogSection, PartialApprovalSection};
