//! One connection: frames in, answers out, time-outs, and an end in good order.

use super::Shared;
use super::backlog::Backlog;
use super::wire::{Reader, Wire, Writer};
use crate::authorize::Conversation;
use crate::doors::Door;
use crate::hub::Hub;
use crate::in_flight::InFlight;
use crate::link::Link;
use crate::session::Breach;
use bytes::BytesMut;
use cache::Clock;
use domain::{Moment, Mono};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Bytes asked of the network at once: a few hundred messages.
const READ_BYTES: usize = 64 * 1024;
/// How often a held-back follow-up is offered again.
const OFFER_AGAIN: Duration = Duration::from_millis(1);

/// Why a connection was closed by us, or in good order by the other side.
#[derive(Debug)]
pub(super) enum End {
    ByProcessor,
    Stopping,
    BadFrame(iso8583::FrameError),
    HalfFrame { bytes: usize, after: Duration },
    Idle { after: Duration },
    Session(Breach),
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
            Self::Session(breach) => breach.fmt(f),
        }
    }
}

/// Serves a connection to its end.
pub(super) async fn converse(wire: Wire, shared: &Shared) -> io::Result<End> {
    let Shared { hub, link, stopping } = shared;
    wire.send_at_once()?;
    let (reader, writer) = wire.split();
    let door = hub.doors.open(InFlight::places(link.settings.in_flight_max));
    let conversation = Conversation::new(Arc::clone(hub), Arc::clone(link), Arc::clone(&door));
    let now = hub.clock.now().mono;
    let mut connection = Connection {
        hub: Arc::clone(hub),
        link: Arc::clone(link),
        conversation,
        reader,
        writer,
        inbound: BytesMut::with_capacity(READ_BYTES),
        frames_left: false,
        backlog: Backlog::new(link.settings.overload, now),
        frame_began: None,
        last_heard: now,
        ending: None,
        counted: Counted::default(),
    };
    connection.conversation.begin_session();
    let end = connection.run(&door, stopping).await;
    connection.conversation.close();
    connection.report(Counted::default());
    end
}

struct Connection {
    hub: Arc<Hub>,
    link: Arc<Link>,
    conversation: Conversation,
    reader: Reader,
    writer: Writer,
    inbound: BytesMut,
    /// `inbound` may hold whole frames that could not be taken yet.
    frames_left: bool,
    backlog: Backlog,
    /// When the first byte of the frame that is not whole yet came.
    frame_began: Option<Mono>,
    last_heard: Mono,
    /// Set when no more is read: what is in flight is still answered, until the time given.
    ending: Option<(End, Mono)>,
    counted: Counted,
}

/// What this connection adds to its link's gauges.
#[derive(Clone, Copy, Default)]
struct Counted {
    in_flight: usize,
    signed_on: usize,
}

impl Connection {
    async fn run(&mut self, door: &Door, stopping: &CancellationToken) -> io::Result<End> {
        loop {
            if stopping.is_cancelled() {
                if self.ending.is_none() {
                    self.conversation.finish_session();
                }
                self.end(End::Stopping);
            }
            if let Some(breach) = self.conversation.breach() {
                self.end(End::Session(breach));
            }
            if self.frames_left && self.ending.is_none() {
                self.take_frames(self.hub.clock.now());
            }
            if let Some(end) = self.ended() {
                self.writer.finish().await?;
                return Ok(end);
            }
            self.wait(door, stopping).await?;
            self.report(Counted {
                in_flight: self.conversation.in_flight(),
                signed_on: usize::from(self.conversation.is_signed_on()),
            });
        }
    }

