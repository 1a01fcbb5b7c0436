//! Which old segments may go.
//!
//! A segment may go when every record in it is retired, which the segment after it tells by its first sequence, and
//! when more segments are there than the retention keeps. The oldest goes first, and the directory is synced after
//! each: a crash must not leave a gap between the segments that stay.

use crate::error::JournalError;
use crate::scan::{header_of, segment_numbers};
use crate::segment::segment_name;
use crate::storage::Storage;

/// A segment that may go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Retirable {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
}

/// The segments of a directory.
pub(crate) struct Segments {
    /// How many there are.
    pub(crate) segments: u64,
    /// Those that may go, oldest first.
    pub(crate) retirable: Vec<Retirable>,
}

/// Looks at the directory: records up to `retired` are not needed, and `keep` segments in front of the needed ones
/// stay all the same. Reads one header more than there are segments to go.
pub(crate) fn retirable(storage: &dyn Storage, retired: u64, keep: usize) -> Result<Segments, JournalError> {
    let numbers = segment_numbers(storage)?;
    let segments = numbers.len() as u64;
    let mut retirable = Vec::new();
    if retired > 0 {
        // A segment is retired if the one behind it starts with a record that is needed, or with an older one. It
        // may go if the segment `keep` places behind it is retired too.
        for (number, witness) in numbers.iter().zip(numbers.iter().skip(keep.saturating_add(1))) {
            let Some(behind) = header_of(storage, *witness)? else { break };
            let Some(header) = header_of(storage, *number)? else { break };
            if behind.first_sequence > retired.saturating_add(1) {
                break;
            }
            retirable.push(Retirable { number: *number, bytes: header.segment_bytes });
        }
    }
    Ok(Segments { segments, retirable })
}

/// Removes a segment, durably.
pub(crate) fn remove(storage: &dyn Storage, number: u64) -> Result<(), JournalError> {
    let name = segment_name(number);
    let removed = storage.remove(&name).and_then(|()| storage.sync_directory());
    removed.map_err(|source| JournalError::io("remove an old segment", &storage.path(&name), source))
}
