//! Keys, which come from files only.
//!
//! No key is ever printed, and memory that held one is overwritten. The development keys that stand in the source
//! are recognised, so that a switch open to other machines refuses to run with them.

use domain::{CardToken, KeyFingerprint, Pan};
use hmac::{Hmac, KeyInit, Mac};
use iso8583::{MacAlgorithm, MacKey, MacPadding};
use sha2::Sha256;
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The keys in the source, for development on one machine.
const PUBLISHED: [&str; 3] = [
    include_str!("../../../config/keys/card-tokens.key"),
    include_str!("../../../config/keys/control.key"),
    include_str!("../../../config/keys/funding.key"),
];

/// A key is short; a file much longer than any key is some other file.
const KEY_FILE_BYTES_MAX: usize = 4_096;

/// The keys of the daemon, ready for use.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Turns card numbers into tokens.
    pub tokens: Tokenizer,
    /// The bearer key of the control API.
    pub control: control::ApiKey,
    /// Whether any of them is a published development key.
    pub published: bool,
}

/// Why a key file was refused. Never shows what is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// No path was configured.
    #[error("no file is named; a key comes from a file")]
    Unnamed,
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is far too long.
    #[error("{path} has {found} bytes, at most {KEY_FILE_BYTES_MAX} are allowed in a key file", path = .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: usize,
    },
    /// Not 32 bytes in hex.
    #[error("{path} does not hold 64 hexadecimal digits (32 bytes)", path = .path.display())]
    NotHex {
        /// The file.
        path: PathBuf,
    },
    /// Not hexadecimal digits.
    #[error("{path} does not hold hexadecimal digits, two for each byte of the key", path = .path.display())]
    NotHexDigits {
        /// The file.
        path: PathBuf,
    },
    /// Not usable for message authentication.
    #[error("{path}: {source}", path = .path.display())]
    Mac {
        /// The file.
        path: PathBuf,
        /// Why.
        source: iso8583::MacKeyError,
    },
    /// Not usable as a bearer key.
    #[error("{path}: {source}", path = .path.display())]
    Bearer {
        /// The file.
        path: PathBuf,
        /// Why.
        source: control::ApiKeyError,
    },
}

/// The text of a key file.
pub(crate) struct File {
    path: PathBuf,
    text: Zeroizing<String>,
}

impl File {
    /// Reads a key file; a relative path is relative to `base`.
    pub(crate) fn read(base: &Path, path: &Path) -> Result<Self, KeyError> {
        if path.as_os_str().is_empty() {
            return Err(KeyError::Unnamed);
        }
        let path = base.join(path);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(source) => return Err(KeyError::Unreadable { path, source }),
        };
        if text.len() > KEY_FILE_BYTES_MAX {
            return Err(KeyError::TooLong { found: text.len(), path });
        }
        Ok(Self { path, text })
    }

    /// What the file holds.
    #[must_use]
    pub(crate) fn text(&self) -> &str {
        self.text.trim()
    }

    /// Whether everybody can read this key in the source.
    #[must_use]
    pub(crate) fn is_published(&self) -> bool {
        PUBLISHED.iter().any(|published| published.trim() == self.text())
    }

    /// The key of card tokens.
    pub(crate) fn tokenizer(&self) -> Result<Tokenizer, KeyError> {
        let mut key = Zeroizing::new([0_u8; 32]);
        const_hex::decode_to_slice(self.text(), key.as_mut_slice())
            .map_err(|_| KeyError::NotHex { path: self.path.clone() })?;
        Tokenizer::with_key(&key).ok_or_else(|| KeyError::NotHex { path: self.path.clone() })
    }

    /// A key of message authentication.
    pub(crate) fn mac(
        &self,
        algorithm: MacAlgorithm,
        padding: MacPadding,
        length: Option<usize>,
    ) -> Result<MacKey, KeyError> {
        let bytes = const_hex::decode(self.text()).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| KeyError::NotHexDigits { path: self.path.clone() })?;
        MacKey::new(algorithm, padding, &bytes, length)
            .map_err(|source| KeyError::Mac { path: self.path.clone(), source })
    }

    /// The bearer key of the control API.
    pub(crate) fn bearer(&self) -> Result<control::ApiKey, KeyError> {
        control::ApiKey::new(self.text())
            .map_err(|source| KeyError::Bearer { path: self.path.clone(), source })
    }
}

/// Turns a card number into the token that stands for it: HMAC-SHA-256, cut to 128 bits.
#[derive(Clone)]
pub(crate) struct Tokenizer {
    mac: Hmac<Sha256>,
}

impl Tokenizer {
    /// Tokens under this key.
    pub(crate) fn with_key(key: &[u8; 32]) -> Option<Self> {
        Hmac::<Sha256>::new_from_slice(key).ok().map(|mac| Self { mac })
    }

    /// The token of a card number.
    #[must_use]
    pub(crate) fn token(&self, pan: &Pan) -> CardToken {
        let mut mac = self.mac.clone();
        mac.update(pan.expose());
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        let mut token = [0; 16];
        token.copy_from_slice(&digest[..16]);
        CardToken(token)
    }

    /// What tells this key from another without giving it away. No card number is a constant of words, so no token
    /// is ever the same.
    #[must_use]
    pub(crate) fn fingerprint(&self) -> KeyFingerprint {
        let mut mac = self.mac.clone();
        mac.update(b"authswitch: fingerprint of the key of card tokens");
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&digest[..16]);
        KeyFingerprint(fingerprint)
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokenizer(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_depends_on_the_number_and_on_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = |name: &str, digit: &str| {
            std::fs::write(folder.path().join(name), digit.repeat(64)).unwrap();
            File::read(folder.path(), Path::new(name)).unwrap().tokenizer().unwrap()
        };
        let (one, two) = (tokenizer("one", "1"), tokenizer("two", "2"));
        let pan = Pan::from_digits(b"4242424242424242").unwrap();
        let other = Pan::from_digits(b"4000000000000002").unwrap();
        assert_eq!(one.token(&pan), one.token(&pan));
        assert_ne!(one.token(&pan), one.token(&other));
        assert_ne!(one.token(&pan), two.token(&pan));
        assert_eq!(one.fingerprint(), one.clone().fingerprint());
        assert_ne!(one.fingerprint(), two.fingerprint());
    }

    #[test]
    fn a_bad_key_file_is_named_and_its_content_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let missing = File::read(folder.path(), Path::new("missing.key")).err().unwrap().to_string();
        assert!(missing.contains("missing.key cannot be read"), "{missing}");
        std::fs::write(folder.path().join("bad.key"), "hunter2").unwrap();
        let file = File::read(folder.path(), Path::new("bad.key")).unwrap();
        for error in [file.tokenizer().err().unwrap(), file.bearer().err().unwrap()] {
            assert!(error.to_string().contains("bad.key"), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn the_keys_in_the_source_are_recognised() {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/keys");
        for name in ["card-tokens.key", "control.key", "funding.key"] {
            assert!(File::read(&base, Path::new(name)).unwrap().is_published(), "{name}");
        }
    }
}
