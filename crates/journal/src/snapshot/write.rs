//! Writes a snapshot, a slice at a time, and lets the oldest go when the new one is verified.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::read::{Verification, read_header};
use super::{
    GENERATIONS_KEPT, SLICE_BYTES_MAX, Slice, SliceHeader, SnapshotError, SnapshotHeader, encode_trailer,
    generations, next_generation, nonce_of, snapshot_name,
};
use crate::seal::{DataKey, SEAL_BYTES};
use crate::storage::{Storage, StorageFile, StorageFileExt};

/// Written at once; a slice may be much smaller.
const BUFFER_BYTES: usize = 256 * 1024;

/// Who else wants the disk while a snapshot is written. It is synced in steps, and a sync of the journal may find one
/// step in front of it. Measured beside a sync of 16 KiB every half millisecond, on ext4 over a busy virtual disk:
///
/// | step | p99 of the journal's sync | snapshot |
/// |---|---|---|
/// | no snapshot | 6.1 ms | |
/// | 64 KiB | 8.4 ms | 13 MB/s |
/// | 256 KiB | 8.9 ms | 15 MB/s |
/// | 1 MiB | 9.7 ms | 22 MB/s |
/// | 8 MiB | 15.4 ms | 23 MB/s |
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DiskShare {
    /// Nobody: it is done as soon as it can be.
    #[default]
    Alone,
    /// A journal whose syncs somebody waits for.
    BesideTheJournal,
}

impl DiskShare {
    /// Bytes that are synced at once.
    const fn step_bytes(self) -> u64 {
        match self {
            Self::Alone => 8 * 1024 * 1024,
            Self::BesideTheJournal => 256 * 1024,
        }
    }
}

/// A snapshot being written. Dropped unfinished, it removes its file: a full disk must not stay full for it.
pub struct SnapshotWriter {
    storage: Arc<dyn Storage>,
    header: SnapshotHeader,
    seed: u32,
    file: Box<dyn StorageFile>,
    making: String,
    buffer: Vec<u8>,
    written: u64,
    unsynced: u64,
    disk: DiskShare,
    slices: u64,
    payload_bytes: u64,
    digest: Sha256,
    named: bool,
    data_key: Option<DataKey>,
    /// A payload while it is being sealed.
    sealed: Vec<u8>,
}

/// A snapshot that is written, and counts once it was read back whole.
pub struct WrittenSnapshot {
    writer: SnapshotWriter,
    verification: Verification,
    is_whole: bool,
}

impl WrittenSnapshot {
    /// Reads the next slice back. Whether that was the last, and all is whole.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    pub fn verify_on(&mut self) -> Result<bool, SnapshotError> {
        self.is_whole = self.is_whole || self.verification.go_on()?;
        Ok(self.is_whole)
    }

    /// Reads back what was not yet, and lets the snapshot count.
    ///
    /// # Errors
    /// As [`SnapshotWriter::finish`].
    pub fn name(mut self) -> Result<Kept, SnapshotError> {
        while !self.verify_on()? {}
        self.writer.name()
    }
}

/// What is there after a snapshot was finished.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Kept {
    /// The new snapshot.
    pub newest: SnapshotHeader,
    /// Records up to here are needed for no snapshot that is kept: tell it to
    /// [`crate::JournalHandle::retire_through`]. 0 while there is only one snapshot, for it may yet turn out bad.
    pub retire_through: u64,
}

/// What is there now; `None` when there is no snapshot, or none whose header is whole.
///
/// # Errors
/// The directory cannot be read.
pub fn kept(storage: &dyn Storage) -> Result<Option<Kept>, SnapshotError> {
    let all = generations(storage)?;
    let newest = all.first().and_then(|newest| read_header(storage, &snapshot_name(*newest)).ok());
    Ok(newest.map(|newest| kept_with(storage, newest, &all)))
}

fn kept_with(storage: &dyn Storage, newest: SnapshotHeader, all: &[u64]) -> Kept {
    // An older one whose header cannot be read is worth nothing: then no record may go yet.
    let older = all
        .get(GENERATIONS_KEPT - 1)
        .and_then(|older| read_header(storage, &snapshot_name(*older)).ok().map(|header| header.through));
    Kept { newest, retire_through: older.unwrap_or(0).min(newest.through) }
}

impl SnapshotWriter {
    /// Begins the next generation. Every slice to come must hold at least the records up to `through`.
    ///
    /// # Errors
    /// The directory cannot be read, or the file cannot be made.
    pub fn begin(
        storage: Arc<dyn Storage>,
        node: u32,
        through: u64,
        at_utc_micros: i64,
    ) -> Result<Self, SnapshotError> {
        let generation = next_generation(&*storage)?;
        let header = SnapshotHeader { node, generation, through, at_utc_micros };
        let making = format!("{}.making", snapshot_name(generation));
        let io =
            |source| SnapshotError::Io { doing: "begin a snapshot", path: storage.path(&making), source };
        if storage.list().map_err(io)?.contains(&making) {
            storage.remove(&making).map_err(io)?;
        }
        let file = storage.create(&making).map_err(io)?;
        let encoded = header.encode(&storage.keys());
        let (bytes, seed, data_key) =
            encoded.map_err(|because| SnapshotError::Seal { path: storage.path(&making), because })?;
        let mut writer = Self {
            storage,
            header,
            seed,
            file,
            making,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            written: 0,
            unsynced: 0,
            disk: DiskShare::default(),
            slices: 0,
            payload_bytes: 0,
            digest: Sha256::new(),
            named: false,
            data_key,
            sealed: Vec::new(),
        };
        writer.put(&bytes)?;
        Ok(writer)
    }

