//! One ask, from the wire to its one outcome.
//!
//! The outcome says what the books need to know. `NotAsked` only where no byte can have left; `Unknown` wherever
//! the service may have reserved, and the switch then owes it a cancel. The ask's time covers everything:
//! connecting, sending, waiting and reading the body.
//!
//! Nothing is sent twice, with two exceptions. Where no byte was sent, the standby is asked instead. And where
//! the endpoint declares that one id reserves once, an ask that takes longer than nearly all others is sent a
//! second time within a budget (E24); the first answer counts, and the other is read and dropped.

use crate::budget::AskWindow;
use crate::client::ExchangeFailure;
use crate::connection::{Answer, Outgoing, Progress};
use crate::contract::{self, Message};
use crate::inner::Inner;
use crate::judging;
use crate::open_ask::OpenAsk;
use crate::site::Site;
use domain::{Ask, FundingFailure, FundingOutcome, Mono, TransactionId};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

type Exchange = Pin<Box<dyn Future<Output = Result<Answer, ExchangeFailure>> + Send>>;

/// One request under way.
struct Call {
    exchange: Exchange,
    progress: Arc<Progress>,
}

/// Why waiting for an answer stopped.
enum End {
    Exchanged(Result<Answer, ExchangeFailure>),
    OutOfTime,
    Stopped,
}

/// Asks the service, and ends the ask.
pub(crate) async fn run(mut open: OpenAsk, ask: Ask, window: AskWindow) {
    let inner = Arc::clone(open.inner());
    let message = match contract::ask(&ask, window.remaining, window.expires_at) {
        Ok(message) => message,
        Err(error) => {
            tracing::error!(transaction = %ask.transaction, %error, "an ask could not be written");
            open.end(FundingOutcome::NotAsked(FundingFailure::Malformed));
            return;
        }
    };
    loop {
        let result = attempt(&mut open, &ask, &message, window).await;
        let Some(failure) = result else { return };
        // No byte was sent, so another endpoint for the same books may be asked in what is left of the time.
        let now = inner.sink.now().mono;
        let nothing_left = window.answer_by.since(now) <= inner.config.budget.ask_min;
        if nothing_left || !open.go_elsewhere(&ask, failure, now) {
            open.end(FundingOutcome::NotAsked(failure));
            return;
        }
    }
}

/// One try at one endpoint. Returns a failure only if no byte was sent and the ask is still open.
async fn attempt(
    open: &mut OpenAsk,
    ask: &Ask,
    message: &Message,
    window: AskWindow,
) -> Option<FundingFailure> {
    let inner = Arc::clone(open.inner());
    let site = Arc::clone(open.site());
    let remaining = window.answer_by.since(inner.sink.now().mono);
    let request = match site.client.request(message, Some(remaining), inner.sink.now()) {
        Ok(request) => request,
        Err(failure) => return Some(failure.classify().0),
    };
    let hedge_after = site.hedger().and_then(|mut hedger| hedger.asked());
    let started = inner.sink.now().mono;
    let mut first = call(open, &inner, &site, request.clone());
    let (end, second) = race(open, &mut first, window, hedge_after, request).await;
    let transaction = ask.transaction;
    match end {
        End::Exchanged(Err(failure)) if !open.may_have_sent() => Some(failure.classify().0),
        End::Exchanged(result) => {
            let (answered, now) = (result.is_ok(), inner.sink.now());
            if answered && let Some(mut hedger) = site.hedger() {
                hedger.answered(now.mono.since(started));
            }
            let judged = judging::outcome(&inner, &site, ask, result, now);
            if let Some(told) = &judged.told {
                inner.sink.service_told(transaction, told);
            }
            let ended = open.end(judged.outcome);
            if answered && ended == Some(FundingOutcome::Unknown(FundingFailure::TimedOut)) {
                inner.sink.answer_was_late(transaction, now.mono.since(window.answer_by));
            }
            if let Some(loser) = second {
                let quiet = finish_quietly(Arc::clone(&inner), loser.exchange);
                inner.tasks.spawn_on(quiet, &inner.runtime);
            }
            None
        }
        End::Stopped => {
            open.end(open.given_up(FundingFailure::Interrupted));
            None
        }
        End::OutOfTime => {
            open.end(open.given_up(FundingFailure::TimedOut));
            if first.progress.may_have_sent() {
                await_late_answer(&inner, transaction, window.answer_by, first.exchange).await;
            }
            None
        }
    }
}

