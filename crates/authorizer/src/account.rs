//! An account as it lies in memory: what every decision reads, and apart from it what few accounts have.

use crate::limits::Limits;
use crate::names::Name;
use crate::told::Word;
use crate::velocity_ring::Ring;
use domain::{Asset, Balance, Currency, Units};

/// A funding account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Kept in the shard's names.
    pub(crate) name: Name,
    pub(crate) asset: Asset,
    /// The currency that the asset is, where it is one: what most payments are compared with.
    currency: Option<Currency>,
    /// The balance, where it fits; nearly every one does.
    ledger: i64,
    held: i64,
    pub(crate) more: Option<Box<AccountMore>>,
}

/// What an account has that has limits of its own, or is the balance service's, or that a rule looks back on.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountMore {
    /// A balance that does not fit in twice 64 bits.
    wide: Option<Box<Balance>>,
    pub(crate) limits: Limits,
    /// How many duties towards the balance service it has led to.
    pub(crate) duties: u64,
    /// What the balance service last said about it.
    pub(crate) word: Option<Box<Word>>,
    /// What was approved in the service's name and it has not acknowledged. Derived from the duties.
    pub(crate) outstanding: Units,
    /// What its cards have done of late, where a rule looks back.
    pub(crate) recent: Option<Box<Ring>>,
}

impl Account {
    /// An account with this balance and nothing else.
    pub(crate) fn new(name: Name, asset: Asset, balance: Balance) -> Self {
        let currency = Currency::from_alpha(asset.code().as_str()).ok().filter(|found| asset.is(*found));
        let mut account = Self { name, asset, currency, ledger: 0, held: 0, more: None };
        account.set_balance(balance);
        account
    }

    /// Whether it holds the very currency.
    pub(crate) fn holds(&self, currency: Currency) -> bool {
        self.currency == Some(currency)
    }

    /// Ledger and held.
    pub(crate) fn balance(&self) -> Balance {
        match self.more.as_ref().and_then(|more| more.wide.as_deref()) {
            None => Balance { ledger: Units(self.ledger.into()), held: Units(self.held.into()) },
            Some(wide) => *wide,
        }
    }

    /// Sets ledger and held.
    pub(crate) fn set_balance(&mut self, balance: Balance) {
        match (i64::try_from(balance.ledger.0), i64::try_from(balance.held.0)) {
            (Ok(ledger), Ok(held)) => {
                (self.ledger, self.held) = (ledger, held);
                if let Some(more) = &mut self.more {
                    more.wide = None;
                }
            }
            (Ok(_) | Err(_), _) => self.more_mut().wide = Some(Box::new(balance)),
        }
    }

    /// Its own limits, if it has any.
    pub(crate) fn limits(&self) -> Option<&Limits> {
        self.more.as_ref().map(|more| &more.limits)
    }

    /// What the balance service last said about it.
    pub(crate) fn word(&self) -> Option<&Word> {
        self.more.as_ref()?.word.as_deref()
    }

    /// What the balance service last said about it, to be changed.
    pub(crate) fn word_mut(&mut self) -> Option<&mut Word> {
        self.more.as_mut()?.word.as_deref_mut()
    }

    /// How many duties towards the balance service it has led to.
    pub(crate) fn duties(&self) -> u64 {
        self.more.as_ref().map_or(0, |more| more.duties)
    }

    /// What was approved in the service's name and it has not acknowledged.
    pub(crate) fn outstanding(&self) -> Units {
        self.more.as_ref().map_or(Units::ZERO, |more| more.outstanding)
    }

    /// What its cards have done of late, where a rule looks back.
    pub(crate) fn recent(&self) -> Option<&Ring> {
        self.more.as_ref()?.recent.as_deref()
    }

    /// What few accounts have, made when it is needed.
    pub(crate) fn more_mut(&mut self) -> &mut AccountMore {
        self.more.get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Names;

    #[test]
    fn a_balance_comes_back_whether_it_is_narrow_or_wide() {
        let asset = Asset::of(Currency::from_alpha("USD").unwrap());
        let edges = [
            0,
            1,
            i128::from(i64::MAX),
            i128::from(i64::MIN),
            i128::from(i64::MAX) + 1,
            1 << 100,
            -(1 << 100),
        ];
        let mut account = Account::new(Names::default().keep("a"), asset, Balance::default());
        for ledger in edges {
            for held in edges {
                let balance = Balance { ledger: Units(ledger), held: Units(held) };
                account.set_balance(balance);
                assert_eq!(account.balance(), balance);
            }
        }
    }

    #[test]
    fn a_currency_of_other_decimals_is_not_the_currency() {
        let dollar = Currency::from_alpha("USD").unwrap();
        let of = |asset| Account::new(Names::default().keep("a"), asset, Balance::default());
        assert!(of(Asset::of(dollar)).holds(dollar));
        assert!(!of(Asset::of(Currency::from_alpha("EUR").unwrap())).holds(dollar));
        assert!(!of(Asset::new(Asset::of(dollar).code(), 6).unwrap()).holds(dollar));
    }

    #[test]
    fn an_account_takes_less_than_a_cache_line() {
        assert_eq!(
            size_of::<Account>(),
            40,
            "there are millions: what few accounts have belongs in `AccountMore`"
        );
    }
}
