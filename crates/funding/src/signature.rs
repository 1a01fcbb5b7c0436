//! Signed messages, both ways: Standard Webhooks headers with HMAC-SHA-256.
//!
//! What is signed is `id.timestamp.body`, so neither the body nor the id that makes it idempotent nor its age
//! can be changed on the way. During a change of keys both keys sign and both verify; afterwards the old one
//! is taken out of the configuration.
//!
//! Guarantees: a key never appears in `Debug`, an error or a log, and is wiped from memory when dropped;
//! signatures are compared in constant time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// The header that names the message; also its idempotency key.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the sender's time in whole seconds since 1970 UTC.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with one or more signatures, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How far the clocks of the two sides may differ, as Standard Webhooks recommends.
pub const TOLERANCE: Duration = Duration::from_mins(5);

const PREFIX: &str = "whsec_";
const KEY_BYTES_MIN: usize = 24;
const KEY_BYTES_MAX: usize = 64;

/// One signing key.
#[derive(Clone)]
pub struct Secret {
    // The keyed state instead of the key: signing starts from it without hashing the key again.
    keyed: Hmac<Sha256>,
}

/// Why a key was refused. Never repeats the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SecretError {
    /// The text does not start as a signing key does.
    #[error("signing key does not start with \"whsec_\"")]
    Prefix,
    /// The rest is not base64.
    #[error("signing key is not base64 after \"whsec_\"")]
    Base64,
    /// No key at all, or more than may overlap.
    #[error("{found} signing keys were found, 1 to {KEYS_MAX} are allowed, one a line")]
    Count {
        /// Keys found.
        found: usize,
    },
    /// Too short to be safe, or longer than the standard allows.
    #[error("signing key has {found} bytes, {KEY_BYTES_MIN} to {KEY_BYTES_MAX} are allowed")]
    Length {
        /// Bytes found.
        found: usize,
    },
}

impl Secret {
    /// Reads `whsec_` and base64 of 24 to 64 bytes. White space around it, as in a key file, is ignored.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
        let key = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| SecretError::Base64)?);
        let length = SecretError::Length { found: key.len() };
        if !(KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) {
            return Err(length);
        }
        Ok(Self { keyed: Hmac::new_from_slice(&key).map_err(|_| length)? })
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(****)")
    }
}

/// The key in use, and during a change of keys those before it.
#[derive(Clone, Debug)]
pub struct Keys {
    current: Secret,
    previous: Vec<Secret>,
}

/// As many keys as may overlap; more is a file that nobody cleans up.
const KEYS_MAX: usize = 4;

/// What came with a message, as it stood in the headers.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The message's id.
    pub id: &'a str,
    /// The sender's time, seconds since 1970 UTC, in decimal digits.
    pub timestamp: &'a str,
    /// One or more signatures.
    pub signature: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// Why a message is not trusted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignatureError {
    /// The time is not a number of seconds.
    #[error("webhook-timestamp is not a whole number of seconds")]
    Timestamp,
    /// The time is too far from ours, so this may be an old message sent again.
    #[error("webhook-timestamp is {seconds} s away from our clock, at most {} s are allowed", TOLERANCE.as_secs())]
    Age {
        /// How far, in either direction.
        seconds: u64,
    },
    /// No signature fits.
    #[error("webhook-signature fits none of our keys")]
    Mismatch,
}

impl Keys {
    /// One key.
    #[must_use]
    pub const fn new(current: Secret) -> Self {
        Self { current, previous: Vec::new() }
    }

