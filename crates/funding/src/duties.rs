//! What the switch owes the balance service until the service acknowledges it: cancels and advices.
//!
//! Guarantees: a duty stays until it is acknowledged; two duties of one transaction are never open at the
//! same time, and the later one waits for the earlier; a duty that failed comes again after a pause that
//! doubles up to a maximum, spread at random so that a service which comes back is not met by all at once.
//!
//! Nothing is refused here: a duty is durable before it is handed over, so refusing it would only forget it
//! until the next start. The bound lies where duties are made: with [`Duties::is_full`] no more asks go out.
//!
//! Pure: time is an argument and chance comes from a seed. It deliberately sends nothing and stores nothing.

use crate::backoff::{Backoff, Chance};
use domain::{Duty, DutyNo, FundingFailure, Mono, ShardId, Timestamp, TransactionId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::time::Duration;

/// Names a duty across the whole switch.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DutyKey {
    /// The shard that owes it.
    pub shard: ShardId,
    /// Its number there.
    pub number: DutyNo,
}

/// A duty to be sent now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attempt {
    /// Which shard owes it.
    pub shard: ShardId,
    /// What to send.
    pub duty: Duty,
    /// How often it was sent before.
    pub failures: u32,
}

/// One duty that is owed, as people look at it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OwedDuty {
    /// Which shard owes it.
    pub shard: ShardId,
    /// What has to be said.
    pub duty: Duty,
    /// How often it was tried; 0 for one that waits behind another of its transaction.
    pub failures: u32,
    /// Why the last attempt failed.
    pub last_failure: Option<FundingFailure>,
    /// Where it stands.
    pub standing: Standing,
}

/// Where a duty stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It was sent, and its end is awaited.
    UnderWay,
    /// It is sent again after this time.
    Waiting(Duration),
    /// It waits for an earlier one of its transaction.
    Behind,
}

/// The duties of one transaction, in order; only the first is ever open.
#[derive(Debug, Default)]
struct Queue {
    duties: VecDeque<Duty>,
    failures: u32,
    last_failure: Option<FundingFailure>,
    state: QueueState,
    /// When the first is due, while it waits.
    due: Mono,
}

/// Where a transaction's first duty stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum QueueState {
    /// It waits for its time.
    Waiting,
    /// It was sent, and its end is awaited.
    #[default]
    Open,
}

/// Everything that is owed.
#[derive(Debug)]
pub struct Duties {
    queues: BTreeMap<TransactionId, Queue>,
    // The waiting queues, by the time when they are due: the next one to send is the first.
    due: BTreeSet<(Mono, TransactionId)>,
    // Queues whose wait was cut short. They come before the others.
    hastened: BTreeSet<(Mono, TransactionId)>,
    // Every duty that is owed: recognises one that is handed over twice.
    known: BTreeMap<DutyKey, TransactionId>,
    // The same by age: tells the oldest without a walk over all.
    ages: BTreeSet<(DutyNo, ShardId)>,
    open: usize,
    duties_max: usize,
    backoff: Backoff,
    chance: Chance,
}

impl Duties {
    /// Nothing is owed yet. `duties_max` only feeds [`Duties::is_full`].
    #[must_use]
    pub fn new(duties_max: usize, backoff: Backoff, seed: u64) -> Self {
        Self {
            queues: BTreeMap::new(),
            due: BTreeSet::new(),
            hastened: BTreeSet::new(),
            known: BTreeMap::new(),
            ages: BTreeSet::new(),
            open: 0,
            duties_max,
            backoff,
            chance: Chance::new(seed),
        }
    }

    /// Takes a duty over. One that is owed already is not taken twice.
    pub fn owe(&mut self, shard: ShardId, duty: Duty, now: Mono) {
        let transaction = TransactionId { shard, number: duty.transaction };
        let key = DutyKey { shard, number: duty.number };
        if self.known.insert(key, transaction).is_some() {
            return;
        }
        self.ages.insert((key.number, key.shard));
        let queue = self.queues.entry(transaction).or_default();
        queue.duties.push_back(duty);
        if queue.duties.len() == 1 {
            queue.state = QueueState::Waiting;
            queue.due = now;
            self.due.insert((now, transaction));
        }
    }

    /// The next duty that is due, if any. It is open from now on, until it is acknowledged or has failed.
    pub fn next(&mut self, now: Mono) -> Option<Attempt> {
        let transaction = match self.hastened.pop_first() {
            Some((_, transaction)) => transaction,
            None => {
                let (due, transaction) = *self.due.first()?;
                if due > now {
                    return None;
                }
                self.due.pop_first();
                transaction
            }
        };
        let queue = self.queues.get_mut(&transaction)?;
        let duty = *queue.duties.front()?;
        queue.state = QueueState::Open;
        self.open = self.open.saturating_add(1);
        Some(Attempt { shard: transaction.shard, duty, failures: queue.failures })
    }

