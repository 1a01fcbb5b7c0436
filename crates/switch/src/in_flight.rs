//! The requests of one connection that are not answered yet, in numbered slots.
//!
//! Bounded by the connection's maximum. Follow-ups have places of their own, a quarter as many again: they cannot be
//! refused, and a connection that is full of requests must go on being read, if only to say so. A slot is used again only after its answer was taken, and every request
//! gets exactly one answer, so an answer never finds another request in its slot. Requests that must be answered by
//! a deadline are chained in the order in which they came, which is that of their deadlines: the next one that is due
//! is found, and an answered one taken out, without a search.

use authorizer::{AnswerLoss, References};
use domain::{CardNo, Mono, ShardId};
use foldhash::fast::RandomState;
use iso8583::Message;
use std::collections::HashMap;

/// Where a request is decided, and what it is found again by there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Origin {
    pub(crate) shard: ShardId,
    pub(crate) card: CardNo,
    pub(crate) references: References,
}

/// A request that waits for its answer.
pub(crate) struct Waiting {
    /// The request; its elements are echoed in the answer.
    pub(crate) message: Message,
    /// When its frame was read.
    pub(crate) received: Mono,
    /// When its answer must have left.
    pub(crate) deadline: Mono,
    /// Set for a request. A follow-up is acknowledged whenever that can be done.
    pub(crate) origin: Option<Origin>,
}

impl Waiting {
    /// Whether this is answered without a decision when its deadline comes: what nobody waits for any more must not be
    /// approved. A repeat is not: its first answer may have been an approval that has arrived, and no other answer may
    /// ever follow it. Better the first one late, or a reversal by whoever could not wait.
    pub(crate) fn ends_at_its_deadline(&self) -> bool {
        self.origin.is_some() && !self.message.mti().is_repeat()
    }
}

/// What a slot held when its answer came.
pub(crate) enum Taken {
    /// The request, which waits for this answer.
    Waiting(Waiting),
    /// The request was answered without, because its deadline had come.
    Withheld(Option<Origin>),
}

/// Numbered slots.
pub(crate) struct InFlight {
    slots: Vec<Slot>,
    free: Vec<u32>,
    requests: usize,
    requests_max: usize,
    oldest: Option<u32>,
    newest: Option<u32>,
}

struct Slot {
    state: State,
    /// The neighbours in the chain of those that must be answered by a deadline.
    older: Option<u32>,
    newer: Option<u32>,
}

enum State {
    Free,
    Waiting(Waiting),
    Withheld(Option<Origin>),
}

/// Places for follow-ups beside those of so many requests.
const fn follow_ups_max(requests_max: usize) -> usize {
    requests_max.div_ceil(4)
}

impl InFlight {
    /// No requests, and room for so many.
    pub(crate) fn new(requests_max: usize) -> Self {
        let (slots, free) = (Vec::new(), Vec::new());
        Self { slots, free, requests: 0, requests_max, oldest: None, newest: None }
    }

    /// How many requests and follow-ups there can be at once.
    pub(crate) const fn places(requests_max: usize) -> usize {
        requests_max.saturating_add(follow_ups_max(requests_max))
    }

    /// How many slots are taken.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether no more requests fit.
    pub(crate) const fn is_full(&self) -> bool {
        self.requests >= self.requests_max
    }

    /// Whether no more follow-ups fit.
    pub(crate) fn is_full_of_follow_ups(&self) -> bool {
        self.len() - self.requests >= follow_ups_max(self.requests_max)
    }

