//! A snapshot opened for reading in parts: by shard, by several threads at once.
//!
//! [`OpenSnapshot::open`] reads the header, the header of every slice, and the trailer, and checks that they lie
//! without a gap from the first byte to the last. The payloads come later, each against its own checksum, which covers
//! its slice header and starts from the snapshot's header: a block of another place or another generation does not
//! pass. The digest over the whole file, checked when the snapshot was written and by `verify`, is not computed
//! again; a start would have to read every byte once more for it.
//!
//! What was read before a damaged slice turns up must be thrown away by the caller.

use std::sync::Arc;

use super::{
    HEADER_BYTES, SLICE_HEADER_BYTES, STORED_BYTES_MAX, Slice, SliceHeader, SnapshotError, SnapshotHeader,
    TRAILER_BYTES, TRAILER_MAGIC, data_key, nonce_of, snapshot_name,
};
use crate::layout::FieldReader;
use crate::seal::DataKey;
use crate::storage::{Storage, StorageFile, StorageFileExt};

/// Where a slice lies, and what its header says.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    header: SliceHeader,
    at: u64,
}

impl Part {
    /// The shard it belongs to.
    #[must_use]
    pub const fn shard(&self) -> u16 {
        self.header.shard
    }

    /// What it is; the caller's numbers.
    #[must_use]
    pub const fn kind(&self) -> u16 {
        self.header.kind
    }

    /// Bytes of its payload.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.header.payload_bytes as u64
    }
}

/// A snapshot whose structure is whole.
pub struct OpenSnapshot {
    storage: Arc<dyn Storage>,
    name: String,
    header: SnapshotHeader,
    seed: u32,
    parts: Vec<Part>,
    data_key: Option<Arc<DataKey>>,
}

/// Reads payloads of one snapshot; each thread has its own.
pub struct PartReader {
    file: Box<dyn StorageFile>,
    path: String,
    seed: u32,
    payload: Vec<u8>,
    data_key: Option<Arc<DataKey>>,
}

impl OpenSnapshot {
    /// Opens a generation.
    ///
    /// # Errors
    /// It cannot be read, its structure is damaged, or it was made by another node.
    pub fn open(storage: &Arc<dyn Storage>, node: u32, generation: u64) -> Result<Self, SnapshotError> {
        let name = snapshot_name(generation);
        let mut walk = Walk::open(&**storage, &name)?;
        let (header, seed, first_bytes) = walk.header()?;
        if header.node != node {
            return Err(SnapshotError::WrongNode { path: walk.path, found: header.node, expected: node });
        }
        if header.generation != generation {
            return Err(walk.damaged("the header names another generation"));
        }
        let parts = walk.parts(&header, seed)?;
        let data_key = data_key(&first_bytes, &storage.keys())
            .map_err(|because| SnapshotError::Seal { path: walk.path, because })?
            .map(Arc::new);
        Ok(Self { storage: Arc::clone(storage), name, header, seed, parts, data_key })
    }

    /// What the snapshot is of.
    #[must_use]
    pub const fn header(&self) -> &SnapshotHeader {
        &self.header
    }

    /// All slices, in the order of the file.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Bytes of all payloads.
    #[must_use]
    pub fn payload_bytes(&self) -> u64 {
        self.parts.iter().map(Part::bytes).sum()
    }

    /// A reader for one thread.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn reader(&self) -> Result<PartReader, SnapshotError> {
        let path = self.storage.path(&self.name);
        match self.storage.open_to_read(&self.name) {
            Ok(file) => {
                let data_key = self.data_key.clone();
                Ok(PartReader { file, path, seed: self.seed, payload: Vec::new(), data_key })
            }
            Err(source) => Err(SnapshotError::Io { doing: "open a snapshot", path, source }),
        }
    }
}

