//! Which money the limits of a transaction are counted in: the card's currency or the account's asset.

use domain::{Asset, Currency, LimitOwner};

/// The money that a transaction's limits are counted in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Denominations {
    /// The card's currency.
    pub(crate) card: Currency,
    /// The account's asset.
    pub(crate) account: Asset,
}

impl Denominations {
    /// The money that an owner's limits are in.
    pub(crate) fn of(&self, owner: LimitOwner) -> Asset {
        match owner {
            LimitOwner::Card => Asset::of(self.card),
            LimitOwner::Account => self.account,
        }
    }
}
