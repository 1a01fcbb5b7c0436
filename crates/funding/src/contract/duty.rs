//! Duties as the service is told them: one path, one id and one body for each kind.

use super::units::Shown;
use super::{
    ADVICES_PATH, CANCELS_PATH, CLEARINGS_PATH, CONFIRMS_PATH, EXPIRIES_PATH, Message, OnlyName,
    REFUNDS_PATH, REVERSALS_PATH, UNDOS_PATH,
};
use domain::{Duty, DutyKind, ShardId, TransactionId};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A duty, as the service is told it. Every attempt has the same id and the same body (E26).
pub fn duty(shard: ShardId, duty: &Duty) -> Result<Message, serde_json::Error> {
    let ask_id = TransactionId { shard, number: duty.transaction }.to_string();
    let (path, word) = place(&duty.kind);
    let id = format!("{ask_id}-{word}-{:016x}", duty.number.0);
    let body = serde_json::to_vec(&Body { word, id: &id, ask_id: &ask_id, duty })?;
    Ok(Message { path, id, body })
}

/// Where a kind is posted to, and the word for it in its id.
const fn place(kind: &DutyKind) -> (&'static str, &'static str) {
    match kind {
        DutyKind::Confirm => (CONFIRMS_PATH, "confirm"),
        DutyKind::Cancel(_) => (CANCELS_PATH, "cancel"),
        DutyKind::Advise { .. } => (ADVICES_PATH, "advice"),
        DutyKind::Reverse { .. } => (REVERSALS_PATH, "reversal"),
        DutyKind::Clear { .. } => (CLEARINGS_PATH, "clearing"),
        DutyKind::Refund { .. } => (REFUNDS_PATH, "refund"),
        DutyKind::Undo { .. } => (UNDOS_PATH, "undo"),
        DutyKind::Expire => (EXPIRIES_PATH, "expiry"),
    }
}

/// What every duty says, and what its kind adds.
struct Body<'a> {
    word: &'static str,
    id: &'a str,
    ask_id: &'a str,
    duty: &'a Duty,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { word, id, ask_id, duty } = self;
        let mut body = serializer.serialize_map(None)?;
        body.serialize_entry(&format_args!("{word}_id"), id)?;
        body.serialize_entry("ask_id", ask_id)?;
        body.serialize_entry("sequence", &duty.sequence)?;
        body.serialize_entry("account_sequence", &duty.account_sequence)?;
        body.serialize_entry("account", duty.account.as_str())?;
        body.serialize_entry("asset", duty.asset.code().as_str())?;
        body.serialize_entry("units", &Shown(duty.units))?;
        match &duty.kind {
            DutyKind::Confirm | DutyKind::Expire => {}
            DutyKind::Cancel(cause) => body.serialize_entry("cause", cause)?,
            DutyKind::Reverse { left } => body.serialize_entry("left", &Shown(*left))?,
            DutyKind::Advise { merchant } | DutyKind::Refund { merchant } => {
                body.serialize_entry("merchant", &OnlyName::of(merchant.as_str()))?;
            }
            DutyKind::Clear { reserved, released, last, merchant } => {
                body.serialize_entry("reserved", &Shown(*reserved))?;
                body.serialize_entry("released", &Shown(*released))?;
                body.serialize_entry("last", last)?;
                body.serialize_entry("merchant", &OnlyName::of(merchant.as_str()))?;
            }
            DutyKind::Undo { credit } => {
                body.serialize_entry("direction", if *credit { "credit" } else { "debit" })?;
            }
        }
        body.end()
    }
}
