//! `authswitch demo`: the whole thing on one machine, from nothing to a report.
//!
//! A balance service that sometimes fails, the switch as a process of its own, thousands of cards imported through
//! the control API, and a card processor that sends mixed traffic over three links in three dialects. For a few
//! seconds the balance service hangs and the switch stands in for it; half-way the switch is killed with SIGKILL and
//! started again. At the end everybody's books are laid beside one another: if they differ by a cent, an approval was
//! forgotten, or a promise was broken, the demo fails.

mod books;
mod brown_out;
mod daemon;
mod outage;
mod settle;
mod stage;
mod switch_books;

use crate::api_client::Api;
use crate::exit::{Exit, Outcome, told};
use crate::{import, output, runtime, scenery, traffic};
use anyhow::{Context, anyhow, bail};
use brown_out::{BrownOut, Planned};
use clap::Args;
use daemon::Daemon;
use indicatif::ProgressBar;
use outage::{Outage, lost_approvals};
use simulators::balance_service::{AnswerSigning, BalanceService, Books, Opening, Options, Profile};
use simulators::processor::{self, Arrivals, Pace, Population, ProcessorConfig, WhenUnanswered};
use simulators::report::{DemoReport, Style};
use stage::{DIALECTS, Stage};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use switch_books::SwitchBooks;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Requests of the import under way at once.
const IMPORT_CONCURRENCY: u16 = 32;

/// How long the switch may take, after the traffic, to tell the balance service what it owes it.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

/// The most that the balance service hangs for, unless the breaker takes longer.
const BROWN_OUT_MAX: Duration = Duration::from_secs(4);

/// How long the processor waits for an answer under kills: the machine is at its limit then, and lateness not the point.
const PATIENCE_UNDER_KILLS: Duration = Duration::from_secs(30);

/// How long answers are awaited after the last message: a switch that was killed late must be back by then.
const DRAIN_WITHIN: Duration = Duration::from_secs(30);

/// The arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Everything runs on 127.0.0.1, on free ports, in a temporary folder, and with keys made for this run. Interrupting
it (Ctrl-C) ends the traffic early; the report is made all the same.

For a few seconds the balance service answers nothing: the breaker opens, and the switch approves from the last balances
that it was told. Half-way through the traffic the switch is killed with SIGKILL and started again on its journal; what had no answer
is repeated.

Exit code 1 if any book differs, an approval was forgotten, or a message was answered late, wrongly, or not at all.")]
pub(crate) struct Arguments {
    /// How long traffic is sent, for example "30s" or "2m".
    #[arg(long, default_value = "30s", value_parser = traffic::duration)]
    duration: Duration,
    /// Messages a second, both links together.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Cards, traffic and the balance service's faults follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many accounts and cards, TOML. Default: config/demo/population.toml, built in.
    #[arg(long, value_name = "FILE")]
    sizes: Option<PathBuf>,
    /// How long the processor waits for an answer; more for machines that are busy with other things.
    #[arg(long, hide = true, default_value = "2500ms", value_parser = traffic::duration)]
    patience: Duration,
    /// Size of the journal's segments.
    #[arg(long, hide = true, default_value_t = 64 * 1024 * 1024)]
    segment_bytes: u64,
    /// Keep configuration, keys, journal and log in this folder.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Where the HTML report goes. Default: a file in the folder for temporary files.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Runs the demo.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let kill_after = [arguments.duration / 2];
    let played = runtime::block_on(async {
        play(arguments, &kill_after, BrownOuts::One).await.map_err(|error| (Exit::Failed, error))
    });
    let Played { report, broken, .. } = played?;
    output::print(&report.to_text(Style::of_stdout()))?;
    let path = arguments
        .report
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("authswitch-demo-{}.html", std::process::id())));
    let written = output::write_html(&path, &report).map_err(|error| (Exit::Failed, error))?;
    output::print(&format!("The same with charts: {}", written.display()))?;
    match broken.as_slice() {
        [] => Ok(()),
        broken => Err((Exit::Failed, anyhow!("the demo failed: {}", broken.join("; ")))),
    }
}

/// The demo's traffic in a folder of the caller's, with more kills.
pub(crate) struct KillRun<'f> {
    pub(crate) folder: &'f Path,
    pub(crate) duration: Duration,
    pub(crate) rate: u32,
    pub(crate) seed: u64,
    /// How long the switch is left alone before each kill.
    pub(crate) pauses: Vec<Duration>,
}

/// What came of it.
pub(crate) struct UnderKills {
    /// From each kill until the switch was ready again.
    pub(crate) downtimes: Vec<Duration>,
    /// Approvals that the processor has seen.
    pub(crate) approvals: usize,
    /// Those of them that the journal does not hold.
    pub(crate) lost: usize,
    /// What was not as it should be.
    pub(crate) broken: Vec<String>,
}

