//! What an exchange that ended by itself means for the books.
//!
//! An answer counts only if its status is 200, its signature fits where signatures are configured, and the
//! contract reads it. What does not pass by itself (our key is refused, our words are not understood, theirs
//! cannot be read) raises the endpoint's configuration alarm; the next answer that counts ends it.

use crate::client::{ExchangeFailure, MayHaveSeen, UntrustedAnswer, check_signed};
use crate::connection::Answer;
use crate::contract::{self, AnswerError, Told, Verdict};
use crate::inner::Inner;
use crate::site::Site;
use domain::{Ask, FundingFailure, FundingOutcome, Moment};
use http::StatusCode;

/// An outcome, and what the service said beside it.
pub(crate) struct Judged {
    pub(crate) outcome: FundingOutcome,
    pub(crate) told: Option<Told>,
}

impl From<FundingOutcome> for Judged {
    fn from(outcome: FundingOutcome) -> Self {
        Self { outcome, told: None }
    }
}

/// What an exchange that ended by itself means.
pub(crate) fn outcome(
    inner: &Inner,
    site: &Site,
    ask: &Ask,
    result: Result<Answer, ExchangeFailure>,
    now: Moment,
) -> Judged {
    let answer = match result {
        Ok(answer) => answer,
        Err(failure) => {
            return match failure.classify() {
                (failure, MayHaveSeen::Nothing) => FundingOutcome::NotAsked(failure).into(),
                (failure, MayHaveSeen::Everything) => FundingOutcome::Unknown(failure).into(),
            };
        }
    };
    if answer.status != StatusCode::OK {
        if is_configuration(answer.status) {
            inner.raise_alarm(site, answer.status.as_str());
        }
        if inner.may_warn() {
            tracing::warn!(transaction = %ask.transaction, status = %answer.status, "the balance service failed");
        }
        return FundingOutcome::Unknown(FundingFailure::HttpError).into();
    }
    match judge(inner, ask, &answer, now) {
        Ok(answer) => {
            inner.end_alarm(site);
            let outcome = match answer.verdict {
                Verdict::Approved(units) => FundingOutcome::Approved { units },
                Verdict::Declined(code) => FundingOutcome::Declined { code },
            };
            Judged { outcome, told: answer.told }
        }
        Err(BadAnswer::Contract(AnswerError::QuoteOver { .. })) => {
            FundingOutcome::Unknown(FundingFailure::StaleRate).into()
        }
        Err(problem) => {
            if problem.is_configuration() {
                inner.raise_alarm(site, "answers that cannot be read or trusted");
            }
            if inner.may_warn() {
                tracing::warn!(transaction = %ask.transaction, %problem, "the balance service's answer is malformed");
            }
            FundingOutcome::Unknown(FundingFailure::Malformed).into()
        }
    }
}

/// Statuses that do not pass by themselves: a key, a path or a schema is wrong on one of the two sides.
pub(crate) fn is_configuration(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 401 | 403 | 404 | 405 | 415 | 422)
}

/// What an answer says, if it can be believed.
fn judge(inner: &Inner, ask: &Ask, answer: &Answer, now: Moment) -> Result<contract::Answer, BadAnswer> {
    if let Some(keys) = &inner.config.answer_keys {
        check_signed(answer, &ask.transaction.to_string(), keys, now)?;
    }
    let budget = &inner.config.budget;
    let used_at = now.utc.plus(budget.commit_margin.saturating_add(budget.write_margin));
    Ok(contract::answer(ask, &answer.body, used_at)?)
}

/// Why an answer is not one.
#[derive(Debug, thiserror::Error)]
enum BadAnswer {
    #[error(transparent)]
    Untrusted(#[from] UntrustedAnswer),
    #[error(transparent)]
    Contract(#[from] AnswerError),
}

impl BadAnswer {
    /// Whether it is the form that is wrong, and not what one answer says.
    fn is_configuration(&self) -> bool {
        matches!(self, Self::Untrusted(_) | Self::Contract(AnswerError::Unreadable(_)))
    }
}
