//! Lets go what the journal has made durable: answers, asks, duties, replies.
//!
//! Runs on the journal's thread (in `memory` mode on a lane's), so nothing here waits. Every connection that has
//! answers is woken once.

use crate::authorize::is_approval;
use crate::control_desk::Tickets;
use crate::doors::Lost;
use crate::hub::Hub;
use authorizer::Answer;
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
        let mut deliveries = self.hub.doors.deliveries();
        for release in releases {
            match release {
                Release::Answer { caller, answer } => {
                    if let Err(lost) = deliveries.deliver(caller, answer) {
                        self.is_lost(lost, &answer);
                    }
                }
                Release::Passed(passage) => self.passed(passage),
                Release::Ask(ask) => {
                    deliveries.pause();
                    self.funding.ask(*ask);
                }
                Release::Owe { shard, duty } => {
                    deliveries.pause();
                    self.funding.owe(shard, duty);
                }
                Release::Reply { caller, reply } => {
                    deliveries.pause();
                    self.tickets.reply(caller, *reply);
                }
            }
        }
        deliveries.finish();
    }

    /// An answer has found no connection.
    fn is_lost(&self, lost: Lost, answer: &Answer) {
        self.hub.metrics.undelivered_answers.increment(1);
        if let Some((origin, loss)) = lost.filter(|_| is_approval(answer)) {
            self.hub.answer_lost(origin, loss, self.hub.clock.now());
        }
    }

    fn passed(&self, passage: Passage) {
        // Whatever is posted is posted to a cache that is there.
        if let Some(cache) = self.hub.cache_if_started() {
            cache.passed(passage, self.hub.clock.now().mono);
        }
    }
}