/// Runs traffic while the switch is killed again and again.
pub(crate) async fn under_kills(run: KillRun<'_>) -> anyhow::Result<UnderKills> {
    let KillRun { folder, duration, rate, seed, pauses } = run;
    let keep = Some(folder.to_owned());
    let patience = PATIENCE_UNDER_KILLS;
    // Small segments: many changes of segment, and a journal that is read quickly when it is damaged.
    let segment_bytes = 8 * 1024 * 1024;
    let arguments =
        Arguments { duration, rate, seed, sizes: None, patience, segment_bytes, keep, report: None };
    let Played { outages, approvals, lost, broken, .. } = play(&arguments, &pauses, BrownOuts::None).await?;
    let downtimes = outages.iter().map(|outage| outage.downtime).collect();
    Ok(UnderKills { downtimes, approvals, lost: lost.unwrap_or(approvals), broken })
}

/// Whether the balance service hangs for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum BrownOuts {
    None,
    One,
}

/// What was played.
struct Played {
    report: DemoReport,
    outages: Vec<Outage>,
    /// Approvals that the processor has seen.
    approvals: usize,
    /// Those that are not in the journal, if it could be read.
    lost: Option<usize>,
    /// What was not as it should be.
    broken: Vec<String>,
}

/// Plays the demo, with a kill after each of `pauses`.
async fn play(arguments: &Arguments, pauses: &[Duration], brown_outs: BrownOuts) -> anyhow::Result<Played> {
    let stage = Stage::set(arguments.keep.as_deref())?;
    let profile = scenery::profile(None).map_err(|(_, error)| error)?;
    let sizes = scenery::population_sizes(arguments.sizes.as_deref()).map_err(|(_, error)| error)?;
    let population = processor::population(arguments.seed, sizes)?;
    let service = start_balance_service(&stage, &population, profile, arguments.seed).await?;
    let api = Api::new(&format!("http://{}", stage.admin), &stage.control_key)?;
    let mut connection = api.connection();
    let config = stage.write_config(&service.url(), arguments.segment_bytes, &population)?;
    let mut switch = unless_interrupted(async {
        let switch = Daemon::start(&stage, &config, &mut connection).await?;
        import_population(&population, &api).await?;
        Ok(switch)
    })
    .await?;

    let config = processor_config(arguments, &stage, &population)?;
    let planned = (brown_outs == BrownOuts::One).then_some(Planned {
        service: &service,
        normal: profile,
        after: arguments.duration / 6,
        lasts: (arguments.duration / 6).min(BROWN_OUT_MAX),
    });
    let (outcome, brown_out, outages) =
        traffic_with_trouble(config, planned, pauses, &mut switch, &api).await?;
    let (settled, books) = unless_interrupted(async {
        let settled = settle::settle(&mut connection, SETTLED_WITHIN).await;
        let accounts: Vec<_> = population.accounts.iter().map(|account| account.id).collect();
        let switch_books = SwitchBooks::read(&accounts, &api).await?;
        let books = books::compare(&population, &outcome.books, &switch_books, &service.books())?;
        Ok((settled, books))
    })
    .await?;
    let log = switch.last_log_lines();
    let stopped = switch.stop().await;
    let journal = verify_journal(&stage);
    let lost = lost_approvals(&stage.journal(), &outcome.approvals);

    let mut report = DemoReport::of("authswitch demo", &outcome);
    report.conditions = conditions(arguments, &population, &profile, journal.as_ref().ok().copied());
    let (approvals, lost_count) = (outcome.approvals.len(), lost.as_ref().ok().copied());
    report.conditions.extend(brown_out.iter().flat_map(BrownOut::in_words));
    report.conditions.extend(outage::in_words(&outages, approvals, lost_count));
    report.books = books;
    let over = brown_out.as_ref().map_or(Ok(()), BrownOut::judge);
    let steps = [settled.map(drop), stopped, journal.map(drop), lost.and_then(none_lost), over];
    let broken = broken_promises(&report, &outcome, outages.len(), steps, &log);
    Ok(Played { report, outages, approvals, lost: lost_count, broken })
}

/// Runs the traffic, lets the balance service hang for a while, and kills the switch after each pause, as long as the
/// traffic lasts.
async fn traffic_with_trouble(
    config: ProcessorConfig,
    planned: Option<Planned<'_>>,
    pauses: &[Duration],
    switch: &mut Daemon,
    api: &Api,
) -> anyhow::Result<(processor::Outcome, Option<BrownOut>, Vec<Outage>)> {
    let begun = Instant::now();
    let sent_by = begun + config.duration;
    let over = Notify::new();
    let traffic = async {
        let outcome = traffic::run(config).await;
        over.notify_one();
        outcome.context("the traffic")
    };
    let trouble = async {
        let mut outages = Vec::new();
        let brown_out = match planned {
            Some(planned) => Some(planned.happen(api).await.context("in the brown-out")?),
            None => None,
        };
        let mut already = begun.elapsed();
        for pause in pauses {
            tokio::select! {
                () = tokio::time::sleep(pause.saturating_sub(std::mem::take(&mut already))) => {}
                () = over.notified() => break,
            }
            // The last answers are awaited in peace.
            if Instant::now() >= sent_by {
                break;
            }
            outages.push(Outage::make(switch, api).await.context("after a kill")?);
        }
        Ok((brown_out, outages))
    };
    // A switch that does not come back ends the traffic too.
    let (outcome, (brown_out, outages)) = tokio::try_join!(traffic, trouble)?;
    Ok((outcome, brown_out, outages))
}