    /// Shares the disk from here on as is said.
    #[must_use]
    pub const fn sharing(mut self, disk: DiskShare) -> Self {
        self.disk = disk;
        self
    }

    /// Appends a slice.
    ///
    /// # Errors
    /// It is too long, it is older than the header promises, or it cannot be written. After an error of the file
    /// system the snapshot must be given up.
    pub fn push(&mut self, slice: &Slice<'_>) -> Result<(), SnapshotError> {
        let found = slice.payload.len();
        let too_long = SnapshotError::SliceTooLong { shard: slice.shard, found };
        if slice.through < self.header.through {
            let (found, promised) = (slice.through, self.header.through);
            return Err(SnapshotError::SliceTooOld { shard: slice.shard, found, promised });
        }
        let stored = found + if self.data_key.is_some() { SEAL_BYTES } else { 0 };
        let payload_bytes =
            u32::try_from(stored).ok().filter(|_| found <= SLICE_BYTES_MAX).ok_or(too_long)?;
        let mut header = SliceHeader {
            checksum: 0,
            payload_bytes,
            shard: slice.shard,
            kind: slice.kind,
            through: slice.through,
            number: self.slices,
            payload_version: slice.payload_version,
        };
        let sealed = self.seal(&header, slice.payload);
        let payload = sealed.as_deref().unwrap_or(slice.payload);
        header.checksum = header.checksum_with(self.seed, payload);
        self.put(&header.encode())?;
        self.put(payload)?;
        self.slices += 1;
        self.payload_bytes += stored as u64;
        self.sealed = sealed.unwrap_or_default();
        Ok(())
    }

    /// The payload sealed, if slices are.
    fn seal(&mut self, header: &SliceHeader, payload: &[u8]) -> Option<Vec<u8>> {
        let data_key = self.data_key.as_ref()?;
        let mut sealed = std::mem::take(&mut self.sealed);
        sealed.clear();
        sealed.extend_from_slice(payload);
        sealed.resize(payload.len() + SEAL_BYTES, 0);
        data_key.seal(nonce_of(header.number), &header.encode()[8..], &mut sealed);
        Some(sealed)
    }

    /// Bytes of the slices so far, without their headers.
    #[must_use]
    pub const fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Ends the snapshot, reads it back, and lets it count.
    ///
    /// # Errors
    /// It cannot be written or synced, or what is read back is not what was written. Those before it stand.
    pub fn finish(self) -> Result<Kept, SnapshotError> {
        self.end()?.name()
    }

    /// Ends the snapshot: everything is written and synced, and nothing counts yet.
    ///
    /// # Errors
    /// It cannot be written or synced.
    pub fn end(mut self) -> Result<WrittenSnapshot, SnapshotError> {
        let digest = self.digest.clone().finalize().into();
        self.put(&encode_trailer(self.seed, self.slices, self.payload_bytes, &digest))?;
        self.flush()?;
        self.sync()?;
        let verification = Verification::begin(&*self.storage, &self.making)?;
        Ok(WrittenSnapshot { writer: self, verification, is_whole: false })
    }

    /// Gives the snapshot its name, and removes the oldest.
    fn name(mut self) -> Result<Kept, SnapshotError> {
        let name = snapshot_name(self.header.generation);
        self.storage.rename(&self.making, &name).map_err(|source| self.io("name a snapshot", source))?;
        self.named = true;
        self.sync_directory()?;
        self.remove_old()
    }

    fn remove_old(&self) -> Result<Kept, SnapshotError> {
        let all = generations(&*self.storage)?;
        for old in all.iter().skip(GENERATIONS_KEPT) {
            let removed = self.storage.remove(&snapshot_name(*old));
            removed.map_err(|source| self.io("remove an old snapshot", source))?;
        }
        if all.len() > GENERATIONS_KEPT {
            self.sync_directory()?;
        }
        Ok(kept_with(&*self.storage, self.header, &all))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.digest.update(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = BUFFER_BYTES.saturating_sub(self.buffer.len()).min(rest.len());
            let (now, later) = rest.split_at(room);
            self.buffer.extend_from_slice(now);
            rest = later;
            if self.buffer.len() >= BUFFER_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SnapshotError> {
        let outcome = self.file.write_all_at(&self.buffer, self.written);
        outcome.map_err(|source| self.io("write a snapshot", source))?;
        self.written += self.buffer.len() as u64;
        self.unsynced += self.buffer.len() as u64;
        self.buffer.clear();
        if self.unsynced >= self.disk.step_bytes() {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), SnapshotError> {
        let outcome = self.file.sync();
        outcome.map_err(|source| self.io("sync a snapshot", source))?;
        self.unsynced = 0;
        Ok(())
    }

    fn sync_directory(&self) -> Result<(), SnapshotError> {
        self.storage.sync_directory().map_err(|source| self.io("sync the journal directory", source))
    }

    fn io(&self, doing: &'static str, source: std::io::Error) -> SnapshotError {
        SnapshotError::Io { doing, path: self.storage.path(&self.making), source }
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if !self.named {
            // Best effort: the next start removes it as well.
            let _ = self.storage.remove(&self.making);
        }
    }
}
