//! Accounts and the three balances: ledger, held, and available derived from them.

use crate::asset::Units;
use crate::text::{Text, TextError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The product's own name for an account, 1 to 40 bytes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct AccountId(Text<40>);

impl AccountId {
    /// Stands where a name is missing: none is empty.
    pub const NONE: Self = Self(Text::EMPTY);

    /// Checks a name.
    pub fn new(text: &str) -> Result<Self, TextError> {
        Text::name(text).map(Self)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of an account within its shard, given when it is opened and never used again for another.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct AccountNo(pub u32);

/// Money booked and money promised. `available` is always `ledger - held`; it is never stored.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Balance {
    /// Money booked.
    pub ledger: Units,
    /// Money promised to open holds.
    pub held: Units,
}

/// A balance that would leave its range.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BalanceError {
    /// The result does not fit in 128 bits.
    #[error("the balance does not fit in 128 bits of the asset's smallest unit")]
    Overflow,
}

impl Balance {
    /// What can be spent: booked less promised. Negative after a forced post.
    #[must_use]
    pub fn available(&self) -> Units {
        // Both parts are far inside the range (see `credit` and `place`), so this never saturates.
        Units(self.ledger.0.saturating_sub(self.held.0))
    }

    /// Whether `units` more can be promised.
    #[must_use]
    pub fn covers(&self, units: Units) -> bool {
        self.available() >= units
    }

    /// The balance after `units` were booked to it (negative: taken from it).
    pub fn credit(self, units: Units) -> Result<Self, BalanceError> {
        let ledger = self.ledger.plus(units).ok_or(BalanceError::Overflow)?;
        Self { ledger, ..self }.checked()
    }

    /// The balance after a hold of `units` was placed (negative: released).
    pub fn place(self, units: Units) -> Result<Self, BalanceError> {
        let held = self.held.plus(units).ok_or(BalanceError::Overflow)?;
        Self { held, ..self }.checked()
    }

    /// Keeps both parts within a quarter of the range, so that their difference always fits.
    /// Books `ledger` and promises `held`, in one step. Fails as the two by themselves do.
    pub fn moved(self, ledger: Units, held: Units) -> Result<Self, BalanceError> {
        let ledger = self.ledger.plus(ledger).ok_or(BalanceError::Overflow)?;
        let held = self.held.plus(held).ok_or(BalanceError::Overflow)?;
        Self { ledger, held }.checked()
    }

    fn checked(self) -> Result<Self, BalanceError> {
        const BOUND: u128 = 1 << 125;
        let fits = self.ledger.0.unsigned_abs() < BOUND && self.held.0.unsigned_abs() < BOUND;
        if fits { Ok(self) } else { Err(BalanceError::Overflow) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_is_ledger_less_held() {
        let balance = Balance::default().credit(Units(100)).unwrap().place(Units(30)).unwrap();
        assert_eq!(balance.available(), Units(70));
        assert!(balance.covers(Units(70)));
        assert!(!balance.covers(Units(71)));
    }

    #[test]
    fn a_balance_never_wraps() {
        let most = Balance { ledger: Units((1 << 125) - 1), held: Units::ZERO };
        assert_eq!(most.credit(Units(1)), Err(BalanceError::Overflow));
        assert_eq!(most.place(Units(i128::MAX)), Err(BalanceError::Overflow));
    }
}
