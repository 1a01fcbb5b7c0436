//! A part of a journal that is being written: what a snapshot is made of while the switch runs.
//!
//! Reads what is durable and nothing behind it, without the lock, while the writer goes on: a durable batch never
//! changes, and the walk stops at the record it was told. The segments that hold it must not be retired meanwhile;
//! whoever makes snapshots is also the one who retires.

use std::ops::ControlFlow;

use crate::error::{Damage, JournalError, ReplayError};
use crate::scan::{RecoveredRecord, header_of, needed_segments, scan_while_whole};
use crate::storage::Storage;

/// A segment that is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SegmentSpan {
    /// Which switch wrote it.
    pub node: u32,
    /// Its number.
    pub number: u64,
    /// Sequence of its first record.
    pub first_sequence: u64,
    /// Its length.
    pub bytes: u64,
    /// When it was begun, microseconds since 1970-01-01 UTC; 0 for the first one.
    pub opened_at_utc_micros: i64,
}

/// The segments that hold records after sequence `after`, in order; from 0, all of them. One whose header is not
/// whole is left out: reading it tells what is wrong with it.
///
/// # Errors
/// The directory cannot be read.
pub fn segments_behind(storage: &dyn Storage, after: u64) -> Result<Vec<SegmentSpan>, JournalError> {
    let mut spans = Vec::new();
    for number in needed_segments(storage, after)? {
        if let Some(header) = header_of(storage, number)? {
            spans.push(SegmentSpan {
                node: header.node,
                number,
                first_sequence: header.first_sequence,
                bytes: header.segment_bytes,
                opened_at_utc_micros: header.opened_at_utc_micros,
            });
        }
    }
    Ok(spans)
}

/// Hands out the records after `after` up to `through`, which is durable, or until `on_record` has enough.
///
/// # Errors
/// The journal is damaged there, is of another node, or cannot be read.
pub fn read_between(
    storage: &dyn Storage,
    node: u32,
    after: u64,
    through: u64,
    mut on_record: impl FnMut(RecoveredRecord<'_>) -> ControlFlow<()>,
) -> Result<(), JournalError> {
    let mut ended = after >= through;
    if ended {
        return Ok(());
    }
    // Past the end a batch may be half written, so the walk is stopped as soon as the last record was handed out.
    let mut take = |record: RecoveredRecord<'_>| -> Result<(), ReplayError> {
        let last = record.sequence >= through;
        ended = on_record(record).is_break() || last;
        if ended { Err("enough was read".into()) } else { Ok(()) }
    };
    let (found, outcome) =
        scan_while_whole(storage, None, Some(node), after, Some(&storage.keys()), &mut take);
    match outcome {
        Err(JournalError::Replay { .. }) if ended => Ok(()),
        Err(error) => Err(error),
        Ok(()) => Err(JournalError::Damage(Damage {
            path: found.last.as_ref().map_or_else(|| storage.path(""), |last| last.path.clone()),
            offset: found.last.as_ref().map_or(0, |last| last.next_batch_at),
            found: found.last.map_or_else(|| "no segment".to_owned(), |last| last.fault.to_string()),
            proof: format!("sequence {through} was durable before"),
            first_at_risk: found.next_sequence,
            last_at_risk: Some(through),
        })),
    }
}
