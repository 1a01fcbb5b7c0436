//! `authswitch duties list` and `authswitch duties retry`: what the balance service is owed, through the control API.

use crate::api_client::{Api, Call, Connection};
use crate::exit::{Exit, Outcome};
use crate::{output, runtime};
use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use http::StatusCode;
use serde_json::Value;
use std::path::PathBuf;

/// What to do with duties.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List what the balance service has not acknowledged, oldest first within a shard.
    List(ListArguments),
    /// Send duties now, whatever pause they have reached.
    Retry(RetryArguments),
}

/// Where the API is.
#[derive(Debug, Args)]
struct ApiArguments {
    /// Where the control API listens.
    #[arg(long, default_value = "http://127.0.0.1:9583")]
    url: String,
    /// The file that holds the bearer key of the control API.
    #[arg(long, default_value = "config/keys/control.key", value_name = "FILE")]
    key_file: PathBuf,
}

/// The arguments of `duties list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    api: ApiArguments,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    count: usize,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
}

/// The arguments of `duties retry`.
#[derive(Debug, Args)]
pub(crate) struct RetryArguments {
    #[command(flatten)]
    api: ApiArguments,
    /// Ids as `duties list` shows them.
    #[arg(required_unless_present = "all")]
    ids: Vec<String>,
    /// Everything that is owed.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
}

/// Duties in one page of the API.
const PAGE: usize = 100;

/// Runs the command.
pub(crate) fn run(command: &Command) -> Outcome {
    let arguments = match command {
        Command::List(arguments) => &arguments.api,
        Command::Retry(arguments) => &arguments.api,
    };
    let configuration = |error| (Exit::Configuration, error);
    let key = std::fs::read_to_string(&arguments.key_file)
        .with_context(|| format!("the key file {} cannot be read", arguments.key_file.display()))
        .map_err(configuration)?;
    let api = Api::new(&arguments.url, &key).map_err(configuration)?;
    runtime::block_on(async {
        let mut connection = api.connection();
        match command {
            Command::List(arguments) => list(&mut connection, arguments).await,
            Command::Retry(arguments) => retry(&mut connection, arguments).await,
        }
    })
}

fn failed(error: anyhow::Error) -> (Exit, anyhow::Error) {
    (Exit::Failed, error)
}

async fn list(connection: &mut Connection, arguments: &ListArguments) -> Outcome {
    let (duties, pending) = owed(connection, arguments.count).await.map_err(failed)?;
    if arguments.json {
        for duty in &duties {
            output::print(&duty.to_string())?;
        }
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "ID",
        "OWED SINCE",
        "KIND",
        "ACCOUNT",
        "AMOUNT",
        "FAILURES",
        "LAST FAILURE",
        "STANDING",
    ]);
    let text = |duty: &Value, field: &str| match &duty[field] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    };
    for duty in &duties {
        let amount = format!("{} {}", text(duty, "amount"), text(duty, "asset"));
        let standing = match duty["next_attempt_in_ms"].as_u64() {
            Some(pause) => format!("waiting, {} s", pause / 1_000),
            None => text(duty, "standing"),
        };
        let rest = [text(duty, "failures"), text(duty, "last_failure"), standing];
        let first = ["id", "owed_since", "kind", "account"].map(|field| text(duty, field));
        table.add_row(first.into_iter().chain([amount]).chain(rest));
    }
    output::print(&table.to_string())?;
    output::print(&format!("{} of {pending} duties", duties.len()))
}

async fn retry(connection: &mut Connection, arguments: &RetryArguments) -> Outcome {
    let ids = if arguments.all {
        let (duties, _) = owed(connection, usize::MAX).await.map_err(failed)?;
        duties.iter().filter_map(|duty| duty["id"].as_str().map(str::to_owned)).collect()
    } else {
        arguments.ids.clone()
    };
    let mut missing = 0_usize;
    for id in &ids {
        let path = format!("/v1/duties/{id}/retry");
        let call = Call { method: http::Method::POST, ..Call::show(&path) };
        let answer = connection.send(&call).await.map_err(failed)?;
        match answer.status {
            StatusCode::OK => {
                let answer = answer.json().map_err(failed)?;
                output::print(&format!("{id}: {}", answer["standing"].as_str().unwrap_or_default()))?;
            }
            StatusCode::NOT_FOUND => {
                missing = missing.saturating_add(1);
                output::print(&format!("{id}: not owed"))?;
            }
            status => return Err(failed(anyhow!("{id}: {status}: {}", answer.problem()))),
        }
    }
    if missing > 0 && !arguments.all {
        return Err(failed(anyhow!("{missing} of {} duties are not owed", ids.len())));
    }
    Ok(())
}

/// Up to `count` duties, page by page, and how many are owed in all.
async fn owed(connection: &mut Connection, count: usize) -> anyhow::Result<(Vec<Value>, u64)> {
    let (mut duties, mut after) = (Vec::new(), String::new());
    loop {
        let limit = PAGE.min(count.saturating_sub(duties.len())).max(1);
        let page = connection.read(&format!("/v1/duties?limit={limit}{after}")).await?;
        let pending = page["pending"].as_u64().unwrap_or_default();
        duties.extend(page["duties"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(next) if duties.len() < count => after = format!("&after={next}"),
            Some(_) | None => return Ok((duties, pending)),
        }
    }
}
