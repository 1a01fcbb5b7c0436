//! Keeps results in a folder of their own, and puts the newest into the README between two markers.

use crate::codecs::Codec;
use crate::picture;
use crate::process::output;
use crate::table::Row;
use anyhow::{Context, Result};
use benches::histogram;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const BEGIN: &str = "<!-- benches: compare -->";
const END: &str = "<!-- end of benches: compare -->";
const TABLE: &str = "table.md";
const PICTURE: &str = "ratios.svg";

/// Writes table, picture and raw histograms into a folder named after the day and the commit.
pub(crate) fn keep(results: &Path, text: &str, rows: &[Row], codecs: &[Codec]) -> Result<PathBuf> {
    let said = |program: &str, arguments: &[&str]| output(Command::new(program).args(arguments));
    let day = said("date", &["-u", "+%Y-%m-%d-%H%M"])?;
    let commit = said("git", &["rev-parse", "--short=9", "HEAD"]).unwrap_or_default();
    let folder = results.join(format!("{}-{}", day.trim(), commit.trim()));
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    std::fs::write(folder.join(TABLE), text)?;
    std::fs::write(folder.join(PICTURE), picture::draw(rows)?)?;
    for row in rows {
        for (rounds, kind) in [(&row.single, "one-at-a-time"), (&row.many, "at-once")] {
            if !rounds.is_empty() {
                let file = format!("{}.{kind}.latency", file_name(&row.name));
                histogram::write(&Row::all(rounds)?, &folder.join(file))?;
            }
        }
    }
    let mut lines = String::from("# codec, nanoseconds a decode\n");
    for codec in codecs {
        writeln!(lines, "{}\t{}", codec.name, codec.nanos)?;
    }
    std::fs::write(folder.join("codecs.tsv"), lines)?;
    Ok(folder)
}

fn file_name(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

/// Puts the newest results into the README.
pub(crate) fn update(readme: &Path, results: &Path) -> Result<()> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(results)
        .with_context(|| format!("{} cannot be read", results.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|folder| folder.join(TABLE).is_file())
        .collect();
    folders.sort();
    let newest = folders.pop().with_context(|| format!("{} holds no results", results.display()))?;
    let table = std::fs::read_to_string(newest.join(TABLE))?;
    let before = std::fs::read_to_string(readme)?;
    let after = replaced(&before, &table, &newest.join(PICTURE).display().to_string())
        .with_context(|| format!("{} has no lines {BEGIN} and {END}", readme.display()))?;
    std::fs::write(readme, after)?;
    println!("{} shows {}", readme.display(), newest.display());
    Ok(())
}

/// `text` with what stands between the markers replaced.
fn replaced(text: &str, table: &str, picture: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let table = table.trim_end();
    Some(format!("{before}{BEGIN}\n![authswitch beside other systems]({picture})\n\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_changes_and_twice_is_as_good_as_once() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let once = replaced(&text, "new\n", "p.svg").unwrap();
        assert!(once.starts_with("a\n") && once.ends_with("\nb\n") && !once.contains("old"), "{once}");
        assert_eq!(replaced(&once, "new\n", "p.svg").unwrap(), once);
        assert_eq!(replaced("nothing", "", ""), None);
    }

    #[test]
    fn a_system_s_name_becomes_a_plain_file_name() {
        assert_eq!(file_name("Redis 7.0, Lua (always)"), "redis-7-0-lua-always");
    }
}
