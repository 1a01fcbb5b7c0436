//! Where answers find their way back: one door a connection.
//!
//! A caller is a connection and a slot in it. Answers are handed over from the journal's thread through a bounded
//! lock-free queue with as many places as the connection may have messages in flight, so it is never full. Each
//! connection is woken once for all answers of a batch.

use crate::in_flight::Origin;
use authorizer::{Answer, AnswerLoss, Caller};
use crossbeam::queue::ArrayQueue;
use dashmap::DashMap;
use dashmap::mapref::one::Ref;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Notify;

/// An answer for the request in a slot.
pub(crate) type Delivery = (u32, Answer);

/// The receiving end of one connection's answers.
pub(crate) struct Door {
    number: u32,
    answers: ArrayQueue<Delivery>,
    notify: Notify,
}

/// Requests without a connection, by slot, and how their answers are lost.
type Orphans = HashMap<u32, (Origin, AnswerLoss), RandomState>;

/// An answer without a connection: whose it was, if it was a request's.
pub(crate) type Lost = Option<(Origin, AnswerLoss)>;

/// Delivers answers, one after another, and wakes their connections in the end. Answers that follow one another mostly go
/// to the same connection, which is then looked up once.
pub(crate) struct Deliveries<'a> {
    doors: &'a Doors,
    /// The door of the answer before. It cannot be closed meanwhile, so nothing is ever put behind a closed one.
    open: Option<Ref<'a, u32, Arc<Door>>>,
    to_wake: Vec<Arc<Door>>,
}

/// All connections that are open.
#[derive(Default)]
pub(crate) struct Doors {
    open: DashMap<u32, Arc<Door>, RandomState>,
    /// Requests of connections that are gone, whose answers have not come yet. Each gets exactly one, so none stays.
    orphans: DashMap<u32, Orphans, RandomState>,
    next: AtomicU32,
}

impl Doors {
    /// Opens a door for a connection with so many messages in flight at most.
    pub(crate) fn open(&self, in_flight_max: usize) -> Arc<Door> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let answers = ArrayQueue::new(in_flight_max.max(1));
        let door = Arc::new(Door { number, answers, notify: Notify::new() });
        self.open.insert(number, Arc::clone(&door));
        door
    }

    /// Closes a door; answers that come later find nobody. What `waiting` says of them is remembered first, so that
    /// none slips through between.
    pub(crate) fn close(&self, door: &Door, waiting: Orphans) {
        if !waiting.is_empty() {
            self.orphans.insert(door.number, waiting);
        }
        self.open.remove(&door.number);
    }

    /// The answer of a slot behind a closed door was found; returns what was remembered of it.
    pub(crate) fn forget(&self, door: &Door, slot: u32) {
        self.orphan(door.number, slot);
    }

    /// Whether no connection is open.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Deliveries of one batch.
    pub(crate) const fn deliveries(&self) -> Deliveries<'_> {
        Deliveries { doors: self, open: None, to_wake: Vec::new() }
    }

    fn orphan(&self, number: u32, slot: u32) -> Option<(Origin, AnswerLoss)> {
        let found = self.orphans.get_mut(&number)?.remove(&slot);
        self.orphans.remove_if(&number, |_, left| left.is_empty());
        found
    }
}

impl Deliveries<'_> {
    /// Delivers one answer without waking its connection yet, or says whose it was.
    pub(crate) fn deliver(&mut self, caller: Caller, answer: Answer) -> Result<(), Lost> {
        let (number, slot) = unpack(caller);
        if self.open.as_ref().is_none_or(|door| *door.key() != number) {
            self.look_up(number);
        }
        match &self.open {
            Some(door) if door.answers.push((slot, answer)).is_ok() => Ok(()),
            _ => {
                self.pause();
                Err(self.doors.orphan(number, slot))
            }
        }
    }

    /// Holds no door open, while something else is done than delivering.
    pub(crate) fn pause(&mut self) {
        self.open = None;
    }

    fn look_up(&mut self, number: u32) {
        // The one before first: whoever waits to close a door would keep us from reading a second time.
        self.open = None;
        self.open = self.doors.open.get(&number);
        if let Some(door) = &self.open
            && self.to_wake.iter().all(|other| other.number != number)
        {
            self.to_wake.push(Arc::clone(door.value()));
        }
    }

    /// Wakes every connection that has got answers, once.
    pub(crate) fn finish(mut self) {
        self.pause();
        for door in self.to_wake {
            door.wake();
        }
    }
}

impl Door {
    /// The caller that stands for a slot of this connection.
    pub(crate) fn caller(&self, slot: u32) -> Caller {
        Caller(u64::from(self.number) << 32 | u64::from(slot))
    }

    /// The slot that a caller of this connection stands for.
    pub(crate) fn slot(&self, caller: Caller) -> u32 {
        unpack(caller).1
    }

    /// The next answer, if one has come.
    pub(crate) fn take(&self) -> Option<Delivery> {
        self.answers.pop()
    }

    /// Tells the connection that answers have come.
    pub(crate) fn wake(&self) {
        self.notify.notify_one();
    }

    /// Waits until answers have come. Safe to abandon: a wake-up that nobody waited for is kept.
    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }
}

fn unpack(caller: Caller) -> (u32, u32) {
    let number = u32::try_from(caller.0 >> 32).unwrap_or(u32::MAX);
    let slot = u32::try_from(caller.0 & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    (number, slot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ReversalMatch;

    #[test]
    fn an_answer_finds_its_connection_and_slot() {
        let doors = Doors::default();
        let (first, second) = (doors.open(2), doors.open(2));
        let answer = Answer::Reversal(ReversalMatch::Matched);
        let mut deliveries = doors.deliveries();
        assert!(deliveries.deliver(second.caller(7), answer).is_ok());
        assert!(deliveries.deliver(second.caller(8), answer).is_ok());
        assert!(deliveries.deliver(first.caller(9), answer).is_ok());
        deliveries.finish();
        assert_eq!([second.take(), second.take()], [Some((7, answer)), Some((8, answer))]);
        assert_eq!([first.take(), first.take()], [Some((9, answer)), None]);
    }

    #[test]
    fn an_answer_for_a_connection_that_is_gone_is_reported() {
        let doors = Doors::default();
        let door = doors.open(1);
        doors.close(&door, Orphans::default());
        let lost = doors.deliveries().deliver(door.caller(0), Answer::Reversal(ReversalMatch::Matched));
        assert_eq!(lost, Err(None));
    }
}
