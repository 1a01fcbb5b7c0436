//! The command-line tool: one file a subcommand.
//!
//! It reads arguments, prepares logs, calls the crates that do the work, and turns what happened into an exit
//! code. Nothing is decided here.

mod check;
mod exit;
mod logs;
mod run;

use clap::{Parser, Subcommand};
use exit::Exit;
use std::path::PathBuf;
use std::process::ExitCode;

/// Answers card authorizations: framed TCP and ISO 8583 in, a decision from the in-memory cache or the balance
/// service, a journaled fact, and an answer within the deadline.
#[derive(Debug, Parser)]
#[command(name = "authswitch", version, after_help = exit::TABLE)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the switch until SIGTERM or SIGINT.
    Run {
        /// The configuration file, TOML.
        config: PathBuf,
    },
    /// Check a configuration file, its keys and its dialects, and print the settings in force.
    Check {
        /// The configuration file, TOML.
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Run { config } => run::run(&config),
        Command::Check { config } => check::check(&config),
    };
    match result {
        Ok(()) => Exit::Done.into(),
        Err((exit, error)) => {
            eprintln!("authswitch: {error:#}");
            exit.into()
        }
    }
}
