//! `authswitch import FILE`: JSON lines through the control API, many at a time.
//!
//! Every line is one request of the API, see `control::import`. A file can be sent again: what exists as described
//! is counted as existing and nothing is booked twice. Each line that fails is reported with its place.

use crate::api_client::{Answer, Api, Call, Connection};
use crate::exit::{Exit, Outcome};
use crate::{output, runtime};
use anyhow::{Context, anyhow};
use clap::Args;
use control::import::{Importer, Subject};
use http::StatusCode;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use tokio::task::JoinSet;

/// The arguments of `import`.
#[derive(Debug, Args)]
#[command(after_help = "\
The file holds one JSON object a line:
  {\"rate\": {\"from\": \"USD\", \"to\": \"USDT\", \"value\": \"1.0002\", \"source\": \"desk\", \"max_age\": \"60s\"}}
  {\"account\": {\"id\": \"acct_1\", \"asset\": \"USDT\"}}
  {\"credit\": {\"account\": \"acct_1\", \"amount\": \"250.00\", \"note\": \"opening\"}}
  {\"card\": {\"id\": \"card_1\", \"number\": \"...\", \"account\": \"acct_1\", \"currency\": \"USD\",
            \"expiry\": \"2029-12\", \"funding\": \"jit\"}}
Cards and credits wait for the account lines before them. A file can be imported again: what exists as described
is left as it is, and a credit is booked once.

Exit code 1 if any line failed; the others are imported.")]
pub(crate) struct Arguments {
    /// The file, JSON lines.
    file: PathBuf,
    /// Where the control API listens.
    #[arg(long, default_value = "http://127.0.0.1:9583")]
    url: String,
    /// The file that holds the bearer key of the control API.
    #[arg(long, default_value = "config/keys/control.key", value_name = "FILE")]
    key_file: PathBuf,
    /// Requests under way at once.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=200))]
    concurrency: u16,
}

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) created: u64,
    pub(crate) existing: u64,
    pub(crate) failed: u64,
}

/// Imports a file and reports on it.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let configuration = |error| (Exit::Configuration, error);
    let name = arguments.file.display().to_string();
    let file = File::open(&arguments.file)
        .with_context(|| format!("{name} cannot be read"))
        .map_err(configuration)?;
    let key = std::fs::read_to_string(&arguments.key_file)
        .with_context(|| format!("key file {} cannot be read", arguments.key_file.display()))
        .map_err(configuration)?;
    let api = Api::new(&arguments.url, &key).map_err(configuration)?;
    let bar = progress_bar(file.metadata().map_or(0, |metadata| metadata.len()));
    let tally = runtime::block_on(async {
        let lines = BufReader::new(file).lines();
        let sent = send_all(&name, lines, &api, arguments.concurrency, &bar).await;
        bar.finish_and_clear();
        sent.map_err(|error| (Exit::Failed, error))
    })?;
    output::print(&format!("{name}: {tally}"))?;
    match tally.failed {
        0 => Ok(()),
        failed => Err((Exit::Failed, anyhow!("{name}: {failed} lines were not imported"))),
    }
}

fn progress_bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("import {bar:30} {percent:>3}%  {msg}  {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
}

/// Sends every line, `concurrency` at a time. Failing lines are reported on standard error and counted.
///
/// # Errors
/// The API cannot be reached, or a line cannot be read: what comes after it was not sent.
pub(crate) async fn send_all(
    file: &str,
    lines: impl Iterator<Item = std::io::Result<String>>,
    api: &Api,
    concurrency: u16,
    bar: &ProgressBar,
) -> anyhow::Result<Tally> {
    let mut importer = Importer::new(file);
    let mut sending = Sending::new(api, concurrency);
    for (number, line) in (1_u64..).zip(lines) {
        let line = line.with_context(|| format!("{file}:{number} cannot be read"))?;
        bar.inc(u64::try_from(line.len()).unwrap_or(0).saturating_add(1));
        let call = match importer.line(&line) {
            Ok(None) => continue,
            Ok(Some(call)) => call,
            Err(error) => {
                sending.tally.failed += 1;
                bar.suspend(|| eprintln!("{error}"));
                continue;
            }
        };
        while sending.must_wait(&call) {
            sending.one_answered(file, bar).await?;
        }
        sending.start(call);
        bar.set_message(sending.tally.to_string());
    }
    while !sending.under_way.is_empty() {
        sending.one_answered(file, bar).await?;
    }
    Ok(sending.tally)
}

/// The requests under way.
struct Sending {
    idle: Vec<Connection>,
    under_way: JoinSet<Sent>,
    accounts_under_way: usize,
    tally: Tally,
}

/// A request that has ended, with the connection that it was sent on.
struct Sent {
    subject: Subject,
    line: u64,
    connection: Connection,
    answer: anyhow::Result<Answer>,
}

impl Sending {
    fn new(api: &Api, concurrency: u16) -> Self {
        Self {
            idle: (0..concurrency.max(1)).map(|_| api.connection()).collect(),
            under_way: JoinSet::new(),
            accounts_under_way: 0,
            tally: Tally::default(),
        }
    }

    fn must_wait(&self, call: &control::import::Call) -> bool {
        self.idle.is_empty() || (call.waits() && self.accounts_under_way > 0)
    }

    fn start(&mut self, call: control::import::Call) {
        let Some(mut connection) = self.idle.pop() else { return };
        let (subject, line) = (call.subject, call.line);
        self.accounts_under_way += usize::from(subject == Subject::Account);
        let call = Call::from(call);
        self.under_way.spawn(async move {
            let answer = connection.send(&call).await;
            Sent { subject, line, connection, answer }
        });
    }

    /// Waits for one request to end and counts it.
    async fn one_answered(&mut self, file: &str, bar: &ProgressBar) -> anyhow::Result<()> {
        let Some(sent) = self.under_way.join_next().await else { return Ok(()) };
        let Sent { subject, line, connection, answer } = sent.context("a request's task ended early")?;
        self.idle.push(connection);
        self.accounts_under_way -= usize::from(subject == Subject::Account);
        let answer = answer.with_context(|| format!("{file}:{line}"))?;
        match (answer.status, subject) {
            // A rate is put in force every time.
            (StatusCode::CREATED, _) | (StatusCode::OK, Subject::Rate) => self.tally.created += 1,
            (StatusCode::OK, _) => self.tally.existing += 1,
            _ => {
                self.tally.failed += 1;
                bar.suspend(|| eprintln!("{file}:{line}: {}", answer.problem()));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, existing, failed } = self;
        write!(f, "{created} created, {existing} existing, {failed} failed")
    }
}