/// Begins a request to the ask's endpoint.
fn call(open: &mut OpenAsk, inner: &Arc<Inner>, site: &Arc<Site>, request: Outgoing) -> Call {
    let progress = open.new_progress();
    let (inner, site, seen) = (Arc::clone(inner), Arc::clone(site), Arc::clone(&progress));
    let exchange = Box::pin(async move {
        let clock = || inner.sink.now().mono;
        site.client.exchange(request, &seen, clock).await
    });
    Call { exchange, progress }
}

/// Waits for the first answer, and sends the ask a second time when that is due and allowed. Returns the call
/// that is still under way beside the one that ended.
async fn race(
    open: &mut OpenAsk,
    first: &mut Call,
    window: AskWindow,
    hedge_after: Option<Duration>,
    request: Outgoing,
) -> (End, Option<Call>) {
    let inner = Arc::clone(open.inner());
    let site = Arc::clone(open.site());
    let now = inner.sink.now().mono;
    let mut out_of_time = std::pin::pin!(tokio::time::sleep(window.answer_by.since(now)));
    let hedge = hedge_after.filter(|after| now.plus(*after) < window.answer_by);
    let mut hedge_due = std::pin::pin!(tokio::time::sleep(hedge.unwrap_or_default()));
    let mut awaits_hedge = hedge.is_some();
    let mut second: Option<Call> = None;
    let mut failed = None;
    loop {
        tokio::select! {
            biased;
            result = &mut first.exchange, if failed.is_none() => match (result, &second) {
                // The first broke; the second may still bring the answer.
                (Err(failure), Some(_)) => failed = Some(failure),
                (result, _) => return (End::Exchanged(result), second),
            },
            result = exchanged(&mut second), if second.is_some() => match (result, failed) {
                (Err(failure), None) => {
                    tracing::debug!(?failure, "a second call to the balance service failed");
                    second = None;
                }
                (result, None) => {
                    let loser = std::mem::replace(&mut first.exchange, Box::pin(std::future::pending()));
                    let progress = Arc::clone(&first.progress);
                    return (End::Exchanged(result), Some(Call { exchange: loser, progress }));
                }
                (result, Some(_)) => return (End::Exchanged(result), None),
            },
            () = &mut hedge_due, if awaits_hedge => {
                awaits_hedge = false;
                let allowed = first.progress.may_have_sent()
                    && open.may_hedge()
                    && site.hedger().is_some_and(|mut hedger| hedger.may_hedge());
                if allowed {
                    inner.sink.ask_hedged();
                    second = Some(call(open, &inner, &site, request.clone()));
                }
            }
            () = inner.stop.cancelled() => return (End::Stopped, None),
            () = &mut out_of_time => return (End::OutOfTime, None),
        }
    }
}

/// The end of the second call; never, without one.
async fn exchanged(second: &mut Option<Call>) -> Result<Answer, ExchangeFailure> {
    match second {
        Some(call) => (&mut call.exchange).await,
        None => std::future::pending().await,
    }
}

/// Reads the answer that was not needed, so that its connection can be kept. Within the bound on late answers.
async fn finish_quietly(inner: Arc<Inner>, exchange: Exchange) {
    let Ok(_permit) = inner.late_answers.try_acquire() else { return };
    tokio::select! {
        _ = exchange => {}
        () = inner.closing.cancelled() => {}
        () = tokio::time::sleep(inner.config.late_answer_wait) => {}
    }
}

/// Waits a while for the answer to an ask that has ended, only to count how late it was (E1). With as many late
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
