//! A message and what became of it, as the naive model keeps them: one row each, and none is ever dropped.

use authorizer::{Caller, TransactionState};
use domain::{
    AcquirerId, Amounts, ApprovalCode, Approver, Authorization, Balances, ClearingFlags, Failure,
    MessageClass, Money, Price, Rate, Reason, RefundFlags, Reversal, Rrn, Said, Stan, Timestamp,
    Transmission,
};

/// One message and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) ended_at: Timestamp,
    pub(super) card: u32,
    pub(super) message: Message,
    pub(super) state: TransactionState,
    pub(super) reason: Option<Reason>,
    pub(super) failures: Vec<Failure>,
    pub(super) by: Approver,
    /// The transaction that it adds to, pays or refunds.
    pub(super) of: Option<u64>,
    /// What is reserved or held.
    pub(super) held: Option<Amounts>,
    /// What clearings took of the hold; of a clearing, what it took.
    pub(super) taken: Amounts,
    /// What of the hold has ended and was not reversed: run out, or released by the last clearing.
    pub(super) lapsed: i64,
    /// How much of its hold a message has added, in the card's currency, less what was released of that.
    pub(super) added: i128,
    /// What was paid for the payment in all; of a clearing or a refund, what it moved.
    pub(super) paid: Amounts,
    pub(super) refunded: Amounts,
    pub(super) part: Option<Money>,
    /// The balances that its answer carried.
    pub(super) told: Option<Balances>,
    pub(super) rate: Option<Rate>,
    /// What the units are made of, where that is more than the amount at one rate.
    pub(super) price: Option<Price>,
    pub(super) expires_at: Timestamp,
    /// When the hold ends if its approval, which could not be sent, arrives after all.
    pub(super) ends_when_delivered: Option<Timestamp>,
    /// Whether its answer was given more than once.
    pub(super) repeated: bool,
    /// Whether it was approved too late, and counts as declined.
    pub(super) withheld: bool,
    /// What it is to come to, where that was said while the balance service was deciding.
    pub(super) total_to_come: Option<Money>,
    /// What stands of the amount in the merchant's currency, where later messages have changed it.
    pub(super) stands: Option<Money>,
    pub(super) clearing_flags: ClearingFlags,
    pub(super) refund_flags: RefundFlags,
    pub(super) said: Option<Said>,
    pub(super) waiting: Vec<Caller>,
}

/// The message that a transaction began with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Message {
    Asked(Authorization),
    /// A reversal whose original was never seen.
    Reversal(Reversal),
}

impl Transaction {
    pub(super) fn is_approved(&self) -> bool {
        self.reason.is_some_and(Reason::is_approval)
    }

    /// The request or advice, unless only its reversal was seen.
    pub(super) fn asked(&self) -> Option<&Authorization> {
        match &self.message {
            Message::Asked(request) => Some(request),
            Message::Reversal(_) => None,
        }
    }

    /// What stands of the amount in the merchant's currency.
    pub(super) fn standing(&self) -> Money {
        self.stands.or(self.part).unwrap_or(self.request().amount)
    }

    /// The code that the network gave, where it approved in our name.
    pub(super) fn network_code(&self) -> Option<ApprovalCode> {
        let advice = self.asked().filter(|asked| asked.class == MessageClass::AuthorizationAdvice)?;
        let code = advice.details.original?.approval_code?;
        let declined = self.reason == Some(Reason::DeclinedByNetwork);
        (!declined && self.of.is_none()).then_some(code)
    }

    /// The request or advice of what cannot be a reversal.
    pub(super) fn request(&self) -> &Authorization {
        self.asked().expect("a reversal moves nothing and is followed by nothing")
    }
}

impl Message {
    pub(super) fn stan(&self) -> Stan {
        match self {
            Self::Asked(request) => request.stan,
            Self::Reversal(reversal) => reversal.stan,
        }
    }

    pub(super) fn transmission(&self) -> Option<Transmission> {
        match self {
            Self::Asked(request) => Some(request.transmission),
            Self::Reversal(reversal) => reversal.transmission,
        }
    }

    pub(super) fn acquirer(&self) -> Option<AcquirerId> {
        match self {
            Self::Asked(request) => Some(request.acquirer),
            Self::Reversal(reversal) => reversal.acquirer,
        }
    }

    pub(super) fn amount(&self) -> Option<Money> {
        match self {
            Self::Asked(request) => Some(request.amount),
            Self::Reversal(reversal) => reversal.amount,
        }
    }

    pub(super) fn rrn(&self) -> Option<Rrn> {
        match self {
            Self::Asked(request) => request.rrn,
            Self::Reversal(reversal) => reversal.rrn,
        }
    }
}
