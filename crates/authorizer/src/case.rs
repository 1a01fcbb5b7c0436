//! One message on its way through the decision: whose it is, who waits, and what is known of it.

use crate::action::{Answer, Effects, FundingPath};
use crate::command::Caller;
use crate::shard::{Account, Card};
use domain::{
    Authorization, CardNo, Fact, Failure, FundingMode, LimitLeft, Reason, TransactionNo, decline_detail,
};

/// A message that is being decided.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) number: TransactionNo,
    pub(crate) card_no: CardNo,
    pub(crate) request: &'a Authorization,
    pub(crate) caller: Caller,
    /// The payment that it adds to.
    pub(crate) of: Option<TransactionNo>,
}

/// A message with whose it is and what is known of its references.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) card: &'a Card,
    pub(crate) account: &'a Account,
    pub(crate) question: Question<'a>,
    pub(crate) known: Option<Reason>,
}

impl Case<'_> {
    /// What is against it before any rule is asked.
    pub(crate) fn failures(&self) -> Vec<Failure> {
        self.known.map_or_else(Vec::new, |reason| vec![reason.into()])
    }
}

pub(crate) fn decline(card: &Card, question: Question<'_>, failures: Vec<Failure>, effects: &mut Effects) {
    let Question { number, card_no, request, caller, of: _ } = question;
    let reason = failures.first().map_or(Reason::AmountOutOfRange, |failure| failure.reason);
    let limit = failures.first().and_then(|failure| decline_detail(failure).limit);
    effects.fact(Fact::Declined { transaction: number, card: card_no, request: *request, failures });
    effects.answer(caller, refusal(reason, limit, path_of(card)));
}

pub(crate) fn refusal(reason: Reason, limit: Option<LimitLeft>, path: FundingPath) -> Answer {
    Answer::Authorization { reason, approval_code: None, part: None, balances: None, limit, path }
}

pub(crate) const fn path_of(card: &Card) -> FundingPath {
    match card.funding {
        FundingMode::PreFunded => FundingPath::Cache,
        FundingMode::Jit => FundingPath::Jit,
    }
}
