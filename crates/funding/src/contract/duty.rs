//! Duties as the service is told them: one path, one id and one body for each kind.

use super::units::Shown;
use super::{
    ADVICES_PATH, CANCELS_PATH, CLEARINGS_PATH, CONFIRMS_PATH, EXPIRIES_PATH, Message, OnlyName,
    REFUNDS_PATH, REVERSALS_PATH, UNDOS_PATH,
};
use domain::{CancelCause, Duty, DutyKind, ShardId, TransactionId, Units};
use serde::Serialize;

/// What every duty says.
#[derive(Serialize)]
struct Common<'a> {
    ask_id: &'a str,
    sequence: u32,
    account_sequence: u64,
    account: &'a str,
    asset: &'a str,
    units: Shown<Units>,
}

/// A duty, as the service is told it. Every attempt has the same id and the same body (E26).
pub fn duty(shard: ShardId, duty: &Duty) -> Result<Message, serde_json::Error> {
    let ask_id = TransactionId { shard, number: duty.transaction }.to_string();
    let asset = duty.asset.code();
    let common = Common {
        ask_id: &ask_id,
        sequence: duty.sequence,
        account_sequence: duty.account_sequence,
        account: duty.account.as_str(),
        asset: asset.as_str(),
        units: Shown(duty.units),
    };
    let named = |word: &str| format!("{ask_id}-{word}-{:016x}", duty.number.0);
    match &duty.kind {
        DutyKind::Confirm => {
            let id = named("confirm");
            message(CONFIRMS_PATH, &id, &ConfirmBody { confirm_id: &id, common })
        }
        DutyKind::Cancel(cause) => {
            let id = named("cancel");
            message(CANCELS_PATH, &id, &CancelBody { cancel_id: &id, cause: *cause, common })
        }
        DutyKind::Advise { merchant } => {
            let (id, merchant) = (named("advice"), OnlyName::of(merchant.as_str()));
            message(ADVICES_PATH, &id, &AdviceBody { advice_id: &id, merchant, common })
        }
        DutyKind::Reverse { left } => {
            let id = named("reversal");
            message(REVERSALS_PATH, &id, &ReversalBody { reversal_id: &id, left: Shown(*left), common })
        }
        DutyKind::Clear { reserved, released, last, merchant } => {
            let (id, merchant) = (named("clearing"), OnlyName::of(merchant.as_str()));
            let (reserved, released, last) = (Shown(*reserved), Shown(*released), *last);
            message(
                CLEARINGS_PATH,
                &id,
                &ClearingBody { clearing_id: &id, reserved, released, last, merchant, common },
            )
        }
        DutyKind::Refund { merchant } => {
            let (id, merchant) = (named("refund"), OnlyName::of(merchant.as_str()));
            message(REFUNDS_PATH, &id, &RefundBody { refund_id: &id, merchant, common })
        }
        DutyKind::Undo { credit } => {
            let direction = if *credit { "credit" } else { "debit" };
            let id = named("undo");
            message(UNDOS_PATH, &id, &UndoBody { undo_id: &id, direction, common })
        }
        DutyKind::Expire => {
            let id = named("expiry");
            message(EXPIRIES_PATH, &id, &ExpiryBody { expiry_id: &id, common })
        }
    }
}

fn message(path: &'static str, id: &str, body: &impl Serialize) -> Result<Message, serde_json::Error> {
    Ok(Message { path, id: id.to_owned(), body: serde_json::to_vec(body)? })
}

#[derive(Serialize)]
struct ConfirmBody<'a> {
    confirm_id: &'a str,
    #[serde(flatten)]
    common: Common<'a>,
}

#[derive(Serialize)]
struct CancelBody<'a> {
    cancel_id: &'a str,
    cause: CancelCause,
    #[serde(flatten)]
    common: Common<'a>,
}

#[derive(Serialize)]
struct AdviceBody<'a> {
    advice_id: &'a str,
    merchant: OnlyName<'a>,
    #[serde(flatten)]
    common: Common<'a>,
}

#[derive(Serialize)]
struct ReversalBody<'a> {
    reversal_id: &'a str,
    left: Shown<Units>,
    #[serde(flatten)]
    common: Common<'a>,
}

#[derive(Serialize)]
struct ClearingBody<'a> {
    clearing_id: &'a str,
    reserved: Shown<Units>,
    released: Shown<Units>,
    last: bool,
    merchant: OnlyName<'a>,
    #[serde(flatten)]
    common: Common<'a>,
}

#[derive(Serialize)]
struct RefundBody<'a> {
    refund_id: &'a str,
    merchant: OnlyName<'a>,
    #[serde(flatten)]
    common: Common<'a>,
}

#[derive(Serialize)]
struct UndoBody<'a> {
    undo_id: &'a str,
    direction: &'static str,
    #[serde(flatten)]
    common: Common<'a>,
}

#[derive(Serialize)]
struct ExpiryBody<'a> {
    expiry_id: &'a str,
    #[serde(flatten)]
    common: Common<'a>,
}
