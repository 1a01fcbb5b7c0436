//! Where answers find their way back: one door a connection.
//!
//! A caller is a connection and a slot in it. Answers are handed over from the journal's thread through a bounded
//! lock-free queue with as many places as the connection may have messages in flight, so it is never full. Each
//! connection is woken once for all answers of a batch. A few answers are written by whoever brings them, if the
//! connection's task is not at work: that is done sooner than waking the task, and costs less.

use crate::in_flight::Origin;
use authorizer::{Answer, AnswerLoss, Caller};
use crossbeam::queue::ArrayQueue;
use dashmap::DashMap;
use dashmap::mapref::one::Ref;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use tokio::sync::Notify;

/// An answer for the request in a slot.
pub(crate) type Delivery = (u32, Answer);

/// Most answers of a batch that are written by whoever brings them. Writing and sending one takes a third of the time
/// that a sync of the journal does, and there the next batch waits meanwhile.
const WRITTEN_BY_BRINGER_MAX: usize = 3;

/// Who can write a connection's answers while its task is not at work.
pub(crate) trait Clerk: Send {
    /// Writes the answers that have come, and hands them to the network as far as it takes them at once. Whether that was
    /// all there is to do; else the connection's task is to go on.
    fn write_at_once(&mut self) -> bool;
}

/// The receiving end of one connection's answers.
pub(crate) struct Door {
    number: u32,
    answers: ArrayQueue<Delivery>,
    notify: Notify,
    clerk: OnceLock<Weak<Mutex<dyn Clerk>>>,
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
    delivered: usize,
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
        let door = Arc::new(Door { number, answers, notify: Notify::new(), clerk: OnceLock::new() });
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
        Deliveries { doors: self, open: None, delivered: 0, to_wake: Vec::new() }
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
            Some(door) if door.answers.push((slot, answer)).is_ok() => {
                self.delivered += 1;
                Ok(())
            }
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

    /// Writes the answers if they are few, or wakes every connection that has got some, once.
    pub(crate) fn finish(mut self) {
        self.pause();
        let few = self.delivered <= WRITTEN_BY_BRINGER_MAX;
        for door in self.to_wake {
            if !few || !door.write_at_once() {
                door.wake();
            }
        }
    }
}

impl Door {
    /// Says who can write this connection's answers; only the first one counts.
    pub(crate) fn set_clerk(&self, clerk: Weak<Mutex<dyn Clerk>>) {
        let _ = self.clerk.set(clerk);
    }

    /// Has the answers written here and now. Whether that was all there is to do; it is not when the connection is busy,
    /// which then finds them itself once it is woken.
    fn write_at_once(&self) -> bool {
        let Some(clerk) = self.clerk.get().and_then(Weak::upgrade) else { return false };
        let Ok(mut clerk) = clerk.try_lock() else { return false };
        // A fault in one connection's answer ends that connection, and not whoever brings the answers of all.
        catch_unwind(AssertUnwindSafe(|| clerk.write_at_once())).unwrap_or(false)
    }

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
    use std::future::Future;
    use std::task::{Context, Waker};

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

    /// Counts how often it was asked to write; says that it has done so, or fails.
    struct Counting {
        asked: usize,
        fails: bool,
    }

    impl Clerk for Counting {
        fn write_at_once(&mut self) -> bool {
            self.asked += 1;
            assert!(!self.fails, "a fault in an answer");
            true
        }
    }

    fn with_clerk(doors: &Doors, fails: bool) -> (Arc<Door>, Arc<Mutex<Counting>>) {
        let door = doors.open(9);
        let counting = Arc::new(Mutex::new(Counting { asked: 0, fails }));
        let clerk: Arc<Mutex<dyn Clerk>> = Arc::<Mutex<Counting>>::clone(&counting);
        door.set_clerk(Arc::downgrade(&clerk));
        (door, counting)
    }

    fn deliver(doors: &Doors, door: &Door, count: u32) {
        let mut deliveries = doors.deliveries();
        for slot in 0..count {
            let answer = Answer::Reversal(ReversalMatch::Matched);
            assert!(deliveries.deliver(door.caller(slot), answer).is_ok());
        }
        deliveries.finish();
    }

    /// Whether the connection's task was woken since this was last asked.
    fn was_woken(door: &Door) -> bool {
        let mut woken = std::pin::pin!(door.woken());
        woken.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_few_answers_are_written_by_whoever_brings_them_and_many_by_the_connection() {
        let doors = Doors::default();
        let (door, clerk) = with_clerk(&doors, false);
        deliver(&doors, &door, 3);
        assert!(!was_woken(&door));
        assert_eq!(clerk.lock().unwrap().asked, 1);
        deliver(&doors, &door, 4);
        assert!(was_woken(&door));
        assert_eq!(clerk.lock().unwrap().asked, 1);
    }

    #[test]
    fn a_connection_that_is_busy_gone_or_at_fault_is_woken() {
        let doors = Doors::default();
        let (door, clerk) = with_clerk(&doors, true);
        let busy = clerk.lock().unwrap();
        deliver(&doors, &door, 1);
        assert!(was_woken(&door) && busy.asked == 0);
        drop(busy);
        deliver(&doors, &door, 1);
        assert!(was_woken(&door), "whoever brings answers goes on");
        assert_eq!(clerk.lock().unwrap().asked, 1, "and the next ones are tried again");
        drop(clerk);
        deliver(&doors, &door, 1);
        assert!(was_woken(&door));
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
