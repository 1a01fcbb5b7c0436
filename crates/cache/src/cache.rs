//! The cache as the daemon sees it: post a command, and its effects come out of the recorder.

use crate::admission::{Admission, Overload};
use crate::exposures::Exposures;
use crate::index::Index;
use crate::lane::{Lane, lane_of};
use crate::queue::{Full, Outbox, Posted, queue};
use crate::recorder::{Clock, LaneObserver, Passage, Recorder};
use crate::recovering::Recovering;
use crate::turn::{AS_GUEST_MAX, Guests, LaneThread, Seat};
use crate::untold::Untold;
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

/// Commands that a lane's thread is told of together: telling it wakes it, which costs as much as some decisions, and
/// what it decides meanwhile is decided beside the reading of the next ones.
const TOLD_TOGETHER: usize = 16;

/// The lanes, the index and the rates.
#[derive(Debug)]
pub struct Cache {
    lanes: Box<[Front]>,
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

/// A lane as posters see it.
struct Front {
    outbox: Outbox,
    seat: Arc<dyn Guests>,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.outbox.fmt(f)
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
        let mut fronts = Vec::with_capacity(lanes);
        let admissions: Box<[_]> = (0..lanes).map(|_| Arc::new(Admission::new(config.overload))).collect();
        let mut threads = Vec::with_capacity(lanes);
        for ((number, shards), admission) in shards_of_lane.into_iter().enumerate().zip(&admissions) {
            let (outbox, inbox, bed) = queue(config.requests_max, config.follow_ups_max);
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
                batch_commands_max: config.batch_commands_max.max(1),
                batch_bytes_max: config.batch_bytes_max.max(1),
            };
            let (seat, clock) = (Arc::new(Seat::empty()), Arc::clone(clock));
            let thread = LaneThread { seat: Arc::clone(&seat), bed, clock, tick_every: config.tick_every };
            fronts.push(Front { outbox, seat });
            let named = std::thread::Builder::new().name(format!("lane-{number}"));
            threads.push(named.spawn(move || thread.run(lane))?);
        }
        let threads = Mutex::new(threads);
        Ok(Self { lanes: fronts.into(), admissions, index, rates, orders, exposures, threads })
    }

    /// Hands a new request to its lane, or gives it back at once when the queue is full.
    pub fn post_request(&self, posted: Posted) -> Result<(), Full> {
        let mut untold = Untold::default();
        self.put_request(posted, &mut untold)?;
        self.wake(&mut untold);
        Ok(())
    }

    /// Hands a follow-up to its lane, or gives it back when the queue is full; the caller tries again.
    pub fn post_follow_up(&self, posted: Posted) -> Result<(), Full> {
        let mut untold = Untold::default();
        self.put_follow_up(posted, &mut untold)?;
        self.wake(&mut untold);
        Ok(())
    }

    /// The same as [`Cache::post_request`] for one of many: its lane may be told of it only by [`Cache::tell`].
    pub fn put_request(&self, posted: Posted, untold: &mut Untold) -> Result<(), Full> {
        self.put(posted, untold, Outbox::put_request)
    }

    /// The same as [`Cache::post_follow_up`] for one of many: its lane may be told of it only by [`Cache::tell`].
    pub fn put_follow_up(&self, posted: Posted, untold: &mut Untold) -> Result<(), Full> {
        self.put(posted, untold, Outbox::put_follow_up)
    }

    fn put(
        &self,
        posted: Posted,
        untold: &mut Untold,
        put: impl FnOnce(&Outbox, Posted) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let number = lane_of(posted.shard, self.lanes.len());
        let outcome = match self.lanes.get(number) {
            Some(lane) => put(&lane.outbox, posted),
            None => Err(Full(Box::new(posted))),
        };
        if outcome.is_ok() {
            untold.add(number);
        }
        // A queue that is full of what its lane was not told of would stay full.
        if outcome.is_err() || untold.commands() >= TOLD_TOGETHER {
            self.wake(untold);
        }
        outcome
    }

    /// Tells the lanes of what was put. Of a few commands it decides those itself whose lanes have nothing to do, which is
    /// done sooner; that may let releases go before it returns.
    pub fn tell(&self, untold: &mut Untold) {
        if untold.commands() <= AS_GUEST_MAX {
            for lane in untold.lanes().filter_map(|lane| self.lanes.get(lane)) {
                lane.seat.decide_as_guest();
            }
        }
        self.wake(untold);
    }

    fn wake(&self, untold: &mut Untold) {
        for lane in untold.lanes().filter_map(|lane| self.lanes.get(lane)) {
            lane.outbox.tell();
        }
        untold.clear();
    }

    /// Whether a new request would wait too long, whichever lane it is for, and is to be shed. Cheap enough to be asked
    /// of every request before anything else is made of it.
    #[must_use]
    pub fn sheds(&self, now: Mono) -> bool {
        let sheds = (0..self.lanes.len()).all(|lane| self.is_overloaded(lane, now));
        if sheds {
            self.admissions.iter().for_each(|admission| admission.shed(now));
        }
        sheds
    }

    /// Whether a new request of this shard would wait too long, and is to be shed.
    #[must_use]
    pub fn sheds_for(&self, shard: ShardId, now: Mono) -> bool {
        let lane = lane_of(shard, self.lanes.len());
        let sheds = self.is_overloaded(lane, now);
        if let Some(admission) = self.admissions.get(lane).filter(|_| sheds) {
            admission.shed(now);
        }
        sheds
    }

    fn is_overloaded(&self, lane: usize, now: Mono) -> bool {
        let lane = self.lanes.get(lane).zip(self.admissions.get(lane));
        lane.is_some_and(|(lane, admission)| admission.is_overloaded(|| lane.outbox.lengths().0, now))
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
        self.lanes.iter().map(|lane| {
            let (requests, follow_ups) = lane.outbox.lengths();
            LaneGauges { requests, follow_ups }
        })
    }

    /// Lets the lanes finish what is queued, and waits for them.
    pub fn shutdown(&self) {
        for lane in &self.lanes {
            lane.outbox.close();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(|poison| poison.into_inner()));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a lane ended with a panic");
            }
        }
    }
}
