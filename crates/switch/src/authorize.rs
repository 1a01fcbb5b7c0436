//! The hot path: one frame in, one line a step, and one answer out.
//!
//! When the cache covers the amount nothing here waits, locks or logs between decode and encode. What it costs:
//! one keyed hash for the card token, one look-up in the routing index, one push into the lane's queue.

mod delivery;

pub(crate) use delivery::is_approval;

use self::delivery::Unsent;
use crate::doors::Door;
use crate::hub::Hub;
use crate::in_flight::{InFlight, Origin, Taken, Waiting};
use crate::link::Link;
use crate::metrics::Path;
use crate::session::{Act, Breach, Heard, Session};
use crate::translate::{self, ElementFault, Incoming, Plain, Reading};
use authorizer::{Answer, Caller, Command, FundingPath, References};
use bytes::{Bytes, BytesMut};
use cache::{Clock, Full, Posted, Route, Untold};
use domain::{Authorization, Moment, Mono, Reason, Reversal, ShardId, Text};
use iso8583::{EmptyFrame, EncodeError, Frame, Message, NetworkFunction, Rejected};
use std::sync::Arc;

/// One connection's requests and answers.
pub(crate) struct Conversation {
    hub: Arc<Hub>,
    link: Arc<Link>,
    door: Arc<Door>,
    in_flight: InFlight,
    /// Encoded answers, in frames, not yet taken by the network.
    pub(crate) out: BytesMut,
    /// A follow-up that its lane had no room for; nothing more is read until it is taken.
    held_back: Option<HeldBack>,
    /// What was put into lanes' queues since they were last told.
    untold: Untold,
    session: Session,
    /// Why the session cannot go on, if so.
    breach: Option<Breach>,
    unsent: Unsent,
    /// Whether so much is unread that requests are shed to get to it.
    behind: bool,
}

/// A follow-up that waits for room: in flight, or in the lane's queue.
enum HeldBack {
    Message(Box<(Message, Incoming, Moment)>),
    Posted(Box<Posted>),
}

impl Conversation {
    /// A new connection of `link`.
    pub(crate) fn new(hub: Arc<Hub>, link: Arc<Link>, door: Arc<Door>) -> Self {
        let in_flight = InFlight::new(link.settings.in_flight_max);
        let session = Session::new(link.settings.session.clone());
        Self {
            hub,
            link,
            door,
            in_flight,
            out: BytesMut::new(),
            held_back: None,
            untold: Untold::default(),
            session,
            breach: None,
            unsent: Unsent::default(),
            behind: false,
        }
    }

    /// Takes one frame.
    pub(crate) fn receive(&mut self, frame: Frame, received: Moment) {
        match frame {
            Frame::Message(body) => self.receive_message(body, received),
            Frame::KeepAlive => self.receive_empty(None),
            Frame::SessionControl(body) => self.receive_empty(Some(&body)),
        }
    }

    /// A frame without a message: a keep-alive, or one that controls the session. The dialect says what becomes of it.
    fn receive_empty(&mut self, control: Option<&Bytes>) {
        let (frame, dialect) = (self.link.settings.frame, &self.link.settings.dialect);
        let wanted = match (dialect.network_management(), control) {
            (None, _) => EmptyFrame::Ignore,
            (Some(management), None) => management.keep_alive(),
            (Some(management), Some(_)) => management.session_control(),
        };
        match (wanted, control) {
            (EmptyFrame::Ignore, _) => {}
            (EmptyFrame::Answer, None) => frame.write_keep_alive(&mut self.out),
            (EmptyFrame::Answer, Some(body)) => {
                let written = frame.write_session_control(&mut self.out, body);
                self.check(written);
            }
            (EmptyFrame::Refuse, _) => self.breach = Some(Breach::EmptyFrame),
        }
    }