fn none_lost(lost: usize) -> anyhow::Result<()> {
    if lost > 0 {
        bail!("{lost} approvals that the processor has seen are not in the journal");
    }
    Ok(())
}

/// Gives up when somebody wants the program to stop. What was started is stopped by being dropped: the switch is a
/// process of its own and would go on without us.
async fn unless_interrupted<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::select! {
        done = work => done,
        () = runtime::interrupted() => bail!("interrupted"),
    }
}

async fn start_balance_service(
    stage: &Stage,
    population: &Population,
    profile: Profile,
    seed: u64,
) -> anyhow::Result<BalanceService> {
    let opening =
        |(account, asset, units): (_, domain::Asset, _)| Opening { account, asset: asset.code(), units };
    let options = Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        profile,
        books: Books::with(population.balances().map(opening)),
        keys: stage.funding_keys.clone(),
        answers: AnswerSigning::Signed,
        tls: None,
        seed,
    };
    BalanceService::start(options).await.context("the balance service cannot listen")
}

async fn import_population(population: &Population, api: &Api) -> anyhow::Result<()> {
    let lines = population.import_lines().map(Ok);
    let quiet = ProgressBar::hidden();
    let tally = import::send_all("population", lines, api, IMPORT_CONCURRENCY, &quiet).await?;
    eprintln!(
        "imported {} cards on {} accounts through the control API",
        population.cards.len(),
        population.accounts.len()
    );
    if tally.failed > 0 {
        bail!("{} lines of the population were not imported", tally.failed);
    }
    Ok(())
}

fn processor_config(
    arguments: &Arguments,
    stage: &Stage,
    population: &Population,
) -> anyhow::Result<ProcessorConfig> {
    Ok(ProcessorConfig {
        mix: scenery::mix(None).map_err(|(_, error)| error)?,
        pace: Pace::Open { rate_per_second: arguments.rate, arrivals: Arrivals::Poisson },
        duration: arguments.duration,
        seed: arguments.seed,
        // The links' `answer_within` is 200 ms less than the default, for the way back.
        answer_within: arguments.patience,
        drain_within: DRAIN_WITHIN,
        when_unanswered: WhenUnanswered::Repeat,
        keep_approvals: true,
        ..ProcessorConfig::new(stage.link_targets()?, population.cards.clone())
    })
}

/// Reads the whole journal back; returns how many facts it holds.
fn verify_journal(stage: &Stage) -> anyhow::Result<u64> {
    let folder = stage.journal();
    let storage = journal::FileStorage::open_existing(&folder)
        .with_context(|| format!("{} cannot be opened", folder.display()))?;
    Ok(journal::verify(&storage, None).context("the journal does not verify")?.records)
}

fn conditions(
    arguments: &Arguments,
    population: &Population,
    profile: &Profile,
    facts: Option<u64>,
) -> Vec<(String, String)> {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let facts = facts.map_or("not verified".to_owned(), |facts| format!("{facts} facts, verified"));
    [
        ("offered", format!("{} messages/s for {:?}, open loop", arguments.rate, arguments.duration)),
        ("links", DIALECTS.join(", ")),
        ("cards", format!("{} on {} accounts", population.cards.len(), population.accounts.len())),
        ("acknowledged", "after fdatasync".to_owned()),
        ("journal", facts),
        (
            "balance service",
            format!(
                "p50 {:?}, p99 {:?}, {:.1}% errors, hangs, resets and late answers",
                profile.latency_p50,
                profile.latency_p99,
                100.0 * profile.fault_rate()
            ),
        ),
        ("machine", format!("{cores} cores, shared by switch and simulators, loopback")),
        ("seed", arguments.seed.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// What was not as it should be, in a few words each.
fn broken_promises(
    report: &DemoReport,
    outcome: &processor::Outcome,
    kills: usize,
    steps: [anyhow::Result<()>; 5],
    log: &str,
) -> Vec<String> {
    let counts = &outcome.counts;
    // Every link is lost once by a kill, and by nothing else.
    let lost_by_kills = u64::try_from(kills * DIALECTS.len()).unwrap_or(u64::MAX);
    let mut broken = Vec::new();
    if !report.books.agree() {
        broken.push(report.books.differ_by());
    }
    for (count, what) in [
        (counts.violations, "broken promises"),
        (counts.unanswered, "messages without an answer"),
        (counts.late, "answers after the deadline"),
        (counts.lost_links.saturating_sub(lost_by_kills), "lost connections"),
    ] {
        if count > 0 {
            broken.push(format!("{count} {what}"));
        }
    }
    if counts.answered == 0 {
        broken.push("nothing was answered".to_owned());
    }
    broken.extend(steps.into_iter().filter_map(Result::err).map(|error| told(&error)));
    if !broken.is_empty() && !log.is_empty() {
        broken.push(format!("the switch said last:\n{log}"));
    }
    broken
}
