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
