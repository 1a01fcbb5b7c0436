//! A disk in memory that forgets, tears, reorders and fails as real ones do, repeatably from a seed.
//!
//! Every file has two contents: what the process **sees** (the page cache) and what is **durable**. A write changes
//! the first and is remembered sector by sector until a sync carries it to the second. Names work the same way
//! until the directory is synced. [`SimulatedDisk::power_cut`] then keeps any part of what was not synced, in any
//! order (see `crash`); [`SimulatedDisk::kill`] keeps the page cache.
//!
//! Faults are planned by the number of the operation they hit: [`Faults`]. Operations that change something are
//! counted from 0: create, write, allocate, sync, rename, remove, sync of the directory.
//!
//! Reads are counted by themselves, from 0 at the start of each life: one may fail, bring what was there before the last
//! sync, or bring another place.
//!
//! For tests, fuzzing and simulations; the switch never runs on it. It is not a file system: one directory, no
//! permissions.

mod crash;
mod random;

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::seal::SealingKeys;
use crate::storage::{Storage, StorageFile};
pub use random::Random;

/// Bytes that the disk writes whole or not at all, at the least.
pub const SECTOR_BYTES: usize = 512;

/// What shall go wrong, and when. Numbers are those of operations (see the module's text).
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The power fails during this operation: it may have happened or not, and every later one fails.
    pub power_fails_at: Option<u64>,
    /// This write fails with EIO after a part of it.
    pub write_fails_at: Option<u64>,
    /// This sync fails with EIO; as in Linux, what was to be synced then looks clean and is not on disk.
    pub sync_fails_at: Option<u64>,
    /// This write goes to the sector after the right one.
    pub write_misdirected_at: Option<u64>,
    /// This write and its sync succeed, and the disk never stores it: later reads are stale.
    pub write_lost_at: Option<u64>,
    /// Every write takes only a part of what it is given.
    pub short_writes: bool,
    /// This read fails with EIO.
    pub read_fails_at: Option<u64>,
    /// This read brings what the file held before its last sync.
    pub read_stale_at: Option<u64>,
    /// This read brings the sector after the right one.
    pub read_misdirected_at: Option<u64>,
    /// Bytes that files may have together.
    pub capacity_bytes: Option<u64>,
    /// The whole disk is honest except that file syncs do nothing (to test the tests).
    pub syncs_lie: bool,
    /// Syncs of the directory do nothing (to test the tests).
    pub directory_syncs_lie: bool,
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
    keys: SealingKeys,
}

#[derive(Default)]
struct State {
    files: Vec<FileState>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    name_changes: Vec<NameChange>,
    locked: bool,
    operations: u64,
    reads: u64,
    faults: Faults,
    off: bool,
    sync_failed: bool,
    syncs_since_failure: u64,
    random: Random,
}

#[derive(Clone, Default)]
struct FileState {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// What was durable before the last sync.
    before: Vec<u8>,
    /// Sector writes since the last sync, in order; each knows the operation that made it.
    unsynced: Vec<SectorWrite>,
}

#[derive(Clone)]
struct SectorWrite {
    operation: u64,
    at: usize,
    bytes: Vec<u8>,
}

#[derive(Clone)]
enum NameChange {
    Link { name: String, file: usize },
    Unlink { name: String },
    Rename { from: String, to: String, file: usize },
}

