//! Reads the file and the feed of rates again and again, and puts what is new in force.
//!
//! A rate goes through shard 0 like one that the API sets: journaled, and then used by all. What is quoted no later than
//! what is in force changes nothing, so that two sources do not undo one another. A source that fails is tried again
//! after a pause that doubles; its rates grow too old meanwhile, and stop converting by themselves.

use crate::config::RateSources;
use crate::hub::Hub;
use crate::rate_document;
use authorizer::{Caller, Change, Command};
use cache::{Clock, Posted};
use domain::{Rate, ShardId};
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Rates are kept in one shard and used by all.
const RATES: ShardId = ShardId(0);
/// Nobody waits for the reply.
const NOBODY: Caller = Caller(u64::MAX);

/// Reads both until `stop`.
pub(crate) async fn follow(hub: Arc<Hub>, sources: RateSources, stop: CancellationToken) {
    let mut pause = sources.every;
    loop {
        let file = read_file(&hub, &sources).await;
        let feed = read_feed(&hub, &sources).await;
        pause = if file && feed { sources.every } else { pause.saturating_mul(2).min(sources.pause_max) };
        let jittered = pause.mul_f64(rand::random_range(0.9..=1.0));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(jittered) => {}
        }
    }
}

async fn read_file(hub: &Arc<Hub>, sources: &RateSources) -> bool {
    let Some(path) = &sources.file else { return true };
    let (from, max) = (path.clone(), sources.bytes_max);
    // A disk may hang, and the tasks beside this one must not.
    let read = tokio::task::spawn_blocking(move || read_bounded(&from, max)).await;
    let bytes = read.map_err(|error| error.to_string()).and_then(|bytes| bytes);
    take(hub, sources, &path.display().to_string(), "file", bytes)
}

/// A file of at most `bytes_max` bytes.
fn read_bounded(path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if usize::try_from(length).is_ok_and(|length| length <= bytes_max) {
        std::fs::read(path).map_err(|error| error.to_string())
    } else {
        Err(format!("it has {length} bytes, at most {bytes_max} are allowed"))
    }
}

async fn read_feed(hub: &Arc<Hub>, sources: &RateSources) -> bool {
    let Some(feed) = &sources.feed else { return true };
    let bytes = feed.fetch(hub.clock.now().mono).await.map_err(|error| error.to_string());
    take(hub, sources, &feed.endpoint().to_string(), "feed", bytes)
}

/// Puts the rates of a document in force. Whether it could be read.
fn take(
    hub: &Arc<Hub>,
    sources: &RateSources,
    place: &str,
    source: &str,
    bytes: Result<Vec<u8>, String>,
) -> bool {
    let now = hub.clock.now();
    let rates = bytes.and_then(|bytes| {
        rate_document::rates(&bytes, source, sources.max_age, now.utc).map_err(|error| error.to_string())
    });
    let rates = match rates {
        Ok(rates) => rates,
        Err(problem) => {
            hub.metrics.rate_source_failures.increment(1);
            tracing::warn!(place, problem, "the rates could not be read; those in force grow old");
            return false;
        }
    };
    let known = hub.cache().rates();
    let newer = |rate: &&Rate| known.latest(rate.from, rate.to).is_none_or(|known| known.as_of < rate.as_of);
    for rate in rates.iter().filter(newer) {
        let command = Command::Change { change: Box::new(Change::SetRate(*rate)), caller: NOBODY };
        hub.post_until_taken(Posted { shard: RATES, command, received: now });
    }
    true
}
