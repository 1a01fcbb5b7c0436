//! The words between the switch and the balance service: JSON bodies, and what counts as an answer.
//!
//! `CONTRACT.md` beside this crate is the reader's version; a test replays its examples through this module.
//! Amounts of an asset are whole smallest units in a decimal string, because 18 decimals do not fit the
//! numbers of most JSON readers. There is no float anywhere, and one that arrives is refused.
//!
//! An answer is taken at its word only if it is about this ask, says one of the two decisions, and promises
//! no more than was asked. Everything else is malformed: never an approval, and never a decline either,
//! because the service may have reserved. Unknown *fields* are passed over, so that the contract can grow.

use domain::{
    Ask, AssetCode, CancelCause, Currency, Duty, DutyKind, Money, PartialApproval, Rate, ShardId, Text,
    Timestamp, TransactionId, Units,
};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// Where asks are posted to, below the endpoint's base path.
pub const ASKS_PATH: &str = "/v1/asks";
/// Where cancels are posted to.
pub const CANCELS_PATH: &str = "/v1/cancels";
/// Where advices are posted to.
pub const ADVICES_PATH: &str = "/v1/advices";
/// The header of an ask with the milliseconds that are left when it is sent.
pub const DEADLINE_HEADER: &str = "x-deadline-ms";

/// One message to the service: where it goes, its id, and its body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// The path below the endpoint's base path.
    pub path: &'static str,
    /// Names the message and makes it idempotent: the same id always has the same meaning.
    pub id: String,
    /// The JSON body.
    pub body: Vec<u8>,
}

/// An ask, as the service is told it.
pub fn ask(ask: &Ask, remaining: Duration, expires_at: Timestamp) -> Result<Message, serde_json::Error> {
    let request = &ask.request;
    let merchant = &request.merchant;
    let id = ask.transaction.to_string();
    let body = serde_json::to_vec(&AskBody {
        ask_id: &id,
        account: ask.account.as_str(),
        card: CardBody { id: ask.card.as_str(), last_four: Shown(ask.last_four) },
        asset: ask.asset.code().as_str(),
        decimals: ask.asset.decimals(),
        units: Shown(ask.amounts.units),
        amount: MoneyBody::of(ask.amounts.card),
        merchant_amount: MoneyBody::of(request.amount),
        rate: ask.rate.as_ref().map(RateBody::of),
        merchant: MerchantBody {
            id: given(merchant.id.as_str()),
            terminal: given(merchant.terminal.as_str()),
            name: given(merchant.name.as_str()),
            mcc: merchant.mcc.map(|mcc| Digits::<4>(mcc.0.into())),
            country: merchant.country.map(|country| Digits::<3>(country.0.into())),
        },
        references: ReferencesBody {
            stan: Shown(request.stan),
            rrn: request.rrn.as_ref().map(|rrn| rrn.as_str()),
            acquirer: Shown(request.acquirer),
            transmission: Shown(request.transmission),
        },
        processing_code: Digits(request.processing_code.0),
        entry_mode: request.entry_mode.map(|mode| Digits::<3>(mode.0.into())),
        partial_ok: request.partial == PartialApproval::Supported,
        received_at: Instant(ask.received),
        expires_at: Instant(expires_at),
        remaining_ms: u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX),
    })?;
    Ok(Message { path: ASKS_PATH, id, body })
}

/// A duty, as the service is told it. Every attempt has the same id and the same body.
pub fn duty(shard: ShardId, duty: &Duty) -> Result<Message, serde_json::Error> {
    let ask_id = TransactionId { shard, number: duty.transaction }.to_string();
    let number = duty.number.0;
    let (account, asset) = (duty.account.as_str(), duty.asset.code());
    let (asset, units) = (asset.as_str(), Shown(duty.units));
    match &duty.kind {
        DutyKind::Cancel(cause) => {
            let id = format!("{ask_id}-cancel-{number:016x}");
            let cause = *cause;
            let body = CancelBody { ask_id: &ask_id, cancel_id: &id, cause, account, asset, units };
            let body = serde_json::to_vec(&body)?;
            Ok(Message { path: CANCELS_PATH, id, body })
        }
        DutyKind::Advise { merchant } => {
            let id = format!("{ask_id}-advice-{number:016x}");
            let merchant = OnlyName { name: given(merchant.as_str()) };
            let body = AdviceBody { ask_id: &ask_id, advice_id: &id, account, asset, units, merchant };
            let body = serde_json::to_vec(&body)?;
            Ok(Message { path: ADVICES_PATH, id, body })
        }
        DutyKind::Confirm
        | DutyKind::Reverse { .. }
        | DutyKind::Clear { .. }
        | DutyKind::Refund { .. }
        | DutyKind::Undo { .. }
        | DutyKind::Expire => follow_up(&ask_id, duty),
    }
}

