//! The cache as the daemon sees it: post a command, and its effects come out of the recorder.

use crate::admission::{Admission, Overload};
use crate::exposures::Exposures;
use crate::index::Index;
use crate::lane::{Lane, lane_of};
use crate::queue::{Full, Outbox, Posted, queue};
use crate::recorder::{Clock, LaneObserver, Passage, Recorder};
use crate::recovering::Recovering;
use arc_swap::ArcSwap;
use authorizer::Exposure;
use domain::{Mono, RateTable, ShardId, StandInOrders};
use std::sync::Arc;
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;

/// How the cache is laid out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CacheConfig {
    /// Lane threads, 1 to 256.
    pub lanes: usize,
    /// New requests that may wait for one lane; more are shed.
    pub requests_max: usize,
    /// Follow-ups that may wait for one lane.
    pub follow_ups_max: usize,
    /// Commands decided before their facts are handed over.
    pub batch_commands_max: usize,
    /// Bytes of facts gathered before they are handed over.
    pub batch_bytes_max: usize,
    /// How often holds and asks are looked over for what has run out.
    pub tick_every: Duration,
    /// When requests are shed although there is room for them.
    pub overload: Overload,
}

/// The lanes, the index and the rates.
#[derive(Debug)]
pub struct Cache {
    outboxes: Box<[Outbox]>,
    /// One for each lane.
    admissions: Box<[Arc<Admission>]>,
    index: Arc<Index>,
    rates: Arc<ArcSwap<RateTable>>,
    orders: Arc<ArcSwap<StandInOrders>>,
    exposures: Arc<Exposures>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// How full one lane's queues are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LaneGauges {
    /// New requests waiting.
    pub requests: usize,
    /// Follow-ups waiting.
    pub follow_ups: usize,
}

/// Runs a lane. A panic in it is a bug that may have left half a fact applied: such a state must not decide
/// anything more, and the journal has everything that was acknowledged, so the process ends.
fn run_or_abort<R: Recorder>(lane: Lane<R>) {
    let number = lane.number;
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lane.run())).is_err() {
        tracing::error!(lane = number, "a lane panicked; its state cannot be trusted, so the process ends");
        std::process::abort();
    }
}

impl Cache {
    /// Starts the lanes over what was recovered. `recorder` makes one recorder for each lane.
    pub fn start<R: Recorder>(
        recovered: Recovering,
        config: CacheConfig,
        clock: &Arc<dyn Clock>,
        observer: &Arc<dyn LaneObserver>,
        mut recorder: impl FnMut(usize) -> R,
    ) -> std::io::Result<Self> {
        let lanes = config.lanes.clamp(1, usize::from(domain::ShardId::COUNT));
        let Recovering { shards, index, rates } = recovered;
        let rates = Arc::new(ArcSwap::from_pointee(rates));
        let ordered = shards.first().map(|shard| shard.stand_in_orders().clone()).unwrap_or_default();
        let orders = Arc::new(ArcSwap::from_pointee(ordered));
        let exposures = Arc::new(Exposures::of(&shards));
        let mut shards_of_lane: Vec<Vec<_>> = (0..lanes).map(|_| Vec::new()).collect();
        for shard in shards {
            if let Some(owned) = shards_of_lane.get_mut(usize::from(shard.id().0) % lanes) {
                owned.push(shard);
            }
        }
        let mut outboxes = Vec::with_capacity(lanes);
        let admissions: Box<[_]> = (0..lanes).map(|_| Arc::new(Admission::new(config.overload))).collect();
        let mut threads = Vec::with_capacity(lanes);
        for ((number, shards), admission) in shards_of_lane.into_iter().enumerate().zip(&admissions) {
            let (outbox, inbox) = queue(config.requests_max, config.follow_ups_max);
            let lane = Lane {
                number,
                lanes,
                shards,
                inbox,
                admission: Arc::clone(admission),
                recorder: recorder(number),
                clock: Arc::clone(clock),
                observer: Arc::clone(observer),
                index: Arc::clone(&index),
                rates: Arc::clone(&rates),
                orders: Arc::clone(&orders),
                exposures: Arc::clone(&exposures),
                tick_every: config.tick_every,
                batch_commands_max: config.batch_commands_max.max(1),
                batch_bytes_max: config.batch_bytes_max.max(1),
            };
            outboxes.push(outbox);
            let thread = std::thread::Builder::new().name(format!("lane-{number}"));
            threads.push(thread.spawn(move || run_or_abort(lane))?);
        }
        let threads = Mutex::new(threads);
        Ok(Self { outboxes: outboxes.into(), admissions, index, rates, orders, exposures, threads })
    }

