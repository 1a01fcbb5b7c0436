//! What a purchase costs beside its own instructions: how often threads sleep and are woken for it, and their time.
//!
//!     cargo run --release -p benches --bin hops
//!
//! One purchase at a time, and as many as saturate the switch, in each mode of acknowledgement. The system counts how often a
//! thread gave up its core because it had nothing to do (`woken`, once for each time) and how long it ran; both are shown
//! for each thread of the switch and for one purchase. Other load disturbs neither count much, which cannot be said of times
//! by the clock.

use anyhow::{Context, Result};
use benches::client::{Client, Framed, Run};
use benches::purchase::{Pick, Purchases};
use benches::system::{Cards, System};
use std::collections::BTreeMap;
use std::fs;

const CARDS: u32 = 1_000;
const SINGLE: u64 = 2_000;
const MANY: u64 = 200_000;
const WINDOW: u64 = 2_000;

/// The thread on which the client asks; it is no part of the switch.
const CLIENT: &str = "client";

/// What threads of one name have come to.
#[derive(Clone, Copy, Default)]
struct Cost {
    woken: u64,
    nanos: u64,
}

fn main() -> Result<()> {
    for acknowledge in [journal::Acknowledge::Disk, journal::Acknowledge::Os, journal::Acknowledge::Memory] {
        let system = System::start(Cards { jit: 0, pre_funded: CARDS }, |file| {
            file.journal.acknowledge = acknowledge;
            // No snapshot at the end is waited for.
            file.journal.snapshot_at_stop = false;
        })?;
        println!("acknowledged: {}", acknowledge.name());
        let mut first = 0;
        for (name, count, window) in [("one at a time", SINGLE, 1), ("saturated", MANY, WINDOW)] {
            asked(&system, first, count / 10, window)?;
            first += count;
            let before = costs()?;
            let run = asked(&system, first, count, window)?;
            show(name, &run, &before, &costs()?);
            first += count;
        }
        system.stop()?;
    }
    Ok(())
}

/// Asks on a thread of its own, so that it can be told apart.
fn asked(system: &System, first: u64, count: u64, window: u64) -> Result<Run> {
    let purchases = Purchases::new(0, CARDS, Pick::Any)?;
    let client = Client::connect(system.link(), Framed::switch(purchases))?;
    let thread = std::thread::Builder::new().name(CLIENT.into());
    let asking = thread.spawn(move || client.window(first, count, window))?;
    asking.join().map_err(|_| anyhow::anyhow!("the client panicked"))?
}

/// The threads of this process by name, without what distinguishes those of one kind.
fn costs() -> Result<BTreeMap<String, Cost>> {
    let mut costs = BTreeMap::<String, Cost>::new();
    for entry in fs::read_dir("/proc/self/task")? {
        let task = entry?.path();
        let name = fs::read_to_string(task.join("comm"))?.trim().to_owned();
        let status = fs::read_to_string(task.join("status"))?;
        let woken = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let ran = fs::read_to_string(task.join("schedstat"))?;
        let nanos = ran.split(' ').next().context("an empty schedstat")?;
        let cost = costs.entry(name).or_default();
        cost.woken += woken.context("no count of context switches")?.trim().parse::<u64>()?;
        cost.nanos += nanos.parse::<u64>()?;
    }
    Ok(costs)
}

fn show(name: &str, run: &Run, before: &BTreeMap<String, Cost>, after: &BTreeMap<String, Cost>) {
    let p50 = benches::histogram::micros(&run.waited, 0.5);
    println!(
        "  {name}: p50 {p50} us, {} answers/s, {} declined",
        run.per_second(),
        run.answers - run.approved
    );
    let mut all = Cost::default();
    let line = |name: &str, cost: Cost| {
        let woken = thousandths(cost.woken * 1_000 / run.answers);
        println!("    {name:<18} woken {woken:>7}   ran {:>9} us", thousandths(cost.nanos / run.answers));
    };
    for (thread, cost) in after {
        let begun = before.get(thread).copied().unwrap_or_default();
        let cost = Cost { woken: cost.woken - begun.woken, nanos: cost.nanos - begun.nanos };
        if cost.nanos / run.answers < 10 || thread == CLIENT || thread == "hops" {
            continue;
        }
        line(thread, cost);
        all = Cost { woken: all.woken + cost.woken, nanos: all.nanos + cost.nanos };
    }
    line("all of the switch", all);
}

/// A number of thousandths with its point.
fn thousandths(number: u64) -> String {
    format!("{}.{:03}", number / 1_000, number % 1_000)
}