/// A duty that tells what became of a transaction after its approval.
fn follow_up(ask_id: &str, duty: &Duty) -> Result<Message, serde_json::Error> {
    let mut body = FollowUpBody::of(ask_id, duty);
    let (path, word) = match &duty.kind {
        DutyKind::Cancel(_) => (CANCELS_PATH, "cancel"),
        DutyKind::Advise { merchant } => {
            body.merchant = Some(OnlyName { name: given(merchant.as_str()) });
            (ADVICES_PATH, "advice")
        }
        DutyKind::Confirm => ("/v1/confirms", "confirm"),
        DutyKind::Reverse { left } => {
            body.left = Some(Shown(*left));
            ("/v1/reversals", "reversal")
        }
        DutyKind::Clear { reserved, released, last, merchant } => {
            (body.reserved, body.released) = (Some(Shown(*reserved)), Some(Shown(*released)));
            (body.last, body.merchant) = (Some(*last), Some(OnlyName { name: given(merchant.as_str()) }));
            ("/v1/clearings", "clearing")
        }
        DutyKind::Refund { merchant } => {
            body.merchant = Some(OnlyName { name: given(merchant.as_str()) });
            ("/v1/refunds", "refund")
        }
        DutyKind::Undo { credit } => {
            body.credit = Some(*credit);
            ("/v1/undos", "undo")
        }
        DutyKind::Expire => ("/v1/expiries", "expiry"),
    };
    let id = format!("{ask_id}-{word}-{:016x}", duty.number.0);
    body.follow_up_id = &id;
    let body = serde_json::to_vec(&body)?;
    Ok(Message { path, id, body })
}

/// What the service decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It reserved this much: all or a part of what was asked.
    Approved(Units),
    /// It reserved nothing, and gave this code.
    Declined(Text<24>),
}

/// Why an answer is not one.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Not JSON, a missing or repeated field, a float, or a decision that is none of the two.
    #[error("the answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The answer speaks of something else.
    #[error("the answer is about {found:?}, the ask was {asked}")]
    OtherAsk {
        /// The id found, cut to a length that can be logged.
        found: String,
        /// The id asked about.
        asked: TransactionId,
    },
    /// More than was asked, or nothing at all.
    #[error("the answer approves {found} units, 1 to {asked} are allowed")]
    Units {
        /// Units found.
        found: Units,
        /// Units asked for.
        asked: Units,
    },
    /// A part, where the terminal cannot take a part.
    #[error("the answer approves {found} of {asked} units, but a part was not asked for")]
    PartNotWanted {
        /// Units found.
        found: Units,
        /// Units asked for.
        asked: Units,
    },
    /// A decline that promises money.
    #[error("the answer declines and yet reserves {found} units")]
    DeclineWithUnits {
        /// Units found.
        found: Units,
    },
}

/// Reads the service's answer to `ask`, and checks it against the ask.
pub fn verdict(ask: &Ask, body: &[u8]) -> Result<Verdict, AnswerError> {
    let answer: AnswerBody = serde_json::from_slice(body)?;
    if TransactionId::parse(&answer.ask_id) != Some(ask.transaction) {
        let found = answer.ask_id.chars().take(60).collect();
        return Err(AnswerError::OtherAsk { found, asked: ask.transaction });
    }
    let asked = ask.amounts.units;
    let units = answer.units.map(|units| units.0);
    match answer.decision {
        Decision::Approve => {
            let found = units.unwrap_or(asked);
            if !found.is_positive() || found > asked {
                return Err(AnswerError::Units { found, asked });
            }
            if found < asked && ask.request.partial == PartialApproval::NotSupported {
                return Err(AnswerError::PartNotWanted { found, asked });
            }
            Ok(Verdict::Approved(found))
        }
        Decision::Decline => match units {
            Some(found) if found.is_positive() => Err(AnswerError::DeclineWithUnits { found }),
            Some(_) | None => Ok(Verdict::Declined(code(answer.code.as_deref()))),
        },
    }
}

/// The service's code, as much of it as can be kept. A decline stays a decline however its code is written.
fn code(given: Option<&str>) -> Text<24> {
    let mut kept = String::new();
    for letter in given.unwrap_or_default().chars().filter(|letter| !letter.is_control()) {
        if kept.len() + letter.len_utf8() > 24 {
            break;
        }
        kept.push(letter);
    }
    Text::new(&kept).unwrap_or_default()
}

