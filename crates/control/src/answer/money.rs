//! `{"units": "12500000", "amount": "12.500000"}`: exact for programs, readable for people.

use domain::{Asset, Money, Units};
use serde::Serialize;

/// An amount in the smallest unit, as text because it may exceed 64 bits, and the same with a decimal point.
#[derive(Debug, Serialize)]
pub(super) struct MoneyAnswer {
    units: String,
    amount: String,
}

impl MoneyAnswer {
    pub(super) fn new(units: Units, asset: &Asset) -> Self {
        Self { units: units.to_string(), amount: asset.format(units) }
    }
}

/// The same, with the currency beside it.
#[derive(Debug, Serialize)]
pub(super) struct CurrencyAnswer {
    currency: &'static str,
    #[serde(flatten)]
    money: MoneyAnswer,
}

impl From<Money> for CurrencyAnswer {
    fn from(money: Money) -> Self {
        let units = Units(money.minor().into());
        Self {
            currency: money.currency().alpha(),
            money: MoneyAnswer::new(units, &Asset::of(money.currency())),
        }
    }
}

/// The same, with the asset's code beside it.
#[derive(Debug, Serialize)]
pub(super) struct AssetAmountAnswer {
    asset: String,
    #[serde(flatten)]
    money: MoneyAnswer,
}

impl AssetAmountAnswer {
    pub(super) fn new(units: Units, asset: &Asset) -> Self {
        Self { asset: asset.code().to_string(), money: MoneyAnswer::new(units, asset) }
    }
}
