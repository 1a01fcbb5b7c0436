//! What an amount costs in an asset, or brings in it: over which rates, within which bounds, and with what on top.
//!
//! Computed exactly, as a fraction, and rounded once for each part that is shown: a debit takes at least the exact
//! amount, a credit gives at most it, and neither is off by a whole unit (E12). A rate that is too old, or that has
//! left its band, converts nothing (E11).

use crate::asset::{Asset, AssetCode, Units};
use crate::fraction::Fraction;
use crate::money::Money;
use crate::rate::{Rate, RateError, RateTable};
use crate::time::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Hundredths of a percent in a whole.
const WHOLE: i128 = 10_000;

/// Whose money it is that is converted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The customer pays: the rate's own value, rounded up.
    Debit,
    /// The customer gets: the rate's bid, rounded down.
    Credit,
}

/// What a program adds to the exact amount, in hundredths of a percent.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Margins {
    /// Kept by the program: on top of a debit, off a credit.
    pub markup: u16,
    /// Charged for the conversion: on top of a debit only.
    pub fee: u16,
    /// Held on top of the charge until the last clearing, and never charged (E13).
    pub buffer: u16,
}

/// What the units of a hold are made of. All parts together are what is held; all but the buffer is charged.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Price {
    /// The exact amount at the rate.
    pub base: Units,
    /// What the program keeps.
    pub markup: Units,
    /// What the conversion costs.
    pub fee: Units,
    /// What is held beyond the charge, until the last clearing.
    pub buffer: Units,
    /// The rate of the second leg, where the conversion went over a third asset.
    pub second_leg: Option<Rate>,
    /// What was added.
    pub margins: Margins,
}

/// An amount that was converted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Priced {
    /// In the asset's units, everything included.
    pub units: Units,
    /// The rate; no rate where the two are the same money.
    pub rate: Option<Box<Rate>>,
    /// What the units are made of, where that is more than the amount at one rate.
    pub price: Option<Box<Price>>,
}

/// Bounds of the rates between two assets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PairTerms {
    /// From.
    pub from: AssetCode,
    /// To.
    pub to: AssetCode,
    /// How old it may be when it is used, whatever its source says.
    pub max_age: Option<Duration>,
    /// Between which values it is believed: a stablecoin outside its peg is not (E11).
    pub band: Option<(Decimal, Decimal)>,
}

/// Bounds of all rates, and over what to convert where there is no rate. Configuration, fixed while the switch runs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RateTerms {
    /// The asset over which two others are converted that have no rate of their own.
    pub base: Option<AssetCode>,
    /// Bounds of pairs.
    pub pairs: Vec<PairTerms>,
}

impl RateTerms {
    /// Why a rate may not be used, if so.
    pub fn check(&self, rate: &Rate, now: Timestamp) -> Result<(), RateError> {
        let (from, to) = (rate.from, rate.to);
        let pair = self.pairs.iter().find(|pair| (pair.from, pair.to) == (from, to));
        let max_age = pair.and_then(|pair| pair.max_age).map_or(rate.max_age, |max| max.min(rate.max_age));
        let age = now.since(rate.as_of);
        if age > max_age {
            let (age_ms, max_ms) = (age.as_millis(), max_age.as_millis());
            return Err(RateError::Stale { from, to, age_ms, max_ms });
        }
        if let Some((low, high)) = pair.and_then(|pair| pair.band) {
            let mut sides = [Some(rate.value), rate.bid].into_iter().flatten();
            if let Some(found) = sides.find(|value| !(low..=high).contains(value)) {
                return Err(RateError::OutsideBand { from, to, found, low, high });
            }
        }
        Ok(())
    }
}

impl RateTable {
    /// What `amount` costs or brings in `asset`, by rates that `terms` allow.
    pub fn price(
        &self,
        amount: Money,
        asset: Asset,
        side: Side,
        margins: Margins,
        terms: &RateTerms,
        now: Timestamp,
    ) -> Result<Priced, RateError> {
        let legs = match asset.is(amount.currency()) {
            true => Legs::default(),
            false => {
                let allowed = |rate: &Rate| terms.check(rate, now);
                self.legs(amount.currency().into(), asset.code(), terms, allowed)?
            }
        };
        legs.price(amount, asset, side, margins)
    }

