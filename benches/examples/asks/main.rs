//! What asking the balance service costs, and what its worst day costs everybody else.
//!
//!     cargo run --release -p benches --example asks
//!     cargo run --release -p benches --example asks -- --rate 2000 --seconds 10 --no-breaker
//!     cargo run --release -p benches --example asks -- --acknowledge memory    # without the disk's share
//!
//! One switch with its defaults and its journal on the disk of this folder, whose own time is measured first; one balance service in this process.
//! Two streams of purchases run side by side, each at its own steady rate and on a connection of its own: cards
//! that need an ask, and cards funded from memory. The service is first well, then hangs, is slow, and flaps.
//!
//! Every latency counts from the moment at which its request was due, so a stall counts for all that it held up.
//! The program fails if an answer left later than its deadline, or if a request had no answer at all.

mod service;

use anyhow::{Result, ensure};
use benches::client::{Client, Framed, Run};
use benches::floor;
use benches::histogram::{Latencies, ratio};
use benches::purchase::{Pick, Purchases};
use benches::system::{Cards, System};
use journal::Acknowledge;
use service::{Mode, Service};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Cards of each kind.
const CARDS: u32 = 500;

/// Syncs that the disk's own time is measured with.
const SYNCS: usize = 5_000;

/// The switch answers within this time of reading a frame; the default of a link.
const DEADLINE: Duration = Duration::from_millis(2_300);

struct Arguments {
    rate: u32,
    seconds: u32,
    breaker: bool,
    acknowledge: Acknowledge,
}

fn arguments() -> Result<Arguments> {
    let mut arguments = Arguments { rate: 2_000, seconds: 10, breaker: true, acknowledge: Acknowledge::Disk };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--acknowledge" {
            arguments.acknowledge = match words.next().as_deref() {
                Some("disk") => Acknowledge::Disk,
                Some("os") => Acknowledge::Os,
                Some("memory") => Acknowledge::Memory,
                other => anyhow::bail!("--acknowledge {other:?} is none of disk, os, memory"),
            };
            continue;
        }
        let mut number = || words.next().and_then(|text| text.parse().ok());
        match word.as_str() {
            "--rate" => arguments.rate = number().unwrap_or(arguments.rate),
            "--seconds" => arguments.seconds = number().unwrap_or(arguments.seconds),
            "--no-breaker" => arguments.breaker = false,
            other => anyhow::bail!("{other:?} is none of --rate, --seconds, --no-breaker, --acknowledge"),
        }
    }
    ensure!(arguments.rate > 0 && arguments.seconds > 0, "rate and seconds are at least 1");
    Ok(arguments)
}

fn main() -> Result<()> {
    let arguments = arguments()?;
    let service = Service::start()?;
    let system = System::start(Cards { jit: CARDS, pre_funded: CARDS }, |file| {
        file.funding.endpoint = service.url();
        file.funding.connections_warm = 64;
        file.funding.breaker = arguments.breaker;
        file.journal.acknowledge = arguments.acknowledge;
        file.link.iter_mut().for_each(|link| link.in_flight_max = 100_000);
    })?;
    println!(
        "cores: {}; {} asks/s and {} purchases/s from memory, {} s a phase; breaker {}\n",
        std::thread::available_parallelism()?,
        arguments.rate,
        arguments.rate,
        arguments.seconds,
        if arguments.breaker { "on" } else { "off" },
    );
    let disk = floor::fdatasync(SYNCS)?;
    let [p50, p99, max] = [disk.value_at_quantile(0.5), disk.value_at_quantile(0.99), disk.max()].map(ms);
    println!("the disk alone: fdatasync p50 {p50}, p99 {p99}, max {max}; an ask waits for two of them\n");
    println!(
        "{:<14} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>9} {:>9}",
        "ms", "asks p50", "p99", "max", "approved", "declined", "late", "memory p99", "max"
    );
    let mut undisturbed = 0;
    for (name, mode) in [
        ("warm-up", Mode::Normal),
        ("well", Mode::Normal),
        ("hung", Mode::Hung),
        ("slow", Mode::Slow),
        ("flapping", Mode::Flapping),
        ("well again", Mode::Normal),
    ] {
        service.play(mode);
        let (asks, memory) = std::thread::scope(|scope| {
            let asks = scope.spawn(|| stream(&system, 0, &arguments));
            let memory = scope.spawn(|| stream(&system, CARDS, &arguments));
            (asks.join(), memory.join())
        });
        let stopped = |_| anyhow::anyhow!("a stream panicked");
        let (asks, memory) = (asks.map_err(stopped)??, memory.map_err(stopped)??);
        let late = asks.later_than(DEADLINE) + memory.later_than(DEADLINE);
        let (asked, from_memory) = (asks.all()?, memory.all()?);
        println!(
            "{name:<14} {:>9} {:>9} {:>9} {:>9} {:>9} {late:>7} {:>9} {:>9}",
            ms(asked.value_at_quantile(0.5)),
            ms(asked.value_at_quantile(0.99)),
            ms(asked.max()),
            asks.approved,
            asks.answers - asks.approved,
            ms(from_memory.value_at_quantile(0.99)),
            ms(from_memory.max()),
        );
        ensure!(late == 0, "{late} answers came later than {DEADLINE:?}");
        let p99 = from_memory.value_at_quantile(0.99);
        match name {
            "warm-up" => {}
            "well" => {
                undisturbed = p99;
                report_overhead(&service, &asked, &from_memory);
            }
            _ => println!("{:<14} memory p99 is {} times its undisturbed p99", "", ratio(p99, undisturbed)),
        }
    }
    system.stop()
}

/// Purchases with the cards from `first_card` on, at a steady rate on a connection of their own.
fn stream(system: &System, first_card: u32, arguments: &Arguments) -> Result<Run> {
    /// Numbers that no two purchases of this process share.
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    let count = u64::from(arguments.rate) * u64::from(arguments.seconds);
    let first = NUMBERS.fetch_add(count, Ordering::SeqCst);
    let purchases = Purchases::new(first_card, CARDS, Pick::Any)?;
    let client = Client::connect(system.link(), Framed::switch(purchases))?;
    let seconds = Duration::from_secs(arguments.seconds.into());
    client.open_loop(first, arguments.rate, seconds, &AtomicU64::new(0))
}

/// What the switch adds to the service's own time, and how much of that an answer from memory costs too: decoding,
/// two records on disk instead of one, encoding.
fn report_overhead(service: &Service, asks: &Latencies, memory: &Latencies) {
    let own = service.own_time();
    for quantile in [0.5, 0.99] {
        let [asks, memory, own] = [asks, memory, &own].map(|histogram| histogram.value_at_quantile(quantile));
        println!(
            "{:<14} p{:<2}: with an ask {}, the service's own {}, added {}; from memory {}",
            "",
            (quantile * 100.0).round(),
            ms(asks),
            ms(own),
            ms(asks.saturating_sub(own)),
            ms(memory),
        );
    }
}

/// Nanoseconds as milliseconds with two decimals.
fn ms(nanos: u64) -> String {
    format!("{}.{:02}", nanos / 1_000_000, nanos % 1_000_000 / 10_000)
}
