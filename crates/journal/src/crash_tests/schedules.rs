//! Power cuts and killed processes, by the ten thousand.

use super::life::{Known, config, keys, live, open_after};
use crate::simulated_disk::{Faults, Random, SimulatedDisk};
use crate::{Acknowledge, JournalConfig, JournalError, Tail};

/// What a schedule promises to keep, given how its life ended.
fn must_hold(known: &Known, acknowledge: Acknowledge, cache_survives: bool) -> usize {
    match (acknowledge, cache_survives) {
        (Acknowledge::Disk, _) | (Acknowledge::Os, true) => known.acknowledged.max(known.durable),
        (Acknowledge::Os, false) | (Acknowledge::Memory, _) => known.durable,
    }
}

/// Runs one schedule; what went wrong, if anything did.
fn run(seed: u64, lie: fn(&mut Faults)) -> Result<(), String> {
    let mut random = Random::new(seed);
    let modes = [Acknowledge::Disk, Acknowledge::Disk, Acknowledge::Os, Acknowledge::Memory];
    let retain_segments = [usize::MAX, 0, 1][random.below(3) as usize];
    let mut config = JournalConfig { retain_segments, ..config(modes[random.below(4) as usize]) };
    // Some journals are sealed, and change the key between lives.
    let sealed = random.chance(1, 4);
    let mut disk = SimulatedDisk::new(seed);
    let mut before = Known::default();
    let mut must = 0;
    let mut sync_failed = false;
    let lives = 1 + random.below(4);
    for life in 0..lives {
        let mut faults = Faults { short_writes: random.chance(1, 4), ..Faults::default() };
        // Early enough to fall into the recovery now and then.
        let horizon = if random.chance(1, 4) { 12 } else { 160 };
        let fatal = disk.operations() + random.below(horizon);
        match random.below(8) {
            0 => faults.write_fails_at = Some(fatal),
            1 => {
                faults.sync_fails_at = Some(fatal);
                sync_failed = true;
            }
            _ => faults.power_fails_at = Some(fatal),
        }
        if random.chance(1, 8) {
            // Room for a few more segments: the disk is full before the life is over.
            let used: u64 = disk.files().iter().map(|(_, bytes)| *bytes as u64).sum();
            faults.capacity_bytes = Some(used + 8192 + random.below(4) * config.segment_bytes);
        }
        if sealed {
            config.keys = keys(random.chance(1, 3));
        }
        lie(&mut faults);
        disk.plan(faults);
        let (known, failure) = match open_after(&disk, &config, before.in_snapshot()) {
            Ok((_, journal, read)) => {
                check(&before.handed_over, must, &read).map_err(|what| format!("life {life}: {what}"))?;
                let batches = random.below(25);
                live(journal, read, &mut random, batches, before.snapshot)
            }
            // The power failed inside the recovery: what was on disk before it still is.
            Err(error) => (before, Some(error)),
        };
        if let Some(error @ JournalError::Damage(_)) = failure {
            return Err(format!("life {life}: refused without damage: {error}"));
        }
        // A process that died of an input or output error leaves its page cache behind.
        let cache_survives = !disk.is_off() && random.chance(1, 2);
        must = must_hold(&known, config.acknowledge, cache_survives);
        // What went with the page cache is not promised a second time.
        before = Known { acknowledged: must, ..known };
        let cut = random.next_u64();
        disk = if cache_survives { disk.kill(cut) } else { disk.power_cut(cut) };
    }
    let mut honest = Faults::default();
    lie(&mut honest);
    disk.plan(honest);
    let (_, journal, read) = open_after(&disk, &config, before.in_snapshot())
        .map_err(|error| format!("refused without damage: {error}"))?;
    check(&before.handed_over, must, &read)?;
    drop(journal);
    let again = disk.power_cut(random.next_u64());
    let (recovered, _, reread) = open_after(&again, &config, before.in_snapshot())
        .map_err(|error| format!("refused the second time: {error}"))?;
    // After a failed sync of the zeros that cut a tail, the page cache shows them and the disk has the tail: it may
    // come back once, and is cut once more.
    if recovered.tail != Tail::Whole && !sync_failed {
        return Err(format!("mended, and then: {}", recovered.tail));
    }
    if reread == read { Ok(()) } else { Err(format!("first {} facts, then {}", read.len(), reread.len())) }
}

fn check(handed_over: &[u64], must: usize, read: &[u64]) -> Result<(), String> {
    if !handed_over.starts_with(read) {
        return Err(format!("read {read:?}, which is no prefix of the {} handed over", handed_over.len()));
    }
    if read.len() < must {
        return Err(format!("read {} facts, {must} were promised", read.len()));
    }
    Ok(())
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// `JOURNAL_SEED=7` runs one schedule; `JOURNAL_SCHEDULES=10000000 JOURNAL_FIRST_SEED=$RANDOM` runs as many as asked
/// for, other ones each time: `cargo test --release -p journal schedules -- --nocapture`.
#[test]
fn ten_thousand_schedules_lose_nothing_that_was_promised() {
    if let Some(seed) = setting("JOURNAL_SEED") {
        run(seed, |_| {}).unwrap();
        return;
    }
    let schedules = setting("JOURNAL_SCHEDULES").unwrap_or(10_000);
    let first = setting("JOURNAL_FIRST_SEED").unwrap_or(0) << 32;
    println!("schedules {first} to {}", first + schedules - 1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for seed in (first + thread..first + schedules).step_by(threads as usize) {
                    if let Err(what) = run(seed, |_| {}) {
                        panic!("JOURNAL_SEED={seed}: {what}");
                    }
                }
            });
        }
    });
}

/// A check that never fails proves nothing: these disks lie, and some schedule must notice.
#[test]
fn a_file_sync_that_does_nothing_is_noticed() {
    assert!((0..500).any(|seed| run(seed, |faults| faults.syncs_lie = true).is_err()));
}

#[test]
fn a_directory_sync_that_does_nothing_is_noticed() {
    assert!((0..500).any(|seed| run(seed, |faults| faults.directory_syncs_lie = true).is_err()));
}
