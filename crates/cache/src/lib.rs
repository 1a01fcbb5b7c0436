//! The in-memory cache of balances and limits: lanes that own shards, and the queues in front of them.
//!
//! **Lock-free, said precisely.** A shard is plain data. A lane owns some shards, and one thread at a time has the
//! lane: its own, or that of a link that posts a few commands while its own rests (`turn.rs`). Nobody else
//! touches them meanwhile, so a decision takes no mutex, no compare-and-swap and no retry. Links and the API hand
//! commands over through bounded lock-free queues. Nobody waits for a lock to read or change a balance: who finds a lane
//! taken leaves the command in its queue.
//! The routing index is a `DashMap` (sharded read-write locks); it says which shard owns a card and holds no
//! balance, and it is not called lock-free. While the switch stands in for a balance service, lanes share what each
//! program has exposed (`exposures.rs`): a sum behind a lock that is held for an addition.
//!
//! ```text
//! link ──find──> Index ──Route──> Inbox (bounded) ──> lane: decide, apply ──> Recorder (the journal)
//! ```
//!
//! What it guarantees: commands of one shard are decided one after another in the order they were taken; a full
//! queue is said at once and never waited for; facts and actions leave a lane in the order they were decided.
//!
//! What it leaves out: what to decide (`authorizer`), where facts are kept (the [`Recorder`]), what time it is
//! (the [`Clock`]).

mod admission;
mod cache;
mod digest;
mod exposures;
mod index;
mod lane;
mod queue;
mod recorder;
mod recovering;
mod turn;
mod untold;

pub use admission::Overload;
pub use cache::{Cache, CacheConfig, LaneGauges};
pub use index::{AccountPlace, Index, Reservation, Route, Taken};
pub use queue::{Full, Posted};
pub use recorder::{BatchReport, Clock, LaneObserver, Passage, Readiness, Recorder, Release};
pub use recovering::{Recovering, RecoveringPart};
pub use untold::Untold;
