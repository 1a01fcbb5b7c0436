//! Backups of a journal that is being written, and what is restored from them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use journal::snapshot::{Slice, SnapshotWriter};
use journal::{
    BackupError, Batch, FileStorage, JournalConfig, JournalError, JournalHandle, SealingKeys, Target,
    back_up, dump, restore_backup, verify,
};

fn config(directory: &Path) -> JournalConfig {
    JournalConfig {
        segment_bytes: 16 * 1024,
        batch_bytes_max: 4 * 1024,
        write_bytes_max: 8 * 1024,
        free_bytes_min: 0,
        retain_segments: 0,
        ..JournalConfig::new(directory)
    }
}

fn keys() -> SealingKeys {
    SealingKeys::parse(["ab".repeat(32).as_str()]).unwrap()
}

fn start(config: JournalConfig) -> JournalHandle<u64> {
    let (_, journal) = journal::open(config, |_| Ok::<_, JournalError>(())).unwrap();
    journal.start(|_: &mut Vec<u64>| {}, Arc::new(())).unwrap()
}

/// Fact n of time n ms, three in a batch. The journal may be full for a moment.
fn append(journal: &JournalHandle<u64>, first: u64) {
    let mut records = journal.buffer();
    for fact in first..first + 3 {
        records.push(7, i64::try_from(fact).unwrap() * 1_000, &format!("fact {fact}")).unwrap();
    }
    let mut batch = Batch { records, release: first };
    while let Err(refused) = journal.append(batch) {
        batch = refused.batch;
        std::thread::yield_now();
    }
    // Backups are to be taken under traffic, not of a journal that outgrows them.
    std::thread::sleep(Duration::from_micros(200));
}

fn storage(directory: &Path) -> FileStorage {
    FileStorage::create_or_open(directory).unwrap()
}

fn facts(directory: &Path, keys: &SealingKeys) -> Vec<String> {
    let mut facts = Vec::new();
    dump(&storage(directory), keys, 0, |record| {
        facts.push(record.decode::<String>()?);
        Ok::<_, journal::payload::PayloadError>(())
    })
    .unwrap();
    facts
}

fn expected(facts: std::ops::RangeInclusive<u64>) -> Vec<String> {
    facts.map(|fact| format!("fact {fact}")).collect()
}

/// A directory with a journal of the facts 1 to 99, and a backup of it.
fn backed_up(keys: SealingKeys) -> (tempfile::TempDir, journal::Manifest) {
    let root = tempfile::tempdir().unwrap();
    let journal = start(JournalConfig { keys, ..config(&root.path().join("journal")) });
    (0..33).for_each(|batch| append(&journal, batch * 3 + 1));
    journal.shutdown().unwrap();
    drop(journal);
    let manifest =
        back_up(&storage(&root.path().join("journal")), &storage(&root.path().join("backup"))).unwrap();
    (root, manifest)
}

fn restore(root: &Path, to: &str, target: Target) -> Result<journal::Verified, BackupError> {
    restore_backup(&storage(&root.join("backup")), &storage(&root.join(to)), target, None)
}

