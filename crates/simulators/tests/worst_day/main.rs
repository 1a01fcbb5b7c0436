//! Switch, balance service and the network between them on their worst day, by seed and in virtual time.
//!
//! The switch is made of its own pure parts: the shards that decide, the journal's promise (what is durable
//! survives a crash, what is not may not), and of `funding` the budget, the breaker, the resolver, the duties and
//! the contract. The service is the simulated one's ledger behind the real JSON. Everything between them drops,
//! delays, reorders, repeats, resets and garbles, and either side crashes and comes back.
//!
//! Shown for every seed: each message of the processor is answered at most once, and each request in its time;
//! nothing is left undecided; once the network has healed and all duties are done, the service's books are the
//! switch's to the unit; and no approval that the processor has seen is forgotten.
//!
//! A build without optimisation plays a thousand worlds, one with it ten thousand.
//! `AUTHSWITCH_SEEDS=100000 cargo test --release -p simulators --test worst_day` plays more of them, and
//! `AUTHSWITCH_SEED=7 AUTHSWITCH_SEEDS=1` the one that a failure names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod books;
mod funding_side;
mod network;
mod plan;
mod planted;
mod processor;
mod switch;
mod world;

use planted::Planted;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use world::{Tally, World};

/// How many worlds are played unless more are asked for: a hundredth of a second each without optimisation, and a
/// tenth of that with it.
const SEEDS: u64 = if cfg!(debug_assertions) { 1_000 } else { 10_000 };

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, not a number")))
}

/// Plays one world. A panic is a failure with a seed like any other.
fn played(seed: u64, planted: Planted) -> Result<Tally, String> {
    let world = World::new(seed, planted);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.play())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("panicked: {}", text.or_else(|| panic.downcast_ref().copied()).unwrap_or_default()))
    })
}

/// Plays worlds on all cores until one fails; the failure of the lowest seed that was met.
fn play(first: u64, count: u64, planted: Planted) -> Result<Tally, String> {
    let (next, stop) = (AtomicU64::new(first), AtomicU64::new(first + count));
    let work = || {
        let mut tally = Tally::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= stop.load(Ordering::Relaxed) {
                return (tally, None);
            }
            match played(seed, planted) {
                Ok(seen) => tally.add(&seen),
                Err(problem) => {
                    stop.fetch_min(seed, Ordering::Relaxed);
                    return (tally, Some((seed, problem)));
                }
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let ends: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let mut all = Tally::default();
    ends.iter().for_each(|(tally, _)| all.add(tally));
    match ends.into_iter().filter_map(|(_, failure)| failure).min() {
        None => Ok(all),
        Some((seed, problem)) => {
            let story = if count == 1 { World::new(seed, planted).story() } else { String::new() };
            Err(format!(
                "seed {seed}: {problem}\n\
                 its story: AUTHSWITCH_SEED={seed} AUTHSWITCH_SEEDS=1 cargo test -p simulators --test worst_day when_all\n\
                 {story}"
            ))
        }
    }
}

#[test]
fn when_all_has_healed_the_services_books_are_the_switchs_to_the_unit() {
    let first = from_environment("AUTHSWITCH_SEED").unwrap_or(0);
    let count = from_environment("AUTHSWITCH_SEEDS").unwrap_or(SEEDS);
    let tally = play(first, count, Planted::Nothing).unwrap_or_else(|problem| panic!("{problem}"));
    println!("{count} worlds from seed {first}: {tally:?}");
    // The storm was one: a day on which nothing goes wrong shows nothing.
    if count >= 1_000 {
        for (what, count) in tally.rows() {
            assert!(count > 0, "in no world was there: {what}");
        }
    }
}

#[test]
fn every_planted_bug_is_caught_within_a_few_hundred_worlds() {
    let mut table = String::new();
    for planted in Planted::BUGS {
        let caught = play(0, 400, planted);
        let first_line = |problem: String| problem.lines().next().unwrap_or_default().to_owned();
        let found = caught.err().map_or("NOT CAUGHT".to_owned(), first_line);
        table.push_str(&format!("{planted:?}: {found}\n"));
    }
    println!("{table}");
    assert!(!table.contains("NOT CAUGHT"), "{table}");
}