    /// Reads a key file: the current key on the first line, and below it those that still overlap with it. Empty
    /// lines and lines that begin with `#` are passed over.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut keys: Vec<Secret> = lines.map(Secret::parse).collect::<Result<_, _>>()?;
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(SecretError::Count { found: keys.len() });
        }
        let previous = keys.split_off(1);
        let current = keys.pop().ok_or(SecretError::Count { found: 0 })?;
        Ok(Self { current, previous })
    }

    /// Two keys, while the other side changes over from `previous` to `current`.
    #[must_use]
    pub fn rotating(current: Secret, previous: Secret) -> Self {
        Self { current, previous: vec![previous] }
    }

    /// The value of the signature header: `v1,<base64>` for each key.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut header = String::with_capacity(100);
        for secret in self.all() {
            if !header.is_empty() {
                header.push(' ');
            }
            header.push_str("v1,");
            STANDARD.encode_string(secret.mac(id, timestamp, body).finalize().into_bytes(), &mut header);
        }
        header
    }

    /// Checks that one of the keys signed the message, not long before or after `now`. Signatures of other
    /// versions than `v1` are passed over.
    pub fn verify(&self, signed: Signed<'_>, now: Timestamp) -> Result<(), SignatureError> {
        let sent: i64 = signed.timestamp.parse().map_err(|_| SignatureError::Timestamp)?;
        let seconds = (now.micros() / 1_000_000).abs_diff(sent);
        if seconds > TOLERANCE.as_secs() {
            return Err(SignatureError::Age { seconds });
        }
        let fits = signed
            .signature
            .split_ascii_whitespace()
            .filter_map(|one| one.strip_prefix("v1,"))
            .filter_map(|encoded| STANDARD.decode(encoded).ok())
            .any(|tag| {
                self.all()
                    .any(|key| key.mac(signed.id, signed.timestamp, signed.body).verify_slice(&tag).is_ok())
            });
        if fits { Ok(()) } else { Err(SignatureError::Mismatch) }
    }

    fn all(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_keys_are_changed_both_sign_and_both_are_accepted() {
        let (old, new) = ("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
        let keys = |text: &str| Keys::parse(text).unwrap();
        let both = keys(&format!("# changed over in March\n{new}\n\n{old}\n"));
        let now = Timestamp::from_seconds(1_614_265_330);
        let signed = |by: &Keys| by.sign(ID, TIME, BODY);
        let fits = |by: &Keys, signature: &str| {
            by.verify(Signed { id: ID, timestamp: TIME, signature, body: BODY }, now).is_ok()
        };
        assert!(fits(&keys(old), &signed(&both)) && fits(&keys(new), &signed(&both)));
        assert!(fits(&both, &signed(&keys(old))) && fits(&both, &signed(&keys(new))));
        assert!(!fits(&keys(new), &signed(&keys(old))));
        assert_eq!(Keys::parse("# none\n").unwrap_err(), SecretError::Count { found: 0 });
        let many = format!("{new}\n").repeat(5);
        assert_eq!(Keys::parse(&many).unwrap_err(), SecretError::Count { found: 5 });
    }

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIME: &str = "1614265330";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn published() -> Secret {
        // The key, message and signature are the published test vector of Standard Webhooks.
        Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
    }

    fn other() -> Secret {
        Secret::parse("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap()
    }

    fn check(keys: &Keys, signature: &str, now: i64) -> Result<(), SignatureError> {
        let signed = Signed { id: ID, timestamp: TIME, signature, body: BODY };
        keys.verify(signed, Timestamp::from_seconds(now))
    }

    #[test]
    fn the_published_vector_is_signed_and_verified() {
        let keys = Keys::new(published());
        assert_eq!(keys.sign(ID, TIME, BODY), SIGNATURE);
        assert_eq!(check(&keys, SIGNATURE, 1_614_265_330), Ok(()));
    }

    #[test]
    fn during_a_change_of_keys_either_key_is_enough() {
        let rotating = Keys::rotating(other(), published());
        assert_eq!(check(&rotating, SIGNATURE, 1_614_265_330), Ok(()));
        let both = rotating.sign(ID, TIME, BODY);
        assert_eq!(both.split(' ').count(), 2);
        assert_eq!(check(&Keys::new(published()), &both, 1_614_265_330), Ok(()));
        assert_eq!(check(&Keys::new(other()), &both, 1_614_265_330), Ok(()));
    }

    #[test]
    fn what_was_changed_or_is_old_is_not_trusted() {
        let keys = Keys::new(published());
        let now = 1_614_265_330;
        assert_eq!(check(&Keys::new(other()), SIGNATURE, now), Err(SignatureError::Mismatch));
        assert_eq!(check(&keys, "", now), Err(SignatureError::Mismatch));
        assert_eq!(check(&keys, &SIGNATURE.replace("v1", "v2"), now), Err(SignatureError::Mismatch));
        assert_eq!(check(&keys, SIGNATURE, now + 301), Err(SignatureError::Age { seconds: 301 }));
        assert_eq!(check(&keys, SIGNATURE, now - 301), Err(SignatureError::Age { seconds: 301 }));
        let elsewhere = Signed { id: "msg_2", timestamp: TIME, signature: SIGNATURE, body: BODY };
        let verdict = keys.verify(elsewhere, Timestamp::from_seconds(now));
        assert_eq!(verdict, Err(SignatureError::Mismatch));
    }

    #[test]
    fn keys_are_checked_and_never_shown() {
        assert_eq!(Secret::parse("MfKQ9r8G").unwrap_err(), SecretError::Prefix);
        assert_eq!(Secret::parse("whsec_***").unwrap_err(), SecretError::Base64);
        assert_eq!(Secret::parse("whsec_AAAA").unwrap_err(), SecretError::Length { found: 3 });
        assert_eq!(format!("{:?}", Keys::new(published())), "Keys { current: Secret(****), previous: [] }");
    }
}