#[test]
fn a_backup_taken_under_traffic_holds_everything_that_was_durable_before() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    let journal = start(config(&path("journal")));
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let (ready, started) = channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for batch in 0.. {
                append(&journal, batch * 3 + 1);
                written.store(batch, Ordering::Relaxed);
                if batch == 20 {
                    ready.send(()).unwrap();
                }
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        started.recv().unwrap();
        for round in 0..8 {
            let before = journal.positions().durable;
            let manifest =
                back_up(&storage(&path("journal")), &storage(&path(&format!("backup-{round}")))).unwrap();
            assert!(manifest.through >= before, "{} of {before}", manifest.through);
            assert_eq!(manifest.at_utc_micros, i64::try_from(manifest.through).unwrap() * 1_000);
            let restored = restore_backup(
                &storage(&path(&format!("backup-{round}"))),
                &storage(&path(&format!("restored-{round}"))),
                Target::End,
                None,
            );
            assert_eq!(restored.unwrap().chain, manifest.chain);
            let read = facts(&path(&format!("restored-{round}")), &SealingKeys::default());
            assert_eq!(read, expected(1..=manifest.through));
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_backup_while_segments_are_retired_begins_with_its_snapshot() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    let journal = start(config(&path("journal")));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for batch in 0.. {
                append(&journal, batch * 3 + 1);
                if batch % 100 == 99 {
                    let through = journal.positions().durable;
                    let begun = SnapshotWriter::begin(Arc::new(storage(&path("journal"))), 1, through, 5);
                    let mut snapshot = begun.unwrap();
                    snapshot
                        .push(&Slice { shard: 7, kind: 1, through, payload_version: 1, payload: b"state" })
                        .unwrap();
                    journal.retire_through(snapshot.finish().unwrap().retire_through);
                }
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        while journal.positions().durable < 2_000 {
            std::thread::yield_now();
        }
        for round in 0..5 {
            let before = journal.positions().durable;
            let to = path(&format!("backup-{round}"));
            let manifest = back_up(&storage(&path("journal")), &storage(&to)).unwrap();
            assert!(manifest.through >= before);
            assert!(
                manifest.files.keys().any(|name| name.starts_with("snapshot-")),
                "{:?}",
                manifest.files.keys()
            );
            assert!(verify(&storage(&to), None).unwrap().first_sequence > 1, "the beginning is retired");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_restore_stops_at_the_wanted_record_also_inside_a_batch() {
    let (root, manifest) = backed_up(SealingKeys::default());
    assert_eq!(manifest.through, 99);
    for through in [1, 2, 3, 50, 51, 52, 99] {
        let to = format!("to-{through}");
        assert_eq!(restore(root.path(), &to, Target::Sequence(through)).unwrap().last_sequence, through);
        assert_eq!(facts(&root.path().join(&to), &SealingKeys::default()), expected(1..=through));
        // A switch goes on from there.
        let journal = start(config(&root.path().join(&to)));
        assert_eq!(journal.positions().durable, through);
        append(&journal, through + 1);
        journal.shutdown().unwrap();
        drop(journal);
        assert_eq!(facts(&root.path().join(&to), &SealingKeys::default()), expected(1..=through + 3));
    }
    let error = restore(root.path(), "too-late", Target::Sequence(100)).unwrap_err().to_string();
    assert_eq!(error, "record 100 is not in this backup, which can be restored to records 0 to 99");
}

#[test]
fn a_restore_stops_before_the_first_record_of_a_later_time() {
    let (root, _) = backed_up(SealingKeys::default());
    for (micros, through) in [(40_999, 40), (41_000, 41), (i64::MAX, 99), (0, 0)] {
        let to = format!("to-{through}");
        let restored = restore(root.path(), &to, Target::Time(micros)).unwrap();
        assert_eq!(restored.last_sequence, through, "{micros}");
    }
}

#[test]
fn a_sealed_backup_stays_sealed_and_is_restored_to_any_record() {
    let (root, _) = backed_up(keys());
    let to = root.path().join("to");
    let restored = restore_backup(
        &storage(&root.path().join("backup")),
        &storage(&to),
        Target::Sequence(50),
        Some(&keys()),
    );
    assert_eq!(restored.unwrap().last_sequence, 50);
    assert_eq!(facts(&to, &keys()), expected(1..=50));
    let without = Some(&SealingKeys::default());
    let refused = restore_backup(
        &storage(&root.path().join("backup")),
        &storage(&root.path().join("no")),
        Target::End,
        without,
    );
    let message = refused.unwrap_err().to_string();
    assert!(message.contains(&format!("sealed under key {:08x}", keys().newest())), "{message}");
}

#[test]
fn a_backup_that_was_changed_or_not_finished_is_not_restored() {
    let (root, manifest) = backed_up(SealingKeys::default());
    let backup = root.path().join("backup");
    let segment = manifest.files.keys().find(|name| name.starts_with("segment")).unwrap();
    let mut bytes = std::fs::read(backup.join(segment)).unwrap();
    bytes[9_000] ^= 1;
    std::fs::write(backup.join(segment), &bytes).unwrap();
    let message = restore(root.path(), "a", Target::End).unwrap_err().to_string();
    assert!(message.contains("its SHA-256 is another"), "{message}");
    std::fs::remove_file(backup.join(segment)).unwrap();
    let message = restore(root.path(), "b", Target::End).unwrap_err().to_string();
    assert!(message.contains("it is missing"), "{message}");
    std::fs::remove_file(backup.join(journal::MANIFEST_NAME)).unwrap();
    let message = restore(root.path(), "c", Target::End).unwrap_err().to_string();
    assert!(message.contains("there is no manifest"), "{message}");
}

#[test]
fn nothing_is_written_into_a_directory_that_holds_anything() {
    let (root, _) = backed_up(SealingKeys::default());
    std::fs::create_dir(root.path().join("used")).unwrap();
    std::fs::write(root.path().join("used/note.txt"), "mine").unwrap();
    let message = restore(root.path(), "used", Target::End).unwrap_err().to_string();
    assert!(message.ends_with("is not empty: it holds note.txt"), "{message}");
    let error =
        back_up(&storage(&root.path().join("journal")), &storage(&root.path().join("used"))).unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty { .. }), "{error}");
    let error = back_up(&storage(&root.path().join("empty")), &storage(&root.path().join("to"))).unwrap_err();
    assert!(matches!(error, BackupError::NoJournal { .. }), "{error}");
}

#[test]
fn damage_in_the_journal_is_not_backed_up_in_silence() {
    let (root, _) = backed_up(SealingKeys::default());
    let path = root.path().join("journal/segment-00000000000000000001.journal");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[600] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error =
        back_up(&storage(&root.path().join("journal")), &storage(&root.path().join("to"))).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("journal/segment-00000000000000000001.journal at offset"), "{message}");
    assert_eq!(std::fs::read_dir(root.path().join("to")).unwrap().count(), 0, "nothing half done is left");
}
