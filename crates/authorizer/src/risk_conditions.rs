//! When a rule of the program applies: to which kinds of requests, and of what amount, score or country.
//!
//! A condition that names nothing holds for everything; all that name something must hold. A request that does not say
//! what a condition asks for is outside of a list of what is meant, and inside of a list of exceptions.

use crate::velocity_ring::Traits;
use domain::{Amounts, Asset, CountryCode, Initiator, Mcc, Presence, RiskScore, RuleAmount, TransactionType};
use std::ops::RangeInclusive;

/// The conditions of one rule.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct When {
    /// Transaction types; empty: all.
    pub types: Vec<TransactionType>,
    /// Merchant categories; empty: all.
    pub mcc: Vec<RangeInclusive<u16>>,
    /// Merchant categories that the rule leaves alone.
    pub mcc_except: Vec<RangeInclusive<u16>>,
    /// Countries of the merchant; empty: all.
    pub countries: Vec<CountryCode>,
    /// Countries that the rule leaves alone.
    pub countries_except: Vec<CountryCode>,
    /// Where the card was; empty: anywhere.
    pub presence: Vec<Presence>,
    /// Who began the transaction; empty: anybody.
    pub initiator: Vec<Initiator>,
    /// How the card was read: the first two digits of DE 22; empty: any way.
    pub entry_modes: Vec<u16>,
    /// Only above so much, in the card's currency; empty: any amount. A currency that is not named here counts as above,
    /// and so does an amount that cannot be told, so that forgetting one protects too much and not too little.
    pub amount_above: Vec<RuleAmount>,
    /// Only from this score of the network's on.
    pub score_from: Option<RiskScore>,
    /// Only in a country that the card, once used elsewhere, was never used in.
    pub new_country: bool,
}

impl When {
    /// Whether the conditions hold that a past transaction can be asked about too.
    pub(crate) fn matches(&self, traits: &Traits) -> bool {
        let in_ranges = |ranges: &[RangeInclusive<u16>]| {
            traits.mcc.is_some_and(|Mcc(mcc)| ranges.iter().any(|range| range.contains(&mcc)))
        };
        let in_countries =
            |countries: &[CountryCode]| traits.country.is_some_and(|country| countries.contains(&country));
        let in_modes = || traits.entry_mode.is_some_and(|mode| self.entry_modes.contains(&mode));
        (self.types.is_empty() || self.types.contains(&traits.kind))
            && (self.mcc.is_empty() || in_ranges(&self.mcc))
            && !in_ranges(&self.mcc_except)
            && (self.countries.is_empty() || in_countries(&self.countries))
            && !in_countries(&self.countries_except)
            && (self.presence.is_empty() || self.presence.contains(&traits.presence))
            && (self.initiator.is_empty() || self.initiator.contains(&traits.initiator))
            && (self.entry_modes.is_empty() || in_modes())
    }

    /// Whether the amount on the card is above what the rule lets pass.
    pub(crate) fn is_above(&self, amounts: Option<Amounts>) -> bool {
        let Some(amounts) = amounts else { return true };
        let asset = Asset::of(amounts.card.currency());
        let named = self.amount_above.iter().find_map(|amount| amount.units_of(&asset));
        named.is_none_or(|above| i128::from(amounts.card.minor()) > above)
    }
}
