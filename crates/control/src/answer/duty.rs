//! What is owed to the balance service: a duty, its name, and where it stands.

use super::money::AssetAmountAnswer;
use super::time;
use crate::switchboard::{DutyStanding, OwedDuty};
use domain::{DutyKind, DutyNo, ShardId, Timestamp, TransactionId, TransactionNo};
use serde::Serialize;
use std::fmt;

/// `duty-017-0006423a9f2c1b52`: the shard and the number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct DutyName {
    pub(crate) shard: ShardId,
    pub(crate) number: DutyNo,
}

impl DutyName {
    /// Reads the form that `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // The same form as a transaction's, with another first word.
        let id = TransactionId::parse(&format!("tx-{}", text.strip_prefix("duty-")?))?;
        Some(Self { shard: id.shard, number: TransactionNo(id.number.0) })
    }
}

impl fmt::Display for DutyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "duty-{}-{:016x}", self.shard, self.number.0)
    }
}

/// Where a duty stands.
#[derive(Debug, Serialize)]
pub(crate) struct StandingAnswer {
    standing: &'static str,
    /// Milliseconds until the next attempt, where it waits for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_in_ms: Option<u64>,
}

impl From<DutyStanding> for StandingAnswer {
    fn from(standing: DutyStanding) -> Self {
        let (standing, next_attempt_in_ms) = match standing {
            DutyStanding::UnderWay => ("under_way", None),
            DutyStanding::Waiting(pause) => {
                ("waiting", Some(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)))
            }
            DutyStanding::Behind => ("behind", None),
        };
        Self { standing, next_attempt_in_ms }
    }
}

/// One duty.
#[derive(Debug, Serialize)]
pub(crate) struct DutyAnswer {
    id: String,
    transaction: String,
    kind: &'static str,
    account: String,
    #[serde(flatten)]
    money: AssetAmountAnswer,
    owed_since: Option<String>,
    failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<&'static str>,
    #[serde(flatten)]
    standing: StandingAnswer,
}

impl From<&OwedDuty> for DutyAnswer {
    fn from(owed: &OwedDuty) -> Self {
        let duty = &owed.duty;
        let micros = i64::try_from(duty.number.0).unwrap_or(i64::MAX);
        Self {
            id: DutyName { shard: owed.shard, number: duty.number }.to_string(),
            transaction: TransactionId { shard: owed.shard, number: duty.transaction }.to_string(),
            kind: kind(&duty.kind),
            account: duty.account.to_string(),
            money: AssetAmountAnswer::new(duty.units, &duty.asset),
            // Numbers are readings of the clock in microseconds.
            owed_since: time::text(Timestamp::from_micros(micros)),
            failures: owed.failures,
            last_failure: owed.last_failure.map(|failure| failure.as_str()),
            standing: owed.standing.into(),
        }
    }
}

const fn kind(kind: &DutyKind) -> &'static str {
    match kind {
        DutyKind::Cancel(_) => "cancel",
        DutyKind::Advise { .. } => "advice",
        DutyKind::Confirm => "confirm",
        DutyKind::Reverse { .. } => "reversal",
        DutyKind::Clear { .. } => "clearing",
        DutyKind::Refund { .. } => "refund",
        DutyKind::Undo { .. } => "undo",
        DutyKind::Expire => "expiry",
    }
}
