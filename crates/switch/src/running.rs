//! A switch from start to stop: the parts built in reading order, and taken down in reverse.

use crate::admin::{self, Watched};
use crate::admin_server;
use crate::clock::SystemClock;
use crate::config::{Config, Endpoint, LinkSettings, RateSources};
use crate::control_desk::{ControlDesk, Tickets};
use crate::funding_sink::LaneSink;
use crate::hub::Hub;
use crate::link::Link;
use crate::metrics::Metrics;
use crate::processor_link::{self, Shared};
use crate::rate_sources;
use crate::rate_watch;
use crate::recorder::JournalRecorder;
use crate::recovery::{self, Plan, RecoveryError, RecoveryReport, Unbalanced};
use crate::release::Dispatcher;
use crate::sealing;
use crate::slices::SnapshotFault;
use crate::snapshots::{Folder, Keeper};
use crate::token_key::{self, TokenKeyError};
use cache::{Cache, Clock, LaneObserver, Recovering, Release};
use funding::{Funding, FundingStartError};
use journal::storage::Storage;
use journal::{FileStorage, JournalError, JournalHandle, JournalObserver, Tail};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long requests in flight may take to finish when the switch stops.
const FINISH_WITHIN: Duration = Duration::from_secs(10);
/// How long duties and asks may take to finish when the switch stops; what is left is owed at the next start.
const FUNDING_STOPS_WITHIN: Duration = Duration::from_secs(3);
/// How long lanes may take to finish what is queued.
const LANES_STOP_WITHIN: Duration = Duration::from_secs(5);
/// How often metrics are sorted and the journal's health is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(200);

/// Threads that a start reads with; more than disks and memory can serve help nobody.
const THREADS_MAX: usize = 16;

/// A switch that runs.
pub struct Switch {
    hub: Arc<Hub>,
    journal: Arc<JournalHandle<Vec<Release>>>,
    funding: Funding,
    cache: Arc<Cache>,
    links: Vec<Arc<Link>>,
    addresses: Vec<SocketAddr>,
    keeper: Arc<Keeper>,
    recovered: Arc<RecoveryReport>,
    admin: SocketAddr,
    stopping: CancellationToken,
    not_ready: Arc<AtomicBool>,
    connections: TaskTracker,
    services: TaskTracker,
    services_stop: CancellationToken,
}

