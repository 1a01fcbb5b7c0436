//! `authswitch journal export DIR`: postings and transactions as CSV or JSON lines, for books and disputes.
//!
//! The facts are applied to the shards of the decision core, one after another, and what each of them changed is read
//! from there: an export cannot disagree with the switch about what a fact means. Card numbers are not in a journal;
//! expiries and tokens are left out.

use crate::exit::{Exit, Outcome};
use crate::fact_json::fact_json;
use crate::journal_keys::KeyArguments;
use crate::journal_verify::open;
use crate::output;
use authorizer::{AccountView, CardView, Inquiry, Policy, Reply, TransactionView};
use cache::Recovering;
use clap::{Args, ValueEnum};
use domain::{AccountNo, Balance, CardNo, Fact, ShardId, Timestamp, TransactionNo};
use journal::storage::Storage;
use journal::{JournalError, RecoveredRecord, ReplayError};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use switch::offline::{Base, base_before};

/// The arguments of `journal export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  authswitch journal export data/journal --what postings > postings.csv
  authswitch journal export backups/monday --what transactions --format json-lines | jq -c 'select(.card == \"c-17\")'

postings: a line for each change of an account's balances, with the balances after it.
transactions: a line for each event in the life of a transaction, with how it stands after it.

The journal must not be in use: export a backup of a running one. Where its first segments are gone, the balances begin
with those of the oldest whole snapshot that holds what they held, and the lines with the record behind it; it is said
on standard error. For the lines before, export a backup that was taken before they went.")]
pub(crate) struct Arguments {
    /// The journal's folder, or a backup's.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// What is wanted.
    #[arg(long, value_enum)]
    what: What,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    #[command(flatten)]
    keys: KeyArguments,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Postings,
    Transactions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Csv,
    JsonLines,
}

const POSTING: [&str; 13] = [
    "sequence",
    "time",
    "fact",
    "account",
    "asset",
    "ledger_change",
    "held_change",
    "ledger",
    "held",
    "available",
    "card",
    "last_four",
    "transaction",
];
const TRANSACTION: [&str; 18] = [
    "sequence",
    "time",
    "fact",
    "transaction",
    "of",
    "state",
    "reason",
    "type",
    "account",
    "card",
    "last_four",
    "amount",
    "asset",
    "held",
    "paid",
    "stan",
    "rrn",
    "mcc",
];

/// Nothing says what the balances were before the first record that is there.
#[derive(Debug, thiserror::Error)]
#[error(
    "{folder}: the journal begins with record {first}, and no whole snapshot there holds what came before; export a \
     backup that was taken earlier (authswitch journal restore BACKUP --to DIR makes a journal of it)"
)]
struct Beheaded {
    folder: String,
    first: u64,
}

/// Exports a journal.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let keys = arguments.keys.read()?;
    let storage: Arc<dyn Storage> = Arc::new(open(&arguments.directory)?.with_keys(keys.clone()));
    let base = base(&storage).map_err(|error| (Exit::Failed, error))?;
    let after = base.through.iter().copied().min().unwrap_or(0);
    let mut export = Export::new(arguments, base, BufWriter::new(io::stdout().lock()));
    let begun = export.begin();
    let exported = journal::dump(&*storage, &keys, after, |record| export.take(&record));
    match exported {
        Err(JournalError::Replay { source, .. }) if is_broken_pipe(&*source) => Ok(()),
        Err(error) => Err((Exit::Failed, error.into())),
        Ok(()) => output::written(begun.and_then(|()| export.out.flush())),
    }
}

/// What the records continue: nothing, when the first of all is there; else a snapshot.
fn base(storage: &Arc<dyn Storage>) -> anyhow::Result<Base> {
    let first = journal::segments_behind(&**storage, 0)?.first().copied();
    let Some(first) = first.filter(|first| first.first_sequence > 1) else {
        let through = vec![0; usize::from(ShardId::COUNT)];
        return Ok(Base { state: Recovering::new(Policy::default(), 0, 0), generation: 0, through });
    };
    let found = base_before(storage, first.node, &Policy::default(), first.first_sequence)?;
    let found = found.ok_or_else(|| Beheaded { folder: storage.path(""), first: first.first_sequence })?;
    eprintln!(
        "the journal begins with record {}: the balances are those of snapshot {}, and the lines begin behind record {}",
        first.first_sequence,
        found.generation,
        found.through.iter().copied().min().unwrap_or(0),
    );
    Ok(found)
}

