//! The references that tie messages to one another, each its own type, parsed once at the edge.

use crate::text::{Text, TextError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

/// Why a reference was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReferenceError {
    /// A system trace audit number above six digits.
    #[error("STAN {found} has more than six digits")]
    Stan {
        /// The number found.
        found: u64,
    },
    /// A transmission date and time that is no date or time.
    #[error("transmission date and time {found:010} is not MMDDhhmmss")]
    Transmission {
        /// The number found.
        found: u64,
    },
    /// An acquirer id above eleven digits.
    #[error("acquiring institution id {found} has more than eleven digits")]
    Acquirer {
        /// The number found.
        found: u64,
    },
}

/// System trace audit number, DE 11: six digits, unique per originator and day.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Stan(u32);

impl Stan {
    /// Checks that the number has at most six digits.
    pub fn new(number: u64) -> Result<Self, ReferenceError> {
        match u32::try_from(number) {
            Ok(stan) if stan <= 999_999 => Ok(Self(stan)),
            _ => Err(ReferenceError::Stan { found: number }),
        }
    }

    /// The number, 0 to 999999.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Stan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// Transmission date and time, DE 7: `MMDDhhmmss` in UTC, without a year; constant through a transaction.
/// It is a reference, not a time: nothing is ever computed from it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Transmission(NonZeroU32);

impl Transmission {
    /// Checks that the ten digits are a month, day, hour, minute and second.
    pub fn new(digits: u64) -> Result<Self, ReferenceError> {
        let (month, day) = (digits / 100_000_000, digits / 1_000_000 % 100);
        let (hour, minute, second) = (digits / 10_000 % 100, digits / 100 % 100, digits % 100);
        let date = (1..=12).contains(&month) && (1..=31).contains(&day);
        let time = hour < 24 && minute < 60 && second < 60;
        // No month is 0, and so no date either.
        let number = u32::try_from(digits).ok().and_then(NonZeroU32::new).filter(|_| date && time);
        number.map(Self).ok_or(ReferenceError::Transmission { found: digits })
    }

    /// The ten digits as a number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Transmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}", self.0)
    }
}

/// Acquiring institution identification, DE 32: up to eleven digits. Kept as one more than the number, so that an optional
/// one is no larger.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct AcquirerId(NonZeroU64);

impl AcquirerId {
    /// Checks that the number has at most eleven digits.
    pub fn new(number: u64) -> Result<Self, ReferenceError> {
        let kept = NonZeroU64::MIN.checked_add(number).filter(|_| number <= 99_999_999_999);
        kept.map(Self).ok_or(ReferenceError::Acquirer { found: number })
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0.get() - 1
    }
}

impl TryFrom<u64> for AcquirerId {
    type Error = ReferenceError;
    fn try_from(number: u64) -> Result<Self, ReferenceError> {
        Self::new(number)
    }
}

impl From<AcquirerId> for u64 {
    fn from(acquirer: AcquirerId) -> Self {
        acquirer.number()
    }
}

impl fmt::Debug for AcquirerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AcquirerId").field(&self.number()).finish()
    }
}

impl fmt::Display for AcquirerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// Retrieval reference number, DE 37: twelve characters, returned unchanged.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Rrn(Text<12>);

impl Rrn {
    /// Checks the text.
    pub fn new(text: &str) -> Result<Self, TextError> {
        Text::new(text).map(Self)
    }

    /// Whether it fills its place and names nothing: a sender without such a number sends zeros or spaces.
    #[must_use]
    pub fn is_filler(&self) -> bool {
        self.as_str().bytes().all(|byte| matches!(byte, b'0' | b' '))
    }

    /// As [`Rrn::new`], for characters as a message carries them; see [`Text::from_ascii`].
    pub fn from_ascii(characters: &[u8]) -> Result<Self, TextError> {
        Text::from_ascii(characters).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Rrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which question a message asks, by its MTI class: a repeat is only a repeat within its class.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageClass {
    /// 0100, 0101: may this be spent?
    AuthorizationRequest,
    /// 0120, 0121: this was approved for you.
    AuthorizationAdvice,
    /// 0200, 0201: may this be spent, and book it at once.
    FinancialRequest,
    /// 0220, 0221: this was paid: a completion, or a posting without an authorization.
    FinancialAdvice,
    /// A presentment from clearing: this was paid.
    Clearing,
}

impl MessageClass {
    /// Whether it asks, and may be declined. Everything else tells what has happened (E40).
    #[must_use]
    pub const fn is_request(self) -> bool {
        matches!(self, Self::AuthorizationRequest | Self::FinancialRequest)
    }

    /// Whether it books money instead of only promising it.
    #[must_use]
    pub const fn is_financial(self) -> bool {
        matches!(self, Self::FinancialRequest | Self::FinancialAdvice | Self::Clearing)
    }

    /// The word that reports and the API use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationRequest => "authorization_request",
            Self::AuthorizationAdvice => "authorization_advice",
            Self::FinancialRequest => "financial_request",
            Self::FinancialAdvice => "financial_advice",
            Self::Clearing => "clearing",
        }
    }
}

/// The network's own transaction id (a Visa transaction identifier, a Mastercard trace id): it stays through the
/// life of a transaction, from the first authorization to the last refund.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct NetworkReference(Text<16>);

