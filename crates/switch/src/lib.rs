//! The daemon: processor links, translation, wiring, clock, metrics, shutdown.
//!
//! [`Switch::start`] builds the parts in the order in which they depend on one another and returns a running
//! switch; [`Switch::stop`] takes it down in the reverse order. The path of one authorization, by file:
//!
//! ```text
//! processor_link.rs  bytes in, frames cut          authorize.rs   one line a step
//! session.rs         sign-on, echo                 tls.rs         certificates and keys
//! translate.rs       ISO 8583 <-> our words        doors.rs       the way back to the connection
//! recorder.rs        a lane's facts to the journal release.rs     answers and asks, once durable
//! funding_sink.rs    outcomes of asks to lanes     control_desk.rs the API's commands and replies
//! recovery.rs        disk to state, at the start   snapshots.rs   what makes the next start short
//! sealing.rs         which keys are still needed
//! ```
//!
//! Guarantees: an answer leaves only after the facts behind it are as durable as configured; a bad connection
//! harms no other; a journal that fails stops the process instead of acknowledging anything more.

mod admin;
mod admin_server;
mod authorize;
mod clock;
mod config;
mod control_desk;
mod doors;
mod funding_sink;
mod hub;
mod in_flight;
mod keys;
mod link;
mod metrics;
pub mod offline;
mod processor_link;
mod rate_document;
mod rate_sources;
mod rate_watch;
mod recorder;
mod recovery;
mod release;
mod response_code;
mod running;
mod sealing;
mod session;
mod slices;
mod snapshots;
pub mod steps;
mod tls;
mod token_key;
mod translate;

pub use config::{
    Config, ConfigError, ConfigFile, DialSection, EchoSection, Fault, FrameSection, LinkSection, LogFormat,
    LogSection, MacSection, PartialApprovalSection, TlsSection,
};
pub use recovery::{FromSnapshot, PassedOver, RecoveryError, RecoveryReport, Unbalanced};
pub use running::{StartError, StopReason, Switch};
pub use slices::SnapshotFault;
pub use snapshots::{NotMade, SnapshotConfig, SnapshotStatus};
pub use token_key::TokenKeyError;
