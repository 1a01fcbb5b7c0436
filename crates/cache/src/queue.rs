//! The bounded hand-off between links and lanes, and what "full" means.
//!
//! Two queues lead to a lane. New requests may be shed: full is answered with "issuer unavailable" at once
//! (E38). Follow-ups (reversals, advices, outcomes of asks, acknowledged duties, changes) must not be lost, so
//! they have room of their own that requests cannot take.

use authorizer::Command;
use crossbeam::queue::ArrayQueue;
use crossbeam::sync::{Parker, Unparker};
use domain::{Moment, ShardId};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A command on its way to a lane.
#[derive(Debug)]
pub struct Posted {
    /// The shard it is for.
    pub shard: ShardId,
    /// What is to be decided.
    pub command: Command,
    /// When it arrived: windows and records use this wall-clock time.
    pub received: Moment,
}

/// The queue is full; the command comes back.
#[derive(Debug)]
pub struct Full(pub Box<Posted>);

/// The sending side: any thread, never waits.
#[derive(Debug)]
pub(crate) struct Outbox {
    shared: Arc<Shared>,
    unparker: Unparker,
}

/// The receiving side, for whoever has the lane's turn.
#[derive(Debug)]
pub(crate) struct Inbox {
    shared: Arc<Shared>,
}

/// Where the lane's own thread sleeps while nothing is there for it.
#[derive(Debug)]
pub(crate) struct Bed {
    shared: Arc<Shared>,
    parker: Parker,
}

#[derive(Debug)]
struct Shared {
    requests: ArrayQueue<Posted>,
    follow_ups: ArrayQueue<Posted>,
    asleep: AtomicBool,
    closed: AtomicBool,
}

impl Shared {
    fn is_empty(&self) -> bool {
        self.follow_ups.is_empty() && self.requests.is_empty()
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

/// A queue with room for so many requests and follow-ups: its two ends, and where its thread sleeps.
pub(crate) fn queue(requests_max: usize, follow_ups_max: usize) -> (Outbox, Inbox, Bed) {
    let shared = Arc::new(Shared {
        requests: ArrayQueue::new(requests_max.max(1)),
        follow_ups: ArrayQueue::new(follow_ups_max.max(1)),
        asleep: AtomicBool::new(false),
        closed: AtomicBool::new(false),
    });
    let parker = Parker::new();
    let outbox = Outbox { shared: Arc::clone(&shared), unparker: parker.unparker().clone() };
    (outbox, Inbox { shared: Arc::clone(&shared) }, Bed { shared, parker })
}

impl Outbox {
    /// Puts a new request into the queue, or gives it back when that is full. Nobody is told: see [`Outbox::tell`].
    pub(crate) fn put_request(&self, posted: Posted) -> Result<(), Full> {
        self.shared.requests.push(posted).map_err(|posted| Full(Box::new(posted)))
    }

    /// Puts a follow-up into the queue, or gives it back when that is full. Nobody is told: see [`Outbox::tell`].
    pub(crate) fn put_follow_up(&self, posted: Posted) -> Result<(), Full> {
        self.shared.follow_ups.push(posted).map_err(|posted| Full(Box::new(posted)))
    }

    /// Requests waiting, and follow-ups waiting.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        (self.shared.requests.len(), self.shared.follow_ups.len())
    }

    /// Tells the lane to finish what is queued and leave.
    pub(crate) fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.unparker.unpark();
    }

    /// Wakes the lane's thread if it sleeps while something waits. What was put and these loads are ordered by the
    /// sequentially consistent operations on `asleep` here and in [`Bed::sleep`]: either we see that the thread sleeps,
    /// or the thread, which looks at the queues once more after saying so, sees what was put.
    pub(crate) fn tell(&self) {
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::Relaxed)
            && !self.shared.is_empty()
            && self.shared.asleep.swap(false, Ordering::SeqCst)
        {
            self.unparker.unpark();
        }
    }
}

impl Inbox {
    /// The next command: follow-ups first, because someone already acted on what they report.
    pub(crate) fn take(&self) -> Option<Posted> {
        self.shared.follow_ups.pop().or_else(|| self.shared.requests.pop())
    }

    /// The next request; follow-ups stay where they are.
    pub(crate) fn take_request(&self) -> Option<Posted> {
        self.shared.requests.pop()
    }

    /// Whether the lane was told to leave.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }
}

impl Bed {
    /// Sleeps until something is posted, the queue is closed, or `timeout` is over.
    pub(crate) fn sleep(&self, timeout: Duration) {
        self.shared.asleep.store(true, Ordering::SeqCst);
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.shared.is_empty() && !self.shared.is_closed() {
            self.parker.park_timeout(timeout);
        }
        self.shared.asleep.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(shard: u16) -> Posted {
        Posted { shard: ShardId(shard), command: Command::Tick, received: Moment::default() }
    }

    #[test]
    fn a_full_queue_gives_the_request_back_and_still_takes_follow_ups() {
        let (outbox, inbox, _) = queue(1, 1);
        outbox.put_request(tick(1)).unwrap();
        let Full(back) = outbox.put_request(tick(2)).unwrap_err();
        assert_eq!(back.shard, ShardId(2));
        outbox.put_follow_up(tick(3)).unwrap();
        assert_eq!(outbox.lengths(), (1, 1));
        let order: Vec<_> = std::iter::from_fn(|| inbox.take()).map(|posted| posted.shard.0).collect();
        assert_eq!(order, [3, 1], "follow-ups go first");
    }

    #[test]
    fn no_wake_up_is_lost() {
        // A lost wake-up would leave the receiver asleep for the whole timeout, thousands of times.
        let (outbox, inbox, bed) = queue(4, 4);
        let count = 20_000_u32;
        let sender = std::thread::spawn(move || {
            for _ in 0..count {
                while outbox.put_request(tick(0)).is_err() {
                    std::thread::yield_now();
                }
                outbox.tell();
            }
        });
        let begin = std::time::Instant::now();
        let mut taken = 0;
        while taken < count {
            match inbox.take() {
                Some(_) => taken += 1,
                None => bed.sleep(Duration::from_secs(30)),
            }
        }
        sender.join().unwrap();
        assert!(begin.elapsed() < Duration::from_secs(30), "a wake-up was lost");
    }
}
