//! The life of one transaction, from asked to approved, declined, cleared, reversed or expired.
//!
//! Exactly one transition leads out of `Asked`; whoever comes second finds another state and compensates.
//!
//! ```text
//!            ┌────────── Approved ──┬── Cleared (the last clearing has come) ── Reversed (booked at once, undone)
//!   Asked ───┤                      ├── Reversed
//!            ├── Declined           └── Expired
//!            └── Reversed            ReversedFirst (a reversal whose original was never seen)
//!
//!   Added     an increment: its money is part of another transaction's hold
//!   Posted    a clearing or a refund: it moved money when it came ── Reversed
//!   Answered  a question that moved nothing
//! ```

use crate::held::Held;
use domain::{
    AcquirerId, Amounts, ApprovalCode, Approver, Arn, Authorization, Balances, CardNo, ClearingFlags,
    CountryCode, Failure, Mcc, MessageClass, Money, NetworkReference, PartialApproval, Price, ProcessingCode,
    Rate, Reason, RefundFlags, Reversal, Rrn, Said, Stan, Text, Timestamp, TransactionNo, TransactionType,
    Transmission, Units,
};
use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionState {
    /// Limits are reserved and the balance service is deciding.
    Asked,
    /// Money is held.
    Approved,
    /// Refused; nothing is held.
    Declined,
    /// Undone by the processor.
    Reversed,
    /// The hold ran out.
    Expired,
    /// Only its reversal is known.
    ReversedFirst,
    /// Paid: nothing is held any more.
    Cleared,
    /// A clearing or a refund; the money moved when it came.
    Posted,
    /// An increment; its money is part of another transaction's hold.
    Added,
    /// A question that was answered with yes and moved nothing.
    Answered,
}

impl TransactionState {
    /// Whether limits or money are still reserved for it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Asked | Self::Approved)
    }
}

/// What ties a message to its transaction (E6). The card is implied by the index that is searched first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MatchKey {
    pub(crate) card: CardNo,
    pub(crate) stan: Stan,
    pub(crate) transmission: Option<Transmission>,
}

/// Two numbers instead of four: every request is looked up by it twice.
impl Hash for MatchKey {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(u64::from(self.card.0) << 32 | u64::from(self.stan.number()));
        hasher.write_u32(self.transmission.map_or(0, Transmission::number));
    }
}

/// One transaction as the shard keeps it. Millions lie in memory, so what few have stands apart; how it is written to disk
/// is in `rows.rs`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Transaction {
    pub(crate) number: TransactionNo,
    pub(crate) at: Timestamp,
    /// When it was finished; the same as `at` while it is open.
    pub(crate) ended_at: Timestamp,
    pub(crate) card: CardNo,
    pub(crate) class: MessageClass,
    pub(crate) processing_code: ProcessingCode,
    pub(crate) stan: Stan,
    pub(crate) transmission: Option<Transmission>,
    pub(crate) acquirer: Option<AcquirerId>,
    pub(crate) rrn: Option<Rrn>,
    pub(crate) mcc: Option<Mcc>,
    pub(crate) country: Option<CountryCode>,
    pub(crate) partial: PartialApproval,
    /// What the merchant asked for; `None` when only the reversal is known and named no amount.
    pub(crate) amount: Option<Money>,
    pub(crate) state: TransactionState,
    /// The first answer; it stays when the transaction is reversed later.
    pub(crate) reason: Option<Reason>,
    pub(crate) held: Held,
    pub(crate) rate: Option<Arc<Rate>>,
    pub(crate) expires_at: Timestamp,
    pub(crate) kind: TransactionType,
    /// Who said yes.
    pub(crate) by: Approver,
    pub(crate) network_reference: Option<NetworkReference>,
    /// Whether its answer is to carry the balances.
    pub(crate) balances_wanted: bool,
    /// What an approved purchase does not have; never there with nothing in it.
    pub(crate) unusual: Option<Box<Unusual>>,
    /// What most transactions do not have (yet).
    pub(crate) more: Option<Box<More>>,
}

/// What a plain approval of a purchase from the cache does not have.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Unusual {
    part: Option<Money>,
    failures: Box<[Failure]>,
    parent: Option<TransactionNo>,
    duties: u32,
}

