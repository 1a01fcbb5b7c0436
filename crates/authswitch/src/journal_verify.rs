//! `authswitch journal verify DIR`: whether every record is whole and in its place.

use crate::exit::{Exit, Outcome};
use crate::journal_keys::KeyArguments;
use crate::output;
use anyhow::Context;
use clap::Args;
use journal::snapshot::{Inspection, inspect_all};
use journal::{FileStorage, Tail, Verified};
use std::path::{Path, PathBuf};

/// The arguments of `journal verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads every segment: headers, checksums, sequence numbers and the chain from batch to batch. Nothing is changed.
A torn tail, which the next start would cut, is reported and is in order: nobody was told of those facts.
Snapshots are read whole, too. With --key every encrypted payload is opened; without, it is checked as it lies there.
Exit code 1 if the journal or a snapshot is damaged, in use by a running switch, or cannot be read; the message names the file,
the offset and the facts at risk.")]
pub(crate) struct Arguments {
    /// The journal's folder.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    keys: KeyArguments,
}

/// Verifies a journal and reports on it.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let keys = arguments.keys.read_if_named()?;
    let storage = open(&arguments.directory)?;
    let verified = journal::verify(&storage, keys.as_ref()).map_err(|error| (Exit::Failed, error.into()))?;
    let snapshots = inspect_all(&storage).map_err(|error| (Exit::Failed, error.into()))?;
    let mut lines = vec![report(&arguments.directory, &verified)];
    if verified.key_id != 0 {
        let opened = if keys.is_some() { "every payload opened" } else { "not opened: no --key was given" };
        lines.push(format!("  encrypted   under key {:08x}, {opened}", verified.key_id));
    }
    lines.extend(snapshots.iter().map(in_words));
    output::print(&lines.join("\n"))?;
    let damaged = snapshots.iter().filter(|snapshot| snapshot.outcome.is_err()).count();
    if damaged > 0 {
        return Err((Exit::Failed, anyhow::anyhow!("{damaged} snapshots are not whole")));
    }
    Ok(())
}

/// A line about a snapshot.
fn in_words(snapshot: &Inspection) -> String {
    let Inspection { name, outcome } = snapshot;
    match outcome {
        Ok(whole) => format!(
            "  snapshot    {name}: whole, through sequence {}, {} slices, {} bytes",
            whole.header.through, whole.slices, whole.payload_bytes
        ),
        Err(error) => format!("  snapshot    {name}: NOT WHOLE: {error}"),
    }
}

/// The folder of a journal that must exist.
pub(crate) fn open(directory: &Path) -> Result<FileStorage, (Exit, anyhow::Error)> {
    let is_segment =
        |name: &std::ffi::OsStr| journal::segment::segment_number(&name.to_string_lossy()).is_some();
    if let Ok(mut entries) = std::fs::read_dir(directory)
        && !entries.any(|entry| entry.is_ok_and(|entry| is_segment(&entry.file_name())))
    {
        let problem = anyhow::anyhow!("{} holds no journal: it has no segment files", directory.display());
        return Err((Exit::Configuration, problem));
    }
    FileStorage::open_existing(directory)
        .with_context(|| format!("journal folder {} cannot be opened", directory.display()))
        .map_err(|error| (Exit::Configuration, error))
}

fn report(directory: &Path, verified: &Verified) -> String {
    let mut lines = vec![format!("{}: in order", directory.display())];
    let mut line = |name: &str, value: String| lines.push(format!("  {name:<11} {value}"));
    line("segments", verified.segments.to_string());
    line("batches", verified.batches.to_string());
    line(
        "records",
        match verified.records {
            0 => "none".to_owned(),
            records => {
                format!("{records}, sequences {} to {}", verified.first_sequence, verified.last_sequence)
            }
        },
    );
    line("payload", format!("{} bytes", verified.payload_bytes));
    line("end", end(&verified.tail));
    line(
        "shut down",
        match &verified.mark {
            None => "never started".to_owned(),
            Some(mark) if mark.clean => "in good order".to_owned(),
            Some(mark) => format!("no: killed or crashed; known to be synced up to sequence {}", mark.synced),
        },
    );
    lines.join("\n")
}

fn end(tail: &Tail) -> String {
    match tail {
        Tail::Whole => "whole".to_owned(),
        Tail::Torn(torn) => format!(
            "torn, and cut at the next start: {} bytes at offset {} of {} ({}); nobody was told of facts from \
             sequence {}{}",
            torn.bytes,
            torn.offset,
            torn.path,
            torn.found,
            torn.acknowledged_through.map_or(torn.first_sequence, |through| through.saturating_add(1)),
            torn.acknowledged_through
                .map(|through| format!(
                    "; {} to {through} were acknowledged before they were synced",
                    torn.first_sequence
                ))
                .unwrap_or_default(),
        ),
        Tail::Short { first_sequence, acknowledged_through } => format!(
            "short: sequences {first_sequence} to {acknowledged_through} were acknowledged before they were synced, \
             and never reached the disk"
        ),
    }
}
