//! The switch's books as anybody can read them: through the control API, account by account.

use crate::api_client::{Api, Connection};
use anyhow::Context;
use domain::AccountId;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use tokio::task::JoinSet;

/// Connections that accounts are read on.
const READERS: usize = 16;

/// An account, in units of its asset.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct SwitchAccount {
    pub(super) held: i128,
    pub(super) available: i128,
}

/// What the switch says.
pub(super) struct SwitchBooks {
    /// Every account.
    pub(super) accounts: HashMap<AccountId, SwitchAccount>,
    /// What is held of each asset, as the switch adds it up over its shards.
    pub(super) held_by_asset: BTreeMap<String, i128>,
}

impl SwitchBooks {
    /// Reads the accounts `ids` and the totals.
    pub(super) async fn read(ids: &[AccountId], api: &Api) -> anyhow::Result<Self> {
        let accounts = read_accounts(ids, api).await?;
        let held_by_asset = read_totals(&mut api.connection()).await?;
        Ok(Self { accounts, held_by_asset })
    }
}

async fn read_accounts(ids: &[AccountId], api: &Api) -> anyhow::Result<HashMap<AccountId, SwitchAccount>> {
    let mut readers = JoinSet::new();
    for part in ids.chunks(ids.len().div_ceil(READERS).max(1)) {
        let (part, mut connection) = (part.to_vec(), api.connection());
        readers.spawn(async move {
            let mut read = Vec::with_capacity(part.len());
            for id in part {
                // The simulators' names need no escaping in a path.
                let account = connection.read(&format!("/v1/accounts/{id}")).await?;
                let balance = account.get("balance").context("an account without a balance")?;
                let held = units(balance.get("held").context("a balance without held")?, "units")?;
                let available =
                    units(balance.get("available").context("a balance without available")?, "units")?;
                read.push((id, SwitchAccount { held, available }));
            }
            anyhow::Ok(read)
        });
    }
    let mut accounts = HashMap::with_capacity(ids.len());
    while let Some(read) = readers.join_next().await {
        accounts.extend(read.context("a reader ended early")??);
    }
    Ok(accounts)
}

/// What is held of each asset, as the switch adds it up over its shards.
async fn read_totals(api: &mut Connection) -> anyhow::Result<BTreeMap<String, i128>> {
    let answer = api.read("/v1/totals").await?;
    let totals = answer.get("totals").and_then(Value::as_array).context("GET /v1/totals: no list")?;
    let held = totals.iter().map(|total| {
        let asset = total.get("asset").and_then(Value::as_str).context("GET /v1/totals: no asset")?;
        Ok((asset.to_owned(), units(total, "held_units")?))
    });
    held.collect()
}

fn units(of: &Value, field: &str) -> anyhow::Result<i128> {
    let text = of.get(field).and_then(Value::as_str).with_context(|| format!("no {field} in {of}"))?;
    text.parse().with_context(|| format!("{field} {text:?}"))
}
