//! A simulated world, by seed and in virtual time: a switch that asks, stands in and reverses, a network that
//! loses, delays, repeats and garbles, and the service's books.
//!
//! The switch's side is made of the pure parts that the real one runs on (budget, resolver, duties, contract);
//! the service's side is the real ledger behind the real JSON. What is shown: whatever the network did, once it
//! has healed and all duties are done, the service holds exactly what the switch believes is held.

#![allow(clippy::panic)]

use super::books::Books;
use super::messages::Opening;
use domain::FundingFailure::{Malformed, Refused, Reset, TimedOut};
use domain::{
    AccountId, AcquirerId, Amounts, Ask, Asset, AssetCode, Authorization, CancelCause, CardId, CardToken,
    Currency, Duty, DutyKind, FundingOutcome, Merchant, MessageClass, Moment, Money, Mono, Pan,
    PartialApproval, ProcessingCode, ShardId, Stan, Text, Timestamp, TransactionId, TransactionNo,
    Transmission, Units,
};
use funding::contract::{self, Message, Verdict};
use funding::{Admission, Backoff, Budget, Duties, DutyKey, Resolution, Resolver};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::time::Duration;

const SHARD: ShardId = ShardId(3);
const ASKS: u64 = 24;
const ASKS_OPEN_MAX: usize = 12;
const DUTIES_OPEN_MAX: usize = 4;
const ATTEMPT_WITHIN: Duration = Duration::from_millis(80);
const BUDGET: Budget = Budget {
    commit_margin: Duration::from_millis(10),
    write_margin: Duration::from_millis(10),
    ask_max: Duration::from_millis(1_800),
    ask_min: Duration::from_millis(5),
};

/// What is on its way, or due.
#[derive(Clone, Debug)]
enum Event {
    /// A cardholder pays.
    Pay(TransactionId),
    /// The merchant takes it back.
    Reverse(TransactionId),
    /// Bytes reach the service; `None` when whoever sent them no longer listens.
    AtService(Message, Option<Reply>),
    /// Something reaches the switch about a message that it sent.
    AtSwitch(Reply, Heard),
    /// The duties that are due are sent.
    SendDuties,
}

/// Whose answer this is.
#[derive(Clone, Copy, Debug)]
enum Reply {
    Ask(TransactionId),
    Duty(DutyKey, Attempted),
}

/// Tells the attempts at one duty apart: only the last one is listened to.
type Attempted = u64;

#[derive(Clone, Debug)]
enum Heard {
    Body(Vec<u8>),
    Broken,
    Nothing,
}

struct World {
    random: StdRng,
    now: Mono,
    events: BTreeMap<(Mono, u64), Event>,
    serial: u64,
    /// The network misbehaves.
    storm: bool,

    books: Books,

    asks: BTreeMap<TransactionId, Ask>,
    resolver: Resolver,
    duties: Duties,
    attempts: BTreeMap<DutyKey, Attempted>,
    outcomes: BTreeMap<TransactionId, FundingOutcome>,
    reversed: BTreeMap<TransactionId, ()>,
    /// What the switch believes is held.
    believed: BTreeMap<TransactionId, Units>,
}

impl World {
    fn new(seed: u64) -> Self {
        let accounts =
            (0..4).map(|number| Opening { account: account(number), asset: usdt(), units: Units(4_000) });
        let backoff = Backoff { min: Duration::from_millis(20), max: Duration::from_millis(200) };
        let mut world = Self {
            random: StdRng::seed_from_u64(seed),
            now: Mono::default(),
            events: BTreeMap::new(),
            serial: 0,
            storm: true,
            books: Books::with(accounts),
            asks: BTreeMap::new(),
            resolver: Resolver::new(ASKS_OPEN_MAX),
            duties: Duties::new(1_000, backoff, seed),
            attempts: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            reversed: BTreeMap::new(),
            believed: BTreeMap::new(),
        };
        for number in 0..ASKS {
            let id = TransactionId { shard: SHARD, number: TransactionNo(number) };
            world.later(0..1_500, Event::Pay(id));
            if world.random.random_bool(0.3) {
                world.later(0..3_000, Event::Reverse(id));
            }
        }
        world
    }

    fn later(&mut self, ms: std::ops::Range<u64>, event: Event) {
        let pause = Duration::from_micros(self.random.random_range(ms.start * 1_000..ms.end * 1_000));
        self.at(self.now.plus(pause), event);
    }

    fn at(&mut self, time: Mono, event: Event) {
        self.serial += 1;
        self.events.insert((time, self.serial), event);
    }

    /// With this chance, if there is a storm.
    fn luck(&mut self, chance: f64) -> bool {
        self.random.random_bool(chance) && self.storm
    }