impl SimulatedDisk {
    /// An empty disk; `seed` decides the parts of short and failed writes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let disk = Self::default();
        disk.state().random = Random::new(seed);
        disk
    }

    /// The same disk, with sealing keys; the disk after a cut or a kill has none until it is given some.
    #[must_use]
    pub fn with_keys(self, keys: SealingKeys) -> Self {
        Self { keys, ..self }
    }

    /// Plans faults, in place of those planned before.
    pub fn plan(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// How many changing operations there have been.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// How many reads there have been.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.state().reads
    }

    /// Whether the planned power failure has happened.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.state().off
    }

    /// How many syncs were tried after one had failed.
    #[must_use]
    pub fn syncs_since_failure(&self) -> u64 {
        self.state().syncs_since_failure
    }

    /// Names and lengths of all files, as the process sees them.
    #[must_use]
    pub fn files(&self) -> Vec<(String, usize)> {
        let state = self.state();
        state.names.iter().map(|(name, file)| (name.clone(), state.files[*file].seen.len())).collect()
    }

    /// The bytes of a file as the process sees them; `None` when it does not exist.
    #[must_use]
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).map(|file| state.files[*file].seen.clone())
    }

    /// Puts a file there, durable, in place of any other of this name.
    pub fn put(&self, name: &str, contents: &[u8]) {
        let mut state = self.state();
        let bytes = contents.to_vec();
        state.files.push(FileState {
            seen: bytes.clone(),
            before: bytes.clone(),
            durable: bytes,
            unsynced: Vec::new(),
        });
        let file = state.files.len() - 1;
        state.names.insert(name.to_owned(), file);
        state.durable_names.insert(name.to_owned(), file);
    }

    /// Takes a file away, durably.
    pub fn take_away(&self, name: &str) {
        let mut state = self.state();
        state.names.remove(name);
        state.durable_names.remove(name);
    }

    /// Flips one bit of a file, in the page cache and on disk. Nothing happens outside the file.
    pub fn flip_bit(&self, name: &str, byte: usize, bit: u32) {
        let mut state = self.state();
        if let Some(file) = state.names.get(name).copied() {
            let file = &mut state.files[file];
            for contents in [&mut file.seen, &mut file.durable] {
                if let Some(byte) = contents.get_mut(byte) {
                    *byte ^= 1_u8.rotate_left(bit);
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an operation. An error means that it must not happen at all.
    fn begin(&mut self) -> io::Result<u64> {
        if self.off {
            return Err(io::Error::other("the power is off"));
        }
        let operation = self.operations;
        self.operations += 1;
        Ok(operation)
    }

    /// Ends an operation: the power may fail while it is under way.
    fn end<T>(&mut self, operation: u64, outcome: T) -> io::Result<T> {
        if self.faults.power_fails_at == Some(operation) {
            self.off = true;
            return Err(io::Error::other("the power fails"));
        }
        Ok(outcome)
    }

    /// A sync, of a file or of the directory: whether it fails.
    fn sync_fails(&mut self, operation: u64) -> bool {
        self.syncs_since_failure += u64::from(self.sync_failed);
        let fails = self.faults.sync_fails_at == Some(operation);
        self.sync_failed |= fails;
        fails
    }

    fn file(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().map(|file| self.files[*file].seen.len() as u64).sum()
    }

    /// Makes a file at least `length` bytes long, if there is room.
    fn grow(&mut self, file: usize, length: usize) -> io::Result<()> {
        let more = length.saturating_sub(self.files[file].seen.len()) as u64;
        if self.faults.capacity_bytes.is_some_and(|capacity| self.used_bytes() + more > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let seen = &mut self.files[file].seen;
        seen.resize(seen.len().max(length), 0);
        Ok(())
    }

    /// Writes into the page cache and remembers each sector touched.
    fn write(&mut self, file: usize, operation: u64, bytes: &[u8], offset: usize) -> io::Result<()> {
        self.grow(file, offset + bytes.len())?;
        let lost = self.faults.write_lost_at == Some(operation);
        let file = &mut self.files[file];
        if lost {
            return Ok(());
        }
        file.seen[offset..offset + bytes.len()].copy_from_slice(bytes);
        let first = offset / SECTOR_BYTES;
        let last = (offset + bytes.len()).div_ceil(SECTOR_BYTES);
        for sector in first..last {
            let at = sector * SECTOR_BYTES;
            let end = (at + SECTOR_BYTES).min(file.seen.len());
            let bytes = file.seen[at..end].to_vec();
            file.unsynced.push(SectorWrite { operation, at, bytes });
        }
        Ok(())
    }
}

impl Storage for SimulatedDisk {
    fn keys(&self) -> SealingKeys {
        self.keys.clone()
    }

    fn path(&self, name: &str) -> String {
        format!("simulated/{name}")
    }

    fn lock(&self) -> io::Result<Box<dyn Any + Send + Sync>> {
        let mut state = self.state();
        if state.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locked = true;
        Ok(Box::new(Lock(self.clone())))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.state();
        let operation = state.begin()?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.push(FileState::default());
        let file = state.files.len() - 1;
        state.names.insert(name.to_owned(), file);
        state.name_changes.push(NameChange::Link { name: name.to_owned(), file });
        state.end(operation, Box::new(SimulatedFile { disk: self.clone(), file }) as Box<dyn StorageFile>)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let file = self.state().file(name)?;
        Ok(Box::new(SimulatedFile { disk: self.clone(), file }))
    }

    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.open(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let operation = state.begin()?;
        let file = state.file(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), file);
        state.name_changes.push(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), file });
        state.end(operation, ())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let operation = state.begin()?;
        state.file(name)?;
        state.names.remove(name);
        state.name_changes.push(NameChange::Unlink { name: name.to_owned() });
        state.end(operation, ())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        let operation = state.begin()?;
        // A power failure during the sync leaves the changes open: any of them may have made it.
        state.end(operation, ())?;
        if state.sync_fails(operation) {
            return Err(io::Error::other("input/output error"));
        }
        if !state.faults.directory_syncs_lie {
            state.durable_names = state.names.clone();
            state.name_changes.clear();
        }
        Ok(())
    }

    fn bytes_available(&self) -> io::Result<u64> {
        let state = self.state();
        let capacity = state.faults.capacity_bytes;
        Ok(capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used_bytes())))
    }
}

