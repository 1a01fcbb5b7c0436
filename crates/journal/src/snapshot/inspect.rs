//! Looks at all snapshots of a directory, for tools: which are whole, and how far they reach.

use super::read::verify_file;
use super::{
    HEADER_BYTES, SLICE_HEADER_BYTES, SliceHeader, SnapshotError, SnapshotHeader, TRAILER_BYTES, generations,
    snapshot_name,
};
use crate::storage::{Storage, StorageFileExt};

/// A snapshot that is whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Inspected {
    /// What it is of.
    pub header: SnapshotHeader,
    /// Slices in it.
    pub slices: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// The last record that any of its slices holds.
    pub reaches: u64,
}

/// What was found under a snapshot's name.
#[derive(Debug)]
pub struct Inspection {
    /// The file.
    pub name: String,
    /// What it is, or why it is not a whole snapshot.
    pub outcome: Result<Inspected, SnapshotError>,
}

/// Checks every byte of every snapshot present, newest first.
///
/// # Errors
/// The directory cannot be read.
pub fn inspect_all(storage: &dyn Storage) -> Result<Vec<Inspection>, SnapshotError> {
    let names = generations(storage)?.into_iter().map(snapshot_name);
    Ok(names.map(|name| Inspection { outcome: inspect(storage, &name), name }).collect())
}

fn inspect(storage: &dyn Storage, name: &str) -> Result<Inspected, SnapshotError> {
    let header = verify_file(storage, name)?;
    let io = |source| SnapshotError::Io { doing: "read a snapshot", path: storage.path(name), source };
    let file = storage.open_to_read(name).map_err(io)?;
    let end = file.length().map_err(io)?.saturating_sub(TRAILER_BYTES as u64);
    let mut found = Inspected { header, slices: 0, payload_bytes: 0, reaches: header.through };
    let mut at = HEADER_BYTES as u64;
    while at < end {
        let mut bytes = [0; SLICE_HEADER_BYTES];
        file.read_up_to(&mut bytes, at).map_err(io)?;
        // It was whole a moment ago.
        let changed =
            SnapshotError::Damaged { path: storage.path(name), offset: at, found: "no slice starts here" };
        let slice = SliceHeader::decode(&bytes).ok_or(changed)?;
        found.slices += 1;
        found.payload_bytes += u64::from(slice.payload_bytes);
        found.reaches = found.reaches.max(slice.through);
        at += SLICE_HEADER_BYTES as u64 + u64::from(slice.payload_bytes);
    }
    Ok(found)
}
