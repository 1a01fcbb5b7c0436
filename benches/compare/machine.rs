//! What was measured on, and with which versions.

use crate::process::output;
use crate::{CARDS, Scale};
use anyhow::Result;
use std::process::Command;

/// Facts about the run, for whoever reads its results.
pub(crate) fn facts(scale: Scale) -> Result<Vec<(String, String)>> {
    let cores = std::thread::available_parallelism()?;
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    let memory = read("/proc/meminfo");
    let kilobytes = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().split(' ').next());
    let gibibytes = kilobytes.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) / 1_024 / 1_024;
    let load = read("/proc/loadavg").split(' ').take(1).collect::<String>();
    let said = |program: &str, arguments: &[&str]| {
        let said = output(Command::new(program).args(arguments)).unwrap_or_default();
        said.trim().to_owned()
    };
    let disk = said("stat", &["-f", "-c", "%T", "."]);
    let commit = said("git", &["describe", "--always", "--dirty", "--abbrev=9"]);
    let facts = [
        (
            "machine",
            format!(
                "{} cores of {}, {gibibytes} GiB, {disk}",
                cores,
                model.unwrap_or("an unknown kind").trim()
            ),
        ),
        ("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("load when it ended", load),
        ("commit", commit),
        ("compiler", said("rustc", &["--version"])),
        ("date", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        (
            "asked",
            format!(
                "medians of {} rounds; {} purchases one at a time and {} at once each, on {CARDS} cards with six \
                 limits; PostgreSQL for {} s",
                scale.rounds, scale.single, scale.many, scale.seconds
            ),
        ),
    ];
    Ok(facts.map(|(name, value)| (name.to_owned(), value)).to_vec())
}
