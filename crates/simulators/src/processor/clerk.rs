//! Takes the answers of one link: matches, checks, measures and books them.
//!
//! Knows no socket and no clock, so that tests hand it bytes and instants.

use super::books::CardBook;
use super::checks;
use super::deck::Deck;
use super::flight::{Flights, Waiting};
use super::latency::{Latencies, Path};
use super::outcome::{Approval, DeclineKey, LinkOutcome, Seconds};
use super::progress::Reporter;
use super::request::{Kind, Purchase, References, Request, Sender, has_marks};
use super::violation::{ViolationKind, Violations};
use bytes::Bytes;
use domain::FundingMode;
use iso8583::{Class, Dialect, Message};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Two characters of DE 39.
pub(crate) type ResponseCode = [u8; 2];

/// The clerk of one link.
#[derive(Debug)]
pub(crate) struct Clerk {
    pub(super) deck: Arc<Deck>,
    dialect: Dialect,
    acquirer: u64,
    answer_within: Duration,
    pub(super) keep_approvals: bool,
    start: Instant,
    pub(crate) flights: Flights,
    pub(crate) reporter: Reporter,
    pub(super) books: HashMap<u32, CardBook>,
    latencies: Latencies,
    seconds: Seconds,
    codes: BTreeMap<ResponseCode, u64>,
    declines: BTreeMap<DeclineKey, u64>,
    violations: Violations,
    pub(super) approvals: Vec<Approval>,
    /// What the switch has asked of us: to be answered by whoever has the connection.
    pub(crate) asked: Vec<Message>,
}

/// An answer that was matched to what it answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) kind: Kind,
    pub(crate) code: Option<ResponseCode>,
}

