//! What clients send, read into the words of the domain. One file a request; nothing here acts.

mod account;
mod amount;
mod card;
mod controls;
mod limits;
mod name;
mod posting;
mod rate;
mod stand_in;
mod told;

pub(crate) use account::OpenAccount;
pub(crate) use amount::Amount;
pub(crate) use card::{IssueCard, status_word};
pub(crate) use limits::{LimitsSent, window_word};
pub(crate) use name::{account_id, card_id, note};
pub(crate) use posting::PostingSent;
pub(crate) use rate::rate;
pub(crate) use stand_in::stand_in_order;
pub(crate) use told::BalanceSent;

use crate::json::{Faults, Node, Object, leaf};
use crate::problem::Problem;
use controls::controls;
use domain::{CardStatus, Controls};

/// The body of `PUT .../limits`: `{"limits": [...]}`.
pub(crate) fn limits_body(body: Node) -> Result<LimitsSent, Problem> {
    only(body, "limits", LimitsSent::read)
}

/// The body of `PUT .../controls`: `{"controls": {...}}`.
pub(crate) fn controls_body(body: Node) -> Result<Controls, Problem> {
    only(body, "controls", controls)
}

/// The body of `PUT .../status`: `{"status": "frozen"}`.
pub(crate) fn status_body(body: Node) -> Result<CardStatus, Problem> {
    only(body, "status", leaf(card::status))
}

/// A body with one required field.
fn only<T>(
    body: Node,
    name: &'static str,
    read: impl FnOnce(Node, &str, &mut Faults) -> Option<T>,
) -> Result<T, Problem> {
    let mut faults = Faults::default();
    let value = Object::open(body, "", &mut faults).and_then(|mut object| {
        let value = object.required(name, &mut faults, read);
        object.close(&mut faults);
        value
    });
    faults.settle(value)
}
