//! Which records are not needed any more: by no snapshot, and by no history that the configuration asks for.

use domain::Timestamp;
use journal::JournalError;
use journal::storage::Storage;
use std::time::Duration;

/// The last record that may go: at most `needed_by_none`, and older than `keep_for`. 0: none may.
///
/// A segment tells when it was begun, and every record of the segments before it is older than that.
pub(super) fn retirable(
    storage: &dyn Storage,
    needed_by_none: u64,
    now: Timestamp,
    keep_for: Duration,
) -> Result<u64, JournalError> {
    if needed_by_none == 0 || keep_for.is_zero() {
        return Ok(needed_by_none);
    }
    let segments = journal::segments_behind(storage, 0)?;
    let old = segments
        .iter()
        .rev()
        .find(|segment| now.since(Timestamp::from_micros(segment.opened_at_utc_micros)) >= keep_for);
    Ok(old.map_or(0, |segment| segment.first_sequence.saturating_sub(1)).min(needed_by_none))
}
