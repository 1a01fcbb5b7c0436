//! Velocity rules: how many transactions, or how much money, in the hours before this one.
//!
//! A rule's conditions choose both whom it is asked about and what it counts: "at most three purchases an hour at
//! categories 7800 to 7999" counts purchases there, and is asked only there. Declines count as attempts, the
//! declines of the rule itself too, so whoever keeps trying stays out.

use crate::risk_conditions::When;
use crate::velocity_ring::{Ring, Traits};
use domain::{
    Asset, Failure, LimitBreach, LimitOwner, Measure, Reason, RuleAmount, Span, Timestamp, TransactionType,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// What was approved and not given back.
    #[default]
    Approvals,
    /// Whatever was asked, approved or not.
    Attempts,
}

/// Groups of transactions that a rule may leave out or take in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Purchases, with or without cashback, payments, and what is as good as cash.
    Purchases,
    /// Cash from machines and over counters.
    Cash,
    /// Refunds and money sent to the card.
    Credits,
    /// Verifications and balance inquiries.
    Inquiries,
    /// Postings without an authorization.
    Forced,
}

impl Group {
    /// What is counted unless a rule says otherwise: whatever takes money.
    pub const DEFAULT: [Self; 3] = [Self::Purchases, Self::Cash, Self::Forced];

    /// The word that configuration uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Purchases => "purchases",
            Self::Cash => "cash",
            Self::Credits => "credits",
            Self::Inquiries => "inquiries",
            Self::Forced => "forced",
        }
    }

    /// The group of a transaction; `None` for what is not served.
    fn of(traits: &Traits) -> Option<Self> {
        if traits.forced {
            return Some(Self::Forced);
        }
        match traits.kind {
            TransactionType::Purchase
            | TransactionType::PurchaseWithCashback
            | TransactionType::AccountFunding
            | TransactionType::QuasiCash
            | TransactionType::Payment => Some(Self::Purchases),
            TransactionType::Cash => Some(Self::Cash),
            TransactionType::Refund | TransactionType::OriginalCredit => Some(Self::Credits),
            TransactionType::BalanceInquiry | TransactionType::AccountVerification => Some(Self::Inquiries),
            TransactionType::Other => None,
        }
    }
}

/// How much may happen in a trailing window.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Velocity {
    /// Of one card, or of all cards of an account together.
    pub owner: LimitOwner,
    /// The length of the window, which ends with the request.
    pub over: Duration,
    /// The most transactions, this one included.
    pub count_max: Option<u32>,
    /// The most money, this one's included: for each card currency, or account asset. What is not named here may spend
    /// nothing, so that forgetting one protects too much and not too little. Empty: no bound.
    pub amount_max: Vec<RuleAmount>,
    /// Approvals, or attempts.
    pub counted: Counted,
    /// Which groups of transactions.
    pub include: Vec<Group>,
}

impl Velocity {
    /// Adds what one more transaction of `asked` would break.
    pub(crate) fn check(
        &self,
        when: &When,
        traits: &Traits,
        asked: Option<i128>,
        ring: Option<&Ring>,
        asset: &Asset,
        now: Timestamp,
    ) -> [Option<Failure>; 2] {
        if !self.includes(traits) {
            return [None, None];
        }
        let (used_amount, used_count) = self.used(when, ring, now);
        let breach = |measure, max: i128, used: i128, asked: i128| {
            let span = Span::Trailing { seconds: u32::try_from(self.over.as_secs()).unwrap_or(u32::MAX) };
            let limit = LimitBreach { owner: self.owner, span, measure, max, used, asked };
            let broken = used.saturating_add(asked) > max;
            broken.then_some(Failure { reason: Reason::Velocity, limit: Some(limit), rule: None })
        };
        let count =
            self.count_max.and_then(|max| breach(Measure::Count, i128::from(max), i128::from(used_count), 1));
        // What cannot be priced is declined for want of a rate, and adds up to nothing here.
        let amount = asked.filter(|_| !self.amount_max.is_empty()).and_then(|asked| {
            let max = self.amount_max.iter().find_map(|amount| amount.units_of(asset)).unwrap_or(0);
            breach(Measure::Amount, max, used_amount, asked)
        });
        [count, amount]
    }

    fn includes(&self, traits: &Traits) -> bool {
        Group::of(traits).is_some_and(|group| self.include.contains(&group))
    }

    /// What the window holds before this request.
    fn used(&self, when: &When, ring: Option<&Ring>, now: Timestamp) -> (i128, u32) {
        let recent = ring.into_iter().flat_map(|ring| ring.within(self.over, now));
        let meant = recent.filter(|bucket| {
            // A bucket of several kinds counts for every rule: outwards.
            bucket.traits.as_ref().is_none_or(|past| self.includes(past) && when.matches(past))
        });
        meant.fold((0, 0), |(amount, count), bucket| {
            let more = match self.counted {
                Counted::Approvals => bucket.approvals,
                Counted::Attempts => bucket.attempts,
            };
            (amount.saturating_add(bucket.amount), count.saturating_add(more))
        })
    }
}