    /// How much of `currency` can be paid with `units` of `asset`, in minor units and rounded down: with all that `margins`
    /// add, the buffer too, so that what is shown can be spent. Below zero where the units are.
    pub fn affordable(
        &self,
        units: Units,
        asset: Asset,
        currency: Asset,
        margins: Margins,
        terms: &RateTerms,
        now: Timestamp,
    ) -> Result<i128, RateError> {
        let legs = match currency == asset {
            true => Legs::default(),
            false => self.legs(currency.code(), asset.code(), terms, |rate| terms.check(rate, now))?,
        };
        let (charged, held) =
            (i128::from(margins.markup) + i128::from(margins.fee), i128::from(margins.buffer));
        let minor = legs.convert(Fraction::whole(1), currency, asset, Side::Debit)?;
        let minor = minor.times(WHOLE + charged, WHOLE)?.times(WHOLE + held, WHOLE)?;
        minor.within(units.0)
    }

    /// The same at the newest rates, however old and wherever they are; nothing where there are none. Only for what
    /// must be recorded whatever the rate, such as an advice.
    #[must_use]
    pub fn price_at_any_rate(
        &self,
        amount: Money,
        asset: Asset,
        side: Side,
        margins: Margins,
        terms: &RateTerms,
    ) -> Option<Priced> {
        let (from, to) = (AssetCode::from(amount.currency()), asset.code());
        let legs = self.legs(from, to, terms, |_| Ok(())).ok()?;
        legs.price(amount, asset, side, margins).ok()
    }

    /// The rate between two assets, or the two rates over the base.
    fn legs(
        &self,
        from: AssetCode,
        to: AssetCode,
        terms: &RateTerms,
        check: impl Fn(&Rate) -> Result<(), RateError>,
    ) -> Result<Legs, RateError> {
        if let Some(rate) = self.latest(from, to) {
            check(rate)?;
            return Ok(Legs { first: Some(*rate), second: None });
        }
        let missing = RateError::Missing { from, to };
        let base = terms.base.filter(|base| *base != from && *base != to).ok_or(missing)?;
        let (first, second) =
            (self.latest(from, base).ok_or(missing)?, self.latest(base, to).ok_or(missing)?);
        check(first)?;
        check(second)?;
        Ok(Legs { first: Some(*first), second: Some(*second) })
    }
}

/// The rates of one conversion; none where the two are the same money.
#[derive(Clone, Copy, Debug, Default)]
struct Legs {
    first: Option<Rate>,
    second: Option<Rate>,
}

impl Legs {
    /// The amount at the rates, before anything is added and not rounded.
    fn exact(self, amount: Money, asset: Asset, side: Side) -> Result<Fraction, RateError> {
        self.convert(Fraction::from(amount.minor()), Asset::of(amount.currency()), asset, side)
    }

    fn convert(self, minor: Fraction, from: Asset, asset: Asset, side: Side) -> Result<Fraction, RateError> {
        let mut exact = minor;
        for rate in [self.first, self.second].into_iter().flatten() {
            let value = match side {
                Side::Debit => rate.value,
                Side::Credit => rate.bid.unwrap_or(rate.value),
            };
            exact = exact.times(value.mantissa(), power(value.scale())?)?;
        }
        if self.first.is_some() {
            exact = exact.times(power(asset.decimals().into())?, power(from.decimals().into())?)?;
        }
        Ok(exact)
    }

    fn price(self, amount: Money, asset: Asset, side: Side, margins: Margins) -> Result<Priced, RateError> {
        let exact = self.exact(amount, asset, side)?;
        let (markup, fee) = (i128::from(margins.markup), i128::from(margins.fee));
        let price = match side {
            Side::Debit => {
                let with = |more: i128| exact.times(WHOLE + more, WHOLE);
                let charge = with(markup + fee)?;
                let whole = charge.times(WHOLE + i128::from(margins.buffer), WHOLE)?.rounded_up()?;
                let (base, marked_up) = (exact.rounded_up()?, with(markup)?.rounded_up()?);
                let charge = charge.rounded_up()?;
                Price {
                    base: Units(base),
                    markup: Units(marked_up - base),
                    fee: Units(charge - marked_up),
                    buffer: Units(whole - charge),
                    second_leg: self.second,
                    margins,
                }
            }
            Side::Credit => {
                let base = exact.rounded_down();
                let left = exact.times((WHOLE - markup).max(0), WHOLE)?.rounded_down();
                let (fee, buffer) = (Units::ZERO, Units::ZERO);
                let markup = Units(left - base);
                Price { base: Units(base), markup, fee, buffer, second_leg: self.second, margins }
            }
        };
        let plain = margins == Margins::default() && self.second.is_none();
        let units = price.held();
        Ok(Priced { units, rate: self.first.map(Box::new), price: (!plain).then(|| Box::new(price)) })
    }
}

