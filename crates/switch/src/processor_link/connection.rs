//! One connection: frames in, answers out, time-outs, and an end in good order.

use super::Shared;
use super::backlog::Backlog;
use super::exchange::{Exchange, hold};
use super::wire::{Reader, Wire, Writer};
use crate::authorize::Conversation;
use crate::doors::{Clerk, Door};
use crate::hub::Hub;
use crate::in_flight::InFlight;
use crate::link::Link;
use crate::session::Breach;
use bytes::BytesMut;
use cache::Clock;
use domain::{Moment, Mono};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

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
    let mut conversation = Conversation::new(Arc::clone(hub), Arc::clone(link), Arc::clone(&door));
    conversation.begin_session();
    let exchange = Exchange::new(conversation, Arc::clone(link), writer.line());
    let exchange = Arc::new(Mutex::new(exchange));
    let clerk: Arc<Mutex<dyn Clerk>> = Arc::<Mutex<Exchange>>::clone(&exchange);
    door.set_clerk(Arc::downgrade(&clerk));
    let now = hub.clock.now().mono;
    let mut connection = Connection {
        hub: Arc::clone(hub),
        link: Arc::clone(link),
        exchange: Arc::clone(&exchange),
        door,
        stopping: stopping.clone(),
        told_to_stop: Box::pin(stopping.clone().cancelled_owned()),
        alarm: Box::pin(tokio::time::sleep(Duration::ZERO)),
        reader,
        writer,
        inbound: BytesMut::with_capacity(READ_BYTES),
        frames_left: false,
        backlog: Backlog::new(link.settings.overload, now),
        frame_began: None,
        last_heard: now,
        ending: None,
    };
    let end = connection.run().await;
    hold(&exchange).close();
    end
}

struct Connection {
    hub: Arc<Hub>,
    link: Arc<Link>,
    exchange: Arc<Mutex<Exchange>>,
    door: Arc<Door>,
    stopping: CancellationToken,
    told_to_stop: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Goes off at the latest when time alone makes a difference. It is set anew when it must go off earlier, and not
    /// for every answer that makes it later: going off early harms nobody.
    alarm: Pin<Box<Sleep>>,
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
}

/// What a connection does next.
enum Step {
    Wait(Waits),
    Over(End),
}

/// What a connection can wait for.
struct Waits {
    may_read: bool,
    has_answers: bool,
    holds_back: bool,
}

impl Connection {
    async fn run(&mut self) -> io::Result<End> {
        let exchange = Arc::clone(&self.exchange);
        loop {
            let step = self.step(&mut hold(&exchange))?;
            match step {
                Step::Over(end) => {
                    self.writer.finish().await?;
                    return Ok(end);
                }
                Step::Wait(waits) => self.wait(&waits, &exchange).await?,
            }
        }
    }

    /// Does all that can be done without waiting.
    fn step(&mut self, exchange: &mut Exchange) -> io::Result<Step> {
        loop {
            self.heed_the_end(&mut exchange.conversation);
            let took = self.may_take(&exchange.conversation);
            if took {
                self.take_frames(&mut exchange.conversation, self.hub.clock.now());
            }
            exchange.conversation.tell_lanes();
            exchange.go_on(self.ending.is_some())?;
            // What was taken may have ended the session, and what was sent has made room for the answers to more.
            if !took && !self.may_take(&exchange.conversation) {
                break;
            }
        }
        let conversation = &exchange.conversation;
        if let Some(end) = self.ended(conversation) {
            return Ok(Step::Over(end));
        }
        self.set_alarm(conversation);
        Ok(Step::Wait(Waits {
            may_read: self.ending.is_none() && !self.frames_left && conversation.may_read(),
            has_answers: self.writer.wants(&conversation.out),
            holds_back: conversation.is_holding_back(),
        }))
    }

    /// Whether there may be whole frames that can be taken now.
    fn may_take(&self, conversation: &Conversation) -> bool {
        self.frames_left && self.ending.is_none() && conversation.may_read()
    }

