//! The few file operations the journal needs, as a trait, so that tests can tear a write or lose a rename.
//!
//! Guarantees asked of an implementation: what was written before a successful [`StorageFile::sync`] survives a
//! power cut; names created, renamed or removed before a successful [`Storage::sync_directory`] do too; a rename
//! happens whole or not at all. Nothing else is assumed: unsynced bytes may be kept, lost, kept in part, or kept in
//! another order. All files lie in one directory and are named without a path.

use std::any::Any;
use std::io;

use crate::seal::SealingKeys;

/// One directory and its files.
pub trait Storage: Send + Sync + 'static {
    /// The keys of what lies here: snapshots are sealed under the first, and whatever is read opens under them. None
    /// unless the storage was given some.
    fn keys(&self) -> SealingKeys {
        SealingKeys::default()
    }

    /// The full path of a file, for messages only.
    fn path(&self, name: &str) -> String;

    /// Takes the directory for this process alone. The lock lasts as long as the returned value.
    ///
    /// # Errors
    /// `WouldBlock` when another process holds it.
    fn lock(&self) -> io::Result<Box<dyn Any + Send + Sync>>;

    /// The names of all files, in any order.
    ///
    /// # Errors
    /// The directory cannot be read.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Creates a new, empty file for reading and writing.
    ///
    /// # Errors
    /// `AlreadyExists`, or the system's error.
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// `NotFound`, or the system's error.
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Opens a file for reading only: offline tools must not need the right to write.
    ///
    /// # Errors
    /// `NotFound`, or the system's error.
    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Gives a file another name, replacing a file that has it.
    ///
    /// # Errors
    /// The system's error.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The system's error.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes created, renamed and removed names durable.
    ///
    /// # Errors
    /// The system's error; it must not be retried.
    fn sync_directory(&self) -> io::Result<()>;

    /// Bytes that can still be allocated in this directory.
    ///
    /// # Errors
    /// The system's error.
    fn bytes_available(&self) -> io::Result<u64>;
}

/// One open file.
pub trait StorageFile: Send + 'static {
    /// Length in bytes.
    ///
    /// # Errors
    /// The system's error.
    fn length(&self) -> io::Result<u64>;

    /// Reads at `offset`; may read less than asked, 0 at the end.
    ///
    /// # Errors
    /// The system's error.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at `offset`; may write less than given.
    ///
    /// # Errors
    /// The system's error.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Asks for `length` bytes of space and makes the file that long. The content is zeros; whether the space is
    /// really there is known only once it was written.
    ///
    /// # Errors
    /// `StorageFull`, or the system's error.
    fn allocate(&mut self, length: u64) -> io::Result<()>;

    /// Makes the content and the length durable (fdatasync).
    ///
    /// # Errors
    /// The system's error. It must not be retried: the kernel may have dropped the bytes and a second call may
    /// then succeed.
    fn sync(&mut self) -> io::Result<()>;
}

/// Whole reads and writes over the partial ones of [`StorageFile`].
pub(crate) trait StorageFileExt {
    /// Writes all of `bytes`; a short write is continued, an error is final.
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Reads until `bytes` is full or the file ends; how much was read.
    fn read_up_to(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl<F: StorageFile + ?Sized> StorageFileExt for F {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match self.write_at(&bytes[done..], offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read_up_to(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < bytes.len() {
            match self.read_at(&mut bytes[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}
