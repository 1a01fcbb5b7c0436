//! Damaged snapshots, out of the way and within a bound.
//!
//! A damaged generation must not count as one of those that are kept, or segments would go that a good one still
//! needs. It stays under another name for whoever finds out what happened to it. A disk that rots again and again must
//! not fill up with them: beyond a number that the caller sets, the oldest go.

use super::{ASIDE_PREFIX, SnapshotError, generation_of, snapshot_name};
use crate::storage::Storage;

/// Takes a generation that is damaged out of the way, and keeps the newest `kept_max` of those that are, at least one,
/// so that its number is not given again; how many are there then.
///
/// # Errors
/// It cannot be renamed, or an old one cannot be removed.
pub fn set_aside(storage: &dyn Storage, generation: u64, kept_max: usize) -> Result<usize, SnapshotError> {
    let name = snapshot_name(generation);
    let io = |source| SnapshotError::Io {
        doing: "set a damaged snapshot aside",
        path: storage.path(&name),
        source,
    };
    storage.rename(&name, &aside_name(generation)).map_err(io)?;
    let (there, kept_max) = (those_aside(storage)?, kept_max.max(1));
    for old in there.iter().skip(kept_max) {
        storage.remove(&aside_name(*old)).map_err(io)?;
    }
    storage.sync_directory().map_err(io)?;
    Ok(there.len().min(kept_max))
}

/// The generations that were set aside and are still there, newest first.
///
/// # Errors
/// The directory cannot be read.
pub fn those_aside(storage: &dyn Storage) -> Result<Vec<u64>, SnapshotError> {
    let names = storage.list().map_err(|source| SnapshotError::Io {
        doing: "list the damaged snapshots",
        path: storage.path(""),
        source,
    })?;
    let mut there: Vec<u64> =
        names.iter().filter_map(|name| generation_of(name.strip_prefix(ASIDE_PREFIX)?)).collect();
    there.sort_unstable_by(|a, b| b.cmp(a));
    Ok(there)
}

fn aside_name(generation: u64) -> String {
    format!("{ASIDE_PREFIX}{}", snapshot_name(generation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated_disk::SimulatedDisk;
    use crate::snapshot::generations;

    #[test]
    fn the_newest_damaged_ones_stay_and_none_counts_as_a_snapshot() {
        let disk = SimulatedDisk::new(0);
        for generation in 1..=4 {
            disk.put(&snapshot_name(generation), b"rotten");
        }
        let counts: Vec<usize> = (1..=3).map(|rotten| set_aside(&disk, rotten, 2).unwrap()).collect();
        assert_eq!(counts, [1, 2, 2]);
        assert_eq!(those_aside(&disk).unwrap(), [3, 2]);
        assert_eq!(generations(&disk).unwrap(), [4]);
    }
}