/// An open file. As on a real system it outlives its name.
struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
}

impl StorageFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.file].seen.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let read = Some(state.reads);
        state.reads += 1;
        if state.faults.read_fails_at == read {
            return Err(io::Error::other("input/output error"));
        }
        let astray = if state.faults.read_misdirected_at == read { SECTOR_BYTES } else { 0 };
        let file = &state.files[self.file];
        let seen = if state.faults.read_stale_at == read { &file.before } else { &file.seen };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(astray).min(seen.len());
        let length = bytes.len().min(seen.len() - start);
        bytes[..length].copy_from_slice(&seen[start..start + length]);
        Ok(length)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let operation = state.begin()?;
        let fails = state.faults.write_fails_at == Some(operation);
        let partly = fails || (state.faults.short_writes && bytes.len() > 1);
        let length = if partly { state.random.below(bytes.len() as u64) as usize } else { bytes.len() };
        let length = if fails { length } else { length.max(1).min(bytes.len()) };
        let astray = state.faults.write_misdirected_at == Some(operation);
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let offset = if astray { offset + SECTOR_BYTES } else { offset };
        state.write(self.file, operation, &bytes[..length], offset)?;
        if fails {
            return Err(io::Error::other("input/output error"));
        }
        state.end(operation, length)
    }

    fn allocate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let operation = state.begin()?;
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
        state.grow(self.file, length)?;
        state.end(operation, ())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        let operation = state.begin()?;
        // A power failure during the sync leaves the writes open: any of them may have made it.
        state.end(operation, ())?;
        let fails = state.sync_fails(operation);
        let lies = state.faults.syncs_lie;
        let file = &mut state.files[self.file];
        if fails {
            file.unsynced.clear();
            return Err(io::Error::other("input/output error"));
        }
        if !lies {
            let unsynced = std::mem::take(&mut file.unsynced);
            file.before.clone_from(&file.durable);
            file.durable.resize(file.seen.len(), 0);
            for write in unsynced {
                file.keep(&write);
            }
        }
        Ok(())
    }
}

impl FileState {
    /// Carries one sector to the durable content, as far as the durable length reaches.
    fn keep(&mut self, write: &SectorWrite) {
        let end = (write.at + write.bytes.len()).min(self.durable.len());
        if let Some(length) = end.checked_sub(write.at) {
            self.durable[write.at..end].copy_from_slice(&write.bytes[..length]);
        }
    }
}

/// Held while the directory is in use.
struct Lock(SimulatedDisk);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}
