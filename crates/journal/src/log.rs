//! The journal's end on disk, without threads: place records, write a batch, sync, change segment, mark.
//!
//! Everything here is an ordinary call that has happened when it returns, so the crash tests can stop between any
//! two file operations and the writer thread stays a loop. Time comes from the records; no clock is read.
//!
//! Guarantees: after an error other than [`JournalError::NoSpace`] the log must not be used again; the writer
//! thread sees to that, and no sync is ever repeated after it failed.

use std::sync::Arc;

use crate::batch::{BATCH_HEADER_BYTES, BATCH_TRAILER_BYTES, BatchHeader, chain_after, encode_trailer};
use crate::buffer::RecordBuffer;
use crate::error::JournalError;
use crate::mark::{Mark, MarkFile};
use crate::record::{FLAG_SEALED, RECORD_HEADER_BYTES, RecordHeader, place_record, record_bytes};
use crate::seal::{DataKey, NonceSalt, SEAL_BYTES, SealingKeys};
use crate::segment::{Chain, SegmentHeader, segment_name};
use crate::spare::Spare;
use crate::storage::{Storage, StorageFile, StorageFileExt};

/// The segment being written.
pub(crate) struct ActiveSegment {
    pub(crate) file: Box<dyn StorageFile>,
    pub(crate) header: SegmentHeader,
    pub(crate) next_batch_at: u64,
    /// Seals its payloads, if they are sealed.
    pub(crate) data_key: Option<DataKey>,
}

/// The end of the journal.
pub(crate) struct Log {
    storage: Arc<dyn Storage>,
    active: ActiveSegment,
    /// Block size of the segments to come.
    block_bytes: u32,
    seed: u32,
    next_sequence: u64,
    chain: Chain,
    synced: u64,
    mark: MarkFile,
    buffer: Vec<u8>,
    keys: SealingKeys,
    salt: NonceSalt,
}

