//! Sealing: payloads encrypted on disk, so that a stolen disk or backup shows no spending history.
//!
//! Two layers. A **sealing key**, 32 bytes in a file, never touches a payload: it wraps **data keys**. Each segment
//! and each snapshot has a data key of its own, 32 bytes from the operating system's random source, stored in the
//! file wrapped under the sealing key. Payloads are sealed with AES-256-GCM under the data key; headers stay in clear
//! and are authenticated with the payload, so that a sealed record cannot be moved to another place.
//!
//! - **Key id**: the first four bytes of SHA-256 over a label and the sealing key, never 0. It is computed, so nobody
//!   can number two keys alike by mistake, and it tells nothing of the key.
//! - **Rotation**: [`SealingKeys`] holds several; the first seals what is new, the others only open what is old. With a
//!   new first key the journal continues in a new segment. No file is ever written again for a rotation.
//! - **A nonce is never used twice** under one data key. A data key serves one file. In a segment a record's nonce is
//!   8 random bytes, drawn at each start, and the record's place in the segment (its sequence less the first one): within
//!   one life no sequence is written twice, because a failed write ends the life. After a restart, a torn tail that
//!   was cut, a repair or a restored copy the same sequences may be written again into the same segment; the 8 bytes
//!   are new then. A segment sees few starts: with a thousand, two draw the same bytes once in 10^13 journals. A
//!   snapshot is written by one process, once; the nonce of a slice is its number.
//! - A data key is wrapped under a nonce of 12 random bytes: one for each segment or snapshot, far below the 2^32 that
//!   AES-GCM allows for a key.
//!
//! It does not hide how much is written when, in which shard and how long payloads are; and it does not protect
//! against somebody who can read the sealing key or the running process.

use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

/// Bytes that sealing adds to a payload: the authentication tag.
pub const SEAL_BYTES: usize = 16;

/// Bytes of a wrapped data key with its nonce.
pub(crate) const WRAPPED_BYTES: usize = 12 + KEY_BYTES + SEAL_BYTES;

const KEY_BYTES: usize = 32;
const KEY_ID_LABEL: &[u8] = b"authswitch journal sealing key";

/// Which sealing key; 0 stands for none.
pub type KeyId = u32;

/// Why a sealing key cannot be used, or sealed bytes cannot be opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// The text is no key.
    #[error("a sealing key is 64 hexadecimal digits, {found} characters were found")]
    NotAKey {
        /// Characters found; the text itself is not shown.
        found: usize,
    },
    /// The same key twice.
    #[error("sealing key {id:08x} is listed twice")]
    Twice {
        /// Which.
        id: KeyId,
    },
    /// The key that is needed is not among those given.
    #[error("sealed under key {id:08x}, which is not among the keys given ({})", KeyList(.known))]
    Missing {
        /// Which is needed.
        id: KeyId,
        /// Which are there.
        known: Vec<KeyId>,
    },
    /// The bytes were not sealed under this key, or were changed since.
    #[error("what was sealed does not open: it was changed, or its place was")]
    DoesNotOpen,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    NoRandom(String),
}

struct KeyList<'k>(&'k [KeyId]);

