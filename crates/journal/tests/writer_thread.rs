//! The running journal on a real directory: order, gating, restart, bounds, and each refusal.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use journal::{
    Acknowledge, Appended, Batch, JournalConfig, JournalError, JournalHandle, RecordBuffer, Recovered,
    RefusedBecause, Tail,
};

fn config(directory: &Path) -> JournalConfig {
    JournalConfig {
        segment_bytes: 16 * 1024,
        batch_bytes_max: 4 * 1024,
        write_bytes_max: 8 * 1024,
        free_bytes_min: 0,
        ..JournalConfig::new(directory)
    }
}

fn replay(config: &JournalConfig) -> (Recovered, Vec<(u64, String)>) {
    let mut facts = Vec::new();
    let opened = journal::open(config.clone(), |record| {
        facts.push((record.sequence, record.decode::<String>()?));
        Ok::<_, journal::payload::PayloadError>(())
    });
    (opened.unwrap().0, facts)
}

fn start(config: &JournalConfig) -> (JournalHandle<u64>, Receiver<u64>) {
    let (_, journal) = journal::open(config.clone(), |_| Ok::<_, JournalError>(())).unwrap();
    let (sender, receiver) = channel();
    let on_release = move |releases: &mut Vec<u64>| releases.drain(..).for_each(|r| sender.send(r).unwrap());
    (journal.start(on_release, Arc::new(())).unwrap(), receiver)
}

fn batch(journal: &JournalHandle<u64>, release: u64, facts: &[&str]) -> Batch<u64> {
    let mut records: RecordBuffer = journal.buffer();
    for fact in facts {
        records.push(7, 1_000, fact).unwrap();
    }
    Batch { records, release }
}

fn append(journal: &JournalHandle<u64>, release: u64, facts: &[&str]) {
    assert_eq!(journal.append(batch(journal, release, facts)).unwrap(), Appended::Queued);
}

#[test]
fn released_batches_are_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let (journal, released) = start(&config);
    for n in 0..200 {
        append(&journal, n, &[&format!("first of {n}"), &format!("second of {n}")]);
    }
    let order: Vec<u64> = (0..200).map(|_| released.recv().unwrap()).collect();
    assert_eq!(order, (0..200).collect::<Vec<_>>());
    assert_eq!(journal.positions().durable, 400);
    journal.shutdown().unwrap();
    drop(journal);

    let (recovered, facts) = replay(&config);
    assert_eq!((recovered.records, recovered.last_sequence), (400, 400));
    assert!(recovered.segments > 1, "the test must cross a segment");
    assert!(recovered.clean_shutdown);
    assert_eq!(recovered.tail, Tail::Whole);
    assert_eq!(facts[399], (400, "second of 199".to_owned()));
    assert_eq!(replay(&config).1, facts);
}

#[test]
fn an_empty_batch_keeps_its_place_in_the_order() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, released) = start(&config(directory.path()));
    append(&journal, 1, &["a fact"]);
    append(&journal, 2, &[]);
    append(&journal, 3, &["another"]);
    assert_eq!((0..3).map(|_| released.recv().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(journal.positions().durable, 2);
}

#[test]
fn what_was_handed_over_before_a_shutdown_is_released_by_it() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let (journal, released) = start(&config);
    for n in 0..100 {
        append(&journal, n, &["a fact long enough to need another segment before the shutdown is over"; 4]);
    }
    journal.shutdown().unwrap();
    assert_eq!(released.try_iter().count(), 100);
    let refused = journal.append(batch(&journal, 9, &["late"])).unwrap_err();
    assert_eq!((refused.because, refused.batch.release), (RefusedBecause::Stopped, 9));
    drop(journal);
    assert_eq!(replay(&config).0.records, 400);
}

#[test]
fn memory_mode_releases_at_once_and_writes_behind() {
    let directory = tempfile::tempdir().unwrap();
    let config = JournalConfig { acknowledge: Acknowledge::Memory, ..config(directory.path()) };
    let (journal, released) = start(&config);
    assert_eq!(journal.append(batch(&journal, 5, &["quick"])).unwrap(), Appended::Released(5));
    journal.shutdown().unwrap();
    assert_eq!(released.try_iter().count(), 0, "released once, not twice");
    drop(journal);
    assert_eq!(replay(&config).1, [(1, "quick".to_owned())]);
}

#[test]
fn memory_mode_refuses_more_than_the_settings_put_at_risk_and_syncs_early_to_make_room() {
    let directory = tempfile::tempdir().unwrap();
    let config = JournalConfig {
        acknowledge: Acknowledge::Memory,
        // No sync falls due while the test looks.
        sync_every: Duration::from_secs(3600),
        unsynced_exposure_max: 1_000,
        ..config(directory.path())
    };
    let (journal, _released) = start(&config);
    let spend = |amount| {
        let mut batch = batch(&journal, 1, &["spent"]);
        batch.records.add_exposure(amount);
        journal.append(batch)
    };
    assert_eq!(spend(5_000).unwrap(), Appended::Released(1), "one alone may pass");
    let exposure = journal.exposure();
    assert_eq!((exposure.records, exposure.amount), (1, 5_000));
    assert_eq!(spend(1).unwrap_err().because, RefusedBecause::Full);
    // No sync would fall due for an hour.
    while spend(1).is_err() {
        thread::yield_now();
    }
    assert!(journal.exposure().amount <= 1);
    journal.shutdown().unwrap();
    assert_eq!(journal.exposure(), journal::Exposure::default());
}