impl Log {
    /// Continues a journal whose every record before `next_sequence` is on disk.
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        active: ActiveSegment,
        block_bytes: u32,
        next_sequence: u64,
        chain: Chain,
        mark: MarkFile,
        keys: SealingKeys,
    ) -> Result<Self, JournalError> {
        let seed = active.header.seed();
        let synced = next_sequence - 1;
        let salt = NonceSalt::draw().map_err(|because| JournalError::seal(&storage.path(""), 0, because))?;
        let buffer = Vec::new();
        Ok(Self {
            storage,
            active,
            block_bytes,
            seed,
            next_sequence,
            chain,
            synced,
            mark,
            buffer,
            keys,
            salt,
        })
    }

    /// Sequence of the last record written; 0 before the first.
    pub(crate) fn written(&self) -> u64 {
        self.next_sequence - 1
    }

    /// Sequence of the last record known to be on disk; 0 before the first.
    pub(crate) fn synced(&self) -> u64 {
        self.synced
    }

    /// Number of the active segment.
    pub(crate) fn segment(&self) -> u64 {
        self.active.header.number
    }

    /// Bytes of records that the active segment still takes as one batch.
    pub(crate) fn room(&self) -> u64 {
        let overhead = (BATCH_HEADER_BYTES + BATCH_TRAILER_BYTES) as u64;
        self.active.header.segment_bytes.saturating_sub(self.active.next_batch_at + overhead)
    }

    /// Bytes that the records of a buffer take in the active segment.
    pub(crate) fn bytes_of(&self, records: &RecordBuffer) -> usize {
        let seals = if self.active.data_key.is_some() { records.records() as usize * SEAL_BYTES } else { 0 };
        records.bytes() + seals
    }

    /// Whether the active segment is not sealed as the settings have it: what comes next belongs into a new one.
    pub(crate) fn must_change_segment(&self) -> bool {
        self.active.header.key_id != self.keys.newest()
    }

    /// Writes the records of all `buffers` as one batch. They are not durable until [`Log::sync`].
    ///
    /// The caller has made sure of [`Log::room`]; there must be at least one record.
    pub(crate) fn write<'a>(
        &mut self,
        buffers: impl Iterator<Item = &'a RecordBuffer>,
    ) -> Result<(), JournalError> {
        let first_sequence = self.next_sequence;
        let records = self.place(buffers)?;
        let offset = self.active.next_batch_at;
        let next_sequence = first_sequence + u64::from(records);
        let header = BatchHeader {
            batch_bytes: u32::try_from(self.buffer.len() + BATCH_TRAILER_BYTES)
                .map_err(|_| JournalError::Buffer { sequence: first_sequence })?,
            records,
            first_sequence,
            synced_through: self.synced,
            offset,
            key_id: self.active.header.key_id,
            nonce: if self.active.data_key.is_some() { self.nonce(first_sequence) } else { [0; 12] },
        };
        self.buffer[..BATCH_HEADER_BYTES].copy_from_slice(&header.encode(self.seed));
        let chain = chain_after(&self.chain, &self.buffer);
        self.buffer.extend_from_slice(&encode_trailer(self.seed, next_sequence - 1, &chain));
        self.buffer.resize(self.buffer.len().next_multiple_of(self.active.header.block_bytes as usize), 0);
        self.active
            .file
            .write_all_at(&self.buffer, offset)
            .map_err(|source| self.io("write a batch", source))?;
        self.active.next_batch_at = offset + self.buffer.len() as u64;
        self.next_sequence = next_sequence;
        self.chain = chain;
        Ok(())
    }

    /// Copies the records behind room for the batch header and gives each its place; how many there are.
    fn place<'a>(&mut self, buffers: impl Iterator<Item = &'a RecordBuffer>) -> Result<u32, JournalError> {
        self.buffer.clear();
        self.buffer.resize(BATCH_HEADER_BYTES, 0);
        if self.active.data_key.is_some() {
            self.copy_sealed(buffers)?;
        } else {
            buffers.for_each(|records| self.buffer.extend_from_slice(records.as_bytes()));
        }
        let mut at = BATCH_HEADER_BYTES;
        let mut records: u32 = 0;
        while at < self.buffer.len() {
            let sequence = self.next_sequence + u64::from(records);
            let broken = JournalError::Buffer { sequence };
            let record =
                self.buffer.get_mut(at..).and_then(|rest| place_record(self.seed, sequence, 0, rest));
            at += record.ok_or(broken)?;
            records += 1;
        }
        if records == 0 || at != self.buffer.len() {
            return Err(JournalError::Buffer { sequence: self.next_sequence });
        }
        Ok(records)
    }

    /// Copies the records with their payloads sealed. Sequence and epoch are filled in first: they are authenticated.
    fn copy_sealed<'a>(
        &mut self,
        buffers: impl Iterator<Item = &'a RecordBuffer>,
    ) -> Result<(), JournalError> {
        let mut sequence = self.next_sequence;
        for records in buffers {
            let mut rest = records.as_bytes();
            while !rest.is_empty() {
                let used = self.copy_one_sealed(sequence, rest).ok_or(JournalError::Buffer { sequence })?;
                rest = rest.get(used..).unwrap_or_default();
                sequence += 1;
            }
        }
        Ok(())
    }

    /// Copies the record at the front of `from`; how long it is there. `None` when it is not a record.
    fn copy_one_sealed(&mut self, sequence: u64, from: &[u8]) -> Option<usize> {
        let header = RecordHeader::decode(from)?;
        let payload_bytes = usize::try_from(header.payload_bytes).ok()?;
        let payload = from.get(RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + payload_bytes)?;
        let stored = payload_bytes + SEAL_BYTES;
        let flags = header.flags | FLAG_SEALED;
        let sealed = RecordHeader { payload_bytes: u32::try_from(stored).ok()?, sequence, flags, ..header };
        let head = sealed.encode();
        let start = self.buffer.len() + RECORD_HEADER_BYTES;
        self.buffer.extend_from_slice(&head);
        self.buffer.extend_from_slice(payload);
        self.buffer.resize(start + stored, 0);
        let nonce = self.nonce(sequence);
        self.active.data_key.as_ref()?.seal(nonce, &head[4..], self.buffer.get_mut(start..)?);
        self.buffer.resize(start - RECORD_HEADER_BYTES + record_bytes(stored), 0);
        Some(record_bytes(payload_bytes))
    }

    /// The nonce of a record in the active segment.
    fn nonce(&self, sequence: u64) -> [u8; 12] {
        // A segment of 1 GiB holds fewer than 2^25 records.
        let place = sequence.saturating_sub(self.active.header.first_sequence);
        self.salt.nonce(u32::try_from(place).unwrap_or(u32::MAX))
    }

    /// Makes every written batch durable.
    pub(crate) fn sync(&mut self) -> Result<(), JournalError> {
        self.active.file.sync().map_err(|source| self.io("sync a segment", source))?;
        self.synced = self.written();
        Ok(())
    }

    /// Ends the active segment, durable to its last byte, and continues in `spare`.
    pub(crate) fn change_segment(&mut self, spare: Spare, at_utc_micros: i64) -> Result<(), JournalError> {
        if self.synced < self.written() {
            self.sync()?;
        }
        let header = SegmentHeader {
            number: self.active.header.number + 1,
            first_sequence: self.next_sequence,
            segment_bytes: spare.bytes,
            block_bytes: self.block_bytes,
            opened_at_utc_micros: at_utc_micros,
            chain: self.chain,
            key_id: self.keys.newest(),
            ..self.active.header.clone()
        };
        let (file, data_key) = spare.activate(&*self.storage, &header, &self.keys)?;
        let next_batch_at = header.first_batch_at();
        self.seed = header.seed();
        self.active = ActiveSegment { file, header, next_batch_at, data_key };
        Ok(())
    }

    /// Writes the mark: what is synced and what was acknowledged. It reaches the disk with [`Log::sync_mark`].
    pub(crate) fn mark(&mut self, acknowledged: u64, clean: bool) -> Result<(), JournalError> {
        self.mark.write(Mark {
            node: self.active.header.node,
            clean,
            counter: 0,
            synced: self.synced,
            acknowledged,
            segment: self.active.header.number,
            offset: self.active.next_batch_at,
        })
    }

    /// Whether the newest mark may not be on disk yet.
    pub(crate) fn mark_is_unsynced(&self) -> bool {
        self.mark.is_unsynced()
    }

    /// Makes the newest mark durable.
    pub(crate) fn sync_mark(&mut self) -> Result<(), JournalError> {
        self.mark.sync()
    }

    fn io(&self, doing: &'static str, source: std::io::Error) -> JournalError {
        JournalError::io(doing, &self.storage.path(&segment_name(self.active.header.number)), source)
    }
}
