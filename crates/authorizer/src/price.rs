//! What a message costs: first in the card's currency, and from there in the account's asset, rounded up each time.

use crate::decide::Context;
use crate::pricing::Pricing;
use crate::shard::{Account, Card, Shard};
use domain::{
    Asset, Authorization, Failure, Margins, MessageClass, Money, Priced, Rate, RateError, RateTerms, Reason,
    Side, Units,
};

impl Shard {
    /// What the request costs in the card's currency.
    pub(crate) fn price_on_card(
        &self,
        card: &Card,
        request: &Authorization,
        context: Context<'_>,
        failures: &mut Vec<Failure>,
    ) -> Option<(Money, Option<Box<Rate>>)> {
        if let Some(money) = in_card_currency(card, request) {
            return Some((money, None));
        }
        let asset = Asset::of(card.currency);
        let exact = Margins::default();
        let terms = &self.policy.pricing.terms;
        let priced = convert(request.class, request.amount, asset, exact, (terms, context), failures)?;
        let Ok(minor) = i64::try_from(priced.units.0) else {
            failures.push(Reason::AmountOutOfRange.into());
            return None;
        };
        Some((Money::new(minor, card.currency), priced.rate))
    }

    /// What `money` of the request costs in the account's asset, with all that the program adds. What is charged at
    /// once has no buffer.
    pub(crate) fn price_on_account(
        &self,
        (card, account): (&Card, &Account),
        request: &Authorization,
        money: Money,
        context: Context<'_>,
        failures: &mut Vec<Failure>,
    ) -> Option<Priced> {
        let Pricing { terms, .. } = &*self.policy.pricing;
        let mut margins = self.policy.pricing.margins(request, card.currency, account.asset);
        if request.class.is_financial() || matches!(request.class, MessageClass::Clearing) {
            margins.buffer = 0;
        }
        // What most payments are, and the only ones that need no fraction.
        if account.holds(money.currency()) && margins == Margins::default() {
            return Some(Priced { units: Units(money.minor().into()), rate: None, price: None });
        }
        convert(request.class, money, account.asset, margins, (terms, context), failures)
    }
}

/// Converts at rates that may be used, rounding up, and notes why that fails. An advice must be recorded whatever the
/// rates: it is converted at the newest, however old, and costs nothing where there is none.
fn convert(
    class: MessageClass,
    money: Money,
    to: Asset,
    margins: Margins,
    (terms, context): (&RateTerms, Context<'_>),
    failures: &mut Vec<Failure>,
) -> Option<Priced> {
    match context.rates.price(money, to, Side::Debit, margins, terms, context.now.utc) {
        Ok(priced) => return Some(priced),
        Err(error) => {
            let failure = Failure::from(reason_of(&error));
            if !failures.contains(&failure) {
                failures.push(failure);
            }
        }
    }
    if class.is_request() {
        return None;
    }
    let free = Priced { units: Units::ZERO, rate: None, price: None };
    Some(context.rates.price_at_any_rate(money, to, Side::Debit, margins, terms).unwrap_or(free))
}

/// The amount in the card's currency, where the merchant or the network has said it.
fn in_card_currency(card: &Card, request: &Authorization) -> Option<Money> {
    if request.amount.currency() == card.currency {
        return Some(request.amount);
    }
    // A processor that fills DE 6 with zeros has not converted anything.
    request.billing.filter(|billing| billing.currency() == card.currency && billing.minor() > 0)
}

/// Which step a rate that cannot be used fails.
pub(crate) const fn reason_of(error: &RateError) -> Reason {
    match error {
        RateError::Missing { .. } | RateError::Stale { .. } | RateError::NotPositive { .. } => {
            Reason::RateUnavailable
        }
        RateError::OutsideBand { .. } => Reason::RateOutsideBand,
        RateError::Overflow => Reason::AmountOutOfRange,
    }
}
