//! `POST /v1/accounts/{id}/balance`: `{"version": 17, "available": "50.00", "counted": ["tx-017-0006423a9f2c1b40"]}`.

use super::name::whole;
use crate::json::{Faults, Mismatch, Node, Object, leaf, list};
use crate::problem::Problem;
use domain::{Asset, ShardId, TransactionId, TransactionNo, Units};

/// Transactions that one balance may name. A bound for the body's work; those it leaves out are taken off on top.
const COUNTED_MAX: usize = 1_000;

/// A balance that the service tells by itself. Its amount waits for the account's asset.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BalanceSent {
    pub(crate) version: u64,
    available: String,
    counted: Vec<TransactionId>,
}

impl BalanceSent {
    /// Reads the body.
    pub(crate) fn read(body: Node) -> Result<Self, Problem> {
        let mut faults = Faults::default();
        let read = Self::read_noting(body, &mut faults);
        faults.settle(read)
    }

    fn read_noting(body: Node, faults: &mut Faults) -> Option<Self> {
        let mut object = Object::open(body, "", faults)?;
        let version = object.required("version", faults, leaf(|node| whole(node, VERSION)));
        let available =
            object.required("available", faults, leaf(|node| node.text(AMOUNT).map(str::to_owned)));
        let counted = object.optional("counted", faults, list(COUNTED_MAX, leaf(transaction)));
        object.close(faults);
        Some(Self { version: version?, available: available?, counted: counted?.unwrap_or_default() })
    }

    /// What is available, in the account's asset. It may be below zero: the account owes then.
    pub(crate) fn units(&self, asset: &Asset) -> Result<Units, Problem> {
        let mut faults = Faults::default();
        let units = asset.parse(&self.available).map_err(|error| {
            let allowed = format!("a decimal string with at most {} decimals; {error}", asset.decimals());
            faults.push("available", Mismatch { found: "another text".into(), allowed });
        });
        faults.settle(units.ok())
    }

    /// The transactions that are counted, of those that belong to `shard`.
    pub(crate) fn counted(&self, shard: ShardId) -> Vec<TransactionNo> {
        let of_shard = self.counted.iter().filter(|id| id.shard == shard);
        of_shard.map(|id| id.number).collect()
    }
}

const VERSION: &str = "a whole number from 0 on, that rises with every change at the service";
const AMOUNT: &str = "a decimal string in the account's asset, such as \"50.00\"; never a float";

fn transaction(node: &Node) -> Result<TransactionId, Mismatch> {
    let allowed = "a transaction id such as \"tx-017-0006423a9f2c1b40\"";
    TransactionId::parse(node.text(allowed)?).ok_or_else(|| node.mismatch(allowed))
}
