//! What an amount costs, or brings, in another asset: over which rates, which of them are believed, and what a program adds
//! (E11, E12, E13).

use super::arithmetic::{Exact, Side, money};
use super::{Model, Transaction};
use domain::{
    Amounts, Asset, AssetCode, Authorization, Currency, Margins, Mcc, MessageClass, Money, Price, Rate,
    Reason, Timestamp, Units,
};

/// An amount in another asset.
#[derive(Clone, Copy)]
pub(super) struct Converted {
    pub(super) units: i128,
    pub(super) rate: Option<Rate>,
    /// What the units are made of, where that is more than the amount at one rate.
    pub(super) price: Option<Price>,
}

/// What a request holds: in the card's currency and in the account's asset, and how the one became the other.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) amounts: Amounts,
    pub(super) rate: Option<Rate>,
    pub(super) price: Option<Price>,
}

/// What a request costs, as far as the rates say, and what is wrong with them.
#[derive(Clone, Default)]
pub(super) struct Costs {
    pub(super) card: Option<Money>,
    pub(super) units: Option<i128>,
    pub(super) rate: Option<Rate>,
    pub(super) price: Option<Price>,
    pub(super) failures: Vec<Reason>,
}

impl Costs {
    pub(super) fn terms(&self) -> Option<Terms> {
        let (rate, price) = (self.rate, self.price);
        let amounts = self.card.zip(self.units).map(|(card, units)| Amounts { card, units: Units(units) });
        amounts.map(|amounts| Terms { amounts, rate, price })
    }
}

impl Model {
    /// Converts twice, rounding up each time: to the card's currency, and from there to the account's asset, with what the
    /// program adds.
    pub(super) fn costs(&self, card: u32, request: &Authorization, now: Timestamp) -> Costs {
        let mut failures = Vec::new();
        let (amount, card_rate) = match self.on_card(card, request, now, &mut failures) {
            Some((amount, rate)) => (Some(amount), rate),
            None => (None, None),
        };
        let on_account = amount.and_then(|amount| self.on_account(card, request, amount, now, &mut failures));
        Costs {
            card: amount,
            units: on_account.map(|converted| converted.units),
            rate: on_account.and_then(|converted| converted.rate).or(card_rate),
            price: on_account.and_then(|converted| converted.price),
            failures,
        }
    }

    /// What a request costs in the card's currency. The program adds nothing here.
    pub(super) fn on_card(
        &self,
        card: u32,
        request: &Authorization,
        now: Timestamp,
        failures: &mut Vec<Reason>,
    ) -> Option<(Money, Option<Rate>)> {
        let currency = self.currency_of(card);
        let billed = request.billing.filter(|billing| billing.currency() == currency && billing.minor() > 0);
        let said = [Some(request.amount), billed].into_iter().flatten();
        if let Some(said) = said.into_iter().find(|said| said.currency() == currency) {
            return Some((said, None));
        }
        let asset = Asset::of(currency);
        let converted = self.converted(request, request.amount, asset, Margins::default(), now, failures)?;
        Some((money(converted.units, currency), converted.rate))
    }

    /// What an amount in the card's currency costs in the account's asset. What is booked at once has no buffer.
    pub(super) fn on_account(
        &self,
        card: u32,
        request: &Authorization,
        amount: Money,
        now: Timestamp,
        failures: &mut Vec<Reason>,
    ) -> Option<Converted> {
        let mut margins = self.margins_of(card, request);
        if request.class.is_financial() || request.class == MessageClass::Clearing {
            margins.buffer = 0;
        }
        let asset = self.asset_of(self.account_of(card));
        self.converted(request, amount, asset, margins, now, failures)
    }

    /// A request needs rates that are believed; whatever else tells takes the newest, and costs nothing where there is none.
    fn converted(
        &self,
        request: &Authorization,
        amount: Money,
        to: Asset,
        margins: Margins,
        now: Timestamp,
        failures: &mut Vec<Reason>,
    ) -> Option<Converted> {
        let (legs, wrong) = self.judged_legs(Asset::of(amount.currency()), to, now);
        if let Some(reason) = wrong.filter(|reason| !failures.contains(reason)) {
            failures.push(reason);
        }
        if wrong.is_some() && request.class.is_request() {
            return None;
        }
        let free = Converted { units: 0, rate: None, price: None };
        Some(legs.map_or(free, |legs| debit(amount, to, &legs, margins)))
    }

    /// What an amount brings in the account's asset: at the side that a customer gets, less the markup.
    pub(super) fn credited(
        &self,
        card: u32,
        request: &Authorization,
        amount: Money,
        now: Timestamp,
        failures: &mut Vec<Reason>,
    ) -> Option<Converted> {
        let (from, to) = (Asset::of(amount.currency()), self.asset_of(self.account_of(card)));
        let (legs, wrong) = self.judged_legs(from, to, now);
        if let Some(reason) = wrong.filter(|_| request.class.is_request()) {
            failures.push(reason);
            return None;
        }
        let (legs, margins) = (legs?, self.margins_of(card, request));
        let exact = Exact::over(amount.minor().into(), &legs, Side::Credit, from, to);
        let (base, left) =
            (exact.down(), exact.hundredths_of_percent(10_000 - i128::from(margins.markup)).down());
        let nothing = Units::ZERO;
        let markup = Units(left - base);
        let price = Price {
            base: Units(base),
            markup,
            fee: nothing,
            buffer: nothing,
            second_leg: legs.get(1).copied(),
            margins,
        };
        Some(Converted { units: left, rate: legs.first().copied(), price: unless_plain(price) })
    }

