//! Lets go what the journal has made durable: answers, asks, duties, replies.
//!
//! Runs on the journal's thread (in `memory` mode on a lane's), so nothing here waits. Every connection that has
//! answers is woken once.

use crate::authorize::is_approval;
use crate::control_desk::Tickets;
use crate::doors::{Delivered, Door};
use crate::hub::Hub;
use cache::{Clock, Passage, Release};
use funding::Funding;
use std::sync::Arc;

/// Knows where each kind of release goes.
#[derive(Clone)]
pub(crate) struct Dispatcher {
    pub(crate) hub: Arc<Hub>,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) funding: Funding,
}

impl Dispatcher {
    /// Lets everything go, in order.
    pub(crate) fn let_go(&self, releases: impl Iterator<Item = Release>) {
        let mut to_wake: Vec<Arc<Door>> = Vec::new();
        for release in releases {
            match release {
                Release::Answer { caller, answer } => match self.hub.doors.deliver(caller, answer) {
                    Delivered::To(door) if to_wake.iter().all(|other| !Arc::ptr_eq(other, &door)) => {
                        to_wake.push(door)
                    }
                    Delivered::To(_) => {}
                    Delivered::Lost(lost) => {
                        self.hub.metrics.undelivered_answers.increment(1);
                        if let Some((origin, loss)) = lost.filter(|_| is_approval(&answer)) {
                            self.hub.answer_lost(origin, loss, self.hub.clock.now());
                        }
                    }
                },
                Release::Ask(ask) => self.funding.ask(*ask),
                Release::Owe { shard, duty } => self.funding.owe(shard, duty),
                Release::Reply { caller, reply } => self.tickets.reply(caller, *reply),
                Release::Passed(passage) => self.passed(passage),
            }
        }
        for door in to_wake {
            door.wake();
        }
    }

    fn passed(&self, passage: Passage) {
        // Whatever is posted is posted to a cache that is there.
        if let Some(cache) = self.hub.cache_if_started() {
            cache.passed(passage, self.hub.clock.now().mono);
        }
    }
}
