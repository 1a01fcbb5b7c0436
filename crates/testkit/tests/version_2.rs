//! A journal as payload version 2 writes it, byte by byte, and the balances that it leads to.
//!
//! `golden/version-2/journal` is a journal of random histories, each in a shard of its own, with every kind of fact that
//! the version has; `golden/version-2/balances.jsonl` is what their accounts come to. A fact that is laid out otherwise
//! needs version 3, a folder of its own beside this one, and code that still reads this one. A kind that is new goes to
//! the end and is no part of what is kept here. `FACTS_WRITE_GOLDEN=1 cargo test -p testkit --test version_2` writes the
//! folder where there is none.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use authorizer::{Inquiry, Policy, Reply, Shard};
use domain::{
    AccountId, AccountNo, Counts, Fact, KeyFingerprint, ProgramName, Said, ShardId, StandInMode,
    StandInOrder, Text, Timestamp, TransactionNo, Units,
};
use journal::simulated_disk::SimulatedDisk;
use journal::{Batch, JournalConfig, JournalError, JournalHandle, RecoveredRecord, payload};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use testkit::History;

/// Histories that the journal is made of: each that shows a kind of fact for the first time.
const HISTORIES: u64 = 1_000;
/// Kinds of facts that the version had when it was released.
const KINDS: u32 = 35;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/version-2").join(name)
}

fn config(directory: &Path) -> JournalConfig {
    JournalConfig {
        segment_bytes: 64 * 1024,
        batch_bytes_max: 16 * 1024,
        write_bytes_max: 16 * 1024,
        free_bytes_min: 0,
        ..JournalConfig::new(directory)
    }
}

/// The number of a fact's kind: the first four of its bytes.
fn kind(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[..4].try_into().unwrap())
}

fn encoded(fact: &Fact) -> Vec<u8> {
    let mut bytes = Vec::new();
    payload::encode(fact, &mut bytes).unwrap();
    bytes
}

/// Facts that histories do not play, about the first account and the first transaction of one.
fn unplayed(transaction: TransactionNo, now: Timestamp) -> [Fact; 5] {
    let order = StandInOrder {
        program: ProgramName::new("wallet").unwrap(),
        mode: Some(StandInMode::Manual),
        operator: Text::new("operator").unwrap(),
        reason: Text::new("the balance service is being moved").unwrap(),
        at: now,
    };
    let account = Some(AccountId::new("SAVINGS").unwrap());
    let said =
        Said { account, quote: Text::new("Q-17").unwrap(), text: Text::new("taken from savings").unwrap() };
    let told = |version, counts| Fact::BalanceTold {
        account: AccountNo(0),
        version,
        available: Units(-12_345_678_901_234_567_890),
        at: now,
        counts,
    };
    [
        told(7, Counts::Ask(transaction)),
        told(8, Counts::Named(vec![transaction])),
        Fact::TokenKeySeen { fingerprint: KeyFingerprint([0xA5; 16]) },
        Fact::ServiceSaid { transaction, said },
        Fact::StandInOrdered { order },
    ]
}

/// Each history that shows a kind of fact for the first time, and what no history shows behind the first of them.
fn histories() -> Vec<Vec<(Timestamp, Vec<u8>)>> {
    let (mut seen, mut chosen) = (BTreeSet::new(), Vec::new());
    for seed in 0..HISTORIES {
        let world = History::of(seed).play().unwrap();
        let before = seen.len();
        seen.extend(world.facts().iter().map(|(_, bytes)| kind(bytes)));
        if seen.len() > before {
            chosen.push(world.facts().to_vec());
        }
    }
    let (story, asked) =
        chosen.iter_mut().find_map(|story| first_ask(story).map(|asked| (story, asked))).unwrap();
    let now = story.last().unwrap().0;
    for fact in unplayed(asked, now) {
        seen.insert(kind(&encoded(&fact)));
        story.push((now, encoded(&fact)));
    }
    assert!(seen.iter().copied().eq(0..KINDS), "{seen:?}");
    chosen
}

fn first_ask(story: &[(Timestamp, Vec<u8>)]) -> Option<TransactionNo> {
    story.iter().find_map(|(_, bytes)| match payload::decode::<Fact>(2, bytes) {
        Ok(Fact::Asked { transaction, .. }) => Some(transaction),
        _ => None,
    })
}

