//! A segment file: its name, its header, and the identity that every checksum inside it covers.
//!
//! ```text
//! segment-00000000000000000001.journal      number in the name and in the header
//!
//! block 0      header, 128 bytes; wrapped data key, 68 bytes, if the key id is not 0; zeros to the end of the block
//! block 1..    batches (see `batch`), each starting at a block boundary
//! the rest     zeros, written before the segment was taken into use
//!
//! offset size field                                                             (all little-endian)
//!      0    8 magic          "ASWJRNL\n"
//!      8    2 format version 1
//!     10    2 header bytes   128
//!     12    4 node           which switch wrote it
//!     16    8 number         first 1, no gaps
//!     24    8 first sequence sequence of the first record in this segment
//!     32    8 segment bytes  length of the file, header included
//!     40    4 block bytes    batches start at multiples of this; power of two, 512..=65536
//!     44    4 epoch          reserved for replication; 0
//!     48    8 time           of the record that opened the segment, microseconds UTC; 0 for the first
//!     56   32 chain          chain value (SHA-256) of the batch before this segment; zeros for the first
//!     88    4 key id         of the sealing key that wraps the data key (see `seal`); 0 = payloads are in clear
//!     92   32 reserved       0
//!    124    4 checksum       CRC-32C over bytes 0..124
//! wrapped data key, zeros when the key id is 0
//!    128    4 magic          "WKEY"
//!    132    4 checksum       CRC-32C, started from the segment's seed, over bytes 136..196
//!    136   12 nonce
//!    148   48 data key       AES-256-GCM under the sealing key, bytes 0..124 authenticated; the last 16 are the tag
//! ```
//!
//! The header's checksum is the **seed** of every checksum in the segment. It covers node, number, first
//! sequence and the chain of everything before, so bytes of another segment, another journal or an earlier life
//! of a recycled file never pass for bytes of this one.
//!
//! Guarantees: a segment appears under its name only with a whole header and zeros behind it (see `spare`), so
//! a bad header is damage and never an interrupted start.

use crate::layout::{FieldReader, FieldWriter};
use crate::seal::{DataKey, KeyId, SealError, SealingKeys, WRAPPED_BYTES};

/// Version of the format drawn in this crate.
pub const FORMAT_VERSION: u16 = 1;

/// Bytes of the segment header.
pub const SEGMENT_HEADER_BYTES: usize = 128;

/// Smallest block: the sector that disks write whole or not at all.
pub const BLOCK_BYTES_MIN: u32 = 512;

/// Largest block.
pub const BLOCK_BYTES_MAX: u32 = 65_536;

/// Largest segment; bounds what recovery reads into memory at once.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// SHA-256 over everything before: the chain that binds batches and segments.
pub type Chain = [u8; 32];

/// What the first segment's first batch is chained to.
pub const CHAIN_START: Chain = [0; 32];

const MAGIC: [u8; 8] = *b"ASWJRNL\n";
const CHECKSUM_AT: usize = SEGMENT_HEADER_BYTES - 4;
const WRAPPED_MAGIC: [u8; 4] = *b"WKEY";
const WRAPPED_AT: usize = SEGMENT_HEADER_BYTES + 8;
/// What is written in front of the first batch: the header and the wrapped data key.
const FRONT_BYTES: usize = WRAPPED_AT + WRAPPED_BYTES;
const NAME_PREFIX: &str = "segment-";
const NAME_SUFFIX: &str = ".journal";

/// The header of a segment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SegmentHeader {
    /// Which switch wrote it.
    pub node: u32,
    /// Position among the segments, first 1.
    pub number: u64,
    /// Sequence of its first record.
    pub first_sequence: u64,
    /// Length of the file.
    pub segment_bytes: u64,
    /// Batches start at multiples of this.
    pub block_bytes: u32,
    /// When it was opened, microseconds UTC.
    pub opened_at_utc_micros: i64,
    /// Chain value of everything before.
    pub chain: Chain,
    /// The sealing key that its data key is wrapped under; 0 when payloads are in clear.
    pub key_id: KeyId,
}

