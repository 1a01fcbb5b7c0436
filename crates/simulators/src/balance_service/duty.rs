//! Duties as a balance service reads them: one path and one name of the id for each kind.

use super::messages::{transaction, units};
use domain::{AccountId, AssetCode, TransactionId, Units};
use funding::contract::{
    ADVICES_PATH, CANCELS_PATH, CLEARINGS_PATH, CONFIRMS_PATH, EXPIRIES_PATH, REFUNDS_PATH, REVERSALS_PATH,
    UNDOS_PATH,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, de};
use serde_json::Value;

/// Something that the service has to take in; it cannot refuse.
#[derive(Clone, Debug)]
pub(super) struct Duty {
    pub(super) id: String,
    pub(super) common: Common,
    pub(super) what: What,
}

/// What every duty says.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Common {
    #[serde(deserialize_with = "transaction")]
    pub(super) ask_id: TransactionId,
    pub(super) account: AccountId,
    pub(super) asset: AssetCode,
    #[serde(deserialize_with = "units")]
    pub(super) units: Units,
    pub(super) sequence: u32,
    pub(super) account_sequence: u64,
}

/// What has happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum What {
    Confirm,
    Cancel(Cause),
    Advice,
    Reversal(Left),
    Clearing(Clearing),
    Refund,
    Undo(Direction),
    Expiry,
}

/// Why something is given back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cause {
    OutcomeUnknown,
    Unused,
    Reversed,
    Expired,
}

/// What stays reserved.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub(super) struct Left {
    #[serde(deserialize_with = "units")]
    pub(super) left: Units,
}

/// What a clearing takes out of the reservation, gives back of it, and whether that was the last of it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub(super) struct Clearing {
    #[serde(deserialize_with = "units")]
    pub(super) reserved: Units,
    #[serde(deserialize_with = "units")]
    pub(super) released: Units,
    pub(super) last: bool,
}

/// Whether the customer gets money or loses it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Direction {
    Credit,
    Debit,
}

#[derive(Deserialize)]
struct Why {
    cause: Cause,
}

#[derive(Deserialize)]
struct Which {
    direction: Direction,
}

/// Whether duties of some kind are posted to `path`.
pub(super) fn is_duty(path: &str) -> bool {
    id_field(path).is_some()
}

/// How the message of a path names itself.
fn id_field(path: &str) -> Option<&'static str> {
    Some(match path {
        CONFIRMS_PATH => "confirm_id",
        CANCELS_PATH => "cancel_id",
        ADVICES_PATH => "advice_id",
        REVERSALS_PATH => "reversal_id",
        CLEARINGS_PATH => "clearing_id",
        REFUNDS_PATH => "refund_id",
        UNDOS_PATH => "undo_id",
        EXPIRIES_PATH => "expiry_id",
        _ => return None,
    })
}

impl Duty {
    /// Reads what was posted to `path`.
    pub(super) fn read(path: &str, body: &[u8]) -> Result<Self, serde_json::Error> {
        let value: Value = serde_json::from_slice(body)?;
        let missing = |what: &str| de::Error::custom(format!("{what} is missing"));
        let field = id_field(path).ok_or_else(|| missing("the path"))?;
        let id = value.get(field).and_then(Value::as_str).ok_or_else(|| missing(field))?.to_owned();
        let common = part(&value)?;
        let what = match path {
            CONFIRMS_PATH => What::Confirm,
            CANCELS_PATH => What::Cancel(part::<Why>(&value)?.cause),
            ADVICES_PATH => What::Advice,
            REVERSALS_PATH => What::Reversal(part(&value)?),
            CLEARINGS_PATH => What::Clearing(part(&value)?),
            REFUNDS_PATH => What::Refund,
            UNDOS_PATH => What::Undo(part::<Which>(&value)?.direction),
            _ => What::Expiry,
        };
        Ok(Self { id, common, what })
    }
}

fn part<T: DeserializeOwned>(value: &Value) -> Result<T, serde_json::Error> {
    T::deserialize(value)
}
