//! `authswitch journal backup` and `restore`: a copy of the journal, and a journal from a copy.

use crate::exit::{Exit, Outcome};
use crate::journal_keys::KeyArguments;
use crate::journal_verify::open;
use crate::output;
use anyhow::{Context, ensure};
use clap::Args;
use journal::{BackupError, FileStorage, Manifest, Target, back_up, restore_backup};
use std::path::{Path, PathBuf};

/// The arguments of `journal backup`.
#[derive(Debug, Args)]
#[command(after_help = "\
Works while the switch runs, and does not disturb it: nothing is locked, files are read and copied. The copy ends with
a record that is on disk, is verified, and gets a manifest, backup.sha256, which sha256sum -c reads too. Everything that
was acknowledged in mode \"disk\" before the command began is in it.

Encrypted payloads stay encrypted: keep the key elsewhere, and keep it. Card tokens need their key (keys.card_tokens) too.

Exit code 1 if the journal is damaged or a file cannot be written: then there is no manifest, and it is no backup.")]
pub(crate) struct BackupArguments {
    /// The journal's folder.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Where the backup goes: a folder that is empty or does not exist.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// The arguments of `journal restore`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  authswitch journal restore backups/monday --to data/journal
  authswitch journal restore backups/monday --to data/journal --to-time 2026-11-25T14:30:00Z

Every file is compared with the backup's manifest first. The journal is then built in an empty folder, cut behind the
wanted record, and verified. A switch that is started on it knows nothing of what came later: processor and balance
service do, so reconcile with them before it answers anybody.

Exit code 1 if the backup is damaged or does not hold the wanted moment; the folder is then not to be used.")]
pub(crate) struct RestoreArguments {
    /// The backup's folder.
    #[arg(value_name = "DIR")]
    backup: PathBuf,
    /// Where the journal is to be: a folder that is empty or does not exist.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Restore the records up to this one.
    #[arg(long, value_name = "SEQ", conflicts_with = "to_time")]
    to_sequence: Option<u64>,
    /// Restore the records before the first one that is later than this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    to_time: Option<jiff::Timestamp>,
    #[command(flatten)]
    keys: KeyArguments,
}

/// Takes a backup.
pub(crate) fn backup(arguments: &BackupArguments) -> Outcome {
    let from = open(&arguments.directory)?;
    check_outside(&arguments.to, &arguments.directory).map_err(|error| (Exit::Configuration, error))?;
    let to = create(&arguments.to)?;
    let manifest = back_up(&from, &to).map_err(failed)?;
    output::print(&taken(&arguments.to, &manifest))
}

/// Restores a journal.
pub(crate) fn restore(arguments: &RestoreArguments) -> Outcome {
    let keys = arguments.keys.read_if_named()?;
    let from = FileStorage::open_existing(&arguments.backup)
        .with_context(|| format!("backup folder {} cannot be opened", arguments.backup.display()))
        .map_err(|error| (Exit::Configuration, error))?;
    let target = match (arguments.to_sequence, arguments.to_time) {
        (Some(sequence), _) => Target::Sequence(sequence),
        (None, Some(time)) => Target::Time(time.as_microsecond()),
        (None, None) => Target::End,
    };
    let to = create(&arguments.to)?;
    let restored = restore_backup(&from, &to, target, keys.as_ref()).map_err(failed)?;
    output::print(&format!(
        "{}: restored and verified, {} records in {} segments, up to sequence {}",
        arguments.to.display(),
        restored.records,
        restored.segments,
        restored.last_sequence
    ))
}

/// The journal's folder is the switch's own, and a copy beside the original goes when the original goes.
fn check_outside(to: &Path, journal: &Path) -> anyhow::Result<()> {
    let inside = std::path::absolute(to)?.starts_with(std::path::absolute(journal)?);
    let (to, journal) = (to.display(), journal.display());
    ensure!(
        !inside,
        "folder {to} is within the journal's folder {journal}; name one outside, best on another disk"
    );
    Ok(())
}

fn create(directory: &Path) -> Result<FileStorage, (Exit, anyhow::Error)> {
    FileStorage::create_or_open(directory)
        .with_context(|| format!("folder {} cannot be made", directory.display()))
        .map_err(|error| (Exit::Configuration, error))
}

fn failed(error: BackupError) -> (Exit, anyhow::Error) {
    let exit = if matches!(error, BackupError::NotEmpty { .. }) { Exit::Configuration } else { Exit::Failed };
    (exit, error.into())
}

fn taken(directory: &Path, manifest: &Manifest) -> String {
    let time = match jiff::Timestamp::from_microsecond(manifest.at_utc_micros) {
        Ok(time) if manifest.through > 0 => format!(", decided at {time}"),
        Ok(_) | Err(_) => String::new(),
    };
    format!(
        "{}: {} files, up to sequence {}{time}; verified",
        directory.display(),
        manifest.files.len(),
        manifest.through
    )
}
