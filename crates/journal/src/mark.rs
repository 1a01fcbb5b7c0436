//! The mark file: how far the journal had come, written beside the segments after every sync.
//!
//! It tells a torn tail (a batch that was being written when the power went, never acknowledged) from a rotted one
//! (acknowledged, then damaged or lost): whatever the mark says was synced must still be there.
//!
//! ```text
//! mark.journal, 8192 bytes: slot 0 at byte 0, slot 1 at byte 4096, zeros between
//!
//! offset size field                                                             (all little-endian)
//!      0    8 magic           "ASWMARK\n"
//!      8    2 format version  1
//!     10    1 clean           1 = written by an orderly shutdown
//!     11    1 reserved        0
//!     12    4 node
//!     16    8 counter         grows with every mark; the slot with the higher one counts
//!     24    8 synced          highest sequence known to be on disk
//!     32    8 acknowledged    highest sequence acknowledged; above `synced` only in modes `os` and `memory`
//!     40    8 segment         number of the segment being written
//!     48    8 offset          where its next batch starts
//!     56    4 reserved        0
//!     60    4 checksum        CRC-32C over bytes 0..60
//! ```
//!
//! Guarantees: a mark is written only after the sync that it speaks of, so it never claims too much. It reaches the
//! page cache before the acknowledgement leaves, so after a killed process it is exact. It is itself synced on a
//! timer, at each new segment and at shutdown, so after a power cut it may be older, by that timer at most. Between
//! two syncs only one slot is rewritten: a torn mark leaves the other.

use crate::error::JournalError;
use crate::layout::{FieldReader, FieldWriter};
use crate::segment::FORMAT_VERSION;
use crate::storage::{Storage, StorageFile, StorageFileExt};

/// Name of the mark file.
pub const MARK_NAME: &str = "mark.journal";

/// Name under which a new mark file is prepared.
pub(crate) const MARK_MAKING_NAME: &str = "mark.making";

const MAGIC: [u8; 8] = *b"ASWMARK\n";
const MARK_BYTES: usize = 64;
const CHECKSUM_AT: usize = MARK_BYTES - 4;
/// Slots lie in different pages, so that no single torn write meets both.
const SLOT_BYTES: usize = 4096;
const FILE_BYTES: usize = 2 * SLOT_BYTES;

/// How far the journal had come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mark {
    /// Which switch wrote it.
    pub node: u32,
    /// Written by an orderly shutdown.
    pub clean: bool,
    /// Grows with every mark.
    pub counter: u64,
    /// Highest sequence known to be on disk; 0 before the first.
    pub synced: u64,
    /// Highest sequence acknowledged; 0 before the first.
    pub acknowledged: u64,
    /// Number of the segment being written; 0 before the first.
    pub segment: u64,
    /// Where the next batch starts in it.
    pub offset: u64,
}

