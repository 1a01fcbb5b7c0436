//! Answers on their way out: in time, or not at all.
//!
//! A request whose decision is not there at its deadline is answered "issuer unavailable" at that moment. If an
//! approval comes afterwards it is not sent: the lane is told, and undoes it. A repeat waits for its first answer, also
//! past its deadline, because that answer may have arrived (P5); where it cannot be looked for, a repeat gets none. An approval of which no byte had left
//! when its connection ended is told to the lane as well (E17). Bytes that were handed to the network may have
//! arrived, so the answer that they begin counts as delivered.

use super::Conversation;
use crate::in_flight::{Origin, Taken, Waiting};
use crate::metrics::Path;
use authorizer::{Answer, AnswerLoss, FundingPath};
use bytes::Buf;
use cache::Clock;
use domain::{Moment, Mono, Reason, ReversalMatch};
use std::collections::VecDeque;

/// Approvals of which no byte has left yet.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// Bytes that have left since the connection began.
    gone: u64,
    /// Where each approval begins, counted from there.
    approvals: VecDeque<(u64, Origin)>,
}

impl Unsent {
    /// An approval begins behind `waiting` bytes that have not left yet.
    fn begins(&mut self, waiting: usize, origin: Origin) {
        self.approvals.push_back((self.gone.saturating_add(count(waiting)), origin));
    }

    /// So many bytes have left.
    fn sent(&mut self, bytes: usize) {
        self.gone = self.gone.saturating_add(count(bytes));
        while self.approvals.front().is_some_and(|(begin, _)| *begin < self.gone) {
            self.approvals.pop_front();
        }
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl Conversation {
    /// Encodes every answer that has come.
    pub(crate) fn write_answers(&mut self) {
        let Some(first) = self.door.take() else { return };
        let begin = self.hub.clock.now();
        let mut written = 0_u32;
        let mut next = Some(first);
        while let Some((slot, answer)) = next {
            written += u32::from(self.write_answer(slot, &answer, begin));
            next = self.door.take();
        }
        if written > 0 {
            self.hub.metrics.wrote_answers(self.hub.clock.now().mono.since(begin.mono));
        }
    }

    fn write_answer(&mut self, slot: u32, answer: &Answer, now: Moment) -> bool {
        match self.in_flight.take(slot) {
            Some(Taken::Waiting(waiting))
                if waiting.ends_at_its_deadline() && now.mono >= waiting.deadline =>
            {
                self.answer_without(&waiting, now);
                self.withhold(waiting.origin, answer, now);
            }
            Some(Taken::Waiting(waiting)) if waiting.message.mti().is_repeat() && says_nothing(answer) => {
                // Its first answer may have been another, and none may follow that but itself (P5).
                self.hub.metrics.unanswered_repeats.increment(1);
            }
            Some(Taken::Waiting(waiting)) => {
                if let Some(origin) = waiting.origin.filter(|_| is_approval(answer)) {
                    self.unsent.begins(self.out.len(), origin);
                }
                let result = self.link.writer.decided(&waiting.message, answer, &mut self.out);
                self.check(result);
                self.count(&waiting, answer, now);
                return true;
            }
            Some(Taken::Withheld(origin)) => self.withhold(origin, answer, now),
            None => {}
        }
        false
    }

    /// When the next request has to be answered, with or without a decision.
    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        self.in_flight.next_deadline()
    }

    /// Answers the requests whose deadline has come.
    pub(crate) fn answer_due(&mut self) {
        let now = self.hub.clock.now();
        while let Some(waiting) = self.in_flight.withhold_due(now.mono) {
            self.answer_without(&waiting, now);
        }
    }

    fn answer_without(&mut self, waiting: &Waiting, now: Moment) {
        self.hub.metrics.withheld_answers.increment(1);
        self.decline(&waiting.message, Reason::DeadlinePassed, Moment { mono: waiting.received, ..now });
    }

    /// The decision has come too late; if it was an approval, it must not stand.
    fn withhold(&self, origin: Option<Origin>, answer: &Answer, now: Moment) {
        if let Some(origin) = origin.filter(|_| is_approval(answer)) {
            self.hub.answer_lost(origin, AnswerLoss::Withheld, now);
        }
    }

    /// So many bytes off the front were handed to the network.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.out.advance(bytes);
        self.unsent.sent(bytes);
    }

    /// The connection is over: what was approved and could not be told is told to the lanes, now or when its answer
    /// comes.
    pub(crate) fn close(&mut self) {
        let now = self.hub.clock.now();
        let waiting = self.in_flight.origins();
        self.hub.doors.close(&self.door, waiting);
        while let Some((slot, answer)) = self.door.take() {
            self.hub.doors.forget(&self.door, slot);
            let (origin, loss) = match self.in_flight.take(slot) {
                Some(Taken::Waiting(waiting)) => (waiting.origin, AnswerLoss::Undelivered),
                Some(Taken::Withheld(origin)) => (origin, AnswerLoss::Withheld),
                None => continue,
            };
            self.hub.metrics.undelivered_answers.increment(1);
            if let Some(origin) = origin.filter(|_| is_approval(&answer)) {
                self.hub.answer_lost(origin, loss, now);
            }
        }
        for (_, origin) in std::mem::take(&mut self.unsent.approvals) {
            self.hub.metrics.undelivered_answers.increment(1);
            self.hub.answer_lost(origin, AnswerLoss::Undelivered, now);
        }
    }

    fn count(&self, waiting: &Waiting, answer: &Answer, now: Moment) {
        let metrics = &self.hub.metrics;
        if now.mono > waiting.deadline {
            metrics.late_answers.increment(1);
        }
        match answer {
            Answer::Authorization { reason, path, .. } => {
                let path = match path {
                    FundingPath::Jit => Path::Jit,
                    FundingPath::Cache if reason.is_approval() => Path::Cache,
                    FundingPath::Cache => Path::None,
                };
                metrics.answered(*reason, path, now.mono.since(waiting.received));
            }
            Answer::Reversal(ReversalMatch::Unmatched) => metrics.reversals_unmatched.increment(1),
            Answer::Reversal(
                ReversalMatch::Matched | ReversalMatch::NothingLeft | ReversalMatch::UnknownCard,
            ) => {}
        }
    }
}

/// Whether an answer says only that nothing can be recorded now: whoever gave it did not look for a first one.
const fn says_nothing(answer: &Answer) -> bool {
    matches!(answer, Answer::Authorization { reason: Reason::JournalUnavailable, .. })
}

/// Whether an answer promises something.
pub(crate) const fn is_approval(answer: &Answer) -> bool {
    matches!(answer, Answer::Authorization { reason, .. } if reason.is_approval())
}