    fn run(mut self) -> Self {
        let calm = Mono::default().plus(Duration::from_secs(4));
        for _ in 0..200_000 {
            let Some(((time, _), event)) = self.events.pop_first() else { return self };
            assert!(time >= self.now, "time goes on");
            self.now = time;
            self.storm = time < calm;
            match event {
                Event::Pay(id) => self.pay(id),
                Event::Reverse(id) => self.reverse(id),
                Event::AtService(message, reply) => self.serve(&message, reply),
                Event::AtSwitch(Reply::Ask(id), heard) => self.ask_answered(id, &heard),
                Event::AtSwitch(Reply::Duty(key, attempt), heard) => self.duty_answered(key, attempt, &heard),
                Event::SendDuties => self.send_duties(),
            }
        }
        panic!("the world never comes to rest: {} duties are owed", self.duties.pending());
    }

    // The switch.

    fn pay(&mut self, id: TransactionId) {
        if self.reversed.contains_key(&id) {
            return;
        }
        let ask = self.new_ask(id);
        self.asks.insert(id, ask);
        let moment = Moment { utc: Timestamp::from_seconds(0), mono: self.now };
        let window = BUDGET.window(ask.request.deadline, moment).unwrap();
        if self.resolver.admit(id, window.answer_by) != Admission::Admitted || self.luck(0.1) {
            let overloaded_or_refused = FundingOutcome::NotAsked(Refused);
            match self.resolver.end(id, overloaded_or_refused, self.now) {
                Resolution::Ended(outcome) => self.ended(id, outcome),
                Resolution::EndedBefore => self.ended(id, overloaded_or_refused),
            }
            return;
        }
        let message = contract::ask(&ask, window.remaining, window.expires_at).unwrap();
        self.send(message, Reply::Ask(id));
        self.at(window.answer_by, Event::AtSwitch(Reply::Ask(id), Heard::Nothing));
    }

    fn ask_answered(&mut self, id: TransactionId, heard: &Heard) {
        let outcome = match heard {
            Heard::Nothing => FundingOutcome::Unknown(TimedOut),
            Heard::Broken => FundingOutcome::Unknown(Reset),
            Heard::Body(body) => match contract::verdict(&self.asks[&id], body) {
                Ok(Verdict::Approved(units)) => FundingOutcome::Approved { units },
                Ok(Verdict::Declined(code)) => FundingOutcome::Declined { code },
                Err(_) => FundingOutcome::Unknown(Malformed),
            },
        };
        if let Resolution::Ended(outcome) = self.resolver.end(id, outcome, self.now) {
            self.ended(id, outcome);
        }
    }

    fn ended(&mut self, id: TransactionId, outcome: FundingOutcome) {
        let ask = self.asks[&id];
        assert!(self.outcomes.insert(id, outcome).is_none(), "{id} ended twice");
        assert!(self.now < ask.request.deadline, "{id} ended after the processor's deadline");
        if self.reversed.contains_key(&id) {
            // Reversed in flight: the cancel is owed already, and this changes nothing.
            return;
        }
        let stand_in = self.random.random_bool(0.3);
        match outcome {
            FundingOutcome::Approved { units } => drop(self.believed.insert(id, units)),
            FundingOutcome::Declined { .. } => {}
            FundingOutcome::NotAsked(_) | FundingOutcome::Unknown(_) if stand_in => {
                self.believed.insert(id, ask.amounts.units);
                self.owe(id, DutyKind::Advise { merchant: Text::new("SHOP").unwrap() }, ask.amounts.units);
            }
            FundingOutcome::NotAsked(_) => {}
            FundingOutcome::Unknown(_) => {
                self.owe(id, DutyKind::Cancel(CancelCause::OutcomeUnknown), ask.amounts.units);
            }
        }
    }

    fn reverse(&mut self, id: TransactionId) {
        self.reversed.insert(id, ());
        let in_flight = self.asks.contains_key(&id) && !self.outcomes.contains_key(&id);
        let held = self.believed.remove(&id);
        let units = if in_flight { Some(self.asks[&id].amounts.units) } else { held };
        if let Some(units) = units {
            self.owe(id, DutyKind::Cancel(CancelCause::Reversed), units);
        }
    }

    fn owe(&mut self, id: TransactionId, kind: DutyKind, units: Units) {
        self.serial += 1;
        let (number, ask) = (TransactionNo(self.serial), self.asks[&id]);
        let duty = Duty {
            number,
            transaction: id.number,
            account: ask.account,
            kind,
            units,
            asset: ask.asset,
            sequence: 1,
            account_sequence: self.serial,
        };
        self.duties.owe(SHARD, duty, self.now);
        self.at(self.now, Event::SendDuties);
    }

    fn send_duties(&mut self) {
        while self.duties.open() < DUTIES_OPEN_MAX {
            let Some(attempt) = self.duties.next(self.now) else { break };
            let key = DutyKey { shard: SHARD, number: attempt.duty.number };
            self.serial += 1;
            let attempted = self.serial;
            self.attempts.insert(key, attempted);
            let message = contract::duty(SHARD, &attempt.duty).unwrap();
            self.send(message, Reply::Duty(key, attempted));
            let gives_up = self.now.plus(ATTEMPT_WITHIN);
            self.at(gives_up, Event::AtSwitch(Reply::Duty(key, attempted), Heard::Nothing));
        }
        if let Some(due) = self.duties.wake_at().filter(|due| *due > self.now) {
            self.at(due, Event::SendDuties);
        }
    }

