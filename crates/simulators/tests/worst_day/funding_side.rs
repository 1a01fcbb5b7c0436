//! The switch's side of the network: asks with their budget and breaker, and duties until they are acknowledged.
//!
//! What the real client does with sockets and timers is done here with events; every decision is `funding`'s own.

use crate::network::{Heard, Reply};
use crate::planted::Planted;
use crate::switch::shard_id;
use crate::world::{Event, World};
use authorizer::{Command, ServiceWord};
use domain::FundingFailure::{BreakerOpen, HttpError, Malformed, Overloaded, Refused, Reset, TimedOut};
use domain::{Ask, Duty, FundingOutcome, Mono, ShardId, TransactionId};
use funding::contract::{self, Verdict};
use funding::{
    Admission, Backoff, Breaker, BreakerConfig, Budget, CallEnd, Duties, DutyKey, Permit, Resolution,
    Resolver,
};
use std::collections::BTreeMap;
use std::time::Duration;

const ASKS_OPEN_MAX: usize = 6;
const DUTIES_OPEN_MAX: usize = 3;
const DUTIES_MAX: usize = 60;
const ATTEMPT_WITHIN: Duration = Duration::from_millis(80);
const BUDGET: Budget = Budget {
    commit_margin: Duration::from_millis(10),
    write_margin: Duration::from_millis(10),
    ask_max: Duration::from_millis(1_800),
    ask_min: Duration::from_millis(5),
};
const DUTY_PAUSES: Backoff = Backoff { min: Duration::from_millis(20), max: Duration::from_millis(200) };

/// An ask under way.
struct OpenAsk {
    ask: Ask,
    permit: Permit,
    began: Mono,
    allowed: Duration,
}

/// What a crash forgets of it is made anew.
pub(crate) struct FundingSide {
    seed: u64,
    resolver: Resolver,
    breaker: Breaker,
    duties: Duties,
    asks: BTreeMap<TransactionId, OpenAsk>,
    /// Which attempt at each duty is listened to: the last.
    attempts: BTreeMap<DutyKey, u64>,
    /// The duties as they were ordered.
    ordered: BTreeMap<DutyKey, Duty>,
}

impl FundingSide {
    pub(crate) fn new(seed: u64) -> Self {
        let breaker = BreakerConfig {
            window: Duration::from_secs(1),
            calls_min: 4,
            open_for: Backoff { min: Duration::from_millis(50), max: Duration::from_millis(300) },
            probe_expires: Duration::from_millis(200),
            probes_to_close: 1,
            ..BreakerConfig::default()
        };
        Self {
            seed,
            resolver: Resolver::new(ASKS_OPEN_MAX),
            breaker: Breaker::new(breaker, seed),
            duties: Duties::new(DUTIES_MAX, DUTY_PAUSES, seed),
            asks: BTreeMap::new(),
            attempts: BTreeMap::new(),
            ordered: BTreeMap::new(),
        }
    }

    pub(crate) fn crash(&mut self) {
        *self = Self::new(self.seed);
    }

    pub(crate) fn pending(&self) -> usize {
        self.duties.pending()
    }

    pub(crate) fn asks_open(&self) -> usize {
        self.resolver.open()
    }
}

impl World {
    pub(crate) fn ask(&mut self, ask: Ask) {
        let now = self.now.mono;
        let Some(window) = BUDGET.window_until(ask.request.deadline, ask.request.details.ask_by, self.now)
        else {
            return self.ended(ask, FundingOutcome::NotAsked(TimedOut));
        };
        if self.funding.duties.is_full() {
            return self.ended(ask, FundingOutcome::NotAsked(Overloaded));
        }
        let id = ask.transaction;
        match self.funding.resolver.admit(id, window.answer_by) {
            Admission::Admitted => {}
            Admission::Full => return self.ended(ask, FundingOutcome::NotAsked(Overloaded)),
            Admission::AlreadyOpen => return self.complain(format!("{id} is asked for twice")),
        }
        let Some(permit) = self.funding.breaker.permit(now) else {
            self.tally.breaker_open += 1;
            let outcome = FundingOutcome::NotAsked(BreakerOpen);
            self.funding.resolver.end(id, outcome, now);
            return self.ended(ask, outcome);
        };
        let message = contract::ask(&ask, window.remaining, window.expires_at).unwrap();
        let open = OpenAsk { ask, permit, began: now, allowed: window.remaining };
        self.funding.asks.insert(id, open);
        let reply = Reply::Ask(self.switch.life, id);
        self.send(message, reply);
        self.at(window.answer_by, Event::AtSwitch(reply, Heard::Nothing));
    }

    pub(crate) fn at_switch(&mut self, reply: Reply, heard: &Heard) {
        match reply {
            Reply::Ask(life, id) if life == self.switch.life => self.ask_answered(id, heard),
            Reply::Duty(life, key, attempt) if life == self.switch.life => {
                self.duty_answered(key, attempt, heard);
            }
            // It was sent by a process that is no more.
            Reply::Ask(..) | Reply::Duty(..) => {}
        }
    }

