//! A batch on disk: what one write carries and one sync makes durable, whole or not at all.
//!
//! ```text
//! header, 64 bytes                                                              (all little-endian)
//!      0    4 magic           "BTCH"
//!      4    4 checksum        CRC-32C, started from the segment's seed, over bytes 8..64
//!      8    4 batch bytes     header, records and trailer; without the zeros up to the next block
//!     12    4 records         how many, at least 1
//!     16    8 first sequence  of its first record; the others follow without a gap
//!     24    8 synced through  highest sequence known to be on disk when this batch was written
//!     32    8 offset          where in its segment this batch was written
//!     40    4 key id          as in its segment; 0 = payloads in clear
//!     44   12 nonce           record i is sealed under nonce + i, counted in the last 4 bytes (see `seal`)
//!     56    8 reserved        0
//! records                     one after another (see `record`)
//! trailer, 48 bytes
//!      0    4 magic           "TRLR"
//!      4    4 checksum        CRC-32C, started from the segment's seed, over bytes 8..48
//!      8    8 last sequence   of its last record
//!     16   32 chain           SHA-256 over the chain before, the header and the records
//! zeros                       up to the next multiple of the segment's block size
//! ```
//!
//! - Every batch starts in a block of its own, so writing one never rewrites a sector of an acknowledged one.
//! - `offset` exposes a write that the disk put in the wrong place. `synced through` proves, to whoever finds this
//!   batch, that everything up to there had been synced: a hole below it is damage and not a torn write.
//! - CRC-32C finds accidents and costs nearly nothing, but 32 bits bind nothing together. The chain is SHA-256,
//!   computed once a batch (1-2 GB/s with the instructions that current processors have, beside a disk that
//!   takes a tenth of that): a lost, swapped, repeated or edited batch breaks it, and whoever has kept one chain
//!   value can later prove that nothing before it was changed.
//!
//! This module reads and writes bytes in memory; what a fault means is judged in `recovery`.

use sha2::{Digest, Sha256};

use crate::layout::{FieldReader, FieldWriter, round_up};
use crate::record::{RecordFault, RecordView, read_record};
use crate::seal::KeyId;
use crate::segment::Chain;

/// Bytes in front of a batch's records.
pub const BATCH_HEADER_BYTES: usize = 64;

/// Bytes behind a batch's records.
pub const BATCH_TRAILER_BYTES: usize = 48;

const HEADER_MAGIC: [u8; 4] = *b"BTCH";
const TRAILER_MAGIC: [u8; 4] = *b"TRLR";

/// The fixed part in front of a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BatchHeader {
    pub(crate) batch_bytes: u32,
    pub(crate) records: u32,
    pub(crate) first_sequence: u64,
    pub(crate) synced_through: u64,
    pub(crate) offset: u64,
    pub(crate) key_id: KeyId,
    pub(crate) nonce: [u8; 12],
}

/// Why the bytes at a place are not a whole batch of this segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BatchFault {
    /// No batch starts here.
    #[error("no batch starts here")]
    NoHeader,
    /// The header's checksum does not match.
    #[error("batch header checksum is {found:08x}, its bytes give {computed:08x}")]
    HeaderChecksum {
        /// Checksum on disk.
        found: u32,
        /// Checksum of the bytes as read.
        computed: u32,
    },
    /// The header says it was written elsewhere.
    #[error("batch was written for offset {written_for}")]
    Misplaced {
        /// The offset in the header.
        written_for: u64,
    },
    /// The length in the header cannot be.
    #[error("batch claims {found} bytes, {left} are left in the segment")]
    Length {
        /// Bytes claimed.
        found: u32,
        /// Bytes left.
        left: usize,
    },
    /// The batch names another sealing key than its segment.
    #[error("batch is sealed under key {found:08x}, its segment under {expected:08x}")]
    OtherKey {
        /// The key id in the batch.
        found: KeyId,
        /// The key id in the segment.
        expected: KeyId,
    },
    /// A record is sealed and its batch is not, or the other way round.
    #[error("record {sequence} and its batch disagree about being sealed")]
    Seal {
        /// Which record.
        sequence: u64,
    },
    /// A record is damaged.
    #[error("record {sequence} at byte {at} of the batch: {fault}")]
    Record {
        /// Sequence the record should have.
        sequence: u64,
        /// Where in the batch.
        at: usize,
        /// What is wrong.
        fault: RecordFault,
    },
    /// A record is whole but not the one that belongs here.
    #[error("record at byte {at} of the batch has sequence {found}, expected {expected}")]
    RecordOrder {
        /// Where in the batch.
        at: usize,
        /// Sequence on disk.
        found: u64,
        /// Sequence that belongs here.
        expected: u64,
    },
    /// The trailer is missing, damaged, or does not fit the header.
    #[error("batch trailer is missing or damaged")]
    Trailer,
    /// The batch is whole but does not continue the journal.
    #[error("batch starts at sequence {found}, expected {expected}")]
    Sequence {
        /// Sequence on disk.
        found: u64,
        /// Sequence that belongs here.
        expected: u64,
    },
    /// The batch is whole but what lies before it is not what it was written after.
    #[error("batch is not chained to the one before it")]
    Chain,
}

