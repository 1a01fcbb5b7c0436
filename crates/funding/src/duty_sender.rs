//! Sends what is owed, until it is acknowledged.
//!
//! One loop takes the duties that are due and starts an attempt for each, within the bound on attempts under
//! way. An attempt has its own time limit. Any status from 200 to 299 acknowledges; all else comes again.

use crate::client::{ExchangeFailure, MayHaveSeen};
use crate::connection::Progress;
use crate::contract;
use crate::duties::{Attempt, DutyKey};
use crate::inner::Inner;
use crate::judging;
use domain::FundingFailure;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A duty that has failed this often again is worth a line in the log: an outage passes, a refusal does not.
const WARN_EVERY_FAILURES: u32 = 10;

/// Sends duties until the switch stops.
pub(crate) async fn run(inner: Arc<Inner>) {
    loop {
        let pause = start_due(&inner);
        tokio::select! {
            () = inner.closing.cancelled() => return,
            () = inner.duties_changed.notified() => {}
            () = sleep(pause) => {}
        }
    }
}

/// Starts an attempt at each duty that is due, and returns how long nothing more will be due.
fn start_due(inner: &Arc<Inner>) -> Duration {
    // Nothing is due: the end of an attempt or a new duty wakes the loop before this is over.
    const NOTHING_DUE: Duration = Duration::from_hours(1);
    let now = inner.sink.now().mono;
    let mut duties = inner.duties();
    while duties.open() < inner.config.duties_in_flight_max {
        let Some(due) = duties.next(now) else {
            return duties.wake_at().map_or(NOTHING_DUE, |due| due.since(now));
        };
        inner.tasks.spawn_on(attempt(Arc::clone(inner), due), &inner.runtime);
    }
    NOTHING_DUE
}

async fn attempt(inner: Arc<Inner>, attempt: Attempt) {
    let Attempt { shard, duty, failures } = attempt;
    let started = inner.sink.now().mono;
    let end = tokio::select! {
        () = inner.stop.cancelled() => Err(FundingFailure::Interrupted),
        end = timeout(inner.config.duty_attempt_timeout, send(&inner, &attempt)) => {
            end.unwrap_or(Err(FundingFailure::TimedOut))
        }
    };
    let now = inner.sink.now().mono;
    inner.sink.duty_attempted(&duty, end, now.since(started));
    let key = DutyKey { shard, number: duty.number };
    match end {
        Ok(()) => {
            inner.duties().acknowledged(key, now);
            inner.sink.duty_acknowledged(shard, duty.number);
        }
        Err(failure) => {
            inner.duties().failed(key, failure, now);
            let (number, failure, failures) = (duty.number.0, failure.as_str(), failures.saturating_add(1));
            if failures % WARN_EVERY_FAILURES == 0 && inner.may_warn() {
                tracing::warn!(%shard, number, failures, failure, "the balance service does not acknowledge a duty");
            } else {
                tracing::debug!(%shard, number, failures, failure, "a duty is not acknowledged yet");
            }
        }
    }
    inner.duties_changed.notify_one();
}

async fn send(inner: &Inner, attempt: &Attempt) -> Result<(), FundingFailure> {
    let message = contract::duty(attempt.shard, &attempt.duty).map_err(|error| {
        tracing::error!(shard = %attempt.shard, number = attempt.duty.number.0, %error, "a duty could not be written");
        FundingFailure::Malformed
    })?;
    let clock = || inner.sink.now().mono;
    let word = |failure: ExchangeFailure| -> FundingFailure {
        // Whether the service has seen it does not matter here: the duty comes again either way.
        let (failure, MayHaveSeen::Nothing | MayHaveSeen::Everything) = failure.classify();
        failure
    };
    let Some(site) = inner.sites_of(&attempt.duty.account).next() else {
        return Err(FundingFailure::Refused);
    };
    let request = site.client.request(&message, None, inner.sink.now()).map_err(word)?;
    let answer = match site.client.exchange(request, &Progress::default(), clock).await {
        Ok(answer) => answer,
        Err(failure) => return Err(word(failure)),
    };
    if answer.status.is_success() {
        return Ok(());
    }
    if judging::is_configuration(answer.status) {
        inner.raise_alarm(site, answer.status.as_str());
    }
    Err(FundingFailure::HttpError)
}
