//! Payload bytes: the one module that reads with `bincode`.
//!
//! A payload is a value of the caller's own type, encoded through serde as `bincode` 2 does it with fixed-width
//! little-endian integers; written by `encode`, byte for byte the same, and read by `bincode` itself. [`PAYLOAD_VERSION`] is written beside each payload; a reader refuses a version it does
//! not know instead of guessing. Versions 1 and 2 are encoded alike; what changed between them is the type of the
//! value, so whoever reads facts names both types ([`decode_since`]). To change the encoding, give it a new version
//! here and keep the old arm.
//!
//! Guarantees: a payload is never longer than [`PAYLOAD_BYTES_MAX`], decoding allocates no more than that
//! allows, and bytes left over after the value are an error. It does not know what the values mean.

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::encode::EncodeError;
use crate::encode::Encoder;
use crate::record::PAYLOAD_BYTES_MAX;

/// Version of the payload encoding that this build writes.
pub const PAYLOAD_VERSION: u16 = 2;

/// The oldest version that this build reads.
pub const PAYLOAD_VERSION_OLDEST: u16 = 1;

/// Fixed-width integers: the bytes can be drawn, and decode is twice as fast as with variable ones.
const CONFIGURATION: Configuration<LittleEndian, Fixint, Limit<PAYLOAD_BYTES_MAX>> =
    bincode::config::standard().with_fixed_int_encoding().with_limit::<PAYLOAD_BYTES_MAX>();

/// Why a value could not become a payload, or a payload a value.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// The value cannot be expressed in this encoding; a mistake in its type.
    #[error("payload cannot be encoded")]
    Encode(#[source] EncodeError),
    /// The encoded value is over the bound.
    #[error("payload of {found} bytes exceeds the maximum of {PAYLOAD_BYTES_MAX}")]
    TooLong {
        /// Bytes the value took.
        found: usize,
    },
    /// The bytes are not a value of the wanted type.
    #[error("payload of {bytes} bytes cannot be decoded")]
    Decode {
        /// Bytes of the payload.
        bytes: usize,
        /// What bincode found.
        #[source]
        source: bincode::error::DecodeError,
    },
    /// A whole value was read and bytes were left.
    #[error("payload of {bytes} bytes holds a value of {used} bytes and {} more", bytes - used)]
    LeftOver {
        /// Bytes of the payload.
        bytes: usize,
        /// Bytes the value used.
        used: usize,
    },
    /// The payload was written by a version that this build does not know.
    #[error(
        "payload version {found} is unknown, this build reads versions {PAYLOAD_VERSION_OLDEST} to {PAYLOAD_VERSION}"
    )]
    Version {
        /// Version on disk.
        found: u16,
    },
}

/// Appends the encoding of `value` to `out`.
///
/// # Errors
/// The value cannot be encoded or is too long; `out` is then as it was.
pub fn encode<F: Serialize + ?Sized>(value: &F, out: &mut Vec<u8>) -> Result<(), PayloadError> {
    let start = out.len();
    let outcome = value.serialize(&mut Encoder(out));
    let found = out.len() - start;
    let outcome = match outcome {
        Err(error) => Err(PayloadError::Encode(error)),
        Ok(()) if found > PAYLOAD_BYTES_MAX => Err(PayloadError::TooLong { found }),
        Ok(()) => Ok(()),
    };
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome
}

/// Decodes a payload that was written as `version`, of a type that is the same in all versions.
///
/// # Errors
/// The version is unknown, or the bytes are not exactly one value of type `F`.
pub fn decode<F: DeserializeOwned>(version: u16, payload: &[u8]) -> Result<F, PayloadError> {
    if !(PAYLOAD_VERSION_OLDEST..=PAYLOAD_VERSION).contains(&version) {
        return Err(PayloadError::Version { found: version });
    }
    let bytes = payload.len();
    let (value, used) = bincode::serde::decode_from_slice(payload, CONFIGURATION)
        .map_err(|source| PayloadError::Decode { bytes, source })?;
    if used != bytes {
        return Err(PayloadError::LeftOver { bytes, used });
    }
    Ok(value)
}

/// Decodes the value that `bytes` begin with, and says how many it took: for values written one behind another.
/// Their version is the caller's to keep.
///
/// # Errors
/// The bytes do not begin with an `F`.
pub fn decode_first<F: DeserializeOwned>(bytes: &[u8]) -> Result<(F, usize), PayloadError> {
    bincode::serde::decode_from_slice(bytes, CONFIGURATION)
        .map_err(|source| PayloadError::Decode { bytes: bytes.len(), source })
}

/// Decodes a payload that was written as `version`, of a type that was another one in version 1.
///
/// # Errors
/// The version is unknown, or the bytes are not exactly one value of the version's type.
pub fn decode_since<V1: DeserializeOwned, F: DeserializeOwned + From<V1>>(
    version: u16,
    payload: &[u8],
) -> Result<F, PayloadError> {
    if version == PAYLOAD_VERSION_OLDEST {
        return decode::<V1>(version, payload).map(F::from);
    }
    decode(version, payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded<F: Serialize>(value: &F) -> Vec<u8> {
        let mut out = Vec::new();
        encode(value, &mut out).unwrap();
        out
    }

    #[test]
    fn integers_are_fixed_width_little_endian() {
        assert_eq!(encoded(&(1_u16, -2_i64)), [1, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        let mut bytes = encoded(&5_u32);
        bytes.push(0);
        assert!(matches!(decode::<u32>(1, &bytes), Err(PayloadError::LeftOver { bytes: 5, used: 4 })));
    }

    #[test]
    fn a_length_that_lies_does_not_allocate() {
        // A claimed string of 2^40 bytes in a payload of eight.
        let bytes = (1_u64 << 40).to_le_bytes();
        assert!(matches!(decode::<String>(1, &bytes), Err(PayloadError::Decode { .. })));
    }

    #[test]
    fn a_value_over_the_bound_leaves_the_buffer_as_it_was() {
        let mut out = vec![7];
        let error = encode(&vec![0_u8; PAYLOAD_BYTES_MAX], &mut out).unwrap_err();
        assert_eq!(error.to_string(), "payload of 65544 bytes exceeds the maximum of 65536");
        assert_eq!(out, [7]);
    }

    #[test]
    fn a_type_of_version_1_becomes_the_one_of_today() {
        assert_eq!(decode_since::<u16, u32>(1, &encoded(&5_u16)).unwrap(), 5);
        assert_eq!(decode_since::<u16, u32>(2, &encoded(&5_u32)).unwrap(), 5);
        assert!(decode_since::<u16, u32>(2, &encoded(&5_u16)).is_err());
    }

    #[test]
    fn an_unknown_version_is_refused() {
        let error = decode::<u32>(3, &encoded(&5_u32)).unwrap_err();
        assert_eq!(error.to_string(), "payload version 3 is unknown, this build reads versions 1 to 2");
        assert!(decode::<u32>(0, &encoded(&5_u32)).is_err());
    }
}
