//! The control API's side of the switch: changes and look-ups as commands, replies by ticket.

use crate::hub::Hub;
use crate::recovery::{FromSnapshot, RecoveryReport};
use crate::snapshots::{Keeper, NotMade, SnapshotStatus};
use authorizer::{Caller, Change, Command, Inquiry, Reply, StandIn};
use cache::{Clock, Posted, Release, Reservation, Taken};
use control::{
    CardTaken, DutyStanding, NameTaken, NoSnapshot, OwedDuty, Place, ProgramView, SnapshotView,
    SnapshotsView, StartView, Switchboard, Unavailable,
};
use dashmap::DashMap;
use domain::{AccountId, AccountNo, CardId, CardNo, CardToken, DutyNo, Pan, RateTable, ShardId, Timestamp};
use funding::{DutyKey, Funding, Standing};
use journal::JournalHandle;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// Who waits for which reply. Bounded by the API's requests in flight.
#[derive(Default)]
pub(crate) struct Tickets {
    waiting: DashMap<u64, oneshot::Sender<Reply>>,
    next: AtomicU64,
}

impl Tickets {
    fn draw(self: &Arc<Self>) -> (Ticket, oneshot::Receiver<Reply>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(number, sender);
        (Ticket { tickets: Arc::clone(self), number }, receiver)
    }

    /// Gives a reply to whoever waits for it; nobody may wait any more.
    pub(crate) fn reply(&self, caller: Caller, reply: Reply) {
        if let Some((_, waiting)) = self.waiting.remove(&caller.0) {
            // The receiver may have timed out this instant; the change is made all the same.
            let _ = waiting.send(reply);
        }
    }
}

/// A place in the queue for a reply, given up when dropped.
struct Ticket {
    tickets: Arc<Tickets>,
    number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.tickets.waiting.remove(&self.number);
    }
}

/// The desk.
pub(crate) struct ControlDesk {
    pub(crate) hub: Arc<Hub>,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) answer_within: Duration,
    pub(crate) stand_in: Arc<StandIn>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) recovered: Arc<RecoveryReport>,
    pub(crate) journal: Arc<JournalHandle<Vec<Release>>>,
    pub(crate) funding: Funding,
}

/// Where a duty stands, in the API's words.
const fn standing(standing: Standing) -> DutyStanding {
    match standing {
        Standing::UnderWay => DutyStanding::UnderWay,
        Standing::Waiting(pause) => DutyStanding::Waiting(pause),
        Standing::Behind => DutyStanding::Behind,
    }
}

impl ControlDesk {
    async fn post(
        &self,
        shard: ShardId,
        command: impl FnOnce(Caller) -> Command + Send,
    ) -> Result<Reply, Unavailable> {
        let Some(cache) = self.hub.cache_if_started() else { return Err(Unavailable::Stopped) };
        let (ticket, reply) = self.tickets.draw();
        let posted =
            Posted { shard, command: command(Caller(ticket.number)), received: self.hub.clock.now() };
        cache.post_follow_up(posted).map_err(|_| Unavailable::Overloaded)?;
        match tokio::time::timeout(self.answer_within, reply).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(_)) | Err(_) => Err(Unavailable::OutcomeUnknown),
        }
    }
}

impl ControlDesk {
    fn view_of(&self, status: SnapshotStatus) -> SnapshotsView {
        let newest = status.newest.map(|newest| SnapshotView {
            generation: newest.generation,
            through: newest.through,
            made_at: Timestamp::from_micros(newest.at_utc_micros),
        });
        let held = newest.map_or(0, |newest| newest.through);
        SnapshotsView {
            newest,
            unsaved_facts: self.journal.positions().durable.saturating_sub(held),
            making: status.making,
            made: status.made,
            failures: status.failures,
            failing: status.failing,
            start: start_view(&self.recovered),
        }
    }
}