/// Why a switch could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The journal refuses to be opened.
    #[error("the journal: {0}")]
    Journal(#[source] JournalError),
    /// Everything was read and the books do not balance.
    #[error("snapshot and journal were read, but their books do not balance: {0}")]
    Unbalanced(#[source] Unbalanced),
    /// The snapshots cannot be read, or are another node's.
    #[error("the snapshots: {0}")]
    Snapshots(#[source] SnapshotFault),
    /// The key of card tokens is not the one that the cards were issued with.
    #[error(transparent)]
    TokenKey(#[from] TokenKeyError),
    /// A port could not be bound.
    #[error("{what} cannot listen on {address}: {source}")]
    Bind {
        /// For whom.
        what: String,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The client of the balance service could not start.
    #[error("the balance service's client: {0}")]
    Funding(#[from] FundingStartError),
    /// The metrics registry could not be made.
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// A thread could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(#[source] std::io::Error),
}

impl From<RecoveryError> for StartError {
    fn from(error: RecoveryError) -> Self {
        match error {
            RecoveryError::Journal(error) => Self::Journal(error),
            RecoveryError::Snapshots(error) => Self::Snapshots(error),
            RecoveryError::Unbalanced(error) => Self::Unbalanced(error),
        }
    }
}

/// Why a running switch stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum StopReason {
    /// The journal failed: nothing may be acknowledged any more.
    #[error("the journal failed, and nothing was acknowledged after it: {0}")]
    JournalFailed(Arc<JournalError>),
}

impl Switch {
    /// Starts everything that `config` names. Must be called within a Tokio runtime.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_on(config, open_storage).await
    }

    /// The same with the journal on any storage, so that tests can fill a disk and let it fail.
    pub async fn start_on(
        mut config: Config,
        open_storage: impl FnOnce(&Config) -> Result<Arc<dyn Storage>, StartError>,
    ) -> Result<Self, StartError> {
        let clock = SystemClock::start();
        // Ports first: a switch that cannot listen should not have touched its journal.
        let mut listeners = Vec::new();
        for link in &config.links {
            listeners.push(match link.endpoint {
                Endpoint::Listen(address) => Some(bind(&format!("link {:?}", link.name), address).await?),
                Endpoint::Connect { .. } => None,
            });
        }
        let admin_listener = bind("the admin port", config.admin.listen).await?;

        let storage = open_storage(&config)?;
        let (mut state, recovered, journal) = recover(&config, &storage, clock).await?;
        let recovered = Arc::new(recovered);
        report(&recovered);
        let tokens = config.keys.tokens.clone();
        let key_is_known = token_key::compare(&state, &tokens)?;

        let metrics = Arc::new(Metrics::new()?);
        let hub =
            Arc::new(Hub::new(clock, tokens.clone(), Arc::clone(&metrics), state.index(), Handle::current()));
        let tickets = Arc::new(Tickets::default());
        let sink = Arc::new(LaneSink { hub: Arc::clone(&hub) });
        let funding = Funding::start(config.funding.clone(), sink, &Handle::current())?;
        let dispatcher =
            Dispatcher { hub: Arc::clone(&hub), tickets: Arc::clone(&tickets), funding: funding.clone() };
        let journal = start_journal(journal, dispatcher.clone(), Arc::clone(&metrics))?;
        if !key_is_known {
            token_key::record(&mut state, &tokens, &journal, clock.now().utc)?;
        }
        if let Err(error) = funding.warm_up().await {
            tracing::warn!(%error, "the balance service cannot be reached yet; asks will be declined until it can");
        }
        let folder = Folder::new(storage, config.journal.node, config.policy.clone());
        let keeper = Keeper::start(
            folder,
            Arc::clone(&journal),
            Arc::new(clock),
            Arc::clone(&metrics),
            config.snapshots(),
            recovered.journal.payload_bytes,
        );
        let keeper = Arc::new(keeper.map_err(StartError::Thread)?);
        let cache = start_cache(state, &config, &hub, &journal, &dispatcher, metrics)?;
        hub.set_cache(Arc::clone(&cache));

        let mut switch = Self {
            hub,
            journal,
            funding,
            cache,
            keeper,
            recovered,
            links: Vec::new(),
            addresses: Vec::new(),
            admin: admin_listener.local_addr().unwrap_or(config.admin.listen),
            stopping: CancellationToken::new(),
            not_ready: Arc::new(AtomicBool::new(false)),
            connections: TaskTracker::new(),
            services: TaskTracker::new(),
            services_stop: CancellationToken::new(),
        };
        switch.serve_links(listeners, &config.links);
        switch.serve_admin(admin_listener, &config, tickets);
        switch.keep_watch();
        let pricing = Arc::clone(&config.policy.pricing);
        let watch = rate_watch::watch(Arc::clone(&switch.hub), pricing, switch.services_stop.clone());
        switch.services.spawn(watch);
        if let Some(sources) = config.rate_sources.take().filter(RateSources::any) {
            let follow = rate_sources::follow(Arc::clone(&switch.hub), sources, switch.services_stop.clone());
            switch.services.spawn(follow);
        }
        Ok(switch)
    }

    /// Where links listen, in the order of the configuration; those that connect are left out.
    #[must_use]
    pub fn links(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Reads the certificates and keys of links again, for connections made from now on. Files that cannot be used
    /// are reported and leave the old ones in force.
    pub fn reload(&self) {
        for link in &self.links {
            link.reload();
        }
    }

    /// Where the admin port and the control API listen.
    #[must_use]
    pub const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// What was read at the start, how much, and how long it took.
    #[must_use]
    pub fn recovered(&self) -> &RecoveryReport {
        &self.recovered
    }

    /// Waits until the switch can go on no longer; forever, if all is well.
    pub async fn failed(&self) -> StopReason {
        loop {
            if let Some(error) = self.journal.failure() {
                return StopReason::JournalFailed(error);
            }
            tokio::time::sleep(WATCH_EVERY).await;
        }
    }

    /// Stops in good order: no new requests, those in flight finished within a limit, the journal synced.
    pub async fn stop(self) -> Result<(), StopReason> {
        self.not_ready.store(true, Ordering::Release);
        self.stopping.cancel();
        self.connections.close();
        if tokio::time::timeout(FINISH_WITHIN, self.connections.wait()).await.is_err() {
            tracing::warn!(within = ?FINISH_WITHIN, "some requests in flight did not finish in time");
        }
        self.funding.shutdown(FUNDING_STOPS_WITHIN).await;
        self.services_stop.cancel();
        self.services.close();
        if tokio::time::timeout(FINISH_WITHIN, self.services.wait()).await.is_err() {
            tracing::warn!(within = ?FINISH_WITHIN, "the admin port did not close in time");
        }
        let (cache, journal) = (Arc::clone(&self.cache), Arc::clone(&self.journal));
        let mut lanes = tokio::task::spawn_blocking(move || cache.shutdown());
        if tokio::time::timeout(LANES_STOP_WITHIN, &mut lanes).await.is_err() {
            // They wait for a journal that waits for space; its own shutdown ends that wait.
            tracing::warn!(within = ?LANES_STOP_WITHIN, "the lanes still wait for the journal; closing it");
        }
        let keeper = Arc::clone(&self.keeper);
        let shut_down = move || {
            let outcome = journal.shutdown();
            // Only now is everything durable that the last snapshot is to hold.
            keeper.stop();
            outcome
        };
        match tokio::task::spawn_blocking(shut_down).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(StopReason::JournalFailed(error)),
            Err(error) => {
                tracing::error!(%error, "the journal's shutdown was cut short");
                Ok(())
            }
        }
    }

    fn serve_links(&mut self, listeners: Vec<Option<TcpListener>>, settings: &[LinkSettings]) {
        for (listener, settings) in listeners.into_iter().zip(settings) {
            let metrics = self.hub.metrics.link(&settings.name);
            let link = Arc::new(Link::new(settings.clone(), metrics));
            let (name, dialect, tls) = (&settings.name, settings.dialect.name(), settings.tls.is_some());
            match (&settings.endpoint, &listener) {
                (Endpoint::Connect { address, .. }, _) => {
                    tracing::info!(link = %name, address, dialect, tls, "connecting");
                }
                (Endpoint::Listen(address), listener) => {
                    let bound = listener.as_ref().and_then(|listener| listener.local_addr().ok());
                    let address = bound.unwrap_or(*address);
                    tracing::info!(link = %name, %address, dialect, tls, "listening");
                    self.addresses.push(address);
                }
            }
            let (hub, stopping) = (Arc::clone(&self.hub), self.stopping.clone());
            let shared = Shared { hub, link: Arc::clone(&link), stopping };
            processor_link::serve(shared, listener, &self.connections);
            self.links.push(link);
        }
    }

    fn serve_admin(&self, listener: TcpListener, config: &Config, tickets: Arc<Tickets>) {
        let watched = Arc::new(Watched {
            hub: Arc::clone(&self.hub),
            journal: Arc::clone(&self.journal),
            funding: self.funding.clone(),
            links: self.links.clone(),
            keeper: Arc::clone(&self.keeper),
            recovered: Arc::clone(&self.recovered),
            cache_config: config.cache,
            stand_in: Arc::clone(&config.policy.stand_in),
            pricing: Arc::clone(&config.policy.pricing),
            stopping: Arc::clone(&self.not_ready),
        });
        let desk = Arc::new(ControlDesk {
            hub: Arc::clone(&self.hub),
            tickets,
            answer_within: config.admin.answer_within,
            stand_in: Arc::clone(&config.policy.stand_in),
            keeper: Arc::clone(&self.keeper),
            recovered: Arc::clone(&self.recovered),
            journal: Arc::clone(&self.journal),
            funding: self.funding.clone(),
        });
        let bounds = control::ControlBounds {
            body_bytes_max: config.admin.body_bytes_max,
            requests_in_flight_max: config.admin.requests_in_flight_max,
            ..control::ControlBounds::default()
        };
        let api = control::router(desk, config.keys.control.clone(), bounds);
        let health = admin_server::Served {
            router: admin::router(Arc::clone(&watched)).fallback(admin::no_place),
            connections_max: config.admin.health_connections_max,
        };
        let all = admin_server::Served {
            router: admin::router(watched).merge(api),
            connections_max: config.admin.connections_max,
        };
        tracing::info!(address = %self.admin, "admin port and control API listening");
        self.services.spawn(admin_server::serve(
            listener,
            all,
            health,
            self.services_stop.clone(),
            self.services.clone(),
        ));
    }

    /// Keeps the metrics in order; without it their samples would pile up.
    fn keep_watch(&self) {
        let (hub, stop) = (Arc::clone(&self.hub), self.services_stop.clone());
        self.services.spawn(async move {
            let mut interval = tokio::time::interval(WATCH_EVERY);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = interval.tick() => hub.metrics.upkeep(),
                }
            }
        });
    }
}

/// Reads everything back, on a thread of its own: a signal to stop is heard meanwhile.
async fn recover(
    config: &Config,
    storage: &Arc<dyn Storage>,
    clock: SystemClock,
) -> Result<(Recovering, RecoveryReport, journal::Journal), StartError> {
    let (settings, plan, storage) = (config.journal.clone(), plan(config), Arc::clone(storage));
    let recovering = tokio::task::spawn_blocking(move || {
        sealing::say_what_is_needed(&*storage, &settings.keys);
        recovery::recover(settings, &storage, plan, &clock)
    });
    let ended = |error: tokio::task::JoinError| StartError::Thread(std::io::Error::other(error));
    Ok(recovering.await.map_err(ended)??)
}

async fn bind(what: &str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Bind {
        what: what.to_owned(),
        address,
        source,
    })
}