impl Mark {
    fn encode(&self) -> [u8; MARK_BYTES] {
        let mut bytes = FieldWriter::new()
            .put(&MAGIC)
            .put(&FORMAT_VERSION.to_le_bytes())
            .put(&[u8::from(self.clean), 0])
            .put(&self.node.to_le_bytes())
            .put(&self.counter.to_le_bytes())
            .put(&self.synced.to_le_bytes())
            .put(&self.acknowledged.to_le_bytes())
            .put(&self.segment.to_le_bytes())
            .put(&self.offset.to_le_bytes())
            .finish();
        let checksum = crc32c::crc32c(&bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(slot: &[u8]) -> Option<Self> {
        let bytes = slot.get(..MARK_BYTES)?;
        let mut fields = FieldReader::new(bytes);
        let magic = fields.array::<8>()?;
        let version = fields.u16()?;
        let clean = fields.u8()? == 1;
        let _reserved = fields.u8()?;
        let mark = Self {
            clean,
            node: fields.u32()?,
            counter: fields.u64()?,
            synced: fields.u64()?,
            acknowledged: fields.u64()?,
            segment: fields.u64()?,
            offset: fields.u64()?,
        };
        let checksum = FieldReader::new(bytes.get(CHECKSUM_AT..)?).u32()?;
        let whole = checksum == crc32c::crc32c(&bytes[..CHECKSUM_AT]);
        (magic == MAGIC && version == FORMAT_VERSION && whole).then_some(mark)
    }
}

/// Reads the mark of a directory; `None` when there is no mark file.
///
/// # Errors
/// The file cannot be read, or neither slot is whole.
pub(crate) fn read_mark(storage: &dyn Storage) -> Result<Option<Mark>, JournalError> {
    let path = storage.path(MARK_NAME);
    let io = |source| JournalError::io("read the mark file", &path, source);
    if !storage.list().map_err(io)?.iter().any(|name| name == MARK_NAME) {
        return Ok(None);
    }
    let file = storage.open_to_read(MARK_NAME).map_err(io)?;
    let mut bytes = vec![0; FILE_BYTES];
    let length = file.read_up_to(&mut bytes, 0).map_err(io)?;
    let slots = bytes[..length].chunks(SLOT_BYTES).filter_map(Mark::decode);
    let newest = slots.max_by_key(|mark| mark.counter);
    newest.map(Some).ok_or(JournalError::MarkUnreadable { path })
}

/// The open mark file.
pub(crate) struct MarkFile {
    file: Box<dyn StorageFile>,
    path: String,
    mark: Mark,
    slot: usize,
    dirty: bool,
}

impl MarkFile {
    /// Creates the mark file, on disk before it has its name; a mark file that is there is replaced.
    pub(crate) fn create(storage: &dyn Storage, mark: &Mark) -> Result<(), JournalError> {
        let path = storage.path(MARK_NAME);
        let io = |source| JournalError::io("create the mark file", &path, source);
        if storage.list().map_err(io)?.iter().any(|name| name == MARK_MAKING_NAME) {
            storage.remove(MARK_MAKING_NAME).map_err(io)?;
        }
        let mut bytes = vec![0; FILE_BYTES];
        bytes[..MARK_BYTES].copy_from_slice(&mark.encode());
        let mut file = storage.create(MARK_MAKING_NAME).map_err(io)?;
        file.write_all_at(&bytes, 0).map_err(io)?;
        file.sync().map_err(io)?;
        storage.rename(MARK_MAKING_NAME, MARK_NAME).map_err(io)?;
        storage.sync_directory().map_err(io)
    }

    /// Opens the mark file to continue from `mark`. The next write goes to the slot that `mark` is not in.
    pub(crate) fn open(storage: &dyn Storage, mark: Mark) -> Result<Self, JournalError> {
        let path = storage.path(MARK_NAME);
        let io = |source| JournalError::io("open the mark file", &path, source);
        let mut file = storage.open(MARK_NAME).map_err(io)?;
        // The slot that the last process wrote may still be on its way to the disk; the other one must wait for it.
        file.sync().map_err(io)?;
        let mut first = vec![0; MARK_BYTES];
        let length = file.read_up_to(&mut first, 0).map_err(io)?;
        let in_first = Mark::decode(&first[..length]) == Some(mark);
        Ok(Self { file, path, mark, slot: usize::from(in_first), dirty: false })
    }

    /// Whether the newest mark may not be on disk yet.
    pub(crate) fn is_unsynced(&self) -> bool {
        self.dirty
    }

    /// Writes a newer mark into the page cache; `counter` is given here.
    pub(crate) fn write(&mut self, mark: Mark) -> Result<(), JournalError> {
        let mark = Mark { counter: self.mark.counter.saturating_add(1), ..mark };
        let offset = (self.slot * SLOT_BYTES) as u64;
        self.file
            .write_all_at(&mark.encode(), offset)
            .map_err(|source| JournalError::io("write the mark file", &self.path, source))?;
        self.mark = mark;
        self.dirty = true;
        Ok(())
    }

    /// Makes the newest mark durable, and turns to the other slot.
    pub(crate) fn sync(&mut self) -> Result<(), JournalError> {
        if self.dirty {
            self.file.sync().map_err(|source| JournalError::io("sync the mark file", &self.path, source))?;
            self.dirty = false;
            self.slot = 1 - self.slot;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::simulated_disk::{Faults, SimulatedDisk};

    /// Puts `mark` into both slots of a mark file's bytes.
    pub(crate) fn rewrite(file: &mut [u8], mark: Mark) {
        for slot in file.chunks_mut(SLOT_BYTES) {
            slot[..MARK_BYTES].copy_from_slice(&mark.encode());
        }
    }

    fn sample() -> Mark {
        Mark { node: 1, clean: true, counter: 9, synced: 8, acknowledged: 8, segment: 2, offset: 1024 }
    }

    #[test]
    fn a_mark_survives_a_round_trip() {
        assert_eq!(Mark::decode(&sample().encode()), Some(sample()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for bit in 0..MARK_BYTES * 8 {
            let mut bytes = sample().encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Mark::decode(&bytes), None, "bit {bit}");
        }
    }

    #[test]
    fn one_slot_is_whole_after_a_kill_and_a_power_cut_with_torn_writes() {
        for seed in 0..300 {
            let disk = SimulatedDisk::new(seed);
            MarkFile::create(&disk, &sample()).unwrap();
            let disk = [0, 1].into_iter().fold(disk, |disk, _| {
                // A write in two parts may reach the disk by half.
                disk.plan(Faults { short_writes: true, ..Faults::default() });
                let mark = read_mark(&disk).unwrap().unwrap();
                MarkFile::open(&disk, mark).unwrap().write(mark).unwrap();
                disk.kill(seed)
            });
            let mark = read_mark(&disk.power_cut(seed)).unwrap().unwrap();
            assert!(mark.counter > sample().counter, "seed {seed}: {mark:?}");
        }
    }
}
