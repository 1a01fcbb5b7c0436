//! The configuration: the file as written, checked into settings that the parts can be built from.
//!
//! One commented TOML file; every key has a default, and a test holds the shipped file to these defaults. Unknown
//! keys fail, durations carry a unit, and every wrong value is reported in one run, with its key, what was found
//! and what is allowed, before any port is bound.

mod check;
mod check_link;
mod faults;
mod file;
mod funding;
mod life;
mod life_file;
mod link_file;
mod rates;
mod rates_file;
mod rules;
mod rules_file;
mod stand_in;
mod stand_in_file;

pub use check::{Config, ConfigError};
pub(crate) use check_link::{Endpoint, LinkSettings, PartialCapability, SessionSettings};
pub use faults::Fault;
pub use file::{ConfigFile, LogFormat, LogSection};
pub(crate) use link_file::DialSection as DialSettings;
pub use link_file::{
    DialSection, EchoSection, FrameSection, LinkSection, MacSection, PartialApprovalSection, TlsSection,
};
pub(crate) use rates::RateSources;
