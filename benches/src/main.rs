//! The whole path beside its floors, in one run: a bare framed echo, one `fdatasync`, and the switch.
//!
//!     cargo run --release -p benches
//!
//! Absolute figures belong to the machine and the minute; the ratios are what counts. One at a time shows what a
//! request costs when nobody else is there; pipelined shows what the switch carries when it can share a sync.

mod echo;
mod floor;
mod line;
mod system;

use anyhow::Result;
use line::Line;
use system::System;

/// Requests measured one at a time, after a warm-up of a tenth.
const SINGLE: usize = 5_000;
/// Requests measured pipelined.
const PIPELINED: usize = 400_000;
/// Requests unanswered at once when pipelined.
const WINDOW: usize = 2_000;
/// Cards that the requests are spread over.
const CARDS: usize = 1_000;

fn main() -> Result<()> {
    println!("cores: {}", std::thread::available_parallelism()?);
    println!(
        "{SINGLE} requests one at a time; {PIPELINED} pipelined, {WINDOW} unanswered at once; {CARDS} cards\n"
    );
    let echo = echo::start()?;
    let request = system::request(0, 0)?;
    let echo_single = Line::connect(echo)?.one_at_a_time(SINGLE, |_| Ok(request.clone()))?;
    let echo_pipelined = Line::connect(echo)?.pipelined(PIPELINED, WINDOW, |_| Ok(request.clone()))?;
    let sync = floor::fdatasync(SINGLE / 5)?;

    let system = System::start(CARDS)?;
    let single = Line::connect(system.link())?.one_at_a_time(SINGLE, |n| system::request(n, n % CARDS))?;
    let pipelined = Line::connect(system.link())?
        .pipelined(PIPELINED, WINDOW, |n| system::request(SINGLE * 2 + n, n % CARDS))?;
    system.stop()?;

    println!("{:<44} {:>9} {:>9} {:>9} {:>9}", "one at a time", "p50 us", "p99 us", "p99.9 us", "max us");
    for (name, histogram) in [
        ("framed echo", &echo_single),
        ("fdatasync of 512 bytes", &sync),
        ("switch, acknowledged on disk", &single),
    ] {
        let at = |quantile| histogram.value_at_quantile(quantile) / 1_000;
        println!("{name:<44} {:>9} {:>9} {:>9} {:>9}", at(0.5), at(0.99), at(0.999), histogram.max() / 1_000);
    }
    let floor = echo_single.value_at_quantile(0.5) + sync.value_at_quantile(0.5);
    println!(
        "ratio of medians: switch / (echo + fdatasync) = {}\n",
        ratio(single.value_at_quantile(0.5), floor)
    );
    println!("{:<44} {:>12}", "pipelined", "answers/s");
    println!("{:<44} {:>12}", "framed echo", echo_pipelined);
    println!("{:<44} {:>12}", "switch, acknowledged on disk", pipelined);
    println!("ratio: switch / echo = {}", ratio(pipelined, echo_pipelined));
    Ok(())
}

/// A ratio with two decimals, in integers.
fn ratio(a: u64, b: u64) -> String {
    let hundredths = a.saturating_mul(100) / b.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