    /// Takes one message. Its answer is written now where no decision is needed, and later otherwise.
    fn receive_message(&mut self, body: Bytes, received: Moment) {
        let message = match self.link.settings.dialect.decode(body) {
            Ok(message) => message,
            Err(rejected) => return self.reject(&rejected),
        };
        if let Some(key) = &self.link.settings.mac
            && let Err(error) = message.verify_mac(key)
        {
            self.link.metrics.mac_failures.increment(1);
            tracing::debug!(link = %self.link.settings.name, %error, "message refused");
            return self.plain(&message, Plain::WrongMac);
        }
        match translate::network_function(&message, &self.link.settings.dialect) {
            Some(Ok(function)) => return self.manage(&message, function),
            Some(Err(fault)) => return self.cannot_be_read(&message, fault),
            None => {}
        }
        if let Some(answer) = translate::network_answer(&message) {
            return self.hear_answer(answer.stan, &answer.code);
        }
        // Before any work is put into it: shedding must be cheaper than serving.
        if translate::is_new_request(&message, &self.link.settings.dialect)
            && self.is_overloaded(received.mono)
        {
            return self.shed(&message, received);
        }
        let reading = Reading {
            tokens: &self.hub.tokens,
            dialect: &self.link.settings.dialect,
            partial: self.link.settings.partial.as_ref(),
            network: self.link.settings.network,
            deadline: received.mono.plus(self.link.settings.answer_within),
        };
        match translate::read(&message, reading) {
            Ok(incoming) => self.take(message, incoming, received),
            Err(fault) => self.cannot_be_read(&message, fault),
        }
    }

    fn cannot_be_read(&mut self, message: &Message, fault: ElementFault) {
        self.link.metrics.format_errors.increment(1);
        tracing::debug!(link = %self.link.settings.name, element = fault.0, "element cannot be read");
        let written = self.link.writer.format_error(message, Some(fault.0), &mut self.out);
        self.check(written);
    }

    fn take(&mut self, message: Message, incoming: Incoming, received: Moment) {
        match incoming {
            Incoming::Authorization(mut request) => {
                request.details.ask_by =
                    self.link.settings.ask_within.map(|within| received.mono.plus(within));
                self.authorize(message, request, received);
            }
            Incoming::Reversal(reversal) => self.reverse(message, reversal, received),
            Incoming::DeclinedAdvice(None) => {
                self.note(&message, "an advice of a decline says too little to be recorded");
            }
            Incoming::DeclinedAdvice(Some((request, code))) => {
                self.note_decline(message, request, code, received);
            }
            Incoming::NotServed => {
                self.hub.metrics.not_served.increment(1);
                self.plain(&message, Plain::NotServed);
            }
            Incoming::NotARequest => {
                self.hub.metrics.not_served.increment(1);
                tracing::debug!(link = %self.link.settings.name, mti = %message.mti(), "dropped: not a request");
            }
        }
    }

    /// Whether a new request is shed, whatever it asks for.
    fn is_overloaded(&self, now: Mono) -> bool {
        self.behind || self.in_flight.is_full() || self.hub.cache().sheds(now)
    }

    /// Whether a request is shed now that its shard is known. A repeat is not shed for the time that it would wait: its
    /// first answer may have been an approval.
    fn has_no_room_for(&self, message: &Message, shard: ShardId, now: Mono) -> bool {
        self.in_flight.is_full() || !message.mti().is_repeat() && self.hub.cache().sheds_for(shard, now)
    }

    /// Whether the requests that are read next are shed, because too many others wait to be read.
    pub(crate) const fn shed_requests(&mut self, shed: bool) {
        self.behind = shed;
    }

    /// Declines a request at once that cannot be served in time, before anything is reserved (E38). One that says that it is a
    /// repeat gets no answer, because its first one may have been an approval that has arrived, and no other may ever
    /// follow that (P5): whoever hears nothing asks once more, or reverses.
    fn shed(&mut self, message: &Message, received: Moment) {
        if message.mti().is_repeat() {
            self.hub.metrics.unanswered_repeats.increment(1);
            return;
        }
        self.hub.metrics.overload_declines.increment(1);
        self.decline(message, Reason::Overloaded, received);
    }

    /// Finds the card, keeps the request for its answer, and posts it to the lane.
    fn authorize(&mut self, message: Message, request: Authorization, received: Moment) {
        let is_request = request.class.is_request();
        if is_request && !self.session.is_signed_on() {
            return self.decline(&message, Reason::SignedOff, received);
        }
        let Some(route) = self.hub.index.route(&request.card) else {
            if !is_request {
                self.hub.metrics.unknown_card_follow_ups.increment(1);
            }
            return self.decline(&message, Reason::UnknownCard, received);
        };
        if is_request && self.has_no_room_for(&message, route.shard, received.mono) {
            return self.shed(&message, received);
        }
        if !is_request && self.in_flight.is_full_of_follow_ups() {
            return self.hold_back(message, Incoming::Authorization(request), received);
        }
        let references = References::of(&request);
        let origin = Origin { shard: route.shard, card: route.card, references };
        let Some(caller) = self.keep(message, received, Some(origin).filter(|_| is_request)) else { return };
        let command = Command::Authorize { card: route.card, request, caller };
        let posted = Posted { shard: route.shard, command, received };
        if is_request { self.post_request(posted) } else { self.post_follow_up(posted) }
    }

