//! From disk to running state: the newest snapshot that is whole, the facts behind it, and then the books.
//!
//! No rule is run: a fact says what became true, and a restored shard is what the facts made of it. Every control
//! total of the snapshot and, at the end, every sum of the books must come out, or the start is refused.

mod progress;
mod replay;
mod report;
mod restore;

pub use report::{FromSnapshot, PassedOver, RecoveryReport};
pub(crate) use restore::{Plan, from_snapshot};

use crate::slices::SnapshotFault;
use authorizer::Shard;
use cache::{Clock, Recovering};
use domain::{AssetCode, Fact, ShardId, Timestamp, version_1};
use journal::payload::{self, PayloadError};
use journal::storage::Storage;
use journal::{Journal, JournalConfig, JournalError};
use std::sync::Arc;

/// Why a start is refused.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The snapshots cannot be read at all, or are another node's.
    #[error(transparent)]
    Snapshots(#[from] SnapshotFault),
    /// Everything was read, and the books do not balance.
    #[error("everything was read, but the books do not balance: {0}")]
    Unbalanced(#[from] Unbalanced),
}

/// Opens the journal on `storage` and rebuilds the state.
///
/// # Errors
/// The snapshots or the journal are not what they must be, or the books do not balance.
pub(crate) fn recover(
    config: JournalConfig,
    storage: &Arc<dyn Storage>,
    plan: Plan,
    clock: &dyn Clock,
) -> Result<(Recovering, RecoveryReport, Journal), RecoveryError> {
    config.check()?;
    let begin = clock.now().mono;
    let restored = restore::restore(storage, &plan)?;
    let restored_at = clock.now().mono;
    let (state, journal_read, journal) =
        replay::replay(config, storage, &plan, restored.state, &restored.through)?;
    let replayed_at = clock.now().mono;
    check_books(state.shards())?;
    let count = |of: fn(&Shard) -> usize| state.shards().map(|shard| of(shard) as u64).sum();
    let report = RecoveryReport {
        snapshot: restored.used.map(|used| FromSnapshot {
            generation: used.header.generation,
            through: used.header.through,
            made_at: Timestamp::from_micros(used.header.at_utc_micros),
            slices: used.slices,
            bytes: used.bytes,
            took: restored_at.since(begin),
        }),
        passed_over: restored.passed_over,
        facts: journal_read.last_sequence.saturating_sub(restored.used.map_or(0, |used| used.header.through)),
        journal: journal_read,
        replay_took: replayed_at.since(restored_at),
        threads: plan.threads,
        cards: count(|shard| shard.card_names().count()),
        accounts: count(|shard| shard.account_names().count()),
        transactions: count(Shard::transactions),
        took: clock.now().mono.since(begin),
    };
    Ok((state, report, journal))
}

/// Decodes a fact of any version that the journal may hold.
pub(crate) fn decode_fact(version: u16, bytes: &[u8]) -> Result<Fact, PayloadError> {
    payload::decode_since::<version_1::Fact, Fact>(version, bytes)
}

/// Books that do not balance after everything was read.
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
