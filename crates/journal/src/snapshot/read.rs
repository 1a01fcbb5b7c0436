//! Reads snapshots back: verify one whole, or restore the newest that is whole.

use sha2::{Digest, Sha256};

use super::{
    HEADER_BYTES, SLICE_BYTES_MAX, SLICE_HEADER_BYTES, Slice, SliceHeader, SnapshotError, SnapshotHeader,
    TRAILER_BYTES, encode_trailer, generations, snapshot_name,
};
use crate::ReplayError;
use crate::layout::FieldReader;
use crate::storage::{Storage, StorageFile, StorageFileExt};

/// A snapshot that was found and not used.
#[derive(Debug)]
pub struct PassedOver {
    /// Which generation.
    pub generation: u64,
    /// Why.
    pub because: SnapshotError,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// The snapshot used; `None` when there is none.
    pub used: Option<SnapshotHeader>,
    /// Slices handed out.
    pub slices: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// Newer snapshots that are not whole. Worth a warning: something damaged them after they were verified.
    pub passed_over: Vec<PassedOver>,
}

/// Hands out every slice of the newest whole snapshot of `node`. The whole file is verified before the first slice.
///
/// When none is whole, nothing is handed out. That is safe: [`crate::open_on`] then reads the journal from its first
/// record, and refuses if its first segments are gone.
///
/// # Errors
/// A snapshot is of another node, the caller refuses a slice, or a file that was whole a moment ago is not any more;
/// what was handed out must then be thrown away.
pub fn restore<E: Into<ReplayError>>(
    storage: &dyn Storage,
    node: u32,
    mut on_slice: impl FnMut(Slice<'_>) -> Result<(), E>,
) -> Result<Restored, SnapshotError> {
    let mut passed_over = Vec::new();
    for generation in generations(storage)? {
        let name = snapshot_name(generation);
        let header = match verify(storage, &name) {
            Ok(header) => header,
            Err(because) => {
                passed_over.push(PassedOver { generation, because });
                continue;
            }
        };
        if header.node != node {
            let path = storage.path(&name);
            return Err(SnapshotError::WrongNode { path, found: header.node, expected: node });
        }
        let mut hand_out = |slice: Slice<'_>| on_slice(slice).map_err(Into::into);
        let (_, totals) = walk(storage, &name, &mut hand_out)?;
        let (slices, payload_bytes) = totals;
        return Ok(Restored { used: Some(header), slices, payload_bytes, passed_over });
    }
    Ok(Restored { used: None, slices: 0, payload_bytes: 0, passed_over })
}

/// Checks every byte of a snapshot.
pub(super) fn verify(storage: &dyn Storage, name: &str) -> Result<SnapshotHeader, SnapshotError> {
    walk(storage, name, &mut |_| Ok(())).map(|(header, _)| header)
}

/// The header alone.
pub(super) fn read_header(storage: &dyn Storage, name: &str) -> Result<SnapshotHeader, SnapshotError> {
    let mut reader = Reader::open(storage, name)?;
    reader.header().map(|(header, _)| header)
}

/// Reads a snapshot from its first byte to its last; the header, and the slices and payload bytes in it.
fn walk(
    storage: &dyn Storage,
    name: &str,
    on_slice: &mut dyn FnMut(Slice<'_>) -> Result<(), ReplayError>,
) -> Result<(SnapshotHeader, (u64, u64)), SnapshotError> {
    let mut reader = Reader::open(storage, name)?;
    let (header, seed) = reader.header()?;
    let (mut slices, mut payload_bytes) = (0, 0);
    let mut payload = Vec::new();
    while reader.left() > TRAILER_BYTES as u64 {
        let slice = reader.slice(seed, slices, &header, &mut payload)?;
        let path = || reader.path.clone();
        on_slice(slice).map_err(|source| SnapshotError::Restore { path: path(), number: slices, source })?;
        slices += 1;
        payload_bytes += payload.len() as u64;
    }
    let digest = reader.digest.clone().finalize().into();
    let expected = encode_trailer(seed, slices, payload_bytes, &digest);
    if reader.array::<TRAILER_BYTES>()? != expected {
        return Err(reader.damaged("the trailer does not match what lies before it"));
    }
    Ok((header, (slices, payload_bytes)))
}

/// Reads a file in order, and digests what it reads.
struct Reader {
    file: Box<dyn StorageFile>,
    path: String,
    at: u64,
    length: u64,
    digest: Sha256,
}

impl Reader {
    fn open(storage: &dyn Storage, name: &str) -> Result<Self, SnapshotError> {
        let path = storage.path(name);
        let io = |source| SnapshotError::Io { doing: "open a snapshot", path: path.clone(), source };
        let file = storage.open_to_read(name).map_err(io)?;
        let length = file.length().map_err(io)?;
        Ok(Self { file, path, at: 0, length, digest: Sha256::new() })
    }

    fn left(&self) -> u64 {
        self.length.saturating_sub(self.at)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SnapshotError> {
        let read = self.file.read_up_to(bytes, self.at).map_err(|source| SnapshotError::Io {
            doing: "read a snapshot",
            path: self.path.clone(),
            source,
        })?;
        if read < bytes.len() {
            return Err(self.damaged("the file ends too early"));
        }
        self.digest.update(&*bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SnapshotError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes).map(|()| bytes)
    }

    fn header(&mut self) -> Result<(SnapshotHeader, u32), SnapshotError> {
        let bytes = self.array::<HEADER_BYTES>()?;
        SnapshotHeader::decode(&bytes).map_err(|found| SnapshotError::Damaged {
            path: self.path.clone(),
            offset: 0,
            found,
        })
    }

    fn slice<'p>(
        &mut self,
        seed: u32,
        number: u64,
        snapshot: &SnapshotHeader,
        payload: &'p mut Vec<u8>,
    ) -> Result<Slice<'p>, SnapshotError> {
        let bytes = self.array::<SLICE_HEADER_BYTES>()?;
        let header = SliceHeader::decode(&bytes).ok_or_else(|| self.damaged("no slice starts here"))?;
        let length = usize::try_from(header.payload_bytes).unwrap_or(usize::MAX);
        // Both before anything is allocated for it.
        if length > SLICE_BYTES_MAX || length as u64 > self.left() {
            return Err(self.damaged("the slice claims more bytes than there can be"));
        }
        payload.resize(length, 0);
        self.fill(payload)?;
        // Encoded again, the header must give the same bytes: reserved fields are zero.
        let reserved = FieldReader::new(&bytes[34..]).array::<6>();
        if header.checksum_with(seed, payload) != header.checksum || reserved != Some([0; 6]) {
            return Err(self.damaged("the slice's checksum does not match"));
        }
        if header.number != number || header.through < snapshot.through {
            return Err(self.damaged("the slice does not belong here"));
        }
        let SliceHeader { shard, kind, through, payload_version, .. } = header;
        Ok(Slice { shard, kind, through, payload_version, payload })
    }

    fn damaged(&self, found: &'static str) -> SnapshotError {
        SnapshotError::Damaged { path: self.path.clone(), offset: self.at, found }
    }
}
