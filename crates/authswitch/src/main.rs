//! The command-line tool: one file a subcommand.
//!
//! It reads arguments, prepares logs, calls the crates that do the work, and turns what happened into an exit
//! code. Results go to standard output; errors and progress go to standard error. Nothing is decided here.

mod api_client;
mod cards_file;
mod check;
mod demo;
mod duties;
mod exit;
mod fact_json;
mod import;
mod journal_backup;
mod journal_dump;
mod journal_export;
mod journal_keys;
mod journal_repair;
mod journal_verify;
mod link_tls;
mod logs;
mod message_describe;
mod message_input;
mod output;
mod run;
mod runtime;
mod scenery;
mod simulate_balance_service;
mod simulate_population;
mod simulate_processor;
mod torture;
mod traffic;
mod wire;

use clap::{Parser, Subcommand};
use exit::Exit;
use std::io::Write;
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
    /// Show everything working on this machine in about 40 seconds, and compare everybody's books.
    Demo(demo::Arguments),
    /// Play a card processor or a balance service.
    #[command(subcommand)]
    Simulate(SimulateCommand),
    /// Load rates, accounts, credits and cards from a file of JSON lines through the control API.
    Import(import::Arguments),
    /// Look at what the balance service is owed, and send it again.
    #[command(subcommand)]
    Duties(duties::Command),
    /// Look into ISO 8583 messages.
    #[command(subcommand)]
    Message(MessageCommand),
    /// Try the journal's promises on your own disk: kills, damage, flushes.
    Torture(torture::Arguments),
    /// Look into a journal, copy it, and mend it.
    #[command(subcommand)]
    Journal(JournalCommand),
}

#[derive(Debug, Subcommand)]
enum SimulateCommand {
    /// Write the accounts and cards that the simulators play with.
    Population(simulate_population::Arguments),
    /// Send card traffic to a switch, check every answer, and report.
    Processor(simulate_processor::Arguments),
    /// Serve the balances of JIT cards, with delays and faults.
    BalanceService(simulate_balance_service::Arguments),
}

#[derive(Debug, Subcommand)]
enum MessageCommand {
    /// Print the elements of messages by number and name, card data masked.
    Describe(message_describe::Arguments),
}

#[derive(Debug, Subcommand)]
enum JournalCommand {
    /// Check that every record is whole and in its place, and report on the journal.
    Verify(journal_verify::Arguments),
    /// Print the facts of a journal, one JSON object a line.
    Dump(journal_dump::Arguments),
    /// Print postings or transactions, CSV or JSON lines.
    Export(journal_export::Arguments),
    /// Copy the journal of a running or stopped switch, consistently.
    Backup(journal_backup::BackupArguments),
    /// Build a journal from a backup, as it was at its end or at an earlier moment.
    Restore(journal_backup::RestoreArguments),
    /// Give up the facts behind a damage, by an order that names the first of them.
    Repair(journal_repair::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::Run { config } => run::run(config),
        Command::Check { config } => check::check(config),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Simulate(SimulateCommand::Population(arguments)) => simulate_population::run(arguments),
        Command::Simulate(SimulateCommand::Processor(arguments)) => simulate_processor::run(arguments),
        Command::Simulate(SimulateCommand::BalanceService(arguments)) => {
            simulate_balance_service::run(arguments)
        }
        Command::Import(arguments) => import::run(arguments),
        Command::Duties(command) => duties::run(command),
        Command::Message(MessageCommand::Describe(arguments)) => message_describe::run(arguments),
        Command::Journal(JournalCommand::Verify(arguments)) => journal_verify::run(arguments),
        Command::Journal(JournalCommand::Dump(arguments)) => journal_dump::run(arguments),
        Command::Journal(JournalCommand::Export(arguments)) => journal_export::run(arguments),
        Command::Journal(JournalCommand::Backup(arguments)) => journal_backup::backup(arguments),
        Command::Journal(JournalCommand::Restore(arguments)) => journal_backup::restore(arguments),
        Command::Journal(JournalCommand::Repair(arguments)) => journal_repair::run(arguments),
        Command::Torture(arguments) => torture::run(arguments),
    };
    match result {
        Ok(()) => Exit::Done.into(),
        Err((exit, error)) => {
            // The exit code tells a supervisor what the words tell people, and must not depend on them.
            let _said = writeln!(std::io::stderr(), "authswitch: {}", exit::told(&error));
            exit.into()
        }
    }
}
