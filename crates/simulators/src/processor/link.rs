//! One link to the switch: connects, signs on, sends what is due, takes what arrives, and comes back when the
//! connection is lost.

use super::clerk::{Answered, Clerk};
use super::clock::TransmissionClock;
use super::config::{LinkTarget, ProcessorConfig, ProcessorError, WhenUnanswered};
use super::deck::Deck;
use super::outcome::LinkOutcome;
use super::pace::{Pace, Schedule};
use super::plan::Plan;
use super::progress::Progress;
use super::request::{Kind, Request, SIGN_OFF, SIGN_ON, Sender, has_marks};
use super::timer::Timer;
use super::wire::{Wire, WireError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often counts are shared with whoever watches.
const SHARE_EVERY: Duration = Duration::from_millis(100);
/// Messages put on the wire before answers are looked at again.
const BURST_MAX: usize = 512;
/// The first wait before a lost connection is tried again, and the longest.
const BACK_OFF_MIN: Duration = Duration::from_millis(20);
const BACK_OFF_MAX: Duration = Duration::from_millis(500);

/// One link.
pub(crate) struct Link {
    number: usize,
    target: LinkTarget,
    config: Arc<ProcessorConfig>,
    deck: Arc<Deck>,
    progress: Arc<Progress>,
    plan: Plan,
    schedule: Schedule,
    room: usize,
    clerk: Clerk,
    clock: TransmissionClock,
    timer: Timer,
    start: Instant,
    shared: Instant,
    last: Option<Answered>,
    /// When nothing was left to send: since the start, and how many answers there were by then.
    sent_all: Option<(Duration, u64)>,
}

/// Why a conversation ended.
enum Stop {
    /// Everything was sent, and answered or given up.
    Done,
    /// The connection is lost.
    Lost(WireError),
}

impl Link {
    pub(crate) fn new(
        number: usize,
        target: LinkTarget,
        config: &Arc<ProcessorConfig>,
        deck: &Arc<Deck>,
        progress: &Arc<Progress>,
    ) -> Result<Self, ProcessorError> {
        let links = config.links.len();
        let mix = config.mix.clone();
        let mix = if has_marks(&target.dialect) { mix } else { mix.without_marks() };
        let plan = Plan::new(Arc::clone(deck), &mix, config.seed, number, links);
        let plan = plan.ok_or(ProcessorError::NothingToSend { cards: config.cards.len() })?;
        let now = Instant::now();
        let room = match config.pace {
            Pace::Open { .. } => config.in_flight_per_link_max,
            Pace::Closed { window_per_link } => window_per_link.min(config.in_flight_per_link_max),
        };
        Ok(Self {
            number,
            config: Arc::clone(config),
            deck: Arc::clone(deck),
            progress: Arc::clone(progress),
            plan,
            schedule: Schedule::new(config.pace, config.seed, number, links),
            room,
            clerk: Clerk::new(Arc::clone(deck), target.dialect.clone(), config, now),
            clock: TransmissionClock::starting(now),
            timer: Timer::new().map_err(ProcessorError::Timer)?,
            target,
            start: now,
            shared: now,
            last: None,
            sent_all: None,
        })
    }

    /// Connects and signs on.
    pub(crate) async fn open(&mut self) -> Result<Wire, ProcessorError> {
        let (link, addr) = (self.number, self.target.addr.clone());
        let within = self.config.connect_within;
        let connected = tokio::time::timeout(within, Wire::connect(&self.target)).await;
        let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        let mut wire =
            connected.map_err(|source| ProcessorError::Connect { link, addr: addr.clone(), source })?;
        let what = match self.manage(&mut wire, SIGN_ON, within).await? {
            Ok(Some(code)) if code == *b"00" => return Ok(wire),
            Ok(Some(code)) => format!("was answered with {}", String::from_utf8_lossy(&code)),
            Ok(None) => format!("was not answered within {within:?}"),
            Err(error) => format!("failed: {error}"),
        };
        Err(ProcessorError::SignOn { link, addr, what })
    }

    /// Sends everything, from `start` on, and closes the books.
    pub(crate) async fn run(mut self, mut wire: Wire, start: Instant) -> Result<LinkOutcome, ProcessorError> {
        self.start = start;
        self.clerk.start_at(start);
        loop {
            match self.converse(&mut wire).await? {
                Stop::Done => break,
                Stop::Lost(error) => {
                    tracing::info!(link = self.number, %error, "link lost");
                    let lost = self.clerk.flights.lose_link();
                    self.clerk.reporter.counts.lost_links += 1;
                    let Some(reopened) = self.reopen().await? else { break };
                    wire = reopened;
                    self.follow_up(&mut wire, &lost)?;
                }
            }
        }
        // A switch that is gone cannot be signed off from; there is nothing to lose by that.
        let _ = self.manage(&mut wire, SIGN_OFF, Duration::from_secs(1)).await?;
        let (sending, answered) = self.sent_all.unwrap_or_else(|| self.so_far(Instant::now()));
        Ok(self.clerk.finish(&self.progress, sending, answered))
    }

    /// Sends what is due and takes what arrives, until all is done or the connection is lost.
    async fn converse(&mut self, wire: &mut Wire) -> Result<Stop, ProcessorError> {
        loop {
            let now = Instant::now();
            let all_sent = self.send_due(wire, now)?;
            if all_sent && self.sent_all.is_none() {
                self.sent_all = Some(self.so_far(now));
            }
            if let Err(error) = wire.flush() {
                return Ok(Stop::Lost(error.into()));
            }
            self.clerk.flights.mark_overdue(now);
            self.share(now);
            if all_sent && (self.clerk.flights.waiting() == 0 || now >= self.gives_up_at()) {
                return Ok(Stop::Done);
            }
            if let Err(error) = self.wait(wire, now, all_sent).await {
                return Ok(Stop::Lost(error));
            }
            if let Err(error) = self.take_answers(wire) {
                return Ok(Stop::Lost(error));
            }
        }
    }

    /// Puts everything that is due on the wire. Returns whether nothing is left to send.
    fn send_due(&mut self, wire: &mut Wire, now: Instant) -> Result<bool, ProcessorError> {
        for _ in 0..BURST_MAX {
            if self.is_over(now) {
                return Ok(true);
            }
            let due = self.schedule.due().map_or(now, |due| self.start + due);
            if due > now || self.clerk.flights.in_flight() >= self.room {
                return Ok(false);
            }
            let planned = self.plan.next(self.clock.at(due));
            for forgotten in planned.forget.into_iter().flatten() {
                self.clerk.flights.forget(forgotten);
            }
            if self.clerk.flights.is_timely(&planned.request) {
                self.send(wire, planned.request, due, now, planned.remember)?;
            }
            self.schedule.advance();
        }
        Ok(false)
    }

    /// Whether no more messages are planned: the next one would be due after the end.
    fn is_over(&self, now: Instant) -> bool {
        let next = self.schedule.due().unwrap_or_else(|| now.saturating_duration_since(self.start));
        next >= self.config.duration || self.progress.is_stopped()
    }

    fn gives_up_at(&self) -> Instant {
        self.start + self.config.duration + self.config.drain_within
    }

    fn send(
        &mut self,
        wire: &mut Wire,
        request: Request,
        due: Instant,
        now: Instant,
        remember: bool,
    ) -> Result<(), ProcessorError> {
        let marks = has_marks(&self.target.dialect);
        let sender = Sender { cards: self.deck.cards(), acquirer: self.config.acquirer, marks };
        wire.push(&self.target, &request, sender).map_err(|source| ProcessorError::Encode {
            dialect: self.target.dialect.name().to_owned(),
            source: Box::new(source),
        })?;
        self.clerk.sent(request, due, now, remember);
        Ok(())
    }

    /// Waits for an answer, for room to write, for the next due time, or for the next thing to look after.
    async fn wait(&self, wire: &Wire, now: Instant, all_sent: bool) -> Result<(), WireError> {
        let has_room = self.clerk.flights.in_flight() < self.room;
        let due = self.schedule.due().filter(|_| has_room && !all_sent).map(|due| self.start + due);
        let deadline = self.clerk.flights.next_deadline();
        let wake = [due, deadline].into_iter().flatten().fold(now + SHARE_EVERY, Instant::min);
        tokio::select! {
            ready = wire.ready() => ready?,
            fired = self.timer.until(wake) => fired?,
        }
        Ok(())
    }

    /// How long the run has taken, and how many answers there are.
    fn so_far(&self, now: Instant) -> (Duration, u64) {
        (now.saturating_duration_since(self.start), self.clerk.reporter.counts.answered)
    }

    /// Takes all answers that have arrived.
    fn take_answers(&mut self, wire: &mut Wire) -> Result<(), WireError> {
        let filled = wire.fill();
        let now = Instant::now();
        // What arrived before the connection closed counts.
        while let Some(frame) = wire.next_frame(&self.target)? {
            self.last = self.clerk.answer(frame, now).or(self.last);
        }
        let accepted = self.target.dialect.response_code("accepted").unwrap_or("00");
        for asked in std::mem::take(&mut self.clerk.asked) {
            if let Err(error) = wire.push_acceptance(&self.target, &asked, accepted) {
                tracing::warn!(link = self.number, %error, "what the switch asked cannot be answered");
            }
        }
        filled
    }

    fn share(&mut self, now: Instant) {
        if now.saturating_duration_since(self.shared) >= SHARE_EVERY {
            self.clerk.reporter.share(&self.progress);
            self.shared = now;
        }
    }

    /// Signs on or off and waits for the answer. `Ok(None)` when none came in time.
    async fn manage(
        &mut self,
        wire: &mut Wire,
        code: u16,
        within: Duration,
    ) -> Result<Result<Option<[u8; 2]>, WireError>, ProcessorError> {
        let now = Instant::now();
        let request = self.plan.network(code, self.clock.at(now));
        self.last = None;
        self.send(wire, request, now, now, false)?;
        let answered = async {
            loop {
                wire.flush()?;
                wire.ready().await?;
                self.take_answers(wire)?;
                if let Some(Answered { kind: Kind::Network, code }) = self.last {
                    return Ok(code);
                }
            }
        };
        match tokio::time::timeout(within, answered).await {
            Ok(answered) => Ok(answered),
            Err(_) => Ok(Ok(None)),
        }
    }

    /// Connects again, trying until the run is over. What is due in the meantime is skipped: there is no link
    /// that it could be sent on.
    async fn reopen(&mut self) -> Result<Option<Wire>, ProcessorError> {
        let mut back_off = BACK_OFF_MIN;
        while Instant::now() < self.gives_up_at() && !self.progress.is_stopped() {
            let opened = self.open().await;
            self.clerk.flights.lose_link();
            match opened {
                Ok(wire) => {
                    self.skip_missed(Instant::now());
                    return Ok(Some(wire));
                }
                Err(error @ ProcessorError::Encode { .. }) => return Err(error),
                Err(error) => tracing::debug!(link = self.number, %error, "cannot reconnect yet"),
            }
            self.skip_missed(Instant::now());
            self.share(Instant::now());
            tokio::time::sleep(back_off).await;
            back_off = (back_off * 2).min(BACK_OFF_MAX);
        }
        Ok(None)
    }

    fn skip_missed(&mut self, now: Instant) {
        while let Some(due) = self.schedule.due().map(|due| self.start + due) {
            if due > now || self.is_over(now) {
                return;
            }
            let planned = self.plan.next(self.clock.at(due));
            for forgotten in planned.forget.into_iter().flatten() {
                self.clerk.flights.forget(forgotten);
            }
            if planned.remember {
                self.clerk.flights.skipped(planned.request);
            }
            self.clerk.reporter.counts.skipped += 1;
            self.schedule.advance();
        }
    }

    /// Does what the configuration says about messages that got no answer.
    fn follow_up(&mut self, wire: &mut Wire, lost: &[Request]) -> Result<(), ProcessorError> {
        let now = Instant::now();
        for request in lost {
            let again = match self.config.when_unanswered {
                WhenUnanswered::Leave => None,
                WhenUnanswered::Repeat => Some(request.repeated()),
                WhenUnanswered::Reverse if request.is_advice() || request.reverses().is_some() => {
                    Some(request.repeated())
                }
                WhenUnanswered::Reverse => self.plan.reversal_of(request, self.clock.at(now)),
            };
            if let Some(again) = again {
                self.send(wire, again, now, now, false)?;
            }
        }
        Ok(())
    }
}
