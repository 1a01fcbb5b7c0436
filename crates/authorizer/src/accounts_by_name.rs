//! Finds an account by its name, in constant time.
//!
//! Hardly anything asks for that: who speaks to the switch is led to an account's number by the routing index, and a duty
//! to its account by its transaction. Only a duty whose transaction was forgotten meanwhile has nothing but the name. So
//! nothing is kept until the first one asks, and from then on every account has an entry.

use crate::account::Account;
use crate::chunks::Chunks;
use crate::lookup::{Fingerprint, Lookup};
use crate::names::Names;
use crate::store::index;
use domain::AccountNo;

/// Numbers of accounts by their names, once somebody has asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountsByName(Option<Lookup>);

impl AccountsByName {
    /// The account of this name.
    pub(crate) fn find(
        &mut self,
        name: &str,
        accounts: &Chunks<Account>,
        names: &Names,
    ) -> Option<AccountNo> {
        let lookup = self.0.get_or_insert_with(|| {
            let mut all = Lookup::default();
            for (number, account) in (0..).zip(accounts.iter()) {
                all.insert(Fingerprint::of(names.text(account.name)), number);
            }
            all
        });
        let is_it =
            |number: u32| accounts.get(index(number)).is_some_and(|account| names.text(account.name) == name);
        lookup.find(Fingerprint::of(name), is_it).map(AccountNo)
    }

    /// Notes an account that was opened.
    pub(crate) fn opened(&mut self, name: &str, number: AccountNo) {
        if let Some(lookup) = &mut self.0 {
            lookup.insert(Fingerprint::of(name), number.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Asset, Balance, Currency};

    #[test]
    fn accounts_opened_before_and_after_the_first_question_are_found() {
        let asset = Asset::of(Currency::from_alpha("USD").unwrap());
        let (mut accounts, mut names, mut by_name) =
            (Chunks::default(), Names::default(), AccountsByName::default());
        for number in 0..2_000 {
            let name = format!("account {number}");
            accounts.push(Account::new(names.keep(&name), asset, Balance::default()));
            by_name.opened(&name, AccountNo(number));
            if number == 1_000 {
                assert_eq!(by_name.find("account 1000", &accounts, &names), Some(AccountNo(1_000)));
            }
        }
        for number in [0, 999, 1_001, 1_999] {
            let found = by_name.find(&format!("account {number}"), &accounts, &names);
            assert_eq!(found, Some(AccountNo(number)));
        }
        assert_eq!(by_name.find("account 2000", &accounts, &names), None);
    }
}
