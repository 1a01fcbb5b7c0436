//! An ask that was admitted and has not ended: it ends once, whatever happens to its task.

use crate::connection::Progress;
use crate::inner::Inner;
use crate::outcome::AskEnd;
use crate::resolver::Resolution;
use crate::site::{Site, Way};
use domain::{Ask, FundingFailure, FundingOutcome, Mono, TransactionId};
use std::sync::Arc;
use std::time::Duration;

/// An ask that was admitted. If it is dropped, because the runtime stops or a task dies, it ends as interrupted:
/// no ask is ever left without an outcome.
pub(crate) struct OpenAsk {
    inner: Arc<Inner>,
    transaction: TransactionId,
    asked: domain::Units,
    taken: Mono,
    allowed: Duration,
    site: Arc<Site>,
    /// `None` when it has ended.
    way: Option<Way>,
    /// Of every request that was begun.
    progress: Vec<Arc<Progress>>,
}

impl OpenAsk {
    /// An ask that the resolver has just admitted.
    pub(crate) fn new(inner: Arc<Inner>, ask: &Ask, taken: Mono, allowed: Duration, way: Way) -> Self {
        let (transaction, asked) = (ask.transaction, ask.amounts.units);
        let (site, way) = (Arc::clone(way.place.site()), Some(way));
        Self { inner, transaction, asked, taken, allowed, site, way, progress: Vec::new() }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    pub(crate) fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// The record of what a request that begins now may have sent.
    pub(crate) fn new_progress(&mut self) -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        self.progress.push(Arc::clone(&progress));
        progress
    }

    /// Whether the service may have seen this ask.
    pub(crate) fn may_have_sent(&self) -> bool {
        self.progress.iter().any(|progress| progress.may_have_sent())
    }

    /// Whether its endpoint is in a state in which a second call does no harm: not while it is being probed.
    pub(crate) fn may_hedge(&self) -> bool {
        let now = self.inner.sink.now().mono;
        self.site().gate.state(now) == crate::breaker::BreakerState::Closed
    }

    /// Leaves the endpoint, which has seen nothing, for another one that keeps the same books. Returns whether
    /// there is one.
    pub(crate) fn go_elsewhere(&mut self, ask: &Ask, failure: FundingFailure, now: Mono) -> bool {
        let Ok(way) = self.inner.way(ask, now, Some(&self.site)) else { return false };
        let next = Arc::clone(way.place.site());
        let (site, left) = (std::mem::replace(&mut self.site, next), self.way.replace(way));
        if let Some(left) = left {
            let outcome = FundingOutcome::NotAsked(failure);
            let change = site.gate.leave(left.pass, outcome, now.since(self.taken), self.allowed, now);
            self.inner.tell_of(&site, change);
        }
        self.inner.sink.asked_elsewhere();
        true
    }

    /// Ends the ask with `outcome`, unless it ended before or the outcome is too late to be used. Returns the
    /// outcome that counts, if it was this call that ended the ask.
    pub(crate) fn end(&mut self, outcome: FundingOutcome) -> Option<FundingOutcome> {
        let Way { place, pass } = self.way.take()?;
        let now = self.inner.sink.now().mono;
        let resolution = self.inner.resolver().end(self.transaction, outcome, now);
        // Its place is free before anybody hears of the end, whatever its task still waits for.
        drop(place);
        match resolution {
            Resolution::Ended(outcome) => {
                let took = now.since(self.taken);
                let change = self.site.gate.leave(pass, outcome, took, self.allowed, now);
                self.inner.sink.ask_counted(AskEnd::of(outcome, self.asked), took);
                self.inner.sink.ask_ended(self.transaction, outcome, took);
                self.inner.tell_of(&self.site, change);
                Some(outcome)
            }
            Resolution::EndedBefore => None,
        }
    }

    /// The outcome of giving up now.
    pub(crate) fn given_up(&self, failure: FundingFailure) -> FundingOutcome {
        if self.may_have_sent() {
            FundingOutcome::Unknown(failure)
        } else {
            FundingOutcome::NotAsked(failure)
        }
    }
}

impl Drop for OpenAsk {
    fn drop(&mut self) {
        self.end(self.given_up(FundingFailure::Interrupted));
    }
}
