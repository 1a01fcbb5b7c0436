//! The owner of shards: take a batch, decide, hand to the recorder, and never wait for the disk.

use crate::admission::Admission;
use crate::exposures::Exposures;
use crate::index::Index;
use crate::queue::{Inbox, Posted};
use crate::recorder::{BatchReport, Clock, LaneObserver, Passage, Readiness, Recorder, Release};
use arc_swap::ArcSwap;
use authorizer::{Action, Answer, Caller, Command, Context, Effects, Exposure, FundingPath, Shard, Standing};
use domain::{Fact, Moment, Mono, RateTable, Reason, ShardId, StandInOrders, TransactionId, Units};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a lane waits while the recorder has no room; a journal write takes about as long.
pub(crate) const RECORDER_RETRY: Duration = Duration::from_micros(100);

/// One lane, before and while it runs.
pub(crate) struct Lane<R> {
    pub(crate) number: usize,
    /// How many lanes there are; shard `s` belongs to lane `s % lanes`.
    pub(crate) lanes: usize,
    pub(crate) shards: Vec<Shard>,
    pub(crate) inbox: Inbox,
    pub(crate) admission: Arc<Admission>,
    pub(crate) recorder: R,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn LaneObserver>,
    pub(crate) index: Arc<Index>,
    pub(crate) rates: Arc<ArcSwap<RateTable>>,
    pub(crate) orders: Arc<ArcSwap<StandInOrders>>,
    pub(crate) exposures: Arc<Exposures>,
    pub(crate) batch_commands_max: usize,
    pub(crate) batch_bytes_max: usize,
}

/// What a running lane keeps beside its shards; nothing of it outlives the process.
#[derive(Default)]
pub(crate) struct Desk {
    /// Who waits for transactions that the balance service is deciding.
    waiting: BTreeMap<TransactionId, Vec<Caller>>,
    effects: Effects,
    releases: Vec<Release>,
    /// What of each shard's exposure is in the shared sums, by the shard's place.
    published: Vec<Vec<Exposure>>,
}

impl<R: Recorder> Lane<R> {
    /// The desk of a lane that begins.
    pub(crate) fn desk(&self) -> Desk {
        let published = self.shards.iter().map(|shard| shard.exposed().to_vec()).collect();
        Desk { published, ..Desk::default() }
    }

    /// Decides one batch of at most so many commands. Returns whether there was anything to do.
    pub(crate) fn work(
        &mut self,
        now: Moment,
        readiness: Readiness,
        commands_max: usize,
        desk: &mut Desk,
    ) -> bool {
        let mut report =
            BatchReport { commands: 0, facts: 0, queue_wait: Duration::ZERO, deciding: Duration::ZERO };
        let mut oldest = Mono::MAX;
        let rates = self.rates.load_full();
        while report.commands < commands_max && self.recorder.batch_bytes() < self.batch_bytes_max {
            let taken = match readiness {
                Readiness::NoSpace => self.inbox.take_request(),
                Readiness::Ready | Readiness::FollowUpsOnly | Readiness::Full | Readiness::Stopped => {
                    self.inbox.take()
                }
            };
            let Some(posted) = taken else { break };
            report.commands += 1;
            oldest = oldest.min(posted.received.mono);
            let Posted { shard, command, received } = posted;
            if self.may_decide(readiness, shard, &command, now) {
                let moment = Moment { utc: received.utc, mono: now.mono };
                self.decide(shard, command, moment, &rates, desk);
            } else if let Some(caller) = caller_of_request(&command) {
                self.recorder.release_now(unrecordable(caller));
            }
            // What else may not be decided now is acknowledged by nobody; whoever sent it will send it again.
            report.facts += self.take_effects(shard, received, desk);
            if rates_changed(&rates, &self.rates) {
                break;
            }
        }
        if self.recorder.batch_bytes() > 0 || !desk.releases.is_empty() {
            let passage = Passage { lane: self.number, commands: report.commands, oldest };
            self.admission.decided(report.commands);
            desk.releases.push(Release::Passed(passage));
            self.recorder.seal(&mut desk.releases);
        }
        if report.commands > 0 {
            report.queue_wait = now.mono.since(oldest);
            report.deciding = self.clock.now().mono.since(now.mono);
            self.observer.batch_decided(self.number, report);
        }
        report.commands > 0
    }

    /// Whether a command may be decided, which may add facts. With little space left only follow-ups may, and
    /// requests that have their first answer already: it is given again and adds none.
    fn may_decide(&self, readiness: Readiness, shard: ShardId, command: &Command, now: Moment) -> bool {
        match readiness {
            Readiness::Ready => true,
            Readiness::FollowUpsOnly => {
                caller_of_request(command).is_none() || self.is_repeat(shard, command, now)
            }
            Readiness::Full | Readiness::NoSpace | Readiness::Stopped => false,
        }
    }

    fn is_repeat(&self, shard: ShardId, command: &Command, now: Moment) -> bool {
        let Command::Authorize { card, request, .. } = command else { return false };
        let place = usize::from(shard.0) / self.lanes;
        self.shards.get(place).is_some_and(|shard| shard.has_answered(*card, request, now.utc))
    }

    /// Lets time pass in every shard.
    pub(crate) fn tick(&mut self, now: Moment, desk: &mut Desk) {
        if self.recorder.readiness() != Readiness::Ready {
            return;
        }
        self.for_all_shards(Command::Tick, now, desk);
    }