    /// Keeps a request and returns its slot, or gives it back when there is no room.
    pub(crate) fn insert(&mut self, waiting: Waiting) -> Result<u32, Box<Waiting>> {
        let is_request = waiting.origin.is_some();
        let is_full = if is_request { self.is_full() } else { self.is_full_of_follow_ups() };
        if is_full {
            return Err(Box::new(waiting));
        }
        self.requests += usize::from(is_request);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { state: State::Free, older: None, newer: None });
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let chained = waiting.ends_at_its_deadline();
        if let Some(place) = self.slot(slot) {
            place.state = State::Waiting(waiting);
        }
        if chained {
            self.chain(slot);
        }
        Ok(slot)
    }

    /// Takes out what a slot holds, because its answer has come.
    pub(crate) fn take(&mut self, slot: u32) -> Option<Taken> {
        let taken = match std::mem::replace(&mut self.slot(slot)?.state, State::Free) {
            State::Free => return None,
            State::Withheld(origin) => {
                self.requests -= usize::from(origin.is_some());
                Taken::Withheld(origin)
            }
            State::Waiting(waiting) => {
                self.requests -= usize::from(waiting.origin.is_some());
                if waiting.ends_at_its_deadline() {
                    self.unchain(slot);
                }
                Taken::Waiting(waiting)
            }
        };
        self.free.push(slot);
        Some(taken)
    }

    /// When the next request is due that must be answered by its deadline.
    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        match &self.slots.get(usize::try_from(self.oldest?).ok()?)?.state {
            State::Waiting(waiting) => Some(waiting.deadline),
            State::Free | State::Withheld(_) => None,
        }
    }

    /// A request whose deadline has come. Its slot stays taken until its answer comes.
    pub(crate) fn withhold_due(&mut self, now: Mono) -> Option<Waiting> {
        let slot = self.oldest.filter(|_| self.next_deadline().is_some_and(|deadline| deadline <= now))?;
        self.unchain(slot);
        let place = self.slot(slot)?;
        match std::mem::replace(&mut place.state, State::Free) {
            State::Waiting(waiting) => {
                place.state = State::Withheld(waiting.origin);
                Some(waiting)
            }
            other @ (State::Free | State::Withheld(_)) => {
                place.state = other;
                None
            }
        }
    }

    /// The requests that have no answer yet, and whether they were answered without, by slot.
    pub(crate) fn origins(&self) -> HashMap<u32, (Origin, AnswerLoss), RandomState> {
        let taken = (0..).zip(&self.slots).filter_map(|(slot, place)| match &place.state {
            State::Waiting(waiting) => Some((slot, (waiting.origin?, AnswerLoss::Undelivered))),
            State::Withheld(origin) => Some((slot, ((*origin)?, AnswerLoss::Withheld))),
            State::Free => None,
        });
        taken.collect()
    }

    fn chain(&mut self, slot: u32) {
        let older = self.newest.replace(slot);
        if let Some(place) = self.slot(slot) {
            (place.older, place.newer) = (older, None);
        }
        match older.and_then(|older| self.slot(older)) {
            Some(older) => older.newer = Some(slot),
            None => self.oldest = Some(slot),
        }
    }

    fn unchain(&mut self, slot: u32) {
        let Some(place) = self.slot(slot) else { return };
        let (older, newer) = (place.older.take(), place.newer.take());
        match older.and_then(|older| self.slot(older)) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
        match newer.and_then(|newer| self.slot(newer)) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
    }

    fn slot(&mut self, slot: u32) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(slot).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use domain::{AcquirerId, Currency, MessageClass, Money, ProcessingCode, Stan, Transmission};

    fn origin() -> Origin {
        let references = References {
            class: MessageClass::AuthorizationRequest,
            processing_code: ProcessingCode(0),
            stan: Stan::new(1).unwrap(),
            transmission: Transmission::new(1_120_193_000).unwrap(),
            acquirer: AcquirerId::new(1).unwrap(),
            rrn: None,
            amount: Money::new(1, Currency::from_numeric(840).unwrap()),
        };
        Origin { shard: ShardId(0), card: CardNo(0), references }
    }

    fn waiting_or(at: u64, origin: Option<Origin>) -> Waiting {
        waiting_as(b"01000020000000000000000001", at, origin)
    }

    fn waiting_as(message: &'static [u8], at: u64, origin: Option<Origin>) -> Waiting {
        let dialect = iso8583::shipped("ascii-1987").unwrap().unwrap();
        let message = dialect.decode(Bytes::from_static(message)).unwrap();
        Waiting { message, received: Mono::from_nanos(at), deadline: Mono::from_nanos(at + 100), origin }
    }

    fn waiting(at: u64) -> Waiting {
        waiting_or(at, Some(origin()))
    }

    fn received(taken: Option<Taken>) -> Option<u64> {
        match taken? {
            Taken::Waiting(waiting) => Some(waiting.received.nanos()),
            Taken::Withheld(_) => None,
        }
    }

    #[test]
    fn each_request_comes_back_from_its_slot_once() {
        let mut in_flight = InFlight::new(3);
        let slots = [10, 20, 30].map(|at| in_flight.insert(waiting(at)).ok().unwrap());
        assert!(in_flight.is_full());
        assert_eq!(received(in_flight.take(slots[1])), Some(20));
        assert!(in_flight.take(slots[1]).is_none());
        assert!(in_flight.take(99).is_none());
        assert_eq!(in_flight.len(), 2);
    }

    #[test]
    fn a_slot_is_used_again_only_after_its_request_was_taken() {
        let mut in_flight = InFlight::new(2);
        let first = in_flight.insert(waiting(1)).ok().unwrap();
        let second = in_flight.insert(waiting(2)).ok().unwrap();
        assert_ne!(first, second);
        assert_eq!(in_flight.insert(waiting(3)).err().map(|refused| refused.received.nanos()), Some(3));
        in_flight.take(first);
        assert_eq!(in_flight.insert(waiting(4)).ok(), Some(first));
        assert_eq!(received(in_flight.take(second)), Some(2));
        assert_eq!(received(in_flight.take(first)), Some(4));
        assert_eq!(in_flight.len(), 0);
    }

    #[test]
    fn what_is_due_comes_in_the_order_of_arrival_and_keeps_its_slot_until_its_answer_comes() {
        let mut in_flight = InFlight::new(9);
        let slots: Vec<u32> = (1..=5).map(|at| in_flight.insert(waiting(at)).ok().unwrap()).collect();
        in_flight.insert(waiting_or(0, None)).ok().unwrap();
        // Answered out of order: the first, one in the middle, the last.
        for slot in [slots[2], slots[0], slots[4]] {
            assert!(in_flight.take(slot).is_some());
        }
        assert_eq!(in_flight.next_deadline(), Some(Mono::from_nanos(102)));
        assert!(in_flight.withhold_due(Mono::from_nanos(101)).is_none());
        let due = |in_flight: &mut InFlight| {
            in_flight.withhold_due(Mono::from_nanos(500)).map(|waiting| waiting.received.nanos())
        };
        assert_eq!([due(&mut in_flight), due(&mut in_flight), due(&mut in_flight)], [Some(2), Some(4), None]);
        assert_eq!((in_flight.next_deadline(), in_flight.len()), (None, 3));
        assert!(matches!(in_flight.take(slots[1]), Some(Taken::Withheld(Some(_)))));
        assert_eq!(in_flight.len(), 2);
        let again = in_flight.insert(waiting(7)).ok().unwrap();
        assert_eq!((again, due(&mut in_flight)), (slots[1], Some(7)));
    }

    #[test]
    fn follow_ups_have_places_of_their_own() {
        let mut in_flight = InFlight::new(4);
        let slots: Vec<u32> = (0..4).map(|at| in_flight.insert(waiting(at)).ok().unwrap()).collect();
        assert!(in_flight.is_full() && !in_flight.is_full_of_follow_ups());
        let follow_up = in_flight.insert(waiting_or(9, None)).ok().unwrap();
        assert!(in_flight.is_full_of_follow_ups());
        assert!(in_flight.insert(waiting_or(10, None)).is_err());
        in_flight.take(slots[0]);
        assert!(!in_flight.is_full() && in_flight.is_full_of_follow_ups(), "a request's place stays one");
        in_flight.take(follow_up);
        assert!(!in_flight.is_full_of_follow_ups());
        assert_eq!((in_flight.len(), InFlight::places(4), InFlight::places(1)), (3, 5, 2));
    }

    #[test]
    fn a_repeat_is_never_answered_without_its_first_answer() {
        let mut in_flight = InFlight::new(2);
        let repeat = waiting_as(b"01010020000000000000000001", 1, Some(origin()));
        let slot = in_flight.insert(repeat).ok().unwrap();
        assert_eq!(in_flight.next_deadline(), None);
        assert!(in_flight.withhold_due(Mono::from_nanos(500)).is_none());
        assert_eq!(in_flight.origins().len(), 1, "its loss is told all the same");
        assert_eq!(received(in_flight.take(slot)), Some(1));
    }
}
