//! The format on disk, pinned: a journal written by each version is kept here byte by byte.
//!
//! A change that makes this test fail changes the format. It then needs a new version, a new golden directory
//! beside the others, and the others must still be read. `JOURNAL_WRITE_GOLDEN=1` writes a directory that is not there.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use journal::simulated_disk::SimulatedDisk;
use journal::{Batch, JournalConfig, Tail};
use serde::{Deserialize, Serialize};

/// Stands for a fact: one of each shape that the encoding must keep.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
enum Sample {
    Opened { account: u64, asset: String },
    Held { account: u64, minor: i128, reference: Option<[u8; 4]> },
    Closed,
}

const FILES: [&str; 3] =
    ["mark.journal", "segment-00000000000000000001.journal", "segment-00000000000000000002.journal"];

fn samples() -> Vec<Sample> {
    (0..20)
        .flat_map(|n| {
            let held =
                Sample::Held { account: n, minor: -12_50, reference: (n % 2 == 0).then_some(*b"ref!") };
            [Sample::Opened { account: n, asset: format!("USD {n}") }, held, Sample::Closed]
        })
        .collect()
}

fn config() -> JournalConfig {
    JournalConfig {
        node: 7,
        segment_bytes: 8192,
        batch_bytes_max: 1024,
        write_bytes_max: 2048,
        free_bytes_min: 0,
        // The mark alternates between its slots with each sync: no clock may decide in which it ends.
        mark_sync_every: Duration::from_secs(3600),
        ..JournalConfig::new(Path::new("golden"))
    }
}

fn golden(version: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(version).join(name)
}

/// Writes the samples, three a batch, each batch released before the next is handed over.
fn written_today() -> SimulatedDisk {
    let disk = SimulatedDisk::new(0);
    let opened = journal::open_on(config(), Arc::new(disk.clone()), 0, |_| Ok::<_, &str>(()));
    let (sender, receiver) = channel();
    let on_release = move |releases: &mut Vec<()>| releases.drain(..).for_each(|()| sender.send(()).unwrap());
    let journal = opened.unwrap().1.start(on_release, Arc::new(())).unwrap();
    for (n, facts) in samples().chunks(3).enumerate() {
        let mut records = journal.buffer();
        for fact in facts {
            records.push(n as u16, 1_763_600_000_000_000 + n as i64, fact).unwrap();
        }
        journal.append(Batch { records, release: () }).unwrap();
        receiver.recv().unwrap();
    }
    journal.shutdown().unwrap();
    disk
}

#[test]
fn todays_writer_writes_version_2_byte_by_byte() {
    let disk = written_today();
    for name in FILES {
        let path = golden("v2", name);
        let today = disk.contents(name).unwrap();
        if std::env::var_os("JOURNAL_WRITE_GOLDEN").is_some() && !path.exists() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &today).unwrap();
        }
        let kept = std::fs::read(&path).unwrap();
        let differs = kept.iter().zip(&today).position(|(kept, today)| kept != today);
        assert_eq!((differs, kept.len()), (None, today.len()), "{name} differs from the golden file");
    }
}

#[test]
fn version_1_is_read() {
    check_read("v1");
}

#[test]
fn version_2_is_read() {
    check_read("v2");
}

fn check_read(version: &str) {
    let disk = SimulatedDisk::new(0);
    for name in FILES {
        disk.put(name, &std::fs::read(golden(version, name)).unwrap());
    }
    let mut facts = Vec::new();
    let opened = journal::open_on(config(), Arc::new(disk), 0, |record| {
        assert_eq!(record.at_utc_micros, 1_763_600_000_000_000 + i64::from(record.shard));
        facts.push(record.decode::<Sample>()?);
        Ok::<_, journal::payload::PayloadError>(())
    });
    let recovered = opened.unwrap().0;
    assert_eq!(facts, samples());
    assert_eq!((recovered.segments, recovered.last_sequence, recovered.tail), (2, 60, Tail::Whole));
    assert!(recovered.clean_shutdown);
}
