//! What asking the balance service costs, and what its worst day costs everybody else.
//!
//!     cargo run --release -p benches --example asks
//!     cargo run --release -p benches --example asks -- --rate 2000 --seconds 10 --no-breaker
//!
//! One switch with its defaults and its journal on the disk of this folder; one balance service in this process.
//! Two streams of purchases run side by side, each at its own steady rate and on a connection of its own: cards
//! that need an ask, and cards funded from memory. The service is first well, then hangs, is slow, and flaps.
//!
//! Every latency counts from the moment at which its request was due, so a stall counts for all that it held up.
//! The program fails if an answer left later than its deadline, or if a request had no answer at all.

mod service;
mod system;
mod traffic;

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use service::{Mode, Service};
use std::time::Duration;
use system::System;
use traffic::Stream;

/// The switch answers within this time of reading a frame; the default of a link.
const DEADLINE: Duration = Duration::from_millis(2_300);

struct Arguments {
    rate: u32,
    seconds: u32,
    breaker: bool,
}

fn arguments() -> Result<Arguments> {
    let mut arguments = Arguments { rate: 2_000, seconds: 10, breaker: true };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|text| text.parse().ok());
        match word.as_str() {
            "--rate" => arguments.rate = number().unwrap_or(arguments.rate),
            "--seconds" => arguments.seconds = number().unwrap_or(arguments.seconds),
            "--no-breaker" => arguments.breaker = false,
            other => anyhow::bail!("{other:?} is none of --rate, --seconds, --no-breaker"),
        }
    }
    ensure!(arguments.rate > 0 && arguments.seconds > 0, "rate and seconds are at least 1");
    Ok(arguments)
}

fn main() -> Result<()> {
    let arguments = arguments()?;
    let service = Service::start()?;
    let system = System::start(&service.url(), arguments.breaker)?;
    println!(
        "cores: {}; {} asks/s and {} purchases/s from memory, {} s a phase; breaker {}\n",
        std::thread::available_parallelism()?,
        arguments.rate,
        arguments.rate,
        arguments.seconds,
        if arguments.breaker { "on" } else { "off" },
    );
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
        let asks = Stream::jit(system.link(), arguments.rate, arguments.seconds);
        let memory = Stream::pre_funded(system.link(), arguments.rate, arguments.seconds);
        let (asks, memory) = std::thread::scope(|scope| {
            let asks = scope.spawn(|| asks.run());
            let memory = scope.spawn(|| memory.run());
            (asks.join(), memory.join())
        });
        let stopped = |_| anyhow::anyhow!("a stream panicked");
        let (asks, memory) = (asks.map_err(stopped)??, memory.map_err(stopped)??);
        let late = asks.later_than(DEADLINE) + memory.later_than(DEADLINE);
        println!(
            "{name:<14} {:>9} {:>9} {:>9} {:>9} {:>9} {late:>7} {:>9} {:>9}",
            ms(asks.latencies.value_at_quantile(0.5)),
            ms(asks.latencies.value_at_quantile(0.99)),
            ms(asks.latencies.max()),
            asks.approved,
            asks.declined,
            ms(memory.latencies.value_at_quantile(0.99)),
            ms(memory.latencies.max()),
        );
        ensure!(late == 0, "{late} answers came later than {DEADLINE:?}");
        let p99 = memory.latencies.value_at_quantile(0.99);
        match name {
            "warm-up" => {}
            "well" => {
                undisturbed = p99;
                report_overhead(&service, &asks.latencies, &memory.latencies);
            }
            _ => println!("{:<14} memory p99 is {} times its undisturbed p99", "", ratio(p99, undisturbed)),
        }
    }
    system.stop()
}

/// What the switch adds to the service's own time, and how much of that an answer from memory costs too: decoding,
/// two records on disk instead of one, encoding.
fn report_overhead(service: &Service, asks: &Histogram<u64>, memory: &Histogram<u64>) {
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

/// Microseconds as milliseconds with two decimals.
fn ms(micros: u64) -> String {
    format!("{}.{:02}", micros / 1_000, micros % 1_000 / 10)
}

/// A ratio with two decimals, in integers.
fn ratio(a: u64, b: u64) -> String {
    let hundredths = a.saturating_mul(100) / b.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
