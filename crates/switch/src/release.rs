//! Lets go what the journal has made durable: answers, asks, duties, replies.
//!
//! Runs on the journal's thread (in `memory` mode on a lane's), so nothing here waits. Every connection that has
//! answers is woken once.

use crate::control_desk::Tickets;
use crate::doors::Door;
use crate::hub::Hub;
use cache::Release;
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
                    Some(door) if to_wake.iter().all(|other| !Arc::ptr_eq(other, &door)) => {
                        to_wake.push(door)
                    }
                    Some(_) => {}
                    None => self.hub.metrics.undelivered_answers.increment(1),
                },
                Release::Ask(ask) => self.funding.ask(*ask),
                Release::Owe { shard, duty } => self.funding.owe(shard, duty),
                Release::Reply { caller, reply } => self.tickets.reply(caller, *reply),
            }
        }
        for door in to_wake {
            door.wake();
        }
    }
}
