//! Where and for what a card may be used: lists of merchant categories, countries, currencies and merchants.

use crate::authorization::{CountryCode, Mcc};
use crate::money::Currency;
use crate::text::Text;
use serde::{Deserialize, Serialize};

/// A list of what is allowed, of what is blocked, or of both. A value passes when it is not blocked and,
/// where there is an allow-list, stands on it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListRule<T> {
    /// The only values allowed; `None` allows all.
    pub allowed: Option<Vec<T>>,
    /// Values refused even when allowed above.
    pub blocked: Vec<T>,
}

impl<T> Default for ListRule<T> {
    fn default() -> Self {
        Self { allowed: None, blocked: Vec::new() }
    }
}

impl<T: PartialEq> ListRule<T> {
    /// Whether `value` passes. A request that does not say (`None`) passes only where nothing is demanded
    /// of it: an allow-list cannot be met by silence.
    #[must_use]
    pub fn permits(&self, value: Option<&T>) -> bool {
        match value {
            Some(value) => {
                let listed = self.allowed.as_ref().is_none_or(|allowed| allowed.contains(value));
                listed && !self.blocked.contains(value)
            }
            None => self.allowed.is_none(),
        }
    }
}

/// The controls of one card. The default lets everything pass.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Controls {
    /// Merchant category codes.
    pub mcc: ListRule<Mcc>,
    /// Countries of the merchant.
    pub country: ListRule<CountryCode>,
    /// Transaction currencies.
    pub currency: ListRule<Currency>,
    /// Merchant (card acceptor) ids, DE 42.
    pub merchant: ListRule<Text<15>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_value_fails_even_when_allowed() {
        let rule = ListRule { allowed: Some(vec![1, 2]), blocked: vec![2] };
        assert!(rule.permits(Some(&1)));
        assert!(!rule.permits(Some(&2)));
        assert!(!rule.permits(Some(&3)));
    }

    #[test]
    fn silence_does_not_meet_an_allow_list() {
        assert!(!ListRule { allowed: Some(vec![1]), blocked: vec![] }.permits(None));
        assert!(ListRule { allowed: None, blocked: vec![1] }.permits(None));
    }
}
