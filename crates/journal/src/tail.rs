//! Judges where the records end: the clean end, a torn tail, or damage.
//!
//! A tail may be cut only if it was never acknowledged as durable. Three witnesses are heard, and one is enough to
//! refuse:
//!
//! 1. **A later segment** that continues from records we cannot read (found by `scan`): a segment is synced
//!    before the next one is begun.
//! 2. **A later whole batch** in the same segment that says `synced through` at or above the first unreadable
//!    record: it was written after that record's sync had succeeded. In mode `disk` every batch is such a witness
//!    for the one before it.
//! 3. **The mark file**, which says how far syncs had succeeded.
//!
//! What no witness can tell: the very last batch, damaged after its sync, when the power went before the mark
//! about it was synced (at most `mark_sync_every` later). It looks like a torn write and is cut, and reported.

use std::fmt;

use crate::batch::read_batch;
use crate::error::{Damage, JournalError};
use crate::mark::{MARK_NAME, Mark};
use crate::scan::{LastSegment, Scan};
use crate::storage::Storage;

/// Bytes behind the last whole batch that were never acknowledged as durable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TornTail {
    /// The segment file.
    pub path: String,
    /// Where the tail starts.
    pub offset: u64,
    /// From there to the last byte that is not zero.
    pub bytes: u64,
    /// What was found there.
    pub found: String,
    /// First sequence that the tail would have held.
    pub first_sequence: u64,
    /// Highest sequence acknowledged although not synced (modes `os` and `memory`) and now gone.
    pub acknowledged_through: Option<u64>,
}

/// How the journal ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tail {
    /// With a whole batch, or empty.
    Whole,
    /// With bytes that may be cut.
    Torn(TornTail),
    /// With a whole batch, but records acknowledged in mode `os` or `memory` never reached the disk.
    Short {
        /// First sequence that is gone.
        first_sequence: u64,
        /// Highest sequence acknowledged.
        acknowledged_through: u64,
    },
}

impl fmt::Display for Tail {
    /// What happened, for a log: what was cut and whether anybody had been told of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first_sequence, acknowledged_through) = match self {
            Self::Whole => return write!(f, "the journal ends with a whole batch"),
            Self::Torn(torn) => {
                let TornTail { path, offset, bytes, found, .. } = torn;
                write!(f, "torn tail in {path}: {bytes} bytes from offset {offset} ({found})")?;
                (torn.first_sequence, torn.acknowledged_through)
            }
            Self::Short { first_sequence, acknowledged_through } => {
                write!(f, "the journal ends early")?;
                (*first_sequence, Some(*acknowledged_through))
            }
        };
        match acknowledged_through {
            None => write!(f, "; nothing from sequence {first_sequence} on was acknowledged"),
            Some(last) => write!(
                f,
                "; sequences {first_sequence} to {last} were acknowledged before they were synced, and are lost"
            ),
        }
    }
}

/// Judges the end that a scan came to.
///
/// # Errors
/// [`JournalError::Damage`], if anything proves that the unreadable part had been synced.
pub(crate) fn judge(storage: &dyn Storage, scan: &Scan) -> Result<Tail, JournalError> {
    let mark = scan.mark.unwrap_or_default();
    let Some(last) = &scan.last else {
        return judge_empty(storage, &mark);
    };
    let next = scan.next_sequence;
    let end = last.end_of_content();
    let later = later_batch(last, end);
    let damage = |proof: String, last_at_risk| {
        let found =
            if end > last.next_batch_at { last.fault.to_string() } else { "records are missing".to_owned() };
        let (path, offset) = (last.path.clone(), last.next_batch_at);
        JournalError::Damage(Damage { path, offset, found, proof, first_at_risk: next, last_at_risk })
    };
    if let Some((at, synced_through)) = later.filter(|(_, synced_through)| *synced_through >= next) {
        let proof =
            format!("the batch at offset {at} was written after sequence {synced_through} was synced");
        return Err(damage(proof, Some(synced_through)));
    }
    if mark.synced >= next {
        let proof = format!("{} says sequence {} was synced", storage.path(MARK_NAME), mark.synced);
        return Err(damage(proof, Some(mark.synced)));
    }
    let acknowledged_through = Some(mark.acknowledged).filter(|acknowledged| *acknowledged >= next);
    Ok(match acknowledged_through {
        _ if end > last.next_batch_at => Tail::Torn(TornTail {
            path: last.path.clone(),
            offset: last.next_batch_at,
            bytes: end - last.next_batch_at,
            found: last.fault.to_string(),
            first_sequence: next,
            acknowledged_through,
        }),
        Some(acknowledged_through) => Tail::Short { first_sequence: next, acknowledged_through },
        None => Tail::Whole,
    })
}

/// No segment at all: right only before the first record.
fn judge_empty(storage: &dyn Storage, mark: &Mark) -> Result<Tail, JournalError> {
    if mark.segment == 0 {
        return Ok(Tail::Whole);
    }
    Err(JournalError::Damage(Damage {
        path: storage.path(MARK_NAME),
        offset: 0,
        found: "there is no segment".to_owned(),
        proof: format!(
            "the mark says segment {} and sequence {} were written",
            mark.segment, mark.acknowledged
        ),
        first_at_risk: 1,
        last_at_risk: Some(mark.acknowledged.max(1)),
    }))
}

/// The whole batch behind the end that knows of the most synced records: its offset, and what it knows.
fn later_batch(last: &LastSegment, end: u64) -> Option<(u64, u64)> {
    let seed = last.header.seed();
    let block = u64::from(last.header.block_bytes);
    let mut best = None;
    // The batch at the end itself counts: whole, but not continuing what lies before it.
    let mut at = last.next_batch_at;
    while at < end {
        if let Ok(batch) = read_batch(seed, &last.bytes, at) {
            let synced_through = batch.header.synced_through;
            if best.is_none_or(|(_, known)| synced_through > known) {
                best = Some((at, synced_through));
            }
        }
        at += block;
    }
    best
}
