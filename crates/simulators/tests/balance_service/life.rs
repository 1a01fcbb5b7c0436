//! Every message of the contract, as the switch sends it over the lives of four payments from an account of 1,000.

use crate::switch::{Switch, account};
use domain::PartialApproval::NotSupported;
use domain::{CancelCause, DutyKind, FundingOutcome, Text, Units};

/// What the account has after it.
pub(crate) const LEFT: i128 = 760;

/// Plays it. A second time, with a switch that begins anew, it sends the same messages with the same ids.
pub(crate) async fn play(switch: &Switch) {
    for (number, units) in [(1, 300), (2, 200), (3, 50)] {
        switch.ask(number, account(0), units, NotSupported, 25_000);
        assert_eq!(switch.outcome(number).await, FundingOutcome::Approved { units: Units(units) });
    }
    let merchant = Text::new("COFFEE BAR").unwrap();
    let clear = |reserved, released, last| DutyKind::Clear {
        reserved: Units(reserved),
        released: Units(released),
        last,
        merchant,
    };
    let mut owed = Vec::new();
    for (number, kind, units) in [
        (1, DutyKind::Confirm, 300),
        (1, DutyKind::Reverse { left: Units(250) }, 50),
        (1, clear(100, 0, false), 100),
        (1, clear(120, 30, true), 140),
        (1, DutyKind::Refund { merchant }, 60),
        (1, DutyKind::Undo { credit: false }, 60),
        (2, DutyKind::Advise { merchant }, 220),
        (2, DutyKind::Expire, 220),
        (3, DutyKind::Cancel(CancelCause::Reversed), 50),
        (4, clear(0, 0, true), 35),
        (4, DutyKind::Undo { credit: true }, 35),
    ] {
        owed.push(switch.owe(number, account(0), kind, Units(units)));
    }
    switch.until("all acknowledged", |switch| switch.acknowledged().len() == owed.len()).await;
}
