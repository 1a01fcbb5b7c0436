//! The real storage: one directory of an ordinary file system, through `std::fs` and `rustix`.
//!
//! Guarantees: the directory exists and its own entry is durable before a file is created in it; `sync` is
//! fdatasync; the lock is `flock` on a file named `lock`, which the kernel gives back when the process ends, however
//! it ends. Not for network file systems: their flush and lock promises are not ours to make.

use std::any::Any;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation};

use crate::seal::SealingKeys;
use crate::storage::{Storage, StorageFile};

/// Name of the file that carries the lock.
pub(crate) const LOCK_NAME: &str = "lock";

/// Journal files hold spending histories: for the switch's own user only.
const FILE_MODE: u32 = 0o600;

/// One directory of a file system.
#[derive(Debug)]
pub struct FileStorage {
    directory: PathBuf,
    handle: File,
    keys: SealingKeys,
}

impl FileStorage {
    /// Opens a directory, creating it (and its parents) if it is missing.
    ///
    /// # Errors
    /// It cannot be created, opened or synced.
    pub fn create_or_open(directory: &Path) -> io::Result<Self> {
        if !directory.is_dir() {
            std::fs::create_dir_all(directory)?;
            // The new name must survive too: sync every directory from here up to the root that lets us.
            for parent in directory.ancestors().skip(1) {
                let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                if File::open(parent).and_then(|handle| handle.sync_all()).is_err() {
                    break;
                }
            }
        }
        Self::open_existing(directory)
    }

    /// Opens a directory that must exist: what offline tools want.
    ///
    /// # Errors
    /// It does not exist or cannot be opened.
    pub fn open_existing(directory: &Path) -> io::Result<Self> {
        let handle = File::open(directory)?;
        if !handle.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { directory: directory.to_owned(), handle, keys: SealingKeys::default() })
    }

    /// The same directory, with the keys that snapshots are sealed under and that open what is sealed.
    #[must_use]
    pub fn with_keys(self, keys: SealingKeys) -> Self {
        Self { keys, ..self }
    }

    fn options() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(FILE_MODE);
        options
    }
}

impl Storage for FileStorage {
    fn keys(&self) -> SealingKeys {
        self.keys.clone()
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    fn lock(&self) -> io::Result<Box<dyn Any + Send + Sync>> {
        let mut file = Self::options().create(true).truncate(false).open(self.directory.join(LOCK_NAME))?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        // For the operator who wonders who holds it; nothing reads it back.
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Box::new(file))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let file = Self::options().create_new(true).open(self.directory.join(name))?;
        Ok(Box::new(OpenFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(OpenFile(Self::options().open(self.directory.join(name))?)))
    }

    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(OpenFile(File::open(self.directory.join(name))?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.directory.join(from), self.directory.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.directory.join(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn bytes_available(&self) -> io::Result<u64> {
        let status = rustix::fs::fstatvfs(&self.handle)?;
        Ok(status.f_bavail.saturating_mul(status.f_frsize))
    }
}

/// An open file of the file system.
struct OpenFile(File);

impl StorageFile for OpenFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(&self.0, bytes, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(&self.0, bytes, offset)
    }

    fn allocate(&mut self, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, length) {
            // A file system without fallocate still gets the zeros that are written next.
            Err(rustix::io::Errno::OPNOTSUPP) => self.0.set_len(length),
            outcome => Ok(outcome?),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.0)?)
    }
}
