//! The journal's settings, with their defaults and ranges.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::batch::{BATCH_HEADER_BYTES, BATCH_TRAILER_BYTES};
use crate::error::JournalError;
use crate::seal::SealingKeys;
use crate::segment::{SEGMENT_BYTES_MAX, is_block_size};

/// When an answer may leave.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acknowledge {
    /// After its facts are on disk: no crash and no power cut forgets an approval.
    #[default]
    Disk,
    /// After its facts are in the operating system's hands: a killed process forgets nothing, a power cut may
    /// forget what was not yet synced.
    Os,
    /// At once: a killed process or a power cut may forget what was not yet written or synced.
    Memory,
}

impl Acknowledge {
    /// The name in configuration and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Os => "os",
            Self::Memory => "memory",
        }
    }
}

/// Settings of the journal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JournalConfig {
    /// Where the files are.
    pub directory: PathBuf,
    /// Which switch this is; written into every segment and checked at start.
    pub node: u32,
    /// Length of a new segment in bytes. Existing segments keep theirs.
    pub segment_bytes: u64,
    /// Batches of new segments start at multiples of this many bytes: 512 suits every disk, 4096 never shares a
    /// page between batches.
    pub block_bytes: u32,
    /// When an answer may leave.
    pub acknowledge: Acknowledge,
    /// Most batches waiting for the writer thread; a full queue refuses the next one.
    pub queue_batches_max: usize,
    /// Most bytes of records in one batch of a lane.
    pub batch_bytes_max: usize,
    /// Most bytes of records that one write and one sync carry; at least `batch_bytes_max`.
    pub write_bytes_max: usize,
    /// Longest time between write and sync in modes `os` and `memory`: the milliseconds at risk.
    pub sync_every: Duration,
    /// Most records not yet synced in modes `os` and `memory`: the records at risk.
    pub unsynced_records_max: u64,
    /// Most exposure (see [`crate::RecordBuffer::add_exposure`]) not yet synced in modes `os` and `memory`: the
    /// money at risk. A single larger batch still passes when nothing else is at risk.
    pub unsynced_exposure_max: u64,
    /// Longest time between two syncs of the mark file.
    pub mark_sync_every: Duration,
    /// Segments kept ready, zero-filled, before they are needed.
    pub spare_segments: usize,
    /// Segments kept although recovery no longer needs them, for audit and history; more are recycled or removed.
    pub retain_segments: usize,
    /// Below this many free bytes, [`crate::Space::Low`] is reported and approvals should stop.
    pub free_bytes_min: u64,
    /// Keys that payloads are sealed under, the newest first; without any they are written in clear.
    pub keys: SealingKeys,
}

impl JournalConfig {
    /// The defaults, for a journal in `directory`.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            node: 1,
            // Large enough that a change of segment is rare, small enough to be made in well under a second.
            segment_bytes: 64 * 1024 * 1024,
            block_bytes: 512,
            acknowledge: Acknowledge::Disk,
            queue_batches_max: 1024,
            batch_bytes_max: 1024 * 1024,
            write_bytes_max: 4 * 1024 * 1024,
            sync_every: Duration::from_millis(10),
            unsynced_records_max: 100_000,
            unsynced_exposure_max: u64::MAX,
            mark_sync_every: Duration::from_secs(1),
            spare_segments: 1,
            // 1 GiB of history at the default segment length.
            retain_segments: 16,
            free_bytes_min: 256 * 1024 * 1024,
            keys: SealingKeys::default(),
        }
    }

    /// Bytes of records that fit into a fresh segment as one batch.
    #[must_use]
    pub fn segment_records_bytes_max(&self) -> u64 {
        let overhead = u64::from(self.block_bytes) + (BATCH_HEADER_BYTES + BATCH_TRAILER_BYTES) as u64;
        self.segment_bytes.saturating_sub(overhead)
    }

    /// Checks every setting against its range.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn check(&self) -> Result<(), JournalError> {
        let block = u64::from(self.block_bytes);
        let setting = |key, found, allowed| Err(JournalError::Setting { key, found, allowed });
        if !is_block_size(self.block_bytes) {
            return setting("block_bytes", block, "a power of two from 512 to 65536");
        }
        if !self.segment_bytes.is_multiple_of(block)
            || !(4 * block..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes)
        {
            return setting(
                "segment_bytes",
                self.segment_bytes,
                "a multiple of block_bytes, 4 blocks to 1 GiB",
            );
        }
        if !(1..=1 << 20).contains(&self.queue_batches_max) {
            return setting("queue_batches_max", self.queue_batches_max as u64, "1 to 1048576 batches");
        }
        if self.write_bytes_max as u64 > self.segment_records_bytes_max() {
            let allowed = "at most segment_bytes less one block and 112 bytes";
            return setting("write_bytes_max", self.write_bytes_max as u64, allowed);
        }
        if self.batch_bytes_max == 0 || self.batch_bytes_max > self.write_bytes_max {
            return setting("batch_bytes_max", self.batch_bytes_max as u64, "1 to write_bytes_max");
        }
        // Sealing adds 16 bytes to a record of 40 at the least.
        let sealed = (self.batch_bytes_max as u64).saturating_mul(7) / 5;
        if self.keys.newest() != 0 && sealed > self.segment_records_bytes_max() {
            let allowed = "with sealing keys, at most 5/7 of segment_bytes less one block and 112 bytes";
            return setting("batch_bytes_max", self.batch_bytes_max as u64, allowed);
        }
        if self.unsynced_records_max == 0 {
            return setting("unsynced_records_max", 0, "1 record or more");
        }
        if !(1..=16).contains(&self.spare_segments) {
            return setting("spare_segments", self.spare_segments as u64, "1 to 16 segments");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_allowed() {
        JournalConfig::new(Path::new("x")).check().unwrap();
    }

    #[test]
    fn each_setting_outside_its_range_is_named() {
        let good = JournalConfig::new(Path::new("x"));
        let bad = [
            (JournalConfig { block_bytes: 1000, ..good.clone() }, "block_bytes is 1000"),
            (JournalConfig { segment_bytes: 1024, ..good.clone() }, "segment_bytes is 1024"),
            (JournalConfig { segment_bytes: 2 << 30, ..good.clone() }, "segment_bytes is 2147483648"),
            (JournalConfig { queue_batches_max: 0, ..good.clone() }, "queue_batches_max is 0"),
            (JournalConfig { write_bytes_max: 64 << 20, ..good.clone() }, "write_bytes_max is 67108864"),
            (JournalConfig { batch_bytes_max: 0, ..good.clone() }, "batch_bytes_max is 0"),
            (JournalConfig { unsynced_records_max: 0, ..good.clone() }, "unsynced_records_max is 0"),
            (JournalConfig { spare_segments: 99, ..good.clone() }, "spare_segments is 99"),
        ];
        for (config, said) in bad {
            let message = config.check().unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
        }
    }
}