/// What `amount` costs or brings in `asset` at the rate that a transaction has locked, not rounded: with markup and fee,
/// without the buffer. `price` has the second leg and the margins, where there are any.
pub fn exact_at(
    amount: Money,
    asset: Asset,
    side: Side,
    rate: Option<&Rate>,
    price: Option<&Price>,
) -> Result<Fraction, RateError> {
    let money = Asset::of(amount.currency());
    let (from, to) = (money.code(), asset.code());
    let second = price.and_then(|price| price.second_leg);
    let legs = match rate {
        _ if money == asset => Legs::default(),
        Some(first) if first.from == from && second.map_or(first.to, |second| second.to) == to => {
            Legs { first: Some(*first), second }
        }
        Some(_) | None => return Err(RateError::Missing { from, to }),
    };
    let margins = price.map(|price| price.margins).unwrap_or_default();
    let factor = match side {
        Side::Debit => WHOLE + i128::from(margins.markup) + i128::from(margins.fee),
        Side::Credit => (WHOLE - i128::from(margins.markup)).max(0),
    };
    legs.exact(amount, asset, side)?.times(factor, WHOLE)
}

impl Price {
    /// An amount at its rate and nothing more.
    #[must_use]
    pub fn plain(units: Units) -> Self {
        let (markup, fee, buffer) = (Units::ZERO, Units::ZERO, Units::ZERO);
        Self { base: units, markup, fee, buffer, second_leg: None, margins: Margins::default() }
    }

    /// What a part of the whole is made of: `part` units of `whole`, the buffer rounded down.
    #[must_use]
    pub fn share(self, part: Units, whole: Units) -> Self {
        let of = |units: Units| {
            let product = units.0.checked_mul(part.0).and_then(|product| product.checked_div(whole.0));
            Units(product.unwrap_or(0))
        };
        let (markup, fee, buffer) = (of(self.markup), of(self.fee), of(self.buffer));
        let added = markup.0.saturating_add(fee.0).saturating_add(buffer.0);
        Self { base: Units(part.0.saturating_sub(added)), markup, fee, buffer, ..self }
    }

    /// Both together; the second leg is that of the first.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let sum = |one: Units, other: Units| Units(one.0.saturating_add(other.0));
        Self {
            base: sum(self.base, other.base),
            markup: sum(self.markup, other.markup),
            fee: sum(self.fee, other.fee),
            buffer: sum(self.buffer, other.buffer),
            second_leg: self.second_leg.or(other.second_leg),
            margins: self.margins,
        }
    }

    /// This without `buffer` of its buffer.
    #[must_use]
    pub fn without_buffer(self, buffer: Units) -> Self {
        Self { buffer: Units(self.buffer.0.saturating_sub(buffer.0).max(0)), ..self }
    }

    /// Everything together: what a hold holds.
    #[must_use]
    pub const fn held(&self) -> Units {
        // Each part is a difference of numbers between nothing and the whole.
        Units(
            self.base
                .0
                .saturating_add(self.markup.0)
                .saturating_add(self.fee.0)
                .saturating_add(self.buffer.0),
        )
    }
}

