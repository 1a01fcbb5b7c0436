//! The whole path beside its floors, in one run: a bare framed echo, one `fdatasync`, and the switch.
//!
//!     cargo run --release -p benches
//!
//! The quick look; `compare` puts it beside other systems. Absolute figures belong to the machine and the minute; the
//! ratios are what counts. One at a time shows what a request costs when nobody else is there; pipelined shows what the
//! switch carries when it can share a sync.

use anyhow::Result;
use benches::client::{Client, Framed};
use benches::histogram::{micros, ratio};
use benches::purchase::{Pick, Purchases};
use benches::system::{Cards, System};
use benches::{echo, floor};

/// Requests measured one at a time, after a warm-up of a tenth.
const SINGLE: u64 = 5_000;
/// Requests measured pipelined.
const PIPELINED: u64 = 400_000;
/// Requests unanswered at once when pipelined.
const WINDOW: u64 = 2_000;
/// Cards that the requests are spread over.
const CARDS: u32 = 1_000;

fn main() -> Result<()> {
    println!("cores: {}", std::thread::available_parallelism()?);
    println!(
        "{SINGLE} requests one at a time; {PIPELINED} pipelined, {WINDOW} unanswered at once; {CARDS} cards\n"
    );
    let purchases = Purchases::new(0, CARDS, Pick::Any)?;
    let echo = echo::start()?;
    let at_echo = || Client::connect(echo, Framed::echo(purchases.clone()));
    at_echo()?.one_at_a_time(0, SINGLE / 10)?;
    let echo_single = at_echo()?.one_at_a_time(0, SINGLE)?;
    let echo_pipelined = at_echo()?.window(0, PIPELINED, WINDOW)?;
    let sync = floor::fdatasync(usize::try_from(SINGLE / 5)?)?;

    let system = System::start(Cards { jit: 0, pre_funded: CARDS }, |_| {})?;
    let at_switch = || Client::connect(system.link(), Framed::switch(purchases.clone()));
    at_switch()?.one_at_a_time(0, SINGLE / 10)?;
    let single = at_switch()?.one_at_a_time(SINGLE, SINGLE)?;
    let pipelined = at_switch()?.window(3 * SINGLE, PIPELINED, WINDOW)?;
    system.stop()?;
    for run in [&single, &pipelined] {
        run.all_approved()?;
    }

    println!("{:<44} {:>9} {:>9} {:>9} {:>9}", "one at a time", "p50 us", "p99 us", "p99.9 us", "max us");
    for (name, latencies) in [
        ("framed echo", &echo_single.latencies),
        ("fdatasync of 512 bytes", &sync),
        ("switch, acknowledged on disk", &single.latencies),
    ] {
        let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|quantile| micros(latencies, quantile));
        println!("{name:<44} {p50:>9} {p99:>9} {p999:>9} {max:>9}");
    }
    let floor = echo_single.latencies.value_at_quantile(0.5) + sync.value_at_quantile(0.5);
    println!(
        "ratio of medians: switch / (echo + fdatasync) = {}\n",
        ratio(single.latencies.value_at_quantile(0.5), floor)
    );
    println!("{:<44} {:>12}", "pipelined", "answers/s");
    println!("{:<44} {:>12}", "framed echo", echo_pipelined.per_second());
    println!("{:<44} {:>12}", "switch, acknowledged on disk", pipelined.per_second());
    println!("ratio: switch / echo = {}", ratio(pipelined.per_second(), echo_pipelined.per_second()));
    Ok(())
}
