//! The switch: its shards, its journal, who waits, and what a crash leaves of them.

use crate::planted::Planted;
use crate::world::{Event, World};
use authorizer::{
    Action, Answer, AnswerLoss, Caller, Change, Command, Context, Effects, HoldRule, Life, MccRange, NewCard,
    Policy, References, Shard, StandIn, StandInProgram,
};
use domain::{
    AccountId, AccountNo, AcquirerId, Approver, Asset, AssetCode, Authorization, CancelCause, CardId, CardNo,
    CardStatus, CardToken, Controls, Currency, Duty, DutyKind, Expiry, Fact, FundingFailure, FundingMode,
    Moment, Mono, Pan, ProgramName, Rate, RateTable, RuleAmount, ShardId, StandInMode, StandInOrders, Text,
    Timestamp, TransactionNo,
};
use rand::RngExt;
use rand::rngs::StdRng;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How many accounts there are; each is a shard of its own, with one card.
pub(crate) const ACCOUNTS: usize = 3;
/// How long before a deadline the link says that there is no answer.
pub(crate) const WRITE_MARGIN: Duration = Duration::from_millis(10);

/// Somebody who waits for an answer of the switch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) account: usize,
    /// What was asked or told; nothing for a reversal.
    pub(crate) request: Option<Authorization>,
}

/// What happens when a batch of facts is on disk.
#[derive(Debug)]
pub(crate) struct Durable {
    life: u64,
    account: usize,
    /// How many facts the journal has then.
    facts: usize,
    actions: Vec<Action>,
}

/// Where a caller stands.
enum Standing {
    Waits(Waiting),
    /// It was told that there is no answer in time.
    Refused(Waiting),
}

pub(crate) struct Switch {
    pub(crate) shards: Vec<Shard>,
    journal: Vec<(usize, Timestamp, Fact)>,
    /// Where in it each batch ends; a batch is on disk whole or not at all.
    batches: BTreeSet<usize>,
    /// Whether most syncs take longer than the budget has set aside for them.
    slow_disk: bool,
    /// How many of the facts are on disk.
    durable: usize,
    /// When the last batch will be.
    durable_at: Mono,
    rates: RateTable,
    policy: Policy,
    /// Counts the processes.
    pub(crate) life: u64,
    up: bool,
    pub(crate) crashes: u64,
    callers: BTreeMap<u64, Standing>,
    waiting: BTreeMap<(usize, TransactionNo), Vec<u64>>,
}

impl Switch {
    /// A switch with its accounts, cards and a rate with many decimals.
    pub(crate) fn new(random: &mut StdRng, now: Moment) -> Self {
        let soon = HoldRule {
            mcc: Some(vec![MccRange { from: 7011, to: 7011 }]),
            hold_for: Duration::from_millis(1_200),
            ..HoldRule::default()
        };
        let life = Life { hold_rules: vec![soon], confirm: random.random_bool(0.5), ..Life::default() };
        let policy = Policy {
            undelivered_hold_for: Duration::from_millis(500),
            life: Arc::new(life),
            stand_in: Arc::new(StandIn::new(stand_in(random))),
            ..Policy::default()
        };
        let mut rates = RateTable::default();
        rates.set(Rate {
            from: AssetCode::new("USD").unwrap(),
            to: asset().code(),
            value: Decimal::new(10_007_337, 7),
            bid: None,
            source: Text::new("desk").unwrap(),
            as_of: now.utc,
            max_age: Duration::from_secs(3_600),
            id: Text::EMPTY,
        });
        let mut switch = Self {
            shards: (0..ACCOUNTS).map(|account| Shard::new(shard_id(account), policy.clone())).collect(),
            journal: Vec::new(),
            batches: BTreeSet::new(),
            slow_disk: random.random_bool(0.25),
            durable: 0,
            durable_at: Mono::default(),
            rates,
            policy,
            life: 0,
            up: true,
            crashes: 0,
            callers: BTreeMap::new(),
            waiting: BTreeMap::new(),
        };
        for account in 0..ACCOUNTS {
            for change in changes(account) {
                let command = Command::Change { change: Box::new(change), caller: Caller(0) };
                switch.execute(account, command, now);
            }
        }
        switch.durable = switch.journal.len();
        switch
    }

