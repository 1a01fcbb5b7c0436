//! Opens a damaged journal's way again, by an explicit order that names the first fact to give up.
//!
//! Never done by the switch, and never a default: an operator has read the refusal, has looked for a copy of the
//! files, and accepts the loss. The order must name exactly the sequence that the refusal names, so that an order
//! written for one damage is not obeyed for another.
//!
//! Guarantees: no byte is destroyed. Files behind the damage, and a copy of the damaged file, are kept in the
//! directory under names that begin with `lost-`; so are snapshots that hold facts behind the damage, for they would bring
//! them back. The records before the damage stay as they are. A crash in the
//! middle leaves a journal that is still refused for the same sequence, and the same order finishes the work.

use std::io;

use crate::copy::copy_file;
use crate::error::JournalError;
use crate::mark::{MARK_NAME, Mark, MarkFile, read_mark};
use crate::offline::journal_start;
use crate::recovery::take_lock;
use crate::scan::{Scan, scan_while_whole, segment_numbers};
use crate::segment::segment_name;
use crate::snapshot::{Inspection, SnapshotError, inspect_all};
use crate::spare::fill_with_zeros;
use crate::storage::Storage;
use crate::tail::judge;

/// What was given up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Repaired {
    /// The refusal that the operator had read.
    pub because: String,
    /// Last sequence that the journal still holds; 0 for none.
    pub kept_through: u64,
    /// Last sequence known to be given up, if anything tells.
    pub lost_through: Option<u64>,
    /// Where everything behind it was put aside.
    pub put_aside: Vec<String>,
}

/// Why a journal was not repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// It opens as it is.
    #[error("the journal is not damaged; nothing was changed")]
    NotDamaged,
    /// The order names another sequence than the damage.
    #[error(
        "the damage begins at sequence {found}, the order accepts loss from {accepted}; nothing was changed"
    )]
    OtherSequence {
        /// Where the damage begins.
        found: u64,
        /// What the operator named.
        accepted: u64,
    },
    /// What would be left cannot be started from.
    #[error(
        "the journal begins with sequence {first}, and every snapshot that reaches it holds facts that are to be given up; restore a backup instead; nothing was changed"
    )]
    NoBeginning {
        /// First record present.
        first: u64,
    },
    /// The snapshots cannot be looked at.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// It cannot be read or written, or is not refused for damage.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Gives up every record from sequence `accept_loss_from` on.
///
/// # Errors
/// The journal is in use, is not damaged, is damaged elsewhere, or the file system refuses; nothing is changed
/// before all of that is known, except by a file system that fails half-way.
pub fn repair(storage: &dyn Storage, accept_loss_from: u64) -> Result<Repaired, RepairError> {
    let _lock = take_lock(storage)?;
    let (mark, mark_refusal) = match read_mark(storage) {
        Ok(mark) => (mark, None),
        Err(error @ JournalError::MarkUnreadable { .. }) => (None, Some(error)),
        Err(error) => return Err(error.into()),
    };
    let start = journal_start(storage)?;
    let (found, outcome) = scan_while_whole(storage, mark, None, start, None, &mut |_| Ok(()));
    let refusal = refusal(storage, &found, mark_refusal, outcome)?;
    if found.next_sequence != accept_loss_from {
        let (found, accepted) = (found.next_sequence, accept_loss_from);
        return Err(RepairError::OtherSequence { found, accepted });
    }
    let kept_through = found.next_sequence - 1;
    let ahead = snapshots_ahead(storage, start, kept_through)?;
    let put_aside = put_snapshots_aside(storage, ahead)
        .and_then(|mut names| {
            names.extend(put_aside(storage, &found)?);
            Ok(names)
        })
        .map_err(|source| JournalError::io("put a damaged file aside", &storage.path(""), source))?;
    write_mark(storage, &found, kept_through)?;
    let lost_through = if let JournalError::Damage(damage) = &refusal { damage.last_at_risk } else { None };
    Ok(Repaired { because: refusal.to_string(), kept_through, lost_through, put_aside })
}

