//! The messages as a balance service reads them.
//!
//! Written from the contract and not from the switch's own types, so that the two sides check each other.

use domain::{AccountId, AssetCode, TransactionId, Units};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// An ask: reserve this much, or say no.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Ask {
    #[serde(deserialize_with = "transaction")]
    pub(super) ask_id: TransactionId,
    pub(super) account: AccountId,
    pub(super) asset: AssetCode,
    #[serde(deserialize_with = "units")]
    pub(super) units: Units,
    pub(super) partial_ok: bool,
    pub(super) remaining_ms: u64,
}

/// One account and its money, as a line of a file: `{"account":"acct_1","asset":"USDT","units":"12500000"}`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The account.
    pub account: AccountId,
    /// What it holds.
    pub asset: AssetCode,
    /// How much, in the asset's smallest unit.
    #[serde(deserialize_with = "units")]
    pub units: Units,
}

/// A line that is no account.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {source}")]
pub struct OpeningError {
    line: usize,
    source: serde_json::Error,
}

impl Opening {
    /// Reads JSON lines. Empty lines are passed over.
    pub fn read_lines(text: &str) -> Result<Vec<Self>, OpeningError> {
        text.lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(index, line)| {
                serde_json::from_str(line).map_err(|source| OpeningError { line: index + 1, source })
            })
            .collect()
    }
}

/// The answer to an ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Answer {
    pub(super) decision: Decision,
    /// What the account has after the decision; `None` where there is no such account.
    pub(super) balance: Option<Balance>,
}

/// Yes to this much, or no.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Decision {
    Approve(Units),
    Decline(&'static str),
}

/// What may be spent, and a number that rises with every change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Balance {
    pub(super) version: u64,
    pub(super) available: Units,
}

impl Answer {
    pub(super) fn json(self, ask: TransactionId) -> Value {
        let id = ask.to_string();
        let mut answer = match self.decision {
            Decision::Approve(units) => {
                json!({ "ask_id": id, "decision": "approve", "units": units.to_string() })
            }
            Decision::Decline(code) => json!({ "ask_id": id, "decision": "decline", "code": code }),
        };
        if let (Some(fields), Some(balance)) = (answer.as_object_mut(), self.balance) {
            let told = json!({ "version": balance.version, "available": balance.available.to_string() });
            fields.insert("balance".to_owned(), told);
        }
        answer
    }
}

pub(super) fn transaction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TransactionId, D::Error> {
    let text = String::deserialize(deserializer)?;
    TransactionId::parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is no ask id")))
}

pub(super) fn units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Units, D::Error> {
    let text = String::deserialize(deserializer)?;
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(units) if plain => Ok(Units(units)),
        Ok(_) | Err(_) => Err(D::Error::custom(format!("{text:?} is not a whole number of units"))),
    }
}
