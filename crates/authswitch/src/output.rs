//! Results on standard output. Whoever reads them may stop reading (`| head`), which is no failure.

use crate::exit::{Exit, Outcome};
use std::io::{self, Write};

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
