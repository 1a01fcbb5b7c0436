//! Snapshots: the state after some record, so that recovery need not begin with the first one.
//!
//! A snapshot is a file of **slices**: opaque bytes that a shard made of itself, a piece at a time, so that no
//! decision waits for a whole shard. Each slice says after which record it was made; recovery applies to a shard the
//! records behind that.
//!
//! ```text
//! snapshot-00000000000000000001.journal     generation in the name and in the header
//!
//! header, 128 bytes                                                             (all little-endian)
//!      0    8 magic           "ASWSNAP\n"
//!      8    2 format version  1
//!     10    2 header bytes    128
//!     12    4 node
//!     16    8 generation      first 1
//!     24    8 through         every slice holds at least the records up to here
//!     32    8 time            microseconds since 1970-01-01 UTC
//!     40    4 key id          of the sealing key that wraps the data key (see `seal`); 0 = slices in clear
//!     44   60 data key        nonce of 12 bytes, then the wrapped key with its tag, bytes 0..40 authenticated
//!    104   20 reserved        0
//!    124    4 checksum        CRC-32C over bytes 0..124; the seed of every checksum in the file
//! slices, one after another
//!      0    4 magic           "SLIC"
//!      4    4 checksum        CRC-32C, started from the seed, over bytes 8..40 and the payload
//!      8    4 payload bytes   at most 16 MiB; sealed, 16 more: ciphertext, then the tag
//!     12    2 shard
//!     14    2 kind            the caller's: 1 = state, 2 = control totals, ...
//!     16    8 through         the record after which the slice was made
//!     24    8 number          first 0, no gaps
//!     32    2 payload format
//!     34    6 reserved        0
//!     40    n payload         sealed under the number as nonce, bytes 8..40 authenticated
//! trailer, 64 bytes
//!      0    8 magic           "ASWSNPE\n"
//!      8    8 slices          how many
//!     16    8 payload bytes   of all slices
//!     24   32 digest          SHA-256 over every byte before the trailer
//!     56    4 reserved        0
//!     60    4 checksum        CRC-32C, started from the seed, over bytes 0..60
//! ```
//!
//! Guarantees: a snapshot gets its name only after it was written, synced, read back and verified whole, so it
//! never replaces anything by something worse. Two generations are kept, so that a reader can fall back on the older
//! one. Every slice handed out was checked against its own checksum, and the structure of the file before the first.
//!
//! It does not decide when to make one, what is in a slice, or when segments may go: the caller does, and names
//! [`Kept::retire_through`] to the journal.

mod aside;
mod inspect;
mod open;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use aside::{set_aside, those_aside};
pub use inspect::{Inspected, Inspection, inspect_all};
pub use open::{OpenSnapshot, Part, PartReader};
pub(crate) use read::key_of;
pub use read::verify;
pub use write::{DiskShare, Kept, SnapshotWriter, WrittenSnapshot, kept};

use crate::layout::{FieldReader, FieldWriter};
use crate::seal::{DataKey, KeyId, SEAL_BYTES, SealError, SealingKeys, WRAPPED_BYTES};

/// Most bytes in one slice; bounds what reading one allocates.
pub const SLICE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Generations kept.
pub const GENERATIONS_KEPT: usize = 2;

/// Most bytes of a slice on disk: a sealed one is longer by its tag.
const STORED_BYTES_MAX: usize = SLICE_BYTES_MAX + SEAL_BYTES;

const HEADER_BYTES: usize = 128;
/// What identifies a snapshot, and its data key.
const IDENTITY_BYTES: usize = 40;
const KEY_ID_AT: usize = IDENTITY_BYTES;
const SLICE_HEADER_BYTES: usize = 40;
const TRAILER_BYTES: usize = 64;
const FORMAT_VERSION: u16 = 1;
const HEADER_MAGIC: [u8; 8] = *b"ASWSNAP\n";
const SLICE_MAGIC: [u8; 4] = *b"SLIC";
const TRAILER_MAGIC: [u8; 8] = *b"ASWSNPE\n";
const NAME_PREFIX: &str = "snapshot-";
const NAME_SUFFIX: &str = ".journal";
const ASIDE_PREFIX: &str = "damaged-";

/// One piece of a shard's state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Slice<'a> {
    /// The shard it belongs to.
    pub shard: u16,
    /// What it is; the caller's numbers.
    pub kind: u16,
    /// The record after which it was made.
    pub through: u64,
    /// How the payload is encoded.
    pub payload_version: u16,
    /// The bytes.
    pub payload: &'a [u8],
}

