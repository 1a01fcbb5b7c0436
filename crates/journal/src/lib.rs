//! The write-behind journal: the only crate that touches the disk.
//!
//! Lanes decide and hand over **batches** of records; one writer thread writes all waiting batches as one, syncs
//! once, and only then releases what waited for them (answers, asks). At start every record is read back, checked,
//! and handed to the caller, who rebuilds the state from them.
//!
//! ```text
//! lane ── RecordBuffer ── append ──> bounded queue ──> writer: write, sync, mark ──> on_release, in order
//!                                                        ^ spare segments, zero-filled ── upkeep thread
//!
//! directory: lock | mark.journal | segment-00000000000000000001.journal ... | spare-000001.ready
//!            snapshot-00000000000000000001.journal ... | lost-... (put aside by a repair)
//! ```
//!
//! What it promises:
//! - **Durable before released** (`acknowledge = "disk"`): a release runs only after its records are on disk.
//! - **Recovered = a prefix that holds everything acknowledged as durable.** A torn tail is cut and reported; any
//!   other damage refuses to open and names the file, the offset and the sequences at risk (see [`JournalError`]).
//! - **Order**: records are numbered from 1 without a gap, and every batch is chained by SHA-256 to the one before.
//! - **A failed write or sync is final**: nothing is released after it, and no sync is ever tried again.
//! - **Bounded**: the queue, a batch, a write, a segment, the records, the time and the money at risk.
//!
//! Beside the log itself: [`snapshot`] files, so that recovery need not begin with the first record (read the newest,
//! then [`open_on`] with the record it was made after), and [`read_between`] to make the next one of; retention ([`JournalHandle::retire_through`]); [`verify`],
//! [`dump`] and [`repair`] for operators; a [`simulated_disk`] on which all of it is crashed ten thousand times.
//! What is survived, what is not, and which test shows it: [`faults`].
//!
//! What it leaves out: what a payload means (opaque bytes, encoded in [`payload`] alone), when to snapshot, and what
//! to do about a failure; the switch decides those.
//!
//! The format is drawn byte by byte in [`segment`], [`batch`], [`record`], [`mark`] and [`snapshot`], and pinned by golden
//! files.
//!
//! ```
//! use std::sync::{Arc, mpsc};
//! use journal::{Batch, JournalConfig};
//!
//! let directory = tempfile::tempdir()?;
//! let mut config = JournalConfig::new(directory.path());
//! config.segment_bytes = 1024 * 1024;
//! config.write_bytes_max = 256 * 1024;
//! config.batch_bytes_max = 64 * 1024;
//!
//! let (recovered, journal) = journal::open(config, |record| record.decode::<String>().map(|_fact| ()))?;
//! assert_eq!(recovered.last_sequence, 0);
//!
//! let (answers, answered) = mpsc::channel();
//! let on_release = move |releases: &mut Vec<&'static str>| {
//!     for answer in releases.drain(..) {
//!         let _ = answers.send(answer);
//!     }
//! };
//! let journal = journal.start(on_release, Arc::new(()))?;
//! let mut records = journal.buffer();
//! records.push(7, 1_763_600_000_000_000, "a hold of 12.50 USD was placed")?;
//! journal.append(Batch { records, release: "0110, approved" }).map_err(|refused| refused.because)?;
//! assert_eq!(answered.recv()?, "0110, approved"); // the hold is on disk now
//! assert_eq!(journal.positions().durable, 1);
//! journal.shutdown().map_err(|error| error.to_string())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod encode;
mod layout;

// The format, from the outside in.
pub mod batch;
pub mod mark;
pub mod payload;
pub mod record;
pub mod seal;
pub mod segment;
pub mod snapshot;

pub mod faults;

// The disk.
mod copy;
mod file_storage;
mod retention;
pub mod simulated_disk;
mod spare;
pub mod storage;

// Reading.
mod cut;
mod key_use;
mod offline;
mod range;
mod recovery;
mod repair;
mod scan;
mod tail;

// Writing.
mod buffer;
mod config;
mod ending;
mod error;
mod handle;
mod log;
mod observer;
mod shared;
mod upkeep;
mod writer;

mod backup;

#[cfg(test)]
mod crash_tests;

pub use backup::{BackupError, MANIFEST_NAME, Manifest, Target, back_up, restore_backup};
pub use buffer::{Batch, RecordBuffer};
pub use config::{Acknowledge, JournalConfig};
pub use error::{Damage, JournalError, ReplayError};
pub use file_storage::FileStorage;
pub use handle::{Appended, JournalHandle, Refused, RefusedBecause};
pub use key_use::{KeyUse, KeyUseError, keys_in_use};
pub use observer::{JournalObserver, WriteReport};
pub use offline::{Verified, dump, verify};
pub use range::{SegmentSpan, read_between, segments_behind};
pub use recovery::{Journal, Recovered, open, open_on};
pub use repair::{RepairError, Repaired, repair};
pub use scan::RecoveredRecord;
pub use seal::{KeyId, SealError, SealingKeys};
pub use shared::{Exposure, Positions, Space};
pub use tail::{Tail, TornTail};