/// What became of a transaction after its approval, and what only some need.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct More {
    /// Card acceptor id: a refund that names no transaction is matched by it.
    pub(crate) merchant: Text<15>,
    /// The balances that the first answer carried.
    pub(crate) told: Option<Balances>,
    /// What the clearings took out of the hold; `held` is what is left of it. Of a clearing, what it took; of a message that
    /// raised a hold, what is in the hold of that still, or was paid.
    pub(crate) taken: Amounts,
    /// What was paid, or what a refund brought in.
    pub(crate) paid: Amounts,
    /// What refunds have brought back.
    pub(crate) refunded: Amounts,
    /// What increments have added and nothing has released, oldest first.
    pub(crate) increments: Vec<Increment>,
    /// Acquirer reference number of a clearing.
    pub(crate) arn: Option<Arn>,
    /// Which one of several clearings.
    pub(crate) sequence: u8,
    pub(crate) clearing_flags: ClearingFlags,
    pub(crate) refund_flags: RefundFlags,
    /// What the units of its hold are made of, where that is more than the amount at one rate.
    pub(crate) price: Option<Price>,
    /// What the balance service said beside its decision.
    pub(crate) said: Option<Box<Said>>,
    /// When the hold ends if its approval, which could not be sent, is delivered after all.
    pub(crate) ends_when_delivered: Option<Timestamp>,
    /// Whether the answer was given to more than one caller.
    pub(crate) repeated: bool,
    /// A reversal of a part that came while the balance service was deciding.
    pub(crate) deferred: Option<Box<Reversal>>,
    /// What stands of the amount in the merchant's currency, where that is not the card's and later messages have changed it.
    /// A snapshot keeps it in a row of its own.
    #[serde(skip)]
    pub(crate) stands: Option<Money>,
    /// The code under which the network approved it in our name. A snapshot keeps it in a row of its own.
    #[serde(skip)]
    pub(crate) network_code: Option<ApprovalCode>,
    /// What of its promise has ended and was not reversed: released by the last clearing, or run out. In minor units of the
    /// card's currency. A snapshot keeps it in a row of its own.
    #[serde(skip)]
    pub(crate) lapsed: i64,
}

/// A part of a hold that was added later: its limits were charged in a window of its own.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Increment {
    pub(crate) number: TransactionNo,
    pub(crate) at: Timestamp,
    pub(crate) amounts: Amounts,
    /// How much of it is buffer.
    pub(crate) buffer: Units,
}

impl Transaction {
    /// The part that every transaction with a request shares.
    pub(crate) fn of(
        number: TransactionNo,
        at: Timestamp,
        card: CardNo,
        request: &Authorization,
        state: TransactionState,
    ) -> Self {
        Self {
            number,
            at,
            ended_at: at,
            card,
            class: request.class,
            processing_code: request.processing_code,
            stan: request.stan,
            transmission: Some(request.transmission),
            acquirer: Some(request.acquirer),
            rrn: request.rrn,
            mcc: request.merchant.mcc,
            country: request.merchant.country,
            partial: request.partial,
            amount: Some(request.amount),
            state,
            reason: None,
            held: Held::default(),
            rate: None,
            expires_at: Timestamp::MAX,
            kind: request.transaction_type(),
            by: Approver::Switch,
            network_reference: request.details.network_reference,
            balances_wanted: request.details.balances_wanted,
            unusual: None,
            more: None,
        }
    }

    /// What is reserved or held now.
    pub(crate) fn held(&self) -> Option<Amounts> {
        self.held.amounts()
    }

    /// Sets what is reserved or held.
    pub(crate) fn set_held(&mut self, held: Option<Amounts>) {
        self.held = Held::of(held);
    }

    /// The amount approved in the transaction's currency, when it was less than asked.
    pub(crate) fn part(&self) -> Option<Money> {
        self.unusual.as_ref().and_then(|unusual| unusual.part)
    }

    /// Sets the amount approved in the transaction's currency, where it is less than asked.
    pub(crate) fn set_part(&mut self, part: Option<Money>) {
        if part.is_some() || self.unusual.is_some() {
            self.change_unusual(|unusual| unusual.part = part);
        }
    }

    /// Every rule that said no, the deciding one first.
    pub(crate) fn failures(&self) -> &[Failure] {
        self.unusual.as_ref().map_or(&[], |unusual| &unusual.failures)
    }

    /// Sets the rules that said no.
    pub(crate) fn set_failures(&mut self, failures: &[Failure]) {
        if !failures.is_empty() || self.unusual.is_some() {
            self.change_unusual(|unusual| unusual.failures = failures.into());
        }
    }

