//! Where answers find their way back: one door a connection.
//!
//! A caller is a connection and a slot in it. Answers are handed over from the journal's thread through a bounded
//! lock-free queue with as many places as the connection may have requests in flight, so it is never full. Each
//! connection is woken once for all answers of a batch.

use authorizer::{Answer, Caller};
use crossbeam::queue::ArrayQueue;
use dashmap::DashMap;
use foldhash::fast::RandomState;
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

/// All connections that are open.
#[derive(Default)]
pub(crate) struct Doors {
    open: DashMap<u32, Arc<Door>, RandomState>,
    next: AtomicU32,
}

impl Doors {
    /// Opens a door for a connection with so many requests in flight at most.
    pub(crate) fn open(&self, in_flight_max: usize) -> Arc<Door> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let answers = ArrayQueue::new(in_flight_max.max(1));
        let door = Arc::new(Door { number, answers, notify: Notify::new() });
        self.open.insert(number, Arc::clone(&door));
        door
    }

    /// Closes a door; answers that come later find nobody.
    pub(crate) fn close(&self, door: &Door) {
        self.open.remove(&door.number);
    }

    /// Delivers one answer without waking its connection yet. Returns the door, or `None` when the
    /// connection is gone.
    pub(crate) fn deliver(&self, caller: Caller, answer: Answer) -> Option<Arc<Door>> {
        let (number, slot) = unpack(caller);
        let door = Arc::clone(self.open.get(&number)?.value());
        door.answers.push((slot, answer)).ok()?;
        Some(door)
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
        assert!(doors.deliver(second.caller(7), answer).is_some());
        assert_eq!(second.take(), Some((7, answer)));
        assert_eq!(first.take(), None);
    }

    #[test]
    fn an_answer_for_a_connection_that_is_gone_is_reported() {
        let doors = Doors::default();
        let door = doors.open(1);
        doors.close(&door);
        assert!(doors.deliver(door.caller(0), Answer::Reversal(ReversalMatch::Matched)).is_none());
    }
}