impl fmt::Display for KeyList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (place, id) in self.0.iter().enumerate() {
            write!(f, "{}{id:08x}", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// The sealing keys: the first seals, all of them open. Without any, nothing is sealed.
#[derive(Clone, Default)]
pub struct SealingKeys {
    keys: Arc<Vec<SealingKey>>,
}

struct SealingKey {
    id: KeyId,
    cipher: Aes256Gcm,
}

impl SealingKeys {
    /// Reads keys written as 64 hexadecimal digits each, the newest first. White space around them is ignored.
    ///
    /// # Errors
    /// A text is not a key, or a key is there twice.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, SealError> {
        let mut keys: Vec<SealingKey> = Vec::new();
        for text in texts {
            let bytes = from_hex(text.trim())?;
            let id = key_id(&bytes);
            if keys.iter().any(|key| key.id == id) {
                return Err(SealError::Twice { id });
            }
            keys.push(SealingKey { id, cipher: Aes256Gcm::new(&(*bytes).into()) });
        }
        Ok(Self { keys: Arc::new(keys) })
    }

    /// The id of the key that seals; 0 without keys.
    #[must_use]
    pub fn newest(&self) -> KeyId {
        self.keys.first().map_or(0, |key| key.id)
    }

    /// The ids of all keys, the newest first.
    #[must_use]
    pub fn ids(&self) -> Vec<KeyId> {
        self.keys.iter().map(|key| key.id).collect()
    }

    /// A new data key and its wrapped form, bound to `file`: the bytes that identify the file. `None` without keys.
    ///
    /// # Errors
    /// There are no random bytes.
    pub(crate) fn new_data_key(
        &self,
        file: &[u8],
    ) -> Result<Option<(DataKey, [u8; WRAPPED_BYTES])>, SealError> {
        let Some(key) = self.keys.first() else { return Ok(None) };
        let data = Zeroizing::new(random::<KEY_BYTES>()?);
        let nonce = random::<12>()?;
        let mut wrapped = [0; WRAPPED_BYTES];
        wrapped[..12].copy_from_slice(&nonce);
        wrapped[12..12 + KEY_BYTES].copy_from_slice(&*data);
        seal_with(&key.cipher, nonce, file, &mut wrapped[12..]);
        Ok(Some((DataKey::new(&data), wrapped)))
    }

    /// The data key that was wrapped under key `id` for `file`.
    ///
    /// # Errors
    /// The sealing key is not here, or the bytes do not open.
    pub(crate) fn unwrap(
        &self,
        id: KeyId,
        wrapped: &[u8; WRAPPED_BYTES],
        file: &[u8],
    ) -> Result<DataKey, SealError> {
        let missing = || SealError::Missing { id, known: self.ids() };
        let key = self.keys.iter().find(|key| key.id == id).ok_or_else(missing)?;
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&wrapped[..12]);
        let mut data = Zeroizing::new([0; KEY_BYTES + SEAL_BYTES]);
        data.copy_from_slice(&wrapped[12..]);
        open_with(&key.cipher, nonce, file, &mut *data)?;
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        bytes.copy_from_slice(&data[..KEY_BYTES]);
        Ok(DataKey::new(&bytes))
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKeys({})", KeyList(&self.ids()))
    }
}

impl PartialEq for SealingKeys {
    fn eq(&self, other: &Self) -> bool {
        self.ids() == other.ids()
    }
}

impl Eq for SealingKeys {}

/// The key of one file.
pub(crate) struct DataKey {
    cipher: Aes256Gcm,
}

impl DataKey {
    fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        Self { cipher: Aes256Gcm::new(&(*bytes).into()) }
    }

    /// Seals all but the last [`SEAL_BYTES`] bytes of `bytes` in place, and puts the tag there.
    pub(crate) fn seal(&self, nonce: [u8; 12], header: &[u8], bytes: &mut [u8]) {
        seal_with(&self.cipher, nonce, header, bytes);
    }

    /// Opens `bytes` in place; the payload is all but the last [`SEAL_BYTES`].
    ///
    /// # Errors
    /// They were not sealed under this key, this nonce and this header, and are now without meaning.
    pub(crate) fn open<'b>(
        &self,
        nonce: [u8; 12],
        header: &[u8],
        bytes: &'b mut [u8],
    ) -> Result<&'b [u8], SealError> {
        open_with(&self.cipher, nonce, header, bytes)
    }
}

/// Where nonces of one life of a journal come from.
#[derive(Clone, Copy)]
pub(crate) struct NonceSalt([u8; 8]);

impl NonceSalt {
    pub(crate) fn draw() -> Result<Self, SealError> {
        random().map(Self)
    }

    /// The nonce of the record at `place` in its segment.
    pub(crate) fn nonce(self, place: u32) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.0);
        nonce[8..].copy_from_slice(&place.to_le_bytes());
        nonce
    }
}

/// The nonce of the record `steps` behind the first of a batch.
pub(crate) fn nonce_after(first: [u8; 12], steps: u32) -> [u8; 12] {
    let mut nonce = first;
    let place = u32::from_le_bytes([first[8], first[9], first[10], first[11]]);
    nonce[8..].copy_from_slice(&place.wrapping_add(steps).to_le_bytes());
    nonce
}