    /// The transaction that an increment, a clearing or a refund belongs to.
    pub(crate) fn parent(&self) -> Option<TransactionNo> {
        self.unusual.as_ref().and_then(|unusual| unusual.parent)
    }

    /// Sets the transaction that this one belongs to.
    pub(crate) fn set_parent(&mut self, parent: Option<TransactionNo>) {
        if parent.is_some() || self.unusual.is_some() {
            self.change_unusual(|unusual| unusual.parent = parent);
        }
    }

    /// How many duties towards the balance service it has led to.
    pub(crate) fn duties(&self) -> u32 {
        self.unusual.as_ref().map_or(0, |unusual| unusual.duties)
    }

    /// Sets how many duties towards the balance service it has led to.
    pub(crate) fn set_duties(&mut self, duties: u32) {
        if duties > 0 || self.unusual.is_some() {
            self.change_unusual(|unusual| unusual.duties = duties);
        }
    }

    /// Changes what is unusual, and keeps it only where something is.
    fn change_unusual(&mut self, change: impl FnOnce(&mut Unusual)) {
        match &mut self.unusual {
            Some(unusual) => {
                change(unusual);
                if **unusual == Unusual::default() {
                    self.unusual = None;
                }
            }
            None => {
                let mut unusual = Unusual::default();
                change(&mut unusual);
                self.unusual = (unusual != Unusual::default()).then(|| Box::new(unusual));
            }
        }
    }

    /// What is not kept for every transaction, made when it is needed. `zero` is nothing in the card's currency.
    pub(crate) fn more_mut(&mut self, zero: Money) -> &mut More {
        let none = Amounts { card: zero, units: Units::ZERO };
        self.more.get_or_insert_with(|| {
            Box::new(More {
                merchant: Text::EMPTY,
                told: None,
                taken: none,
                paid: none,
                refunded: none,
                increments: Vec::new(),
                arn: None,
                sequence: 0,
                clearing_flags: ClearingFlags::default(),
                refund_flags: RefundFlags::default(),
                price: None,
                said: None,
                ends_when_delivered: None,
                repeated: false,
                deferred: None,
                stands: None,
                network_code: None,
                lapsed: 0,
            })
        })
    }

    /// Whether a clearing or a refund may come for it later, or is what it is: whatever was approved and is money. An
    /// approval that came too late counts as declined, and a clearing may come for it all the same.
    pub(crate) fn may_be_followed(&self) -> bool {
        let withheld =
            self.reason == Some(Reason::DeadlinePassed) && self.state != TransactionState::Declined;
        let approved = self.reason.is_some_and(Reason::is_approval) || withheld;
        approved && (self.kind.is_debit() || self.kind.is_credit())
    }

    /// Whether it is a payment that was declined. Some merchants clear one all the same (E19).
    pub(crate) fn is_declined_payment(&self) -> bool {
        self.state == TransactionState::Declined && self.kind.is_debit() && self.parent().is_none()
    }

    /// What is held beyond the charge.
    pub(crate) fn buffer(&self) -> Units {
        self.more.as_ref().and_then(|more| more.price).map_or(Units::ZERO, |price| price.buffer)
    }

    /// What stands of the amount in the merchant's currency: what was asked or approved, unless a reversal of a part, an
    /// increment or an advice has changed it. A new total is a share of this, so that its repeat changes nothing.
    pub(crate) fn standing(&self) -> Option<Money> {
        self.more.as_ref().and_then(|more| more.stands).or(self.part()).or(self.amount)
    }

    /// The network's own approval code, where it approved in our name and said one.
    pub(crate) fn network_code(&self) -> Option<ApprovalCode> {
        self.more.as_ref().and_then(|more| more.network_code)
    }

    /// The balances that the first answer carried.
    pub(crate) fn told(&self) -> Option<Balances> {
        self.more.as_ref().and_then(|more| more.told)
    }

    pub(crate) fn key(&self) -> MatchKey {
        MatchKey { card: self.card, stan: self.stan, transmission: self.transmission }
    }

    /// Whether `request` carries the same references, apart from those in the match key.
    pub(crate) fn same_references(&self, request: &Authorization) -> bool {
        self.class == request.class
            && self.acquirer == Some(request.acquirer)
            && self.rrn == request.rrn
            && self.processing_code == request.processing_code
    }
}
