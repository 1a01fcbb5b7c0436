//! What a lane needs of the world: a clock, somewhere to record facts, and someone who watches.

use authorizer::{Answer, Caller, Reply};
use domain::{Ask, Duty, Fact, Moment, Mono, ShardId, Timestamp};
use std::time::Duration;

/// The time. A lane reads it once a batch.
pub trait Clock: Send + Sync + 'static {
    /// Both clocks, now.
    fn now(&self) -> Moment;
}

/// Something to be let go once the facts before it are recorded as durably as the configuration asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Release {
    /// Answer the processor.
    Answer {
        /// Who asked.
        caller: Caller,
        /// What is answered.
        answer: Answer,
    },
    /// Ask the balance service.
    Ask(Box<Ask>),
    /// Take up a duty towards the balance service.
    Owe {
        /// The shard that owns it.
        shard: ShardId,
        /// What is owed.
        duty: Duty,
    },
    /// Reply to the control API.
    Reply {
        /// Who asked.
        caller: Caller,
        /// What is replied.
        reply: Box<Reply>,
    },
    /// Tell the cache, by [`crate::Cache::passed`], that a batch was let go: what it sheds follows from that.
    Passed(Passage),
}

/// A batch that has gone all the way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Passage {
    /// Whose batch.
    pub lane: usize,
    /// How many commands.
    pub commands: usize,
    /// When the oldest of them was read.
    pub oldest: Mono,
}

/// What may be decided now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Readiness {
    /// Everything.
    Ready,
    /// Space is low: requests are declined, follow-ups are still taken.
    FollowUpsOnly,
    /// There is no room at the moment; the lane waits and asks again.
    Full,
    /// There is no space, until some is freed: requests are declined, follow-ups stay in their queue.
    NoSpace,
    /// Nothing can be recorded any more: requests are declined, the rest is left for the next start.
    Stopped,
}

/// Where a lane's facts go. One lane owns one recorder.
pub trait Recorder: Send + 'static {
    /// Whether a batch would be taken now.
    fn readiness(&self) -> Readiness;

    /// Whether one more batch would certainly be taken without any wait: only then somebody decides who has other things
    /// to do.
    fn has_ample_room(&self) -> bool {
        self.readiness() == Readiness::Ready
    }

    /// Adds a fact to the batch being made.
    fn record(&mut self, shard: ShardId, at: Timestamp, fact: &Fact);

    /// How many bytes the batch has so far.
    fn batch_bytes(&self) -> usize;

    /// Hands the batch over. `releases` are let go, in order, once it is recorded; the vector comes back empty.
    fn seal(&mut self, releases: &mut Vec<Release>);

    /// Lets something go that depends on no fact: the decline of a request when nothing can be recorded.
    fn release_now(&mut self, release: Release);
}

/// What one batch of a lane was like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BatchReport {
    /// Commands decided.
    pub commands: usize,
    /// Facts recorded.
    pub facts: usize,
    /// How long the oldest command had waited in the queue.
    pub queue_wait: Duration,
    /// How long deciding and encoding took, all commands together.
    pub deciding: Duration,
}

/// Someone who watches lanes; called once a batch.
pub trait LaneObserver: Send + Sync + 'static {
    /// A batch was decided.
    fn batch_decided(&self, lane: usize, report: BatchReport);
}

impl LaneObserver for () {
    fn batch_decided(&self, _: usize, _: BatchReport) {}
}
