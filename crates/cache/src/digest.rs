//! What the routing index keeps of a name or a card's token: 80 bits instead of up to 40 bytes.
//!
//! Two names with one digest would be taken for one. The hash is SipHash under keys that the process draws at its start
//! and shows nobody, so no name can be chosen to meet another, and of ten million names two meet with a chance of less
//! than one in 10^10: a machine errs more often. A token is 128 bits of a keyed hash already and is only folded; of two
//! that meet the second is refused as being there, and whoever decides compares the whole token in the card's row. A digest
//! is worth nothing outside its process.

use domain::{AccountId, CardId, CardToken};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

/// What stands for a name or a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Digest([u8; 10]);

impl Hash for Digest {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, i, j] = self.0;
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
        state.write_u16(u16::from_le_bytes([i, j]));
    }
}

impl Digest {
    /// Of a card's token: its end is folded over its beginning.
    pub(crate) fn token(token: &CardToken) -> Self {
        let (CardToken(token), mut folded) = (token, [0; 10]);
        for (place, byte) in token.iter().enumerate() {
            if let Some(kept) = folded.get_mut(place % 10) {
                *kept ^= byte;
            }
        }
        Self(folded)
    }
}

/// Makes digests of names.
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
        let [upper, lower] = [&self.upper, &self.lower].map(|keys| keys.hash_one(name).to_le_bytes());
        let ([a, b, c, d, e, f, g, h], [i, j, ..]) = (upper, lower);
        Digest([a, b, c, d, e, f, g, h, i, j])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_name_has_one_digest_and_other_names_have_others_in_every_part() {
        let digester = Digester::default();
        let of = |name: &str| digester.card(&CardId::new(name).unwrap());
        assert_eq!(of("card_1"), of("card_1"));
        let all: Vec<Digest> = (0..200).map(|number| of(&format!("card_{number}"))).collect();
        let parts =
            |from, to| all.iter().map(|digest| digest.0[from..to].to_vec()).collect::<BTreeSet<_>>().len();
        assert_eq!(parts(0, 8), 200);
        assert!(parts(8, 10) > 180, "the end has a key of its own");
    }

    #[test]
    fn tokens_that_differ_anywhere_have_digests_that_differ() {
        let token = CardToken([7; 16]);
        for place in 0..16 {
            let mut other = token;
            other.0[place] = 8;
            assert_ne!(Digest::token(&token), Digest::token(&other), "byte {place}");
        }
    }
}
