//! A program, its mode, who ordered it, and what it has open.

use super::time;
use crate::stand_in::ProgramView;
use domain::{StandInMode, StandInOrder};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct ProgramAnswer {
    program: String,
    /// The mode that is in force.
    mode: &'static str,
    /// The mode that the configuration says.
    configured: &'static str,
    /// The newest order; null where there was none.
    order: Option<OrderAnswer>,
    exposures: Vec<ExposureAnswer>,
}

/// An operator's order.
#[derive(Debug, Serialize)]
pub(crate) struct OrderAnswer {
    program: String,
    mode: &'static str,
    operator: String,
    reason: String,
    at: Option<String>,
}

#[derive(Debug, Serialize)]
struct ExposureAnswer {
    asset: String,
    open: String,
    max: String,
}

impl From<&ProgramView> for ProgramAnswer {
    fn from(view: &ProgramView) -> Self {
        let exposures = view.exposures.iter().map(|(max, exposure)| ExposureAnswer {
            asset: max.code.to_string(),
            open: exposure.asset.map_or("0".into(), |asset| asset.format(exposure.open)),
            max: max.value.to_string(),
        });
        Self {
            program: view.program.to_string(),
            mode: view.mode.as_str(),
            configured: view.configured.as_str(),
            order: view.order.as_ref().map(OrderAnswer::from),
            exposures: exposures.collect(),
        }
    }
}

impl From<&StandInOrder> for OrderAnswer {
    fn from(order: &StandInOrder) -> Self {
        Self {
            program: order.program.to_string(),
            mode: order.mode.map_or("configured", StandInMode::as_str),
            operator: order.operator.to_string(),
            reason: order.reason.to_string(),
            at: time::text(order.at),
        }
    }
}