fn start_journal(
    journal: journal::Journal,
    dispatcher: Dispatcher,
    metrics: Arc<Metrics>,
) -> Result<Arc<JournalHandle<Vec<Release>>>, StartError> {
    let observer: Arc<dyn JournalObserver> = metrics;
    let on_release = move |releases: &mut Vec<Vec<Release>>| dispatcher.let_go(releases.drain(..).flatten());
    journal.start(on_release, observer).map(Arc::new).map_err(StartError::Journal)
}

fn start_cache(
    state: Recovering,
    config: &Config,
    hub: &Arc<Hub>,
    journal: &Arc<JournalHandle<Vec<Release>>>,
    dispatcher: &Dispatcher,
    metrics: Arc<Metrics>,
) -> Result<Arc<Cache>, StartError> {
    let clock: Arc<dyn Clock> = Arc::new(hub.clock);
    let rule_hits = metrics.rule_hits(&config.policy.rules);
    let stand_in_hits = metrics.stand_in_hits();
    let observer: Arc<dyn LaneObserver> = metrics;
    let recorder = |_lane| {
        let (rule_hits, stand_in_hits) = (rule_hits.clone(), stand_in_hits.clone());
        JournalRecorder::new(Arc::clone(journal), dispatcher.clone(), rule_hits, stand_in_hits)
    };
    let cache = Cache::start(state, config.cache, &clock, &observer, recorder);
    cache.map(Arc::new).map_err(StartError::Thread)
}

