//! One record on disk: a fixed header, the payload, zero bytes up to the next multiple of eight.
//!
//! ```text
//! offset size field                                                             (all little-endian)
//!      0    4 checksum      CRC-32C, started from the segment's seed, over bytes 4..40 and the payload
//!      4    4 payload bytes length of the payload, without the padding after it
//!      8    8 sequence      position in the journal, first 1, no gaps
//!     16    8 time          microseconds since 1970-01-01 UTC, as decided by the lane
//!     24    4 epoch         reserved for replication; 0
//!     28    2 shard         which shard the fact belongs to
//!     30    1 kind          1 = fact
//!     31    1 flags         bit 0 = payload sealed (see `seal`); all others 0
//!     32    2 payload format version of the payload's encoding
//!     34    6 reserved      0
//!     40    n payload         sealed: ciphertext, then the tag of 16 bytes; bytes 4..40 are authenticated with it
//!   40+n  0-7 padding       0
//! ```
//!
//! Guarantees: the checksum covers the segment's identity through its seed (see `segment`), so a record read
//! from another segment, or from an earlier life of a recycled file, is not accepted. It does not interpret the
//! payload. Sequence, epoch and checksum are filled in by the writer thread, which alone knows the order.

use crate::layout::{FieldReader, FieldWriter};
use crate::seal::SEAL_BYTES;

/// Bytes of the fixed part in front of each payload.
pub const RECORD_HEADER_BYTES: usize = 40;

/// Most bytes one payload may have; bounds what recovery allocates or skips for one record.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// Records start at multiples of this, so that a header never straddles more than it must.
const RECORD_ALIGN: usize = 8;

/// The flag of a sealed payload.
pub(crate) const FLAG_SEALED: u8 = 1;

/// Flag bits a record of this format version may carry.
const FLAGS_KNOWN: u8 = FLAG_SEALED;

/// Most payload bytes in a record: a sealed payload is longer by its tag.
const STORED_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + SEAL_BYTES;

/// What a record is. New kinds get new numbers; a number is never used twice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RecordKind {
    /// Something that has become true; recovery applies it.
    Fact,
}

impl RecordKind {
    /// The number on disk.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fact => 1,
        }
    }

    /// The kind of a number on disk, if this version knows it.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Fact),
            _ => None,
        }
    }
}

/// The fixed part of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct RecordHeader {
    pub(crate) checksum: u32,
    pub(crate) payload_bytes: u32,
    pub(crate) sequence: u64,
    pub(crate) at_utc_micros: i64,
    pub(crate) epoch: u32,
    pub(crate) shard: u16,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) payload_version: u16,
}

impl RecordHeader {
    /// Whether the payload is sealed.
    pub(crate) fn is_sealed(&self) -> bool {
        self.flags & FLAG_SEALED != 0
    }

    pub(crate) fn encode(&self) -> [u8; RECORD_HEADER_BYTES] {
        FieldWriter::new()
            .put(&self.checksum.to_le_bytes())
            .put(&self.payload_bytes.to_le_bytes())
            .put(&self.sequence.to_le_bytes())
            .put(&self.at_utc_micros.to_le_bytes())
            .put(&self.epoch.to_le_bytes())
            .put(&self.shard.to_le_bytes())
            .put(&[self.kind, self.flags])
            .put(&self.payload_version.to_le_bytes())
            .finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = FieldReader::new(bytes.get(..RECORD_HEADER_BYTES)?);
        Some(Self {
            checksum: fields.u32()?,
            payload_bytes: fields.u32()?,
            sequence: fields.u64()?,
            at_utc_micros: fields.i64()?,
            epoch: fields.u32()?,
            shard: fields.u16()?,
            kind: fields.u8()?,
            flags: fields.u8()?,
            payload_version: fields.u16()?,
        })
    }
}

/// A record inside a segment's bytes, checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordView<'a> {
    pub(crate) header: RecordHeader,
    pub(crate) kind: RecordKind,
    pub(crate) payload: &'a [u8],
    /// Header, payload and padding.
    pub(crate) bytes: usize,
}

/// Why the bytes at a place are not a record of this segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RecordFault {
    /// Fewer bytes are left than the record needs.
    #[error("record needs {needed} bytes and {left} are left")]
    Short {
        /// Bytes the record claims.
        needed: usize,
        /// Bytes available.
        left: usize,
    },
    /// The payload length is over the bound.
    #[error("record claims a payload of {found} bytes, over the maximum of {STORED_BYTES_MAX}")]
    TooLong {
        /// Bytes claimed.
        found: u32,
    },
    /// The checksum does not match.
    #[error("record checksum is {found:08x}, its bytes give {computed:08x}")]
    Checksum {
        /// Checksum on disk.
        found: u32,
        /// Checksum of the bytes as read.
        computed: u32,
    },
    /// The checksum is right but this version does not know the kind or the flags.
    #[error("record kind {kind} with flags {flags:#04x} is unknown to this version")]
    Unknown {
        /// Kind on disk.
        kind: u8,
        /// Flags on disk.
        flags: u8,
    },
}

