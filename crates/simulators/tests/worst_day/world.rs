//! The world: its clock, what is on its way or due, its storm, and how it is played to its end.

use crate::books;
use crate::funding_side::FundingSide;
use crate::network::{Heard, Reply, Service};
use crate::plan::{self, Sent};
use crate::planted::Planted;
use crate::processor::Processor;
use crate::switch::{Durable, Switch};
use domain::{Moment, Mono, Timestamp};
use funding::contract::Message;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// Until when everything goes wrong.
pub(crate) const STORM: Duration = Duration::from_millis(4_000);
/// Until when time is told to the shards: every hold has run out by then.
const TICKS_UNTIL: Duration = Duration::from_millis(9_000);
const TICK: Duration = Duration::from_millis(250);

/// What is on its way, or due.
#[derive(Debug)]
pub(crate) enum Event {
    /// The processor sends a message of its plan.
    Sends(usize),
    /// The time of a caller of the switch is over.
    CallerOutOfTime(u64),
    /// The processor has waited long enough for an answer.
    NoAnswerCame(u64),
    /// A batch of the switch is on disk.
    OnDisk(Durable),
    /// Time is told to the shards.
    Tick,
    /// The switch dies, or is back.
    SwitchCrashes,
    SwitchStarts,
    /// The service dies, or is back.
    ServiceCrashes,
    ServiceStarts,
    /// Bytes reach the service; `None` when whoever sent them no longer listens.
    AtService(Message, Option<Reply>),
    /// The service has written a message down, in this life of its.
    ServiceDone(u64, Message, Option<Reply>),
    /// Something reaches the switch about a message that it sent.
    AtSwitch(Reply, Heard),
    /// The duties that are due are sent.
    SendDuties,
}

/// What has happened in one world or in all of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) approvals: u64,
    pub(crate) unknown: u64,
    pub(crate) not_asked: u64,
    pub(crate) breaker_open: u64,
    pub(crate) malformed: u64,
    pub(crate) tombstones: u64,
    pub(crate) repeats: u64,
    pub(crate) reversals: u64,
    pub(crate) clearings: u64,
    pub(crate) refunds: u64,
    pub(crate) expiries: u64,
    pub(crate) stood_in: u64,
    pub(crate) withheld: u64,
    pub(crate) undelivered: u64,
    pub(crate) switch_crashes: u64,
    pub(crate) facts_lost: u64,
    pub(crate) service_crashes: u64,
}

impl Tally {
    pub(crate) const fn rows(&self) -> [(&'static str, u64); 17] {
        [
            ("an approval", self.approvals),
            ("an unknown outcome", self.unknown),
            ("an ask that was not made", self.not_asked),
            ("an open breaker", self.breaker_open),
            ("a malformed answer", self.malformed),
            ("a cancel before its ask", self.tombstones),
            ("a repeated message", self.repeats),
            ("a reversal of a part", self.reversals),
            ("a clearing", self.clearings),
            ("a refund", self.refunds),
            ("a hold that ran out", self.expiries),
            ("an approval in the service's place", self.stood_in),
            ("an approval withheld", self.withheld),
            ("an approval undelivered", self.undelivered),
            ("a crash of the switch", self.switch_crashes),
            ("a fact lost in a crash", self.facts_lost),
            ("a crash of the service", self.service_crashes),
        ]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let Self {
            approvals,
            unknown,
            not_asked,
            breaker_open,
            malformed,
            tombstones,
            repeats,
            reversals,
            clearings,
            refunds,
            expiries,
            stood_in,
            withheld,
            undelivered,
            switch_crashes,
            facts_lost,
            service_crashes,
        } = other;
        for (mine, more) in [
            (&mut self.approvals, approvals),
            (&mut self.unknown, unknown),
            (&mut self.not_asked, not_asked),
            (&mut self.breaker_open, breaker_open),
            (&mut self.malformed, malformed),
            (&mut self.tombstones, tombstones),
            (&mut self.repeats, repeats),
            (&mut self.reversals, reversals),
            (&mut self.clearings, clearings),
            (&mut self.refunds, refunds),
            (&mut self.expiries, expiries),
            (&mut self.stood_in, stood_in),
            (&mut self.withheld, withheld),
            (&mut self.undelivered, undelivered),
            (&mut self.switch_crashes, switch_crashes),
            (&mut self.facts_lost, facts_lost),
            (&mut self.service_crashes, service_crashes),
        ] {
            *mine += more;
        }
    }
}

/// Everything at once. Its parts' behaviour stands in their own files.
pub(crate) struct World {
    pub(crate) random: StdRng,
    pub(crate) now: Moment,
    events: BTreeMap<(Mono, u64), Event>,
    serial: u64,
    /// Whether things go wrong.
    storm: bool,
    pub(crate) planted: Planted,
    pub(crate) plan: Vec<Sent>,
    pub(crate) processor: Processor,
    pub(crate) switch: Switch,
    pub(crate) funding: FundingSide,
    pub(crate) service: Service,
    pub(crate) tally: Tally,
    /// The first thing that was not as it must be.
    problem: Option<String>,
    /// What happens, line by line, where somebody wants to read it.
    story: Option<String>,
}

impl World {
    pub(crate) fn new(seed: u64, planted: Planted) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let plan = plan::draw(&mut random);
        let now = Moment { utc: Timestamp::from_seconds(1_795_176_000), mono: Mono::default() };
        let switch = Switch::new(&mut random, now);
        let mut world = Self {
            random,
            now,
            events: BTreeMap::new(),
            serial: 0,
            storm: true,
            planted,
            plan,
            processor: Processor::default(),
            switch,
            funding: FundingSide::new(seed),
            service: Service::new(),
            tally: Tally::default(),
            problem: None,
            story: None,
        };
        world.schedule();
        world
    }

