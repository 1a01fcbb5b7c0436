//! What counts as an answer, and what it may say beside its decision.
//!
//! An answer is taken at its word only if it is about this ask, says one of the two decisions, and promises
//! no more than was asked. Everything else is malformed: never an approval, and never a decline either,
//! because the service may have reserved. Unknown *fields* are passed over, so that the contract can grow;
//! an unknown *value* of a field that decides is not.

use super::units::WholeUnits;
use domain::{AccountId, Ask, PartialApproval, Text, Timestamp, TransactionId, Units};
use serde::Deserialize;

/// What the service decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It reserved this much: all or a part of what was asked.
    Approved(Units),
    /// It reserved nothing, for this reason: one of the contract's list, or a code of its own.
    Declined(Text<24>),
}

/// A whole answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The decision.
    pub verdict: Verdict,
    /// What it says beside that; `None` for an answer that says nothing more.
    pub told: Option<Told>,
}

/// What an answer may say beside its decision.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Told {
    /// The account that the money is taken from, where that is another one than was asked for.
    pub account: Option<AccountId>,
    /// How much the account has.
    pub balance: Option<ServiceBalance>,
    /// The quote that the decision rests on.
    pub quote: Option<Quote>,
    /// A sentence for support people.
    pub text: Text<64>,
}

/// How much the service says an account has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServiceBalance {
    /// Rises with every change at the service; an older one tells nothing.
    pub version: u64,
    /// What may be spent, in the account's units. Below zero, the account owes.
    pub available: Units,
}

/// A rate that the service promises for a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quote {
    /// The service's name for it.
    pub id: Text<40>,
    /// When the promise ends.
    pub expires_at: Timestamp,
}

/// The reasons of the contract's list. A service may give a code of its own instead.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// The account has too little.
    InsufficientFunds,
    /// More than the customer may spend.
    LimitExceeded,
    /// The account is closed.
    AccountClosed,
    /// The account is blocked for now.
    AccountBlocked,
    /// The service does not know the account.
    UnknownAccount,
    /// It looks like fraud.
    SuspectedFraud,
    /// The product does not allow this kind of payment.
    NotPermitted,
}

impl DeclineReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::InsufficientFunds,
        Self::LimitExceeded,
        Self::AccountClosed,
        Self::AccountBlocked,
        Self::UnknownAccount,
        Self::SuspectedFraud,
        Self::NotPermitted,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "insufficient_funds",
            Self::LimitExceeded => "limit_exceeded",
            Self::AccountClosed => "account_closed",
            Self::AccountBlocked => "account_blocked",
            Self::UnknownAccount => "unknown_account",
            Self::SuspectedFraud => "suspected_fraud",
            Self::NotPermitted => "not_permitted",
        }
    }
}

/// Why an answer is not one.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Not JSON, a missing or repeated field, a float, or a value that the contract does not know.
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
    /// An approval that gives a reason to decline.
    #[error("the answer approves and yet gives a reason to decline")]
    ApprovalWithReason,
    /// The quote that the approval rests on is over before our answer can leave (E11).
    #[error("the quote of the answer is over before the answer can be used")]
    QuoteOver {
        /// When it ends.
        expires_at: Timestamp,
    },
}

/// Reads the service's answer to `ask`, and checks it against the ask. `used_at` is when the processor's answer
/// can have left: a quote must hold until then.
pub fn answer(ask: &Ask, body: &[u8], used_at: Timestamp) -> Result<Answer, AnswerError> {
    let answer: AnswerBody = serde_json::from_slice(body)?;
    if TransactionId::parse(&answer.ask_id) != Some(ask.transaction) {
        let found = answer.ask_id.chars().take(60).collect();
        return Err(AnswerError::OtherAsk { found, asked: ask.transaction });
    }
    let verdict = answer.verdict(ask)?;
    let told = answer.told()?;
    if let (Verdict::Approved(_), Some(Quote { expires_at, .. })) = (verdict, told.quote)
        && expires_at <= used_at
    {
        return Err(AnswerError::QuoteOver { expires_at });
    }
    Ok(Answer { verdict, told: (told != Told::default()).then_some(told) })
}

/// The decision alone, whatever else the answer says.
pub fn verdict(ask: &Ask, body: &[u8]) -> Result<Verdict, AnswerError> {
    answer(ask, body, Timestamp::from_micros(i64::MIN)).map(|answer| answer.verdict)
}

#[derive(Deserialize)]
struct AnswerBody {
    ask_id: String,
    decision: Decision,
    #[serde(default)]
    units: Option<WholeUnits>,
    #[serde(default)]
    reason: Option<DeclineReason>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    balance: Option<BalanceBody>,
    #[serde(default)]
    quote: Option<QuoteBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Approve,
    Decline,
}

#[derive(Deserialize)]
struct BalanceBody {
    version: u64,
    available: super::units::SignedUnits,
}

#[derive(Deserialize)]
struct QuoteBody {
    id: String,
    expires_at: jiff::Timestamp,
}

impl AnswerBody {
    fn verdict(&self, ask: &Ask) -> Result<Verdict, AnswerError> {
        let asked = ask.amounts.units;
        let units = self.units.as_ref().map(|units| units.0);
        match self.decision {
            Decision::Approve => {
                let found = units.unwrap_or(asked);
                if !found.is_positive() || found > asked {
                    return Err(AnswerError::Units { found, asked });
                }
                if found < asked && ask.request.partial == PartialApproval::NotSupported {
                    return Err(AnswerError::PartNotWanted { found, asked });
                }
                if self.reason.is_some() {
                    return Err(AnswerError::ApprovalWithReason);
                }
                Ok(Verdict::Approved(found))
            }
            Decision::Decline => match units {
                Some(found) if found.is_positive() => Err(AnswerError::DeclineWithUnits { found }),
                Some(_) | None => {
                    let reason = self.reason.map(DeclineReason::as_str);
                    Ok(Verdict::Declined(kept(reason.or(self.code.as_deref()).unwrap_or_default())))
                }
            },
        }
    }

    fn told(&self) -> Result<Told, AnswerError> {
        let unreadable = |problem: &str| AnswerError::Unreadable(serde::de::Error::custom(problem));
        let account = match &self.account {
            Some(name) => Some(AccountId::new(name).map_err(|_| unreadable("account is no account's name"))?),
            None => None,
        };
        let quote = match &self.quote {
            Some(quote) => Some(Quote {
                id: Text::new(&quote.id).map_err(|_| unreadable("quote.id is longer than 40 bytes"))?,
                expires_at: Timestamp::from_micros(quote.expires_at.as_microsecond()),
            }),
            None => None,
        };
        let balance = self
            .balance
            .as_ref()
            .map(|balance| ServiceBalance { version: balance.version, available: balance.available.0 });
        Ok(Told { account, balance, quote, text: kept(self.text.as_deref().unwrap_or_default()) })
    }
}

/// As much of a text as can be kept. A decline stays a decline however its code is written.
fn kept<const N: usize>(given: &str) -> Text<N> {
    let mut kept = String::new();
    for letter in given.chars().filter(|letter| !letter.is_control()) {
        if kept.len() + letter.len_utf8() > N {
            break;
        }
        kept.push(letter);
    }
    Text::new(&kept).unwrap_or_default()
}