/// Why the journal does not open, if damage is the reason.
fn refusal(
    storage: &dyn Storage,
    found: &Scan,
    mark_refusal: Option<JournalError>,
    outcome: Result<(), JournalError>,
) -> Result<JournalError, RepairError> {
    match outcome {
        Err(damage @ JournalError::Damage(_)) => return Ok(damage),
        Err(other) => return Err(other.into()),
        Ok(()) => {}
    }
    if let Some(refusal) = mark_refusal {
        return Ok(refusal);
    }
    if found.mark.is_none() && found.segments > 0 {
        let segments = usize::try_from(found.segments).unwrap_or(usize::MAX);
        return Ok(JournalError::MarkMissing { path: storage.path(MARK_NAME), segments });
    }
    judge(storage, found).err().ok_or(RepairError::NotDamaged)
}

/// The snapshots that hold records behind `kept_through`. What is left must be enough to start from.
fn snapshots_ahead(storage: &dyn Storage, start: u64, kept_through: u64) -> Result<Vec<String>, RepairError> {
    let mut ahead = Vec::new();
    let mut reached = start == 0;
    for Inspection { name, outcome } in inspect_all(storage)? {
        match outcome {
            Ok(whole) if whole.reaches > kept_through => ahead.push(name),
            Ok(whole) => reached |= whole.header.through >= start,
            // No start uses it.
            Err(_) => {}
        }
    }
    if reached { Ok(ahead) } else { Err(RepairError::NoBeginning { first: start.saturating_add(1) }) }
}

/// Gives snapshots other names, while the journal is still refused.
fn put_snapshots_aside(storage: &dyn Storage, names: Vec<String>) -> io::Result<Vec<String>> {
    let mut aside = Vec::new();
    for name in names {
        let lost = free_name(storage, &name)?;
        storage.rename(&name, &lost)?;
        storage.sync_directory()?;
        aside.push(lost);
    }
    Ok(aside)
}

/// Moves the segments behind the damage aside, keeps a copy of the damaged one, and empties it from the damage on.
/// The order matters: until the last segment is gone, the journal is refused for the same sequence.
fn put_aside(storage: &dyn Storage, found: &Scan) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let last = found.last.as_ref();
    if let Some(last) = last {
        let name = segment_name(last.header.number);
        names.push(copy_aside(storage, &name)?);
        let mut file = storage.open(&name)?;
        fill_with_zeros(&mut *file, last.next_batch_at, last.header.segment_bytes)?;
    }
    let behind = last.map_or(0, |last| last.header.number);
    let numbers = segment_numbers(storage).map_err(io::Error::other)?;
    // The last first: what is left in between never looks like a journal that only misses its end.
    for number in numbers.into_iter().rev().filter(|number| *number > behind) {
        let name = segment_name(number);
        let aside = free_name(storage, &name)?;
        storage.rename(&name, &aside)?;
        storage.sync_directory()?;
        names.push(aside);
    }
    Ok(names)
}

fn copy_aside(storage: &dyn Storage, name: &str) -> io::Result<String> {
    let aside = free_name(storage, name)?;
    copy_file(storage, name, storage, &aside)?;
    storage.sync_directory()?;
    Ok(aside)
}

/// A name that begins with `lost-` and is not taken.
fn free_name(storage: &dyn Storage, name: &str) -> io::Result<String> {
    let taken = storage.list()?;
    let mut names = (1_u32..).map(|attempt| format!("lost-{attempt}-{name}"));
    names.find(|name| !taken.contains(name)).ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}

/// A mark that knows of nothing behind the damage.
fn write_mark(storage: &dyn Storage, found: &Scan, kept_through: u64) -> Result<(), JournalError> {
    let node = found.last.as_ref().map(|last| last.header.node).or(found.mark.map(|mark| mark.node));
    let mark = Mark {
        node: node.unwrap_or_default(),
        clean: false,
        counter: found.mark.map_or(1, |mark| mark.counter.saturating_add(1)),
        synced: kept_through,
        acknowledged: kept_through,
        segment: found.last.as_ref().map_or(0, |last| last.header.number),
        offset: found.last.as_ref().map_or(0, |last| last.next_batch_at),
    };
    MarkFile::create(storage, &mark)
}
