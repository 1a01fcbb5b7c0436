//! The cards that the simulated cardholders hold, and what each is good or bad for.
//!
//! A card number is a [`domain::Pan`]: it prints its last four digits only, here as everywhere.

use domain::{AccountId, CardId, Currency, Expiry, FundingMode, Pan, Reason};
use serde::{Deserialize, Serialize};

/// A card that the simulator pays with.
#[derive(Clone, Copy, Debug)]
pub struct SimulatedCard {
    /// The product's own name for the card; the books are kept under it.
    pub id: CardId,
    /// The card number, DE 2.
    pub number: Pan,
    /// The account behind the card.
    pub account: AccountId,
    /// The card's currency: the books are in its minor units.
    pub currency: Currency,
    /// The expiry, DE 14.
    pub expiry: Expiry,
    /// Whether the switch decides alone or asks the balance service.
    pub funding: FundingMode,
    /// What purchases with this card are for.
    pub role: Role,
}

/// What purchases with a card are for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// They should be approved.
    Good,
    /// They should be declined, for this reason.
    Refused(Refusal),
}

/// Declares [`Refusal`] once: variant, where it comes from, and the switch's reason for it.
macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident, $source:ident, $reason:ident;)+) => {
        /// A decline that the simulator provokes on purpose.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Refusal {
            $($(#[$doc])* $variant,)+
        }

        impl Refusal {
            /// Every refusal.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Whether it takes a special card or a special request.
            #[must_use]
            pub const fn source(self) -> RefusalSource {
                match self {
                    $(Self::$variant => RefusalSource::$source,)+
                }
            }

            /// The reason that the switch should give.
            #[must_use]
            pub const fn reason(self) -> Reason {
                match self {
                    $(Self::$variant => Reason::$reason,)+
                }
            }
        }
    };
}

/// Where a refusal comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusalSource {
    /// A card that was issued for it.
    Card,
    /// A request with something wrong, on a good pre-funded card.
    Request,
}

refusals! {
    /// A card number that nobody has issued.
    UnknownCard, Card, UnknownCard;
    /// A closed card.
    Closed, Card, CardClosed;
    /// A frozen card.
    Frozen, Card, CardFrozen;
    /// A card that its holder has not activated.
    NotYetActive, Card, CardNotYetActive;
    /// A card whose last month is over.
    Expired, Card, CardExpired;
    /// An expiry that is not the card's.
    WrongExpiry, Request, ExpiryMismatch;
    /// A transfer between accounts, which is not served.
    UnservedType, Request, TransactionTypeNotAllowed;
    /// An amount of zero.
    ZeroAmount, Request, InvalidAmount;
    /// A country that the card's controls block.
    BlockedCountry, Card, CountryNotAllowed;
    /// A currency that the card's controls do not list.
    BlockedCurrency, Card, CurrencyNotAllowed;
    /// A merchant category that the card's controls block.
    BlockedMcc, Card, MccNotAllowed;
    /// A merchant that the card's controls block.
    BlockedMerchant, Card, MerchantNotAllowed;
    /// More than the card may spend at once.
    TransactionLimit, Card, TransactionLimit;
    /// More than the card may spend in a day.
    DayAmount, Card, AmountLimit;
    /// One approval more than the card may have in a day.
    DayCount, Card, CountLimit;
    /// An account with next to nothing in it.
    Poor, Card, InsufficientFunds;
    /// An account with nothing in it at the balance service.
    Unfunded, Card, FundingDeclined;
    /// A currency that nobody quotes a rate for.
    NoRate, Request, RateUnavailable;
}
