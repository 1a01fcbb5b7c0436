//! Message authentication codes: ISO 9797-1 algorithm 1 (CBC-MAC, ANSI X9.9) and algorithm 3 (the retail MAC, ANSI X9.19) over
//! DES, and HMAC-SHA-256.
//!
//! Guarantees that keys are never printed and are wiped when dropped, and that a comparison takes the same time wherever
//! the first wrong byte is. DES is what the networks of the field still use; where there is a choice, take HMAC.

use des::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use des::{Des, TdesEde2, TdesEde3};
use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use thiserror::Error;

/// The size of a block of DES.
const BLOCK: usize = 8;

/// The size of the longest code.
const CODE_MAX: usize = 32;

/// Shorter codes can be guessed.
const CODE_MIN: usize = 4;

/// A short key of HMAC is a weak one; a longer one than a block of SHA-256 is not stronger.
const HMAC_KEY_MIN: usize = 16;
const HMAC_KEY_MAX: usize = 64;

/// How a code is made.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum MacAlgorithm {
    /// `iso9797-1`: CBC-MAC with a single key: DES for a key of 8 bytes, triple DES for 16 or 24.
    #[serde(rename = "iso9797-1")]
    Cbc,
    /// `iso9797-3`: the retail MAC: CBC with the first half of a key of 16 bytes, the last block through the second half
    /// and the first again.
    #[serde(rename = "iso9797-3")]
    Retail,
    /// `hmac-sha-256`: a key of 16 to 64 bytes.
    #[serde(rename = "hmac-sha-256")]
    HmacSha256,
}

/// How the last block of a message is filled up; HMAC needs none.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
pub enum MacPadding {
    /// `method-1`: with zeros, if it is not full. An empty message is one block of zeros.
    #[default]
    #[serde(rename = "method-1")]
    Zeros,
    /// `method-2`: with a bit of one and zeros, always.
    #[serde(rename = "method-2")]
    OneAndZeros,
}

/// A key, and what is done with it. `Debug` shows the algorithm only.
#[derive(Clone)]
pub struct MacKey {
    keyed: Keyed,
    padding: MacPadding,
    /// How many bytes of a code are used; `None` for as many as the element holds.
    length: Option<usize>,
}

#[derive(Clone)]
enum Keyed {
    Des(Box<Des>),
    Tdes2(Box<TdesEde2>),
    Tdes3(Box<TdesEde3>),
    Retail(Box<(Des, Des)>),
    Hmac(Box<Hmac<Sha256>>),
}

/// Why something is no key.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum MacKeyError {
    /// The key has the wrong size.
    #[error("a key of {found} bytes does not fit {algorithm}, allowed: {allowed}")]
    KeySize {
        /// What the key is for.
        algorithm: MacAlgorithm,
        /// Its size in bytes.
        found: usize,
        /// The sizes that are allowed, in words.
        allowed: &'static str,
    },
    /// So many bytes cannot be used of a code.
    #[error("{found} bytes of a code by {algorithm} cannot be used, allowed: {CODE_MIN} to {max}")]
    CodeLength {
        /// What makes the code.
        algorithm: MacAlgorithm,
        /// The bytes asked for.
        found: usize,
        /// The bytes that a code has.
        max: usize,
    },
}

impl MacAlgorithm {
    /// How many bytes a code has.
    const fn code_bytes(self) -> usize {
        match self {
            Self::Cbc | Self::Retail => BLOCK,
            Self::HmacSha256 => CODE_MAX,
        }
    }
}

impl fmt::Display for MacAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cbc => "iso9797-1",
            Self::Retail => "iso9797-3",
            Self::HmacSha256 => "hmac-sha-256",
        })
    }
}

impl MacKey {
    /// A key of `bytes`. With `length` only so many bytes of a code are used, and the rest of the element is zeros;
    /// without it as many as the element holds.
    ///
    /// # Errors
    /// [`MacKeyError`] if the key does not fit the algorithm, or the length the code.
    pub fn new(
        algorithm: MacAlgorithm,
        padding: MacPadding,
        bytes: &[u8],
        length: Option<usize>,
    ) -> Result<Self, MacKeyError> {
        let max = algorithm.code_bytes();
        if let Some(found) = length.filter(|length| !(CODE_MIN..=max).contains(length)) {
            return Err(MacKeyError::CodeLength { algorithm, found, max });
        }
        let size = |allowed| MacKeyError::KeySize { algorithm, found: bytes.len(), allowed };
        let keyed = match algorithm {
            MacAlgorithm::Cbc => cbc(bytes).ok_or_else(|| size("8, 16 or 24"))?,
            MacAlgorithm::Retail => retail(bytes).ok_or_else(|| size("16"))?,
            MacAlgorithm::HmacSha256 => hmac(bytes).ok_or_else(|| size("16 to 64"))?,
        };
        Ok(Self { keyed, padding, length })
    }

