//! Links that we connect: a fixed number of connections, each opened again when it is lost.
//!
//! Pauses between attempts double up to a maximum, and are drawn at random between half and whole, so that many
//! switches do not come back at the same instant. They begin anew once a connection has lasted as long as the
//! longest pause: a peer that accepts and closes at once is not called more often than one that does not answer.

use super::Shared;
use super::connection::{End, converse};
use super::wire::Wire;
use crate::config::DialSettings;
use cache::Clock;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpStream;

/// Keeps one connection open until told to stop.
pub(super) async fn keep_connected(address: String, dial: DialSettings, shared: Shared) {
    let link = &shared.link;
    let name = &link.settings.name;
    let mut pauses = Pauses::new(&dial);
    loop {
        let opened = tokio::select! {
            () = shared.stopping.cancelled() => return,
            opened = open(&address, &dial, &shared) => opened,
        };
        match opened {
            Ok(wire) => {
                tracing::info!(link = %name, address, "connected to the processor");
                let begin = shared.hub.clock.now().mono;
                link.connections.fetch_add(1, Ordering::AcqRel);
                let end = converse(wire, &shared).await;
                link.connections.fetch_sub(1, Ordering::AcqRel);
                match end {
                    Ok(End::Stopping) => return,
                    Ok(end) => tracing::warn!(link = %name, address, %end, "connection closed"),
                    Err(error) => tracing::warn!(link = %name, address, %error, "connection lost"),
                }
                link.metrics.reconnects.increment(1);
                if shared.hub.clock.now().mono.since(begin) >= dial.pause_max {
                    pauses = Pauses::new(&dial);
                }
            }
            Err(error) => {
                link.metrics.connect_failures.increment(1);
                tracing::warn!(link = %name, address, %error, "the processor cannot be reached");
            }
        }
        let pause = pauses.next(rand::random_range(0..=JITTER_STEPS));
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn open(address: &str, dial: &DialSettings, shared: &Shared) -> io::Result<Wire> {
    let within = dial.connect_within;
    let open = async {
        let stream = TcpStream::connect(address).await?;
        match &shared.link.settings.tls {
            None => Ok(Wire::Plain(stream)),
            Some(tls) => match tls.secure(stream).await {
                Ok(stream) => Ok(Wire::Encrypted(Box::new(stream))),
                Err(error) => {
                    shared.link.metrics.tls_failures.increment(1);
                    Err(io::Error::new(error.kind(), format!("the TLS handshake failed: {error}")))
                }
            },
        }
    };
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("not connected within {within:?}"));
    tokio::time::timeout(within, open).await.unwrap_or_else(|_| Err(late()))
}

/// How finely a pause is drawn.
const JITTER_STEPS: u32 = 1_000;

/// Pauses between attempts.
#[derive(Debug)]
struct Pauses {
    next: Duration,
    max: Duration,
}

impl Pauses {
    fn new(dial: &DialSettings) -> Self {
        Self { next: dial.pause_min, max: dial.pause_max }
    }

    /// The next pause: half of it is certain, and `drawn` of [`JITTER_STEPS`] parts of the other half are added.
    fn next(&mut self, drawn: u32) -> Duration {
        let whole = self.next.min(self.max);
        self.next = whole.saturating_mul(2).min(self.max);
        let half = whole / 2;
        half + (half / JITTER_STEPS).saturating_mul(drawn.min(JITTER_STEPS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_drawn_between_half_and_whole() {
        let second = Duration::from_secs(1);
        let dial = DialSettings { pause_min: second, pause_max: second * 5, ..DialSettings::default() };
        let longest = |steps: usize| {
            let mut pauses = Pauses::new(&dial);
            (0..steps).map(|_| pauses.next(JITTER_STEPS)).collect::<Vec<_>>()
        };
        assert_eq!(longest(5), [second, second * 2, second * 4, second * 5, second * 5]);
        let mut pauses = Pauses::new(&dial);
        assert_eq!([pauses.next(0), pauses.next(JITTER_STEPS / 2)], [second / 2, second * 3 / 2]);
    }
}
