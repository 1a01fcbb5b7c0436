//! What every connection, desk and task of one switch shares.

use crate::clock::SystemClock;
use crate::doors::Doors;
use crate::in_flight::Origin;
use crate::keys::Tokenizer;
use crate::metrics::Metrics;
use authorizer::{AnswerLoss, Command};
use cache::{Cache, Full, Index, Posted};
use domain::Moment;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;

/// How long a follow-up waits before it is offered to a full lane again.
const OFFER_AGAIN: Duration = Duration::from_millis(1);

/// The shared parts.
pub(crate) struct Hub {
    pub(crate) clock: SystemClock,
    pub(crate) tokens: Tokenizer,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) doors: Doors,
    pub(crate) index: Arc<Index>,
    pub(crate) runtime: Handle,
    cache: OnceLock<Arc<Cache>>,
}

impl Hub {
    pub(crate) fn new(
        clock: SystemClock,
        tokens: Tokenizer,
        metrics: Arc<Metrics>,
        index: Arc<Index>,
        runtime: Handle,
    ) -> Self {
        Self { clock, tokens, metrics, doors: Doors::default(), index, runtime, cache: OnceLock::new() }
    }

    /// Lets everybody know the cache. The parts need one another, so it comes last.
    pub(crate) fn set_cache(&self, cache: Arc<Cache>) {
        if self.cache.set(cache).is_err() {
            tracing::error!("the cache was set twice; the first one stays");
        }
    }

    /// The cache; waits for the instant during start in which it is not there yet.
    pub(crate) fn cache(&self) -> &Arc<Cache> {
        self.cache.wait()
    }

    /// The cache, if it is there.
    pub(crate) fn cache_if_started(&self) -> Option<&Arc<Cache>> {
        self.cache.get()
    }

    /// Tells the lane of a request that its approval was not told to the processor.
    pub(crate) fn answer_lost(self: &Arc<Self>, origin: Origin, loss: AnswerLoss, now: Moment) {
        let Origin { shard, card, references } = origin;
        let command = Command::AnswerLost { card, references, loss };
        self.post_until_taken(Posted { shard, command, received: now });
    }

    /// Posts a follow-up, and keeps offering it for as long as the lane's queue is full.
    pub(crate) fn post_until_taken(self: &Arc<Self>, posted: Posted) {
        if let Err(Full(posted)) = self.cache().post_follow_up(posted) {
            let hub = Arc::clone(self);
            self.runtime.spawn(async move {
                let mut waiting = posted;
                loop {
                    tokio::time::sleep(OFFER_AGAIN).await;
                    match hub.cache().post_follow_up(*waiting) {
                        Ok(()) => return,
                        Err(Full(posted)) => waiting = posted,
                    }
                }
            });
        }
    }
}