    fn schedule(&mut self) {
        for place in 0..self.plan.len() {
            let at = self.plan[place].at;
            self.at(Mono::default().plus(at), Event::Sends(place));
        }
        let mut at = TICK;
        while at <= TICKS_UNTIL {
            self.at(Mono::default().plus(at), Event::Tick);
            at += TICK;
        }
        for _ in 0..self.random.random_range(0..3) {
            self.later(100..3_000, Event::SwitchCrashes);
        }
        for _ in 0..self.random.random_range(0..3) {
            self.later(100..3_000, Event::ServiceCrashes);
        }
    }

    pub(crate) fn later(&mut self, ms: Range<u64>, event: Event) {
        let pause = Duration::from_micros(self.random.random_range(ms.start * 1_000..ms.end * 1_000));
        self.at(self.now.mono.plus(pause), event);
    }

    pub(crate) fn at(&mut self, time: Mono, event: Event) {
        self.serial += 1;
        self.events.insert((time, self.serial), event);
    }

    /// A number that was never given before.
    pub(crate) const fn number(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// With this many chances of a hundred, while there is a storm.
    pub(crate) fn luck(&mut self, hundredths: u32) -> bool {
        self.random.random_range(0..100) < hundredths && self.storm
    }

    /// Something is not as it must be.
    pub(crate) fn complain(&mut self, problem: String) {
        self.problem
            .get_or_insert(format!("at {:?}: {problem}", Duration::from_nanos(self.now.mono.nanos())));
    }

    /// Notes what happens, if anybody wants to read it.
    pub(crate) fn tell(&mut self, line: impl FnOnce(&Self) -> String) {
        let at = Duration::from_nanos(self.now.mono.nanos());
        if self.story.is_some() {
            let line = format!("{:>9.3} ms  {}\n", at.as_secs_f64() * 1_000.0, line(self));
            self.story.get_or_insert_default().push_str(&line);
        }
    }

    /// Plays it to the end, and tells what happened; what led to it where it panics.
    pub(crate) fn story(mut self) -> String {
        self.story = Some(String::new());
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while let Some(((time, _), event)) = self.events.pop_first() {
                self.pass(time);
                self.happen(event);
            }
        }));
        let end = if told.is_err() { "It panics here.\n" } else { "" };
        self.story.unwrap_or_default() + end
    }

    fn pass(&mut self, time: Mono) {
        let passed = time.since(self.now.mono);
        self.now = Moment { utc: self.now.utc.plus(passed), mono: self.now.mono.plus(passed) };
        self.storm = self.now.mono < Mono::default().plus(STORM);
    }

    /// Plays it to the end.
    pub(crate) fn play(mut self) -> Result<Tally, String> {
        for _ in 0..100_000 {
            if let Some(problem) = self.problem.take() {
                return Err(problem);
            }
            let Some(((time, _), event)) = self.events.pop_first() else {
                books::compare(&self)?;
                let counts = self.service.books().view().counts;
                self.tally.tombstones = counts.tombstones;
                self.tally.repeats = counts.ask_repeats + counts.duty_repeats;
                self.tally.reversals = counts.reversals;
                self.tally.clearings = counts.clearings;
                self.tally.refunds = counts.refunds;
                self.tally.expiries = self.switch.expiries();
                self.tally.stood_in = self.switch.stood_in();
                return Ok(self.tally);
            };
            self.pass(time);
            self.happen(event);
        }
        Err(format!("the world never comes to rest: {} duties are owed", self.funding.pending()))
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Sends(place) => self.processor_sends(place),
            Event::CallerOutOfTime(caller) => self.caller_out_of_time(caller),
            Event::NoAnswerCame(caller) => self.no_answer_came(caller),
            Event::OnDisk(durable) => self.on_disk(durable),
            Event::Tick => self.tick(),
            Event::SwitchCrashes => self.switch_crashes(),
            Event::SwitchStarts => self.switch_starts(),
            Event::ServiceCrashes => self.service_crashes(),
            Event::ServiceStarts => self.service.start(),
            Event::AtService(message, reply) => self.at_service(message, reply),
            Event::ServiceDone(life, message, reply) => self.service_done(life, &message, reply),
            Event::AtSwitch(reply, heard) => self.at_switch(reply, &heard),
            Event::SendDuties => self.send_duties(),
        }
    }
}
