//! The balances that an answer carries when it is asked for them, in the card's currency.

use crate::decide::Context;
use crate::shard::{Account, Card, Shard};
use domain::{Asset, Authorization, Balances, FundingMode, Money, Rate, Units};

impl Shard {
    /// The balances after `taken` was promised or booked, where the request wants them and they are known.
    pub(crate) fn told(
        &self,
        card: &Card,
        account: &Account,
        request: &Authorization,
        taken: Units,
        context: Context<'_>,
    ) -> Option<Balances> {
        let booked = if books(request) { taken } else { Units::ZERO };
        if request.details.balances_wanted { balances(card, account, taken, booked, context) } else { None }
    }
}

/// Whether an approval of the message moves the money at once.
fn books(request: &Authorization) -> bool {
    let added = request.details.incremental;
    request.class.is_financial() && !added || request.transaction_type().is_credit()
}

/// The balances of a card's account less `taken`, of which `booked` is off the ledger too. Those of a JIT card are what the balance service last told; nothing
/// is made up where it has told nothing, or where the rate is missing.
pub(crate) fn balances(
    card: &Card,
    account: &Account,
    taken: Units,
    booked: Units,
    context: Context<'_>,
) -> Option<Balances> {
    let (ledger, available) = match card.funding {
        FundingMode::PreFunded => (account.balance.ledger, account.balance.available()),
        FundingMode::Jit => {
            let available = account.word.as_deref()?.available()?;
            (available, available)
        }
    };
    let money = |units: Units| in_card_currency(units, card, account, context);
    Some(Balances { ledger: money(ledger.minus(booked)?)?, available: money(available.minus(taken)?)? })
}

/// Rounded down: what is shown can be spent.
fn in_card_currency(units: Units, card: &Card, account: &Account, context: Context<'_>) -> Option<Money> {
    let asset = Asset::of(card.currency);
    let minor = if asset == account.asset {
        units.0
    } else {
        let rate = context.rates.fresh(asset.code(), account.asset.code(), context.now.utc).ok()?;
        inverse(rate, units.0, account.asset.decimals(), asset.decimals())?
    };
    Some(Money::new(i64::try_from(minor).ok()?, card.currency))
}

/// What `units` on the rate's far side are worth on its near side, rounded down.
fn inverse(rate: &Rate, units: i128, far_decimals: u8, near_decimals: u8) -> Option<i128> {
    let power = |exponent: u32| 10_i128.checked_pow(exponent);
    let up = power(u32::from(near_decimals))?.checked_mul(power(rate.value.scale())?)?;
    let down = power(u32::from(far_decimals))?.checked_mul(rate.value.mantissa())?;
    // A rate is above zero, so the quotient exists; towards minus infinity, which is down on both sides of zero.
    units.checked_mul(up)?.checked_div_euclid(down)
}
