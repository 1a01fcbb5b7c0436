//! Verifies a snapshot whole, from its first byte to its last.

use sha2::{Digest, Sha256};

use super::{
    HEADER_BYTES, KEY_ID_AT, SLICE_HEADER_BYTES, STORED_BYTES_MAX, SliceHeader, SnapshotError,
    SnapshotHeader, TRAILER_BYTES, encode_trailer, snapshot_name,
};
use crate::layout::FieldReader;
use crate::seal::KeyId;
use crate::storage::{Storage, StorageFile, StorageFileExt};

/// Checks every byte of a generation, its digest included.
///
/// # Errors
/// It cannot be read, or it is not whole.
pub fn verify(storage: &dyn Storage, generation: u64) -> Result<SnapshotHeader, SnapshotError> {
    verify_file(storage, &snapshot_name(generation))
}

/// The header alone.
pub(super) fn read_header(storage: &dyn Storage, name: &str) -> Result<SnapshotHeader, SnapshotError> {
    let mut reader = Reader::open(storage, name)?;
    reader.header().map(|(header, _)| header)
}

/// The sealing key that a generation needs, 0 for none; `None` when its header is not whole.
///
/// # Errors
/// It cannot be read.
pub(crate) fn key_of(storage: &dyn Storage, generation: u64) -> Result<Option<KeyId>, SnapshotError> {
    let mut reader = Reader::open(storage, &snapshot_name(generation))?;
    match reader.array::<HEADER_BYTES>() {
        Ok(bytes) => {
            let key = FieldReader::new(&bytes[KEY_ID_AT..]).u32();
            Ok(key.filter(|_| SnapshotHeader::decode(&bytes).is_ok()))
        }
        Err(SnapshotError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// As [`verify`], under any name.
pub(super) fn verify_file(storage: &dyn Storage, name: &str) -> Result<SnapshotHeader, SnapshotError> {
    let mut verification = Verification::begin(storage, name)?;
    while !verification.go_on()? {}
    Ok(verification.header)
}

/// A snapshot that is being read back, slice by slice.
pub(super) struct Verification {
    reader: Reader,
    header: SnapshotHeader,
    seed: u32,
    slices: u64,
    payload_bytes: u64,
    payload: Vec<u8>,
}

impl Verification {
    pub(super) fn begin(storage: &dyn Storage, name: &str) -> Result<Self, SnapshotError> {
        let mut reader = Reader::open(storage, name)?;
        let (header, seed) = reader.header()?;
        Ok(Self { reader, header, seed, slices: 0, payload_bytes: 0, payload: Vec::new() })
    }

    /// Checks the next slice, or the end. Whether that was the end, and all is whole.
    pub(super) fn go_on(&mut self) -> Result<bool, SnapshotError> {
        if self.reader.left() > TRAILER_BYTES as u64 {
            self.reader.slice(self.seed, self.slices, &self.header, &mut self.payload)?;
            self.slices += 1;
            self.payload_bytes += self.payload.len() as u64;
            return Ok(false);
        }
        let digest = self.reader.digest.clone().finalize().into();
        let expected = encode_trailer(self.seed, self.slices, self.payload_bytes, &digest);
        if self.reader.array::<TRAILER_BYTES>()? != expected {
            return Err(self.reader.damaged("the trailer does not match what lies before it"));
        }
        Ok(true)
    }
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

    fn slice(
        &mut self,
        seed: u32,
        number: u64,
        snapshot: &SnapshotHeader,
        payload: &mut Vec<u8>,
    ) -> Result<(), SnapshotError> {
        let bytes = self.array::<SLICE_HEADER_BYTES>()?;
        let header = SliceHeader::decode(&bytes).ok_or_else(|| self.damaged("no slice starts here"))?;
        let length = usize::try_from(header.payload_bytes).unwrap_or(usize::MAX);
        // Both before anything is allocated for it.
        if length > STORED_BYTES_MAX || length as u64 > self.left() {
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
        Ok(())
    }

    fn damaged(&self, found: &'static str) -> SnapshotError {
        SnapshotError::Damaged { path: self.path.clone(), offset: self.at, found }
    }
}
