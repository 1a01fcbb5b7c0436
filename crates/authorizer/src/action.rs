//! What a decision leads to: facts to be journaled, and actions to be let go once those are durable.

use crate::command::{Caller, Inquiry, Reply};
use domain::{
    ApprovalCode, Ask, Balances, Duty, Fact, LimitLeft, Money, Reason, ReversalMatch, TransactionNo,
};

/// Where the money of a decision came from; a label of the latency metrics.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FundingPath {
    /// Decided from the cache.
    Cache,
    /// The balance service was asked.
    Jit,
}

/// What the processor is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// To an authorization request or advice.
    Authorization {
        /// The deciding reason.
        reason: Reason,
        /// The approval code, when approved.
        approval_code: Option<ApprovalCode>,
        /// The amount approved in the transaction's currency, when it is less than was asked.
        part: Option<Money>,
        /// The balances, where the answer is to carry them and they are known.
        balances: Option<Balances>,
        /// What was left of the limit that declined, where it was one.
        limit: Option<LimitLeft>,
        /// Where the money came from.
        path: FundingPath,
    },
    /// To a reversal, which is always accepted.
    Reversal(ReversalMatch),
}

/// Something to do once the facts before it are durable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// Answer one caller.
    Answer {
        /// Who asked.
        caller: Caller,
        /// What is answered.
        answer: Answer,
    },
    /// Keep the caller waiting for a transaction that the balance service is deciding. Takes effect at once.
    Wait {
        /// The transaction.
        transaction: TransactionNo,
        /// Who waits.
        caller: Caller,
    },
    /// Answer everyone who waits for a transaction.
    AnswerWaiting {
        /// The transaction.
        transaction: TransactionNo,
        /// What is answered.
        answer: Answer,
    },
    /// Ask the balance service.
    Ask(Box<Ask>),
    /// Take up a duty towards the balance service.
    Owe(Duty),
    /// Look something up once the facts before it are applied, and reply with it to the control API.
    Show {
        /// Who asked.
        caller: Caller,
        /// What to look up.
        inquiry: Inquiry,
    },
    /// Reply to the control API.
    Reply {
        /// Who asked.
        caller: Caller,
        /// What is replied.
        reply: Box<Reply>,
    },
}

/// Facts and actions of one or more decisions, in order. Reused from batch to batch.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Effects {
    /// What is now true.
    pub facts: Vec<Fact>,
    /// What has to happen.
    pub actions: Vec<Action>,
}

impl Effects {
    /// Records a fact.
    pub(crate) fn fact(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Orders an action.
    pub(crate) fn action(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Answers one caller.
    pub(crate) fn answer(&mut self, caller: Caller, answer: Answer) {
        self.action(Action::Answer { caller, answer });
    }

    /// Replies to the control API.
    pub(crate) fn reply(&mut self, caller: Caller, reply: Reply) {
        self.action(Action::Reply { caller, reply: Box::new(reply) });
    }
}