/// Why bytes are not a segment header.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HeaderFault {
    /// Fewer bytes than a header.
    #[error("file of {found} bytes is shorter than a segment header of {SEGMENT_HEADER_BYTES}")]
    Short {
        /// Bytes in the file.
        found: usize,
    },
    /// Not a journal segment at all.
    #[error("file does not start with the journal's magic")]
    Magic,
    /// Written by a later version.
    #[error("format version {found} is unknown, this build reads version {FORMAT_VERSION}")]
    Version {
        /// Version on disk.
        found: u16,
    },
    /// The checksum does not match.
    #[error("header checksum is {found:08x}, its bytes give {computed:08x}")]
    Checksum {
        /// Checksum on disk.
        found: u32,
        /// Checksum of the bytes as read.
        computed: u32,
    },
    /// A field is outside what this version writes, although the checksum holds.
    #[error("header field {field} is {found}, allowed is {allowed}")]
    Field {
        /// Which field.
        field: &'static str,
        /// Value on disk.
        found: u64,
        /// What is allowed.
        allowed: &'static str,
    },
}

impl SegmentHeader {
    /// Where the first batch starts.
    #[must_use]
    pub fn first_batch_at(&self) -> u64 {
        u64::from(self.block_bytes)
    }

    /// The start value of every checksum in the segment.
    #[must_use]
    pub fn seed(&self) -> u32 {
        crc32c::crc32c(&self.fields()[..CHECKSUM_AT])
    }

    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = self.fields();
        let checksum = crc32c::crc32c(&bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn fields(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        FieldWriter::new()
            .put(&MAGIC)
            .put(&FORMAT_VERSION.to_le_bytes())
            .put(&u16::try_from(SEGMENT_HEADER_BYTES).unwrap_or(u16::MAX).to_le_bytes())
            .put(&self.node.to_le_bytes())
            .put(&self.number.to_le_bytes())
            .put(&self.first_sequence.to_le_bytes())
            .put(&self.segment_bytes.to_le_bytes())
            .put(&self.block_bytes.to_le_bytes())
            .put(&0_u32.to_le_bytes())
            .put(&self.opened_at_utc_micros.to_le_bytes())
            .put(&self.chain)
            .put(&self.key_id.to_le_bytes())
            .finish()
    }

    /// What is written in front of the first batch, with a new data key if the segment is to be sealed.
    pub(crate) fn front(
        &self,
        keys: &SealingKeys,
    ) -> Result<([u8; FRONT_BYTES], Option<DataKey>), SealError> {
        let mut bytes = [0; FRONT_BYTES];
        bytes[..SEGMENT_HEADER_BYTES].copy_from_slice(&self.encode());
        if self.key_id == 0 {
            return Ok((bytes, None));
        }
        let made = keys.new_data_key(&self.fields()[..CHECKSUM_AT])?;
        let missing = || SealError::Missing { id: self.key_id, known: keys.ids() };
        let (data_key, wrapped) = made.filter(|_| keys.newest() == self.key_id).ok_or_else(missing)?;
        let checksum = crc32c::crc32c_append(self.seed(), &wrapped);
        bytes[SEGMENT_HEADER_BYTES..SEGMENT_HEADER_BYTES + 4].copy_from_slice(&WRAPPED_MAGIC);
        bytes[SEGMENT_HEADER_BYTES + 4..WRAPPED_AT].copy_from_slice(&checksum.to_le_bytes());
        bytes[WRAPPED_AT..].copy_from_slice(&wrapped);
        Ok((bytes, Some(data_key)))
    }

    /// The data key of a segment whose first bytes are `bytes`; `None` when its payloads are in clear.
    pub(crate) fn data_key(&self, bytes: &[u8], keys: &SealingKeys) -> Result<Option<DataKey>, SealError> {
        if self.key_id == 0 {
            return Ok(None);
        }
        if !keys.ids().contains(&self.key_id) {
            return Err(SealError::Missing { id: self.key_id, known: keys.ids() });
        }
        let wrapped = self.wrapped(bytes).ok_or(SealError::DoesNotOpen)?;
        keys.unwrap(self.key_id, &wrapped, &self.fields()[..CHECKSUM_AT]).map(Some)
    }

    /// Whether the wrapped data key is whole, as far as can be told without a key.
    pub(crate) fn has_whole_data_key(&self, bytes: &[u8]) -> bool {
        self.key_id == 0 || self.wrapped(bytes).is_some()
    }

    fn wrapped(&self, bytes: &[u8]) -> Option<[u8; WRAPPED_BYTES]> {
        let mut fields = FieldReader::new(bytes.get(SEGMENT_HEADER_BYTES..FRONT_BYTES)?);
        let magic = fields.array::<4>()?;
        let checksum = fields.u32()?;
        let wrapped = fields.array::<WRAPPED_BYTES>()?;
        let whole = magic == WRAPPED_MAGIC && checksum == crc32c::crc32c_append(self.seed(), &wrapped);
        whole.then_some(wrapped)
    }

    /// Reads and checks a header at the front of a segment's bytes.
    ///
    /// # Errors
    /// Says which check failed, in the order magic, version, checksum, fields.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let short = HeaderFault::Short { found: bytes.len() };
        let header = bytes.get(..SEGMENT_HEADER_BYTES).ok_or(short.clone())?;
        let mut fields = FieldReader::new(header);
        if fields.array::<8>() != Some(MAGIC) {
            return Err(HeaderFault::Magic);
        }
        let version = fields.u16().ok_or(short.clone())?;
        if version != FORMAT_VERSION {
            return Err(HeaderFault::Version { found: version });
        }
        let mut stored = FieldReader::new(&header[CHECKSUM_AT..]);
        let found = stored.u32().ok_or(short.clone())?;
        let computed = crc32c::crc32c(&header[..CHECKSUM_AT]);
        if found != computed {
            return Err(HeaderFault::Checksum { found, computed });
        }
        Self::decode_fields(&mut fields).ok_or(short)?.checked()
    }

