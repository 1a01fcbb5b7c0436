//! Builds a journal from a backup, as it was at its end or at an earlier record.

use super::take::{check_beginning, check_empty, copy_one};
use super::{BackupError, Manifest};
use crate::copy::digest_of;
use crate::cut::cut_behind;
use crate::error::{JournalError, ReplayError};
use crate::mark::MARK_NAME;
use crate::offline::{Verified, journal_start, verify_locked};
use crate::scan::scan;
use crate::seal::SealingKeys;
use crate::snapshot::{inspect_all, is_snapshot_name};
use crate::storage::Storage;

/// Which moment is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// Everything in the backup.
    End,
    /// Up to this record.
    Sequence(u64),
    /// Up to the record before the first one of a later time, in microseconds since 1970-01-01 UTC.
    Time(i64),
}

/// Why the walk to a time ended.
#[derive(Debug, thiserror::Error)]
#[error("record {0} is later")]
struct Later(u64);

/// Builds in the empty directory `to` the journal that the backup in `from` holds, up to `target`.
///
/// # Errors
/// A file of the backup is missing or changed, the moment is not in it, `to` holds files, sealed payloads do not open
/// under `keys` (if given), or the file system refuses. What was written to `to` is then no journal to be used.
pub fn restore_backup(
    from: &dyn Storage,
    to: &dyn Storage,
    target: Target,
    keys: Option<&SealingKeys>,
) -> Result<Verified, BackupError> {
    check_empty(to)?;
    let manifest = Manifest::read(from)?;
    check_digests(from, &manifest)?;
    let through = match target {
        Target::End => manifest.through,
        Target::Sequence(sequence) => sequence,
        Target::Time(at_utc_micros) => last_by(from, at_utc_micros, manifest.through)?,
    };
    let earliest = earliest(from)?;
    if through > manifest.through || through < earliest {
        let latest = manifest.through;
        return Err(BackupError::OutOfRange { wanted: through, earliest, latest });
    }
    for name in manifest.files.keys().filter(|name| *name != MARK_NAME && !is_snapshot_name(name)) {
        copy_one(from, name, to)?;
    }
    for inspection in inspect_all(from)? {
        // A snapshot that holds later records would bring them back.
        let inspected = inspection.outcome?;
        if inspected.reaches <= through {
            copy_one(from, &inspection.name, to)?;
        }
    }
    cut_behind(to, manifest.node, through)?;
    let verified = verify_locked(to, keys)?;
    check_beginning(to, verified.first_sequence)?;
    to.sync_directory().map_err(|source| BackupError::Io { doing: "sync", path: to.path(""), source })?;
    Ok(verified)
}

fn check_digests(from: &dyn Storage, manifest: &Manifest) -> Result<(), BackupError> {
    for (name, digest) in &manifest.files {
        let path = from.path(name);
        let changed = |found| BackupError::Changed { path: path.clone(), found };
        match digest_of(from, name) {
            Ok((_, found)) if found == *digest => {}
            Ok(_) => return Err(changed("its SHA-256 is another")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(changed("it is missing"));
            }
            Err(source) => return Err(BackupError::Io { doing: "read", path, source }),
        }
    }
    Ok(())
}

/// The earliest record that can be restored to: with the first segment present nothing at all, else what the oldest
/// snapshot holds.
fn earliest(from: &dyn Storage) -> Result<u64, BackupError> {
    if journal_start(from)? == 0 {
        return Ok(0);
    }
    let whole = inspect_all(from)?.into_iter().filter_map(|inspection| inspection.outcome.ok());
    Ok(whole.map(|inspected| inspected.reaches).min().unwrap_or(u64::MAX))
}

/// The record before the first one that is later than a time.
fn last_by(from: &dyn Storage, at_utc_micros: i64, through: u64) -> Result<u64, BackupError> {
    let walked = scan(from, None, journal_start(from)?, None, &mut |record| {
        if record.at_utc_micros > at_utc_micros {
            return Err(ReplayError::from(Later(record.sequence)));
        }
        Ok(())
    });
    match walked {
        Ok(_) => Ok(through),
        Err(JournalError::Replay { sequence, source, .. }) if source.is::<Later>() => Ok(sequence - 1),
        Err(error) => Err(error.into()),
    }
}