    /// The code of `message`, as wide as an element of `width` bytes: cut or filled with zeros on the right.
    pub(crate) fn code(&self, message: &[u8], width: usize) -> Vec<u8> {
        let (full, size) = self.full(message);
        let used = self.length.unwrap_or(size).min(size).min(width);
        let mut code = full.get(..used).unwrap_or_default().to_vec();
        code.resize(width, 0);
        code
    }

    /// Whether `found` is the code of `message`. Takes as long for a wrong code as for the right one.
    pub(crate) fn agrees(&self, message: &[u8], found: &[u8]) -> bool {
        found.len() >= CODE_MIN && bool::from(self.code(message, found.len()).ct_eq(found))
    }

    /// The whole code and its size.
    fn full(&self, message: &[u8]) -> ([u8; CODE_MAX], usize) {
        let mut code = [0; CODE_MAX];
        let block = match &self.keyed {
            Keyed::Des(cipher) => self.chain(&**cipher, message),
            Keyed::Tdes2(cipher) => self.chain(&**cipher, message),
            Keyed::Tdes3(cipher) => self.chain(&**cipher, message),
            Keyed::Retail(keys) => {
                let (first, second) = &**keys;
                let mut block = Array::from(self.chain(first, message));
                second.decrypt_block(&mut block);
                first.encrypt_block(&mut block);
                block.into()
            }
            Keyed::Hmac(keyed) => {
                let mut keyed = Hmac::clone(keyed);
                keyed.update(message);
                return (keyed.finalize().into_bytes().into(), CODE_MAX);
            }
        };
        if let Some(start) = code.first_chunk_mut() {
            *start = block;
        }
        (code, BLOCK)
    }

    /// The last block of the message in cipher block chaining mode.
    fn chain<C>(&self, cipher: &C, message: &[u8]) -> [u8; BLOCK]
    where
        C: BlockCipherEncrypt<BlockSize = des::cipher::consts::U8>,
    {
        let mut state = Array::from([0; BLOCK]);
        let mut next = |block: &[u8; BLOCK]| {
            state.iter_mut().zip(block).for_each(|(state, byte)| *state ^= byte);
            cipher.encrypt_block(&mut state);
        };
        let (blocks, rest) = message.as_chunks::<BLOCK>();
        blocks.iter().for_each(&mut next);
        let mut last = [0; BLOCK];
        last.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
        match self.padding {
            MacPadding::Zeros if rest.is_empty() && !blocks.is_empty() => {}
            MacPadding::Zeros => next(&last),
            MacPadding::OneAndZeros => {
                if let Some(marker) = last.get_mut(rest.len()) {
                    *marker = 0x80;
                }
                next(&last);
            }
        }
        state.into()
    }
}

fn cbc(key: &[u8]) -> Option<Keyed> {
    match key.len() {
        8 => Des::new_from_slice(key).ok().map(|cipher| Keyed::Des(Box::new(cipher))),
        16 => TdesEde2::new_from_slice(key).ok().map(|cipher| Keyed::Tdes2(Box::new(cipher))),
        24 => TdesEde3::new_from_slice(key).ok().map(|cipher| Keyed::Tdes3(Box::new(cipher))),
        _ => None,
    }
}

fn retail(key: &[u8]) -> Option<Keyed> {
    let (first, second) = key.split_at_checked(BLOCK)?;
    let keys = (Des::new_from_slice(first).ok()?, Des::new_from_slice(second).ok()?);
    Some(Keyed::Retail(Box::new(keys)))
}

