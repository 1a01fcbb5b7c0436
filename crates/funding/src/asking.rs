//! One ask, from the wire to its one outcome.
//!
//! The outcome says what the books need to know. `NotAsked` only where no byte can have left; `Unknown` wherever
//! the service may have reserved, and the switch then owes it a cancel. The ask's time covers everything:
//! connecting, sending, waiting and reading the body.

use crate::budget::AskWindow;
use crate::client::{ExchangeFailure, MayHaveSeen, UntrustedAnswer, check_signed};
use crate::connection::{Answer, Outgoing, Progress};
use crate::contract::{self, AnswerError, Verdict};
use crate::gate::Pass;
use crate::inner::Inner;
use crate::resolver::Resolution;
use domain::{Ask, FundingFailure, FundingOutcome, Mono, TransactionId};
use http::StatusCode;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// An ask that was admitted and has not ended. If it is dropped, because the runtime stops or a task dies, it
/// ends as interrupted: no ask is ever left without an outcome.
pub(crate) struct OpenAsk {
    inner: Arc<Inner>,
    transaction: TransactionId,
    taken: Mono,
    allowed: Duration,
    pass: Pass,
    progress: Progress,
    ended: AtomicBool,
}

impl OpenAsk {
    /// An ask that the resolver has just admitted.
    pub(crate) fn new(
        inner: Arc<Inner>,
        transaction: TransactionId,
        taken: Mono,
        allowed: Duration,
        pass: Pass,
    ) -> Self {
        let (progress, ended) = (Progress::default(), AtomicBool::new(false));
        Self { inner, transaction, taken, allowed, pass, progress, ended }
    }

    /// Ends the ask with `outcome`, unless it ended before or the outcome is too late to be used. Returns the
    /// outcome that counts, if it was this call that ended the ask.
    fn end(&self, outcome: FundingOutcome) -> Option<FundingOutcome> {
        if self.ended.swap(true, Ordering::AcqRel) {
            return None;
        }
        let now = self.inner.sink.now().mono;
        let resolution = self.inner.resolver().end(self.transaction, outcome, now);
        match resolution {
            Resolution::Ended(outcome) => {
                let took = now.since(self.taken);
                let change = self.inner.gate.leave(self.pass, outcome, took, self.allowed, now);
                self.inner.sink.ask_ended(self.transaction, outcome, took);
                self.inner.tell_of(change);
                Some(outcome)
            }
            Resolution::EndedBefore => None,
        }
    }

    /// The outcome of giving up now.
    fn given_up(&self, failure: FundingFailure) -> FundingOutcome {
        if self.progress.may_have_sent() {
            FundingOutcome::Unknown(failure)
        } else {
            FundingOutcome::NotAsked(failure)
        }
    }
}

impl Drop for OpenAsk {
    fn drop(&mut self) {
        self.end(self.given_up(FundingFailure::Interrupted));
    }
}

/// Why waiting for an answer stopped.
enum End {
    Exchanged(Result<Answer, ExchangeFailure>),
    OutOfTime,
    Stopped,
}

/// Asks the service, and ends the ask.
pub(crate) async fn run(open: OpenAsk, ask: Ask, window: AskWindow) {
    let inner = &open.inner;
    let clock = || inner.sink.now().mono;
    let request = match request(inner, &ask, window) {
        Ok(request) => request,
        Err(failure) => {
            open.end(FundingOutcome::NotAsked(failure));
            return;
        }
    };
    let mut exchange = pin!(inner.client.exchange(request, &open.progress, clock));
    let end = tokio::select! {
        biased;
        result = &mut exchange => End::Exchanged(result),
        () = inner.stop.cancelled() => End::Stopped,
        () = tokio::time::sleep(window.answer_by.since(clock())) => End::OutOfTime,
    };
    match end {
        End::Exchanged(result) => {
            let answered = result.is_ok();
            let ended = open.end(outcome(inner, &ask, result));
            if answered && ended == Some(FundingOutcome::Unknown(FundingFailure::TimedOut)) {
                inner.sink.answer_was_late(open.transaction, clock().since(window.answer_by));
            }
        }
        End::Stopped => {
            open.end(open.given_up(FundingFailure::Interrupted));
        }
        End::OutOfTime => {
            open.end(open.given_up(FundingFailure::TimedOut));
            if open.progress.may_have_sent() {
                let transaction = open.transaction;
                await_late_answer(inner, transaction, window.answer_by, exchange).await;
            }
        }
    }
}

fn request(inner: &Inner, ask: &Ask, window: AskWindow) -> Result<Outgoing, FundingFailure> {
    let message = contract::ask(ask, window.remaining, window.expires_at).map_err(|error| {
        tracing::error!(transaction = %ask.transaction, %error, "an ask could not be written");
        FundingFailure::Malformed
    })?;
    let request = inner.client.request(message, Some(window.remaining), inner.sink.now());
    request.map_err(|failure| failure.classify().0)
}

/// What an exchange that ended by itself means.
fn outcome(inner: &Inner, ask: &Ask, result: Result<Answer, ExchangeFailure>) -> FundingOutcome {
    let answer = match result {
        Ok(answer) => answer,
        Err(failure) => {
            return match failure.classify() {
                (failure, MayHaveSeen::Nothing) => FundingOutcome::NotAsked(failure),
                (failure, MayHaveSeen::Everything) => FundingOutcome::Unknown(failure),
            };
        }
    };
    if answer.status != StatusCode::OK {
        if inner.may_warn() {
            // 401 and 403 are our configuration, or theirs: they do not pass by themselves.
            tracing::warn!(transaction = %ask.transaction, status = %answer.status, "the balance service failed");
        }
        return FundingOutcome::Unknown(FundingFailure::HttpError);
    }
    match judge(inner, ask, &answer) {
        Ok(Verdict::Approved(units)) => FundingOutcome::Approved { units },
        Ok(Verdict::Declined(code)) => FundingOutcome::Declined { code },
        Err(problem) => {
            if inner.may_warn() {
                tracing::warn!(transaction = %ask.transaction, %problem, "the balance service's answer is malformed");
            }
            FundingOutcome::Unknown(FundingFailure::Malformed)
        }
    }
}

/// What an answer says, if it can be believed.
fn judge(inner: &Inner, ask: &Ask, answer: &Answer) -> Result<Verdict, BadAnswer> {
    if let Some(keys) = &inner.config.answer_keys {
        check_signed(answer, &ask.transaction.to_string(), keys, inner.sink.now())?;
    }
    Ok(contract::verdict(ask, &answer.body)?)
}

/// Why an answer is not one.
#[derive(Debug, thiserror::Error)]
enum BadAnswer {
    #[error(transparent)]
    Untrusted(#[from] UntrustedAnswer),
    #[error(transparent)]
    Contract(#[from] AnswerError),
}

/// Waits a while for the answer to an ask that has ended, only to count how late it was. With as many late
/// answers awaited as there may be, the connection is closed instead.
async fn await_late_answer(
    inner: &Inner,
    transaction: TransactionId,
    answer_by: Mono,
    exchange: impl Future<Output = Result<Answer, ExchangeFailure>>,
) {
    let Ok(_permit) = inner.late_answers.try_acquire() else { return };
    tokio::select! {
        result = exchange => {
            if result.is_ok() {
                let late_by: Duration = inner.sink.now().mono.since(answer_by);
                inner.sink.answer_was_late(transaction, late_by);
            }
        }
        () = inner.closing.cancelled() => {}
        () = tokio::time::sleep(inner.config.late_answer_wait) => {}
    }
}
