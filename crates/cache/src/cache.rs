//! The cache as the daemon sees it: post a command, and its effects come out of the recorder.

use crate::exposures::Exposures;
use crate::index::Index;
use crate::lane::{Lane, lane_of};
use crate::queue::{Full, Outbox, Posted, queue};
use crate::recorder::{Clock, LaneObserver, Recorder};
use crate::recovering::Recovering;
use arc_swap::ArcSwap;
use authorizer::Exposure;
use domain::{RateTable, StandInOrders};
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
}

/// The lanes, the index and the rates.
#[derive(Debug)]
pub struct Cache {
    outboxes: Box<[Outbox]>,
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
        let mut threads = Vec::with_capacity(lanes);
        for (number, shards) in shards_of_lane.into_iter().enumerate() {
            let (outbox, inbox) = queue(config.requests_max, config.follow_ups_max);
            let lane = Lane {
                number,
                lanes,
                shards,
                inbox,
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
        Ok(Self { outboxes: outboxes.into(), index, rates, orders, exposures, threads: Mutex::new(threads) })
    }

    /// Hands a new request to its lane, or gives it back at once when the queue is full.
    pub fn post_request(&self, posted: Posted) -> Result<(), Full> {
        match self.outboxes.get(lane_of(&posted, self.outboxes.len())) {
            Some(outbox) => outbox.post_request(posted),
            None => Err(Full(Box::new(posted))),
        }
    }

    /// Hands a follow-up to its lane, or gives it back when the queue is full; the caller tries again.
    pub fn post_follow_up(&self, posted: Posted) -> Result<(), Full> {
        match self.outboxes.get(lane_of(&posted, self.outboxes.len())) {
            Some(outbox) => outbox.post_follow_up(posted),
            None => Err(Full(Box::new(posted))),
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
