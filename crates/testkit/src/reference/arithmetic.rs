//! Sums over both sides of an amount, and the three ways in which a share of one is taken.

use domain::{Amounts, Asset, Currency, Money, Price, Rate, Units};

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

/// Whose money it is that is converted.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Side {
    /// The customer pays.
    Debit,
    /// The customer gets.
    Credit,
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

    /// An amount at one rate or two, one after the other; as it is where there is none.
    pub(super) fn over(minor: i128, legs: &[Rate], side: Side, from: Asset, to: Asset) -> Self {
        let mut exact = Self::whole(minor);
        for rate in legs {
            let value = if side == Side::Debit { rate.value } else { rate.bid.unwrap_or(rate.value) };
            exact.dividend *= value.mantissa();
            exact.divisor *= 10_i128.pow(value.scale());
        }
        if !legs.is_empty() {
            exact.dividend *= 10_i128.pow(to.decimals().into());
            exact.divisor *= 10_i128.pow(from.decimals().into());
        }
        exact
    }

    /// So many hundredths of a percent of it.
    pub(super) const fn hundredths_of_percent(self, share: i128) -> Self {
        Self { dividend: self.dividend * share, divisor: self.divisor * 10_000 }
    }

    /// At what a transaction has locked, where that leads from the one to the other: with markup and fee, and without the
    /// buffer.
    pub(super) fn locked(
        minor: i128,
        (rate, price): (Option<&Rate>, Option<&Price>),
        side: Side,
        from: Asset,
        to: Asset,
    ) -> Option<Self> {
        let second = price.and_then(|price| price.second_leg);
        let legs: Vec<Rate> =
            if from == to { Vec::new() } else { rate.copied().into_iter().chain(second).collect() };
        let ends = legs.first().zip(legs.last()).map(|(first, last)| (first.from, last.to));
        if from != to && (rate.is_none() || ends != Some((from.code(), to.code()))) {
            return None;
        }
        let margins = price.map(|price| price.margins).unwrap_or_default();
        let (markup, fee) = (i128::from(margins.markup), i128::from(margins.fee));
        let share = if side == Side::Debit { 10_000 + markup + fee } else { 10_000 - markup };
        Some(Self::over(minor, &legs, side, from, to).hundredths_of_percent(share))
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

    /// How often this goes into a whole number, rounded down.
    pub(super) const fn within(self, whole: i128) -> i128 {
        (whole * self.divisor).div_euclid(self.dividend)
    }

    pub(super) fn up(self) -> i128 {
        share_up(self.dividend, 1, self.divisor)
    }

    pub(super) fn down(self) -> i128 {
        self.dividend.div_euclid(self.divisor)
    }
}