/// Bytes a record takes in a segment, padding included.
pub(crate) fn record_bytes(payload_bytes: usize) -> usize {
    (RECORD_HEADER_BYTES + payload_bytes).next_multiple_of(RECORD_ALIGN)
}

/// Reads and checks the record at the front of `bytes`.
pub(crate) fn read_record(seed: u32, bytes: &[u8]) -> Result<RecordView<'_>, RecordFault> {
    let short = |needed| RecordFault::Short { needed, left: bytes.len() };
    let header = RecordHeader::decode(bytes).ok_or(short(RECORD_HEADER_BYTES))?;
    let payload_bytes = usize::try_from(header.payload_bytes).unwrap_or(usize::MAX);
    if payload_bytes > STORED_BYTES_MAX {
        return Err(RecordFault::TooLong { found: header.payload_bytes });
    }
    let whole = record_bytes(payload_bytes);
    let covered = bytes.get(4..RECORD_HEADER_BYTES + payload_bytes).ok_or(short(whole))?;
    let computed = crc32c::crc32c_append(seed, covered);
    if computed != header.checksum {
        return Err(RecordFault::Checksum { found: header.checksum, computed });
    }
    let unknown = RecordFault::Unknown { kind: header.kind, flags: header.flags };
    let kind = RecordKind::from_code(header.kind).ok_or(unknown)?;
    if header.flags & !FLAGS_KNOWN != 0 {
        return Err(unknown);
    }
    if bytes.len() < whole {
        return Err(short(whole));
    }
    let payload = bytes.get(RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + payload_bytes).ok_or(short(whole))?;
    Ok(RecordView { header, kind, payload, bytes: whole })
}

/// Gives the record at the front of `bytes` its place in the journal and its checksum; returns its whole length.
/// `None` when the bytes are not a record, which only a mistake in [`crate::RecordBuffer`] could cause.
pub(crate) fn place_record(seed: u32, sequence: u64, epoch: u32, bytes: &mut [u8]) -> Option<usize> {
    let payload_bytes = usize::try_from(RecordHeader::decode(bytes)?.payload_bytes).ok()?;
    bytes.get_mut(8..16)?.copy_from_slice(&sequence.to_le_bytes());
    bytes.get_mut(24..28)?.copy_from_slice(&epoch.to_le_bytes());
    let checksum = crc32c::crc32c_append(seed, bytes.get(4..RECORD_HEADER_BYTES + payload_bytes)?);
    bytes.get_mut(..4)?.copy_from_slice(&checksum.to_le_bytes());
    Some(record_bytes(payload_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> RecordHeader {
        RecordHeader {
            checksum: 1,
            payload_bytes: 5,
            sequence: 3,
            at_utc_micros: -4,
            epoch: 0,
            shard: 255,
            kind: RecordKind::Fact.code(),
            flags: 0,
            payload_version: 1,
        }
    }

    fn placed(seed: u32) -> Vec<u8> {
        let mut bytes = sample().encode().to_vec();
        bytes.extend_from_slice(b"hello\0\0\0");
        assert_eq!(place_record(seed, 77, 0, &mut bytes), Some(48));
        bytes
    }

    #[test]
    fn a_header_survives_a_round_trip() {
        assert_eq!(RecordHeader::decode(&sample().encode()), Some(sample()));
    }

    #[test]
    fn a_placed_record_reads_back_with_its_sequence() {
        let bytes = placed(9);
        let view = read_record(9, &bytes).unwrap();
        assert_eq!((view.header.sequence, view.payload, view.bytes), (77, &b"hello"[..], 48));
    }

    #[test]
    fn a_record_of_another_segment_is_refused() {
        assert!(matches!(read_record(10, &placed(9)), Err(RecordFault::Checksum { .. })));
    }

    #[test]
    fn every_flipped_bit_outside_the_padding_is_noticed() {
        let bytes = placed(9);
        for bit in 0..45 * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read_record(9, &damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_record_cut_anywhere_is_noticed() {
        let bytes = placed(9);
        for length in 0..bytes.len() {
            assert!(read_record(9, &bytes[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn a_kind_of_a_later_version_is_named() {
        let mut bytes = placed(9);
        bytes[30] = 200;
        place_record(9, 77, 0, &mut bytes).unwrap();
        assert_eq!(read_record(9, &bytes).unwrap_err(), RecordFault::Unknown { kind: 200, flags: 0 });
    }
}
