//! What others have checked about a request: card verification value, address, 3-D Secure, PIN, cryptogram.
//!
//! Only results stand here, each as one plain word. The data behind them (the PIN block, the verification value, the
//! cryptogram, the address) is sensitive authentication data: no type of this crate can hold it, so it can be neither
//! journaled nor logged. A network that verifies on the issuer's behalf sends the result, and a dialect says where.
//!
//! In JSON and TOML the results are words. In the journal all of them together are one `u32`, drawn at [`pack`]: an
//! enum costs four bytes there, and these stand in every request.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// Declares one enum of results: the variants, the word of each in files and in the API, and what it means. Their
/// order is part of the journal's format: a new one goes to the end, and there is room for eight.
macro_rules! results {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every result.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            const fn ordinal(self) -> u32 {
                self as u32
            }

            fn from_ordinal(ordinal: u32) -> Option<Self> {
                Self::ALL.get(usize::try_from(ordinal).ok()?).copied()
            }

            /// The word that dialect files, scenarios and the API use.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

results! {
    /// The three or four digits printed on the card, compared with what the cardholder typed.
    Cvv2Result {
        /// Nothing was sent about it.
        #[default]
        Absent = "absent",
        /// They are the card's.
        Match = "match",
        /// They are not the card's.
        NoMatch = "no_match",
        /// They were sent, and nobody could compare them.
        NotChecked = "not_checked",
        /// The merchant says that the card has none, or that they cannot be read.
        NotOnCard = "not_on_card",
    }
}

results! {
    /// The billing address (AVS), compared with what the cardholder typed.
    AvsResult {
        /// Nothing was sent about it.
        #[default]
        Absent = "absent",
        /// Street and postal code are the cardholder's.
        Match = "match",
        /// The postal code is, the street is not.
        PostalCodeOnly = "postal_code_only",
        /// The street is, the postal code is not.
        AddressOnly = "address_only",
        /// Neither is.
        NoMatch = "no_match",
        /// It was sent, and nobody could compare it.
        NotChecked = "not_checked",
    }
}

results! {
    /// How far 3-D Secure has authenticated the cardholder.
    ThreeDSecure {
        /// Nothing was sent about it, or the purchase went without it.
        #[default]
        Absent = "absent",
        /// The cardholder was authenticated.
        Authenticated = "authenticated",
        /// The merchant tried; the issuer or the card took no part. Networks count it as protected.
        Attempted = "attempted",
        /// It was left out by an agreed exemption (low value, low risk, trusted merchant).
        Exempt = "exempt",
        /// The cardholder was asked and failed, or the authentication value is not genuine.
        Failed = "failed",
    }
}

results! {
    /// The PIN, verified by the network or by the issuer's security module.
    PinResult {
        /// No PIN was entered online.
        #[default]
        Absent = "absent",
        /// It is the card's.
        Verified = "verified",
        /// It is not the card's.
        Wrong = "wrong",
        /// It was entered wrongly too often.
        TriesExceeded = "tries_exceeded",
        /// It was entered, and nobody could verify it.
        NotChecked = "not_checked",
    }
}

results! {
    /// A cryptogram: the chip's (ARQC), a wallet's (TAVV), or the one behind 3-D Secure (CAVV, AAV).
    CryptogramResult {
        /// None was sent.
        #[default]
        Absent = "absent",
        /// It is genuine.
        Valid = "valid",
        /// It is not: the card may be a copy.
        Invalid = "invalid",
        /// It was sent, and nobody could verify it.
        NotChecked = "not_checked",
    }
}

/// Electronic commerce indicator: two digits, whose meaning is the network's own.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Eci(pub u8);

/// Whose table of electronic commerce indicators applies.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EciTable {
    /// Visa, and American Express, Discover and JCB alike: 05 authenticated, 06 attempted, 07 neither.
    Visa,
    /// Mastercard: 02 authenticated, 01 attempted, 06 exempt, anything else neither.
    Mastercard,
}