    /// Hands a new request to its lane, or gives it back at once when the queue is full.
    pub fn post_request(&self, posted: Posted) -> Result<(), Full> {
        match self.outboxes.get(lane_of(posted.shard, self.outboxes.len())) {
            Some(outbox) => outbox.post_request(posted),
            None => Err(Full(Box::new(posted))),
        }
    }

    /// Hands a follow-up to its lane, or gives it back when the queue is full; the caller tries again.
    pub fn post_follow_up(&self, posted: Posted) -> Result<(), Full> {
        match self.outboxes.get(lane_of(posted.shard, self.outboxes.len())) {
            Some(outbox) => outbox.post_follow_up(posted),
            None => Err(Full(Box::new(posted))),
        }
    }

    /// Whether a new request would wait too long, whichever lane it is for, and is to be shed. Cheap enough to be asked
    /// of every request before anything else is made of it.
    #[must_use]
    pub fn sheds(&self, now: Mono) -> bool {
        let sheds = (0..self.outboxes.len()).all(|lane| self.is_overloaded(lane, now));
        if sheds {
            self.admissions.iter().for_each(|admission| admission.shed(now));
        }
        sheds
    }

    /// Whether a new request of this shard would wait too long, and is to be shed.
    #[must_use]
    pub fn sheds_for(&self, shard: ShardId, now: Mono) -> bool {
        let lane = lane_of(shard, self.outboxes.len());
        let sheds = self.is_overloaded(lane, now);
        if let Some(admission) = self.admissions.get(lane).filter(|_| sheds) {
            admission.shed(now);
        }
        sheds
    }

    fn is_overloaded(&self, lane: usize, now: Mono) -> bool {
        let lane = self.outboxes.get(lane).zip(self.admissions.get(lane));
        lane.is_some_and(|(outbox, admission)| admission.is_overloaded(|| outbox.lengths().0, now))
    }

    /// A batch was let go; see [`crate::Release::Passed`].
    pub fn passed(&self, passage: Passage, now: Mono) {
        if let Some(admission) = self.admissions.get(passage.lane) {
            admission.passed(passage.commands, passage.oldest, now);
        }
    }

    /// Which shard owns which card and account.
    #[must_use]
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// The rates in force.
    #[must_use]
    pub fn rates(&self) -> Arc<RateTable> {
        self.rates.load_full()
    }

    /// What operators have ordered about standing in.
    #[must_use]
    pub fn stand_in_orders(&self) -> Arc<StandInOrders> {
        self.orders.load_full()
    }

    /// What programs have open that their balance services have not acknowledged, by place; see
    /// [`authorizer::StandIn::bounds`].
    #[must_use]
    pub fn exposed(&self) -> Vec<Exposure> {
        self.exposures.all()
    }

    /// How full each lane's queues are.
    pub fn gauges(&self) -> impl Iterator<Item = LaneGauges> {
        self.outboxes.iter().map(|outbox| {
            let (requests, follow_ups) = outbox.lengths();
            LaneGauges { requests, follow_ups }
        })
    }

    /// Lets the lanes finish what is queued, and waits for them.
    pub fn shutdown(&self) {
        for outbox in &self.outboxes {
            outbox.close();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(|poison| poison.into_inner()));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a lane ended with a panic");
            }
        }
    }
}