/// A batch inside a segment's bytes, every checksum checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchView<'a> {
    pub(crate) header: BatchHeader,
    /// Where the records start in the segment.
    pub(crate) records_at: u64,
    /// The records' bytes.
    pub(crate) records: &'a [u8],
    pub(crate) last_sequence: u64,
    chain: Chain,
    header_bytes: &'a [u8],
}

impl BatchHeader {
    /// The header's bytes, checksum included.
    pub(crate) fn encode(&self, seed: u32) -> [u8; BATCH_HEADER_BYTES] {
        let mut bytes = FieldWriter::new()
            .put(&HEADER_MAGIC)
            .put(&[0; 4])
            .put(&self.batch_bytes.to_le_bytes())
            .put(&self.records.to_le_bytes())
            .put(&self.first_sequence.to_le_bytes())
            .put(&self.synced_through.to_le_bytes())
            .put(&self.offset.to_le_bytes())
            .put(&self.key_id.to_le_bytes())
            .put(&self.nonce)
            .finish();
        let checksum = crc32c::crc32c_append(seed, &bytes[8..]);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(seed: u32, bytes: &[u8]) -> Result<Self, BatchFault> {
        let header = bytes.get(..BATCH_HEADER_BYTES).ok_or(BatchFault::NoHeader)?;
        let mut fields = FieldReader::new(header);
        if fields.array::<4>() != Some(HEADER_MAGIC) {
            return Err(BatchFault::NoHeader);
        }
        let found = fields.u32().ok_or(BatchFault::NoHeader)?;
        let computed = crc32c::crc32c_append(seed, &header[8..]);
        if found != computed {
            return Err(BatchFault::HeaderChecksum { found, computed });
        }
        Self::decode_fields(&mut fields).ok_or(BatchFault::NoHeader)
    }

    fn decode_fields(fields: &mut FieldReader<'_>) -> Option<Self> {
        let batch_bytes = fields.u32()?;
        let records = fields.u32()?;
        let first_sequence = fields.u64()?;
        let synced_through = fields.u64()?;
        let offset = fields.u64()?;
        let key_id = fields.u32()?;
        let nonce = fields.array()?;
        Some(Self { batch_bytes, records, first_sequence, synced_through, offset, key_id, nonce })
    }
}

/// The trailer's bytes.
pub(crate) fn encode_trailer(seed: u32, last_sequence: u64, chain: &Chain) -> [u8; BATCH_TRAILER_BYTES] {
    let mut bytes = FieldWriter::new()
        .put(&TRAILER_MAGIC)
        .put(&[0; 4])
        .put(&last_sequence.to_le_bytes())
        .put(chain)
        .finish();
    let checksum = crc32c::crc32c_append(seed, &bytes[8..]);
    bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The chain value after a batch whose header and records are `batch`.
pub(crate) fn chain_after(before: &Chain, batch: &[u8]) -> Chain {
    Sha256::new().chain_update(before).chain_update(batch).finalize().into()
}

/// Reads the batch that starts at `offset` of a segment and checks everything in it by itself: header, each
/// record, trailer. Whether it continues the journal is asked with [`BatchView::follows`].
pub(crate) fn read_batch(seed: u32, segment: &[u8], offset: u64) -> Result<BatchView<'_>, BatchFault> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let bytes = segment.get(start..).unwrap_or_default();
    let header = BatchHeader::decode(seed, bytes)?;
    if header.offset != offset {
        return Err(BatchFault::Misplaced { written_for: header.offset });
    }
    let wrong_length = BatchFault::Length { found: header.batch_bytes, left: bytes.len() };
    let length = usize::try_from(header.batch_bytes).map_err(|_| wrong_length)?;
    let records_end = length.checked_sub(BATCH_TRAILER_BYTES).ok_or(wrong_length)?;
    let whole = bytes.get(..length).ok_or(wrong_length)?;
    let records = whole.get(BATCH_HEADER_BYTES..records_end).ok_or(wrong_length)?;
    let last_sequence = check_records(seed, &header, records)?;
    let (trailer_last, chain) = read_trailer(seed, &whole[records_end..]).ok_or(BatchFault::Trailer)?;
    if trailer_last != last_sequence {
        return Err(BatchFault::Trailer);
    }
    let header_bytes = &whole[..BATCH_HEADER_BYTES];
    let records_at = offset + BATCH_HEADER_BYTES as u64;
    Ok(BatchView { header, records_at, records, last_sequence, chain, header_bytes })
}

/// Checks every record of a batch; the sequence of the last one.
fn check_records(seed: u32, header: &BatchHeader, records: &[u8]) -> Result<u64, BatchFault> {
    let mut rest = records;
    let mut last = None;
    let mut expected = header.first_sequence;
    for _ in 0..header.records {
        let at = BATCH_HEADER_BYTES + records.len() - rest.len();
        let record =
            read_record(seed, rest).map_err(|fault| BatchFault::Record { sequence: expected, at, fault })?;
        if record.header.sequence != expected {
            return Err(BatchFault::RecordOrder { at, found: record.header.sequence, expected });
        }
        if record.header.is_sealed() != (header.key_id != 0) {
            return Err(BatchFault::Seal { sequence: expected });
        }
        rest = rest.get(record.bytes..).unwrap_or_default();
        last = Some(expected);
        expected = expected.checked_add(1).ok_or(BatchFault::Trailer)?;
    }
    if rest.is_empty() { last.ok_or(BatchFault::Trailer) } else { Err(BatchFault::Trailer) }
}

fn read_trailer(seed: u32, trailer: &[u8]) -> Option<(u64, Chain)> {
    let mut fields = FieldReader::new(trailer);
    let magic = fields.array::<4>()?;
    let checksum = fields.u32()?;
    let covered = trailer.get(8..BATCH_TRAILER_BYTES)?;
    let last_sequence = fields.u64()?;
    let chain = fields.array()?;
    (magic == TRAILER_MAGIC && checksum == crc32c::crc32c_append(seed, covered))
        .then_some((last_sequence, chain))
}

impl<'a> BatchView<'a> {
    /// Checks that this batch continues a journal that stands at `next_sequence` and `chain`; its chain value.
    pub(crate) fn follows(&self, next_sequence: u64, chain: &Chain) -> Result<Chain, BatchFault> {
        let found = self.header.first_sequence;
        if found != next_sequence {
            return Err(BatchFault::Sequence { found, expected: next_sequence });
        }
        let hash =
            Sha256::new().chain_update(chain).chain_update(self.header_bytes).chain_update(self.records);
        if Chain::from(hash.finalize()) == self.chain { Ok(self.chain) } else { Err(BatchFault::Chain) }
    }

