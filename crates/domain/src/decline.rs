//! What an answer may say about a decline beyond its code, where the dialect has a place for it (DE 44).
//!
//! Names of rules, scores and velocities stay inside: whoever tries stolen cards would learn from them how to go on.
//! A broken limit is told with what was left of it, so that a terminal can offer to try again for less.

use crate::failure::Failure;
use crate::limit::{LimitOwner, Measure, Span, Window};
use crate::reason::Reason;
use crate::text::Text;

/// The deciding failure, as far as the outside may know it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeclineDetail {
    /// The deciding reason.
    pub reason: Reason,
    /// The limit, where it was one that a cardholder knows of.
    pub limit: Option<LimitLeft>,
}

/// What was left of a limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LimitLeft {
    /// Whose limit.
    pub owner: LimitOwner,
    /// Over which window of the calendar.
    pub window: Window,
    /// Money or approvals.
    pub measure: Measure,
    /// What was left: minor units of the card's currency or units of the account's asset, or approvals.
    pub left: i128,
}

/// What an answer may say about the failure that decided.
#[must_use]
pub fn decline_detail(failure: &Failure) -> DeclineDetail {
    let limit = failure.limit.as_ref().and_then(|breach| match breach.span {
        Span::Calendar(window) => {
            let (owner, measure, left) = (breach.owner, breach.measure, breach.left());
            Some(LimitLeft { owner, window, measure, left })
        }
        Span::Trailing { .. } => None,
    });
    DeclineDetail { reason: failure.reason, limit }
}

impl DeclineDetail {
    /// Printable characters for an element that takes `room` of them; 25 are used at most, as DE 44 of 1987 has them.
    /// The reason's word, and for a card's own limit the window and what is left: `amount_limit day 1250`. A number that
    /// does not fit whole is left out, because a part of it would be another number.
    #[must_use]
    pub fn text(&self, room: usize) -> Text<25> {
        let (word, room) = (self.reason.as_str(), room.min(25));
        let shared = self.limit.filter(|limit| limit.owner == LimitOwner::Card);
        let long = shared.map(|limit| format!("{word} {} {}", window_word(limit.window), limit.left));
        let long = long.filter(|long| long.len() <= room);
        let short = word.get(..word.len().min(room)).unwrap_or_default();
        long.and_then(|long| Text::new(&long).ok()).or_else(|| Text::new(short).ok()).unwrap_or_default()
    }
}

const fn window_word(window: Window) -> &'static str {
    match window {
        Window::Transaction => "once",
        Window::Day => "day",
        Window::Week => "week",
        Window::Month => "month",
        Window::Lifetime => "life",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::LimitBreach;
    use crate::risk::{RuleBreach, RuleFinding, RuleMode, RuleName};

    fn broken(owner: LimitOwner, span: Span, reason: Reason) -> Failure {
        let limit =
            LimitBreach { owner, span, measure: Measure::Amount, max: 5_000, used: 3_750, asked: 2_000 };
        Failure { reason, limit: Some(limit), rule: None }
    }

    #[test]
    fn a_cards_own_limit_is_told_with_what_was_left() {
        let day = Span::Calendar(Window::Day);
        let detail = decline_detail(&broken(LimitOwner::Card, day, Reason::AmountLimit));
        assert_eq!(detail.text(25).as_str(), "amount_limit day 1250");
        assert_eq!(detail.text(20).as_str(), "amount_limit", "no part of a number");
        assert_eq!(detail.text(6).as_str(), "amount");
        let account = decline_detail(&broken(LimitOwner::Account, day, Reason::AmountLimit));
        assert_eq!(account.text(25).as_str(), "amount_limit", "what others spent of an account is not told");
    }

    #[test]
    fn rules_of_the_program_are_not_given_away() {
        let rule = RuleName::new("card-testing").unwrap();
        let rule = Some(RuleBreach { rule, mode: RuleMode::Enforce, finding: RuleFinding::Plain });
        let trailing = broken(LimitOwner::Card, Span::Trailing { seconds: 600 }, Reason::Velocity);
        let detail = decline_detail(&Failure { rule, ..trailing });
        assert_eq!((detail.limit, detail.text(25).as_str()), (None, "velocity"));
    }

    #[test]
    fn every_reason_fits() {
        for reason in Reason::ALL {
            assert!(!decline_detail(&Failure::from(*reason)).text(25).is_empty(), "{reason}");
        }
    }
}
