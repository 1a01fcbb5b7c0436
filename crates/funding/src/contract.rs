//! The words between the switch and the balance service: JSON bodies, and what counts as an answer.
//!
//! `CONTRACT.md` beside this crate is the reader's version; a test replays its examples through this module.
//! Amounts of an asset are whole smallest units in a decimal string, because 18 decimals do not fit the
//! numbers of most JSON readers. There is no float anywhere, and one that arrives is refused.
//!
//! Here is what we send; [`answer`](answer()) says what counts as an answer.

mod answer;
mod duty;
mod page;
mod units;

pub use answer::{Answer, AnswerError, DeclineReason, Quote, ServiceBalance, Told, Verdict, answer, verdict};
pub use duty::duty;
pub use page::{OPENAPI, page};

use domain::{
    Ask, Currency, Details, Initiator, Money, PartialApproval, Presence, Price, Rate, SecurityResults,
    Timestamp, TransactionId, TransactionType, Units,
};
use serde::Serialize;
use std::time::Duration;
use units::{Digits, Instant, Shown};

/// Where asks are posted to, below the endpoint's base path.
pub const ASKS_PATH: &str = "/v1/asks";
/// Where cancels are posted to.
pub const CANCELS_PATH: &str = "/v1/cancels";
/// Where advices are posted to.
pub const ADVICES_PATH: &str = "/v1/advices";
/// Where confirmations are posted to.
pub const CONFIRMS_PATH: &str = "/v1/confirms";
/// Where reversals of a part are posted to.
pub const REVERSALS_PATH: &str = "/v1/reversals";
/// Where clearings are posted to.
pub const CLEARINGS_PATH: &str = "/v1/clearings";
/// Where refunds are posted to.
pub const REFUNDS_PATH: &str = "/v1/refunds";
/// Where undone refunds and undone payments are posted to.
pub const UNDOS_PATH: &str = "/v1/undos";
/// Where ends of holds are posted to.
pub const EXPIRIES_PATH: &str = "/v1/expiries";
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
    let (merchant, details) = (&request.merchant, &request.details);
    let id = ask.transaction.to_string();
    let body = serde_json::to_vec(&AskBody {
        ask_id: &id,
        increment_of: ask.increment_of.map(Shown),
        account: ask.account.as_str(),
        card: CardBody { id: ask.card.as_str(), last_four: Shown(ask.last_four) },
        asset: ask.asset.code().as_str(),
        decimals: ask.asset.decimals(),
        units: Shown(ask.amounts.units),
        amount: MoneyBody::of(ask.amounts.card),
        merchant_amount: MoneyBody::of(request.amount),
        rate: ask.rate.as_ref().map(RateBody::of),
        price: ask.price.as_ref().map(PriceBody::of),
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
            network: details.network_reference.map(Shown),
        },
        transaction_type: request.transaction_type(),
        processing_code: Digits(request.processing_code.0),
        entry_mode: request.entry_mode.map(|mode| Digits::<3>(mode.0.into())),
        presence: Some(details.presence).filter(|presence| *presence != Presence::Unknown),
        initiator: Some(details.initiator).filter(|initiator| *initiator != Initiator::Cardholder),
        verification: VerificationBody::of(details),
        partial_ok: request.partial == PartialApproval::Supported,
        held: Shown(ask.held),
        outstanding_standin: Shown(ask.outstanding_standin),
        received_at: Instant(ask.received),
        expires_at: Instant(expires_at),
        remaining_ms: u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX),
    })?;
    Ok(Message { path: ASKS_PATH, id, body })
}

/// `None` for a text that was not sent.
fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[derive(Serialize)]
struct AskBody<'a> {
    ask_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    increment_of: Option<Shown<TransactionId>>,
    account: &'a str,
    card: CardBody<'a>,
    asset: &'a str,
    decimals: u8,
    units: Shown<Units>,
    amount: MoneyBody,
    merchant_amount: MoneyBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<RateBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<PriceBody<'a>>,
    merchant: MerchantBody<'a>,
    references: ReferencesBody<'a>,
    transaction_type: TransactionType,
    processing_code: Digits<6>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_mode: Option<Digits<3>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence: Option<Presence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initiator: Option<Initiator>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<VerificationBody>,
    partial_ok: bool,
    held: Shown<Units>,
    outstanding_standin: Shown<Units>,
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

/// What the units are made of: all parts together are the units.
#[derive(Serialize)]
struct PriceBody<'a> {
    base: Shown<Units>,
    markup: Shown<Units>,
    fee: Shown<Units>,
    buffer: Shown<Units>,
    #[serde(skip_serializing_if = "Option::is_none")]
    second_rate: Option<RateBody<'a>>,
}

impl<'a> PriceBody<'a> {
    fn of(price: &'a Price) -> Self {
        Self {
            base: Shown(price.base),
            markup: Shown(price.markup),
            fee: Shown(price.fee),
            buffer: Shown(price.buffer),
            second_rate: price.second_leg.as_ref().map(RateBody::of),
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

/// A merchant of whom only the name is known.
#[derive(Serialize)]
struct OnlyName<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<'a> OnlyName<'a> {
    fn of(name: &'a str) -> Self {
        Self { name: given(name) }
    }
}

#[derive(Serialize)]
struct ReferencesBody<'a> {
    stan: Shown<domain::Stan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rrn: Option<&'a str>,
    acquirer: Shown<domain::AcquirerId>,
    transmission: Shown<domain::Transmission>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Shown<domain::NetworkReference>>,
}

/// What others have checked; what nobody checked is absent.
#[derive(Default, PartialEq, Serialize)]
struct VerificationBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    cvv2: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avs: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    three_d_secure: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pin: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cryptogram: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk_score: Option<u16>,
}

impl VerificationBody {
    fn of(details: &Details) -> Option<Self> {
        let (found, none) = (&details.security, SecurityResults::default());
        let checked = Self {
            cvv2: (found.cvv2 != none.cvv2).then(|| found.cvv2.as_str()),
            avs: (found.avs != none.avs).then(|| found.avs.as_str()),
            three_d_secure: (found.three_d_secure != none.three_d_secure)
                .then(|| found.three_d_secure.as_str()),
            pin: (found.pin != none.pin).then(|| found.pin.as_str()),
            cryptogram: (found.cryptogram != none.cryptogram).then(|| found.cryptogram.as_str()),
            risk_score: details.score.map(|score| score.0),
        };
        (checked != Self::default()).then_some(checked)
    }
}
