//! What the routing index keeps of a name: 128 bits of a keyed hash instead of up to 40 bytes.
//!
//! Two names with one digest would be taken for one. The hash is SipHash under keys that the process draws at its start
//! and shows nobody, so no name can be chosen to meet another, and of ten million names two meet with a chance of less
//! than one in 10^24: the memory that the names lie in errs more often. A digest is worth nothing outside its process.

use domain::{AccountId, CardId};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

/// What stands for a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Digest([u8; 16]);

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Makes digests.
#[derive(Debug, Default)]
pub(crate) struct Digester {
    upper: RandomState,
    lower: RandomState,
}

impl Digester {
    /// Of a card's name.
    pub(crate) fn card(&self, id: &CardId) -> Digest {
        self.of(id.as_str())
    }

    /// Of an account's name.
    pub(crate) fn account(&self, id: &AccountId) -> Digest {
        self.of(id.as_str())
    }

    fn of(&self, name: &str) -> Digest {
        let [upper, lower] = [&self.upper, &self.lower].map(|keys| u128::from(keys.hash_one(name)));
        Digest((upper << 64 | lower).to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_digest_and_another_name_another_in_both_halves() {
        let digester = Digester::default();
        let of = |name: &str| digester.card(&CardId::new(name).unwrap());
        assert_eq!(of("card_1"), of("card_1"));
        let (one, other) = (of("card_1").0, of("card_2").0);
        assert!(one[..8] != other[..8] && one[8..] != other[8..]);
        assert_ne!(one[..8], one[8..], "the halves have keys of their own");
    }
}
