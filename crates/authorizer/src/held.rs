//! What a hold holds, kept small: there is one for every open hold.

use domain::{Amounts, Currency, Money, Units};

/// Nothing, or amounts. Units of nearly every asset fit in 64 bits; those that do not lie apart.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Held(Kept);

#[derive(Clone, Debug, Default, Eq, PartialEq)]
enum Kept {
    #[default]
    Nothing,
    Narrow {
        minor: i64,
        units: i64,
        currency: Currency,
    },
    Wide(Box<Amounts>),
}

impl Held {
    /// These amounts, or nothing.
    pub(crate) fn of(amounts: Option<Amounts>) -> Self {
        let Some(amounts) = amounts else { return Self(Kept::Nothing) };
        Self(match i64::try_from(amounts.units.0) {
            Ok(units) => {
                Kept::Narrow { minor: amounts.card.minor(), units, currency: amounts.card.currency() }
            }
            Err(_) => Kept::Wide(Box::new(amounts)),
        })
    }

    /// What it holds.
    pub(crate) fn amounts(&self) -> Option<Amounts> {
        match &self.0 {
            Kept::Nothing => None,
            Kept::Narrow { minor, units, currency } => {
                Some(Amounts { card: Money::new(*minor, *currency), units: Units((*units).into()) })
            }
            Kept::Wide(amounts) => Some(**amounts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_held_comes_back_whether_it_is_narrow_or_wide(minor: i64, wide: i128, narrow: i64) {
            let currency = Currency::from_alpha("USD").unwrap();
            for units in [wide, narrow.into(), i64::MAX.into(), i128::from(i64::MAX) + 1, i64::MIN.into()] {
                let amounts = Some(Amounts { card: Money::new(minor, currency), units: Units(units) });
                prop_assert_eq!(Held::of(amounts).amounts(), amounts);
            }
            prop_assert_eq!(Held::of(None).amounts(), None);
        }
    }
}
