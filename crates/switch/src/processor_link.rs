//! Connections from the processor: accept, read frames, write answers, and close in good order.
//!
//! One task owns a connection: its buffers, its requests in flight, its answers. It waits for whichever comes
//! first of bytes, answers, room to write and time. A connection that sends half a frame and falls silent, or
//! nothing at all for long, is closed; one that does not take its answers is not read from any more. No
//! connection can hold another one up.

use crate::authorize::Conversation;
use crate::hub::Hub;
use crate::link::Link;
use bytes::BytesMut;
use cache::Clock;
use domain::Moment;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Bytes asked of the network at once: a few hundred messages.
const READ_BYTES: usize = 64 * 1024;
/// How often a held-back follow-up is offered again.
const OFFER_AGAIN: Duration = Duration::from_millis(1);
/// How long the accept loop rests after the system refuses a connection (out of file descriptors, say).
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Accepts connections until told to stop.
pub(crate) async fn listen(
    listener: TcpListener,
    hub: Arc<Hub>,
    link: Arc<Link>,
    stopping: CancellationToken,
    connections: TaskTracker,
) {
    link.metrics.up.set(1.0);
    loop {
        let accepted = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => welcome(stream, peer, &hub, &link, &stopping, &connections),
            Err(error) => {
                tracing::warn!(link = %link.settings.name, %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    link.metrics.up.set(0.0);
}

fn welcome(
    stream: TcpStream,
    peer: SocketAddr,
    hub: &Arc<Hub>,
    link: &Arc<Link>,
    stopping: &CancellationToken,
    connections: &TaskTracker,
) {
    let (name, max) = (&link.settings.name, link.settings.connections_max);
    if link.connections.fetch_add(1, Ordering::AcqRel) >= max {
        link.connections.fetch_sub(1, Ordering::AcqRel);
        link.metrics.refused.increment(1);
        tracing::warn!(link = %name, %peer, max, "refused: the link has as many connections as it may");
        return;
    }
    let (hub, link, stopping) = (Arc::clone(hub), Arc::clone(link), stopping.clone());
    connections.spawn(async move {
        tracing::info!(link = %link.settings.name, %peer, "processor connected");
        let end = converse(stream, &hub, &link, &stopping).await;
        link.connections.fetch_sub(1, Ordering::AcqRel);
        match end {
            Ok(end) => tracing::info!(link = %link.settings.name, %peer, %end, "connection closed"),
            Err(error) => tracing::warn!(link = %link.settings.name, %peer, %error, "connection lost"),
        }
    });
}

/// Why a connection was closed by us, or in good order by the other side.
#[derive(Debug)]
enum End {
    ByProcessor,
    Stopping,
    BadFrame(iso8583::FrameError),
    HalfFrame { bytes: usize, after: Duration },
    Idle { after: Duration },
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ByProcessor => f.write_str("by the processor"),
            Self::Stopping => f.write_str("the switch is stopping"),
            Self::BadFrame(error) => write!(f, "bad frame: {error}"),
            Self::HalfFrame { bytes, after } => {
                write!(f, "{bytes} bytes of a frame, and nothing more for {after:?}")
            }
            Self::Idle { after } => write!(f, "silent for {after:?}"),
        }
    }
}

async fn converse(
    stream: TcpStream,
    hub: &Arc<Hub>,
    link: &Arc<Link>,
    stopping: &CancellationToken,
) -> io::Result<End> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let door = hub.doors.open(link.settings.in_flight_max);
    let conversation = Conversation::new(Arc::clone(hub), Arc::clone(link), Arc::clone(&door));
    let mut connection = Connection {
        hub: Arc::clone(hub),
        link: Arc::clone(link),
        conversation,
        reader,
        writer,
        inbound: BytesMut::with_capacity(READ_BYTES),
        last_heard: hub.clock.now(),
        heard_all: false,
        counted_in_flight: 0,
    };
    let end = connection.run(&door, stopping).await;
    hub.doors.close(&door);
    connection.report_in_flight(0);
    end
}

struct Connection {
    hub: Arc<Hub>,
    link: Arc<Link>,
    conversation: Conversation,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    inbound: BytesMut,
    last_heard: Moment,
    /// The other side has closed its half: no more requests will come.
    heard_all: bool,
    counted_in_flight: usize,
}

