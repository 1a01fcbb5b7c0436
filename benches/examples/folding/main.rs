//! Whether decisions wait for a snapshot: the same purchases with and without one being made, in turns, in one run.
//!
//!     cargo run --release -p benches --example folding -- [CARDS] [PURCHASES A SECOND]
//!
//! A snapshot of CARDS cards (a million) is folded again and again, as fast as it goes. What counts is the time between a
//! purchase's arrival in a lane's queue and the lane taking it up, and its ratio to the phases without a snapshot: the
//! machine's own noise is in both. The latencies that the client sees have the journal's sync in them, which shares the disk
//! with the snapshot's.

mod known;
#[path = "../../recovery/population.rs"]
#[allow(dead_code)] // the measurement of a start makes records with it, too
mod population;

use anyhow::{Result, ensure};
use benches::client::{Client, Framed, Run};
use benches::histogram::{Latencies, latencies, micros, ratio};
use benches::purchase::{Pick, Purchases};
use benches::system::{Cards, System};
use domain::Timestamp;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Seconds of one phase; one in which a snapshot is being made lasts until it is verified.
const SECONDS: u32 = 10;
/// Cards that the purchases are made with, funded from memory; as many that are not come before them.
const CARDS: u32 = 500;
/// Phases of each kind.
const ROUNDS: usize = 3;

/// How many decisions the lanes took up, and how soon.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) all: u64,
    pub(crate) within_a_millisecond: u64,
}

impl Counts {
    fn add(&mut self, before: Self, after: Self) {
        self.all += after.all - before.all;
        self.within_a_millisecond += after.within_a_millisecond - before.within_a_millisecond;
    }

    const fn later(&self) -> u64 {
        self.all.saturating_sub(self.within_a_millisecond)
    }
}

/// What the phases of one kind came to.
struct Kind {
    latencies: Latencies,
    waits: Counts,
    snapshots: u64,
}

fn main() -> Result<()> {
    let arguments: Vec<u32> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let cards = arguments.first().copied().unwrap_or(1_000_000);
    let rate = arguments.get(1).copied().unwrap_or(1_000);
    println!(
        "cores: {}; {cards} cards in the snapshot, {rate} purchases a second, {ROUNDS} x {SECONDS} s of each kind\n",
        std::thread::available_parallelism()?
    );
    let folder = tempfile::tempdir_in(".")?;
    let system = start(cards, &std::path::absolute(folder.path().join("journal"))?)?;
    purchases(&system, rate, 2)?;
    let new =
        || -> Result<Kind> { Ok(Kind { latencies: latencies()?, waits: Counts::default(), snapshots: 0 }) };
    let (mut without, mut with) = (new()?, new()?);
    for _ in 0..ROUNDS {
        phase(&system, rate, &mut without, false)?;
        phase(&system, rate, &mut with, true)?;
    }
    system.stop()?;
    println!(
        "{:<28} {:>10} {:>9} {:>9} {:>9} {:>9} {:>10} {:>14}",
        "", "snapshots", "p50 us", "p99 us", "p99.9 us", "max us", "decisions", "waited > 1 ms"
    );
    for (name, kind) in [("no snapshot", &without), ("snapshots being folded", &with)] {
        let at = |quantile| micros(&kind.latencies, quantile);
        println!(
            "{name:<28} {:>10} {:>9} {:>9} {:>9} {:>9} {:>10} {:>14}",
            kind.snapshots,
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0),
            kind.waits.all,
            kind.waits.later()
        );
    }
    let ratio = |quantile| {
        ratio(with.latencies.value_at_quantile(quantile), without.latencies.value_at_quantile(quantile))
    };
    println!(
        "ratio of what the client sees, with / without: p50 {}, p99 {}, p99.9 {}",
        ratio(0.5),
        ratio(0.99),
        ratio(0.999)
    );
    ensure!(with.snapshots > 0, "no snapshot came to its end; give it more time or fewer cards");
    Ok(())
}

/// A switch that knows many cards from a snapshot, and makes snapshots only when this program says so.
fn start(known: u32, journal: &Path) -> Result<System> {
    known::know(known, journal)?;
    System::start(Cards { jit: CARDS, pre_funded: CARDS }, |file| {
        file.journal.directory = journal.into();
        file.journal.snapshot_after_bytes = 0;
        file.journal.snapshot_every = Duration::ZERO;
        file.journal.snapshot_at_stop = false;
        for link in &mut file.link {
            link.in_flight_max = 100_000;
        }
    })
}

/// Decisions so far, and those of them that the lane took up within a millisecond.
fn waits(system: &System) -> Result<Counts> {
    Ok(Counts {
        all: system.metric(r#"authswitch_stage_duration_seconds_count{stage="queue"}"#)?,
        within_a_millisecond: system
            .metric(r#"authswitch_stage_duration_seconds_bucket{stage="queue",le="0.001"}"#)?,
    })
}

/// Purchases for a while, and snapshots beside them if there are to be any.
fn phase(system: &System, rate: u32, kind: &mut Kind, fold: bool) -> Result<()> {
    let before = waits(system)?;
    let over = AtomicBool::new(false);
    let (outcome, snapshots) = std::thread::scope(|scope| -> Result<_> {
        let folding = scope.spawn(|| -> Result<u64> {
            let mut made = 0;
            while fold && !over.load(Ordering::Acquire) {
                system.make_snapshot()?;
                made += 1;
            }
            Ok(made)
        });
        let outcome = purchases(system, rate, SECONDS);
        over.store(true, Ordering::Release);
        let made = folding.join().map_err(|_| anyhow::anyhow!("the asking thread panicked"))??;
        Ok((outcome?, made))
    })?;
    outcome.all_approved()?;
    kind.latencies.add(&outcome.latencies)?;
    kind.waits.add(before, waits(system)?);
    kind.snapshots += snapshots;
    Ok(())
}

/// So many purchases a second, none of which was made before.
fn purchases(system: &System, rate: u32, seconds: u32) -> Result<Run> {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    let first = NUMBERS.fetch_add(u64::from(rate) * u64::from(seconds), Ordering::SeqCst);
    let purchases = Purchases::new(CARDS, CARDS, Pick::Any)?;
    let client = Client::connect(system.link(), Framed::switch(purchases))?;
    client.open_loop(first, rate, Duration::from_secs(seconds.into()), &AtomicU64::new(0))
}

/// A moment of the measured world.
pub(crate) fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_763_600_000 + seconds)
}