    fn reverse(&mut self, message: Message, reversal: Reversal, received: Moment) {
        let Some(Route { shard, card }) = self.hub.index.route(&reversal.card) else {
            self.hub.metrics.reversals.increment(1);
            self.hub.metrics.unknown_card_follow_ups.increment(1);
            return self.plain(&message, Plain::Accepted);
        };
        if self.in_flight.is_full_of_follow_ups() {
            return self.hold_back(message, Incoming::Reversal(reversal), received);
        }
        self.hub.metrics.reversals.increment(1);
        let Some(caller) = self.keep(message, received, None) else { return };
        self.post_follow_up(Posted { shard, command: Command::Reverse { card, reversal, caller }, received });
    }

    /// The network declined in our name: it is recorded with the card.
    fn note_decline(&mut self, message: Message, request: Authorization, code: Text<4>, received: Moment) {
        let Some(Route { shard, card }) = self.hub.index.route(&request.card) else {
            self.hub.metrics.unknown_card_follow_ups.increment(1);
            return self.plain(&message, Plain::Accepted);
        };
        if self.in_flight.is_full_of_follow_ups() {
            return self.hold_back(message, Incoming::DeclinedAdvice(Some((request, code))), received);
        }
        self.hub.metrics.noted_follow_ups.increment(1);
        let Some(caller) = self.keep(message, received, None) else { return };
        let command = Command::NoteDecline { card, request, code, caller };
        self.post_follow_up(Posted { shard, command, received });
    }

    /// Takes note of a follow-up that changes nothing here: it is acknowledged, counted and said.
    fn note(&mut self, message: &Message, what: &'static str) {
        self.hub.metrics.noted_follow_ups.increment(1);
        tracing::info!(link = %self.link.settings.name, "{what}");
        self.plain(message, Plain::Accepted);
    }

    /// Network management: answers what the other side wants.
    fn manage(&mut self, message: &Message, function: NetworkFunction) {
        let link = &self.link.settings.name;
        self.hub.metrics.network_messages.increment(1);
        let answer = match function {
            NetworkFunction::SignOn => {
                tracing::info!(%link, "the processor signed on");
                self.session.set_signed_on(true);
                Plain::Accepted
            }
            NetworkFunction::SignOff => {
                tracing::info!(%link, "the processor signed off");
                self.session.set_signed_on(false);
                Plain::Accepted
            }
            NetworkFunction::Echo => Plain::Accepted,
            NetworkFunction::KeyExchange | NetworkFunction::Cutover | NetworkFunction::Unknown => {
                self.hub.metrics.not_served.increment(1);
                tracing::warn!(%link, ?function, "network management that is not served was refused");
                Plain::FunctionNotServed
            }
        };
        self.plain(message, answer);
    }

    fn hear_answer(&mut self, stan: Option<u64>, code: &str) {
        let accepted = self.link.writer.accepts(code);
        match self.session.on_answer(stan, accepted, code) {
            Heard::InOrder => {}
            Heard::Close(breach) => self.breach = Some(breach),
            Heard::NotAsked => {
                self.hub.metrics.not_served.increment(1);
                tracing::debug!(link = %self.link.settings.name, "dropped: an answer that was not asked for");
            }
        }
    }

    /// Says what is to be said when a connection opens.
    pub(crate) fn begin_session(&mut self) {
        let now = self.hub.clock.now();
        let act = self.session.begin(now.mono);
        self.act(act, now);
    }

    /// Says what is to be said before we close a connection.
    pub(crate) fn finish_session(&mut self) {
        let now = self.hub.clock.now();
        let act = self.session.finish(now.mono);
        self.act(act, now);
    }

    /// When the session needs to be looked after.
    pub(crate) fn session_wakes_at(&self, last_heard: Mono) -> Option<Mono> {
        self.session.wakes_at(last_heard)
    }

    /// Time has passed.
    pub(crate) fn tend_session(&mut self, last_heard: Mono) {
        let now = self.hub.clock.now();
        let (act, missed) = self.session.on_time(now.mono, last_heard);
        if missed {
            self.link.metrics.missed_echoes.increment(1);
            tracing::warn!(link = %self.link.settings.name, "an echo was not answered");
        }
        self.act(act, now);
    }

