//! Approves a part where the whole is too much (E7).

use crate::shard::{Account, Card, Shard};
use domain::{
    Amounts, Authorization, Failure, FundingMode, HoldTerms, Money, PartialApproval, Reason, Side, Units,
    exact_at,
};

impl Shard {
    /// The part of `hold` that the account has, where money is all that is missing and a part is of use; with it the
    /// part in the merchant's currency.
    pub(crate) fn affordable_part(
        &self,
        card: &Card,
        account: &Account,
        request: &Authorization,
        hold: &HoldTerms,
        failures: &[Failure],
    ) -> Option<(HoldTerms, Money)> {
        let short = failures.iter().filter(|failure| failure.decides());
        let only_short =
            short.clone().count() > 0 && short.clone().all(|found| found.reason == Reason::InsufficientFunds);
        let wanted = request.partial == PartialApproval::Supported && card.funding == FundingMode::PreFunded;
        if !only_short || !wanted {
            return None;
        }
        let whole = hold.amounts;
        let money = part(whole.card, account.balance().available(), whole.units)?;
        let share = covering(whole, money)?;
        // What is booked at once costs what it costs; a buffer keeps its share.
        let price = hold.price.as_ref().filter(|price| !price.buffer.is_positive());
        let plain = price.is_some() == hold.price.is_some();
        let exact = exact_at(money, account.asset, Side::Debit, hold.rate.as_deref(), hold.price.as_deref());
        let exact = exact.ok().and_then(|exact| exact.rounded_up().ok()).filter(|_| plain).map(Units);
        let units = exact.map_or(share, |exact| exact.min(share));
        let merchant = if request.amount.currency() == money.currency() && request.amount == whole.card {
            money
        } else {
            part(request.amount, Units(money.minor().into()), Units(whole.card.minor().into()))?
        };
        let useful = money.minor() >= self.policy.life.partial_minor_min.max(1) && merchant.minor() > 0;
        let price = hold.price.as_ref().map(|price| Box::new(price.share(units, whole.units)));
        let (amounts, rate) = (Amounts { card: money, units }, hold.rate.clone());
        let terms = HoldTerms { amounts, rate, expires_at: hold.expires_at, price };
        (useful && account.balance().covers(units)).then_some((terms, merchant))
    }
}

/// `money * share / whole`, rounded down.
pub(crate) fn part(money: Money, share: Units, whole: Units) -> Option<Money> {
    let minor = i128::from(money.minor()).checked_mul(share.0)?.checked_div(whole.0)?;
    Some(Money::new(i64::try_from(minor).ok()?, money.currency()))
}

/// What `money` of a hold costs on the account side, rounded up: never more than the whole (E12).
pub(crate) fn covering(whole: Amounts, money: Money) -> Option<Units> {
    if money.minor() >= whole.card.minor() {
        return Some(whole.units);
    }
    let product = whole.units.0.checked_mul(money.minor().into())?;
    let divisor = i128::from(whole.card.minor());
    let quotient = product.checked_div(divisor)?;
    Some(Units(if product % divisor == 0 { quotient } else { quotient + 1 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Currency;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_of_a_hold_add_up_to_the_whole_and_never_run_ahead_by_more_than_one_unit(
            minor in 1_i64..1_000_000, units in 0_i128..1_000_000_000_000, cuts in prop::collection::vec(0_i64..1_000_000, 0..6),
        ) {
            let usd = Currency::from_alpha("USD").unwrap();
            let whole = Amounts { card: Money::new(minor, usd), units: Units(units) };
            let mut cuts: Vec<i64> = cuts.into_iter().map(|cut| cut % minor).chain([minor]).collect();
            cuts.sort_unstable();
            let mut taken = 0;
            for cut in cuts {
                let upto = covering(whole, Money::new(cut, usd)).unwrap().0;
                prop_assert!(upto >= taken);
                prop_assert!(upto * i128::from(minor) - units * i128::from(cut) < i128::from(minor));
                taken = upto;
            }
            prop_assert_eq!(taken, units);
        }
    }
}