fn start_view(recovered: &RecoveryReport) -> StartView {
    let snapshot = recovered.snapshot.map(|used| {
        let FromSnapshot { generation, through, made_at, bytes, .. } = used;
        (SnapshotView { generation, through, made_at }, bytes)
    });
    let passed_over = recovered.passed_over.iter();
    StartView {
        snapshot,
        passed_over: passed_over.map(|passed| (passed.generation, passed.because.clone())).collect(),
        facts: recovered.facts,
        segments: recovered.journal.segments,
        snapshot_took: recovered.snapshot.map_or(Duration::ZERO, |used| used.took),
        replay_took: recovered.replay_took,
        took: recovered.took,
    }
}

impl Switchboard for ControlDesk {
    type Reservation = Reservation;

    fn now(&self) -> Timestamp {
        self.hub.clock.now().utc
    }

    fn account(&self, id: &AccountId) -> Option<Place<AccountNo>> {
        let found = self.hub.index.account(id)?;
        Some(Place { shard: found.shard, number: found.account })
    }

    fn card(&self, id: &CardId) -> Option<Place<CardNo>> {
        let found = self.hub.index.card(id)?;
        Some(Place { shard: found.shard, number: found.card })
    }

    fn token(&self, pan: &Pan) -> CardToken {
        self.hub.tokens.token(pan)
    }

    fn reserve_account(&self, id: AccountId) -> Result<Reservation, NameTaken> {
        self.hub.index.reserve_account(id).map_err(|_| NameTaken)
    }

    fn reserve_card(&self, id: CardId, token: CardToken) -> Result<Reservation, CardTaken> {
        self.hub.index.reserve_card(id, token).map_err(|taken| match taken {
            Taken::CardNumber => CardTaken::Number,
            Taken::CardId | Taken::Account => CardTaken::Id,
        })
    }

    async fn change(&self, shard: ShardId, change: Change) -> Result<Reply, Unavailable> {
        self.post(shard, |caller| Command::Change { change: Box::new(change), caller }).await
    }

    async fn inquire(&self, shard: ShardId, inquiry: Inquiry) -> Result<Reply, Unavailable> {
        self.post(shard, |caller| Command::Inquire { inquiry, caller }).await
    }

    fn duties(&self, after: Option<(ShardId, DutyNo)>, count_max: usize) -> Vec<OwedDuty> {
        let after = after.map(|(shard, number)| DutyKey { shard, number });
        let owed = self.funding.duties(after, count_max);
        owed.into_iter()
            .map(|owed| OwedDuty {
                shard: owed.shard,
                duty: owed.duty,
                failures: owed.failures,
                last_failure: owed.last_failure,
                standing: standing(owed.standing),
            })
            .collect()
    }

    fn duties_pending(&self) -> usize {
        self.funding.gauges().duties_pending
    }

    fn retry_duty(&self, shard: ShardId, number: DutyNo) -> Option<DutyStanding> {
        self.funding.retry_duty(DutyKey { shard, number }).map(standing)
    }

    fn rates(&self) -> Arc<RateTable> {
        self.hub.cache_if_started().map(|cache| cache.rates()).unwrap_or_default()
    }

    fn stand_in(&self) -> Vec<ProgramView> {
        let cache = self.hub.cache_if_started();
        let orders = cache.map(|cache| cache.stand_in_orders()).unwrap_or_default();
        let open = cache.map(|cache| cache.exposed()).unwrap_or_default();
        control::stand_in_views(&self.stand_in, &orders, &open)
    }

    fn snapshots(&self) -> SnapshotsView {
        self.view_of(self.keeper.status())
    }

    async fn make_snapshot(&self) -> Result<SnapshotsView, NoSnapshot> {
        match self.keeper.make().await {
            Ok(status) => Ok(self.view_of(status)),
            Err(NotMade::Busy) => Err(NoSnapshot::Busy),
            Err(NotMade::Stopping) => Err(NoSnapshot::Stopping),
            Err(NotMade::Failed(because)) => Err(NoSnapshot::Failed(because)),
        }
    }
}