#[test]
fn os_mode_releases_before_the_sync_and_syncs_early_at_the_record_bound() {
    let directory = tempfile::tempdir().unwrap();
    let config = JournalConfig {
        acknowledge: Acknowledge::Os,
        sync_every: Duration::from_secs(3600),
        unsynced_records_max: 3,
        ..config(directory.path())
    };
    let (journal, released) = start(&config);
    append(&journal, 1, &["one"]);
    assert_eq!(released.recv().unwrap(), 1);
    let after_one = journal.positions();
    assert_eq!((after_one.written, after_one.durable), (1, 0));
    assert_eq!(journal.append(batch(&journal, 2, &["x"; 3])).unwrap_err().because, RefusedBecause::Full);
    while journal.append(batch(&journal, 2, &["x"; 3])).is_err() {
        thread::yield_now();
    }
    assert_eq!(released.recv().unwrap(), 2);
    assert!(journal.positions().durable >= 1);
}

#[test]
fn a_batch_over_the_maximum_is_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, _released) = start(&config(directory.path()));
    let big = "x".repeat(5_000);
    let refused = journal.append(batch(&journal, 4, &[&big])).unwrap_err();
    assert_eq!((refused.because, refused.batch.records.records()), (RefusedBecause::TooLarge, 1));
}

#[test]
fn a_second_switch_on_the_same_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let (journal, _released) = start(&config);
    let second = journal::open(config.clone(), |_| Ok::<_, JournalError>(()));
    let message = second.err().unwrap().to_string();
    assert!(message.contains("in use by another switch"), "{message}");
    drop(journal);
    replay(&config);
}

#[test]
fn the_journal_of_another_node_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    drop(start(&config));
    let other = JournalConfig { node: 2, ..config };
    let error = journal::open(other, |_| Ok::<_, JournalError>(())).err().unwrap();
    assert!(error.to_string().ends_with("was written by node 1, this switch is node 2"), "{error}");
}

#[test]
fn a_fact_that_cannot_be_applied_stops_the_recovery_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let (journal, released) = start(&config);
    append(&journal, 1, &["not a number"]);
    released.recv().unwrap();
    drop(journal);
    let error = journal::open(config, |record| record.decode::<u64>().map(|_| ())).err().unwrap();
    assert!(error.to_string().starts_with("record 1 cannot be applied"), "{error}");
}

#[test]
fn lanes_that_race_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let config = JournalConfig { queue_batches_max: 4, ..config(directory.path()) };
    let (journal, released) = start(&config);
    std::thread::scope(|scope| {
        for lane in 0..4_u64 {
            let journal = &journal;
            scope.spawn(move || {
                for n in 0..100 {
                    let mut batch = batch(journal, lane * 100 + n, &[&format!("{lane} {n}")]);
                    while let Err(refused) = journal.append(batch) {
                        assert_eq!(refused.because, RefusedBecause::Full);
                        batch = refused.batch;
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    journal.shutdown().unwrap();
    let mut all: Vec<u64> = released.try_iter().collect();
    for lane in 0..4 {
        let of_lane: Vec<u64> = all.iter().copied().filter(|release| release / 100 == lane).collect();
        assert!(of_lane.is_sorted(), "releases of one lane keep their order");
    }
    all.sort_unstable();
    assert_eq!(all, (0..400).collect::<Vec<_>>());
    drop(journal);
    assert_eq!(replay(&config).0.records, 400);
}

/// Breaks the thread that calls it.
struct Breaks;

impl journal::JournalObserver for Breaks {
    fn space_changed(&self, _: journal::Space) {
        panic!("planned by the test");
    }
}

#[test]
fn a_dead_writer_thread_refuses_further_batches() {
    let directory = tempfile::tempdir().unwrap();
    let (_, journal) = journal::open(config(directory.path()), |_| Ok::<_, JournalError>(())).unwrap();
    let journal = journal.start(|_: &mut Vec<u64>| panic!("planned by the test"), Arc::new(())).unwrap();
    append(&journal, 1, &["a fact"]);
    let error = journal.shutdown().unwrap_err();
    assert_eq!(error.to_string(), "the journal's writer thread ended unexpectedly");
    assert!(!journal.is_healthy());
    let refused = journal.append(batch(&journal, 2, &["another"])).unwrap_err();
    assert_eq!(refused.because, RefusedBecause::Failed);
}

#[test]
fn a_dead_upkeep_thread_stops_the_writer() {
    let directory = tempfile::tempdir().unwrap();
    let config = JournalConfig { free_bytes_min: u64::MAX, ..config(directory.path()) };
    let (_, journal) = journal::open(config, |_| Ok::<_, JournalError>(())).unwrap();
    let (sender, _receiver) = channel();
    let on_release = move |releases: &mut Vec<u64>| releases.drain(..).for_each(|r| sender.send(r).unwrap());
    let journal = journal.start(on_release, Arc::new(Breaks)).unwrap();
    while journal.is_healthy() {
        std::thread::yield_now();
    }
    let error = journal.shutdown().unwrap_err();
    assert_eq!(error.to_string(), "the journal's upkeep thread ended unexpectedly");
}
