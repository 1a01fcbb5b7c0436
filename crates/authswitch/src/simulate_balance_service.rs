//! `authswitch simulate balance-service`: a balance service with books and faults of its own.

use crate::exit::{Exit, Outcome};
use crate::link_tls::TlsFiles;
use crate::{output, runtime, scenery};
use anyhow::Context;
use clap::Args;
use funding::{Keys, Secret};
use indicatif::HumanCount;
use rustls::ServerConfig;
use simulators::balance_service::{AnswerSigning, BalanceService, Books, Opening, Options};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long what was asked may take to be answered at the end.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// The arguments of `simulate balance-service`.
#[derive(Debug, Args)]
#[command(after_help = "\
Runs until it is interrupted (Ctrl-C, SIGTERM), then prints its books as JSON. While it runs, GET /books shows them
and GET /healthz answers. It keeps them in memory only. It speaks HTTP/1.1 and HTTP/2; over TLS with --tls-certificate
and --tls-key, and with --tls-ca only to a switch whose own certificate that authority has signed.")]
pub(crate) struct Arguments {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8584")]
    listen: SocketAddr,
    /// What it holds: JSON lines {"account": "a", "asset": "USD", "units": "1000"}.
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// How it behaves: the name of a profile of config/balance-service (normal, slow, hung, ...), or a TOML file.
    /// Default: config/demo/balance-service.toml. All are built in.
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// The key that the switch signs with; keys.funding of its configuration.
    #[arg(long, default_value = "config/keys/funding.key", value_name = "FILE")]
    key_file: PathBuf,
    /// Sign the answers with the same key; for keys.funding_answers of the switch's configuration.
    #[arg(long)]
    sign_answers: bool,
    #[command(flatten)]
    tls: TlsFiles,
    /// The faults follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Serves until a signal comes, and prints the books.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let options = options(arguments)?;
    runtime::block_on(serve(options))
}

fn options(arguments: &Arguments) -> Result<Options, (Exit, anyhow::Error)> {
    let configuration = |error| (Exit::Configuration, error);
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))
            .map_err(configuration)
    };
    let secret = Secret::parse(&read(&arguments.key_file)?)
        .with_context(|| format!("key file {}", arguments.key_file.display()))
        .map_err(configuration)?;
    let openings = match &arguments.accounts {
        None => Vec::new(),
        Some(path) => Opening::read_lines(&read(path)?)
            .with_context(|| path.display().to_string())
            .map_err(configuration)?,
    };
    Ok(Options {
        listen: arguments.listen,
        profile: scenery::profile(arguments.profile.as_deref())?,
        books: Books::with(openings),
        keys: Keys::new(secret),
        answers: if arguments.sign_answers { AnswerSigning::Signed } else { AnswerSigning::Unsigned },
        tls: tls(&arguments.tls).map_err(configuration)?,
        seed: arguments.seed,
    })
}

/// Over TLS either protocol can be agreed upon; in clear the first bytes say which it is.
fn tls(files: &TlsFiles) -> anyhow::Result<Option<Arc<ServerConfig>>> {
    Ok(files.server()?.map(|mut config| {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }))
}

async fn serve(options: Options) -> Outcome {
    let listen = options.listen;
    let failed = |error| (Exit::Failed, error);
    let service = BalanceService::start(options)
        .await
        .with_context(|| format!("the balance service cannot listen on {listen}"))
        .map_err(|error| (Exit::Configuration, error))?;
    let accounts = u64::try_from(service.books().accounts.len()).unwrap_or(u64::MAX);
    eprintln!("balance service on {} with {} accounts", service.url(), HumanCount(accounts));
    runtime::interrupted().await;
    let books = service.books();
    service.shutdown(STOPS_WITHIN).await;
    let text = serde_json::to_string_pretty(&books).context("the books").map_err(failed)?;
    output::print(&text)
}