    /// Reads no more once the switch stops or the session cannot go on.
    fn heed_the_end(&mut self, conversation: &mut Conversation) {
        if self.stopping.is_cancelled() {
            if self.ending.is_none() {
                conversation.finish_session();
            }
            self.end(End::Stopping);
        }
        if let Some(breach) = conversation.breach() {
            self.end(End::Session(breach));
        }
    }

    /// Waits for whichever comes first of bytes, answers, room to write and time, and deals with it.
    async fn wait(&mut self, waits: &Waits, exchange: &Mutex<Exchange>) -> io::Result<()> {
        if waits.may_read {
            self.inbound.reserve(READ_BYTES);
        }
        tokio::select! {
            read = self.reader.read(&mut self.inbound), if waits.may_read => {
                match read? {
                    // Who has said all may still be waiting for answers.
                    0 => self.end(End::ByProcessor),
                    read => {
                        let received = self.hub.clock.now();
                        let conversation = &mut hold(exchange).conversation;
                        self.judge_backlog(conversation, read, received.mono);
                        self.take_frames(conversation, received);
                    }
                }
            }
            // They are written before the next wait.
            () = self.door.woken() => {}
            written = self.writer.write(exchange), if waits.has_answers => written?,
            () = tokio::time::sleep(OFFER_AGAIN), if waits.holds_back => {
                hold(exchange).conversation.retry_held_back();
            }
            () = &mut self.alarm => {
                let conversation = &mut hold(exchange).conversation;
                self.judge_silence(conversation);
                conversation.answer_due();
                conversation.tend_session(self.last_heard);
            }
            () = &mut self.told_to_stop, if self.ending.is_none() => {}
        }
        Ok(())
    }

    /// So much was read: says whether the requests in it are to be shed.
    fn judge_backlog(&mut self, conversation: &mut Conversation, read: usize, now: Mono) {
        // Less than was asked for is all that there was.
        let unread = if read < READ_BYTES { 0 } else { self.reader.unread() };
        conversation.shed_requests(self.backlog.sheds(read, unread, now));
    }

    /// Hands every whole frame to the conversation; stops early when it may take no more.
    fn take_frames(&mut self, conversation: &mut Conversation, received: Moment) {
        let mut any = false;
        self.last_heard = received.mono;
        self.frames_left = true;
        while conversation.may_read() {
            match self.link.settings.frame.take(&mut self.inbound) {
                Ok(Some(frame)) => {
                    any = true;
                    conversation.receive(frame, received);
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
    fn ended(&mut self, conversation: &Conversation) -> Option<End> {
        let (_, until) = self.ending.as_ref()?;
        let over = conversation.is_finished() || self.hub.clock.now().mono >= *until;
        if over { self.ending.take().map(|(end, _)| end) } else { None }
    }

    /// Makes the alarm go off when time alone makes a difference.
    fn set_alarm(&mut self, conversation: &Conversation) {
        let patience = conversation.next_deadline().unwrap_or(Mono::MAX).min(self.patience_ends());
        let at = match conversation.session_wakes_at(self.last_heard) {
            Some(session) if self.ending.is_none() => patience.min(session),
            Some(_) | None => patience,
        };
        let at = self.hub.clock.instant(at).into();
        if self.alarm.is_elapsed() || at < self.alarm.deadline() {
            self.alarm.as_mut().reset(at);
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
    fn judge_silence(&mut self, conversation: &Conversation) {
        let now = self.hub.clock.now().mono;
        if self.ending.is_some() || now < self.patience_ends() {
            return;
        }
        if let Some(began) = self.frame_began {
            self.link.metrics.frame_errors.increment(1);
            self.end(End::HalfFrame { bytes: self.inbound.len(), after: now.since(began) });
        } else if conversation.is_finished() {
            self.end(End::Idle { after: now.since(self.last_heard) });
        } else {
            // It is we who have not answered or not read, so the silence is not held against it.
            self.last_heard = now;
        }
    }
}
