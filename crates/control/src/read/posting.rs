//! `POST /v1/accounts/{id}/credits` and `.../debits`: `{"amount": "12.50", "note": "top-up"}`.

use super::amount::Amount;
use super::name::note;
use crate::json::{Faults, Mismatch, Node, Object, leaf};
use crate::problem::Problem;
use domain::{Asset, Text, Units};

/// Money to be booked. Its amount waits for the account's asset.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PostingSent {
    amount: Amount,
    pub(crate) note: Text<40>,
}

impl PostingSent {
    /// Reads the body.
    pub(crate) fn read(body: Node) -> Result<Self, Problem> {
        let mut faults = Faults::default();
        let read = Self::read_noting(body, &mut faults);
        faults.settle(read)
    }

    fn read_noting(body: Node, faults: &mut Faults) -> Option<Self> {
        let mut object = Object::open(body, "", faults)?;
        let amount = object.required("amount", faults, Amount::read);
        let note = object.optional("note", faults, leaf(note));
        object.close(faults);
        Some(Self { amount: amount?, note: note?.unwrap_or_default() })
    }

    /// The amount in the account's asset; only more than nothing can be booked.
    pub(crate) fn units(&self, asset: &Asset) -> Result<Units, Problem> {
        let mut faults = Faults::default();
        let units = self.amount.units_of(asset).map_err(|mismatch| faults.push("amount", mismatch)).ok();
        if units.is_some_and(|units| units <= 0) {
            faults
                .push("amount", Mismatch { found: "zero or less".into(), allowed: "more than zero".into() });
        }
        faults.settle(units.map(Units))
    }
}
