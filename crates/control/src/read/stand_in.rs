//! `PUT /v1/stand_in/{program}`: `{"mode": "manual", "operator": "j.doe", "reason": "the service moves house"}`.

use super::name::{masked, note};
use crate::json::{Faults, Mismatch, Node, Object, leaf};
use crate::problem::Problem;
use domain::{ProgramName, StandInMode, StandInOrder, Timestamp};

/// Reads an order for `program`, given at `now`. Nobody orders without a name and a reason.
pub(crate) fn stand_in_order(
    program: ProgramName,
    body: Node,
    now: Timestamp,
) -> Result<StandInOrder, Problem> {
    let mut faults = Faults::default();
    let read = order_noting(program, body, now, &mut faults);
    faults.settle(read)
}

fn order_noting(
    program: ProgramName,
    body: Node,
    now: Timestamp,
    faults: &mut Faults,
) -> Option<StandInOrder> {
    let mut object = Object::open(body, "", faults)?;
    let mode = object.required("mode", faults, leaf(mode));
    let operator = object.required("operator", faults, leaf(note));
    let reason = object.required("reason", faults, leaf(masked::<120>));
    object.close(faults);
    let (operator, reason) = (operator?, reason?);
    let mut said = true;
    for (field, empty) in [("operator", operator.is_empty()), ("reason", reason.is_empty())] {
        if empty {
            said = false;
            let allowed = "who orders it, and why".to_owned();
            faults.push(field, Mismatch { found: "nothing".into(), allowed });
        }
    }
    let mode = mode?;
    said.then_some(StandInOrder { program, mode, operator, reason, at: now })
}

/// A mode; `None` for what is configured.
fn mode(node: &Node) -> Result<Option<StandInMode>, Mismatch> {
    let allowed = "\"off\", \"automatic\", \"manual\", or \"configured\" to withdraw an order";
    let text = node.text(allowed)?;
    if text == "configured" {
        return Ok(None);
    }
    let mode = StandInMode::ALL.into_iter().find(|mode| mode.as_str() == text);
    mode.map(Some).ok_or_else(|| node.mismatch(allowed))
}
