//! The simulated world around one shard: a virtual clock, a journal in memory, callers who wait, and rates.
//!
//! Every command is played twice, by the decision core and by the naive model, and the two must agree: on every
//! answer, ask and duty, on every balance, and on how much of every limit is used. The world's journal keeps
//! each fact as the bytes that the real journal would write, so a restart reads what a disk would give back.

use crate::finding::{Finding, same};
use crate::invariants::{self, Ledger};
use crate::reference::{Asked, Model, Outcome, Record, Verdict};
use crate::snapshots;
use authorizer::{
    AccountView, Action, Answer, Caller, CardView, Command, Context, Effects, Inquiry, Policy, Reply, Shard,
    Standing, TransactionView,
};
use domain::{
    Ask, Duty, Fact, LimitOwner, Moment, Mono, RateTable, ShardId, StandInOrders, Timestamp, TransactionNo,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// What came out of one command.
#[derive(Clone, Debug, Default)]
pub struct Happened {
    /// Who was answered what.
    pub answers: Vec<(Caller, Answer)>,
    /// What the balance service was asked.
    pub asks: Vec<Ask>,
    /// What the balance service is owed.
    pub duties: Vec<Duty>,
    /// What the control API was told.
    pub replies: Vec<(Caller, Reply)>,
}

/// One shard, its model, and everything around them.
#[derive(Debug)]
pub struct World {
    shard: Shard,
    model: Model,
    policy: Policy,
    journal: Vec<(Timestamp, Vec<u8>)>,
    ledger: Ledger,
    now: Moment,
    rates: RateTable,
    orders: StandInOrders,
    waiting: BTreeMap<TransactionNo, Vec<Caller>>,
    callers: u64,
}

/// The shard that worlds play.
const SHARD: ShardId = ShardId(17);

impl World {
    /// An empty world at `start`.
    #[must_use]
    pub fn new(start: Timestamp, policy: Policy) -> Self {
        Self {
            shard: Shard::new(SHARD, policy.clone()),
            model: Model::new(SHARD, policy.clone()),
            policy,
            journal: Vec::new(),
            ledger: Ledger::default(),
            now: Moment { utc: start, mono: Mono::from_nanos(1_000_000_000) },
            rates: RateTable::default(),
            orders: StandInOrders::new(),
            waiting: BTreeMap::new(),
            callers: 0,
        }
    }

    /// What both clocks show.
    #[must_use]
    pub const fn now(&self) -> Moment {
        self.now
    }

    /// Time passes.
    pub fn wait(&mut self, duration: Duration) {
        self.now.utc = self.now.utc.plus(duration);
        self.now.mono = self.now.mono.plus(duration);
    }

    /// Somebody sets the wall clock back. The monotonic clock cannot be.
    pub fn set_back(&mut self, duration: Duration) {
        let micros = i64::try_from(duration.as_micros()).expect("a sane step");
        self.now.utc = Timestamp::from_micros(self.now.utc.micros() - micros);
    }

    /// Somebody sets the wall clock forward, and the monotonic clock does not notice.
    pub fn set_forward(&mut self, duration: Duration) {
        self.now.utc = self.now.utc.plus(duration);
    }

    /// The transactions that the switch must know still.
    #[must_use]
    pub fn kept(&self) -> Vec<TransactionNo> {
        let all = self.model.records().map(|(number, _)| number);
        all.filter(|number| !self.model.may_be_forgotten(*number, self.now.utc)).collect()
    }

    /// A caller that never asked before.
    pub fn caller(&mut self) -> Caller {
        self.callers += 1;
        Caller(self.callers)
    }

    /// The rates in force.
    #[must_use]
    pub const fn rates(&self) -> &RateTable {
        &self.rates
    }

    /// What its switch was configured with.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The naive model.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Plays one command on both sides and compares everything.
    ///
    /// # Errors
    /// The first thing that is not as it must be.
    pub fn perform(&mut self, command: Command) -> Result<Happened, Finding> {
        let expected = self.model.perform(&command, self.now);
        if let Command::Authorize { caller, .. }
        | Command::NoteDecline { caller, .. }
        | Command::Reverse { caller, .. } = &command
        {
            self.ledger.asked(*caller)?;
        }
        let mut effects = Effects::default();
        let headroom = self.shard.room_alone(&command, &self.orders);
        let stand_in = Standing { orders: &self.orders, headroom };
        let context = Context { stand_in, ..Context::new(self.now, &self.rates) };
        let executed = self.shard.execute(command, context, &mut effects);
        executed.map_err(|error| Finding(format!("a decision does not fit its own state: {error}")))?;
        for fact in &effects.facts {
            self.record(fact)?;
        }
        let happened = self.act(effects.actions)?;
        compare(&happened, expected)?;
        self.check_balances_and_limits()?;
        Ok(happened)
    }

    /// The process dies and comes back: the state is rebuilt from a snapshot and the journal, nobody waits any more.
    ///
    /// # Errors
    /// The recovered state differs from the lost one, or what follows is wrong.
    pub fn restart(&mut self) -> Result<Happened, Finding> {
        self.check_everything()?;
        self.shard = self.recovered()?;
        self.waiting.clear();
        self.model.crash();
        self.ledger.crash();
        self.now.mono = Mono::from_nanos(5_000_000);
        self.perform(Command::Resume)
    }

    /// Everything that must hold and is too slow to look at after each command: each transaction as the model has
    /// it, sums over all holds, and that the journal rebuilds this very state, twice.
    ///
    /// # Errors
    /// The first thing that is not as it must be.
    pub fn check_everything(&self) -> Result<(), Finding> {
        self.check_transactions()?;
        invariants::flows_are_the_models(&self.shard, &self.model)?;
        invariants::books_add_up(&self.shard, &self.model, self.now.utc)?;
        let (once, twice) = (self.replayed()?, self.replayed()?);
        invariants::same_state("the replayed state", &once, &self.shard, &self.model, self.now.utc)?;
        invariants::same_state("the second replay", &twice, &once, &self.model, self.now.utc)?;
        snapshots::same_rows(&self.recovered()?, &once)
    }

    /// At the end of a story nobody may be waiting still, except for an open ask.
    ///
    /// # Errors
    /// Somebody was never answered.
    pub fn check_all_answered(&self) -> Result<(), Finding> {
        let waiting: Vec<Caller> = self.waiting.values().flatten().copied().collect();
        self.ledger.all_answered_but(&waiting)
    }

    /// Every fact so far: when it became true, and the bytes that the journal keeps of it.
    #[must_use]
    pub fn facts(&self) -> &[(Timestamp, Vec<u8>)] {
        &self.journal
    }

    /// An account as anyone may see it.
    #[must_use]
    pub fn account(&self, account: u32) -> AccountView {
        invariants::account(&self.shard, account, self.now.utc)
    }

    /// A card as anyone may see it.
    #[must_use]
    pub fn card(&self, card: u32) -> CardView {
        invariants::card(&self.shard, card, self.now.utc)
    }

    /// The transactions of a card, newest first.
    #[must_use]
    pub fn transactions(&self, card: u32) -> Vec<TransactionView> {
        invariants::transactions(&self.shard, card, self.now.utc)
    }

    /// The decision core's side of this world.
    #[must_use]
    pub const fn shard(&self) -> &Shard {
        &self.shard
    }

    fn record(&mut self, fact: &Fact) -> Result<(), Finding> {
        let bytes = invariants::journaled(fact)?;
        self.ledger.fact(fact)?;
        invariants::no_request_overspends(fact, &self.shard, self.now.utc)?;
        if let Fact::RateSet { rate } = fact {
            self.rates.set(*rate);
        }
        if let Fact::StandInOrdered { order } = fact {
            self.orders.set(*order);
        }
        self.journal.push((self.now.utc, bytes));
        Ok(())
    }

    fn act(&mut self, actions: Vec<Action>) -> Result<Happened, Finding> {
        let mut happened = Happened::default();
        for action in actions {
            match action {
                Action::Answer { caller, answer } => happened.answers.push((caller, answer)),
                Action::Wait { transaction, caller } => {
                    self.waiting.entry(transaction).or_default().push(caller);
                }
                Action::AnswerWaiting { transaction, answer } => {
                    let waiting = self.waiting.remove(&transaction).unwrap_or_default();
                    happened.answers.extend(waiting.into_iter().map(|caller| (caller, answer)));
                }
                Action::Ask(ask) => happened.asks.push(*ask),
                Action::Owe(duty) => happened.duties.push(duty),
                Action::Show { .. } => return Err(Finding("something to show was not filled in".into())),
                Action::Reply { caller, reply } => happened.replies.push((caller, *reply)),
            }
        }
        for (caller, answer) in &happened.answers {
            self.ledger.answered(*caller, answer)?;
        }
        Ok(happened)
    }

    fn replayed(&self) -> Result<Shard, Finding> {
        let mut shard = Shard::new(SHARD, self.policy.clone());
        apply_all(&mut shard, &self.journal)?;
        Ok(shard)
    }

    /// The state from a snapshot and the facts after it. The snapshot itself was made from one before and the facts
    /// between the two; where they were made depends on how far the story has come.
    fn recovered(&self) -> Result<Shard, Finding> {
        let (first, second) = snapshots::places(self.journal.len());
        let mut shard = Shard::new(SHARD, self.policy.clone());
        apply_all(&mut shard, &self.journal[..first])?;
        let mut shard = snapshots::saved_and_restored(&shard, self.policy.clone())?;
        apply_all(&mut shard, &self.journal[first..second])?;
        let mut shard = snapshots::saved_and_restored(&shard, self.policy.clone())?;
        apply_all(&mut shard, &self.journal[second..])?;
        Ok(shard)
    }

    fn check_balances_and_limits(&self) -> Result<(), Finding> {
        let now = self.now.utc;
        for number in 0..self.model.accounts() {
            let account = self.account(number);
            same(&format!("balance of {}", account.id), &account.balance, &self.model.balance(number))?;
            invariants::available_is_ledger_less_held(&account)?;
            same(
                &format!("what the service told of {}", account.id),
                &account.told,
                &self.model.told_of(number),
            )?;
            let outstanding = self.model.outstanding(number);
            same(&format!("unacknowledged of {}", account.id), &account.outstanding, &outstanding)?;
            let used: Vec<_> = account.limits.iter().map(|l| (l.rule, l.used_amount, l.used_count)).collect();
            let expected = self.model.usage(LimitOwner::Account, number, now);
            same(&format!("limits of {}", account.id), &used, &expected)?;
        }
        for number in 0..self.model.cards() {
            let card = self.card(number);
            same(&format!("open holds of {}", card.id), &card.open_holds, &self.model.open_holds(number))?;
            let used: Vec<_> = card.limits.iter().map(|l| (l.rule, l.used_amount, l.used_count)).collect();
            same(&format!("limits of {}", card.id), &used, &self.model.usage(LimitOwner::Card, number, now))?;
        }
        same("duties pending", &self.shard.duties_pending(), &self.model.duties_pending())
    }

    fn check_transactions(&self) -> Result<(), Finding> {
        for (number, expected) in self.model.records() {
            let reply = self.shard.inquire(Inquiry::Transaction(number), self.now.utc);
            let view = if let Reply::Transactions(views) = reply { views.into_iter().next() } else { None };
            let Some(view) = view else {
                if self.model.may_be_forgotten(number, self.now.utc) {
                    continue;
                }
                return Err(Finding(format!("transaction {number:?} was forgotten: {expected:?}")));
            };
            let found = Record {
                state: view.state,
                reason: view.reason,
                failures: view.failures,
                held: view.held,
                part: view.part,
                rate: view.rate,
                price: view.price,
                expires_at: view.expires_at,
                by: view.by,
                of: view.of.map(|of| of.number),
                paid: view.paid,
                refunded: view.refunded,
                clearing_flags: view.clearing_flags,
                refund_flags: view.refund_flags,
                said: view.said,
            };
            same(&format!("transaction {}", view.id), &found, &expected)?;
        }
        Ok(())
    }
}

fn apply_all(shard: &mut Shard, facts: &[(Timestamp, Vec<u8>)]) -> Result<(), Finding> {
    for (at, bytes) in facts {
        let fact: Fact = journal::payload::decode(journal::payload::PAYLOAD_VERSION, bytes)
            .map_err(|error| Finding(error.to_string()))?;
        shard.apply(&fact, *at).map_err(|error| Finding(format!("replay: {error}: {fact:?}")))?;
    }
    Ok(())
}

/// Compares what happened with what the model expected, whatever the order.
fn compare(happened: &Happened, mut expected: Outcome) -> Result<(), Finding> {
    let mut answers = happened.answers.clone();
    answers.sort_by_key(|(caller, _)| *caller);
    expected.answers.sort_by_key(|(caller, _)| *caller);
    same("answers", &answers, &expected.answers)?;
    let asks: Vec<_> = happened
        .asks
        .iter()
        .map(|ask| Asked {
            number: ask.transaction.number,
            of: ask.increment_of.map(|of| of.number),
            units: ask.amounts.units,
            rate: ask.rate,
            price: ask.price,
            held: ask.held,
            outstanding: ask.outstanding_standin,
        })
        .collect();
    same("asks", &asks, &expected.asks)?;
    let mut duties = happened.duties.clone();
    duties.sort_by_key(|duty| duty.number);
    expected.duties.sort_by_key(|duty| duty.number);
    same("duties", &duties, &expected.duties)?;
    let verdicts: Vec<_> = happened.replies.iter().map(|(caller, reply)| (*caller, verdict(reply))).collect();
    same("replies", &verdicts, &expected.verdicts)
}

fn verdict(reply: &Reply) -> Verdict {
    match reply {
        Reply::Refused(refusal) => Verdict::Refused(*refusal),
        Reply::Posted(posted) if posted.repeated => Verdict::Repeated,
        Reply::Posted(_)
        | Reply::Account(_)
        | Reply::Card(_)
        | Reply::Rate(_)
        | Reply::StandIn(_)
        | Reply::Transactions(_)
        | Reply::Totals(_) => Verdict::Done,
    }
}