fn hmac(key: &[u8]) -> Option<Keyed> {
    let fits = (HMAC_KEY_MIN..=HMAC_KEY_MAX).contains(&key.len());
    let keyed = Hmac::new_from_slice(key).ok().filter(|_| fits)?;
    Some(Keyed::Hmac(Box::new(keyed)))
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.keyed {
            Keyed::Des(_) | Keyed::Tdes2(_) | Keyed::Tdes3(_) => "MacKey(iso9797-1)",
            Keyed::Retail(_) => "MacKey(iso9797-3)",
            Keyed::Hmac(_) => "MacKey(hmac-sha-256)",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const K: &str = "0123456789ABCDEF";
    const K_AND_K: &str = "0123456789ABCDEFFEDCBA9876543210";

    fn key(algorithm: MacAlgorithm, padding: MacPadding, hex: &str) -> MacKey {
        MacKey::new(algorithm, padding, &const_hex::decode(hex).unwrap(), None).unwrap()
    }

    /// ISO/IEC 9797-1:2011, annex B: both of its strings, padding methods 1 and 2, algorithms 1 and 3.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let (one, two) = (&b"Now is the time for all "[..], &b"Now is the time for it"[..]);
        for (algorithm, padding, message, code) in [
            (MacAlgorithm::Cbc, MacPadding::Zeros, one, "70A30640CC76DD8B"),
            (MacAlgorithm::Cbc, MacPadding::OneAndZeros, one, "10E1F0F108341B6D"),
            (MacAlgorithm::Cbc, MacPadding::Zeros, two, "E45B3AD2B7CC0856"),
            (MacAlgorithm::Cbc, MacPadding::OneAndZeros, two, "A924C72136149211"),
            (MacAlgorithm::Retail, MacPadding::Zeros, one, "A1C72E74EA3FA9B6"),
            (MacAlgorithm::Retail, MacPadding::OneAndZeros, one, "E9086230CA3BE796"),
            (MacAlgorithm::Retail, MacPadding::Zeros, two, "2E2B1428CC78254F"),
            (MacAlgorithm::Retail, MacPadding::OneAndZeros, two, "5A692CE64F404145"),
        ] {
            let hex = if algorithm == MacAlgorithm::Retail { K_AND_K } else { K };
            let key = key(algorithm, padding, hex);
            assert_eq!(const_hex::encode_upper(key.code(message, 8)), code, "{algorithm} {padding:?}");
            assert!(key.agrees(message, &const_hex::decode(code).unwrap()));
        }
    }

    /// RFC 4231, test cases 1 and 3, and 5, which cuts the code to 128 bits.
    #[test]
    fn the_keyed_hash_is_that_of_the_standard() {
        for (hex, message, code) in [
            (
                "0b".repeat(20),
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                "aa".repeat(20),
                &[0xDD; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            ("0c".repeat(20), b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
        ] {
            let key = key(MacAlgorithm::HmacSha256, MacPadding::Zeros, &hex);
            let code = const_hex::decode(code).unwrap();
            assert_eq!(key.code(message, code.len()), code);
            assert!(key.agrees(message, &code));
        }
    }

    #[test]
    fn triple_des_with_equal_keys_is_des() {
        for times in [2, 3] {
            let triple = key(MacAlgorithm::Cbc, MacPadding::Zeros, &K.repeat(times));
            assert_eq!(
                const_hex::encode_upper(triple.code(b"Now is the time for all ", 8)),
                "70A30640CC76DD8B"
            );
        }
    }

    #[test]
    fn a_code_is_cut_and_filled_to_its_element() {
        let bytes = const_hex::decode(K_AND_K).unwrap();
        let half = MacKey::new(MacAlgorithm::Retail, MacPadding::Zeros, &bytes, Some(4)).unwrap();
        let code = half.code(b"Now is the time for all ", 8);
        assert_eq!(const_hex::encode_upper(&code), "A1C72E7400000000");
        assert!(half.agrees(b"Now is the time for all ", &code));
        let whole = key(MacAlgorithm::Retail, MacPadding::Zeros, K_AND_K);
        assert_eq!(whole.code(b"Now is the time for all ", 4), const_hex::decode("A1C72E74").unwrap());
        assert_eq!(whole.code(b"", 16).len(), 16);
    }

    #[test]
    fn one_wrong_bit_is_a_wrong_code() {
        for algorithm in [MacAlgorithm::Cbc, MacAlgorithm::Retail, MacAlgorithm::HmacSha256] {
            let key = key(algorithm, MacPadding::Zeros, K_AND_K);
            let code = key.code(b"message", 8);
            for bit in 0..64 {
                let mut wrong = code.clone();
                wrong[bit / 8] ^= 1 << (bit % 8);
                assert!(!key.agrees(b"message", &wrong), "{algorithm}");
            }
            assert!(!key.agrees(b"massage", &code) && !key.agrees(b"message", &code[..3]));
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_no_key_is_printed() {
        let error = |algorithm, size: usize, length| {
            MacKey::new(algorithm, MacPadding::Zeros, &vec![1; size], length).unwrap_err().to_string()
        };
        assert_eq!(
            error(MacAlgorithm::Cbc, 9, None),
            "a key of 9 bytes does not fit iso9797-1, allowed: 8, 16 or 24"
        );
        assert_eq!(
            error(MacAlgorithm::Retail, 8, None),
            "a key of 8 bytes does not fit iso9797-3, allowed: 16"
        );
        assert!(error(MacAlgorithm::Retail, 24, None).contains("24 bytes"));
        assert!(error(MacAlgorithm::HmacSha256, 15, None).ends_with("16 to 64"));
        assert!(error(MacAlgorithm::HmacSha256, 65, None).ends_with("16 to 64"));
        for length in [3, 9] {
            assert!(error(MacAlgorithm::Retail, 16, Some(length)).ends_with("4 to 8"));
        }
        assert_eq!(
            format!("{:?}", key(MacAlgorithm::Retail, MacPadding::Zeros, K_AND_K)),
            "MacKey(iso9797-3)"
        );
    }
}