    fn decode_fields(fields: &mut FieldReader<'_>) -> Option<Self> {
        let _header_bytes = fields.u16()?;
        let node = fields.u32()?;
        let number = fields.u64()?;
        let first_sequence = fields.u64()?;
        let segment_bytes = fields.u64()?;
        let block_bytes = fields.u32()?;
        let _epoch = fields.u32()?;
        let opened_at_utc_micros = fields.i64()?;
        let chain = fields.array()?;
        let key_id = fields.u32()?;
        Some(Self {
            node,
            number,
            first_sequence,
            segment_bytes,
            block_bytes,
            opened_at_utc_micros,
            chain,
            key_id,
        })
    }

    fn checked(self) -> Result<Self, HeaderFault> {
        let field = |field, found, allowed| Err(HeaderFault::Field { field, found, allowed });
        if !is_block_size(self.block_bytes) {
            return field("block bytes", u64::from(self.block_bytes), "a power of two from 512 to 65536");
        }
        if self.segment_bytes > SEGMENT_BYTES_MAX || self.segment_bytes < 2 * u64::from(self.block_bytes) {
            return field("segment bytes", self.segment_bytes, "two blocks to 1 GiB");
        }
        if self.number == 0 {
            return field("number", 0, "1 or more");
        }
        if self.first_sequence == 0 {
            return field("first sequence", 0, "1 or more");
        }
        Ok(self)
    }
}

/// Whether batches may be aligned to blocks of this size.
#[must_use]
pub fn is_block_size(bytes: u32) -> bool {
    bytes.is_power_of_two() && (BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&bytes)
}

/// The file name of segment `number`.
#[must_use]
pub fn segment_name(number: u64) -> String {
    format!("{NAME_PREFIX}{number:020}{NAME_SUFFIX}")
}

/// The number in a segment's file name; `None` for any other file.
#[must_use]
pub fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(NAME_PREFIX)?.strip_suffix(NAME_SUFFIX)?;
    let number = digits.parse().ok()?;
    (segment_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SegmentHeader {
        SegmentHeader {
            node: 3,
            number: 12,
            first_sequence: 4_001,
            segment_bytes: 8192,
            block_bytes: 512,
            opened_at_utc_micros: 1_763_600_000_000_000,
            chain: [0xab; 32],
            key_id: 0,
        }
    }

    #[test]
    fn a_header_survives_a_round_trip() {
        assert_eq!(SegmentHeader::decode(&sample().encode()), Ok(sample()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for bit in 0..SEGMENT_HEADER_BYTES * 8 {
            let mut bytes = sample().encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_later_format_version_is_named_before_the_checksum_is_judged() {
        let mut bytes = sample().encode();
        bytes[8] = 2;
        let error = SegmentHeader::decode(&bytes).unwrap_err();
        assert_eq!(error.to_string(), "format version 2 is unknown, this build reads version 1");
    }

    #[test]
    fn the_seed_differs_between_segments() {
        let other = SegmentHeader { number: 13, ..sample() };
        assert_ne!(sample().seed(), other.seed());
    }

    #[test]
    fn an_impossible_length_is_refused_before_it_is_allocated() {
        let huge = SegmentHeader { segment_bytes: u64::MAX, ..sample() };
        assert!(matches!(SegmentHeader::decode(&huge.encode()), Err(HeaderFault::Field { .. })));
    }

    #[test]
    fn only_exact_names_are_segments() {
        assert_eq!(segment_number(&segment_name(42)), Some(42));
        for name in ["segment-42.journal", "segment-0000000000000000004x.journal", "mark", "segment-.journal"]
        {
            assert_eq!(segment_number(name), None, "{name}");
        }
    }
}