/// `None` for a text that was not sent.
fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[derive(Serialize)]
struct AskBody<'a> {
    ask_id: &'a str,
    account: &'a str,
    card: CardBody<'a>,
    asset: &'a str,
    decimals: u8,
    units: Shown<Units>,
    amount: MoneyBody,
    merchant_amount: MoneyBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<RateBody<'a>>,
    merchant: MerchantBody<'a>,
    references: ReferencesBody<'a>,
    processing_code: Digits<6>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_mode: Option<Digits<3>>,
    partial_ok: bool,
    received_at: Instant,
    expires_at: Instant,
    remaining_ms: u64,
}

#[derive(Serialize)]
struct CardBody<'a> {
    id: &'a str,
    last_four: Shown<domain::LastFour>,
}

#[derive(Serialize)]
struct MoneyBody {
    minor: i64,
    currency: Currency,
}

impl MoneyBody {
    fn of(money: Money) -> Self {
        Self { minor: money.minor(), currency: money.currency() }
    }
}

#[derive(Serialize)]
struct RateBody<'a> {
    from: &'a str,
    to: &'a str,
    value: String,
    source: &'a str,
    as_of: Instant,
    id: &'a str,
}

impl<'a> RateBody<'a> {
    fn of(rate: &'a Rate) -> Self {
        Self {
            from: rate.from.as_str(),
            to: rate.to.as_str(),
            value: rate.value.to_string(),
            source: rate.source.as_str(),
            as_of: Instant(rate.as_of),
            id: rate.id.as_str(),
        }
    }
}

#[derive(Serialize)]
struct MerchantBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mcc: Option<Digits<4>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<Digits<3>>,
}

#[derive(Serialize)]
struct OnlyName<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct ReferencesBody<'a> {
    stan: Shown<domain::Stan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rrn: Option<&'a str>,
    acquirer: Shown<domain::AcquirerId>,
    transmission: Shown<domain::Transmission>,
}

#[derive(Serialize)]
struct CancelBody<'a> {
    ask_id: &'a str,
    cancel_id: &'a str,
    cause: CancelCause,
    account: &'a str,
    asset: &'a str,
    units: Shown<Units>,
}

#[derive(Serialize)]
struct AdviceBody<'a> {
    ask_id: &'a str,
    advice_id: &'a str,
    account: &'a str,
    asset: &'a str,
    units: Shown<Units>,
    merchant: OnlyName<'a>,
}

/// What became of a transaction after its approval. A field that does not belong to the kind is left out.
#[derive(Serialize)]
struct FollowUpBody<'a> {
    ask_id: &'a str,
    follow_up_id: &'a str,
    account: &'a str,
    asset: AssetCode,
    units: Shown<Units>,
    sequence: u32,
    account_sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<Shown<Units>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved: Option<Shown<Units>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<Shown<Units>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credit: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant: Option<OnlyName<'a>>,
}

impl<'a> FollowUpBody<'a> {
    fn of(ask_id: &'a str, duty: &'a Duty) -> Self {
        Self {
            ask_id,
            follow_up_id: "",
            account: duty.account.as_str(),
            asset: duty.asset.code(),
            units: Shown(duty.units),
            sequence: duty.sequence,
            account_sequence: duty.account_sequence,
            left: None,
            reserved: None,
            released: None,
            last: None,
            credit: None,
            merchant: None,
        }
    }
}

#[derive(Deserialize)]
struct AnswerBody {
    ask_id: String,
    decision: Decision,
    #[serde(default)]
    units: Option<WholeUnits>,
    #[serde(default)]
    code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Approve,
    Decline,
}

/// A value that travels as the text that `Display` writes.
struct Shown<T>(T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A code of `N` digits with its leading zeros: these are names, not numbers.
struct Digits<const N: usize>(u32);

impl<const N: usize> Serialize for Digits<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:0N$}", self.0))
    }
}

/// A time as RFC 3339 in UTC with milliseconds.
struct Instant(Timestamp);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A time outside the calendar can only be "never"; the end of the calendar says so best.
        let time = jiff::Timestamp::from_microsecond(self.0.micros()).unwrap_or(jiff::Timestamp::MAX);
        serializer.collect_str(&format_args!("{time:.3}"))
    }
}

/// Whole units from the outside: a decimal string without sign or leading zeros, or a JSON integer.
struct WholeUnits(Units);

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