impl NetworkReference {
    /// Checks the text: 1 to 16 bytes.
    pub fn new(text: &str) -> Result<Self, TextError> {
        Text::name(text).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for NetworkReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Approval code, DE 38: six characters that a merchant can read out over the telephone. Ours are digits; a network that
/// approves in our name may use capital letters too.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ApprovalCode(u32);

impl ApprovalCode {
    /// The code of a transaction: a mix of its identity, so that neighbours do not look alike and replay
    /// gives the same code again. Never 000000, which some terminals take for "none".
    #[must_use]
    pub const fn of(transaction: TransactionId) -> Self {
        // splitmix64's finalizer: every input bit reaches every output bit.
        let mut mixed = transaction.number.0 ^ ((transaction.shard.0 as u64) << 48);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        Self((mixed % 999_999) as u32 + 1)
    }

    /// The code that a message names; `None` unless it is six digits or capital letters, and not all zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
        if text.len() != Self::LEN || !text.bytes().all(allowed) {
            return None;
        }
        if let Ok(digits) = text.parse::<u32>() {
            return (digits > 0).then_some(Self(digits));
        }
        let value = u32::from_str_radix(text, 36).ok()?;
        value.checked_add(Self::LETTERS_FROM).map(Self)
    }

    /// The digits or capital letters that it is written with.
    #[must_use]
    pub fn characters(self) -> [u8; Self::LEN] {
        match self.0.checked_sub(Self::LETTERS_FROM) {
            // Nearly all are ours, and digits; a constant base needs no division.
            None => written::<10>(self.0),
            Some(value) => written::<36>(value),
        }
    }

    /// How many characters it has.
    pub const LEN: usize = 6;

    /// A code with a letter in it is kept as this and its value to the base of 36; one of digits as its value.
    const LETTERS_FROM: u32 = 1_000_000;

    /// The code as a number: 1 to 999999 where it is one of digits.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// The last digits of a value to a base, with capital letters.
fn written<const BASE: u32>(mut value: u32) -> [u8; ApprovalCode::LEN] {
    let mut characters = [b'0'; ApprovalCode::LEN];
    for place in characters.iter_mut().rev() {
        let digit = (value % BASE) as u8;
        *place = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
        value /= BASE;
    }
    characters
}

impl fmt::Display for ApprovalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.characters()).unwrap_or_default())
    }
}

/// One of the virtual shards; a funding account and all its cards live in one shard.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ShardId(pub u16);

impl ShardId {
    /// How many virtual shards there are. Part of the journal's format: it never changes.
    pub const COUNT: u16 = 256;

    /// The shard of an account: FNV-1a over its name, modulo the number of shards.
    #[must_use]
    pub fn of(account: &crate::AccountId) -> Self {
        let hash = account.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        // The low bits of FNV-1a are its best ones, and the remainder always fits.
        Self(u16::try_from(hash % u64::from(Self::COUNT)).unwrap_or(0))
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

/// The number of a transaction within its shard: microseconds of the wall clock when it was first seen, and
/// always above the number before. So it rises, tells its time, and is not used again when a journal is
/// started afresh.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct TransactionNo(pub u64);

/// A transaction, named across the whole switch and towards the balance service: `tx-017-0006423a9f2c1b40`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct TransactionId {
    /// The shard that owns it.
    pub shard: ShardId,
    /// Its number there.
    pub number: TransactionNo,
}

impl TransactionId {
    /// Reads the form that `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (shard, number) = text.strip_prefix("tx-")?.split_once('-')?;
        let shard: u16 = shard.parse().ok().filter(|shard| *shard < ShardId::COUNT)?;
        let number = u64::from_str_radix(number, 16).ok()?;
        let id = Self { shard: ShardId(shard), number: TransactionNo(number) };
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tx-{}-{:016x}", self.shard, self.number.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AccountId;

    #[test]
    fn references_are_checked_once_at_the_edge() {
        assert!(Stan::new(999_999).is_ok());
        assert_eq!(Stan::new(1_000_000).unwrap_err().to_string(), "STAN 1000000 has more than six digits");
        assert!(Transmission::new(1_231_235_959).is_ok());
        for bad in [0, 1_301_000_000, 132_000_000, 101_240_000, 101_006_000, 101_000_060, 11_231_235_959] {
            assert!(Transmission::new(bad).is_err(), "{bad}");
        }
        assert!(AcquirerId::new(100_000_000_000).is_err());
        for number in [0, 12_345, 99_999_999_999] {
            assert_eq!(AcquirerId::new(number).map(AcquirerId::number), Ok(number));
        }
    }

    #[test]
    fn an_approval_code_has_six_digits_or_capital_letters_and_is_shown_as_it_came() {
        for code in ["000001", "999999", "ABC123", "STNDIN", "0000A0", "ZZZZZZ"] {
            assert_eq!(ApprovalCode::parse(code).map(|code| code.to_string()).as_deref(), Some(code));
        }
        for none in ["000000", "12345", "1234567", "abc123", "AB 123", "+12345", "ABCDE\u{c9}"] {
            assert_eq!(ApprovalCode::parse(none), None, "{none}");
        }
    }

    #[test]
    fn a_transaction_id_reads_back_and_nothing_else_does() {
        let id = TransactionId { shard: ShardId(17), number: TransactionNo(1_763_663_520_123_456) };
        assert_eq!(TransactionId::parse(&id.to_string()), Some(id));
        for bad in ["", "tx-17-1", "tx-256-0000000000000001", "tx-017-+000000000000001"] {
            assert_eq!(TransactionId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn approval_codes_of_neighbours_differ_and_are_never_zero() {
        let code = |number| {
            ApprovalCode::of(TransactionId { shard: ShardId(3), number: TransactionNo(number) }).number()
        };
        assert_eq!(code(7), code(7));
        assert_ne!(code(7), code(8));
        assert!((0..10_000).all(|number| (1..=999_999).contains(&code(number))));
    }

    #[test]
    fn the_shard_of_an_account_is_part_of_the_format() {
        // These never change: a journal written by one version is read by the next.
        let shard = |name| ShardId::of(&AccountId::new(name).unwrap()).0;
        assert_eq!([shard("a"), shard("acct_1"), shard("acct_2")], [140, 218, 39]);
    }
}
