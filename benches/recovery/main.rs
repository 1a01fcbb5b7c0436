//! How long a start takes: a snapshot of so many cards, and so many records behind it.
//!
//! `recovery CARDS RECORDS [DIRECTORY]` makes both, then measures the start in a process of its own, so that the
//! memory it reports is the start's alone. Each card has an account of its own with money on it, a day's and a month's
//! limit, and nothing else; the records are approvals of purchases spread over the cards.

mod population;

use anyhow::{Context, bail};
use authorizer::Policy;
use domain::{ShardId, Timestamp};
use journal::storage::Storage;
use journal::{Batch, FileStorage, JournalConfig, JournalHandle};
use population::Population;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const THREADS_MAX: usize = 16;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["measure", directory] => measure(Path::new(directory)),
        ["generate", cards, records, directory] => {
            generate(cards.parse()?, records.parse()?, Path::new(directory))
        }
        [cards, records] => {
            let directory = tempfile::tempdir_in(".").context("no folder for the journal")?;
            both(cards, records, directory.path())
        }
        [cards, records, directory] => both(cards, records, Path::new(directory)),
        _ => bail!("usage: recovery CARDS RECORDS [DIRECTORY]"),
    }
}

fn both(cards: &str, records: &str, directory: &Path) -> anyhow::Result<()> {
    let run = |arguments: &[&str]| -> anyhow::Result<()> {
        let status = Command::new(std::env::current_exe()?).args(arguments).arg(directory).status()?;
        if status.success() { Ok(()) } else { bail!("{arguments:?} ended with {status}") }
    };
    run(&["generate", cards, records])?;
    // Twice: the first start finds the files in memory or not, the second one does.
    run(&["measure"])?;
    run(&["measure"])
}

fn config(directory: &Path) -> JournalConfig {
    JournalConfig { free_bytes_min: 0, ..JournalConfig::new(directory) }
}

fn policy() -> Policy {
    Policy { open_holds_per_card_max: u32::MAX, ..Policy::default() }
}

/// One record, a snapshot that stands behind it, and the records behind that.
fn generate(cards: u32, records: u32, directory: &Path) -> anyhow::Result<()> {
    let begin = Instant::now();
    let (recovered, journal) = journal::open(config(directory), |_| Ok::<_, journal::JournalError>(()))?;
    if recovered.last_sequence > 0 {
        bail!("{} holds a journal already", directory.display());
    }
    let journal: JournalHandle<()> = journal.start(|_| {}, Arc::new(()))?;
    let mut population = Population::new(cards, policy());
    let (at, rate) = population.first_fact();
    let mut batch = journal.buffer();
    batch.push(0, at.micros(), &rate)?;
    append(&journal, batch);
    let storage: Arc<dyn Storage> = Arc::new(FileStorage::open_existing(directory)?);
    let bytes = switch::offline::write_snapshot(storage, config(directory).node, 1, at, population.shards())?;
    println!(
        "{cards} cards: a snapshot of {} MiB, made in {:.1} s",
        bytes >> 20,
        begin.elapsed().as_secs_f64()
    );
    let begin = Instant::now();
    let mut batch = journal.buffer();
    for number in 0..records {
        let (shard, at, fact) = population.approval(number)?;
        batch.push(shard.0, at.micros(), &fact)?;
        if batch.bytes() > 256 * 1024 {
            append(&journal, std::mem::replace(&mut batch, journal.buffer()));
        }
    }
    append(&journal, batch);
    journal.shutdown().map_err(|error| anyhow::anyhow!("{error}"))?;
    println!("{records} records behind it, written in {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

fn append(journal: &JournalHandle<()>, records: journal::RecordBuffer) {
    let mut batch = Batch { records, release: () };
    while let Err(refused) = journal.append(batch) {
        batch = refused.batch;
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn measure(directory: &Path) -> anyhow::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(THREADS_MAX);
    let begin = Instant::now();
    let (state, report) = switch::offline::recover(config(directory), policy(), threads)?;
    let took = begin.elapsed();
    println!("start: {:.2} s: {report}", took.as_secs_f64());
    let peak = memory("VmHWM")?;
    let now = memory("VmRSS")?;
    let cards = u64::from(ShardId::COUNT).max(report.cards);
    println!("memory: {} MiB resident, {} MiB at most, {} bytes a card", now >> 20, peak >> 20, now / cards);
    drop(state);
    Ok(())
}

/// A line of /proc/self/status, in bytes.
fn memory(line: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let found = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'));
    let kilobytes = found.and_then(|found| found.trim().strip_suffix(" kB")).context("no such line")?;
    Ok(kilobytes.trim().parse::<u64>()? * 1024)
}

/// A moment of the measured world.
fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_763_600_000 + seconds)
}