fn power(exponent: u32) -> Result<i128, RateError> {
    10_i128.checked_pow(exponent).ok_or(RateError::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Currency;
    use crate::text::Text;
    use proptest::prelude::*;

    fn code(text: &str) -> AssetCode {
        AssetCode::new(text).unwrap()
    }

    fn rate(from: &str, to: &str, value: &str, bid: Option<&str>) -> Rate {
        Rate {
            from: code(from),
            to: code(to),
            value: value.parse().unwrap(),
            bid: bid.map(|bid| bid.parse().unwrap()),
            source: Text::new("test").unwrap(),
            as_of: Timestamp::from_seconds(1_000),
            max_age: Duration::from_secs(60),
            id: Text::new("q1").unwrap(),
        }
    }

    fn table(rates: &[Rate]) -> RateTable {
        let mut table = RateTable::default();
        rates.iter().for_each(|rate| table.set(*rate));
        table
    }

    fn asset(text: &str, decimals: u8) -> Asset {
        Asset::new(code(text), decimals).unwrap()
    }

    fn money(minor: i64, currency: &str) -> Money {
        Money::new(minor, Currency::from_alpha(currency).unwrap())
    }

    const NOW: Timestamp = Timestamp::from_seconds(1_060);

    fn price(table: &RateTable, amount: Money, side: Side, margins: Margins, terms: &RateTerms) -> Priced {
        table.price(amount, asset("USDT", 6), side, margins, terms, NOW).unwrap()
    }

    #[test]
    fn a_debit_pays_the_one_side_and_a_credit_gets_the_other() {
        let table = table(&[rate("USD", "USDT", "1.001", Some("0.999"))]);
        let units =
            |side| price(&table, money(100, "USD"), side, Margins::default(), &RateTerms::default()).units;
        assert_eq!((units(Side::Debit), units(Side::Credit)), (Units(1_001_000), Units(999_000)));
    }

    #[test]
    fn what_is_added_is_shown_apart_and_adds_up() {
        let table = table(&[rate("USD", "USDT", "1.0000333333", None)]);
        let margins = Margins { markup: 100, fee: 50, buffer: 1_000 };
        let priced = price(&table, money(100, "USD"), Side::Debit, margins, &RateTerms::default());
        let parts = priced.price.unwrap();
        assert_eq!(
            (parts.base, parts.markup, parts.fee, parts.buffer),
            (Units(1_000_034), Units(10_000), Units(5_000), Units(101_504))
        );
        assert_eq!((priced.units, parts.held()), (Units(1_116_538), Units(1_116_538)));
        let credit = price(&table, money(100, "USD"), Side::Credit, margins, &RateTerms::default());
        assert_eq!(credit.units, Units(990_032), "neither fee nor buffer, and less by the markup");
    }

    #[test]
    fn a_cross_rate_goes_over_the_base_and_keeps_both_legs() {
        let legs = [rate("EUR", "USD", "1.10", Some("1.09")), rate("USD", "USDT", "1.001", None)];
        let table = table(&legs);
        let terms = RateTerms { base: Some(code("USD")), pairs: Vec::new() };
        let priced = price(&table, money(1_000, "EUR"), Side::Debit, Margins::default(), &terms);
        assert_eq!(priced.units, Units(11_011_000));
        assert_eq!(priced.rate.as_deref(), Some(&legs[0]));
        assert_eq!(priced.price.unwrap().second_leg, Some(legs[1]));
        let without = table.price(
            money(1, "EUR"),
            asset("USDT", 6),
            Side::Debit,
            Margins::default(),
            &RateTerms::default(),
            NOW,
        );
        assert_eq!(without, Err(RateError::Missing { from: code("EUR"), to: code("USDT") }));
    }

    #[test]
    fn a_rate_that_is_old_or_outside_its_band_converts_nothing_but_what_must_be_recorded() {
        let pair = |max_age, band| RateTerms {
            base: None,
            pairs: vec![PairTerms { from: code("USD"), to: code("USDT"), max_age, band }],
        };
        let band = Some(("0.98".parse().unwrap(), "1.02".parse().unwrap()));
        let price = |value: &str, bid: Option<&str>, terms: &RateTerms| {
            let table = table(&[rate("USD", "USDT", value, bid)]);
            let priced =
                table.price(money(1, "USD"), asset("USDT", 6), Side::Debit, Margins::default(), terms, NOW);
            assert!(
                table
                    .price_at_any_rate(
                        money(1, "USD"),
                        asset("USDT", 6),
                        Side::Debit,
                        Margins::default(),
                        terms
                    )
                    .is_some()
            );
            priced.map_err(|error| error.to_string())
        };
        assert!(price("1.02", Some("0.98"), &pair(None, band)).is_ok(), "the ends belong to the band");
        assert_eq!(
            price("1.03", None, &pair(None, band)).unwrap_err(),
            "the rate from USD to USDT is 1.03, between 0.98 and 1.02 it is believed"
        );
        assert!(price("1.00", Some("0.97"), &pair(None, band)).is_err(), "the bid has left it");
        let older = price("1", None, &pair(Some(Duration::from_secs(59)), None)).unwrap_err();
        assert_eq!(older, "the rate from USD to USDT is 60000 ms old, at most 59000 ms are allowed");
    }

    #[test]
    fn the_same_money_needs_no_rate_and_may_still_have_a_buffer() {
        let usd = Asset::of(Currency::from_alpha("USD").unwrap());
        let price = |margins| {
            RateTable::default()
                .price(money(500, "USD"), usd, Side::Debit, margins, &RateTerms::default(), NOW)
                .unwrap()
        };
        assert_eq!(price(Margins::default()), Priced { units: Units(500), rate: None, price: None });
        assert_eq!(price(Margins { buffer: 2_000, ..Margins::default() }).units, Units(600));
    }

    #[test]
    fn what_is_affordable_can_be_paid_and_no_more_of_it() {
        let table = table(&[rate("EUR", "USD", "1.1", None), rate("USD", "USDT", "1.0333", None)]);
        let terms = RateTerms { base: Some(code("USD")), pairs: Vec::new() };
        let (usdt, eur) = (asset("USDT", 6), Asset::of(Currency::from_alpha("EUR").unwrap()));
        for margins in [Margins::default(), Margins { markup: 123, fee: 7, buffer: 1_000 }] {
            let units = Units(777_777_777);
            let minor = table.affordable(units, usdt, eur, margins, &terms, NOW).unwrap();
            let cost = |minor| price(&table, money(minor, "EUR"), Side::Debit, margins, &terms).units;
            let minor = i64::try_from(minor).unwrap();
            assert!(cost(minor) <= units && cost(minor + 1) > units, "{minor} for {margins:?}");
        }
        let debt = table.affordable(Units(-1), usdt, eur, Margins::default(), &terms, NOW);
        assert_eq!(debt, Ok(-1), "down on both sides of zero");
        let late = NOW.plus(Duration::from_secs(1));
        assert!(table.affordable(Units(1), usdt, eur, Margins::default(), &terms, late).is_err());
    }

    #[test]
    fn what_was_locked_gives_the_same_exact_amount_again() {
        let table = table(&[rate("EUR", "USD", "1.1", Some("1.0")), rate("USD", "USDT", "0.3333333", None)]);
        let terms = RateTerms { base: Some(code("USD")), pairs: Vec::new() };
        let margins = Margins { markup: 123, fee: 7, buffer: 1_000 };
        let (amount, asset) = (money(1_999, "EUR"), asset("USDT", 6));
        for (side, up) in [(Side::Debit, true), (Side::Credit, false)] {
            let priced = price(&table, amount, side, margins, &terms);
            let parts = priced.price.unwrap();
            let exact = exact_at(amount, asset, side, priced.rate.as_deref(), Some(&parts)).unwrap();
            let rounded = if up { exact.rounded_up().unwrap() } else { exact.rounded_down() };
            assert_eq!(rounded, priced.units.0 - parts.buffer.0);
            let other_rate = table.latest(code("USD"), code("USDT"));
            assert!(
                exact_at(amount, asset, side, other_rate, None).is_err(),
                "not from the amount's currency"
            );
        }
        assert!(exact_at(amount, asset, Side::Debit, None, None).is_err(), "no rate was locked");
    }

    proptest! {
        #[test]
        fn a_conversion_is_within_one_unit_of_the_exact_amount(
            minor in 0_i64..1_000_000_000, mantissa in 1_i64..10_000_000_000, scale in 0_u32..10, second in 1_i64..100_000,
            markup in 0_u16..500, fee in 0_u16..500, buffer in 0_u16..5_000,
        ) {
            let mut legs = [rate("EUR", "USD", "1", None), rate("USD", "USDT", "1", None)];
            legs[0].value = Decimal::new(mantissa, scale);
            legs[1].value = Decimal::new(second, 4);
            let terms = RateTerms { base: Some(code("USD")), pairs: Vec::new() };
            let margins = Margins { markup, fee, buffer };
            let table = table(&legs);
            let debit = price(&table, money(minor, "EUR"), Side::Debit, margins, &terms);
            let parts = debit.price.unwrap();
            // Everything scaled by 10^(scale + 4 + 4) is an integer.
            let scaled = 10_i128.pow(scale + 8);
            let exact = i128::from(minor) * i128::from(mantissa) * i128::from(second) * 10_000 * 10_000;
            let charge = exact / 10_000 * (10_000 + i128::from(markup) + i128::from(fee));
            let charged = debit.units.0 - parts.buffer.0;
            prop_assert!(charge <= charged * scaled && charged * scaled < charge + scaled);
            prop_assert!(exact <= parts.base.0 * scaled && parts.base.0 * scaled < exact + scaled);
            prop_assert!(parts.markup.0 >= 0 && parts.fee.0 >= 0 && parts.buffer.0 >= 0);
            let credit = price(&table, money(minor, "EUR"), Side::Credit, margins, &terms).units.0;
            let given = exact / 10_000 * (10_000 - i128::from(markup));
            prop_assert!(credit * scaled <= given && given < (credit + 1) * scaled);
        }
    }
}