impl Clerk {
    pub(crate) fn new(
        deck: Arc<Deck>,
        dialect: Dialect,
        config: &super::ProcessorConfig,
        start: Instant,
    ) -> Self {
        Self {
            deck,
            dialect,
            acquirer: config.acquirer,
            answer_within: config.answer_within,
            keep_approvals: config.keep_approvals,
            start,
            flights: Flights::new(config.answer_within),
            reporter: Reporter::default(),
            books: HashMap::new(),
            latencies: Latencies::default(),
            seconds: Seconds::default(),
            codes: BTreeMap::new(),
            declines: BTreeMap::new(),
            violations: Violations::default(),
            approvals: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// Counts seconds from here on.
    pub(crate) const fn start_at(&mut self, start: Instant) {
        self.start = start;
    }

    /// Notes a message that was sent.
    pub(crate) fn sent(&mut self, request: Request, due: Instant, now: Instant, remember: bool) {
        self.reporter.counts.sent += 1;
        if now.saturating_duration_since(due) > DELAY_MAX {
            self.reporter.counts.delayed += 1;
        }
        self.seconds.sent(now.saturating_duration_since(self.start));
        self.flights.sent(request, due, now, remember);
    }

    /// Takes one answer that arrived at `now`.
    pub(crate) fn answer(&mut self, body: Bytes, now: Instant) -> Option<Answered> {
        if body.is_empty() {
            return None; // a keep-alive
        }
        let message = match self.dialect.decode(body.clone()) {
            Ok(message) => message,
            Err(rejected) => {
                self.violation(ViolationKind::Undecodable, rejected.error.to_string(), None);
                return None;
            }
        };
        if message.mti().class() == Class::Network && message.mti().answer().is_some() {
            self.asked.push(message);
            return None;
        }
        let Some(references) = references_of(&message) else {
            self.violation(ViolationKind::Unmatchable, "DE 7 or DE 11 is missing".into(), Some(&message));
            return None;
        };
        let Some((waiting, exchange)) = self.flights.answered(references) else {
            let found = format!("MTI {} for STAN {:06}", message.mti(), references.stan);
            self.violation(ViolationKind::Unexpected, found, Some(&message));
            return None;
        };
        let code = checks::response_code(&message);
        let broken_repeat = checks::compare_with_first(exchange, code, &body);
        let marks = has_marks(&self.dialect);
        let sender = Sender { cards: self.deck.cards(), acquirer: self.acquirer, marks };
        let mut found = checks::answer_to(&waiting.sent, &message, sender);
        found.extend(broken_repeat.then(|| (ViolationKind::RepeatDiffers, "other bytes than before".into())));
        for (kind, found) in found {
            self.violation(kind, found, Some(&message));
        }
        self.measure(&waiting, code, now);
        self.book(&waiting.sent, references, code, &message);
        self.flights.settle(references);
        Some(Answered { kind: waiting.sent.kind, code })
    }

    pub(super) fn violation(&mut self, kind: ViolationKind, found: String, answer: Option<&Message>) {
        self.reporter.counts.violations += 1;
        self.violations.add(kind, found, answer);
    }

    fn measure(&mut self, waiting: &Waiting, code: Option<ResponseCode>, now: Instant) {
        let latency = now.saturating_duration_since(waiting.due);
        let counts = &mut self.reporter.counts;
        counts.answered += 1;
        if latency > self.answer_within {
            counts.late += 1;
        }
        *self.codes.entry(code.unwrap_or(*b"--")).or_default() += 1;
        let purchase = waiting.sent.purchase();
        if waiting.sent.kind == Kind::Purchase {
            if is_approval(code) {
                counts.approved += 1;
            } else {
                counts.declined += 1;
                let provoked = purchase.and_then(|purchase| purchase.refusal);
                *self.declines.entry((provoked, code.unwrap_or(*b"--"))).or_default() += 1;
            }
        }
        let provoked = purchase.is_some_and(|purchase| purchase.refusal.is_some());
        // A decline that was asked for is no sign of overload, whatever its code.
        let undecided = is_undecided(code) && !provoked;
        let path = path_of(waiting.sent.kind, self.funding_of(purchase), is_approval(code), undecided);
        self.latencies.record(path, latency);
        self.seconds.answered(now.saturating_duration_since(self.start), latency);
        self.reporter.answered_after(latency);
    }

    fn funding_of(&self, purchase: Option<&Purchase>) -> FundingMode {
        let card = purchase.and_then(|purchase| self.deck.cards().get(purchase.card as usize));
        card.map_or(FundingMode::PreFunded, |card| card.funding)
    }

    /// Closes the books: whatever has no answer now never gets one.
    /// Messages were sent for `sending`, and `answered_meanwhile` answers came in that time.
    pub(crate) fn finish(
        mut self,
        progress: &super::Progress,
        sending: Duration,
        answered_meanwhile: u64,
    ) -> LinkOutcome {
        for exchange in self.flights.unresolved() {
            self.reporter.counts.unanswered += 1;
            if let Some(purchase) = exchange.request.purchase() {
                let book = self.books.entry(purchase.card).or_default();
                book.unknown.add(purchase.in_card_currency());
            }
        }
        self.reporter.share(progress);
        LinkOutcome {
            sending,
            answered_meanwhile,
            counts: self.reporter.counts,
            books: self.books,
            latencies: self.latencies,
            seconds: self.seconds,
            codes: self.codes,
            declines: self.declines,
            violations: self.violations,
            approvals: self.approvals,
        }
    }
}

/// A message that leaves this much after it was due was held up.
const DELAY_MAX: Duration = Duration::from_millis(1);

/// Whether DE 39 says yes: approved, with identification, partly, VIP, or "no reason to decline".
pub(crate) const fn is_approval(code: Option<ResponseCode>) -> bool {
    matches!(code, Some([b'0', b'0' | b'8'] | [b'1', b'0' | b'1'] | [b'8', b'5']))
}

/// Whether DE 39 says that the switch could not decide: inoperative, or malfunction.
pub(crate) const fn is_undecided(code: Option<ResponseCode>) -> bool {
    matches!(code, Some([b'9', b'1' | b'6']))
}

const fn path_of(kind: Kind, funding: FundingMode, approved: bool, undecided: bool) -> Path {
    match kind {
        Kind::Repeat => Path::Repeat,
        Kind::Advice => Path::Advice,
        Kind::Reversal | Kind::ReversalRepeat => Path::Reversal,
        Kind::Network => Path::Network,
        Kind::Purchase => match (approved, funding) {
            (true, FundingMode::PreFunded) => Path::Cache,
            (true, FundingMode::Jit) => Path::Jit,
            (false, FundingMode::Jit) => Path::JitDecline,
            (false, FundingMode::PreFunded) if undecided => Path::Shed,
            (false, FundingMode::PreFunded) => Path::Decline,
        },
    }
}

fn references_of(message: &Message) -> Option<References> {
    let stan = u32::try_from(message.number(11)?).ok()?;
    let transmission = u32::try_from(message.number(7)?).ok()?;
    Some(References { stan, transmission })
}

#[cfg(test)]
#[path = "clerk_tests.rs"]
mod tests;
