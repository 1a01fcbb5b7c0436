//! What waits for an answer, and what later messages may refer to.
//!
//! Exchanges are found by STAN and transmission time. A repeat shares the exchange of its original. An exchange
//! stays until nothing waits in it and nothing can refer to it any more.

use super::request::{References, Request};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// A message that has been sent and waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// The message as it was sent.
    pub(crate) sent: Request,
    /// When it was due to be sent.
    pub(crate) due: Instant,
    /// Its answer is later than it should be; it counts as in flight no more.
    overdue: bool,
}

/// How a purchase or advice ended, as far as is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    /// No answer was seen.
    Unknown,
    /// Declined, or not a purchase.
    Nothing,
    /// Held now: minor units of the card's currency.
    Held(u64),
    /// Taken at once.
    Taken(u64),
    /// Brought at once.
    Brought(u64),
    /// Added to the hold of an earlier message.
    Added(u64, References),
    /// Held before, and paid since; or what paid it.
    Paid,
}

/// A message, its repeats, and their answers.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) request: Request,
    waiting: VecDeque<Waiting>,
    pub(crate) ending: Ending,
    /// A reversal of it was acknowledged.
    pub(crate) reversed: bool,
    /// The bytes of the first answer, kept while a repeat may come.
    pub(crate) first_answer: Option<Box<[u8]>>,
    /// The plan may still refer to it.
    remembered: bool,
    /// Its link was lost while it waited, and no answer was seen since.
    lost: bool,
    /// Reversals of it and messages that build on it, which wait for their own answer or may be sent again.
    followers: u32,
}

impl Exchange {
    const fn new(request: Request) -> Self {
        Self {
            request,
            waiting: VecDeque::new(),
            ending: Ending::Unknown,
            reversed: false,
            first_answer: None,
            remembered: false,
            lost: false,
            followers: 0,
        }
    }

    fn is_over(&self) -> bool {
        self.waiting.is_empty() && !self.remembered && !self.lost && self.followers == 0
    }

    /// Whether another answer may come that must equal the first.
    pub(crate) fn may_be_repeated(&self) -> bool {
        self.remembered || self.lost || !self.waiting.is_empty()
    }

    /// A reversal of it was acknowledged: it holds nothing any more, whatever its own answer was.
    pub(crate) const fn undo(&mut self) {
        self.reversed = true;
        self.lost = false;
    }

    /// Whether no answer was seen and none will be.
    fn is_unresolved(&self) -> bool {
        self.lost || !self.waiting.is_empty()
    }
}

/// All exchanges of one link.
#[derive(Debug)]
pub(crate) struct Flights {
    exchanges: HashMap<References, Exchange>,
    /// Sends by the time at which they are overdue, oldest first; some may be answered already.
    deadlines: VecDeque<(Instant, References)>,
    answer_within: Duration,
    in_flight: usize,
    waiting: usize,
}

impl Flights {
    pub(crate) fn new(answer_within: Duration) -> Self {
        Self {
            exchanges: HashMap::new(),
            deadlines: VecDeque::new(),
            answer_within,
            in_flight: 0,
            waiting: 0,
        }
    }

    /// Messages that wait for an answer and are not overdue.
    pub(crate) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Messages that wait for an answer, overdue or not.
    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Notes that `sent` is on its way.
    pub(crate) fn sent(&mut self, sent: Request, due: Instant, now: Instant, remember: bool) {
        let exchange = self.exchange(sent);
        exchange.remembered |= remember;
        exchange.waiting.push_back(Waiting { sent, due, overdue: false });
        self.deadlines.push_back((now.max(due) + self.answer_within, sent.references));
        self.in_flight += 1;
        self.waiting += 1;
    }

    /// Notes that `planned` was not sent. Later messages may refer to it all the same, and several repeats of it
    /// are one purchase.
    pub(crate) fn skipped(&mut self, planned: Request) {
        self.exchange(planned).remembered = true;
    }

