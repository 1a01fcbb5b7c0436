//! Results on standard output, and reports as files.
//!
//! Whoever reads standard output may stop reading (`| head`), which is no failure.

use crate::exit::{Exit, Outcome};
use anyhow::Context;
use simulators::report::DemoReport;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Prints `text` and a line end.
pub(crate) fn print(text: &str) -> Outcome {
    written(writeln!(io::stdout().lock(), "{text}"))
}

/// What became of writing to standard output.
pub(crate) fn written(result: io::Result<()>) -> Outcome {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err((Exit::Failed, anyhow::Error::new(error).context("standard output")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes the report as one HTML file; returns its whole path.
pub(crate) fn write_html(path: &Path, report: &DemoReport) -> anyhow::Result<PathBuf> {
    std::fs::write(path, report.to_html())
        .with_context(|| format!("the report cannot be written to {}", path.display()))?;
    Ok(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}
