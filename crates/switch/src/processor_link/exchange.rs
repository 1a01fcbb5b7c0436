//! A conversation and the line that it is held over: what a connection's task and whoever brings answers take turns with.
//!
//! The task holds it for as long as it takes in what was read, and never while it waits. So whoever brings a few answers
//! mostly finds it free, writes them and sends them, and the task sleeps on. The lock is only ever tried from there.

use crate::authorize::Conversation;
use crate::doors::Clerk;
use crate::link::Link;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::tcp::OwnedWriteHalf;

/// The two together.
pub(super) struct Exchange {
    pub(super) conversation: Conversation,
    link: Arc<Link>,
    /// Where answers can be sent at once; there is no such place for an encrypted connection.
    line: Option<Arc<OwnedWriteHalf>>,
    /// The connection is about to end: its task must hear of every answer.
    ending: bool,
    counted: Counted,
}

/// What a connection adds to its link's gauges.
#[derive(Clone, Copy, Default)]
struct Counted {
    in_flight: usize,
    signed_on: usize,
}

/// The exchange, to be given back before anything is waited for.
pub(super) fn hold(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Exchange {
    pub(super) fn new(
        conversation: Conversation,
        link: Arc<Link>,
        line: Option<Arc<OwnedWriteHalf>>,
    ) -> Self {
        Self { conversation, link, line, ending: false, counted: Counted::default() }
    }

    /// Writes the answers that have come, and sends what the network takes at once.
    pub(super) fn go_on(&mut self, ending: bool) -> io::Result<()> {
        self.ending = ending;
        self.conversation.write_answers();
        self.report();
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        let Self { line: Some(line), conversation, .. } = self else { return Ok(()) };
        while !conversation.out.is_empty() {
            match line.try_write(&conversation.out) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => conversation.sent(bytes),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The connection is over.
    pub(super) fn close(&mut self) {
        self.conversation.close();
        self.count(Counted::default());
    }

    /// Keeps the link's gauges.
    fn report(&mut self) {
        self.count(Counted {
            in_flight: self.conversation.in_flight(),
            signed_on: usize::from(self.conversation.is_signed_on()),
        });
    }

    fn count(&mut self, now: Counted) {
        let before = std::mem::replace(&mut self.counted, now);
        for (gauge, before, now) in [
            (&self.link.in_flight, before.in_flight, now.in_flight),
            (&self.link.signed_on, before.signed_on, now.signed_on),
        ] {
            // Most turns change neither, and a write would take the line from the other connections.
            if now > before {
                gauge.fetch_add(now - before, Ordering::Relaxed);
            } else if now < before {
                gauge.fetch_sub(before - now, Ordering::Relaxed);
            }
        }
    }
}

impl Clerk for Exchange {
    fn write_at_once(&mut self) -> bool {
        // What is waiting to be sent is waited for by the task, and goes first.
        if self.ending || self.line.is_none() || !self.conversation.out.is_empty() {
            return false;
        }
        self.go_on(false).is_ok() && self.conversation.out.is_empty()
    }
}
