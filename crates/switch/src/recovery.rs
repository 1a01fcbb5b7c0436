//! From the journal to running state: every fact applied in order, the books checked, no rule run.

use authorizer::Shard;
use cache::Recovering;
use domain::{AssetCode, Fact, ShardId, Timestamp, version_1};
use journal::{Journal, JournalConfig, JournalError, Recovered, RecoveredRecord, ReplayError};

/// How often progress is said, in records.
const PROGRESS_EVERY: u64 = 1_000_000;

/// Opens the journal and rebuilds the state from it.
pub(crate) fn recover(
    config: JournalConfig,
    mut state: Recovering,
) -> Result<(Recovering, Recovered, Journal), JournalError> {
    let mut replayed = 0_u64;
    let (recovered, journal) = journal::open(config, |record| -> Result<(), ReplayError> {
        replay(&record, &mut state)?;
        replayed += 1;
        if replayed.is_multiple_of(PROGRESS_EVERY) {
            tracing::info!(records = replayed, "replaying the journal");
        }
        Ok(())
    })?;
    Ok((state, recovered, journal))
}

/// Applies one record.
fn replay(record: &RecoveredRecord<'_>, state: &mut Recovering) -> Result<(), ReplayError> {
    let fact: Fact = record.decode_since::<version_1::Fact, Fact>()?;
    state.apply(ShardId(record.shard), Timestamp::from_micros(record.at_utc_micros), &fact)?;
    Ok(())
}

/// Books that do not balance after a replay.
#[derive(Debug, thiserror::Error)]
#[error(
    "shard {shard}: the ledger of {asset} is {ledger} units, but credits less debits, plus what the balance service \
     funded less what it got back, less what merchants were paid plus what they refunded, is {expected}"
)]
pub struct Unbalanced {
    shard: ShardId,
    asset: AssetCode,
    ledger: i128,
    expected: i128,
}

/// Checks that no money came from nowhere (P4).
pub(crate) fn check_books<'a>(shards: impl Iterator<Item = &'a Shard>) -> Result<(), Unbalanced> {
    for shard in shards {
        for (asset, totals) in shard.totals() {
            let expected = totals.ledger_by_flows();
            if expected != Some(totals.ledger) {
                let (ledger, expected) = (totals.ledger.0, expected.map_or(i128::MAX, |units| units.0));
                return Err(Unbalanced { shard: shard.id(), asset, ledger, expected });
            }
        }
    }
    Ok(())
}
