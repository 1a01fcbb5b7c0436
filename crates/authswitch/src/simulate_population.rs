//! `authswitch simulate population`: the accounts and cards that the simulators play with, as files.

use crate::exit::{Exit, Outcome};
use crate::{output, scenery};
use anyhow::Context;
use clap::Args;
use domain::Asset;
use serde_json::json;
use simulators::processor;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The arguments of `simulate population`.
#[derive(Debug, Args)]
#[command(after_help = "\
The same seed and sizes give the same population. Card numbers begin with 999999, which no network issues.
Three simulated parties against a switch that runs with the shipped configuration:
  authswitch simulate population --import cards.jsonl --balances balances.jsonl
  authswitch simulate balance-service --accounts balances.jsonl &
  authswitch import cards.jsonl
  authswitch simulate processor --duration 60s")]
pub(crate) struct Arguments {
    /// Accounts, credits, cards and rates, for `authswitch import`.
    #[arg(long, value_name = "FILE")]
    import: PathBuf,
    /// What the balance service holds, for `simulate balance-service --accounts`.
    #[arg(long, value_name = "FILE")]
    balances: PathBuf,
    /// Names, numbers and expiries follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many accounts and cards, TOML. Default: config/demo/population.toml, built in.
    #[arg(long, value_name = "FILE")]
    sizes: Option<PathBuf>,
}

/// Writes the files.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let sizes = scenery::population_sizes(arguments.sizes.as_deref())?;
    let population =
        processor::population(arguments.seed, sizes).map_err(|error| (Exit::Configuration, error.into()))?;
    let balances = population.balances().map(|(account, asset, units): (_, Asset, _)| {
        json!({"account": account, "asset": asset.code(), "units": units.to_string()}).to_string()
    });
    write(&arguments.import, population.import_lines())?;
    write(&arguments.balances, balances)?;
    output::print(&format!(
        "{} cards on {} accounts: {} and {}",
        population.cards.len(),
        population.accounts.len(),
        arguments.import.display(),
        arguments.balances.display()
    ))
}

/// For its owner alone: simulated card numbers are treated as real ones are.
fn write(path: &Path, lines: impl Iterator<Item = String>) -> Outcome {
    let written = || -> std::io::Result<()> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let mut file = BufWriter::new(file);
        for line in lines {
            writeln!(file, "{line}")?;
        }
        file.flush()
    };
    written()
        .with_context(|| format!("{} cannot be written", path.display()))
        .map_err(|error| (Exit::Failed, error))
}
