//! Copies a file from one directory to another, durably, and digests what was copied.

use std::io;

use sha2::{Digest, Sha256};

use crate::storage::{Storage, StorageFileExt};

/// Bytes copied at once.
const STEP_BYTES: usize = 1024 * 1024;

/// SHA-256 of a file's bytes.
pub(crate) type FileDigest = [u8; 32];

/// Copies `name` of `from` to a new file `as_name` of `to`; how long it is. The name is durable once the caller has
/// synced the directory.
pub(crate) fn copy_file(from: &dyn Storage, name: &str, to: &dyn Storage, as_name: &str) -> io::Result<u64> {
    let mut copy = to.create(as_name)?;
    let length = read_through(from, name, |bytes, at| copy.write_all_at(bytes, at))?;
    copy.sync()?;
    Ok(length)
}

/// The length and the digest of a file.
pub(crate) fn digest_of(storage: &dyn Storage, name: &str) -> io::Result<(u64, FileDigest)> {
    let mut digest = Sha256::new();
    let length = read_through(storage, name, |bytes, _| {
        digest.update(bytes);
        Ok(())
    })?;
    Ok((length, digest.finalize().into()))
}

fn read_through(
    storage: &dyn Storage,
    name: &str,
    mut take: impl FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<u64> {
    let file = storage.open_to_read(name)?;
    let mut bytes = vec![0; STEP_BYTES];
    let mut at = 0;
    loop {
        let read = file.read_up_to(&mut bytes, at)?;
        take(&bytes[..read], at)?;
        at += read as u64;
        if read < bytes.len() {
            return Ok(at);
        }
    }
}
