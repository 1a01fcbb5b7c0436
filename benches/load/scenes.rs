//! The scenes.

use crate::Arguments;
use anyhow::Result;
use benches::client::{Client, Framed, Run};
use benches::histogram::{Latencies, ratio};
use benches::purchase::{Pick, Purchases};
use benches::system::{Cards, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use switch::ConfigFile;

const CARDS: u32 = 1_000;
/// Purchases that saturate it, and how many are unanswered at once.
const MANY: u64 = 400_000;
const WINDOW: u64 = 2_000;
/// The metric that counts snapshots.
const SNAPSHOTS: &str = "authswitch_snapshots_total";
/// Room for what is in flight while a disk stalls.
const IN_FLIGHT: usize = 100_000;
/// What may wait when more comes than can be served: for quick answers.
const WAIT_MAX: Duration = Duration::from_millis(5);
const WAIT_MAX_AFTER: Duration = Duration::from_millis(100);

fn start(adjust: impl FnOnce(&mut ConfigFile)) -> Result<System> {
    System::start(Cards { jit: 0, pre_funded: CARDS }, adjust)
}

fn client(system: &System, pick: Pick) -> Result<Client<Framed>> {
    Client::connect(system.link(), Framed::switch(Purchases::new(0, CARDS, pick)?))
}

/// Answers a second when it always has as much as it can do.
fn saturated(system: &System, pick: Pick, first: u64) -> Result<Run> {
    client(system, pick)?.window(first, MANY / 8, WINDOW)?;
    let run = client(system, pick)?.window(first + MANY, MANY, WINDOW)?;
    run.all_approved()?;
    Ok(run)
}

/// Open loop at a fixed rate, on disk, with segment changes and a snapshot in between.
pub(crate) fn steady(arguments: Arguments) -> Result<()> {
    let system = start(|file| {
        // Two snapshots in a minute, whatever the rate.
        file.journal.snapshot_every = arguments.duration() / 3;
        for link in &mut file.link {
            link.in_flight_max = IN_FLIGHT;
        }
    })?;
    let Arguments { rate, seconds } = arguments;
    println!("steady: {rate} purchases/s for {seconds} s, acknowledged on disk");
    let (begun, snapshots) = (newest_segment(&system)?, system.metric(SNAPSHOTS)?);
    let asked = AtomicU64::new(0);
    let run = std::thread::scope(|scope| {
        let running =
            scope.spawn(|| client(&system, Pick::Any)?.open_loop(0, rate, arguments.duration(), &asked));
        while !running.is_finished() {
            std::thread::sleep(Duration::from_millis(500));
            eprint!("\r  {} asked", asked.load(Ordering::Relaxed));
        }
        eprintln!();
        running.join().map_err(|_| anyhow::anyhow!("the client panicked"))?
    })?;
    println!("  approved {}, of {} asked; {} answers/s", run.approved, run.answers, run.per_second());
    shown("approved, from due to answered", &run.latencies);
    if run.answers > run.approved {
        shown("shed", &run.refused);
    }
    println!(
        "  segments changed {} times; {} snapshots were made meanwhile\n",
        newest_segment(&system)?.saturating_sub(begun),
        system.metric(SNAPSHOTS)?.saturating_sub(snapshots)
    );
    system.stop()
}

/// The number of the newest segment.
fn newest_segment(system: &System) -> Result<u64> {
    let mut newest = 0;
    for entry in std::fs::read_dir(system.journal())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let number =
            name.strip_prefix("segment-").and_then(|rest| rest.strip_suffix(".journal")?.parse().ok());
        newest = newest.max(number.unwrap_or(0));
    }
    Ok(newest)
}

/// More than it can serve: what is shed must be told at once, and what is taken must not suffer.
pub(crate) fn shedding(arguments: Arguments) -> Result<()> {
    let system = start(|_| {})?;
    let most = u32::try_from(saturated(&system, Pick::Any, 0)?.per_second())?;
    system.stop()?;
    let system = start(|file| {
        file.overload.wait_max = WAIT_MAX;
        file.overload.wait_max_after = WAIT_MAX_AFTER;
    })?;
    let seconds = Duration::from_secs(arguments.seconds.min(10).into());
    let first = 2 * MANY;
    // The client takes its share of the cores, so the rate that it can offer is bounded too.
    let half = client(&system, Pick::Any)?.open_loop(first, most / 2, seconds, &AtomicU64::new(0))?;
    let first = first + half.answers;
    let double =
        client(&system, Pick::Any)?.open_loop(first, most.saturating_mul(2), seconds, &AtomicU64::new(0))?;
    println!(
        "shedding: saturated at {most}/s; half of that, then twice, for {seconds:?} each, with overload.wait_max = \
         {WAIT_MAX:?} after {WAIT_MAX_AFTER:?}"
    );
    shown("half: approved", &half.approved_waited);
    shown("twice: approved", &double.approved_waited);
    shown("twice: shed, DE 39 91", &double.refused_waited);
    println!("  from the moment at which a purchase left; the client shares the cores, and was late itself:");
    shown("half: due, and not left yet", &half.left_late);
    shown("twice: due, and not left yet", &double.left_late);
    println!(
        "  shed {} of {}; offered {} a second in the end\n",
        double.refused.len(),
        double.answers,
        double.per_second()
    );
    system.stop()
}

/// One account beside a thousand.
pub(crate) fn hot() -> Result<()> {
    let system = start(|_| {})?;
    let even = saturated(&system, Pick::Any, 0)?.per_second();
    let hot = saturated(&system, Pick::First, 3 * MANY)?.per_second();
    println!("hot: {even} answers/s on {CARDS} accounts, {hot} on one: {} times\n", ratio(hot, even));
    system.stop()
}

/// One lane beside two.
pub(crate) fn lanes() -> Result<()> {
    let mut rates = Vec::new();
    for lanes in [1, 2] {
        let system = start(|file| file.cache.lanes = lanes)?;
        rates.push(saturated(&system, Pick::Any, 0)?.per_second());
        system.stop()?;
    }
    let [one, two] = rates.as_slice() else { return Ok(()) };
    println!("lanes: {one} answers/s with one, {two} with two: {} times\n", ratio(*two, *one));
    Ok(())
}

fn shown(name: &str, latencies: &Latencies) {
    let ms = |quantile| {
        let micros = latencies.value_at_quantile(quantile) / 1_000;
        format!("{}.{:02}", micros / 1_000, micros % 1_000 / 10)
    };
    let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(ms);
    println!("  {name:<32} p50 {p50} ms, p99 {p99} ms, p99.9 {p999} ms, max {max} ms ({})", latencies.len());
}