/// What a snapshot is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SnapshotHeader {
    /// Which switch made it.
    pub node: u32,
    /// Which snapshot it is, first 1.
    pub generation: u64,
    /// Every slice holds at least the records up to here; recovery reads the journal from the next one.
    pub through: u64,
    /// When, microseconds since 1970-01-01 UTC.
    pub at_utc_micros: i64,
}

/// Why a snapshot cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file system refused an operation.
    #[error("cannot {doing}, file {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a whole snapshot.
    #[error("{path} is not a whole snapshot, offset {offset}: {found}")]
    Damaged {
        /// The file.
        path: String,
        /// Where.
        offset: u64,
        /// What was found there.
        found: &'static str,
    },
    /// The snapshot was made by another node.
    #[error("{path} was made by node {found}, this switch is node {expected}")]
    WrongNode {
        /// The file.
        path: String,
        /// Node in the file.
        found: u32,
        /// Node in the configuration.
        expected: u32,
    },
    /// Slices cannot be opened, or a data key cannot be made.
    #[error("{path}: {because}")]
    Seal {
        /// The file.
        path: String,
        /// Why, with the id of the key that is needed.
        because: SealError,
    },
    /// A slice is over the bound.
    #[error("slice of {found} bytes for shard {shard} exceeds the maximum of {SLICE_BYTES_MAX}")]
    SliceTooLong {
        /// Its shard.
        shard: u16,
        /// Its bytes.
        found: usize,
    },
    /// A slice was made before the record that the snapshot promises.
    #[error("slice of shard {shard} holds records up to {found}, the snapshot promises {promised}")]
    SliceTooOld {
        /// Its shard.
        shard: u16,
        /// The record it was made after.
        found: u64,
        /// The record that the header names.
        promised: u64,
    },
}

/// The fixed part in front of a slice's payload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct SliceHeader {
    checksum: u32,
    payload_bytes: u32,
    shard: u16,
    kind: u16,
    through: u64,
    number: u64,
    payload_version: u16,
}

impl SliceHeader {
    fn encode(&self) -> [u8; SLICE_HEADER_BYTES] {
        FieldWriter::new()
            .put(&SLICE_MAGIC)
            .put(&self.checksum.to_le_bytes())
            .put(&self.payload_bytes.to_le_bytes())
            .put(&self.shard.to_le_bytes())
            .put(&self.kind.to_le_bytes())
            .put(&self.through.to_le_bytes())
            .put(&self.number.to_le_bytes())
            .put(&self.payload_version.to_le_bytes())
            .finish()
    }

    /// The header, if the magic is a slice's.
    fn decode(bytes: &[u8; SLICE_HEADER_BYTES]) -> Option<Self> {
        let mut fields = FieldReader::new(bytes);
        let magic = fields.array::<4>()?;
        let header = Self {
            checksum: fields.u32()?,
            payload_bytes: fields.u32()?,
            shard: fields.u16()?,
            kind: fields.u16()?,
            through: fields.u64()?,
            number: fields.u64()?,
            payload_version: fields.u16()?,
        };
        (magic == SLICE_MAGIC).then_some(header)
    }

    /// The checksum of this header (its own field apart) and a payload.
    fn checksum_with(&self, seed: u32, payload: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(seed, &self.encode()[8..]), payload)
    }
}

impl SnapshotHeader {
    /// The header's bytes and their seed, with a new data key if there are keys.
    fn encode(&self, keys: &SealingKeys) -> Result<([u8; HEADER_BYTES], u32, Option<DataKey>), SealError> {
        let mut bytes: [u8; HEADER_BYTES] = FieldWriter::new()
            .put(&HEADER_MAGIC)
            .put(&FORMAT_VERSION.to_le_bytes())
            .put(&u16::try_from(HEADER_BYTES).unwrap_or(u16::MAX).to_le_bytes())
            .put(&self.node.to_le_bytes())
            .put(&self.generation.to_le_bytes())
            .put(&self.through.to_le_bytes())
            .put(&self.at_utc_micros.to_le_bytes())
            .finish();
        let made = keys.new_data_key(&bytes[..IDENTITY_BYTES])?;
        let data_key = made.map(|(data_key, wrapped)| {
            let wrapped_at = KEY_ID_AT + 4;
            bytes[KEY_ID_AT..wrapped_at].copy_from_slice(&keys.newest().to_le_bytes());
            bytes[wrapped_at..wrapped_at + WRAPPED_BYTES].copy_from_slice(&wrapped);
            data_key
        });
        let seed = crc32c::crc32c(&bytes[..HEADER_BYTES - 4]);
        bytes[HEADER_BYTES - 4..].copy_from_slice(&seed.to_le_bytes());
        Ok((bytes, seed, data_key))
    }

