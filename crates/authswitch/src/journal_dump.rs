//! `authswitch journal dump DIR`: the facts of a journal, one JSON object a line.
//!
//! Card numbers are not in a journal, only keyed tokens. Expiries are, and are masked here. Integers wider than 64
//! bits, which are amounts, are text; tokens and request keys are hexadecimal text; times are RFC 3339.

use crate::exit::{Exit, Outcome};
use crate::fact_json::fact_json;
use crate::journal_keys::KeyArguments;
use crate::journal_verify::open;
use crate::output;
use clap::Args;
use domain::{Fact, version_1};
use journal::{JournalError, RecoveredRecord, ReplayError};
use serde::Serialize;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// The arguments of `journal dump`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  authswitch journal dump data/journal --from 1000 --limit 50 | jq -c 'select(.fact.Approved)'

The journal must not be in use. Facts before a damaged place are printed, then the damage is named and the exit
code is 1.")]
pub(crate) struct Arguments {
    /// The journal's folder.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Begin with this sequence number.
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    from: u64,
    /// Print at most so many facts.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Print the facts of this shard only, 0 to 255.
    #[arg(long, value_name = "N")]
    shard: Option<u16>,
    #[command(flatten)]
    keys: KeyArguments,
}

/// One line.
#[derive(Serialize)]
struct Line {
    sequence: u64,
    shard: u16,
    time: String,
    fact: serde_json::Value,
}

/// Why no more lines are wanted, which is no failure.
#[derive(Debug, thiserror::Error)]
#[error("enough lines were printed")]
struct Enough;

/// Prints the facts of a journal.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let keys = arguments.keys.read()?;
    let storage = open(&arguments.directory)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    let dumped = journal::dump(&storage, &keys, arguments.from.saturating_sub(1), |record| {
        if left == 0 {
            return Err(ReplayError::from(Enough));
        }
        if arguments.shard.is_none_or(|shard| shard == record.shard) {
            left -= 1;
            print(&mut out, &record)?;
        }
        Ok(())
    });
    let flushed = out.flush();
    match dumped {
        Err(JournalError::Replay { source, .. }) if is_end_of_interest(&*source) => Ok(()),
        Err(error) => Err((Exit::Failed, error.into())),
        Ok(()) => output::written(flushed),
    }
}

fn print(out: &mut impl Write, record: &RecoveredRecord<'_>) -> Result<(), ReplayError> {
    let fact: Fact = record.decode_since::<version_1::Fact, Fact>()?;
    let time = jiff::Timestamp::from_microsecond(record.at_utc_micros)?.to_string();
    let line = Line { sequence: record.sequence, shard: record.shard, time, fact: fact_json(&fact)? };
    serde_json::to_writer(&mut *out, &line).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Enough was printed, or whoever read it (`head`) has gone.
fn is_end_of_interest(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.is::<Enough>() || error.downcast_ref::<io::Error>().is_some_and(gone)
}
