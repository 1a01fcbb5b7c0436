//! A snapshot of each version of the rows, kept for good: what was written once stays readable.
//!
//! `SNAPSHOT_WRITE_GOLDEN=1 cargo test -p switch golden` writes today's file where none is. A change of the rows' layout
//! needs a new `ROWS_VERSION`, a new file, and code that still reads the old one.

use crate::slices::{Sliced, write_common, write_shard};
use authorizer::{ControlTotals, Policy, ROWS_VERSION, Shard};
use domain::{RateTable, ShardId};
use journal::simulated_disk::SimulatedDisk;
use journal::snapshot::{OpenSnapshot, SnapshotWriter};
use journal::storage::Storage;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use testkit::History;

const NAME: &str = "snapshot-00000000000000000001.journal";
/// The last record that the kept snapshots say they hold.
const THROUGH: u64 = 4_711;

fn path(version: u16) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/rows-v{version}")).join(NAME)
}

/// Whether a shard has rows of every kind.
fn has_everything(totals: &ControlTotals) -> bool {
    let counts = [totals.finished, totals.expiries, totals.asked, totals.requests, totals.duties];
    counts.iter().all(|count| *count > 0)
}

fn written(shards: &[Shard]) -> Vec<u8> {
    let disk = SimulatedDisk::new(0);
    let mut writer = SnapshotWriter::begin(Arc::new(disk.clone()), 1, THROUGH, 5).unwrap();
    for shard in shards {
        write_shard(&mut writer, shard, THROUGH).unwrap();
        if shard.id() == ShardId(0) {
            write_common(&mut writer, &RateTable::default(), THROUGH).unwrap();
        }
    }
    writer.finish().unwrap();
    disk.contents(NAME).unwrap()
}

fn read(bytes: &[u8]) -> Vec<Shard> {
    let disk = SimulatedDisk::new(0);
    disk.put(NAME, bytes);
    let storage: Arc<dyn Storage> = Arc::new(disk);
    let sliced = Sliced::new(OpenSnapshot::open(&storage, 1, 1).unwrap());
    let mut reader = sliced.snapshot().reader().unwrap();
    let shards = (0..ShardId::COUNT).map(|id| {
        let read = sliced.read(&mut reader, ShardId(id), Policy::default()).unwrap();
        assert_eq!(read.through, THROUGH);
        read.shard
    });
    shards.collect()
}

/// One shard as a random history leaves it, rich enough to have rows of every kind; the others empty.
fn story() -> Vec<Shard> {
    let rich = (0..).map(|seed| History::of(seed).play().unwrap().shard().clone());
    let rich = rich.into_iter().find(|shard| has_everything(&shard.control_totals())).unwrap();
    let shards = (0..ShardId::COUNT).map(|id| {
        if ShardId(id) == rich.id() { rich.clone() } else { Shard::new(ShardId(id), Policy::default()) }
    });
    shards.collect()
}

#[test]
fn a_snapshot_of_this_version_is_read_and_written_byte_by_byte_as_it_was() {
    let path = path(ROWS_VERSION);
    if std::env::var_os("SNAPSHOT_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, written(&story())).unwrap();
    }
    let kept = std::fs::read(&path).unwrap();
    let shards = read(&kept);
    assert!(shards.iter().any(|shard| has_everything(&shard.control_totals())), "it has rows of every kind");
    assert!(
        written(&shards) == kept,
        "the rows of version {ROWS_VERSION} are laid out otherwise than in {}: see the head of this file",
        path.display()
    );
}
