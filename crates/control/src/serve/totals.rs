//! The books: what is booked and held, and what flowed in and out, over all accounts of each asset.

use super::api::{Api, ok, unexpected};
use crate::answer::TotalsAnswer;
use crate::problem::Problem;
use crate::switchboard::Switchboard;
use authorizer::{Inquiry, Reply, Totals};
use axum::extract::State;
use axum::response::Response;
use domain::{AssetCode, ShardId, Units};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `GET /v1/totals`: each shard at one moment of its own, so the sums are exact when nothing moves.
pub(crate) async fn show<S: Switchboard>(State(api): State<Arc<Api<S>>>) -> Result<Response, Problem> {
    let mut sums: BTreeMap<AssetCode, Totals> = BTreeMap::new();
    for shard in 0..ShardId::COUNT {
        let reply = api.switchboard.inquire(ShardId(shard), Inquiry::Totals).await?;
        let Reply::Totals(totals) = reply else { return Err(unexpected(&reply)) };
        for (asset, totals) in totals {
            add(sums.entry(asset).or_default(), &totals);
        }
    }
    let totals: Vec<TotalsAnswer> = sums.iter().map(|(asset, sum)| TotalsAnswer::new(*asset, sum)).collect();
    Ok(ok(&BTreeMap::from([("totals", totals)])))
}

/// A sum that would not fit stays at the end of the range: it is for reading, and no balance gets near it.
fn add(sum: &mut Totals, part: &Totals) {
    let plus = |a: Units, b: Units| Units(a.0.saturating_add(b.0));
    *sum = Totals {
        ledger: plus(sum.ledger, part.ledger),
        held: plus(sum.held, part.held),
        credited: plus(sum.credited, part.credited),
        debited: plus(sum.debited, part.debited),
        funded: plus(sum.funded, part.funded),
        returned: plus(sum.returned, part.returned),
        settled: plus(sum.settled, part.settled),
        refunded: plus(sum.refunded, part.refunded),
    };
}