impl Connection {
    async fn run(&mut self, door: &crate::doors::Door, stopping: &CancellationToken) -> io::Result<End> {
        loop {
            if self.conversation.is_finished() && (self.heard_all || stopping.is_cancelled()) {
                self.writer.shutdown().await?;
                return Ok(if self.heard_all { End::ByProcessor } else { End::Stopping });
            }
            let may_read = self.conversation.may_read() && !self.heard_all && !stopping.is_cancelled();
            self.inbound.reserve(READ_BYTES);
            let patience_ends = self.patience_ends();
            tokio::select! {
                read = self.reader.read_buf(&mut self.inbound), if may_read => {
                    // Who has said all may still be waiting for answers.
                    self.heard_all = read? == 0;
                    if let Some(end) = self.take_frames() {
                        self.flush_before_closing().await;
                        return Ok(end);
                    }
                }
                () = door.woken() => self.conversation.write_answers(),
                written = self.writer.write_buf(&mut self.conversation.out), if !self.conversation.out.is_empty() => {
                    if written? == 0 {
                        return Err(io::ErrorKind::WriteZero.into());
                    }
                }
                () = tokio::time::sleep(OFFER_AGAIN), if self.conversation.is_holding_back() => {
                    self.conversation.retry_held_back();
                    if let Some(end) = self.take_frames() {
                        self.flush_before_closing().await;
                        return Ok(end);
                    }
                }
                () = tokio::time::sleep_until(patience_ends) => {
                    if let Some(end) = self.out_of_patience() {
                        return Ok(end);
                    }
                }
                () = stopping.cancelled(), if !stopping.is_cancelled() => {}
            }
            self.report_in_flight(self.conversation.in_flight());
        }
    }

    /// Hands every whole frame to the conversation; stops early when a follow-up is held back.
    fn take_frames(&mut self) -> Option<End> {
        let received = self.hub.clock.now();
        self.last_heard = received;
        let mut end = None;
        while self.conversation.may_read() && end.is_none() {
            match self.link.settings.frame.split(&mut self.inbound) {
                Ok(Some(body)) => self.conversation.receive(body, received),
                Ok(None) => break,
                Err(error) => {
                    self.link.metrics.frame_errors.increment(1);
                    end = Some(End::BadFrame(error));
                }
            }
        }
        self.hub.metrics.read_requests(self.hub.clock.now().mono.since(received.mono));
        end
    }

    /// What was answered already is still sent, for as long as a frame may take.
    async fn flush_before_closing(&mut self) {
        let within = self.link.settings.frame_within;
        let flush = async {
            while !self.conversation.out.is_empty() {
                if !matches!(self.writer.write_buf(&mut self.conversation.out).await, Ok(1..)) {
                    break;
                }
            }
        };
        // Whoever sends bad frames and takes no answers has no claim to them.
        let _ = tokio::time::timeout(within, flush).await;
    }

    /// When the other side must have been heard from again.
    fn patience_ends(&self) -> tokio::time::Instant {
        let patience = if self.inbound.is_empty() {
            self.link.settings.idle_max
        } else {
            self.link.settings.frame_within
        };
        self.hub.clock.instant(self.last_heard.mono.plus(patience)).into()
    }

    fn out_of_patience(&mut self) -> Option<End> {
        let now = self.hub.clock.now();
        let silent = now.mono.since(self.last_heard.mono);
        let settings = &self.link.settings;
        if !self.conversation.may_read() || self.conversation.in_flight() > 0 {
            // It is we who are not reading or have not answered, so the silence is not held against it.
            self.last_heard = now;
            return None;
        }
        if !self.inbound.is_empty() && silent >= settings.frame_within {
            self.link.metrics.frame_errors.increment(1);
            return Some(End::HalfFrame { bytes: self.inbound.len(), after: silent });
        }
        (self.inbound.is_empty() && silent >= settings.idle_max).then_some(End::Idle { after: silent })
    }

    /// Keeps the link's gauge of unanswered requests.
    fn report_in_flight(&mut self, now: usize) {
        let before = std::mem::replace(&mut self.counted_in_flight, now);
        let gauge = &self.link.in_flight;
        if now >= before {
            gauge.fetch_add(now - before, Ordering::Relaxed);
        } else {
            gauge.fetch_sub(before - now, Ordering::Relaxed);
        }
    }
}