    fn act(&mut self, act: Option<Act>, now: Moment) {
        match act {
            None => {}
            Some(Act::Close(breach)) => self.breach = Some(breach),
            Some(Act::Send { function, stan }) => {
                let written = self.link.writer.network_request(function, stan, now.utc, &mut self.out);
                self.check(written);
            }
        }
    }

    /// Why the session cannot go on; said once.
    pub(crate) fn breach(&mut self) -> Option<Breach> {
        self.breach.take()
    }

    /// Whether requests are served.
    pub(crate) const fn is_signed_on(&self) -> bool {
        self.session.is_signed_on()
    }

    fn keep(&mut self, message: Message, received: Moment, origin: Option<Origin>) -> Option<Caller> {
        let deadline = received.mono.plus(self.link.settings.answer_within);
        let waiting = Waiting { message, received: received.mono, deadline, origin };
        // The caller has made sure of room.
        self.in_flight.insert(waiting).ok().map(|slot| self.door.caller(slot))
    }

    fn post_request(&mut self, posted: Posted) {
        if let Err(Full(posted)) = self.hub.cache().put_request(posted, &mut self.untold)
            && let Command::Authorize { caller, .. } = posted.command
            && let Some(Taken::Waiting(waiting)) = self.in_flight.take(self.door.slot(caller))
        {
            let received = Moment { mono: waiting.received, ..posted.received };
            self.shed(&waiting.message, received);
        }
    }

    fn post_follow_up(&mut self, posted: Posted) {
        if let Err(Full(posted)) = self.hub.cache().put_follow_up(posted, &mut self.untold) {
            self.held_back = Some(HeldBack::Posted(posted));
        }
    }

    /// Tells lanes what was put into their queues; answers may have come when this returns.
    pub(crate) fn tell_lanes(&mut self) {
        self.hub.cache().tell(&mut self.untold);
    }

    fn hold_back(&mut self, message: Message, incoming: Incoming, received: Moment) {
        self.held_back = Some(HeldBack::Message(Box::new((message, incoming, received))));
    }

    /// Tries again to place what was held back.
    pub(crate) fn retry_held_back(&mut self) {
        match self.held_back.take() {
            Some(HeldBack::Posted(posted)) => self.post_follow_up(*posted),
            Some(HeldBack::Message(held)) => {
                let (message, incoming, received) = *held;
                self.take(message, incoming, received);
            }
            None => {}
        }
    }

    /// Declines without a decision: the card is not known, or there is no room.
    fn decline(&mut self, message: &Message, reason: Reason, received: Moment) {
        let answer = Answer::Authorization {
            reason,
            approval_code: None,
            part: None,
            balances: None,
            limit: None,
            path: FundingPath::Cache,
        };
        let written = self.link.writer.decided(message, &answer, &mut self.out);
        self.check(written);
        let took = self.hub.clock.now().mono.since(received.mono);
        self.hub.metrics.answered(reason, Path::None, took);
    }

    fn plain(&mut self, message: &Message, answer: Plain) {
        let written = self.link.writer.plain(message, answer, &mut self.out);
        self.check(written);
    }

    /// Answers a message that cannot be decoded, as far as it was read.
    fn reject(&mut self, rejected: &Rejected) {
        self.link.metrics.format_errors.increment(1);
        tracing::debug!(link = %self.link.settings.name, error = %rejected.error, "message cannot be decoded");
        if let Some(partial) = &rejected.partial {
            let written = self.link.writer.format_error(partial, rejected.error.element(), &mut self.out);
            self.check(written);
        }
    }

    /// An answer that the dialect cannot express is a fault of the configuration; it must be seen.
    fn check(&self, written: Result<(), EncodeError>) {
        if let Err(error) = written {
            tracing::error!(link = %self.link.settings.name, %error, "an answer cannot be written");
        }
    }

    /// Whether more may be read: nothing is held back, and the other side takes its answers.
    pub(crate) fn may_read(&self) -> bool {
        self.held_back.is_none() && self.out.len() < self.link.settings.unsent_bytes_max
    }

    /// Whether something is held back.
    pub(crate) fn is_holding_back(&self) -> bool {
        self.held_back.is_some()
    }

    /// Whether every request has its answer and the network has every answer.
    pub(crate) fn is_finished(&self) -> bool {
        self.in_flight.len() == 0 && self.out.is_empty() && self.held_back.is_none()
    }

    /// Requests not yet answered.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}
