//! Counts that were kept, and what is worse than they are.

use anyhow::{Context, Result};
use std::fmt::Write as _;

/// What one call of a step costs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Count {
    pub(crate) step: String,
    pub(crate) instructions: u64,
    /// Vectors that grow make fractions.
    pub(crate) allocations_hundredths: u64,
}

/// What the file holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Kept {
    pub(crate) compiler: String,
    pub(crate) counts: Vec<Count>,
}

const HEAD: &str =
    "# Instructions and allocations of one call, by step; benches/README.md says how they are counted.";

/// One part in so many more is worse; less is noise of hash seeds and growing vectors.
const TOLERANCE: u64 = 20;
/// Allocations, in hundredths, that may come and go with growing vectors.
const ALLOCATIONS_TOLERANCE: u64 = 10;

impl Kept {
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("{HEAD}\n{}\n", self.compiler);
        for count in &self.counts {
            let allocations = hundredths(count.allocations_hundredths);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}\t{}\t{allocations}", count.step, count.instructions);
        }
        text
    }

    pub(crate) fn from_text(text: &str) -> Result<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let compiler = lines.next().context("no compiler is named")?.to_owned();
        let counts =
            lines.map(|line| parsed(line).with_context(|| format!("{line:?} is not a step and two counts")));
        Ok(Self { compiler, counts: counts.collect::<Result<_>>()? })
    }
}

fn parsed(line: &str) -> Option<Count> {
    let mut parts = line.split('\t');
    let (step, instructions, allocations) = (parts.next()?, parts.next()?, parts.next()?);
    let (whole, part) = allocations.split_once('.')?;
    Some(Count {
        step: step.to_owned(),
        instructions: instructions.parse().ok()?,
        allocations_hundredths: whole.parse::<u64>().ok()? * 100 + part.parse::<u64>().ok()?,
    })
}

/// A number of hundredths with its point.
pub(crate) fn hundredths(number: u64) -> String {
    format!("{}.{:02}", number / 100, number % 100)
}

/// What is worse than it was, in words.
pub(crate) fn worse(kept: &[Count], now: &[Count]) -> Vec<String> {
    let mut worse = Vec::new();
    for count in now {
        let Some(before) = kept.iter().find(|before| before.step == count.step) else {
            worse.push(format!("{}: not in the file yet", count.step));
            continue;
        };
        if count.instructions > before.instructions + before.instructions / TOLERANCE {
            worse.push(format!(
                "{}: {} instructions, {} before",
                count.step, count.instructions, before.instructions
            ));
        }
        if count.allocations_hundredths > before.allocations_hundredths + ALLOCATIONS_TOLERANCE {
            let [now, before] = [count, before].map(|count| hundredths(count.allocations_hundredths));
            worse.push(format!("{}: {now} allocations, {before} before", count.step));
        }
    }
    worse
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn count(instructions: u64, allocations_hundredths: u64) -> Count {
        Count { step: "decide".into(), instructions, allocations_hundredths }
    }

    #[test]
    fn a_twentieth_more_is_let_pass_and_more_is_not() {
        let kept = [count(1_000, 100)];
        assert_eq!(worse(&kept, &[count(1_050, 110)]), Vec::<String>::new());
        assert_eq!(worse(&kept, &[count(1_051, 100)]), ["decide: 1051 instructions, 1000 before"]);
        assert_eq!(worse(&kept, &[count(900, 200)]), ["decide: 2.00 allocations, 1.00 before"]);
        assert_eq!(worse(&[], &[count(1, 1)]), ["decide: not in the file yet"]);
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let kept = Kept { compiler: "rustc 1".into(), counts: vec![count(1_234, 105)] };
        assert_eq!(Kept::from_text(&kept.to_text()).unwrap(), kept);
        assert!(Kept::from_text("rustc 1\ndecide\tmany\t1.00").is_err());
    }
}
