//! What was measured, as a table for people: medians of the rounds, and ratios within the run.

use crate::codecs::Codec;
use anyhow::{Context, Result};
use benches::client::Run;
use benches::histogram::{Latencies, latencies, ratio};
use std::fmt::Write as _;

/// One measurement of one system.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) latencies: Latencies,
    pub(crate) per_second: Option<u64>,
}

impl Measured {
    pub(crate) fn of(run: &Run) -> Self {
        Self { latencies: run.latencies.clone(), per_second: Some(run.per_second()) }
    }

    pub(crate) const fn latencies(latencies: Latencies) -> Self {
        Self { latencies, per_second: None }
    }
}

/// One system, and its rounds.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// One question at a time.
    pub(crate) single: Vec<Measured>,
    /// As many as it carries.
    pub(crate) many: Vec<Measured>,
}

/// The name of the row that others are compared with.
const SWITCH: &str = "authswitch, acknowledged on disk (fdatasync)";

impl Row {
    pub(crate) const fn new(name: String) -> Self {
        Self { name, single: Vec::new(), many: Vec::new() }
    }

    /// Nanoseconds at a quantile of one at a time: the median of the rounds.
    pub(crate) fn latency(&self, quantile: f64) -> Option<u64> {
        median(self.single.iter().map(|round| round.latencies.value_at_quantile(quantile)).collect())
    }

    /// Answers a second: the median of the rounds.
    pub(crate) fn per_second(&self) -> Option<u64> {
        median(self.many.iter().filter_map(|round| round.per_second).collect())
    }

    /// Every latency of all rounds.
    pub(crate) fn all(rounds: &[Measured]) -> Result<Latencies> {
        let mut all = latencies()?;
        for round in rounds {
            all.add(&round.latencies)?;
        }
        Ok(all)
    }
}

pub(crate) fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// What the ratios are ratios of.
pub(crate) struct Reference {
    /// Answers a second of the switch, acknowledged on disk.
    pub(crate) per_second: u64,
    /// Echo and `fdatasync`: the least that a durable answer takes, in nanoseconds.
    pub(crate) floor: u64,
}

impl Reference {
    pub(crate) fn of(rows: &[Row]) -> Result<Self> {
        let switch = rows.iter().find(|row| row.name == SWITCH).context("the switch was not measured")?;
        let median = |place: usize| rows.get(place).and_then(|row| row.latency(0.5));
        Ok(Self {
            per_second: switch.per_second().context("the switch has no throughput")?,
            floor: median(0)
                .zip(median(1))
                .map(|(echo, sync)| echo + sync)
                .context("the floor was not measured")?,
        })
    }
}

/// The whole result, in Markdown.
pub(crate) fn render(
    rows: &[Row],
    codecs: &[Codec],
    facts: &[(String, String)],
    left_out: &[String],
) -> Result<String> {
    let reference = Reference::of(rows)?;
    let mut text = String::new();
    let first = "| the same purchases, one run | one at a time, p50 | p99 | / (echo + fdatasync) | answers/s at once | authswitch on disk is |\n\
                 |---|--:|--:|--:|--:|--:|\n";
    text.push_str(first);
    for row in rows {
        let [p50, p99] = [0.5, 0.99].map(|quantile| row.latency(quantile));
        let durable = p50.filter(|_| row.per_second().is_some()).map(|p50| ratio(p50, reference.floor));
        let factor = row.per_second().map(|other| ratio(reference.per_second, other) + " times as fast");
        let factor = factor.filter(|_| row.name != SWITCH);
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            row.name,
            shown(p50),
            shown(p99),
            durable.unwrap_or_default(),
            row.per_second().map(thousands).unwrap_or_default(),
            factor.unwrap_or_default(),
        )?;
    }
    text.push_str(
        "\n| codec, the bytes of one 0100 with 18 elements | decode | / authswitch |\n|---|--:|--:|\n",
    );
    let own = codecs.first().map_or(1, |codec| codec.nanos);
    for codec in codecs {
        writeln!(text, "| {} | {} ns | {} |", codec.name, thousands(codec.nanos), ratio(codec.nanos, own))?;
    }
    text.push('\n');
    for (name, value) in facts {
        writeln!(text, "- {name}: {value}")?;
    }
    for what in left_out {
        writeln!(text, "- left out: {what}")?;
    }
    Ok(text)
}

fn shown(nanos: Option<u64>) -> String {
    nanos.map(|nanos| format!("{} us", thousands(nanos / 1_000))).unwrap_or_default()
}

pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use benches::histogram::record;
    use std::time::Duration;

    fn measured(micros: u64, per_second: Option<u64>) -> Measured {
        let mut latencies = latencies().unwrap();
        record(&mut latencies, Duration::from_micros(micros));
        Measured { latencies, per_second }
    }

    fn row(name: &str, micros: u64, per_second: Option<u64>) -> Row {
        let rounds =
            || vec![measured(micros, per_second), measured(micros * 9, per_second), measured(1, per_second)];
        Row { name: name.into(), single: rounds(), many: rounds() }
    }

    #[test]
    fn ratios_are_those_of_the_medians_of_the_rounds() {
        let rows = [
            row("echo", 50, Some(1_000_000)),
            row("sync", 100, None),
            row(SWITCH, 165, Some(500_000)),
            row("other", 300, Some(50_000)),
        ];
        let codecs = [("own", 200), ("peer", 300)].map(|(name, nanos)| Codec { name: name.into(), nanos });
        let facts = [("cores".to_owned(), "2".to_owned())];
        let text = render(&rows, &codecs, &facts, &["tea".to_owned()]).unwrap();
        assert!(text.contains("| 165 us | 165 us | 1.1"), "{text}");
        assert!(text.contains("| 50,000 | 10.00 times as fast |"), "{text}");
        assert!(text.contains("| peer | 300 ns | 1.50 |"), "{text}");
        assert!(text.contains("- cores: 2\n- left out: tea\n"), "{text}");
    }

    #[test]
    fn large_numbers_have_commas() {
        assert_eq!([7, 1_000, 1_234_567].map(thousands), ["7", "1,000", "1,234,567"]);
    }
}
