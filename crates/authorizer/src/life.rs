//! What a program decides about the life of a transaction: how long holds last, what a clearing may exceed, which
//! parts may be approved.
//!
//! The defaults are those that networks publish; each program may set its own in the configuration.

use domain::{Authorization, Initiator, Mcc, NetworkName, Presence, Purpose, TransactionType};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Merchant category codes from the first to the last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MccRange {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

impl MccRange {
    /// Whether a category lies between them.
    #[must_use]
    pub fn contains(&self, mcc: Mcc) -> bool {
        (self.from..=self.to).contains(&mcc.0)
    }
}

/// How long a hold lasts, for those transactions that fit everything that is said. What is not said fits all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HoldRule {
    /// Only this network; empty for all.
    pub network: NetworkName,
    /// Only these categories.
    pub mcc: Option<Vec<MccRange>>,
    /// Only these initiators.
    pub initiators: Option<Vec<Initiator>>,
    /// Only where the card was there.
    pub card_present: bool,
    /// Only these purposes.
    pub purposes: Option<Vec<Purpose>>,
    /// How long the hold lasts from the last approved amount.
    pub hold_for: Duration,
}

/// How much a clearing may exceed its hold before a dispute is worth while.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tolerance {
    /// For these categories.
    pub mcc: MccRange,
    /// Percent of what was authorized.
    pub percent: u8,
    /// Or this much, where it is more: minor units of the card's currency.
    pub at_least_minor: i64,
    /// Whatever was authorized, a clearing of no more than this is inside: minor units of the card's currency. For
    /// categories that ask for a token amount, and whose networks say what they may clear (E36).
    pub up_to_minor: i64,
}

/// What an advice does that tells of our own approval after it was reversed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AdviceAfterReversal {
    /// It is acknowledged and holds nothing: the reversal is the later word.
    Ignore,
    /// It places a new hold.
    Hold,
}

/// The settings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Life {
    /// The first rule that fits decides; where none does, `Policy::hold_for`.
    pub hold_rules: Vec<HoldRule>,
    /// Categories whose merchants clear one authorization in several parts (E15).
    pub multi_clearing: Vec<MccRange>,
    /// The first that fits decides; where none does, nothing above the hold is inside a tolerance (E16).
    pub tolerances: Vec<Tolerance>,
    /// How long what was approved is kept for clearings and refunds that come late (E19, E21).
    pub keep_for: Duration,
    /// How long a payment that was declined is kept for a clearing that comes all the same (E19).
    pub keep_declines_for: Duration,
    /// The least that is approved of a larger amount, in minor units of the card's currency (E7).
    pub partial_minor_min: i64,
    /// The most cash that one purchase may hand out, in minor units of the card's currency.
    pub cashback_minor_max: Option<i64>,
    /// Whether a refund that is only authorized can be spent before it is cleared (E21).
    pub refunds_at_authorization: bool,
    /// How long after a payment its full refund brings back exactly what was taken, whatever the rate is now (E14).
    pub exact_refund_for: Duration,
    /// What an advice of our own approval does after its reversal (E10).
    pub advice_after_reversal: AdviceAfterReversal,
    /// Whether the balance service is told of each approval that stands.
    pub confirm: bool,
    /// How long idempotency keys of the control API are remembered (E26).
    pub request_keys_for: Duration,
}

impl Default for Life {
    fn default() -> Self {
        let range = |from, to| MccRange { from, to };
        // Airlines and car rental, lodging, and the general codes of cruise lines, lodging and rental.
        let travel =
            [range(3351, 3441), range(3501, 3999), range(4411, 4411), range(7011, 7012), range(7512, 7519)];
        let tolerance =
            |mcc, percent, at_least_minor| Tolerance { mcc, percent, at_least_minor, up_to_minor: 0 };
        let month = |rule: HoldRule| HoldRule { hold_for: 30 * DAY, ..rule };
        let five_days = |rule: HoldRule| HoldRule { hold_for: 5 * DAY, ..rule };
        Self {
            hold_rules: vec![
                month(HoldRule { mcc: Some(travel.to_vec()), ..HoldRule::default() }),
                month(HoldRule { purposes: Some(vec![Purpose::PreAuthorization]), ..HoldRule::default() }),
                five_days(HoldRule {
                    initiators: Some(vec![Initiator::Merchant, Initiator::Recurring]),
                    ..HoldRule::default()
                }),
                five_days(HoldRule { card_present: true, ..HoldRule::default() }),
            ],
            multi_clearing: [range(3000, 3350), range(4112, 4112), range(4511, 4511), range(5964, 5969)]
                .into_iter()
                .chain(travel)
                .collect(),
            tolerances: vec![
                tolerance(range(5812, 5814), 20, 0),
                tolerance(range(3351, 3441), 15, 7_500),
                tolerance(range(7512, 7519), 15, 7_500),
                tolerance(range(3501, 3999), 15, 0),
                tolerance(range(4411, 4411), 15, 0),
                tolerance(range(7011, 7011), 15, 0),
                tolerance(range(7230, 7230), 20, 0),
                tolerance(range(4121, 4121), 20, 0),
                Tolerance { up_to_minor: 17_500, ..tolerance(range(5542, 5542), 0, 0) },
            ],
            keep_for: 180 * DAY,
            keep_declines_for: 30 * DAY,
            partial_minor_min: 1,
            cashback_minor_max: None,
            refunds_at_authorization: false,
            exact_refund_for: 7 * DAY,
            advice_after_reversal: AdviceAfterReversal::Ignore,
            confirm: false,
            request_keys_for: 2 * DAY,
        }
    }
}