    /// The service has acknowledged an open duty: it is owed no more, and the next of its transaction is due.
    /// Returns whether it was open.
    pub fn acknowledged(&mut self, key: DutyKey, now: Mono) -> bool {
        let Some(transaction) = self.open_transaction(key) else { return false };
        self.known.remove(&key);
        self.open = self.open.saturating_sub(1);
        let Some(queue) = self.queues.get_mut(&transaction) else { return false };
        queue.duties.pop_front();
        self.ages.remove(&(key.number, key.shard));
        queue.failures = 0;
        queue.last_failure = None;
        if queue.duties.is_empty() {
            self.queues.remove(&transaction);
        } else {
            queue.state = QueueState::Waiting;
            queue.due = now;
            self.due.insert((now, transaction));
        }
        true
    }

    /// An attempt at an open duty failed: it comes again after a pause. Returns whether it was open.
    pub fn failed(&mut self, key: DutyKey, failure: FundingFailure, now: Mono) -> bool {
        let Some(transaction) = self.open_transaction(key) else { return false };
        self.open = self.open.saturating_sub(1);
        let chance = self.chance.next();
        let Some(queue) = self.queues.get_mut(&transaction) else { return false };
        queue.failures = queue.failures.saturating_add(1);
        queue.last_failure = Some(failure);
        let due = now.plus(self.backoff.pause(queue.failures, chance));
        queue.state = QueueState::Waiting;
        queue.due = due;
        self.due.insert((due, transaction));
        true
    }

    /// Cuts every wait short: the service is known to be back, or an operator says so. Duties that fail again
    /// go on with the pauses that they had reached.
    pub fn hasten(&mut self) {
        self.hastened.append(&mut self.due);
    }

    /// Cuts the wait of one duty's transaction short; the earlier ones of that transaction still come before it.
    /// Returns where the duty stands afterwards; `None` for one that is not owed.
    pub fn hasten_one(&mut self, key: DutyKey, now: Mono) -> Option<Standing> {
        let transaction = *self.known.get(&key)?;
        let queue = self.queues.get(&transaction)?;
        if queue.state == QueueState::Waiting && self.due.remove(&(queue.due, transaction)) {
            self.hastened.insert((queue.due, transaction));
        }
        self.owed(key, now).map(|owed| owed.standing)
    }

    /// Up to `count_max` duties that are owed, in the order of their keys, from behind `after` on.
    #[must_use]
    pub fn list(&self, after: Option<DutyKey>, count_max: usize, now: Mono) -> Vec<OwedDuty> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let keys = self.known.range((from, Bound::Unbounded)).map(|(key, _)| *key);
        keys.filter_map(|key| self.owed(key, now)).take(count_max).collect()
    }

    fn owed(&self, key: DutyKey, now: Mono) -> Option<OwedDuty> {
        let transaction = *self.known.get(&key)?;
        let queue = self.queues.get(&transaction)?;
        let place = queue.duties.iter().position(|duty| duty.number == key.number)?;
        let duty = *queue.duties.get(place)?;
        let hastened = self.hastened.contains(&(queue.due, transaction));
        let standing = match (place, queue.state) {
            (0, QueueState::Open) => Standing::UnderWay,
            (0, QueueState::Waiting) if hastened => Standing::Waiting(Duration::ZERO),
            (0, QueueState::Waiting) => Standing::Waiting(queue.due.since(now)),
            _ => Standing::Behind,
        };
        let (failures, last_failure) =
            if place == 0 { (queue.failures, queue.last_failure) } else { (0, None) };
        Some(OwedDuty { shard: key.shard, duty, failures, last_failure, standing })
    }

    /// When the next duty is due; `None` when nothing waits. A time long past where the wait was cut short.
    #[must_use]
    pub fn wake_at(&self) -> Option<Mono> {
        if self.hastened.is_empty() { self.due.first().map(|(due, _)| *due) } else { Some(Mono::default()) }
    }

    /// How many duties are owed, the open ones included.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.known.len()
    }

    /// How many duties are open: sent, and not yet ended.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// Whether as many duties are owed as there should be. Nothing that may lead to another one should begin.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.pending() >= self.duties_max
    }

    /// For how long the oldest duty has been owed, restarts included: numbers are readings of the clock.
    #[must_use]
    pub fn oldest(&self, now: Timestamp) -> Option<Duration> {
        let (number, _) = self.ages.first()?;
        Some(now.since(Timestamp::from_micros(i64::try_from(number.0).unwrap_or(i64::MAX))))
    }

    /// The transaction of a duty, if exactly this duty is open.
    fn open_transaction(&self, key: DutyKey) -> Option<TransactionId> {
        let transaction = *self.known.get(&key)?;
        let queue = self.queues.get(&transaction)?;
        let first = queue.duties.front()?.number;
        (queue.state == QueueState::Open && first == key.number).then_some(transaction)
    }
}

#[cfg(test)]
#[path = "duties_tests.rs"]
mod tests;
