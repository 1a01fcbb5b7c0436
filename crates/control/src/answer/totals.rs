//! The books of one asset, in its smallest unit.

use authorizer::Totals;
use domain::AssetCode;
use serde::Serialize;

/// Integers as text. Always `ledger = credited - debited + funded - returned - settled + refunded`.
#[derive(Debug, Serialize)]
pub(crate) struct TotalsAnswer {
    asset: String,
    ledger_units: String,
    held_units: String,
    credited_units: String,
    debited_units: String,
    funded_units: String,
    returned_units: String,
    settled_units: String,
    refunded_units: String,
}

impl TotalsAnswer {
    pub(crate) fn new(asset: AssetCode, totals: &Totals) -> Self {
        Self {
            asset: asset.to_string(),
            ledger_units: totals.ledger.to_string(),
            held_units: totals.held.to_string(),
            credited_units: totals.credited.to_string(),
            debited_units: totals.debited.to_string(),
            funded_units: totals.funded.to_string(),
            returned_units: totals.returned.to_string(),
            settled_units: totals.settled.to_string(),
            refunded_units: totals.refunded.to_string(),
        }
    }
}