    fn duty_answered(&mut self, key: DutyKey, attempted: Attempted, heard: &Heard) {
        if self.attempts.get(&key) != Some(&attempted) {
            return;
        }
        self.attempts.remove(&key);
        let was_open = match heard {
            Heard::Body(_) => self.duties.acknowledged(key, self.now),
            Heard::Broken | Heard::Nothing => self.duties.failed(key, Reset, self.now),
        };
        assert!(was_open, "only an open duty can end");
        self.at(self.now, Event::SendDuties);
    }

    // The network.

    fn send(&mut self, message: Message, reply: Reply) {
        if self.luck(0.1) {
            // Lost on the way; the sender hears of it, or does not.
            if self.random.random_bool(0.5) {
                self.later(0..20, Event::AtSwitch(reply, Heard::Broken));
            }
            return;
        }
        let slow = self.luck(0.2);
        if self.luck(0.1) {
            // Something in between sends it again, much later.
            self.later(0..2_000, Event::AtService(message.clone(), None));
        }
        self.later(if slow { 0..900 } else { 0..5 }, Event::AtService(message, Some(reply)));
    }

    fn answer(&mut self, reply: Reply, mut body: Vec<u8>) {
        let heard = if self.luck(0.1) {
            Heard::Broken
        } else if self.luck(0.1) {
            // An acknowledgement has no words to garble.
            if let Reply::Ask(_) = reply {
                body.truncate(body.len() / 2);
            }
            Heard::Body(body)
        } else {
            Heard::Body(body)
        };
        let slow = self.luck(0.2);
        self.later(if slow { 0..900 } else { 0..5 }, Event::AtSwitch(reply, heard));
    }

    // The service.

    fn serve(&mut self, message: &Message, reply: Option<Reply>) {
        let body = self.books.take(message.path, &message.body).unwrap();
        if let Some(reply) = reply {
            self.answer(reply, body);
        }
    }

    fn new_ask(&mut self, id: TransactionId) -> Ask {
        let minor = self.random.random_range(1..900);
        let amount = Money::new(minor, Currency::from_alpha("USD").unwrap());
        let patience = Duration::from_millis(self.random.random_range(100..600));
        let partial = if self.random.random_bool(0.5) {
            PartialApproval::Supported
        } else {
            PartialApproval::NotSupported
        };
        Ask {
            transaction: id,
            account: account(self.random.random_range(0..4)),
            card: CardId::new("card_1").unwrap(),
            last_four: Pan::from_digits(b"4242424242424242").unwrap().last_four(),
            request: Authorization {
                class: MessageClass::AuthorizationRequest,
                card: CardToken([7; 16]),
                processing_code: ProcessingCode(0),
                amount,
                billing: None,
                transmission: Transmission::new(1_120_184_531).unwrap(),
                stan: Stan::new(id.number.0).unwrap(),
                acquirer: AcquirerId::new(1).unwrap(),
                rrn: None,
                entry_mode: None,
                merchant: Merchant::default(),
                partial,
                details: domain::Details::default(),
                expiry: None,
                deadline: self.now.plus(patience),
            },
            amounts: Amounts { card: amount, units: Units(minor.into()) },
            asset: Asset::new(usdt(), 6).unwrap(),
            rate: None,
            received: Timestamp::from_seconds(0),
            held: Units(0),
            outstanding_standin: Units(0),
        }
    }
}

fn account(number: u64) -> AccountId {
    AccountId::new(&format!("acct_{number}")).unwrap()
}

fn usdt() -> AssetCode {
    AssetCode::new("USDT").unwrap()
}

/// How many worlds are simulated; more on request.
fn seeds() -> u64 {
    std::env::var("AUTHSWITCH_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(600)
}

#[test]
fn when_the_network_has_healed_both_sides_hold_the_same() {
    let (mut tombstones, mut repeats, mut stood_in, mut ended) = (0, 0, 0, 0);
    for seed in 0..seeds() {
        let world = World::new(seed).run();
        let books = world.books.view();
        assert_eq!(world.outcomes.len(), world.asks.len(), "seed {seed}: an ask has no outcome");
        assert_eq!((world.duties.pending(), world.duties.open()), (0, 0), "seed {seed}: duties");
        assert_eq!(books.outstanding, world.believed, "seed {seed}: the books differ");
        tombstones += books.counts.tombstones;
        repeats += books.counts.ask_repeats + books.counts.duty_repeats;
        stood_in += books.counts.advices;
        ended += world.outcomes.len();
    }
    // The storm was one: a test in which nothing goes wrong shows nothing.
    assert!(tombstones > 0 && repeats > 0 && stood_in > 0, "{tombstones} {repeats} {stood_in} of {ended}");
}