    /// The exchange of `request`, begun with it unless it was there. What it builds on stays as long as it does, whether it
    /// is sent now or, as a repeat of something that was not, later.
    fn exchange(&mut self, request: Request) -> &mut Exchange {
        if let Some(earlier) = request.follows()
            && !self.exchanges.contains_key(&request.references)
            && let Some(original) = self.exchanges.get_mut(&earlier.references)
        {
            original.followers += 1;
        }
        self.exchanges.entry(request.references).or_insert_with(|| Exchange::new(request))
    }

    /// Whether `planned` makes sense now: what builds on a hold does so only where the hold is known to stand, and
    /// nothing else that builds on it is under way.
    pub(crate) fn is_timely(&self, planned: &Request) -> bool {
        let Some(earlier) = planned.follows().filter(|_| planned.needs_a_hold()) else { return true };
        self.exchanges.get(&earlier.references).is_some_and(|found| {
            matches!(found.ending, Ending::Held(minor) if minor > 0)
                && !found.reversed
                && found.followers == 0
        })
    }

    /// Takes the oldest message that waits under these references. Answers to a message and to its repeats
    /// cannot be told apart, so the first to be sent gets the first answer.
    pub(crate) fn answered(&mut self, references: References) -> Option<(Waiting, &mut Exchange)> {
        let exchange = self.exchanges.get_mut(&references)?;
        let waiting = exchange.waiting.pop_front()?;
        exchange.lost = false;
        self.waiting -= 1;
        if !waiting.overdue {
            self.in_flight -= 1;
        }
        Some((waiting, exchange))
    }

    /// The exchange with these references.
    pub(crate) fn find(&mut self, references: References) -> Option<&mut Exchange> {
        self.exchanges.get_mut(&references)
    }

    /// Forgets an exchange once it is over.
    pub(crate) fn settle(&mut self, references: References) {
        let over = self.exchanges.get(&references).is_some_and(Exchange::is_over);
        let Some(exchange) = over.then(|| self.exchanges.remove(&references)).flatten() else { return };
        if let Some(earlier) = exchange.request.follows()
            && let Some(found) = self.exchanges.get_mut(&earlier.references)
        {
            found.followers = found.followers.saturating_sub(1);
            self.settle(earlier.references);
        }
    }

    /// The plan will not refer to this exchange any more.
    pub(crate) fn forget(&mut self, references: References) {
        if let Some(exchange) = self.exchanges.get_mut(&references) {
            exchange.remembered = false;
            self.settle(references);
        }
    }

    /// Marks what is overdue at `now`.
    pub(crate) fn mark_overdue(&mut self, now: Instant) {
        while let Some((deadline, references)) = self.deadlines.front().copied().filter(|(at, _)| *at <= now)
        {
            self.deadlines.pop_front();
            let Some(exchange) = self.exchanges.get_mut(&references) else { continue };
            let sent_by = deadline - self.answer_within;
            let overdue = exchange.waiting.iter_mut().find(|one| !one.overdue && one.due <= sent_by);
            if let Some(waiting) = overdue {
                waiting.overdue = true;
                self.in_flight -= 1;
            }
        }
    }

    /// When the next message will be overdue.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|(deadline, _)| *deadline)
    }

    /// The link is gone: nothing that waits will be answered. Returns one message for each exchange, oldest
    /// first.
    pub(crate) fn lose_link(&mut self) -> Vec<Request> {
        let mut lost: Vec<(Instant, Request)> = Vec::new();
        for exchange in self.exchanges.values_mut() {
            if let Some(first) = exchange.waiting.front() {
                lost.push((first.due, exchange.request));
                exchange.waiting.clear();
                // Nobody minds an echo that was not answered.
                exchange.lost = exchange.request.purchase().is_some();
            }
        }
        lost.sort_unstable_by_key(|(due, request)| (*due, request.references));
        self.deadlines.clear();
        (self.in_flight, self.waiting) = (0, 0);
        lost.into_iter().map(|(_, request)| request).filter(|request| request.purchase().is_some()).collect()
    }

    /// What never got an answer.
    pub(crate) fn unresolved(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.values().filter(|exchange| exchange.is_unresolved())
    }
}

#[cfg(test)]
#[path = "flight_tests.rs"]
mod tests;
