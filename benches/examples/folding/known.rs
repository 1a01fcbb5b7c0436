//! Many cards that a switch knows from a snapshot, and that are never used.

use crate::moment;
use crate::population::Population;
use anyhow::Result;
use authorizer::Policy;
use journal::storage::Storage;
use journal::{Batch, FileStorage, JournalConfig, JournalHandle};
use std::path::Path;
use std::sync::Arc;
use switch::ConfigFile;

/// A journal with one record, and a snapshot of so many cards that stands behind it.
pub(crate) fn know(cards: u32, directory: &Path) -> Result<()> {
    let config = JournalConfig { free_bytes_min: 0, ..JournalConfig::new(directory) };
    let node = ConfigFile::default().node.id;
    let (_, journal) =
        journal::open(JournalConfig { node, ..config }, |_| Ok::<_, journal::JournalError>(()))?;
    let journal: JournalHandle<()> = journal.start(|_| {}, Arc::new(()))?;
    let population =
        Population::new(cards, Policy { open_holds_per_card_max: u32::MAX, ..Policy::default() });
    let (at, rate) = population.first_fact();
    let mut records = journal.buffer();
    records.push(0, at.micros(), &rate)?;
    journal.append(Batch { records, release: () }).map_err(|refused| refused.because)?;
    journal.shutdown().map_err(|error| anyhow::anyhow!("{error}"))?;
    let storage: Arc<dyn Storage> = Arc::new(FileStorage::open_existing(directory)?);
    switch::offline::write_snapshot(storage, node, 1, moment(0), population.shards())?;
    Ok(())
}