    fn execute(&mut self, account: usize, command: Command, now: Moment) -> Vec<Action> {
        let mut effects = Effects::default();
        let orders = StandInOrders::default();
        let headroom = self.shards[account].room_alone(&command, &orders);
        let stand_in = authorizer::Standing { orders: &orders, headroom };
        let context = Context { stand_in, ..Context::new(now, &self.rates) };
        self.shards[account].execute(command, context, &mut effects).unwrap();
        self.journal.extend(effects.facts.into_iter().map(|fact| (account, now.utc, fact)));
        effects.actions
    }

    pub(crate) const fn is_up(&self) -> bool {
        self.up
    }

    pub(crate) fn await_answer(&mut self, caller: u64, waiting: Waiting) {
        self.callers.insert(caller, Standing::Waits(waiting));
    }

    /// How many callers have no answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.callers.len()
    }

    /// How many payments were approved in the service's place.
    pub(crate) fn stood_in(&self) -> u64 {
        let by_us = |(_, _, fact): &&(usize, Timestamp, Fact)| {
            matches!(fact, Fact::AskApproved { by: Approver::StandIn, .. })
        };
        self.journal.iter().filter(by_us).count().try_into().unwrap()
    }

    /// How many holds have run out.
    pub(crate) fn expiries(&self) -> u64 {
        let expired = |(_, _, fact): &&(usize, Timestamp, Fact)| matches!(fact, Fact::HoldExpired { .. });
        self.journal.iter().filter(expired).count().try_into().unwrap()
    }

    /// Reads the journal back.
    fn replay(&mut self) {
        self.shards =
            (0..ACCOUNTS).map(|account| Shard::new(shard_id(account), self.policy.clone())).collect();
        for (account, at, fact) in &self.journal {
            self.shards[*account].apply(fact, *at).unwrap();
        }
    }
}

impl World {
    /// A shard decides, and what follows waits until the facts are on disk.
    pub(crate) fn decide(&mut self, account: usize, command: Command) {
        let resumes = command == Command::Resume;
        let known = self.switch.journal.len();
        let mut actions = self.switch.execute(account, command, self.now);
        for place in known..self.switch.journal.len() {
            self.tell(|world| format!("fact of acct_{account}: {}", short(&world.switch.journal[place].2)));
        }
        if resumes && self.planted == Planted::DutiesForgotten {
            let new: Vec<Fact> =
                self.switch.journal[known..].iter().map(|(_, _, fact)| fact.clone()).collect();
            actions.retain(|action| !matches!(action, Action::Owe(duty) if !is_owed_by(&new, duty)));
        }
        let slow = self.luck(if self.switch.slow_disk { 60 } else { 8 });
        let commit = if slow { 5_000..90_000 } else { 200..3_000 };
        let commit = Duration::from_micros(self.random.random_range(commit));
        let switch = &mut self.switch;
        switch.durable_at = switch.durable_at.max(self.now.mono.plus(commit));
        let (life, facts, at) = (switch.life, switch.journal.len(), switch.durable_at);
        switch.batches.insert(facts);
        let (now, later): (Vec<_>, Vec<_>) = actions.into_iter().partition(|action| match action {
            Action::Wait { .. } => true,
            Action::Ask(_) => self.planted == Planted::AskedBeforeDurable,
            Action::Answer { .. } | Action::AnswerWaiting { .. } => {
                self.planted == Planted::AnsweredBeforeDurable
            }
            Action::Owe(_) | Action::Show { .. } | Action::Reply { .. } => false,
        });
        now.into_iter().for_each(|action| self.act(account, action));
        self.at(at, Event::OnDisk(Durable { life, account, facts, actions: later }));
    }

