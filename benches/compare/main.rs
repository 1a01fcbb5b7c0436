//! The switch beside what people would use instead: the same purchases, the same machine, the same disk, one run.
//!
//!     cargo run --release -p benches --bin compare               # measures, prints, and keeps the results
//!     cargo run --release -p benches --bin compare -- --quick    # the same with a tenth of the requests, keeps nothing
//!     cargo run --release -p benches --bin compare -- --readme   # puts the newest results into README.md
//!
//! All systems are started first and measured in turn, several rounds, so that the machine's moods meet all of them;
//! what is shown is the median of the rounds. What is not installed is named and left out.

mod codecs;
mod machine;
mod picture;
mod postgres;
mod process;
mod readme;
mod redis;
mod switches;
mod table;

use anyhow::{Result, bail};
use std::path::Path;
use table::{Measured, Row};

/// How much is asked.
#[derive(Clone, Copy)]
struct Scale {
    rounds: usize,
    /// Questions one at a time, each round.
    single: u64,
    /// Questions at once, each round, of what answers a few hundred thousand a second.
    many: u64,
    /// Seconds that PostgreSQL is asked for, each round.
    seconds: u32,
}

const FULL: Scale = Scale { rounds: 5, single: 2_000, many: 400_000, seconds: 4 };
const QUICK: Scale = Scale { rounds: 1, single: 500, many: 40_000, seconds: 2 };

/// Cards that the purchases are spread over.
const CARDS: u32 = 1_000;

/// One system under comparison.
trait Contender {
    /// What the table calls it.
    fn name(&self) -> String;

    /// One question after another.
    fn one_at_a_time(&mut self, count: u64) -> Result<Measured>;

    /// As many as it carries.
    fn at_once(&mut self, scale: Scale) -> Result<Measured>;

    /// Ends it.
    fn stop(self: Box<Self>) -> Result<()>;
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => compare(FULL, true),
        ["--quick"] => compare(QUICK, false),
        ["--readme"] => readme::update(Path::new("README.md"), Path::new("benches/results")),
        _ => bail!("usage: compare [--quick | --readme]"),
    }
}

fn compare(scale: Scale, keep: bool) -> Result<()> {
    let (mut contenders, missing) = start_all();
    for what in &missing {
        eprintln!("left out: {what}");
    }
    let mut rows: Vec<Row> = contenders.iter().map(|contender| Row::new(contender.name())).collect();
    let mut disk = Row::new("fdatasync of 512 bytes alone".into());
    // The first round warms everything up and is not counted.
    for round in 0..=scale.rounds {
        eprintln!("round {round} of {}", scale.rounds);
        let sync = Measured::latencies(benches::floor::fdatasync(usize::try_from(scale.single / 4)?)?);
        if round > 0 {
            disk.single.push(sync);
        }
        for (contender, row) in contenders.iter_mut().zip(&mut rows) {
            let single = contender.one_at_a_time(scale.single)?;
            let many = contender.at_once(scale)?;
            if round > 0 {
                row.single.push(single);
                row.many.push(many);
            }
        }
    }
    for contender in contenders {
        contender.stop()?;
    }
    // Behind the echo, which is the first: together they are the floor of a durable answer.
    rows.insert(1, disk);
    let (codecs, silent) = codecs::measure(scale)?;
    for what in &silent {
        eprintln!("left out: {what}");
    }
    let facts = machine::facts(scale)?;
    let left_out: Vec<String> = missing.into_iter().chain(silent).collect();
    let text = table::render(&rows, &codecs, &facts, &left_out)?;
    println!("{text}");
    if keep {
        let folder = readme::keep(Path::new("benches/results"), &text, &rows, &codecs)?;
        println!("kept in {}", folder.display());
    }
    Ok(())
}

/// Everything that is installed, and why the rest is not here.
fn start_all() -> (Vec<Box<dyn Contender>>, Vec<String>) {
    let mut started: Vec<Box<dyn Contender>> = Vec::new();
    let mut missing = Vec::new();
    for contender in switches::all().into_iter().chain([redis::start(), postgres::start()]) {
        match contender {
            Ok(contender) => started.push(contender),
            Err(error) => missing.push(format!("{error:#}")),
        }
    }
    (started, missing)
}