fn write(directory: &Path) {
    let histories = histories();
    let (_, journal) = journal::open(config(directory), |_| Ok::<_, JournalError>(())).unwrap();
    let (released, releases) = std::sync::mpsc::channel();
    let on_release = move |done: &mut Vec<()>| done.drain(..).for_each(|()| released.send(()).unwrap());
    let journal: JournalHandle<()> = journal.start(on_release, Arc::new(())).unwrap();
    for (shard, story) in (0..).zip(histories) {
        for (at, bytes) in story {
            let mut records = journal.buffer();
            records.push_encoded(shard, at.micros(), payload::PAYLOAD_VERSION, &bytes).unwrap();
            journal.append(Batch { records, release: () }).map_err(|refused| refused.because).unwrap();
            releases.recv().unwrap();
        }
    }
    journal.shutdown().unwrap();
}

/// Every record that is kept.
fn records() -> Vec<(ShardId, Timestamp, u16, Vec<u8>)> {
    let mut records = Vec::new();
    let disk = SimulatedDisk::new(0);
    for entry in std::fs::read_dir(golden("journal")).unwrap() {
        let path = entry.unwrap().path();
        disk.put(path.file_name().unwrap().to_str().unwrap(), &std::fs::read(&path).unwrap());
    }
    let keep = |record: RecoveredRecord<'_>| {
        let at = Timestamp::from_micros(record.at_utc_micros);
        records.push((ShardId(record.shard), at, record.payload_version, record.payload.to_vec()));
        Ok::<_, JournalError>(())
    };
    journal::open_on(config(&golden("journal")), Arc::new(disk), 0, keep).unwrap();
    records
}

/// What the accounts of all shards come to, a line each, as the independent reader prints them.
fn balances() -> String {
    let mut shards = BTreeMap::new();
    for (number, at, version, bytes) in records() {
        let shard: &mut Shard = shards.entry(number).or_insert_with(|| Shard::new(number, Policy::default()));
        shard.apply(&payload::decode(version, &bytes).unwrap(), at).unwrap();
    }
    let mut lines = String::new();
    for shard in shards.values() {
        for number in 0..u32::try_from(shard.account_names().count()).unwrap() {
            let reply = shard.inquire(Inquiry::Account(AccountNo(number)), Timestamp::default());
            let Reply::Account(account) = reply else { panic!("{reply:?}") };
            let (ledger, held) = (account.balance.ledger.0, account.balance.held.0);
            let (id, asset) = (account.id, account.asset.code());
            writeln!(
                lines,
                r#"{{"account": "{id}", "asset": "{asset}", "ledger": {ledger}, "held": {held}}}"#
            )
            .unwrap();
        }
    }
    lines
}

fn kept_balances() -> &'static str {
    static KEPT: LazyLock<String> = LazyLock::new(|| {
        if std::env::var_os("FACTS_WRITE_GOLDEN").is_some() && !golden("journal").exists() {
            write(&golden("journal"));
            for entry in std::fs::read_dir(golden("journal")).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_none_or(|extension| extension != "journal") {
                    std::fs::remove_file(path).unwrap();
                }
            }
            std::fs::write(golden("balances.jsonl"), balances()).unwrap();
        }
        std::fs::read_to_string(golden("balances.jsonl")).unwrap()
    });
    &KEPT
}

#[test]
fn a_journal_of_version_2_leads_to_the_same_balances() {
    let kept = kept_balances();
    assert_eq!(balances(), kept);
    assert!(kept.lines().count() > 20);
}

#[test]
fn every_kind_of_fact_of_version_2_is_written_as_it_was() {
    kept_balances();
    let mut kinds = BTreeSet::new();
    for (_, _, version, bytes) in records() {
        let fact: Fact = payload::decode(version, &bytes).unwrap();
        assert_eq!(encoded(&fact), bytes, "{fact:?} is laid out otherwise: see the head of this file");
        kinds.insert(kind(&bytes));
    }
    assert!(kinds.iter().copied().eq(0..KINDS), "{kinds:?}");
}

#[test]
fn a_reader_that_shares_no_line_with_the_switch_finds_the_same_balances() {
    let kept = kept_balances();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../journal/tests/read_journal.py");
    let Ok(output) = Command::new("python3").arg(script).arg(golden("journal")).output() else {
        eprintln!("skipped: there is no python3 here");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), kept);
}
