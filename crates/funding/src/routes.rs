//! Which endpoint keeps which account's money, and in which order its endpoints are tried.
//!
//! A *route* is a primary and perhaps a standby that speaks for the same books: what one reserved, the other
//! can cancel. Ranges of account names may have routes of their own. Pure.

use crate::endpoint::Endpoint;
use domain::AccountId;

/// A primary and perhaps a standby for the same books.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RouteSettings {
    /// The first account name that belongs to it, in byte order. Empty: from the beginning.
    pub accounts_from: String,
    /// The first account name that no longer does. Empty: to the end.
    pub accounts_below: String,
    /// Where to ask.
    pub primary: Endpoint,
    /// Where to ask when the primary is away or left alone.
    pub standby: Option<Endpoint>,
}

impl RouteSettings {
    /// A route for every account.
    #[must_use]
    pub const fn everybody(primary: Endpoint, standby: Option<Endpoint>) -> Self {
        Self { accounts_from: String::new(), accounts_below: String::new(), primary, standby }
    }

    /// Whether the account's money is kept there.
    #[must_use]
    pub fn holds(&self, account: &AccountId) -> bool {
        let name = account.as_str();
        name >= self.accounts_from.as_str()
            && (self.accounts_below.is_empty() || name < self.accounts_below.as_str())
    }

    /// Whether some account could belong to both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let below = |from: &str, end: &str| end.is_empty() || from < end;
        below(&self.accounts_from, &other.accounts_below) && below(&other.accounts_from, &self.accounts_below)
    }
}

/// One route, its endpoints by their number.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    settings: RouteSettings,
    /// The primary first.
    pub(crate) sites: Vec<usize>,
}

/// All routes.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    ranges: Vec<Route>,
    rest: Route,
}

impl Routes {
    /// The routes, and every endpoint once, in the order of their numbers. `rest` is for accounts in no range.
    pub(crate) fn new(rest: &RouteSettings, ranges: &[RouteSettings]) -> (Self, Vec<Endpoint>) {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        let mut number = |endpoint: &Endpoint| {
            endpoints.iter().position(|known| known == endpoint).unwrap_or_else(|| {
                endpoints.push(endpoint.clone());
                endpoints.len().saturating_sub(1)
            })
        };
        let mut route = |settings: &RouteSettings| Route {
            sites: std::iter::once(&settings.primary).chain(&settings.standby).map(&mut number).collect(),
            settings: settings.clone(),
        };
        let routes = Self { rest: route(rest), ranges: ranges.iter().map(route).collect() };
        (routes, endpoints)
    }

    /// Where the account's money is kept.
    pub(crate) fn of(&self, account: &AccountId) -> &Route {
        self.ranges.iter().find(|route| route.settings.holds(account)).unwrap_or(&self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: &str, below: &str, primary: &str) -> RouteSettings {
        RouteSettings {
            accounts_from: from.into(),
            accounts_below: below.into(),
            primary: primary.parse().unwrap(),
            standby: None,
        }
    }

    #[test]
    fn each_account_has_one_route_and_each_endpoint_one_number() {
        let mut rest = RouteSettings::everybody("http://a".parse().unwrap(), None);
        rest.standby = Some("http://b".parse().unwrap());
        let ranges = [range("m", "p", "http://c"), range("x", "", "http://a")];
        let (routes, endpoints) = Routes::new(&rest, &ranges);
        let sites = |name: &str| routes.of(&AccountId::new(name).unwrap()).sites.clone();
        assert_eq!(sites("acct_1"), [0, 1]);
        assert_eq!((sites("m"), sites("mzzz"), sites("p")), (vec![2], vec![2], vec![0, 1]));
        assert_eq!(sites("xyz"), [0]);
        assert_eq!(endpoints.len(), 3);
    }

    #[test]
    fn ranges_that_share_an_account_are_found() {
        let overlap = |a: (&str, &str), b: (&str, &str)| {
            range(a.0, a.1, "http://a").overlaps(&range(b.0, b.1, "http://b"))
        };
        assert!(overlap(("a", "c"), ("b", "d")));
        assert!(overlap(("", ""), ("m", "n")));
        assert!(!overlap(("a", "c"), ("c", "d")));
        assert!(!overlap(("m", ""), ("", "m")));
    }
}