    /// Takes up duties and ends asks that were open when the process stopped.
    pub(crate) fn resume(&mut self, desk: &mut Desk) {
        let now = self.clock.now();
        self.for_all_shards(Command::Resume, now, desk);
    }

    /// Gives one command to every shard of this lane.
    fn for_all_shards(&mut self, command: Command, now: Moment, desk: &mut Desk) {
        let rates = self.rates.load_full();
        for place in 0..self.shards.len() {
            let Some(shard) = self.shards.get(place).map(Shard::id) else { continue };
            self.decide(shard, command.clone(), now, &rates, desk);
            self.take_effects(shard, now, desk);
            if self.recorder.batch_bytes() >= self.batch_bytes_max {
                self.recorder.seal(&mut desk.releases);
                self.wait_for_room();
            }
        }
        if self.recorder.batch_bytes() > 0 || !desk.releases.is_empty() {
            self.recorder.seal(&mut desk.releases);
        }
    }

    fn wait_for_room(&self) {
        while self.recorder.readiness() == Readiness::Full {
            std::thread::sleep(RECORDER_RETRY);
        }
    }

    fn decide(&mut self, shard: ShardId, command: Command, now: Moment, rates: &RateTable, desk: &mut Desk) {
        let place = usize::from(shard.0) / self.lanes;
        let Some(shard) = self.shards.get_mut(place) else { return };
        let orders = self.orders.load();
        let lease = shard.exposes(&command, &orders).map(|exposes| self.exposures.lease(exposes));
        let headroom = lease.map_or(Units::ZERO, |lease| lease.units);
        let stand_in = Standing { orders: &orders, headroom };
        let context = Context { stand_in, ..Context::new(now, rates) };
        if let Err(error) = shard.execute(command, context, &mut desk.effects) {
            // A decision that does not fit its own state is a bug. The state cannot be trusted any more, and
            // stopping is what loses nothing: the journal still has every acknowledged fact.
            tracing::error!(shard = shard.id().0, %error, "a decision contradicts the state; stopping");
            std::process::abort();
        }
        if let Some(published) = desk.published.get_mut(place) {
            self.exposures.publish(published, shard.exposed());
        }
        if let Some(lease) = lease {
            self.exposures.end(lease);
        }
    }

    /// Records the facts of a decision and turns its actions into releases. Returns how many facts.
    fn take_effects(&mut self, shard: ShardId, received: Moment, desk: &mut Desk) -> usize {
        for fact in &desk.effects.facts {
            self.recorder.record(shard, received.utc, fact);
            self.index.learn(shard, fact);
            if let Fact::RateSet { rate } = fact {
                self.rates.rcu(|rates| {
                    let mut rates = RateTable::clone(rates);
                    rates.set(*rate);
                    rates
                });
            }
            if let Fact::StandInOrdered { order } = fact {
                self.orders.rcu(|orders| {
                    let mut orders = StandInOrders::clone(orders);
                    orders.set(*order);
                    orders
                });
            }
        }
        let facts = desk.effects.facts.len();
        desk.effects.facts.clear();
        let Desk { waiting, effects, releases, published: _ } = desk;
        for action in effects.actions.drain(..) {
            take_action(shard, action, waiting, releases);
        }
        facts
    }
}

fn take_action(
    shard: ShardId,
    action: Action,
    waiting: &mut BTreeMap<TransactionId, Vec<Caller>>,
    releases: &mut Vec<Release>,
) {
    match action {
        Action::Answer { caller, answer } => releases.push(Release::Answer { caller, answer }),
        Action::Wait { transaction, caller } => {
            waiting.entry(TransactionId { shard, number: transaction }).or_default().push(caller);
        }
        Action::AnswerWaiting { transaction, answer } => {
            let callers = waiting.remove(&TransactionId { shard, number: transaction });
            let answers = callers.into_iter().flatten().map(|caller| Release::Answer { caller, answer });
            releases.extend(answers);
        }
        Action::Ask(ask) => releases.push(Release::Ask(ask)),
        Action::Owe(duty) => releases.push(Release::Owe { shard, duty }),
        Action::Reply { caller, reply } => releases.push(Release::Reply { caller, reply }),
        // `execute` has turned every look-up into a reply.
        Action::Show { .. } => {}
    }
}

/// Who asks, if the command is a request: only a request can be declined (P7).
fn caller_of_request(command: &Command) -> Option<Caller> {
    match command {
        Command::Authorize { request, caller, .. } if request.class.is_request() => Some(*caller),
        Command::Authorize { .. }
        | Command::NoteDecline { .. }
        | Command::Reverse { .. }
        | Command::AskEnded { .. }
        | Command::ServiceTold { .. }
        | Command::AnswerLost { .. }
        | Command::DutyAcknowledged { .. }
        | Command::Change { .. }
        | Command::Inquire { .. }
        | Command::Tick
        | Command::Resume => None,
    }
}

fn unrecordable(caller: Caller) -> Release {
    let answer = Answer::Authorization {
        reason: Reason::JournalUnavailable,
        approval_code: None,
        part: None,
        balances: None,
        limit: None,
        path: FundingPath::Cache,
    };
    Release::Answer { caller, answer }
}

fn rates_changed(before: &Arc<RateTable>, now: &ArcSwap<RateTable>) -> bool {
    !Arc::ptr_eq(before, &now.load())
}

/// The lane that owns a shard; see [`Lane::lanes`].
pub(crate) fn lane_of(shard: ShardId, lanes: usize) -> usize {
    usize::from(shard.0) % lanes
}
