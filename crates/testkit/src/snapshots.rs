//! Snapshots of a shard in the simulated world: saved to bytes, restored from them, compared row by row.

use crate::finding::Finding;
use authorizer::{Policy, Restoring, Row, Shard};

/// Where the two snapshots of a story of so many facts were made: spread over the story, and elsewhere each time
/// that it has gone on.
#[must_use]
pub(crate) fn places(facts: usize) -> (usize, usize) {
    let first = facts.wrapping_mul(7) % (facts + 1);
    let second = first + facts.wrapping_mul(5) % (facts - first + 1);
    (first, second)
}

/// The shard as a snapshot gives it back.
///
/// # Errors
/// It cannot be written or read, or does not come to its control totals.
pub(crate) fn saved_and_restored(shard: &Shard, policy: Policy) -> Result<Shard, Finding> {
    let bytes = rows(shard)?;
    let mut restoring = Restoring::new(shard.id(), policy);
    let mut at = 0;
    while at < bytes.len() {
        let (row, used): (Row<'_>, usize) =
            journal::payload::decode_first(&bytes[at..]).map_err(|error| Finding(error.to_string()))?;
        restoring.take(row).map_err(|error| Finding(error.to_string()))?;
        at += used;
    }
    restoring.finish(&shard.control_totals()).map_err(|error| Finding(error.to_string()))
}

/// Checks that two shards are the same in every row, and so in every field that a row has.
///
/// # Errors
/// The first row that differs.
pub(crate) fn same_rows(found: &Shard, expected: &Shard) -> Result<(), Finding> {
    if rows(found)? == rows(expected)? {
        return Ok(());
    }
    let (found, expected) = (listed(found), listed(expected));
    let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    let counts = format!("{} rows and {}", found.len(), expected.len());
    Err(Finding(format!("recovered from a snapshot, {counts}: {differs:?}")))
}

fn rows(shard: &Shard) -> Result<Vec<u8>, Finding> {
    let mut bytes = Vec::new();
    let saved = shard.save(|row| journal::payload::encode(row, &mut bytes));
    saved.map(|()| bytes).map_err(|error| Finding(error.to_string()))
}

fn listed(shard: &Shard) -> Vec<String> {
    let mut rows = Vec::new();
    let saved: Result<(), std::convert::Infallible> = shard.save(|row| {
        rows.push(format!("{row:?}"));
        Ok(())
    });
    let Ok(()) = saved;
    rows
}
