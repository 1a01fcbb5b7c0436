//! The balances that an answer carries when it is asked for them, in the card's currency.

use crate::decide::Context;
use crate::shard::{Account, Card, Shard};
use domain::{Asset, Authorization, Balances, FundingMode, Margins, Money, Units};

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
        if !request.details.balances_wanted {
            return None;
        }
        let booked = if books(request) { taken } else { Units::ZERO };
        let margins = self.policy.pricing.margins(request, card.currency, account.asset);
        self.balances((card, account), taken, booked, margins, context)
    }

    /// The balances of a card's account less `taken`, of which `booked` is off the ledger too. Those of a JIT card are what the balance service last told; nothing
    /// is made up where it has told nothing, or where the rate is missing. The ledger is shown at the rate; what is
    /// available with all that `margins` add to such a payment, so that what is shown can be spent.
    pub(crate) fn balances(
        &self,
        (card, account): (&Card, &Account),
        taken: Units,
        booked: Units,
        margins: Margins,
        context: Context<'_>,
    ) -> Option<Balances> {
        let (ledger, available) = match card.funding {
            FundingMode::PreFunded => (account.balance().ledger, account.balance().available()),
            FundingMode::Jit => {
                let available = account.word()?.available()?;
                (available, available)
            }
        };
        let (terms, currency) = (&self.policy.pricing.terms, Asset::of(card.currency));
        let money = |units: Units, margins| {
            let (rates, now) = (context.rates, context.now.utc);
            let minor = rates.affordable(units, account.asset, currency, margins, terms, now).ok()?;
            Some(Money::new(i64::try_from(minor).ok()?, card.currency))
        };
        let ledger = money(ledger.minus(booked)?, Margins::default())?;
        Some(Balances { ledger, available: money(available.minus(taken)?, margins)? })
    }
}

/// Whether an approval of the message moves the money at once.
fn books(request: &Authorization) -> bool {
    let added = request.details.incremental;
    request.class.is_financial() && !added || request.transaction_type().is_credit()
}
