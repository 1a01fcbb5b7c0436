//! Values as the contract writes and reads them: whole units, digits that are names, and times.

use domain::{Timestamp, Units};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A value that travels as the text that `Display` writes.
pub(super) struct Shown<T>(pub(super) T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A code of `N` digits with its leading zeros: these are names, not numbers.
pub(super) struct Digits<const N: usize>(pub(super) u32);

impl<const N: usize> Serialize for Digits<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:0N$}", self.0))
    }
}

/// A time as RFC 3339 in UTC with milliseconds.
pub(super) struct Instant(pub(super) Timestamp);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A time outside the calendar can only be "never"; the end of the calendar says so best.
        let time = jiff::Timestamp::from_microsecond(self.0.micros()).unwrap_or(jiff::Timestamp::MAX);
        serializer.collect_str(&format_args!("{time:.3}"))
    }
}

/// Whole units from the outside: a decimal string without sign or leading zeros, or a JSON integer.
pub(super) struct WholeUnits(pub(super) Units);

impl<'de> Deserialize<'de> for WholeUnits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UnitsVisitor;
        impl Visitor<'_> for UnitsVisitor {
            type Value = WholeUnits;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("whole units: decimal digits in a string, or an integer")
            }
            fn visit_u64<E: de::Error>(self, units: u64) -> Result<WholeUnits, E> {
                Ok(WholeUnits(Units(units.into())))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<WholeUnits, E> {
                let plain = text.bytes().all(|byte| byte.is_ascii_digit());
                let padded = text.len() > 1 && text.starts_with('0');
                match text.parse() {
                    Ok(units) if plain && !padded => Ok(WholeUnits(Units(units))),
                    Ok(_) | Err(_) => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(UnitsVisitor)
    }
}

/// The same with a sign before it, for what may be below zero.
pub(super) struct SignedUnits(pub(super) Units);

impl<'de> Deserialize<'de> for SignedUnits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UnitsVisitor;
        impl Visitor<'_> for UnitsVisitor {
            type Value = SignedUnits;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("whole units: decimal digits in a string, or an integer, perhaps with a minus")
            }
            fn visit_u64<E: de::Error>(self, units: u64) -> Result<SignedUnits, E> {
                Ok(SignedUnits(Units(units.into())))
            }
            fn visit_i64<E: de::Error>(self, units: i64) -> Result<SignedUnits, E> {
                Ok(SignedUnits(Units(units.into())))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<SignedUnits, E> {
                let digits = text.strip_prefix('-').unwrap_or(text);
                let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
                let padded = digits.len() > 1 && digits.starts_with('0');
                match text.parse() {
                    Ok(units) if plain && !padded => Ok(SignedUnits(Units(units))),
                    Ok(_) | Err(_) => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(UnitsVisitor)
    }
}