    pub(crate) fn on_disk(&mut self, batch: Durable) {
        if batch.life != self.switch.life {
            return;
        }
        self.switch.durable = self.switch.durable.max(batch.facts);
        for action in batch.actions {
            self.act(batch.account, action);
        }
    }

    fn act(&mut self, account: usize, action: Action) {
        match action {
            Action::Wait { transaction, caller } => {
                self.switch.waiting.entry((account, transaction)).or_default().push(caller.0);
            }
            Action::Answer { caller, answer } => self.answer(caller.0, answer),
            Action::AnswerWaiting { transaction, answer } => {
                let callers = self.switch.waiting.remove(&(account, transaction)).unwrap_or_default();
                callers.into_iter().for_each(|caller| self.answer(caller, answer));
            }
            Action::Ask(ask) => self.ask(*ask),
            Action::Owe(Duty { kind: DutyKind::Cancel(CancelCause::OutcomeUnknown), .. })
                if self.planted == Planted::CancelLost => {}
            Action::Owe(duty) => self.owe(shard_id(account), duty),
            Action::Show { .. } | Action::Reply { .. } => {}
        }
    }

    fn answer(&mut self, caller: u64, answer: Answer) {
        let standing = self.switch.callers.remove(&caller);
        let approves = matches!(answer, Answer::Authorization { reason, .. } if reason.is_approval());
        match standing {
            None => self.complain(format!("caller {caller} was answered twice")),
            Some(Standing::Waits(waiting)) => {
                let request = waiting.request.filter(|request| request.class.is_request() && approves);
                match request.filter(|_| self.luck(6)) {
                    Some(request) => {
                        self.tally.undelivered += 1;
                        self.answer_lost(waiting.account, &request, AnswerLoss::Undelivered);
                    }
                    None => self.processor_sees(caller, waiting, answer),
                }
            }
            Some(Standing::Refused(waiting)) => {
                let Some(request) = waiting.request.filter(|_| approves) else { return };
                self.tally.withheld += 1;
                if self.planted != Planted::WithheldStands {
                    self.answer_lost(waiting.account, &request, AnswerLoss::Withheld);
                }
            }
        }
    }

    fn answer_lost(&mut self, account: usize, request: &Authorization, loss: AnswerLoss) {
        let references = References::of(request);
        self.decide(account, Command::AnswerLost { card: CardNo(0), references, loss });
    }

    /// The time of a request is over: the link says that there is no answer.
    pub(crate) fn caller_out_of_time(&mut self, caller: u64) {
        let Some(standing) = self.switch.callers.get_mut(&caller) else { return };
        if let Standing::Waits(waiting) = *standing {
            *standing = Standing::Refused(waiting);
            self.processor_is_refused(caller);
        }
    }

    pub(crate) fn tick(&mut self) {
        self.service.keep();
        if self.switch.up {
            (0..ACCOUNTS).for_each(|account| self.decide(account, Command::Tick));
        }
    }

    /// What is on disk stays, and perhaps some of what was written and not synced. Everything else is gone.
    pub(crate) fn switch_crashes(&mut self) {
        let switch = &mut self.switch;
        if !switch.up {
            return;
        }
        let written = switch.durable + self.random.random_range(0..=switch.journal.len() - switch.durable);
        let whole = switch.batches.range(switch.durable..=written).next_back();
        let half = self.planted == Planted::HalfABatchSurvives;
        let kept = if half { written } else { whole.copied().unwrap_or(switch.durable) };
        self.tally.switch_crashes += 1;
        self.tally.facts_lost += u64::try_from(switch.journal.len() - kept).unwrap();
        switch.journal.truncate(kept);
        switch.batches.retain(|end| *end <= kept);
        (switch.life, switch.up, switch.crashes) = (switch.life + 1, false, switch.crashes + 1);
        switch.callers.clear();
        switch.waiting.clear();
        self.funding.crash();
        self.tell(|_| format!("the switch crashes, {kept} facts are left"));
        self.later(20..300, Event::SwitchStarts);
    }