impl Eci {
    /// What the indicator says about 3-D Secure. An unknown indicator protects nothing.
    #[must_use]
    pub const fn three_d_secure(self, table: EciTable) -> ThreeDSecure {
        match (table, self.0) {
            (EciTable::Visa, 5) | (EciTable::Mastercard, 2) => ThreeDSecure::Authenticated,
            (EciTable::Visa, 6) | (EciTable::Mastercard, 1) => ThreeDSecure::Attempted,
            (EciTable::Mastercard, 6) => ThreeDSecure::Exempt,
            (EciTable::Visa | EciTable::Mastercard, _) => ThreeDSecure::Absent,
        }
    }
}

/// Everything that was checked about one request. The default says that nothing was.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct SecurityResults {
    /// The verification value printed on the card.
    pub cvv2: Cvv2Result,
    /// The billing address.
    pub avs: AvsResult,
    /// How far the cardholder was authenticated online.
    pub three_d_secure: ThreeDSecure,
    /// The network's indicator of the same, as it was sent.
    pub eci: Option<Eci>,
    /// The cryptogram behind 3-D Secure (CAVV, AAV).
    pub authentication_value: CryptogramResult,
    /// The PIN.
    pub pin: PinResult,
    /// The cryptogram of the chip or of the wallet.
    pub cryptogram: CryptogramResult,
}

impl SecurityResults {
    /// Whether 3-D Secure protects the purchase: authenticated or attempted, and the value behind it not forged. An
    /// exemption protects nothing; who accepts exemptions looks at the result itself.
    #[must_use]
    pub const fn is_three_d_secure(&self) -> bool {
        matches!(self.three_d_secure, ThreeDSecure::Authenticated | ThreeDSecure::Attempted)
            && !matches!(self.authentication_value, CryptogramResult::Invalid)
    }
}

impl Serialize for SecurityResults {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The inherent function is the derived one: a map of words.
        if serializer.is_human_readable() {
            Self::serialize(self, serializer)
        } else {
            serializer.serialize_u32(pack(self))
        }
    }
}

impl<'de> Deserialize<'de> for SecurityResults {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Self::deserialize(deserializer);
        }
        let packed = u32::deserialize(deserializer)?;
        unpack(packed).ok_or_else(|| de::Error::custom(format!("{packed:#010x} are no security results")))
    }
}

/// Bits of one result.
const WIDTH: u32 = 3;
/// Where the indicator begins: after six results.
const ECI_AT: u32 = 6 * WIDTH;
/// Set when an indicator was sent.
const ECI_SENT: u32 = 1 << (ECI_AT + 8);

/// All results in one number, least significant bit first:
///
/// ```text
///  0     3     6     9    12    15    18        26   27
///  ├cvv2─┼─avs─┼─3DS─┼value┼─pin─┼crypt┼───eci───┼sent┤ zero
/// ```
fn pack(results: &SecurityResults) -> u32 {
    let ordinals = [
        results.cvv2.ordinal(),
        results.avs.ordinal(),
        results.three_d_secure.ordinal(),
        results.authentication_value.ordinal(),
        results.pin.ordinal(),
        results.cryptogram.ordinal(),
    ];
    let packed = ordinals.iter().rev().fold(0, |packed, ordinal| packed << WIDTH | ordinal);
    packed | results.eci.map_or(0, |eci| ECI_SENT | u32::from(eci.0) << ECI_AT)
}

