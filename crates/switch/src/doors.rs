//! Where answers find their way back: one door a connection.
//!
//! A caller is a connection and a slot in it. Answers are handed over from the journal's thread through a bounded
//! lock-free queue with as many places as the connection may have messages in flight, so it is never full. Each
//! connection is woken once for all answers of a batch.

use crate::in_flight::Origin;
use authorizer::{Answer, AnswerLoss, Caller};
use crossbeam::queue::ArrayQueue;
use dashmap::DashMap;
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

/// What became of an answer.
pub(crate) enum Delivered {
    /// It waits behind this door, which has not been woken yet.
    To(Arc<Door>),
    /// Its connection is gone. Whose answer it was, if it was a request's.
    Lost(Option<(Origin, AnswerLoss)>),
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

    /// Delivers one answer without waking its connection yet.
    pub(crate) fn deliver(&self, caller: Caller, answer: Answer) -> Delivered {
        let (number, slot) = unpack(caller);
        // The guard is held over the push: once a door is closed, nothing is put behind it any more.
        if let Some(door) = self.open.get(&number)
            && door.answers.push((slot, answer)).is_ok()
        {
            return Delivered::To(Arc::clone(door.value()));
        }
        Delivered::Lost(self.orphan(number, slot))
    }

    fn orphan(&self, number: u32, slot: u32) -> Option<(Origin, AnswerLoss)> {
        let found = self.orphans.get_mut(&number)?.remove(&slot);
        self.orphans.remove_if(&number, |_, left| left.is_empty());
        found
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
        assert!(matches!(doors.deliver(second.caller(7), answer), Delivered::To(_)));
        assert_eq!(second.take(), Some((7, answer)));
        assert_eq!(first.take(), None);
    }

    #[test]
    fn an_answer_for_a_connection_that_is_gone_is_reported() {
        let doors = Doors::default();
        let door = doors.open(1);
        doors.close(&door, Orphans::default());
        let lost = doors.deliver(door.caller(0), Answer::Reversal(ReversalMatch::Matched));
        assert!(matches!(lost, Delivered::Lost(None)));
    }
}