    /// Waits for whichever comes first of bytes, answers, room to write and time, and deals with it.
    async fn wait(&mut self, door: &Door, stopping: &CancellationToken) -> io::Result<()> {
        let may_read = self.ending.is_none() && !self.frames_left && self.conversation.may_read();
        let has_answers = self.writer.wants(&self.conversation.out);
        let wake_at = self.hub.clock.instant(self.wakes_at()).into();
        if may_read {
            self.inbound.reserve(READ_BYTES);
        }
        tokio::select! {
            read = self.reader.read(&mut self.inbound), if may_read => {
                match read? {
                    // Who has said all may still be waiting for answers.
                    0 => self.end(End::ByProcessor),
                    read => {
                        let received = self.hub.clock.now();
                        self.judge_backlog(read, received.mono);
                        self.take_frames(received);
                    }
                }
            }
            () = door.woken() => self.conversation.write_answers(),
            written = self.writer.write(&mut self.conversation.out), if has_answers => {
                self.conversation.sent(written?);
            }
            () = tokio::time::sleep(OFFER_AGAIN), if self.conversation.is_holding_back() => {
                self.conversation.retry_held_back();
            }
            () = tokio::time::sleep_until(wake_at) => {
                self.judge_silence();
                self.conversation.answer_due();
                self.conversation.tend_session(self.last_heard);
            }
            () = stopping.cancelled(), if self.ending.is_none() => {}
        }
        Ok(())
    }

    /// So much was read: says whether the requests in it are to be shed.
    fn judge_backlog(&mut self, read: usize, now: Mono) {
        // Less than was asked for is all that there was.
        let unread = if read < READ_BYTES { 0 } else { self.reader.unread() };
        self.conversation.shed_requests(self.backlog.sheds(read, unread, now));
    }

    /// Hands every whole frame to the conversation; stops early when it may take no more.
    fn take_frames(&mut self, received: Moment) {
        let mut any = false;
        self.last_heard = received.mono;
        self.frames_left = true;
        while self.conversation.may_read() {
            match self.link.settings.frame.take(&mut self.inbound) {
                Ok(Some(frame)) => {
                    any = true;
                    self.conversation.receive(frame, received);
                }
                Ok(None) => {
                    self.frames_left = false;
                    break;
                }
                Err(error) => {
                    self.link.metrics.frame_errors.increment(1);
                    self.frames_left = false;
                    self.end(End::BadFrame(error));
                    break;
                }
            }
        }
        self.frame_began = match self.frame_began {
            _ if self.inbound.is_empty() || self.frames_left => None,
            Some(began) if !any => Some(began),
            Some(_) | None => Some(received.mono),
        };
        self.hub.metrics.read_requests(self.hub.clock.now().mono.since(received.mono));
    }

    /// Reads no more. What is in flight has as long as the processor would wait for it.
    fn end(&mut self, end: End) {
        if self.ending.is_none() {
            let until = self.hub.clock.now().mono.plus(self.link.settings.answer_within);
            self.ending = Some((end, until));
        }
    }

    /// Why the connection is over, once everything is answered or the time for it has run out.
    fn ended(&mut self) -> Option<End> {
        let (_, until) = self.ending.as_ref()?;
        let over = self.conversation.is_finished() || self.hub.clock.now().mono >= *until;
        if over { self.ending.take().map(|(end, _)| end) } else { None }
    }

    /// When time alone makes a difference.
    fn wakes_at(&self) -> Mono {
        let patience = self.conversation.next_deadline().unwrap_or(Mono::MAX).min(self.patience_ends());
        match self.conversation.session_wakes_at(self.last_heard) {
            Some(session) if self.ending.is_none() => patience.min(session),
            Some(_) | None => patience,
        }
    }

    /// When something must have happened: the connection's end, a whole frame, or a sign of life.
    fn patience_ends(&self) -> Mono {
        let settings = &self.link.settings;
        match (&self.ending, self.frame_began) {
            (Some((_, until)), _) => *until,
            (None, Some(began)) => began.plus(settings.frame_within),
            (None, None) => self.last_heard.plus(settings.idle_max),
        }
    }

    /// The time above has come: closes the connection if it is the other side that kept us waiting.
    fn judge_silence(&mut self) {
        let now = self.hub.clock.now().mono;
        if self.ending.is_some() || now < self.patience_ends() {
            return;
        }
        if let Some(began) = self.frame_began {
            self.link.metrics.frame_errors.increment(1);
            self.end(End::HalfFrame { bytes: self.inbound.len(), after: now.since(began) });
        } else if self.conversation.is_finished() {
            self.end(End::Idle { after: now.since(self.last_heard) });
        } else {
            // It is we who have not answered or not read, so the silence is not held against it.
            self.last_heard = now;
        }
    }

    /// Keeps the link's gauges.
    fn report(&mut self, now: Counted) {
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
