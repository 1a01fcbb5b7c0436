//! A transaction as support reads it: what happened, and every rule that said no, in words.

use super::money::{AssetAmountAnswer, CurrencyAnswer, MoneyAnswer};
use super::time;
use crate::denominations::Denominations;
use crate::explain;
use authorizer::{TransactionState, TransactionView};
use domain::{Amounts, Approver, Failure, LimitBreach, LimitOwner, Measure, MessageClass, Rate, Span, Units};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct TransactionAnswer {
    id: String,
    at: Option<String>,
    card: String,
    account: String,
    /// Null when only a reversal of it is known.
    class: Option<&'static str>,
    state: &'static str,
    reason: Option<&'static str>,
    /// What happened, for the person who asks.
    explanation: String,
    /// Every rule that said no, the deciding one first.
    failures: Vec<FailureAnswer>,
    amount: Option<CurrencyAnswer>,
    /// What was approved, where it was less than the amount.
    approved_part: Option<CurrencyAnswer>,
    held: Option<HeldAnswer>,
    expires_at: Option<String>,
    rate: Option<UsedRateAnswer>,
    approval_code: Option<String>,
    mcc: Option<String>,
    stan: String,
    transmission: Option<String>,
    rrn: Option<String>,
    /// Purchase, refund, balance_inquiry, ...
    r#type: &'static str,
    approved_by: Option<&'static str>,
    /// The transaction that an increment, a clearing or a refund belongs to.
    belongs_to: Option<String>,
    network_reference: Option<String>,
    /// What was paid to the merchant, or what a refund brought in.
    paid: Option<HeldAnswer>,
    /// What refunds have brought back.
    refunded: Option<HeldAnswer>,
    arn: Option<String>,
    /// What the account side of the hold is made of, where that is more than the amount at one rate.
    price: Option<PriceAnswer>,
    /// What the balance service said beside its decision; null where it said nothing more.
    service: Option<SaidAnswer>,
    /// What is remarkable about a clearing or a refund.
    flags: Vec<&'static str>,
}

/// What is added to the amount at its rate, each part for itself.
#[derive(Debug, Serialize)]
struct PriceAnswer {
    base: MoneyAnswer,
    markup: MoneyAnswer,
    fee: MoneyAnswer,
    /// Held until the last clearing, and never charged.
    buffer: MoneyAnswer,
    second_leg: Option<String>,
}

/// What the balance service said beside its decision.
#[derive(Debug, Serialize)]
struct SaidAnswer {
    /// The account that the money is taken from, where that is another one.
    account: Option<String>,
    /// Its name for the quote that its decision rests on.
    quote: String,
    text: String,
}

/// The rate that the account side was computed with; locked for the life of the hold.
#[derive(Debug, Serialize)]
struct UsedRateAnswer {
    from: String,
    to: String,
    value: String,
    source: String,
    id: String,
    as_of: Option<String>,
}

/// What is promised, in the card's currency and in the account's asset.
#[derive(Debug, Serialize)]
struct HeldAnswer {
    card: CurrencyAnswer,
    account: AssetAmountAnswer,
}

#[derive(Debug, Serialize)]
struct FailureAnswer {
    reason: &'static str,
    explanation: String,
    limit: Option<BreachAnswer>,
    rule: Option<RuleAnswer>,
}

/// The program's rule behind a failure.
#[derive(Debug, Serialize)]
struct RuleAnswer {
    name: String,
    /// `shadow`: it declined nothing.
    mode: &'static str,
}

#[derive(Debug, Serialize)]
struct BreachAnswer {
    owner: &'static str,
    /// A window of the calendar, or `trailing`.
    window: &'static str,
    /// The length of a trailing window.
    seconds: Option<u32>,
    measure: &'static str,
    max: QuantityAnswer,
    used: QuantityAnswer,
    left: QuantityAnswer,
    asked: QuantityAnswer,
}

/// Money as an object, a count as a number.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum QuantityAnswer {
    Money(MoneyAnswer),
    Count(i128),
}

