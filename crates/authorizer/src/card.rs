//! A card as it lies in memory: what every decision reads, and apart from it what few cards have.

use crate::limits::Limits;
use crate::names::Name;
use crate::velocity_ring::{Countries, NO_COUNTRY, Ring};
use domain::{
    AccountNo, CardStatus, CardToken, Controls, CountryCode, Currency, Expiry, FundingMode, LastFour,
};
use std::sync::Arc;

/// A card.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    /// Kept in the shard's names.
    pub(crate) name: Name,
    pub(crate) token: CardToken,
    pub(crate) last_four: LastFour,
    pub(crate) account: AccountNo,
    pub(crate) currency: Currency,
    pub(crate) expiry: Expiry,
    pub(crate) funding: FundingMode,
    pub(crate) status: CardStatus,
    pub(crate) limits: Limits,
    pub(crate) open_holds: u32,
    /// Where it was used, as long as that is one country and there is no `more`.
    only_country: CountryCode,
    more: Option<Box<CardMore>>,
}

/// What a card has that is controlled, or was used in several countries, or that a rule looks back on.
#[derive(Clone, Debug)]
struct CardMore {
    controls: Option<Arc<Controls>>,
    countries: Countries,
    recent: Option<Box<Ring>>,
}

/// What a card is issued with, and never changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Issued {
    pub(crate) name: Name,
    pub(crate) token: CardToken,
    pub(crate) last_four: LastFour,
    pub(crate) account: AccountNo,
    pub(crate) currency: Currency,
    pub(crate) expiry: Expiry,
    pub(crate) funding: FundingMode,
}

impl Card {
    /// A card that was never used.
    pub(crate) fn new(issued: Issued, status: CardStatus) -> Self {
        let Issued { name, token, last_four, account, currency, expiry, funding } = issued;
        let (limits, open_holds, only_country, more) = (Limits::default(), 0, NO_COUNTRY, None);
        Self {
            name,
            token,
            last_four,
            account,
            currency,
            expiry,
            funding,
            status,
            limits,
            open_holds,
            only_country,
            more,
        }
    }

    /// Where and for what it may be used; `None` where everything passes.
    pub(crate) fn controls(&self) -> Option<&Arc<Controls>> {
        self.more.as_ref()?.controls.as_ref()
    }

    /// Sets where and for what it may be used.
    pub(crate) fn set_controls(&mut self, controls: Option<Arc<Controls>>) {
        if controls.is_some() || self.more.is_some() {
            self.more_mut().controls = controls;
        }
    }

    /// Where it was used.
    pub(crate) fn countries(&self) -> Countries {
        self.more.as_ref().map_or_else(|| Countries::only(self.only_country), |more| more.countries)
    }

    /// Sets where it was used.
    pub(crate) fn set_countries(&mut self, countries: Countries) {
        match (&self.more, countries.one()) {
            (None, Some(country)) => self.only_country = country,
            (Some(_), _) | (None, None) => self.more_mut().countries = countries,
        }
    }

    /// What it has done of late, where a rule looks back.
    pub(crate) fn recent(&self) -> Option<&Ring> {
        self.more.as_ref()?.recent.as_deref()
    }

    /// What it has done of late, to be changed; kept only where a rule looks back.
    pub(crate) fn recent_mut(&mut self) -> Option<&mut Ring> {
        self.more.as_mut()?.recent.as_deref_mut()
    }

    /// What it has done of late, begun when it is needed.
    pub(crate) fn recent_or_new(&mut self) -> &mut Ring {
        self.more_mut().recent.get_or_insert_default()
    }

    /// Sets what it has done of late.
    pub(crate) fn set_recent(&mut self, recent: Option<Box<Ring>>) {
        if recent.is_some() || self.more.is_some() {
            self.more_mut().recent = recent;
        }
    }

    fn more_mut(&mut self) -> &mut CardMore {
        let countries = Countries::only(self.only_country);
        self.more.get_or_insert_with(|| Box::new(CardMore { controls: None, countries, recent: None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Names;
    use domain::Pan;

    fn card() -> Card {
        let issued = Issued {
            name: Names::default().keep("c"),
            token: CardToken([7; 16]),
            last_four: Pan::from_digits(b"4242424242424242").unwrap().last_four(),
            account: AccountNo(0),
            currency: Currency::from_alpha("USD").unwrap(),
            expiry: Expiry::new(2030, 1).unwrap(),
            funding: FundingMode::PreFunded,
        };
        Card::new(issued, CardStatus::Active)
    }

    #[test]
    fn the_countries_of_a_card_are_the_same_wherever_they_lie() {
        let (mut apart, mut plain, mut expected) = (card(), card(), Countries::default());
        apart.set_controls(Some(Arc::default()));
        for country in [276, 276, 840, 276, 250] {
            let note = |card: &mut Card| {
                let mut countries = card.countries();
                countries.note(CountryCode(country));
                card.set_countries(countries);
            };
            note(&mut apart);
            note(&mut plain);
            expected.note(CountryCode(country));
            assert_eq!((apart.countries(), plain.countries()), (expected, expected));
        }
        plain.set_controls(Some(Arc::default()));
        assert_eq!(plain.countries(), expected);
    }

    #[test]
    fn a_card_takes_little_more_than_a_cache_line() {
        assert_eq!(size_of::<Card>(), 80, "there are millions: what few cards have belongs in `CardMore`");
        let mut used = card();
        used.set_countries(Countries::only(CountryCode(276)));
        assert!(used.more.is_none(), "one country needs no more");
    }
}
