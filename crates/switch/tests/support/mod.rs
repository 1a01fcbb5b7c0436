//! What the end-to-end tests stand on: a switch of their own, a processor, a balance service, an API client.
//!
//! The processor writes and reads its messages with a codec of its own, so that the switch's answers are checked
//! by something other than the code that wrote them. Every wait is bounded, and nothing waits for a fixed time
//! where a condition can be awaited.

#![allow(clippy::unwrap_used, clippy::panic, dead_code, missing_docs, unreachable_pub)]

pub mod api;
pub mod balance_service;
pub mod daemon;
pub mod message;
pub mod processor;
pub mod tls;

use std::time::{Duration, Instant};

/// The longest that any one thing may take before its test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Card numbers of the schemes' published test ranges.
pub const PAN: &str = "4242424242424242";
pub const OTHER_PAN: &str = "5555555555554444";
pub const UNKNOWN_PAN: &str = "4000056655665556";

/// Looks again and again until something is there.
pub async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < give_up, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
