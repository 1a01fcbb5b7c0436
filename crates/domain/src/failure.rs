//! One rule that said no: what a declined request keeps of each, and which of them decides.

use crate::limit::LimitBreach;
use crate::reason::Reason;
use crate::risk::RuleBreach;
use serde::{Deserialize, Serialize};

/// One rule that said no.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// Which rule.
    pub reason: Reason,
    /// The limit, where the rule was one: what it was, what was left of it, and what was asked.
    pub limit: Option<LimitBreach>,
    /// The program's rule, where it was one.
    pub rule: Option<RuleBreach>,
}

impl Failure {
    /// Whether it declines: all do but the rules that only record what they would have done.
    #[must_use]
    pub fn decides(&self) -> bool {
        self.rule.is_none_or(|breach| breach.decides())
    }

    /// Puts the deciding one first: in order of precedence, and those that decide nothing last.
    pub fn rank(failures: &mut [Self]) {
        failures.sort_by_key(|failure| (!failure.decides(), failure.reason));
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self { reason, limit: None, rule: None }
    }
}
