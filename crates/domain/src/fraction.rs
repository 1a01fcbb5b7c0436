//! Exact fractions: what amounts come to before they are rounded, so that many parts are rounded once (E12).

use crate::rate::RateError;

/// A fraction of integers, reduced so that exact products and sums of rates fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fraction {
    numerator: i128,
    /// Above zero.
    denominator: i128,
}

impl From<i64> for Fraction {
    fn from(whole: i64) -> Self {
        Self::whole(whole.into())
    }
}

impl Fraction {
    /// A whole number.
    #[must_use]
    pub const fn whole(number: i128) -> Self {
        Self { numerator: number, denominator: 1 }
    }

    /// `denominator` is above zero.
    fn of(numerator: i128, denominator: i128) -> Result<Self, RateError> {
        let divisor = common_divisor(numerator, denominator);
        let reduced = |part: i128| part.checked_div(divisor).ok_or(RateError::Overflow);
        Ok(Self { numerator: reduced(numerator)?, denominator: reduced(denominator)? })
    }

    /// `self * numerator / denominator`, the latter above zero.
    pub(crate) fn times(self, numerator: i128, denominator: i128) -> Result<Self, RateError> {
        // Across first: what cancels out need not fit as a product.
        let one = Self::of(self.numerator, denominator)?;
        let other = Self::of(numerator, self.denominator)?;
        Ok(Self {
            numerator: one.numerator.checked_mul(other.numerator).ok_or(RateError::Overflow)?,
            denominator: one.denominator.checked_mul(other.denominator).ok_or(RateError::Overflow)?,
        })
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Result<Self, RateError> {
        let shared = common_divisor(self.denominator, other.denominator);
        let (by_one, by_other) = (other.denominator / shared, self.denominator / shared);
        let scaled = |part: i128, by: i128| part.checked_mul(by).ok_or(RateError::Overflow);
        let sum = scaled(self.numerator, by_one)?.checked_add(scaled(other.numerator, by_other)?);
        Self::of(sum.ok_or(RateError::Overflow)?, scaled(self.denominator, by_one)?)
    }

    /// This less the other.
    pub fn minus(self, other: Self) -> Result<Self, RateError> {
        let numerator = other.numerator.checked_neg().ok_or(RateError::Overflow)?;
        self.plus(Self { numerator, ..other })
    }

    /// How often this goes into `whole`, rounded towards minus infinity. This is above zero.
    pub(crate) fn within(self, whole: i128) -> Result<i128, RateError> {
        let scaled = whole.checked_mul(self.denominator).ok_or(RateError::Overflow)?;
        scaled.checked_div_euclid(self.numerator).ok_or(RateError::Overflow)
    }

    /// Away from zero.
    pub fn rounded_up(self) -> Result<i128, RateError> {
        let (quotient, rest) = (self.numerator / self.denominator, self.numerator % self.denominator);
        if rest == 0 { Ok(quotient) } else { quotient.checked_add(rest.signum()).ok_or(RateError::Overflow) }
    }

    /// Whether it is at least nothing and below one.
    #[must_use]
    pub const fn is_proper(self) -> bool {
        0 <= self.numerator && self.numerator < self.denominator
    }

    /// Towards zero.
    #[must_use]
    pub const fn rounded_down(self) -> i128 {
        self.numerator / self.denominator
    }
}

/// Above zero, unless both are zero or at the end of the range.
fn common_divisor(one: i128, other: i128) -> i128 {
    let (mut one, mut other) = (one.unsigned_abs(), other.unsigned_abs());
    while other != 0 {
        (one, other) = (other, one % other);
    }
    i128::try_from(one).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fraction(numerator: i128, denominator: i128) -> Fraction {
        Fraction::whole(1).times(numerator, denominator).unwrap()
    }

    #[test]
    fn sums_are_exact_and_what_does_not_fit_is_refused() {
        let third = fraction(1, 3);
        let sum = third.plus(fraction(1, 6)).unwrap();
        assert_eq!(sum, fraction(1, 2));
        assert_eq!((sum.rounded_up().unwrap(), sum.rounded_down()), (1, 0));
        assert_eq!(sum.minus(third).unwrap(), fraction(1, 6));
        assert_eq!(third.minus(third).unwrap(), Fraction::whole(0));
        assert_eq!(Fraction::whole(i128::MAX).plus(Fraction::whole(1)), Err(RateError::Overflow));
        let (one, other) = (fraction(1, i128::MAX), fraction(1, i128::MAX - 1));
        assert_eq!(one.plus(other), Err(RateError::Overflow));
    }
}