fn open_storage(config: &Config) -> Result<Arc<dyn Storage>, StartError> {
    let directory = &config.journal.directory;
    match FileStorage::create_or_open(directory) {
        Ok(storage) => Ok(Arc::new(storage.with_keys(config.journal.keys.clone()))),
        Err(source) => Err(StartError::Journal(JournalError::Io {
            doing: "open the journal directory",
            path: directory.display().to_string(),
            source,
        })),
    }
}

fn plan(config: &Config) -> Plan {
    Plan {
        node: config.journal.node,
        policy: config.policy.clone(),
        room: (config.file.cache.cards_expected, config.file.cache.accounts_expected),
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(THREADS_MAX),
    }
}

/// Says what was read back.
fn report(recovered: &RecoveryReport) {
    match &recovered.journal.tail {
        Tail::Whole => {}
        tail @ (Tail::Torn(_) | Tail::Short { .. }) => {
            tracing::warn!(%tail, "the journal did not end in order");
        }
    }
    tracing::info!(
        records = recovered.facts,
        last_sequence = recovered.journal.last_sequence,
        clean_shutdown = recovered.journal.clean_shutdown,
        took_ms = u64::try_from(recovered.took.as_millis()).unwrap_or(u64::MAX),
        "journal replayed: {recovered}"
    );
}
