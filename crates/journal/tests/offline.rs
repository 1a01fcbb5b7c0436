//! Offline reading: verify, dump, and the reader in Python that knows only the drawn format.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use journal::{FileStorage, JournalConfig, JournalError, SealingKeys, Tail, dump, verify};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// A copy of the golden journal that a test may lock and damage.
fn copy_of_golden() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(golden()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), directory.path().join(entry.file_name())).unwrap();
    }
    directory
}

fn storage(directory: &Path) -> FileStorage {
    FileStorage::open_existing(directory).unwrap()
}

fn dumped(directory: &Path, after: u64) -> (Vec<(u64, String)>, Result<(), JournalError>) {
    let mut records = Vec::new();
    let outcome = dump(&storage(directory), &SealingKeys::default(), after, |record| {
        records.push((record.sequence, hex(record.payload)));
        Ok::<_, JournalError>(())
    });
    (records, outcome)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_good_directory_is_verified_and_dumped() {
    let directory = copy_of_golden();
    let verified = verify(&storage(directory.path()), None).unwrap();
    assert_eq!((verified.segments, verified.records, verified.last_sequence), (2, 60, 60));
    assert_eq!(verified.tail, Tail::Whole);
    assert!(verified.mark.unwrap().clean);
    assert_eq!(dumped(directory.path(), 0).0.len(), 60);
    let (records, outcome) = dumped(directory.path(), 58);
    outcome.unwrap();
    assert_eq!(records.iter().map(|record| record.0).collect::<Vec<_>>(), [59, 60]);
}

#[test]
fn a_damaged_directory_is_dumped_up_to_the_damage_and_then_refused() {
    let directory = copy_of_golden();
    let path = directory.path().join("segment-00000000000000000002.journal");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[700] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (records, outcome) = dumped(directory.path(), 0);
    let message = outcome.unwrap_err().to_string();
    assert!(message.contains("segment-00000000000000000002.journal at offset 512"), "{message}");
    let first_at_risk = records.last().unwrap().0 + 1;
    assert!(message.contains(&format!("facts at risk: sequences {first_at_risk} to ")), "{message}");
    assert_eq!(verify(&storage(directory.path()), None).unwrap_err().to_string(), message);
}

#[test]
fn an_empty_directory_is_a_good_journal_without_records() {
    let directory = tempfile::tempdir().unwrap();
    let verified = verify(&storage(directory.path()), None).unwrap();
    assert_eq!((verified.segments, verified.last_sequence, verified.mark), (0, 0, None));
}

#[test]
fn a_directory_in_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let config = JournalConfig { free_bytes_min: 0, ..JournalConfig::new(directory.path()) };
    let config =
        JournalConfig { segment_bytes: 65_536, batch_bytes_max: 4096, write_bytes_max: 4096, ..config };
    let (_, journal) = journal::open(config, |_| Ok::<_, JournalError>(())).unwrap();
    let journal = journal.start(|_: &mut Vec<()>| {}, Arc::new(())).unwrap();
    let error = verify(&storage(directory.path()), None).unwrap_err();
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    drop(journal);
    verify(&storage(directory.path()), None).unwrap();
}

#[test]
fn a_reader_that_knows_only_the_drawn_format_finds_the_same() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let Ok(output) =
        Command::new("python3").arg("-Bc").arg(RECORDS).arg(golden()).current_dir(tests).output()
    else {
        eprintln!("skipped: there is no python3 here");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let directory = copy_of_golden();
    let chain = hex(&verify(&storage(directory.path()), None).unwrap().chain);
    let records = dumped(directory.path(), 0).0;
    let mut expected: Vec<String> =
        records.iter().map(|(sequence, payload)| format!("{sequence} {payload}")).collect();
    expected.push(format!("chain {chain}"));
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().collect::<Vec<_>>(), expected);
    assert_eq!(records.len(), 60);
}

/// Lets the reader print what it reads, before any of it is taken for a fact.
const RECORDS: &str = r#"
import sys
from read_journal import Path, read_journal

def read():
    chain = yield from read_journal(Path(sys.argv[1]))
    print("chain", chain.hex())

for sequence, _shard, _time, _version, payload in read():
    print(sequence, payload.hex())
"#;