impl From<&TransactionView> for TransactionAnswer {
    fn from(view: &TransactionView) -> Self {
        let money = Denominations { card: view.card_currency, account: view.asset };
        Self {
            id: view.id.to_string(),
            at: time::text(view.at),
            card: view.card.to_string(),
            account: view.account.to_string(),
            class: view.class.map(MessageClass::as_str),
            state: state_word(view.state),
            reason: view.reason.map(domain::Reason::as_str),
            explanation: explain::transaction(view.state, view.reason, view.failures.first(), &money),
            failures: view.failures.iter().map(|failure| FailureAnswer::new(failure, &money)).collect(),
            amount: view.amount.map(CurrencyAnswer::from),
            approved_part: view.part.map(CurrencyAnswer::from),
            held: view.held.map(|held| HeldAnswer::new(&held, &money)),
            expires_at: view.expires_at.and_then(time::text),
            rate: view.rate.as_ref().map(UsedRateAnswer::from),
            approval_code: view.approval_code.map(|code| code.to_string()),
            mcc: view.mcc.map(|mcc| format!("{:04}", mcc.0)),
            stan: view.stan.to_string(),
            transmission: view.transmission.map(|transmission| transmission.to_string()),
            rrn: view.rrn.map(|rrn| rrn.to_string()),
            r#type: view.kind.as_str(),
            approved_by: view.by.map(Approver::as_str),
            belongs_to: view.of.map(|of| of.to_string()),
            network_reference: view.network_reference.map(|reference| reference.to_string()),
            paid: view.paid.map(|paid| HeldAnswer::new(&paid, &money)),
            refunded: view.refunded.map(|refunded| HeldAnswer::new(&refunded, &money)),
            arn: view.arn.map(|arn| arn.to_string()),
            price: view.price.map(|price| {
                let money = |units| MoneyAnswer::new(units, &view.asset);
                PriceAnswer {
                    base: money(price.base),
                    markup: money(price.markup),
                    fee: money(price.fee),
                    buffer: money(price.buffer),
                    second_leg: price.second_leg.map(|rate| rate.id.to_string()),
                }
            }),
            service: view.said.map(|said| SaidAnswer {
                account: said.account.map(|account| account.to_string()),
                quote: said.quote.to_string(),
                text: said.text.to_string(),
            }),
            flags: view.clearing_flags.words().chain(view.refund_flags.words()).collect(),
        }
    }
}

impl HeldAnswer {
    fn new(held: &Amounts, money: &Denominations) -> Self {
        Self { card: held.card.into(), account: AssetAmountAnswer::new(held.units, &money.account) }
    }
}

impl From<&Rate> for UsedRateAnswer {
    fn from(rate: &Rate) -> Self {
        Self {
            from: rate.from.to_string(),
            to: rate.to.to_string(),
            value: rate.value.to_string(),
            source: rate.source.to_string(),
            id: rate.id.to_string(),
            as_of: time::text(rate.as_of),
        }
    }
}

impl FailureAnswer {
    fn new(failure: &Failure, money: &Denominations) -> Self {
        Self {
            reason: failure.reason.as_str(),
            explanation: explain::failure(failure, money),
            limit: failure.limit.as_ref().map(|breach| BreachAnswer::new(breach, money)),
            rule: failure
                .rule
                .map(|breach| RuleAnswer { name: breach.rule.to_string(), mode: breach.mode.as_str() }),
        }
    }
}

impl BreachAnswer {
    fn new(breach: &LimitBreach, money: &Denominations) -> Self {
        let asset = money.of(breach.owner);
        let quantity = |quantity| match breach.measure {
            Measure::Amount => QuantityAnswer::Money(MoneyAnswer::new(Units(quantity), &asset)),
            Measure::Count => QuantityAnswer::Count(quantity),
        };
        Self {
            owner: match breach.owner {
                LimitOwner::Card => "card",
                LimitOwner::Account => "account",
            },
            window: match breach.span {
                Span::Calendar(window) => crate::read::window_word(window),
                Span::Trailing { .. } => "trailing",
            },
            seconds: match breach.span {
                Span::Calendar(_) => None,
                Span::Trailing { seconds } => Some(seconds),
            },
            measure: match breach.measure {
                Measure::Amount => "amount",
                Measure::Count => "count",
            },
            max: quantity(breach.max),
            used: quantity(breach.used),
            left: quantity(breach.left()),
            asked: quantity(breach.asked),
        }
    }
}

const fn state_word(state: TransactionState) -> &'static str {
    match state {
        TransactionState::Asked => "asked",
        TransactionState::Approved => "approved",
        TransactionState::Declined => "declined",
        TransactionState::Reversed => "reversed",
        TransactionState::Expired => "expired",
        TransactionState::ReversedFirst => "reversed_first",
        TransactionState::Cleared => "cleared",
        TransactionState::Posted => "posted",
        TransactionState::Added => "added",
        TransactionState::Answered => "answered",
    }
}
