//! `authswitch torture`: the promises of the journal, tried on the user's own disk.
//!
//! Three parts: does a flush reach the disk, as far as that can be learned with the power on (`flush`); a switch
//! under traffic, killed with SIGKILL again and again, whose every answer is kept and compared (the demo's engine); and
//! damage of many kinds to the journal that is left, which must be refused or harmless (`damage`).

mod damage;
mod flush;

use crate::exit::{Exit, Outcome};
use crate::{demo, output, runtime};
use anyhow::{Context, anyhow};
use clap::Args;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The arguments of `torture`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  authswitch torture --dir /var/lib/authswitch --minutes 10

A new folder inside DIR is used and removed again, unless something is found wrong. Nothing else in DIR is touched. The
longer it runs, the more moments the kills meet; ten minutes are some three hundred.

What it cannot show: whether the disk keeps its word when the power goes. A flush that the disk acknowledges and does
not make looks like a quick one. Only pulling the plug tells; the report says what was seen of the device.

Exit code 1 if an approval was forgotten, a repeat was answered differently, books differ, damage was not noticed, or
the flush is known not to reach the disk. The seed in the report repeats kills and damage, not the machine's timing.")]
pub(crate) struct Arguments {
    /// A folder on the disk that the journal will be on.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// How long, in minutes.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    minutes: u64,
    /// The same in seconds, for a quick look: too short for a verdict.
    #[arg(long, hide = true, conflicts_with = "minutes")]
    seconds: Option<u64>,
    /// At most so many kills.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    kills: usize,
    /// Messages a second.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Where kills and damage come from. Default: a new one.
    #[arg(long)]
    seed: Option<u64>,
}

/// Time from one kill to the next, while the switch is up.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_millis(2_500);

/// What a part found.
struct Finding {
    title: &'static str,
    lines: Vec<String>,
    wrong: Vec<String>,
}

/// Runs all parts and reports.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let seed = arguments.seed.unwrap_or_else(rand::random);
    let folder = make_folder(&arguments.dir).map_err(|error| (Exit::Configuration, error))?;
    eprintln!("torture in {}, seed {seed}", folder.display());
    let findings = parts(arguments, &folder, seed).map_err(|error| (Exit::Failed, error))?;
    let wrong: Vec<&str> = findings.iter().flat_map(|part| &part.wrong).map(String::as_str).collect();
    output::print(&report(&findings, seed))?;
    if wrong.is_empty() {
        let removed = std::fs::remove_dir_all(&folder);
        return removed
            .with_context(|| format!("{} cannot be removed", folder.display()))
            .map_err(|error| (Exit::Failed, error));
    }
    let kept = folder.display();
    Err((Exit::Failed, anyhow!("{} (everything is kept in {kept})", wrong.join("; "))))
}

fn make_folder(dir: &Path) -> anyhow::Result<PathBuf> {
    let made = tempfile::Builder::new().prefix("authswitch-torture-").tempdir_in(dir);
    Ok(made.with_context(|| format!("no folder can be made in {}", dir.display()))?.keep())
}

fn parts(arguments: &Arguments, folder: &Path, seed: u64) -> anyhow::Result<Vec<Finding>> {
    let time = Duration::from_secs(arguments.seconds.unwrap_or(arguments.minutes.saturating_mul(60)));
    let until = Instant::now() + time;
    eprintln!("1 of 3: flushes");
    let flush = flush::look_at(folder)?;
    eprintln!("2 of 3: kills under traffic, {:.0} s", (time * 3 / 4).as_secs_f64());
    let kills = kill_again_and_again(arguments, folder, time * 3 / 4, seed)?;
    eprintln!("3 of 3: damage");
    let damage = damage::try_on(&folder.join("journal"), until, seed)?;
    Ok(vec![flush, kills, damage])
}

fn kill_again_and_again(
    arguments: &Arguments,
    folder: &Path,
    time: Duration,
    seed: u64,
) -> anyhow::Result<Finding> {
    let mut random = StdRng::seed_from_u64(seed);
    // More than can happen: the traffic's end ends the kills.
    let most =
        (time.as_millis() / PAUSE_MIN.as_millis()).try_into().unwrap_or(usize::MAX).min(arguments.kills);
    let pauses: Vec<Duration> = (0..most).map(|_| random.random_range(PAUSE_MIN..PAUSE_MAX)).collect();
    let run = demo::KillRun { folder, duration: time, rate: arguments.rate, seed, pauses };
    let ran =
        runtime::block_on(async { demo::under_kills(run).await.map_err(|error| (Exit::Failed, error)) });
    let ran = ran.map_err(|(_, error)| error)?;
    let longest = ran.downtimes.iter().max().copied().unwrap_or_default();
    let mut wrong = ran.broken;
    if ran.downtimes.is_empty() {
        wrong.push("the switch was never killed: the time was too short".to_owned());
    }
    let lines = vec![
        format!("{} kills with SIGKILL under {} messages a second", ran.downtimes.len(), arguments.rate),
        format!("{} approvals seen, {} of them not in the journal", ran.approvals, ran.lost),
        "every answer checked, unanswered messages repeated, books compared account by account".to_owned(),
        format!("longest downtime {:.2} s", longest.as_secs_f64()),
    ];
    Ok(Finding { title: "Kills", lines, wrong })
}

fn report(findings: &[Finding], seed: u64) -> String {
    let mut lines = Vec::new();
    for Finding { title, lines: found, wrong } in findings {
        let verdict = if wrong.is_empty() { "as promised" } else { "NOT AS PROMISED" };
        lines.push(format!("{title}: {verdict}"));
        lines.extend(found.iter().map(|line| format!("  {line}")));
        lines.extend(wrong.iter().map(|line| format!("  WRONG: {line}")));
    }
    lines.push(format!("seed {seed}"));
    lines.join("\n")
}