    /// The header and its seed; else what is wrong.
    fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<(Self, u32), &'static str> {
        let short = "the header is too short";
        let mut fields = FieldReader::new(bytes);
        if fields.array::<8>() != Some(HEADER_MAGIC) {
            return Err("it does not start with the snapshot's magic");
        }
        if fields.u16() != Some(FORMAT_VERSION) {
            return Err("its format version is unknown to this build");
        }
        let seed = crc32c::crc32c(&bytes[..HEADER_BYTES - 4]);
        if FieldReader::new(&bytes[HEADER_BYTES - 4..]).u32() != Some(seed) {
            return Err("the header's checksum does not match");
        }
        let _header_bytes = fields.u16().ok_or(short)?;
        let header = Self {
            node: fields.u32().ok_or(short)?,
            generation: fields.u64().ok_or(short)?,
            through: fields.u64().ok_or(short)?,
            at_utc_micros: fields.i64().ok_or(short)?,
        };
        Ok((header, seed))
    }
}

/// The data key of the snapshot with this header; `None` when its slices are in clear.
fn data_key(header: &[u8; HEADER_BYTES], keys: &SealingKeys) -> Result<Option<DataKey>, SealError> {
    let mut fields = FieldReader::new(&header[KEY_ID_AT..]);
    let id: KeyId = fields.u32().unwrap_or_default();
    match fields.array::<WRAPPED_BYTES>() {
        Some(wrapped) if id != 0 => keys.unwrap(id, &wrapped, &header[..IDENTITY_BYTES]).map(Some),
        Some(_) | None => Ok(None),
    }
}

/// The nonce of a slice: each has a number of its own under a data key of the file's own.
fn nonce_of(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_le_bytes());
    nonce
}

/// What closes a snapshot.
fn encode_trailer(seed: u32, slices: u64, payload_bytes: u64, digest: &[u8; 32]) -> [u8; TRAILER_BYTES] {
    let mut bytes: [u8; TRAILER_BYTES] = FieldWriter::new()
        .put(&TRAILER_MAGIC)
        .put(&slices.to_le_bytes())
        .put(&payload_bytes.to_le_bytes())
        .put(digest)
        .finish();
    let checksum = crc32c::crc32c_append(seed, &bytes[..TRAILER_BYTES - 4]);
    bytes[TRAILER_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn snapshot_name(generation: u64) -> String {
    format!("{NAME_PREFIX}{generation:020}{NAME_SUFFIX}")
}

/// Whether a file's name is that of a snapshot.
pub(crate) fn is_snapshot_name(name: &str) -> bool {
    generation_of(name).is_some()
}

fn generation_of(name: &str) -> Option<u64> {
    let generation = name.strip_prefix(NAME_PREFIX)?.strip_suffix(NAME_SUFFIX)?.parse().ok()?;
    (snapshot_name(generation) == name).then_some(generation)
}

/// The number that no snapshot here has had yet, also none that was set aside.
fn next_generation(storage: &dyn crate::storage::Storage) -> Result<u64, SnapshotError> {
    let names = storage.list().map_err(|source| SnapshotError::Io {
        doing: "list the snapshots",
        path: storage.path(""),
        source,
    })?;
    let numbers =
        names.iter().filter_map(|name| generation_of(name.strip_prefix(ASIDE_PREFIX).unwrap_or(name)));
    Ok(numbers.max().map_or(1, |newest| newest.saturating_add(1)))
}

/// The generations present, newest first.
///
/// # Errors
/// The directory cannot be read.
pub fn generations(storage: &dyn crate::storage::Storage) -> Result<Vec<u64>, SnapshotError> {
    let names = storage.list().map_err(|source| SnapshotError::Io {
        doing: "list the snapshots",
        path: storage.path(""),
        source,
    })?;
    let mut generations: Vec<u64> = names.iter().filter_map(|name| generation_of(name)).collect();
    generations.sort_unstable_by(|a, b| b.cmp(a));
    Ok(generations)
}