    pub(crate) fn switch_starts(&mut self) {
        let switch = &mut self.switch;
        switch.replay();
        (switch.durable, switch.durable_at, switch.up) = (switch.journal.len(), self.now.mono, true);
        (0..ACCOUNTS).for_each(|account| self.decide(account, Command::Resume));
    }
}

/// A fact without the parts of its request that say nothing to a reader.
fn short(fact: &Fact) -> String {
    let text = format!("{fact:?}");
    let request = text.find("request: ").zip(text.find("details: Details"));
    match request {
        None => text,
        Some((from, to)) => {
            let middle = &text[from..to];
            let kept: Vec<&str> = ["amount: ", "stan: ", "class: "]
                .iter()
                .filter_map(|name| middle[middle.find(name)?..].split(',').next())
                .collect();
            let rest = text[to..].find("deadline").map_or("", |end| &text[to + end..]);
            format!("{}{} {rest}", &text[..from], kept.join(" "))
        }
    }
}

fn is_owed_by(facts: &[Fact], wanted: &Duty) -> bool {
    facts.iter().any(|fact| matches!(fact, Fact::DutyOwed { duty } if duty == wanted))
}

/// The rules by which the switch stands in for its service; none in half of the worlds.
fn stand_in(random: &mut StdRng) -> Vec<StandInProgram> {
    if random.random_bool(0.5) {
        return Vec::new();
    }
    let of = |code: &str, whole: i64| {
        vec![RuleAmount { code: AssetCode::new(code).unwrap(), value: Decimal::new(whole, 0) }]
    };
    vec![StandInProgram {
        name: ProgramName::new("default").unwrap(),
        account_prefix: String::new(),
        mode: StandInMode::Automatic,
        outcomes: vec![
            FundingFailure::TimedOut,
            FundingFailure::Refused,
            FundingFailure::Reset,
            FundingFailure::HttpError,
            FundingFailure::Malformed,
            FundingFailure::BreakerOpen,
            FundingFailure::Overloaded,
        ],
        balance_age_max: Duration::from_secs(3_600),
        buffer_percent: 0,
        transaction_max: of("USD", 9),
        card_max: of("USD", 100),
        card_count_max: 10,
        account_max: of("USDT", 12),
        exposure_max: of("USDT", 15),
        blocked_types: Vec::new(),
        blocked_mcc: Vec::new(),
        first_use: true,
    }]
}

fn changes(account: usize) -> [Change; 2] {
    let issued = NewCard {
        id: CardId::new(&format!("card_{account}")).unwrap(),
        token: token(account),
        last_four: Pan::from_digits(b"4242424242424242").unwrap().last_four(),
        account: AccountNo(0),
        currency: Currency::from_alpha("USD").unwrap(),
        expiry: Expiry::new(2029, 12).unwrap(),
        funding: FundingMode::Jit,
        status: CardStatus::Active,
        controls: Controls::default(),
        limits: Vec::new(),
    };
    [
        Change::OpenAccount { id: account_id(account), asset: asset(), limits: vec![] },
        Change::IssueCard(issued),
    ]
}

pub(crate) fn shard_id(account: usize) -> ShardId {
    ShardId(u16::try_from(account).unwrap())
}

pub(crate) fn account_id(account: usize) -> AccountId {
    AccountId::new(&format!("acct_{account}")).unwrap()
}

pub(crate) fn asset() -> Asset {
    Asset::new(AssetCode::new("USDT").unwrap(), 6).unwrap()
}

pub(crate) fn token(account: usize) -> CardToken {
    CardToken([u8::try_from(account).unwrap() + 1; 16])
}

pub(crate) fn acquirer() -> AcquirerId {
    AcquirerId::new(12_345).unwrap()
}
