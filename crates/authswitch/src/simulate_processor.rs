//! `authswitch simulate processor`: card traffic against any switch, with a report at the end.

mod knee;
mod own_cost;

use crate::cards_file;
use crate::exit::{Exit, Outcome};
use crate::{link_tls, output, runtime, scenery, traffic, wire};
use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use simulators::processor::{
    self, Arrivals, Latencies, LinkTarget, Opening, Pace, Path as LatencyPath, ProcessorConfig,
    SimulatedCard, Skew,
};
use simulators::report::{DemoReport, Style};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The arguments of `simulate processor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Traffic is open loop: messages are due at fixed times whatever the answers do, and latency counts from the due
time, so a stall of the switch shows in full. The same seed and cards send the same messages.

Examples:
  authswitch simulate processor --rate 2000 --duration 60s --report run.html
  authswitch simulate processor --link 127.0.0.1:8583,ascii-1987 --link 127.0.0.1:8585,binary-1987,ascii-4
  authswitch simulate processor --cards cards.jsonl --window 64 --histograms histograms/
  authswitch simulate processor --link listen:0.0.0.0:9583 --tls-certificate us.pem --tls-key us.key
  authswitch simulate processor --cards cards.jsonl --ramp 5ms --rate 20000 --duration 10s --zipf 1.0
  authswitch simulate processor --against-echo --rate 20000

Exit code 1 if a promise was broken, or a message was answered late or not at all.")]
pub(crate) struct Arguments {
    /// Where to connect, what is spoken there, and how frames are cut; can be given several times. With "listen:" before it
    /// the switch connects here.
    #[arg(
        long,
        value_name = "[listen:]HOST:PORT[,DIALECT[,FRAME]]",
        default_value = "127.0.0.1:8583,ascii-1987,binary-2"
    )]
    link: Vec<String>,
    #[command(flatten)]
    tls: link_tls::TlsArguments,
    /// Connections opened for each link.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// Messages a second, all links together.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// How the gaps between messages are spread.
    #[arg(long, value_enum, default_value_t = Gaps::Poisson)]
    arrivals: Gaps,
    /// Closed loop instead of a rate: so many messages in flight on each connection.
    #[arg(long, value_name = "MESSAGES", conflicts_with_all = ["rate", "arrivals"])]
    window: Option<usize>,
    /// Finds the highest rate whose 99th percentile is within this, such as "5ms": rates from --rate on, for --duration
    /// each, with all answers counted. The mix should not be one that waits for somebody else.
    #[arg(long, value_name = "P99", value_parser = traffic::duration, conflicts_with = "window")]
    ramp: Option<Duration>,
    /// Some cards are used far more than others: the card of rank k with a weight of 1/k^EXPONENT.
    #[arg(long, value_name = "EXPONENT")]
    zipf: Option<f64>,
    /// So many messages in a hundred go to the cards of the first few accounts, for example "1,100". The switch declines
    /// a card that has more open holds than its decision.open_holds_per_card_max: raise that for a long run.
    #[arg(long, value_name = "ACCOUNTS,PERCENT", value_parser = hot, conflicts_with = "zipf")]
    hot_accounts: Option<Skew>,
    /// Sends to an echo server in this process instead of the links, and says what the generator itself costs.
    #[arg(long, conflicts_with = "ramp")]
    against_echo: bool,
    /// How long messages are sent, for example "30s".
    #[arg(long, default_value = "30s", value_parser = traffic::duration)]
    duration: Duration,
    /// An answer that takes longer is late.
    #[arg(long, default_value = "2500ms", value_parser = traffic::duration)]
    answer_within: Duration,
    /// The messages follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Cards to pay with: a file for `authswitch import`. Default: those of `simulate population`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["population_seed", "sizes"])]
    cards: Option<PathBuf>,
    /// The seed that was given to `simulate population`.
    #[arg(long, default_value_t = 1)]
    population_seed: u64,
    /// The sizes that were given to `simulate population`.
    #[arg(long, value_name = "FILE")]
    sizes: Option<PathBuf>,
    /// How often each kind of message is sent, TOML. Default: config/demo/traffic.toml, built in.
    #[arg(long, value_name = "FILE")]
    mix: Option<PathBuf>,
    /// Also write the report as one HTML file with charts.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the latencies of each path into this folder: a value in nanoseconds and its count on each line.
    #[arg(long, value_name = "DIR")]
    histograms: Option<PathBuf>,
}

/// How long a connection and its sign-on may take; a switch that connects by itself pauses between its attempts.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ACCEPT_WITHIN: Duration = Duration::from_secs(60);

/// How gaps are spread, as named on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Gaps {
    /// Equal gaps.
    Even,
    /// Exponential gaps, as independent cardholders make them.
    Poisson,
}

/// Sends the traffic and reports on it.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let config = config(arguments)?;
    match arguments.ramp {
        Some(bound) => knee::find(config, bound, arguments.histograms.as_deref()),
        None if arguments.against_echo => own_cost::measure(config, arguments),
        None => report(&send(config)?, arguments),
    }
}

fn send(config: ProcessorConfig) -> Result<processor::Outcome, (Exit, anyhow::Error)> {
    runtime::block_on(async {
        traffic::run(config).await.map_err(|error| (Exit::Failed, anyhow::Error::new(error)))
    })
}

/// Prints and writes what a run has shown.
fn report(outcome: &processor::Outcome, arguments: &Arguments) -> Outcome {
    let failed = |error| (Exit::Failed, error);
    let mut report = DemoReport::of("processor simulator", outcome);
    report.conditions = conditions(arguments);
    output::print(&report.to_text(Style::of_stdout()))?;
    if let Some(path) = &arguments.report {
        let path = output::write_html(path, &report).map_err(failed)?;
        output::print(&format!("The same with charts: {}", path.display()))?;
    }
    if let Some(folder) = &arguments.histograms {
        write_histograms(folder, &outcome.latencies).map_err(failed)?;
    }
    let counts = &outcome.counts;
    let broken = counts.violations + counts.late + counts.unanswered;
    match broken {
        0 => Ok(()),
        _ => Err(failed(anyhow!(
            "{} broken promises, {} late answers, {} messages without an answer",
            counts.violations,
            counts.late,
            counts.unanswered
        ))),
    }
}

fn config(arguments: &Arguments) -> Result<ProcessorConfig, (Exit, anyhow::Error)> {
    let mut links = Vec::new();
    let mut connect_within = CONNECT_WITHIN;
    for link in &arguments.link {
        let target = link_target(link, &arguments.tls)?;
        if matches!(target.opening, Opening::Accept(_)) {
            connect_within = ACCEPT_WITHIN;
        }
        links.extend((0..arguments.connections).map(|_| target.clone()));
    }
    let pace = match (arguments.window, arguments.arrivals) {
        (Some(window_per_link), _) => Pace::Closed { window_per_link },
        (None, gaps) => Pace::Open {
            rate_per_second: arguments.rate,
            arrivals: match gaps {
                Gaps::Even => Arrivals::Even,
                Gaps::Poisson => Arrivals::Poisson,
            },
        },
    };
    Ok(ProcessorConfig {
        mix: scenery::mix(arguments.mix.as_deref())?,
        pace,
        duration: arguments.duration,
        seed: arguments.seed,
        skew: skew(arguments),
        answer_within: arguments.answer_within,
        connect_within,
        ..ProcessorConfig::new(links, cards(arguments)?)
    })
}

fn cards(arguments: &Arguments) -> Result<Vec<SimulatedCard>, (Exit, anyhow::Error)> {
    let configuration = |error| (Exit::Configuration, error);
    match &arguments.cards {
        Some(file) => cards_file::read(file).map_err(configuration),
        None => {
            let sizes = scenery::population_sizes(arguments.sizes.as_deref())?;
            let population = processor::population(arguments.population_seed, sizes);
            Ok(population.map_err(|error| configuration(error.into()))?.cards)
        }
    }
}

fn skew(arguments: &Arguments) -> Skew {
    match (arguments.zipf, arguments.hot_accounts) {
        (Some(exponent), _) => Skew::Zipf { exponent },
        (None, Some(hot)) => hot,
        (None, None) => Skew::Even,
    }
}

/// `ACCOUNTS,PERCENT`
fn hot(text: &str) -> Result<Skew, String> {
    let numbers = text.split_once(',').and_then(|(accounts, percent)| {
        Some(Skew::Hot { accounts: accounts.parse().ok()?, percent: percent.parse().ok()? })
    });
    numbers.ok_or_else(|| format!("{text:?} is not two numbers such as \"1,100\": accounts and percent"))
}

/// `[listen:]HOST:PORT[,DIALECT[,FRAME]]`
fn link_target(text: &str, tls: &link_tls::TlsArguments) -> Result<LinkTarget, (Exit, anyhow::Error)> {
    let mut parts = text.split(',');
    let first = parts.next().unwrap_or_default();
    let (address, listens) = match first.strip_prefix("listen:") {
        Some(address) => (address, true),
        None => (first, false),
    };
    let dialect = wire::dialect(parts.next().unwrap_or("ascii-1987"))?;
    let frame = wire::frame(parts.next().unwrap_or("binary-2"))
        .map_err(|error| (Exit::Configuration, anyhow!("--link {text:?}: {error}")))?;
    if let Some(more) = parts.next() {
        let error =
            anyhow!("--link {text:?}: {more:?} follows the frame, HOST:PORT[,DIALECT[,FRAME]] is allowed");
        return Err((Exit::Configuration, error));
    }
    let opening = if listens {
        let listener = TcpListener::bind(address).with_context(|| format!("--link {text:?}"));
        Opening::Accept(Arc::new(listener.map_err(|error| (Exit::Failed, error))?))
    } else {
        Opening::Connect
    };
    let tls = if listens { tls.server() } else { tls.client(address) };
    let tls = tls.map_err(|error| (Exit::Configuration, error))?;
    Ok(LinkTarget { opening, tls, ..LinkTarget::new(address, dialect, frame) })
}

fn conditions(arguments: &Arguments) -> Vec<(String, String)> {
    let offered = match arguments.window {
        Some(window) => format!("closed loop, {window} messages in flight on each connection"),
        None => {
            format!("{} messages/s, open loop, {:?} gaps", arguments.rate, arguments.arrivals).to_lowercase()
        }
    };
    [
        ("offered", format!("{offered}, for {:?}", arguments.duration)),
        ("links", links(arguments)),
        ("connections", arguments.connections.to_string()),
        ("cards drawn", drawn(skew(arguments))),
        ("seed", arguments.seed.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn links(arguments: &Arguments) -> String {
    let links = arguments.link.join(" and ");
    if arguments.against_echo { format!("an echo server in this process instead of {links}") } else { links }
}

fn drawn(skew: Skew) -> String {
    match skew {
        Skew::Even => "all alike".to_owned(),
        Skew::Zipf { exponent } => format!("the card of rank k with a weight of 1/k^{exponent} (zipf)"),
        Skew::Hot { accounts, percent } => {
            format!("{percent} of 100 from the first {accounts} accounts, the others all alike")
        }
    }
}

fn write_histograms(folder: &Path, latencies: &Latencies) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for path in LatencyPath::ALL {
        let file = folder.join(format!("{}.latency", path.as_str()));
        std::fs::write(&file, latencies.of(path).to_text())
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}
