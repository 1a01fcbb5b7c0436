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

#[cfg(test)]
mod tests {
    use super::*;
    use journal::simulated_disk::SimulatedDisk;
    use journal::{Batch, JournalConfig, JournalHandle};
    use std::path::Path;
    use std::sync::{Arc, mpsc};

    /// A journal of small segments with one record every hour.
    fn hourly(disk: &SimulatedDisk, hours: i64) {
        let config = JournalConfig {
            segment_bytes: 4096,
            batch_bytes_max: 1024,
            write_bytes_max: 2048,
            free_bytes_min: 0,
            ..JournalConfig::new(Path::new("simulated"))
        };
        let take = |_: journal::RecoveredRecord<'_>| Ok::<_, journal::JournalError>(());
        let (_, journal) = journal::open_on(config, Arc::new(disk.clone()), 0, take).unwrap();
        let (released, releases) = mpsc::channel();
        let on_release = move |done: &mut Vec<()>| done.drain(..).for_each(|()| released.send(()).unwrap());
        let journal: JournalHandle<()> = journal.start(on_release, Arc::new(())).unwrap();
        for hour in 0..hours {
            let mut records = journal.buffer();
            records.push_encoded(0, hour * 3_600_000_000, 1, &[0; 800]).unwrap();
            journal.append(Batch { records, release: () }).unwrap();
            releases.recv().unwrap();
        }
    }

    #[test]
    fn records_stay_while_they_are_needed_or_young() {
        let disk = SimulatedDisk::new(0);
        hourly(&disk, 24);
        let hour = |hours: u64| Duration::from_secs(hours * 3_600);
        let now = Timestamp::from_seconds(24 * 3_600);
        let may_go = |needed_by_none, keep| retirable(&disk, needed_by_none, now, keep).unwrap();
        assert_eq!(may_go(0, Duration::ZERO), 0, "no second snapshot, nothing goes");
        assert_eq!(may_go(20, Duration::ZERO), 20, "no history is asked for");
        assert_eq!(may_go(20, hour(1_000)), 0, "all is younger than that");
        let old = may_go(20, hour(12));
        assert!(old > 0, "something is older than twelve hours");
        // Record n was written at hour n - 1.
        assert!(24 - (old - 1) > 12, "and nothing younger goes: {old}");
        assert_eq!(may_go(3, hour(12)), 3.min(old), "a record that is needed stays however old");
    }
}
