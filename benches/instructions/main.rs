//! What each step of the hot path costs in instructions and allocations: numbers that no other load disturbs.
//!
//!     cargo run --release -p benches --bin instructions               # compares with benches/instructions.txt
//!     cargo run --release -p benches --bin instructions -- --update   # writes that file
//!     benches/count                                                   # a few steps only, with valgrind or not at all
//!
//! Each step runs under valgrind twice, with a different number of repetitions; the difference belongs to the step alone.
//! Fails if a step takes more than a twentieth more instructions than the file says, or allocates more. Counts belong
//! to a compiler: with another than the file names, they are shown and not judged.

mod gate;
mod steps;

use anyhow::{Context, Result, bail};
use gate::{Count, Kept};
use std::process::Command;

/// Where counts are kept.
const FILE: &str = "benches/instructions.txt";

/// Repetitions of the shorter run and of the longer one.
const FEW: u64 = 500;
const MANY: u64 = 6_500;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["run", step, count] => steps::run(step, count.parse()?),
        [] => compare(steps::ALL),
        ["--short"] => compare(steps::SHORT),
        ["--update"] => {
            let kept = Kept { compiler: compiler()?, counts: measure(steps::ALL)? };
            std::fs::write(FILE, kept.to_text()).with_context(|| format!("{FILE} cannot be written"))?;
            println!("{FILE} is written");
            Ok(())
        }
        _ => bail!("usage: instructions [--short | --update]"),
    }
}

fn compare(steps: &[&str]) -> Result<()> {
    let text = std::fs::read_to_string(FILE).with_context(|| format!("{FILE} cannot be read"))?;
    let kept = Kept::from_text(&text)?;
    let counts = measure(steps)?;
    let compiler = compiler()?;
    let same_compiler = kept.compiler == compiler;
    if !same_compiler {
        println!("{FILE} was written with {}, this is {compiler}: shown and not judged", kept.compiler);
    }
    let worse = gate::worse(&kept.counts, &counts);
    if worse.is_empty() || !same_compiler {
        return Ok(());
    }
    bail!(
        "{}; if that is as it should be: cargo run --release -p benches --bin instructions -- --update",
        worse.join("; ")
    )
}

/// Counts each of the steps and prints it.
fn measure(steps: &[&str]) -> Result<Vec<Count>> {
    println!("{:<44} {:>12} {:>12}", "a call", "instructions", "allocations");
    let mut counts = Vec::new();
    for step in steps {
        let (few, many) = (counted(step, FEW)?, counted(step, MANY)?);
        let each = |few: u64, many: u64| many.saturating_sub(few) / (MANY - FEW);
        let hundredths = many.1.saturating_sub(few.1) * 100 / (MANY - FEW);
        let count = Count {
            step: (*step).to_owned(),
            instructions: each(few.0, many.0),
            allocations_hundredths: hundredths,
        };
        println!("{:<44} {:>12} {:>12}", count.step, count.instructions, gate::hundredths(hundredths));
        counts.push(count);
    }
    Ok(counts)
}

/// Instructions and allocations of a run of `count` calls.
fn counted(step: &str, count: u64) -> Result<(u64, u64)> {
    let instructions =
        valgrind(&["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"], step, count)?;
    let allocations = valgrind(&["--tool=dhat", "--dhat-out-file=/dev/null"], step, count)?;
    Ok((
        number(&instructions, "I refs:")
            .or_else(|| number(&instructions, "I   refs:"))
            .context("cachegrind's count")?,
        number(&allocations, "bytes in").context("dhat's count")?,
    ))
}

fn valgrind(tool: &[&str], step: &str, count: u64) -> Result<String> {
    let output = Command::new("valgrind")
        .args(tool)
        .arg(std::env::current_exe()?)
        .args(["run", step, &count.to_string()])
        .output()
        .context("valgrind is not installed (Debian package valgrind)")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        bail!("{step} under valgrind ended with {}: {said}", output.status);
    }
    Ok(said)
}

/// The number behind `label` on the first line that has it.
fn number(said: &str, label: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains(label))?;
    let digits = line.split(label).nth(1)?.split_whitespace().next()?;
    digits.replace(',', "").parse().ok()
}

fn compiler() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output().context("rustc cannot be run")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::path::Path;

    #[test]
    fn the_kept_counts_can_be_read_and_name_every_step() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt");
        let kept = Kept::from_text(&std::fs::read_to_string(file).unwrap()).unwrap();
        let steps: Vec<&str> = kept.counts.iter().map(|count| count.step.as_str()).collect();
        assert_eq!(steps, steps::ALL);
        assert!(steps::SHORT.iter().all(|step| steps::ALL.contains(step)));
    }

    #[test]
    fn every_step_runs() {
        for step in steps::ALL {
            steps::run(step, 3).unwrap();
        }
        assert!(steps::run("juggle", 1).is_err());
    }

    #[test]
    fn numbers_are_found_behind_their_label() {
        assert_eq!(number("==1== I   refs:      1,234,567\n", "I   refs:"), Some(1_234_567));
        assert_eq!(number("==1== Total:     9,832 bytes in 41 blocks", "bytes in"), Some(41));
        assert_eq!(number("nothing", "refs"), None);
    }
}