impl PartReader {
    /// Reads a slice and checks it.
    ///
    /// # Errors
    /// It cannot be read, or its checksum does not match.
    pub fn read(&mut self, part: &Part) -> Result<Slice<'_>, SnapshotError> {
        let length = usize::try_from(part.header.payload_bytes).unwrap_or(usize::MAX).min(STORED_BYTES_MAX);
        self.payload.resize(length, 0);
        let read = self.file.read_up_to(&mut self.payload, part.at + SLICE_HEADER_BYTES as u64);
        let read = read.map_err(|source| SnapshotError::Io {
            doing: "read a snapshot",
            path: self.path.clone(),
            source,
        })?;
        if read < length || part.header.checksum_with(self.seed, &self.payload) != part.header.checksum {
            let found = "the slice's checksum does not match";
            return Err(SnapshotError::Damaged { path: self.path.clone(), offset: part.at, found });
        }
        let SliceHeader { shard, kind, through, payload_version, number, .. } = part.header;
        let payload = match &self.data_key {
            None => self.payload.as_slice(),
            Some(key) => key
                .open(nonce_of(number), &part.header.encode()[8..], &mut self.payload)
                .map_err(|because| SnapshotError::Seal { path: self.path.clone(), because })?,
        };
        Ok(Slice { shard, kind, through, payload_version, payload })
    }
}

/// The walk over the headers.
struct Walk {
    file: Box<dyn StorageFile>,
    path: String,
    at: u64,
    length: u64,
}

impl Walk {
    fn open(storage: &dyn Storage, name: &str) -> Result<Self, SnapshotError> {
        let path = storage.path(name);
        let opened = storage.open_to_read(name).and_then(|file| file.length().map(|length| (file, length)));
        match opened {
            Ok((file, length)) => Ok(Self { file, path, at: 0, length }),
            Err(source) => Err(SnapshotError::Io { doing: "open a snapshot", path, source }),
        }
    }

    fn array<const N: usize>(&self) -> Result<[u8; N], SnapshotError> {
        let mut bytes = [0; N];
        let read = self.file.read_up_to(&mut bytes, self.at).map_err(|source| SnapshotError::Io {
            doing: "read a snapshot",
            path: self.path.clone(),
            source,
        })?;
        if read < N { Err(self.damaged("the file ends too early")) } else { Ok(bytes) }
    }

    fn header(&mut self) -> Result<(SnapshotHeader, u32, [u8; HEADER_BYTES]), SnapshotError> {
        let bytes = self.array::<HEADER_BYTES>()?;
        let (header, seed) = SnapshotHeader::decode(&bytes).map_err(|found| self.damaged(found))?;
        self.at = HEADER_BYTES as u64;
        Ok((header, seed, bytes))
    }

    /// Every slice's place, up to a trailer that agrees with them.
    fn parts(&mut self, snapshot: &SnapshotHeader, seed: u32) -> Result<Vec<Part>, SnapshotError> {
        let mut parts = Vec::new();
        let mut payload_bytes = 0;
        while self.length.saturating_sub(self.at) > TRAILER_BYTES as u64 {
            let bytes = self.array::<SLICE_HEADER_BYTES>()?;
            let header = SliceHeader::decode(&bytes).ok_or_else(|| self.damaged("no slice starts here"))?;
            let length = u64::from(header.payload_bytes);
            let end = self.at + SLICE_HEADER_BYTES as u64 + length;
            if length > STORED_BYTES_MAX as u64 || end > self.length {
                return Err(self.damaged("the slice claims more bytes than there can be"));
            }
            // Reserved bytes are not part of the decoded header, so its checksum would not see them.
            if FieldReader::new(&bytes[34..]).array::<6>() != Some([0; 6]) {
                return Err(self.damaged("the slice's checksum does not match"));
            }
            if header.number != parts.len() as u64 || header.through < snapshot.through {
                return Err(self.damaged("the slice does not belong here"));
            }
            parts.push(Part { header, at: self.at });
            payload_bytes += length;
            self.at = end;
        }
        self.check_trailer(seed, parts.len() as u64, payload_bytes)?;
        Ok(parts)
    }

    fn check_trailer(&self, seed: u32, slices: u64, payload_bytes: u64) -> Result<(), SnapshotError> {
        let bytes = self.array::<TRAILER_BYTES>()?;
        let mut fields = FieldReader::new(&bytes);
        let agrees = fields.array::<8>() == Some(TRAILER_MAGIC)
            && fields.u64() == Some(slices)
            && fields.u64() == Some(payload_bytes)
            && FieldReader::new(&bytes[TRAILER_BYTES - 4..]).u32()
                == Some(crc32c::crc32c_append(seed, &bytes[..TRAILER_BYTES - 4]))
            && self.at + TRAILER_BYTES as u64 == self.length;
        if agrees { Ok(()) } else { Err(self.damaged("the trailer does not match the slices")) }
    }

    fn damaged(&self, found: &'static str) -> SnapshotError {
        SnapshotError::Damaged { path: self.path.clone(), offset: self.at, found }
    }
}
