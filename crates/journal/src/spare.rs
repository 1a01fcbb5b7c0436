//! Segments made ready before they are needed: full length, every byte written as zero, on disk.
//!
//! A batch written into such a file changes no metadata, so its sync costs one flush and cannot fail for want of
//! space. The life of a file:
//!
//! ```text
//! spare-000007.making    created, being filled with zeros        removed at start: nobody knows how far it got
//!    | sync, rename, sync of the directory
//! spare-000007.ready     zeros from the second block on          kept at start if its length is right
//!    | header written, sync, rename, sync of the directory
//! segment-000...5.journal
//!    | no longer needed (see `retention`): rename, sync of the directory, and only then
//! spare-000009.making    filled with zeros again
//! ```
//!
//! Guarantees: a `.ready` name means zero-filled and durable (only the first block may hold the header of a start
//! that was interrupted, and it is overwritten). A segment name means a whole header. After a failure the
//! half-made file is removed, so that a full disk does not stay full on our account.

use std::io::ErrorKind;

use crate::error::JournalError;
use crate::seal::{DataKey, SealingKeys};
use crate::segment::{SegmentHeader, segment_name};
use crate::storage::{Storage, StorageFile, StorageFileExt};

/// Bytes written between two syncs while zero-filling: a larger step would put more of it in front of the writer
/// thread's own sync, which shares the disk.
const FILL_STEP_BYTES: usize = 1024 * 1024;

/// A segment file without a number, ready to be taken into use.
pub(crate) struct Spare {
    file: Box<dyn StorageFile>,
    name: String,
    pub(crate) bytes: u64,
}

fn making_name(serial: u64) -> String {
    format!("spare-{serial:06}.making")
}

fn ready_name(serial: u64) -> String {
    format!("spare-{serial:06}.ready")
}

/// The serial of a `.ready` file's name.
pub(crate) fn ready_serial(name: &str) -> Option<u64> {
    name.strip_prefix("spare-")?.strip_suffix(".ready")?.parse().ok()
}

/// Whether a file is left over from making something that never got its final name.
pub(crate) fn is_half_made(name: &str) -> bool {
    name.ends_with(".making")
}

impl Spare {
    /// Makes a new spare of `bytes` bytes under `serial`, which no other spare may have.
    ///
    /// # Errors
    /// [`JournalError::NoSpace`] when the disk or the quota is full, else the system's error.
    pub(crate) fn make(storage: &dyn Storage, serial: u64, bytes: u64) -> Result<Self, JournalError> {
        let making = making_name(serial);
        let made = Self::try_make(storage, serial, bytes);
        made.map_err(|source| {
            // Best effort: a leftover is removed at the next start as well.
            let _ = storage.remove(&making);
            let path = storage.path(&making);
            if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
                return JournalError::NoSpace { needed: bytes, path };
            }
            JournalError::io("prepare a segment", &path, source)
        })
    }

    fn try_make(storage: &dyn Storage, serial: u64, bytes: u64) -> std::io::Result<Self> {
        let mut file = storage.create(&making_name(serial))?;
        file.allocate(bytes)?;
        Self::fill(storage, serial, file, bytes)
    }

    fn fill(
        storage: &dyn Storage,
        serial: u64,
        mut file: Box<dyn StorageFile>,
        bytes: u64,
    ) -> std::io::Result<Self> {
        let name = ready_name(serial);
        fill_with_zeros(&mut *file, 0, bytes)?;
        storage.rename(&making_name(serial), &name)?;
        storage.sync_directory()?;
        Ok(Self { file, name, bytes })
    }

    /// Turns a segment that is no longer needed into a spare. Its space is never given back, so this succeeds on a
    /// full disk.
    pub(crate) fn recycle(
        storage: &dyn Storage,
        serial: u64,
        number: u64,
        bytes: u64,
    ) -> Result<Self, JournalError> {
        let name = segment_name(number);
        let recycle = || {
            let making = making_name(serial);
            storage.rename(&name, &making)?;
            // Before the first zero: a crash must not find a segment's name on an emptied file.
            storage.sync_directory()?;
            let file = storage.open(&making)?;
            Self::fill(storage, serial, file, bytes)
        };
        recycle().map_err(|source| JournalError::io("recycle a segment", &storage.path(&name), source))
    }

    /// Opens a spare that an earlier process left ready.
    pub(crate) fn adopt(storage: &dyn Storage, name: &str) -> Result<Self, JournalError> {
        let io = |source| JournalError::io("open a spare segment", &storage.path(name), source);
        let file = storage.open(name).map_err(io)?;
        let bytes = file.length().map_err(io)?;
        Ok(Self { file, name: name.to_owned(), bytes })
    }

    /// Turns the spare into the segment that `header` describes; the header is on disk before the name is.
    pub(crate) fn activate(
        mut self,
        storage: &dyn Storage,
        header: &SegmentHeader,
        keys: &SealingKeys,
    ) -> Result<(Box<dyn StorageFile>, Option<DataKey>), JournalError> {
        let name = segment_name(header.number);
        let io = |source| JournalError::io("take a segment into use", &storage.path(&name), source);
        let front = header.front(keys);
        let (front, data_key) =
            front.map_err(|because| JournalError::seal(&storage.path(&name), 0, because))?;
        self.file.write_all_at(&front, 0).map_err(io)?;
        self.file.sync().map_err(io)?;
        storage.rename(&self.name, &name).map_err(io)?;
        storage.sync_directory().map_err(io)?;
        Ok((self.file, data_key))
    }
}

/// Writes zeros over `from..to` and makes them durable, a step at a time.
pub(crate) fn fill_with_zeros(file: &mut dyn StorageFile, from: u64, to: u64) -> std::io::Result<()> {
    let most = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX).min(FILL_STEP_BYTES);
    let zeros = vec![0; most];
    let mut at = from;
    while at < to {
        let step = usize::try_from(to - at).unwrap_or(usize::MAX).min(most);
        file.write_all_at(&zeros[..step], at)?;
        file.sync()?;
        at += step as u64;
    }
    Ok(())
}