/// Whoever read it (`head`) has gone.
fn is_broken_pipe(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

struct Export<W> {
    what: What,
    format: Format,
    out: W,
    state: Recovering,
    /// For each shard, the last record that the state began with.
    through: Vec<u64>,
    cards: HashMap<(u16, u64), u64>,
    transactions: HashMap<(u16, u64), u64>,
}

/// What a fact speaks of.
struct About {
    kind: String,
    account: Option<u64>,
    card: Option<u64>,
    transaction: Option<u64>,
}

impl<W: Write> Export<W> {
    fn new(arguments: &Arguments, base: Base, out: W) -> Self {
        Self {
            what: arguments.what,
            format: arguments.format,
            out,
            state: base.state,
            through: base.through,
            cards: HashMap::new(),
            transactions: HashMap::new(),
        }
    }

    /// The heading of a table.
    fn begin(&mut self) -> io::Result<()> {
        match (self.format, self.what) {
            (Format::JsonLines, _) => Ok(()),
            (Format::Csv, What::Postings) => writeln!(self.out, "{}", POSTING.join(",")),
            (Format::Csv, What::Transactions) => writeln!(self.out, "{}", TRANSACTION.join(",")),
        }
    }

    fn take(&mut self, record: &RecoveredRecord<'_>) -> Result<(), ReplayError> {
        if self.through.get(usize::from(record.shard)).is_some_and(|known| record.sequence <= *known) {
            return Ok(());
        }
        let fact: Fact = record.decode_since::<domain::version_1::Fact, Fact>()?;
        let at = Timestamp::from_micros(record.at_utc_micros);
        let about = self.about(record.shard, &fact_json(&fact)?, at);
        let before = self.account(record.shard, about.account, at).map(|account| account.balance);
        self.state.apply(ShardId(record.shard), at, &fact)?;
        let row = match self.what {
            What::Postings => self.posting(record.shard, &about, before.unwrap_or_default(), at),
            What::Transactions => self.transaction(record.shard, &about, at),
        };
        let Some(row) = row else { return Ok(()) };
        let time = jiff::Timestamp::from_microsecond(record.at_utc_micros)?.to_string();
        let mut columns = vec![record.sequence.to_string(), time, about.kind];
        columns.extend(row);
        self.print(&columns)?;
        Ok(())
    }

    /// Reads from a fact what it speaks of, and learns which card is on which account, and which transaction of
    /// which card. What a snapshot began with is asked of the state.
    fn about(&mut self, shard: u16, fact: &Value, at: Timestamp) -> About {
        let (kind, fields) = fact.as_object().and_then(|fact| fact.iter().next()).unzip();
        let number = |name: &str| fields.and_then(|fields| fields.get(name)?.as_u64());
        let transaction = number("transaction");
        let known = transaction.and_then(|transaction| self.transactions.get(&(shard, transaction)).copied());
        let card = number("card").or(known).or_else(|| self.card_of(shard, transaction, at));
        if let (Some(transaction), Some(card)) = (transaction, card) {
            self.transactions.insert((shard, transaction), card);
        }
        if let (Some(card), Some(account)) = (card, number("account")) {
            self.cards.insert((shard, card), account);
        }
        let of_card = card.and_then(|card| self.cards.get(&(shard, card)).copied());
        let of_card = of_card.or_else(|| self.account_of(shard, card, at));
        let kind = kind.cloned().unwrap_or_default();
        About { kind, account: number("account").or(of_card), card, transaction }
    }

    fn card_of(&self, shard: u16, transaction: Option<u64>, at: Timestamp) -> Option<u64> {
        let route = self.state.index().card(&self.view(shard, transaction, at)?.card)?;
        Some(u64::from(route.card.0))
    }

    fn account_of(&self, shard: u16, card: Option<u64>, at: Timestamp) -> Option<u64> {
        let place = self.state.index().account(&self.card(shard, card, at)?.account)?;
        Some(u64::from(place.account.0))
    }

    fn ask(&self, shard: u16, inquiry: Inquiry, at: Timestamp) -> Option<Reply> {
        let mut shards = self.state.shards();
        shards.find(|found| found.id() == ShardId(shard)).map(|found| found.inquire(inquiry, at))
    }

    fn account(&self, shard: u16, account: Option<u64>, at: Timestamp) -> Option<AccountView> {
        let account = AccountNo(u32::try_from(account?).ok()?);
        let Reply::Account(view) = self.ask(shard, Inquiry::Account(account), at)? else { return None };
        Some(view)
    }

    fn card(&self, shard: u16, card: Option<u64>, at: Timestamp) -> Option<CardView> {
        let card = CardNo(u32::try_from(card?).ok()?);
        let Reply::Card(view) = self.ask(shard, Inquiry::Card(card), at)? else { return None };
        Some(view)
    }

    fn view(&self, shard: u16, transaction: Option<u64>, at: Timestamp) -> Option<TransactionView> {
        let number = TransactionNo(transaction?);
        let Reply::Transactions(views) = self.ask(shard, Inquiry::Transaction(number), at)? else {
            return None;
        };
        views.into_iter().next()
    }

    /// What a fact changed in an account; `None` when nothing.
    fn posting(&self, shard: u16, about: &About, before: Balance, at: Timestamp) -> Option<Vec<String>> {
        let account = self.account(shard, about.account, at)?;
        let after = account.balance;
        if after == before {
            return None;
        }
        let change =
            |after: domain::Units, before: domain::Units| domain::Units(after.0.saturating_sub(before.0));
        let in_words = |units| account.asset.format(units);
        let card = self.card(shard, about.card, at);
        let transaction = self.view(shard, about.transaction, at).map(|view| view.id.to_string());
        Some(vec![
            account.id.to_string(),
            account.asset.code().to_string(),
            in_words(change(after.ledger, before.ledger)),
            in_words(change(after.held, before.held)),
            in_words(after.ledger),
            in_words(after.held),
            in_words(change(after.ledger, after.held)),
            card.as_ref().map(|card| card.id.to_string()).unwrap_or_default(),
            card.map(|card| card.last_four.to_string()).unwrap_or_default(),
            transaction.unwrap_or_default(),
        ])
    }

    /// How the transaction of a fact stands after it; `None` when it speaks of none.
    fn transaction(&self, shard: u16, about: &About, at: Timestamp) -> Option<Vec<String>> {
        let view = self.view(shard, about.transaction, at)?;
        let card = self.card(shard, about.card, at);
        let asset = view.asset;
        let units = |amounts: Option<domain::Amounts>| {
            amounts.map(|amounts| asset.format(amounts.units)).unwrap_or_default()
        };
        Some(vec![
            view.id.to_string(),
            view.of.map(|of| of.to_string()).unwrap_or_default(),
            in_snake_case(&view.state),
            view.reason.map(|reason| reason.to_string()).unwrap_or_default(),
            view.kind.to_string(),
            view.account.to_string(),
            view.card.to_string(),
            card.map(|card| card.last_four.to_string()).unwrap_or_default(),
            view.amount.map(|amount| amount.to_string()).unwrap_or_default(),
            asset.code().to_string(),
            units(view.held),
            units(view.paid),
            view.stan.to_string(),
            view.rrn.map(|rrn| rrn.to_string()).unwrap_or_default(),
            view.mcc.map(|mcc| format!("{:04}", mcc.0)).unwrap_or_default(),
        ])
    }

    fn print(&mut self, columns: &[String]) -> io::Result<()> {
        match self.format {
            Format::Csv => {
                let line: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
                writeln!(self.out, "{}", line.join(","))
            }
            Format::JsonLines => {
                let names: &[&str] = match self.what {
                    What::Postings => &POSTING,
                    What::Transactions => &TRANSACTION,
                };
                let filled = names.iter().zip(columns).filter(|(_, column)| !column.is_empty());
                let object: Map<String, Value> = filled
                    .map(|(name, column)| ((*name).to_owned(), Value::String(column.clone())))
                    .collect();
                serde_json::to_writer(&mut self.out, &object).map_err(io::Error::from)?;
                writeln!(self.out)
            }
        }
    }
}

/// A word as the API says it.
fn in_snake_case(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A column of CSV: in quotes where it holds a comma, a quote or a line's end.
fn quoted(column: &str) -> String {
    if column.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", column.replace('"', "\"\""));
    }
    column.to_owned()
}