    /// The rates between two assets, and why they are not believed where they are not.
    fn judged_legs(&self, from: Asset, to: Asset, now: Timestamp) -> (Option<Vec<Rate>>, Option<Reason>) {
        let legs = self.legs(from, to);
        let wrong = match &legs {
            Some(legs) => legs.iter().find_map(|rate| self.why_not_believed(rate, now)),
            None => Some(Reason::RateUnavailable),
        };
        (legs, wrong)
    }

    /// The rate between two assets, or the two over the base; none where they are the same money.
    pub(super) fn legs(&self, from: Asset, to: Asset) -> Option<Vec<Rate>> {
        if from == to {
            return Some(Vec::new());
        }
        let newest = |from: AssetCode, to: AssetCode| {
            self.rates.iter().rev().find(|rate| (rate.from, rate.to) == (from, to)).copied()
        };
        if let Some(rate) = newest(from.code(), to.code()) {
            return Some(vec![rate]);
        }
        let base = self.policy.pricing.terms.base?;
        let is_between = base != from.code() && base != to.code();
        let over = newest(from.code(), base).zip(newest(base, to.code())).filter(|_| is_between);
        over.map(|(first, second)| vec![first, second])
    }

    /// Why a rate is not believed, if so: it is too old, or one of its sides has left the band.
    pub(super) fn why_not_believed(&self, rate: &Rate, now: Timestamp) -> Option<Reason> {
        let mut pairs = self.policy.pricing.terms.pairs.iter();
        let pair = pairs.find(|pair| (pair.from, pair.to) == (rate.from, rate.to));
        let age = now.since(rate.as_of);
        let old = age > rate.max_age || pair.and_then(|pair| pair.max_age).is_some_and(|max| age > max);
        let outside = |(low, high)| rate.value < low || rate.value > high;
        let bid_outside = |(low, high)| rate.bid.is_some_and(|bid| bid < low || bid > high);
        let band = pair.and_then(|pair| pair.band);
        if old {
            Some(Reason::RateUnavailable)
        } else {
            band.filter(|band| outside(*band) || bid_outside(*band)).map(|_| Reason::RateOutsideBand)
        }
    }

    pub(super) fn margins_of(&self, card: u32, request: &Authorization) -> Margins {
        self.margins(card, request.amount.currency(), request.merchant.mcc)
    }

    /// What the first rule adds that fits everything it names.
    pub(super) fn margins(&self, card: u32, currency: Currency, mcc: Option<Mcc>) -> Margins {
        let asset = self.asset_of(self.account_of(card)).code();
        let rule = self.policy.pricing.rules.iter().find(|rule| {
            let of_asset = rule.assets.is_empty() || rule.assets.contains(&asset);
            let here = mcc.is_some_and(|mcc| rule.mcc.iter().any(|range| range.contains(mcc)));
            of_asset && (rule.mcc.is_empty() || here) && (!rule.foreign || currency != self.currency_of(card))
        });
        rule.map_or_else(Margins::default, |rule| rule.margins)
    }
}

/// What a customer pays, part by part; each together with those before it is rounded up.
fn debit(amount: Money, to: Asset, legs: &[Rate], margins: Margins) -> Converted {
    let exact = Exact::over(amount.minor().into(), legs, Side::Debit, Asset::of(amount.currency()), to);
    let (markup, fee) = (i128::from(margins.markup), i128::from(margins.fee));
    let charge = exact.hundredths_of_percent(10_000 + markup + fee);
    let whole = charge.hundredths_of_percent(10_000 + i128::from(margins.buffer)).up();
    let (base, with_markup) = (exact.up(), exact.hundredths_of_percent(10_000 + markup).up());
    let price = Price {
        base: Units(base),
        markup: Units(with_markup - base),
        fee: Units(charge.up() - with_markup),
        buffer: Units(whole - charge.up()),
        second_leg: legs.get(1).copied(),
        margins,
    };
    Converted { units: whole, rate: legs.first().copied(), price: unless_plain(price) }
}

fn unless_plain(price: Price) -> Option<Price> {
    (price.margins != Margins::default() || price.second_leg.is_some()).then_some(price)
}

/// Units at a rate and nothing more.
pub(super) fn plain(units: i128) -> Price {
    let (markup, fee, buffer) = (Units::ZERO, Units::ZERO, Units::ZERO);
    Price { base: Units(units), markup, fee, buffer, second_leg: None, margins: Margins::default() }
}

/// What `part` units of `whole` are made of: all that was added by its share, rounded down.
pub(super) fn share(price: Price, part: i128, whole: i128) -> Price {
    let of = |units: Units| Units(if whole == 0 { 0 } else { units.0 * part / whole });
    let (markup, fee, buffer) = (of(price.markup), of(price.fee), of(price.buffer));
    Price { base: Units(part - markup.0 - fee.0 - buffer.0), markup, fee, buffer, ..price }
}

/// What a hold is made of once something is added to it.
pub(super) fn together(hold: Option<Price>, held: i128, added: Option<Price>, more: i128) -> Option<Price> {
    if hold.is_none() && added.is_none() {
        return None;
    }
    let (one, other) = (hold.unwrap_or(plain(held)), added.unwrap_or(plain(more)));
    Some(Price {
        base: Units(one.base.0 + other.base.0),
        markup: Units(one.markup.0 + other.markup.0),
        fee: Units(one.fee.0 + other.fee.0),
        buffer: Units(one.buffer.0 + other.buffer.0),
        second_leg: one.second_leg.or(other.second_leg),
        margins: one.margins,
    })
}

impl Transaction {
    /// What is held beyond the charge.
    pub(super) fn buffer(&self) -> i128 {
        self.price.map_or(0, |price| price.buffer.0)
    }
}