    /// Where the next batch may start: the first block boundary behind this batch.
    pub(crate) fn next_batch_at(&self, block_bytes: u32) -> u64 {
        let end = self.header.offset.saturating_add(u64::from(self.header.batch_bytes));
        round_up(end, u64::from(block_bytes)).unwrap_or(u64::MAX)
    }

    /// The records in order, each with its offset in the segment.
    pub(crate) fn records(&self, seed: u32) -> impl Iterator<Item = (u64, RecordView<'a>)> + use<'a> {
        let mut rest = self.records;
        let mut at = self.records_at;
        std::iter::from_fn(move || {
            // Checked by `read_batch` already: a second failure is impossible and would end the iteration.
            let record = read_record(seed, rest).ok()?;
            let offset = at;
            rest = rest.get(record.bytes..).unwrap_or_default();
            at += record.bytes as u64;
            Some((offset, record))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::RecordBuffer;
    use crate::record::place_record;
    use crate::segment::CHAIN_START;

    const SEED: u32 = 99;
    const OFFSET: u64 = 512;

    /// A batch of two records, 5 and 6, where a segment would have it.
    fn segment() -> Vec<u8> {
        let mut records = RecordBuffer::new();
        records.push_encoded(1, 2, 1, b"first").unwrap();
        records.push_encoded(1, 2, 1, b"and the second").unwrap();
        let mut batch = vec![0; BATCH_HEADER_BYTES];
        batch.extend_from_slice(records.as_bytes());
        let second = BATCH_HEADER_BYTES + place_record(SEED, 5, 0, &mut batch[BATCH_HEADER_BYTES..]).unwrap();
        place_record(SEED, 6, 0, &mut batch[second..]).unwrap();
        let batch_bytes = u32::try_from(batch.len() + BATCH_TRAILER_BYTES).unwrap();
        let header = BatchHeader {
            batch_bytes,
            records: 2,
            first_sequence: 5,
            synced_through: 4,
            offset: OFFSET,
            key_id: 0,
            nonce: [0; 12],
        };
        batch[..BATCH_HEADER_BYTES].copy_from_slice(&header.encode(SEED));
        let chain = chain_after(&CHAIN_START, &batch);
        batch.extend_from_slice(&encode_trailer(SEED, 6, &chain));
        let mut segment = vec![0; OFFSET as usize];
        segment.extend_from_slice(&batch);
        segment.resize(2048, 0);
        segment
    }

    #[test]
    fn a_batch_reads_back_and_follows_what_it_was_written_after() {
        let segment = segment();
        let batch = read_batch(SEED, &segment, OFFSET).unwrap();
        assert_eq!((batch.header.first_sequence, batch.last_sequence), (5, 6));
        assert_eq!(batch.next_batch_at(512), 1024);
        let payloads: Vec<&[u8]> = batch.records(SEED).map(|(_, record)| record.payload).collect();
        assert_eq!(payloads, [&b"first"[..], b"and the second"]);
        batch.follows(5, &CHAIN_START).unwrap();
        assert_eq!(batch.follows(4, &CHAIN_START), Err(BatchFault::Sequence { found: 5, expected: 4 }));
        assert_eq!(batch.follows(5, &[1; 32]), Err(BatchFault::Chain));
    }

    #[test]
    fn every_flipped_bit_is_noticed_without_the_chain_or_by_it() {
        let good = segment();
        let end = OFFSET as usize + read_batch(SEED, &good, OFFSET).unwrap().header.batch_bytes as usize;
        for bit in OFFSET as usize * 8..end * 8 {
            let mut segment = good.clone();
            segment[bit / 8] ^= 1 << (bit % 8);
            match read_batch(SEED, &segment, OFFSET) {
                Err(_) => {}
                // Only padding between records is outside every checksum; the chain covers it.
                Ok(batch) => {
                    let in_batch = bit / 8 - OFFSET as usize;
                    assert!(in_batch >= BATCH_HEADER_BYTES + 45, "bit {bit}");
                    assert_eq!(batch.follows(5, &CHAIN_START), Err(BatchFault::Chain), "bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_batch_in_the_wrong_place_is_named() {
        let mut segment = segment();
        segment.copy_within(512..1024, 1024);
        let fault = read_batch(SEED, &segment, 1024).unwrap_err();
        assert_eq!(fault.to_string(), "batch was written for offset 512");
    }

    #[test]
    fn a_batch_cut_anywhere_is_noticed() {
        let segment = segment();
        for length in 0..700 {
            assert!(read_batch(SEED, &segment[..length], OFFSET).is_err(), "length {length}");
        }
    }
}