fn seal_with(cipher: &Aes256Gcm, nonce: [u8; 12], header: &[u8], bytes: &mut [u8]) {
    let Some(length) = bytes.len().checked_sub(SEAL_BYTES) else { return };
    let (payload, tag) = bytes.split_at_mut(length);
    // It fails for 64 GiB and more only; a tag of zeros would then never open.
    if let Ok(made) = cipher.encrypt_inout_detached(&Nonce::from(nonce), header, InOutBuf::from(payload)) {
        tag.copy_from_slice(&made);
    }
}

fn open_with<'b>(
    cipher: &Aes256Gcm,
    nonce: [u8; 12],
    header: &[u8],
    bytes: &'b mut [u8],
) -> Result<&'b [u8], SealError> {
    let length = bytes.len().checked_sub(SEAL_BYTES).ok_or(SealError::DoesNotOpen)?;
    let (payload, tag) = bytes.split_at_mut(length);
    let tag = Tag::try_from(&*tag).map_err(|_| SealError::DoesNotOpen)?;
    let opened =
        cipher.decrypt_inout_detached(&Nonce::from(nonce), header, InOutBuf::from(&mut *payload), &tag);
    opened.map_err(|_| SealError::DoesNotOpen)?;
    Ok(payload)
}

fn key_id(key: &[u8; KEY_BYTES]) -> KeyId {
    let digest = Sha256::new().chain_update(KEY_ID_LABEL).chain_update(key).finalize();
    KeyId::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]).max(1)
}

fn random<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| SealError::NoRandom(error.to_string()))?;
    Ok(bytes)
}

fn from_hex(text: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealError> {
    let not_a_key = || SealError::NotAKey { found: text.chars().count() };
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
    let mut digits = digits.filter(|digits| digits.len() == 2 * KEY_BYTES).ok_or_else(not_a_key)?;
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    digits.zeroize();
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    const NEW: &str = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn a_text_that_is_no_key_is_refused_without_being_shown() {
        for text in ["", "0011", &OLD[1..], &OLD.replace('0', "g")] {
            let message = SealingKeys::parse([text]).unwrap_err().to_string();
            assert!(message.contains("64 hexadecimal digits") && !message.contains("2233"), "{message}");
        }
        let shown = format!("{:?}", SealingKeys::parse([OLD]).unwrap());
        assert!(shown.len() == "SealingKeys(12345678)".len() && !shown.contains("2233"), "{shown}");
        assert!(matches!(SealingKeys::parse([OLD, NEW, OLD]), Err(SealError::Twice { .. })));
    }

    #[test]
    fn a_data_key_opens_with_the_keys_that_hold_its_own_and_for_its_file_alone() {
        let old = SealingKeys::parse([OLD]).unwrap();
        let both = SealingKeys::parse([NEW, OLD]).unwrap();
        let (data, wrapped) = old.new_data_key(b"file 1").unwrap().unwrap();
        let mut bytes = *b"a secret..TAGTAGTAGTAGTAG.";
        data.seal([7; 12], b"header", &mut bytes);
        assert!(!bytes.starts_with(b"a secret"));
        let again = both.unwrap(old.newest(), &wrapped, b"file 1").unwrap();
        assert_eq!(again.open([7; 12], b"header", &mut bytes.clone()).unwrap(), b"a secret..");
        for (nonce, header) in [([8; 12], "header"), ([7; 12], "hEader")] {
            let opened = again.open(nonce, header.as_bytes(), &mut bytes.clone()).err();
            assert_eq!(opened, Some(SealError::DoesNotOpen));
        }
        bytes[3] ^= 1;
        assert!(again.open([7; 12], b"header", &mut bytes).is_err());
        assert_eq!(both.unwrap(old.newest(), &wrapped, b"file 2").err(), Some(SealError::DoesNotOpen));
        let refused =
            SealingKeys::parse([NEW]).unwrap().unwrap(old.newest(), &wrapped, b"file 1").err().unwrap();
        let said = format!(
            "sealed under key {:08x}, which is not among the keys given ({:08x})",
            old.newest(),
            both.newest()
        );
        assert_eq!(refused.to_string(), said);
    }

    #[test]
    fn nonces_of_a_life_differ_by_place_and_lives_by_their_salt() {
        let (one, other) = (NonceSalt::draw().unwrap(), NonceSalt::draw().unwrap());
        assert_ne!(one.nonce(5), other.nonce(5));
        assert_eq!(nonce_after(one.nonce(5), 2), one.nonce(7));
        assert_ne!(one.nonce(5), one.nonce(6));
    }
}
