//! The bearer key: who may use the API at all.
//!
//! Only the key's SHA-256 digest is kept, and digests are compared in constant time, so neither a memory dump
//! nor a stopwatch yields the key.

use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// The key that every request must carry as `Authorization: Bearer KEY`.
#[derive(Clone)]
pub struct ApiKey {
    digest: [u8; 32],
}

/// Why a key was refused. Never says what was found: it is a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ApiKeyError {
    /// Too short to resist guessing.
    #[error("the API key has {found} characters, at least {min} are needed")]
    TooShort {
        /// Characters found.
        found: usize,
        /// Characters needed.
        min: usize,
    },
    /// It could not be sent in a header.
    #[error("the API key holds a character at position {position} that is not a visible ASCII character")]
    NotVisible {
        /// Position of the first such character, from 1.
        position: usize,
    },
}

impl ApiKey {
    /// 16 characters of hexadecimal text are 64 bits: too many to guess over a network.
    const CHARACTERS_MIN: usize = 16;

    /// Takes the text of a key file; white space around the key is ignored.
    pub fn new(text: &str) -> Result<Self, ApiKeyError> {
        let key = text.trim();
        if let Some(index) = key.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(ApiKeyError::NotVisible { position: index + 1 });
        }
        if key.len() < Self::CHARACTERS_MIN {
            return Err(ApiKeyError::TooShort { found: key.len(), min: Self::CHARACTERS_MIN });
        }
        Ok(Self { digest: Sha256::digest(key.as_bytes()).into() })
    }

    /// Whether an `Authorization` header carries this key.
    pub(crate) fn opens(&self, header: &[u8]) -> bool {
        const SCHEME: &[u8] = b"bearer ";
        let Some((scheme, key)) = header.split_at_checked(SCHEME.len()) else {
            return false;
        };
        let digest: [u8; 32] = Sha256::digest(key.trim_ascii()).into();
        scheme.eq_ignore_ascii_case(SCHEME) && bool::from(digest.ct_eq(&self.digest))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(****)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_key_opens() {
        let key = ApiKey::new("0123456789abcdef\n").unwrap();
        assert!(key.opens(b"Bearer 0123456789abcdef"));
        assert!(key.opens(b"bearer 0123456789abcdef"), "the scheme is case-insensitive");
        for bad in
            ["", "Bearer", "Bearer ", "Bearer 0123456789abcdeF", "Basic 0123456789abcdef", "0123456789abcdef"]
        {
            assert!(!key.opens(bad.as_bytes()), "{bad:?}");
        }
        assert_eq!(format!("{key:?}"), "ApiKey(****)");
    }

    #[test]
    fn a_key_that_is_weak_or_cannot_travel_is_refused_without_repeating_it() {
        assert_eq!(
            ApiKey::new("short").unwrap_err().to_string(),
            "the API key has 5 characters, at least 16 are needed"
        );
        assert_eq!(ApiKey::new("0123456789 abcdef").unwrap_err(), ApiKeyError::NotVisible { position: 11 });
    }
}