impl Life {
    /// How long the hold of a request lasts, unless no rule fits.
    pub(crate) fn hold_for(&self, request: &Authorization) -> Option<Duration> {
        self.hold_rules.iter().find(|rule| rule.fits(request)).map(|rule| rule.hold_for)
    }

    /// Whether merchants of a category clear in parts.
    pub(crate) fn clears_in_parts(&self, mcc: Option<Mcc>) -> bool {
        mcc.is_some_and(|mcc| self.multi_clearing.iter().any(|range| range.contains(mcc)))
    }

    /// Whether `paid` is inside what may exceed an authorization of `authorized`.
    pub(crate) fn is_tolerated(&self, mcc: Option<Mcc>, authorized: i64, paid: i64) -> bool {
        let found = mcc.and_then(|mcc| self.tolerances.iter().find(|tolerance| tolerance.mcc.contains(mcc)));
        found.is_some_and(|tolerance| {
            let share = i128::from(authorized) * i128::from(tolerance.percent) / 100;
            let most = i128::from(authorized) + share.max(i128::from(tolerance.at_least_minor));
            i128::from(paid) <= most.max(i128::from(tolerance.up_to_minor))
        })
    }
}

impl HoldRule {
    fn fits(&self, request: &Authorization) -> bool {
        let (details, mcc) = (&request.details, request.merchant.mcc);
        let category =
            |ranges: &Vec<MccRange>| mcc.is_some_and(|mcc| ranges.iter().any(|range| range.contains(mcc)));
        // What most rules name and most requests do not have comes first.
        self.mcc.as_ref().is_none_or(category)
            && self.purposes.as_ref().is_none_or(|all| all.contains(&details.purpose))
            && self.initiators.as_ref().is_none_or(|all| all.contains(&details.initiator))
            && (!self.card_present || details.presence == Presence::CardPresent)
            && (self.network.is_empty() || self.network == details.network)
    }
}

/// Whether a part of the amount is of use (E7): only to a cardholder who stands there and buys something.
pub(crate) fn allows_a_part(request: &Authorization) -> bool {
    let kind = match request.transaction_type() {
        TransactionType::Purchase | TransactionType::Cash | TransactionType::Payment => true,
        TransactionType::PurchaseWithCashback
        | TransactionType::AccountFunding
        | TransactionType::QuasiCash
        | TransactionType::Refund
        | TransactionType::OriginalCredit
        | TransactionType::BalanceInquiry
        | TransactionType::AccountVerification
        | TransactionType::Other => false,
    };
    kind && request.details.initiator == Initiator::Cardholder && !request.details.incremental
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_is_a_share_or_an_amount_whichever_is_more() {
        let life = Life::default();
        assert!(life.is_tolerated(Some(Mcc(5812)), 10_000, 12_000), "a tip of 20 percent");
        assert!(!life.is_tolerated(Some(Mcc(5812)), 10_000, 12_001));
        assert!(life.is_tolerated(Some(Mcc(7512)), 10_000, 17_500), "rental: 75.00 is more than 15 percent");
        assert!(life.is_tolerated(Some(Mcc(7512)), 100_000, 115_000));
        assert!(!life.is_tolerated(Some(Mcc(5411)), 10_000, 10_001), "groceries have none");
        assert!(life.is_tolerated(Some(Mcc(5542)), 100, 17_500), "a pump asks for a dollar");
        assert!(!life.is_tolerated(Some(Mcc(5542)), 100, 17_501));
        assert!(!life.is_tolerated(Some(Mcc(5542)), 20_000, 20_001), "it asked for more than the cap");
        assert!(!life.is_tolerated(None, 10_000, 10_001));
    }
}
