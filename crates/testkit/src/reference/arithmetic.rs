//! Sums over both sides of an amount, and the three ways in which a share of one is taken.

use domain::{Amounts, Asset, Currency, Money, Rate, Units};

pub(super) fn money(minor: i128, currency: Currency) -> Money {
    Money::new(i64::try_from(minor).expect("worlds use amounts that fit"), currency)
}

/// The same operation on both sides.
fn each(one: Amounts, other: Amounts, of: impl Fn(i128, i128) -> i128) -> Amounts {
    let minor = of(one.card.minor().into(), other.card.minor().into());
    Amounts { card: money(minor, one.card.currency()), units: Units(of(one.units.0, other.units.0)) }
}

pub(super) fn plus(one: Amounts, other: Amounts) -> Amounts {
    each(one, other, |one, other| one + other)
}

pub(super) fn less(from: Amounts, taken: Amounts) -> Amounts {
    each(from, taken, |from, taken| from - taken)
}

pub(super) fn lesser(one: Amounts, other: Amounts) -> Amounts {
    each(one, other, i128::min)
}

pub(super) fn smaller(one: Money, other: Money) -> Money {
    if one.minor() <= other.minor() { one } else { other }
}

pub(super) fn none(currency: Currency) -> Amounts {
    Amounts { card: money(0, currency), units: Units::ZERO }
}

pub(super) fn is_nothing(amounts: Amounts) -> bool {
    amounts.card.minor() <= 0 && amounts.units.0 <= 0
}

/// `whole * share / of`, rounded up: what somebody pays.
pub(super) fn share_up(whole: i128, share: i128, of: i128) -> i128 {
    (whole * share + of - 1).div_euclid(of)
}

/// What `card` of a hold costs: its share of the units, rounded up, and all of them for all of it.
pub(super) fn cost_of(whole: Amounts, card: Money) -> Units {
    let (share, of) = (card.minor().into(), whole.card.minor().into());
    if share >= of { whole.units } else { Units(share_up(whole.units.0, share, of)) }
}

/// An amount at a rate, as an exact fraction.
fn at_rate(minor: i128, rate: &Rate, from: Asset, to: Asset) -> (i128, i128) {
    let dividend = minor * rate.value.mantissa() * 10_i128.pow(u32::from(to.decimals()));
    (dividend, 10_i128.pow(u32::from(from.decimals())) * 10_i128.pow(rate.value.scale()))
}

/// An exact sum of amounts at rates: a numerator over a power of ten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exact {
    dividend: i128,
    divisor: i128,
}

impl Exact {
    pub(super) const fn whole(number: i128) -> Self {
        Self { dividend: number, divisor: 1 }
    }

    fn at_rate(minor: i128, rate: &Rate, from: Asset, to: Asset) -> Self {
        let (dividend, divisor) = at_rate(minor, rate, from, to);
        Self { dividend, divisor }
    }

    /// At the rate that a transaction has locked, where it leads from the one to the other.
    pub(super) fn locked(minor: i128, rate: Option<&Rate>, from: Asset, to: Asset) -> Option<Self> {
        if from == to {
            return Some(Self::whole(minor));
        }
        let rate = rate.filter(|rate| (rate.from, rate.to) == (from.code(), to.code()))?;
        Some(Self::at_rate(minor, rate, from, to))
    }

    /// At the side that a customer gets.
    pub(super) fn at_credit_rate(minor: i128, rate: &Rate, from: Asset, to: Asset) -> Self {
        Self::at_rate(minor, &Rate { value: rate.bid.unwrap_or(rate.value), ..*rate }, from, to)
    }

    /// How far it is below a whole number.
    pub(super) const fn taken_from(self, number: i128) -> Self {
        Self { dividend: number * self.divisor - self.dividend, ..self }
    }

    pub(super) const fn is_below_one(self) -> bool {
        0 <= self.dividend && self.dividend < self.divisor
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let divisor = self.divisor.max(other.divisor);
        let scaled = |one: Self| one.dividend * (divisor / one.divisor);
        Self { dividend: scaled(self) + scaled(other), divisor }
    }

    pub(super) fn up(self) -> i128 {
        share_up(self.dividend, 1, self.divisor)
    }

    pub(super) fn down(self) -> i128 {
        self.dividend.div_euclid(self.divisor)
    }
}

/// What a customer pays.
pub(super) fn converted_up(minor: i128, rate: &Rate, from: Asset, to: Asset) -> i128 {
    let (dividend, divisor) = at_rate(minor, rate, from, to);
    share_up(dividend, 1, divisor)
}

/// What a customer gets.
pub(super) fn converted_down(minor: i128, rate: &Rate, from: Asset, to: Asset) -> i128 {
    let (dividend, divisor) = at_rate(minor, rate, from, to);
    dividend.div_euclid(divisor)
}