    fn ask_answered(&mut self, id: TransactionId, heard: &Heard) {
        let Some(open) = self.funding.asks.get(&id) else { return };
        let outcome = match heard {
            Heard::Nothing => FundingOutcome::Unknown(TimedOut),
            Heard::Refused => FundingOutcome::NotAsked(Refused),
            Heard::Broken if self.planted == Planted::ResetIsNotAsked => FundingOutcome::NotAsked(Reset),
            Heard::Broken => FundingOutcome::Unknown(Reset),
            Heard::Error => FundingOutcome::Unknown(HttpError),
            Heard::Body(body) => match contract::answer(&open.ask, body, self.now.utc) {
                Ok(answer) => match answer.verdict {
                    Verdict::Approved(units) => FundingOutcome::Approved { units },
                    Verdict::Declined(code) => FundingOutcome::Declined { code },
                },
                Err(_) if self.planted == Planted::NonsenseApproves => {
                    FundingOutcome::Approved { units: open.ask.amounts.units }
                }
                Err(_) => FundingOutcome::Unknown(Malformed),
            },
        };
        let told = match heard {
            Heard::Body(body) => {
                contract::answer(&open.ask, body, self.now.utc).ok().and_then(|answer| answer.told)
            }
            Heard::Nothing | Heard::Refused | Heard::Broken | Heard::Error => None,
        };
        if let Some(balance) = told.and_then(|told| told.balance) {
            let balance = Some((balance.version, balance.available));
            let word = Box::new(ServiceWord { balance, ..ServiceWord::default() });
            self.decide(usize::from(id.shard.0), Command::ServiceTold { transaction: id.number, word });
        }
        let now = self.now.mono;
        let Resolution::Ended(outcome) = self.funding.resolver.end(id, outcome, now) else { return };
        let Some(OpenAsk { ask, permit, began, allowed }) = self.funding.asks.remove(&id) else { return };
        let slow = now.since(began) >= allowed * 8 / 10;
        let end = match outcome {
            FundingOutcome::Approved { .. } | FundingOutcome::Declined { .. } if slow => {
                CallEnd::AnsweredSlowly
            }
            FundingOutcome::Approved { .. } | FundingOutcome::Declined { .. } => CallEnd::Answered,
            FundingOutcome::NotAsked(_) | FundingOutcome::Unknown(_) => CallEnd::Failed,
        };
        self.funding.breaker.ended(permit, end, now);
        self.ended(ask, outcome);
    }

    fn ended(&mut self, ask: Ask, outcome: FundingOutcome) {
        if self.now.mono >= ask.request.deadline {
            // What came too late to be asked for is declined at once, by the link.
            let in_time = matches!(outcome, FundingOutcome::NotAsked(TimedOut));
            if !in_time {
                self.complain(format!("{} ended after its deadline", ask.transaction));
            }
        }
        let outcome = match outcome {
            FundingOutcome::Unknown(failure) => {
                self.tally.unknown += 1;
                self.tally.malformed += u64::from(failure == Malformed);
                if failure == TimedOut && self.planted == Planted::LateApprovalKept {
                    FundingOutcome::Declined { code: domain::Text::EMPTY }
                } else {
                    outcome
                }
            }
            FundingOutcome::NotAsked(_) => {
                self.tally.not_asked += 1;
                outcome
            }
            FundingOutcome::Approved { .. } | FundingOutcome::Declined { .. } => outcome,
        };
        self.tell(|_| format!("the ask {} ends: {outcome:?}", ask.transaction));
        let TransactionId { shard, number } = ask.transaction;
        self.decide(usize::from(shard.0), Command::AskEnded { transaction: number, outcome });
    }

    pub(crate) fn owe(&mut self, shard: ShardId, duty: Duty) {
        let key = DutyKey { shard, number: duty.number };
        self.funding.ordered.insert(key, duty);
        let queued = if self.planted == Planted::DutiesOvertake {
            Duty { transaction: duty.number, ..duty }
        } else {
            duty
        };
        self.funding.duties.owe(shard, queued, self.now.mono);
        self.at(self.now.mono, Event::SendDuties);
    }

    pub(crate) fn send_duties(&mut self) {
        let now = self.now.mono;
        while self.funding.duties.open() < DUTIES_OPEN_MAX {
            let Some(attempt) = self.funding.duties.next(now) else { break };
            let key = DutyKey { shard: attempt.shard, number: attempt.duty.number };
            let number = self.number();
            self.funding.attempts.insert(key, number);
            let message = contract::duty(key.shard, &self.funding.ordered[&key]).unwrap();
            let reply = Reply::Duty(self.switch.life, key, number);
            self.send(message, reply);
            self.at(now.plus(ATTEMPT_WITHIN), Event::AtSwitch(reply, Heard::Nothing));
        }
        if let Some(due) = self.funding.duties.wake_at().filter(|due| *due > now) {
            self.at(due, Event::SendDuties);
        }
    }

    fn duty_answered(&mut self, key: DutyKey, attempt: u64, heard: &Heard) {
        if self.funding.attempts.get(&key) != Some(&attempt) {
            return;
        }
        self.funding.attempts.remove(&key);
        let now = self.now.mono;
        let acknowledged = matches!(heard, Heard::Body(_)) || self.planted == Planted::FailureAcknowledges;
        let was_open = if acknowledged {
            self.funding.duties.acknowledged(key, now)
        } else {
            self.funding.duties.failed(key, Reset, now)
        };
        if !was_open {
            self.complain(format!("duty {key:?} ended and was not open"));
        }
        if acknowledged {
            let account = usize::from(key.shard.0);
            debug_assert_eq!(shard_id(account), key.shard);
            self.decide(account, Command::DutyAcknowledged { duty: key.number });
        }
        self.at(now, Event::SendDuties);
    }
}
