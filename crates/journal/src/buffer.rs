//! The records of one batch, encoded by the lane in their final layout.
//!
//! The lane does the encoding, in parallel with other lanes; the writer thread only fills in what needs the global
//! order (sequence, epoch, checksum) while it copies the records into its write buffer. A used buffer goes back to
//! the lanes with its memory, so a warm journal allocates nothing per batch.
//!
//! Bound: the buffer itself does not refuse growth; [`crate::JournalHandle::append`] refuses a batch over
//! `batch_bytes_max`, and a lane seals its batch before that by looking at [`RecordBuffer::bytes`].

use serde::Serialize;

use crate::payload::{self, PAYLOAD_VERSION, PayloadError};
use crate::record::{PAYLOAD_BYTES_MAX, RECORD_HEADER_BYTES, RecordHeader, RecordKind, record_bytes};

/// Buffers that once grew beyond this are given back to the allocator instead of being kept.
const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Records waiting to be written, in order.
#[derive(Debug, Default)]
pub struct RecordBuffer {
    bytes: Vec<u8>,
    records: u32,
    exposure: u64,
    /// Time of the first record; names the moment a segment was opened.
    first_at_utc_micros: i64,
}

impl RecordBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a fact.
    ///
    /// # Errors
    /// The fact cannot be encoded or is over [`PAYLOAD_BYTES_MAX`]; the buffer is then as it was.
    pub fn push<F>(&mut self, shard: u16, at_utc_micros: i64, fact: &F) -> Result<(), PayloadError>
    where
        F: Serialize + ?Sized,
    {
        self.push_with(shard, at_utc_micros, PAYLOAD_VERSION, |out| payload::encode(fact, out))
    }

    /// Appends a record whose payload is already encoded as `payload_version`.
    ///
    /// # Errors
    /// The payload is over [`PAYLOAD_BYTES_MAX`]; the buffer is then as it was.
    pub fn push_encoded(
        &mut self,
        shard: u16,
        at_utc_micros: i64,
        payload_version: u16,
        payload: &[u8],
    ) -> Result<(), PayloadError> {
        self.push_with(shard, at_utc_micros, payload_version, |out| {
            out.extend_from_slice(payload);
            Ok(())
        })
    }

    fn push_with(
        &mut self,
        shard: u16,
        at_utc_micros: i64,
        payload_version: u16,
        write_payload: impl FnOnce(&mut Vec<u8>) -> Result<(), PayloadError>,
    ) -> Result<(), PayloadError> {
        let start = self.bytes.len();
        let payload_at = start + RECORD_HEADER_BYTES;
        self.bytes.resize(payload_at, 0);
        let outcome = write_payload(&mut self.bytes);
        let found = self.bytes.len().saturating_sub(payload_at);
        let bounded = u32::try_from(found).ok().filter(|_| found <= PAYLOAD_BYTES_MAX);
        let Some(payload_bytes) = bounded.filter(|_| outcome.is_ok()) else {
            self.bytes.truncate(start);
            return outcome.and(Err(PayloadError::TooLong { found }));
        };
        self.bytes.resize(start + record_bytes(found), 0);
        let header = RecordHeader {
            checksum: 0,
            payload_bytes,
            sequence: 0,
            at_utc_micros,
            epoch: 0,
            shard,
            kind: RecordKind::Fact.code(),
            flags: 0,
            payload_version,
        };
        self.bytes[start..payload_at].copy_from_slice(&header.encode());
        if self.records == 0 {
            self.first_at_utc_micros = at_utc_micros;
        }
        self.records += 1;
        Ok(())
    }

    /// Adds to what would be lost with this batch if it never reached the disk, in a unit of the caller's choice
    /// (minor units of the programme's currency). Counted in [`crate::Exposure`] in modes `os` and `memory`.
    pub fn add_exposure(&mut self, amount: u64) {
        self.exposure = self.exposure.saturating_add(amount);
    }

    /// How many records.
    #[must_use]
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Bytes the records take on disk, without the batch's own header and trailer.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// What was added with [`RecordBuffer::add_exposure`].
    #[must_use]
    pub fn exposure(&self) -> u64 {
        self.exposure
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Empties the buffer and keeps its memory, up to a bound.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.records = 0;
        self.exposure = 0;
        self.first_at_utc_micros = 0;
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn first_at_utc_micros(&self) -> i64 {
        self.first_at_utc_micros
    }
}

/// A lane's records, and what to let go once they are safe.
#[derive(Debug)]
pub struct Batch<R> {
    /// The records; may be empty when the release only has to keep its place in the order.
    pub records: RecordBuffer,
    /// Given back, in order, when the records are acknowledged.
    pub release: R,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_over_the_bound_leaves_the_buffer_as_it_was() {
        let mut buffer = RecordBuffer::new();
        buffer.push(1, 2, "fits").unwrap();
        let before = buffer.as_bytes().to_vec();
        let error = buffer.push_encoded(1, 2, 1, &vec![0; PAYLOAD_BYTES_MAX + 1]).unwrap_err();
        assert!(matches!(error, PayloadError::TooLong { found } if found == PAYLOAD_BYTES_MAX + 1));
        assert!(buffer.push(1, 2, &vec![0_u8; PAYLOAD_BYTES_MAX]).is_err());
        assert_eq!((buffer.as_bytes(), buffer.records()), (&before[..], 1));
    }

    #[test]
    fn a_cleared_buffer_is_empty_and_keeps_its_memory() {
        let mut buffer = RecordBuffer::new();
        buffer.push_encoded(1, 2, 1, &[0; 100]).unwrap();
        buffer.add_exposure(5);
        let capacity = buffer.bytes.capacity();
        buffer.clear();
        assert!(buffer.is_empty());
        assert_eq!((buffer.bytes(), buffer.exposure(), buffer.bytes.capacity()), (0, 0, capacity));
    }
}
