//! Exit codes: a supervisor reads them to know whether starting again can help.

use std::process::ExitCode;

/// How a subcommand ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// As it should.
    Done,
    /// It ran and found something wrong, or failed in a way that has no code of its own.
    Failed,
    /// The arguments, a file that they name, the configuration, a key file or a port: a person must mend it.
    Configuration,
    /// The journal refuses to be opened: a person must look before anything is started.
    JournalRefused,
    /// The journal failed while the switch ran: the disk must be looked at.
    JournalFailed,
}

/// What `--help` says about them.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  done
  1  something was found wrong (the demo's books differ, a journal does not verify), or failed
  2  arguments, a file named in them, configuration, a key file or a port: mend it and start again
  3  the journal refused to be opened; starting again does not help
  4  the journal failed while running; look at the disk before starting again";

/// A subcommand's result: what went wrong, and how it is told.
pub(crate) type Outcome = Result<(), (Exit, anyhow::Error)>;

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Configuration => 2,
            Exit::JournalRefused => 3,
            Exit::JournalFailed => 4,
        })
    }
}

/// An error and its causes in one line. A cause that the message before it has told already is left out.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.ends_with(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot listen on 127.0.0.1:1: {0}")]
    struct Telling(#[source] std::io::Error);

    #[test]
    fn every_cause_is_told_once() {
        let cause = || std::io::Error::other("in use");
        let error = anyhow::Error::new(Telling(cause())).context("link \"a\"");
        assert_eq!(told(&error), "link \"a\": cannot listen on 127.0.0.1:1: in use");
        let error = anyhow::Error::new(cause()).context("link \"a\"");
        assert_eq!(told(&error), "link \"a\": in use");
    }
}
