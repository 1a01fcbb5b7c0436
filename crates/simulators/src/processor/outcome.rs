//! What a run has shown: counts, latencies, books, broken promises.

use super::books::{Books, CardBook};
use super::card::Refusal;
use super::clerk::ResponseCode;
use super::deck::Deck;
use super::latency::Latencies;
use super::progress::Counts;
use super::request::{Purchase, References};
use super::violation::Violations;
use domain::{CardId, Currency, LastFour};
use hdrhistogram::Histogram;
use iso8583::Message;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How long messages were sent for.
    pub sending: Duration,
    /// Answers that came in that time; those that came after it say nothing of throughput.
    pub answered_meanwhile: u64,
    /// Counts over all links.
    pub counts: Counts,
    /// Latencies by path.
    pub latencies: Latencies,
    /// The run second by second.
    pub timeline: Vec<Second>,
    /// The simulator's own books.
    pub books: Books,
    /// Answers by response code, DE 39; `--` where there was none.
    pub response_codes: BTreeMap<String, u64>,
    /// Declines by what provoked them and by response code.
    pub declines: Vec<Declines>,
    /// Broken promises.
    pub violations: Violations,
    /// Every approval seen, in the order of their answers on each link, if the configuration asks for it.
    pub approvals: Vec<Approval>,
}

/// One second of a run.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Second {
    /// Messages sent.
    pub sent: u64,
    /// Answers received.
    pub answered: u64,
    /// Their median latency.
    pub p50: Duration,
    /// Their 99th percentile.
    pub p99: Duration,
    /// The slowest.
    pub max: Duration,
}

/// How often something was declined.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Declines {
    /// What the simulator provoked; `None` where it meant no harm.
    pub provoked: Option<Refusal>,
    /// DE 39.
    pub response_code: String,
    /// How often.
    pub count: u64,
}

/// An approval as the processor saw it: what the switch may never forget.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Approval {
    /// The product's name for the card.
    pub card: CardId,
    /// The last digits of its number.
    pub last_four: LastFour,
    /// What was approved, in minor units of `currency`.
    pub minor: u64,
    /// The card's currency.
    pub currency: Currency,
    /// DE 11.
    pub stan: u32,
    /// DE 7, `MMDDhhmmss`.
    pub transmission: u32,
    /// DE 38.
    pub approval_code: Option<String>,
    /// It was an advice, which the switch acknowledged.
    pub advice: bool,
}

impl Approval {
    pub(crate) fn seen(
        deck: &Deck,
        purchase: &Purchase,
        references: References,
        minor: u64,
        advice: bool,
        answer: &Message,
    ) -> Option<Self> {
        let card = deck.cards().get(purchase.card as usize)?;
        Some(Self {
            card: card.id,
            last_four: card.number.last_four(),
            minor,
            currency: card.currency,
            stan: references.stan,
            transmission: references.transmission,
            approval_code: answer.text(38).map(std::borrow::Cow::into_owned),
            advice,
        })
    }
}

pub(crate) type DeclineKey = (Option<Refusal>, ResponseCode);

/// The result of one link.
#[derive(Debug)]
pub(crate) struct LinkOutcome {
    pub(crate) sending: Duration,
    pub(crate) answered_meanwhile: u64,
    pub(crate) counts: Counts,
    pub(crate) books: HashMap<u32, CardBook>,
    pub(crate) latencies: Latencies,
    pub(crate) seconds: Seconds,
    pub(crate) codes: BTreeMap<ResponseCode, u64>,
    pub(crate) declines: BTreeMap<DeclineKey, u64>,
    pub(crate) violations: Violations,
    pub(crate) approvals: Vec<Approval>,
}

/// Latencies second by second. Two significant digits are enough for a picture, and keep an hour small.
#[derive(Debug, Default)]
pub(crate) struct Seconds(Vec<SecondOfLink>);

#[derive(Debug)]
struct SecondOfLink {
    sent: u64,
    /// Microseconds.
    latencies: Histogram<u32>,
}

/// A run of a day is drawn whole; answers after that count into its last second.
const SECONDS_MAX: usize = 86_400;
const SLOWEST_MICROS: u64 = 120_000_000;

impl Seconds {
    pub(crate) fn sent(&mut self, since_start: Duration) {
        self.at(since_start).sent += 1;
    }

    pub(crate) fn answered(&mut self, since_start: Duration, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(SLOWEST_MICROS);
        self.at(since_start).latencies.saturating_record(micros.max(1));
    }

    fn at(&mut self, since_start: Duration) -> &mut SecondOfLink {
        let index = usize::try_from(since_start.as_secs()).unwrap_or(SECONDS_MAX).min(SECONDS_MAX - 1);
        if self.0.len() <= index {
            self.0.resize_with(index + 1, SecondOfLink::new);
        }
        &mut self.0[index]
    }

    fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize_with(other.0.len(), SecondOfLink::new);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            mine.sent += theirs.sent;
            mine.latencies.add(&theirs.latencies).expect("equal bounds");
        }
    }

    fn timeline(&self) -> Vec<Second> {
        let quantile = |second: &SecondOfLink, quantile| {
            Duration::from_micros(second.latencies.value_at_quantile(quantile))
        };
        let seconds = self.0.iter().map(|second| Second {
            sent: second.sent,
            answered: second.latencies.len(),
            p50: quantile(second, 0.5),
            p99: quantile(second, 0.99),
            max: Duration::from_micros(second.latencies.max()),
        });
        seconds.collect()
    }
}

impl SecondOfLink {
    fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, SLOWEST_MICROS, 2).expect("constant bounds, in order");
        Self { sent: 0, latencies }
    }
}

impl Outcome {
    /// Adds up the links.
    pub(crate) fn of(links: Vec<LinkOutcome>, deck: &Deck) -> Self {
        let mut outcome = Self {
            sending: Duration::ZERO,
            answered_meanwhile: 0,
            counts: Counts::default(),
            latencies: Latencies::default(),
            timeline: Vec::new(),
            books: Books::default(),
            response_codes: BTreeMap::new(),
            declines: Vec::new(),
            violations: Violations::default(),
            approvals: Vec::new(),
        };
        let mut seconds = Seconds::default();
        let mut declines: BTreeMap<DeclineKey, u64> = BTreeMap::new();
        for link in links {
            outcome.sending = outcome.sending.max(link.sending);
            outcome.answered_meanwhile += link.answered_meanwhile;
            outcome.counts.add(&link.counts);
            outcome.latencies.merge(&link.latencies);
            seconds.merge(&link.seconds);
            for (card, book) in link.books {
                if let Some(card) = deck.cards().get(card as usize) {
                    outcome.books.add(card, book);
                }
            }
            for (code, count) in link.codes {
                *outcome.response_codes.entry(text(code)).or_default() += count;
            }
            for (key, count) in link.declines {
                *declines.entry(key).or_default() += count;
            }
            outcome.violations.merge(link.violations);
            outcome.approvals.extend(link.approvals);
        }
        outcome.timeline = seconds.timeline();
        let declines = declines.into_iter().map(|((provoked, code), count)| Declines {
            provoked,
            response_code: text(code),
            count,
        });
        outcome.declines = declines.collect();
        outcome
    }

    /// Answers a second while messages were sent.
    #[must_use]
    pub fn answers_per_second(&self) -> f64 {
        let seconds = self.sending.as_secs_f64();
        if seconds > 0.0 { self.answered_meanwhile as f64 / seconds } else { 0.0 }
    }
}

fn text(code: ResponseCode) -> String {
    String::from_utf8_lossy(&code).into_owned()
}
