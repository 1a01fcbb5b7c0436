//! What a message costs: first in the card's currency, and from there in the account's asset, rounded up each time.

use crate::decide::Context;
use crate::shard::Card;
use domain::{Asset, Authorization, Failure, MessageClass, Money, Rate, RateError, Reason, Rounding, Units};

/// What the request costs in the card's currency.
pub(crate) fn price_on_card(
    card: &Card,
    request: &Authorization,
    context: Context<'_>,
    failures: &mut Vec<Failure>,
) -> Option<(Money, Option<Rate>)> {
    if let Some(money) = in_card_currency(card, request) {
        return Some((money, None));
    }
    let asset = Asset::of(card.currency);
    let (units, rate) = convert(request.class, request.amount, asset, context, failures)?;
    let Ok(minor) = i64::try_from(units.0) else {
        failures.push(Reason::AmountOutOfRange.into());
        return None;
    };
    Some((Money::new(minor, card.currency), rate))
}

/// Converts at a fresh rate, rounding up, and notes why that fails. An advice must be recorded whatever the
/// rates: it is converted at the newest, however old, and costs nothing where there is none.
pub(crate) fn convert(
    class: MessageClass,
    money: Money,
    to: Asset,
    context: Context<'_>,
    failures: &mut Vec<Failure>,
) -> Option<(Units, Option<Rate>)> {
    match context.rates.to_asset(money, to, Rounding::Up, context.now.utc) {
        Ok(converted) => return Some(converted),
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
    let from = Asset::of(money.currency());
    let Some(rate) = context.rates.latest(from.code(), to.code()) else { return Some((Units::ZERO, None)) };
    let units = rate.convert(i128::from(money.minor()), from.decimals(), to.decimals(), Rounding::Up).ok()?;
    Some((Units(units), Some(*rate)))
}

/// The amount in the card's currency, where the merchant or the network has said it.
fn in_card_currency(card: &Card, request: &Authorization) -> Option<Money> {
    if request.amount.currency() == card.currency {
        return Some(request.amount);
    }
    // A processor that fills DE 6 with zeros has not converted anything.
    request.billing.filter(|billing| billing.currency() == card.currency && billing.minor() > 0)
}

const fn reason_of(error: &RateError) -> Reason {
    match error {
        RateError::Missing { .. } | RateError::Stale { .. } | RateError::NotPositive { .. } => {
            Reason::RateUnavailable
        }
        RateError::Overflow => Reason::AmountOutOfRange,
    }
}
