//! `authswitch journal repair DIR --accept-loss-from SEQ`: opens a damaged journal's way again, by an explicit order.

use crate::exit::{Exit, Outcome};
use crate::journal_verify::open;
use crate::output;
use anyhow::{Context, anyhow};
use clap::Args;
use journal::{RepairError, Repaired, repair};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The arguments of `journal repair`.
#[derive(Debug, Args)]
#[command(after_help = "\
Only for a journal that `authswitch run` and `journal verify` refuse, after looking for a copy of the damaged file in a
backup. SEQ must be the first sequence that the refusal names as at risk. Every record from there on is given up, also
approvals that the processor has seen: reconcile with it, and with the balance service, before the switch answers again.

Nothing is destroyed: the damaged file and all behind it are kept under names that begin with \"lost-\", with a report
beside them.

Exit code 1 if the journal is not damaged, or is damaged elsewhere; nothing is changed then.")]
pub(crate) struct Arguments {
    /// The journal's folder.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The first record to give up: the first one at risk, as the refusal names it.
    #[arg(long, value_name = "SEQ")]
    accept_loss_from: u64,
}

/// Repairs a journal and leaves a report.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let storage = open(&arguments.directory)?;
    let repaired = repair(&storage, arguments.accept_loss_from).map_err(|error| {
        let exit = match &error {
            RepairError::OtherSequence { .. } => Exit::Configuration,
            RepairError::NotDamaged
            | RepairError::NoBeginning { .. }
            | RepairError::Snapshot(_)
            | RepairError::Journal(_) => Exit::Failed,
        };
        (exit, error.into())
    })?;
    let report = report(&arguments.directory, arguments.accept_loss_from, &repaired);
    let kept = keep(&arguments.directory, &report).map_err(|error| (Exit::Failed, error))?;
    output::print(&format!("{report}\nThis report is kept in {}", kept.display()))
}

fn report(directory: &Path, from: u64, repaired: &Repaired) -> String {
    let lost = match repaired.lost_through {
        Some(last) => format!("sequences {from} to {last} are given up"),
        None => format!("everything from sequence {from} on is given up"),
    };
    let mut lines = vec![
        format!("{}: repaired at {} by order", directory.display(), jiff::Timestamp::now()),
        format!("  it was refused because: {}", repaired.because),
        format!("  {lost}; the journal now ends with sequence {}", repaired.kept_through),
    ];
    lines.extend(repaired.put_aside.iter().map(|name| format!("  put aside: {name}")));
    lines.join("\n")
}

/// Writes the report beside the files that were put aside, durably.
fn keep(directory: &Path, report: &str) -> anyhow::Result<PathBuf> {
    for number in 1..1_000 {
        let path = directory.join(format!("lost-report-{number}.txt"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        match file {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            file => {
                let written = file.and_then(|mut file| {
                    writeln!(file, "{report}")?;
                    file.sync_all()
                });
                written.with_context(|| {
                    format!(
                        "the journal was repaired, but the report {} was not written:\n{report}",
                        path.display()
                    )
                })?;
                return Ok(path);
            }
        }
    }
    Err(anyhow!("the journal was repaired; there are too many reports already for another one:\n{report}"))
}
