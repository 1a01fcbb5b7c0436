//! Questions that move nothing: how much is there, and is the card good?

use crate::action::{Answer, Effects};
use crate::case::{Case, decline, path_of};
use crate::controls;
use crate::decide::Context;
use crate::shard::Shard;
use domain::{Amounts, ApprovalCode, Fact, Failure, Money, Reason, TransactionType, Units};

impl Shard {
    /// Answers a balance inquiry or an account verification, and takes note of an advice whose kind is not served.
    pub(crate) fn answer_question(&self, case: Case<'_>, context: Context<'_>, effects: &mut Effects) {
        let request = case.question.request;
        let is_request = request.class.is_request();
        let mut failures = case.failures();
        controls::check(case.card, request, context.now.utc, &mut failures);
        if context.now.mono >= request.deadline && is_request {
            failures.push(Reason::DeadlinePassed.into());
        }
        let inquiry = request.transaction_type() == TransactionType::BalanceInquiry;
        let wanted = inquiry || request.details.balances_wanted;
        let (card, account) = (case.card, case.account);
        let margins = self.policy.pricing.margins(case.question.request, card.currency, account.asset);
        let told = if wanted {
            self.balances((card, account), Units::ZERO, Units::ZERO, margins, context)
        } else {
            None
        };
        if inquiry && told.is_none() {
            // Nobody has told this balance yet, and nothing is made up.
            failures.push(Reason::FundingUnavailable.into());
        }
        let nothing = Amounts { card: Money::new(0, case.card.currency), units: Units::ZERO };
        self.check_rules(case, Some(nothing), context, &mut failures);
        if is_request && failures.first().is_some_and(Failure::decides) {
            decline(case.card, case.question, failures, effects);
            return;
        }
        let verified = request.transaction_type() == TransactionType::AccountVerification;
        let reason = if verified { Reason::NoReasonToDecline } else { Reason::Approved };
        self.note(case, reason, told, failures, effects);
    }

    /// Says yes and moves nothing.
    pub(crate) fn note(
        &self,
        case: Case<'_>,
        reason: Reason,
        told: Option<domain::Balances>,
        flags: Vec<Failure>,
        effects: &mut Effects,
    ) {
        let question = case.question;
        let (transaction, card, request) = (question.number, question.card_no, *question.request);
        effects.fact(Fact::Answered { transaction, card, request, reason, told, flags });
        let approval_code = Some(ApprovalCode::of(self.transaction_id(transaction)));
        let (part, limit, path) = (None, None, path_of(case.card));
        let answer = Answer::Authorization { reason, approval_code, part, balances: told, limit, path };
        effects.answer(question.caller, answer);
    }
}