/// The results in a number, unless it means none.
fn unpack(packed: u32) -> Option<SecurityResults> {
    let ordinal = |place: u32| packed >> (place * WIDTH) & 0b111;
    let eci = u8::try_from(packed >> ECI_AT & 0xff).ok()?;
    let sent = packed & ECI_SENT != 0;
    let results = SecurityResults {
        cvv2: Cvv2Result::from_ordinal(ordinal(0))?,
        avs: AvsResult::from_ordinal(ordinal(1))?,
        three_d_secure: ThreeDSecure::from_ordinal(ordinal(2))?,
        authentication_value: CryptogramResult::from_ordinal(ordinal(3))?,
        pin: PinResult::from_ordinal(ordinal(4))?,
        cryptogram: CryptogramResult::from_ordinal(ordinal(5))?,
        eci: sent.then_some(Eci(eci)),
    };
    (pack(&results) == packed).then_some(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_has_its_own_indicators() {
        let says = |eci, table| Eci(eci).three_d_secure(table);
        assert_eq!(says(5, EciTable::Visa), ThreeDSecure::Authenticated);
        assert_eq!(says(6, EciTable::Visa), ThreeDSecure::Attempted);
        assert_eq!(says(7, EciTable::Visa), ThreeDSecure::Absent);
        assert_eq!(says(2, EciTable::Mastercard), ThreeDSecure::Authenticated);
        assert_eq!(says(1, EciTable::Mastercard), ThreeDSecure::Attempted);
        assert_eq!(says(6, EciTable::Mastercard), ThreeDSecure::Exempt);
        assert_eq!(says(5, EciTable::Mastercard), ThreeDSecure::Absent);
        assert_eq!(says(99, EciTable::Visa), ThreeDSecure::Absent, "an unknown indicator protects nothing");
    }

    #[test]
    fn a_forged_value_takes_the_protection_away() {
        let claimed = SecurityResults { three_d_secure: ThreeDSecure::Authenticated, ..Default::default() };
        assert!(claimed.is_three_d_secure());
        let forged = SecurityResults { authentication_value: CryptogramResult::Invalid, ..claimed };
        assert!(!forged.is_three_d_secure());
        let exempt = SecurityResults { three_d_secure: ThreeDSecure::Exempt, ..Default::default() };
        assert!(!exempt.is_three_d_secure());
    }

    #[test]
    fn the_word_in_files_is_the_word_in_json() {
        for result in Cvv2Result::ALL {
            assert_eq!(serde_json::to_value(result).unwrap(), result.as_str());
        }
        let results: SecurityResults =
            serde_json::from_str(r#"{"cvv2":"no_match","pin":"verified"}"#).unwrap();
        assert_eq!((results.cvv2, results.pin), (Cvv2Result::NoMatch, PinResult::Verified));
        assert_eq!(results.avs, AvsResult::Absent);
        assert!(serde_json::from_str::<SecurityResults>(r#"{"cvv":"match"}"#).is_err());
    }

    #[test]
    fn what_is_packed_for_the_journal_comes_out_again_and_nothing_else_does() {
        let last = SecurityResults {
            cvv2: Cvv2Result::NotOnCard,
            avs: AvsResult::NotChecked,
            three_d_secure: ThreeDSecure::Failed,
            eci: Some(Eci(255)),
            authentication_value: CryptogramResult::NotChecked,
            pin: PinResult::NotChecked,
            cryptogram: CryptogramResult::NotChecked,
        };
        let zero = SecurityResults { eci: Some(Eci(0)), ..Default::default() };
        for results in [SecurityResults::default(), zero, last] {
            assert_eq!(unpack(pack(&results)), Some(results));
        }
        assert_eq!(pack(&SecurityResults::default()), 0);
        for bad in [0b111, 0b111 << 15, 1 << 18, 1 << 27, u32::MAX] {
            assert_eq!(unpack(bad), None, "{bad:#x}");
        }
    }

    #[test]
    fn there_is_room_for_every_result_in_its_bits() {
        let lengths = [
            Cvv2Result::ALL.len(),
            AvsResult::ALL.len(),
            ThreeDSecure::ALL.len(),
            PinResult::ALL.len(),
            CryptogramResult::ALL.len(),
        ];
        assert!(lengths.iter().all(|length| *length <= 8), "{lengths:?}");
        assert!(size_of::<SecurityResults>() <= 8);
    }
}
