//! Takes a backup of a journal that may be written meanwhile.

use super::{BackupError, MANIFEST_NAME, Manifest};
use crate::copy::{copy_file, digest_of};
use crate::cut::cut_behind;
use crate::error::JournalError;
use crate::mark::{MARK_NAME, read_mark};
use crate::offline::verify_locked;
use crate::scan::{scan, segment_numbers};
use crate::segment::segment_name;
use crate::snapshot::{self, inspect_all, is_snapshot_name};
use crate::storage::Storage;

/// How often a copy is taken again when the journal changed under it. Each needs a whole segment or snapshot to be
/// retired in the time of one copy.
const ATTEMPTS: u32 = 5;

/// Copies the journal in `from` to the empty directory `to`: every segment and whole snapshot, up to a record that is
/// known to be on disk. Without success `to` is left as empty as it was.
///
/// # Errors
/// `to` holds files, `from` holds no journal or a damaged one, the journal changed under every attempt, or the file
/// system refuses.
pub fn back_up(from: &dyn Storage, to: &dyn Storage) -> Result<Manifest, BackupError> {
    check_empty(to)?;
    let manifest = copy_until_it_is_consistent(from, to).and_then(|manifest| {
        manifest.write(to)?;
        Ok(manifest)
    });
    if manifest.is_err() {
        // Best effort: why there is no backup matters more.
        let _ = clear(to);
    }
    manifest
}

fn copy_until_it_is_consistent(from: &dyn Storage, to: &dyn Storage) -> Result<Manifest, BackupError> {
    let mut attempts = 1;
    loop {
        let error = match copy(from, to) {
            Ok(manifest) => return Ok(manifest),
            Err(error) => error,
        };
        if !may_have_moved(&error) {
            return Err(error);
        }
        check_if_still(from)?;
        if attempts == ATTEMPTS {
            return Err(BackupError::Moving { attempts, last: Box::new(error) });
        }
        attempts += 1;
        clear(to)?;
    }
}

/// A journal that nobody writes cannot have changed: what is wrong is wrong with itself, and is named where it lies.
fn check_if_still(from: &dyn Storage) -> Result<(), BackupError> {
    let Ok(_lock) = from.lock() else { return Ok(()) };
    verify_locked(from, None)?;
    Ok(())
}

/// Whether a journal in order, written or retired meanwhile, may look like this.
fn may_have_moved(error: &BackupError) -> bool {
    let missing = |source: &std::io::Error| source.kind() == std::io::ErrorKind::NotFound;
    matches!(error, BackupError::NoBeginning { .. } | BackupError::Snapshot(_))
        || matches!(error, BackupError::Io { source, .. } if missing(source))
        || matches!(error, BackupError::Journal(JournalError::Io { source, .. }) if missing(source))
        || matches!(
            error,
            BackupError::Journal(
                JournalError::Damage(_)
                    | JournalError::EndsBefore { .. }
                    | JournalError::MarkUnreadable { .. }
            )
        )
}

/// The directory to write to must be there and empty.
pub(super) fn check_empty(to: &dyn Storage) -> Result<(), BackupError> {
    let path = to.path("");
    let names = to.list().map_err(|source| BackupError::Io { doing: "list", path: path.clone(), source })?;
    names.into_iter().next().map_or(Ok(()), |found| Err(BackupError::NotEmpty { path, found }))
}

/// Takes away what an attempt has left; the directory was empty before.
fn clear(to: &dyn Storage) -> Result<(), BackupError> {
    let io = |source| BackupError::Io { doing: "clear", path: to.path(""), source };
    for name in to.list().map_err(io)? {
        to.remove(&name).map_err(io)?;
    }
    Ok(())
}

fn copy(from: &dyn Storage, to: &dyn Storage) -> Result<Manifest, BackupError> {
    // Snapshots first, then the mark, then the segments: the segments then reach behind the mark, and the mark behind
    // the snapshots.
    let snapshots = copy_snapshots(from, to)?;
    let mark = read_mark(from)?.ok_or_else(|| BackupError::NoJournal { path: from.path("") })?;
    for number in segment_numbers(from)? {
        copy_one(from, &segment_name(number), to)?;
    }
    cut_behind(to, mark.node, mark.synced)?;
    let ahead = snapshots.iter().find(|snapshot| snapshot.reaches > mark.synced);
    if ahead.is_some() {
        // It was finished before what it holds was on disk; a moment later it is.
        return Err(JournalError::EndsBefore { path: from.path(""), sequence: mark.synced }.into());
    }
    let verified = verify_locked(to, None)?;
    check_beginning(to, verified.first_sequence)?;
    let mut at_utc_micros = 0;
    let last = verified.last_sequence.saturating_sub(1);
    scan(to, None, last.max(verified.first_sequence.saturating_sub(1)), None, &mut |record| {
        at_utc_micros = record.at_utc_micros;
        Ok(())
    })?;
    Ok(Manifest {
        node: mark.node,
        through: verified.last_sequence,
        chain: verified.chain,
        at_utc_micros,
        files: digests(to)?,
    })
}

/// Copies the whole snapshots; what each of them is. One that is not whole is of no use and left out.
fn copy_snapshots(from: &dyn Storage, to: &dyn Storage) -> Result<Vec<snapshot::Inspected>, BackupError> {
    let names = from.list();
    let names = names.map_err(|source| BackupError::Io { doing: "list", path: from.path(""), source })?;
    for name in names.iter().filter(|name| is_snapshot_name(name)) {
        copy_one(from, name, to)?;
    }
    let mut whole = Vec::new();
    for inspection in inspect_all(to)? {
        match inspection.outcome {
            Ok(inspected) => whole.push(inspected),
            Err(_) => to.remove(&inspection.name).map_err(|source| BackupError::Io {
                doing: "take a damaged snapshot away",
                path: to.path(&inspection.name),
                source,
            })?,
        }
    }
    Ok(whole)
}

pub(super) fn copy_one(from: &dyn Storage, name: &str, to: &dyn Storage) -> Result<(), BackupError> {
    let copied = copy_file(from, name, to, name).map(drop);
    copied.map_err(|source| BackupError::Io { doing: "copy", path: from.path(name), source })
}

/// A state must be possible to rebuild: from the first record, or from a whole snapshot that reaches the first one
/// present.
pub(super) fn check_beginning(storage: &dyn Storage, first: u64) -> Result<(), BackupError> {
    let reaches = |inspection: &snapshot::Inspection| {
        inspection.outcome.as_ref().is_ok_and(|inspected| inspected.header.through.saturating_add(1) >= first)
    };
    if first <= 1 || inspect_all(storage)?.iter().any(reaches) {
        return Ok(());
    }
    Err(BackupError::NoBeginning { first })
}

/// The digest of every file.
fn digests(
    storage: &dyn Storage,
) -> Result<std::collections::BTreeMap<String, crate::copy::FileDigest>, BackupError> {
    let io = |path: String, source| BackupError::Io { doing: "digest", path, source };
    storage.sync_directory().map_err(|source| io(storage.path(""), source))?;
    let names = storage.list().map_err(|source| io(storage.path(""), source))?;
    let kept = names.into_iter().filter(|name| {
        *name == MARK_NAME || crate::segment::segment_number(name).is_some() || is_snapshot_name(name)
    });
    kept.filter(|name| *name != MANIFEST_NAME)
        .map(|name| match digest_of(storage, &name) {
            Ok((_, digest)) => Ok((name, digest)),
            Err(source) => Err(io(storage.path(&name), source)),
        })
        .collect()
}
