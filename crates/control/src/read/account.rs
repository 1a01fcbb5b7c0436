//! `POST /v1/accounts`: `{"id": "acct_1", "asset": "USDT", "limits": [...]}`.

use super::limits::LimitsSent;
use super::name::{account_id, asset_code, whole};
use crate::json::{Faults, Mismatch, Node, Object, leaf};
use crate::problem::Problem;
use domain::{AccountId, Asset, AssetCode, Currency, LimitRule};

/// An account to be opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct OpenAccount {
    pub(crate) id: AccountId,
    pub(crate) asset: Asset,
    /// `None` when the request does not speak of limits.
    pub(crate) limits: Option<Vec<LimitRule>>,
}

impl OpenAccount {
    /// Reads the body.
    pub(crate) fn read(body: Node) -> Result<Self, Problem> {
        let mut faults = Faults::default();
        let read = Self::read_noting(body, &mut faults);
        faults.settle(read)
    }

    fn read_noting(body: Node, faults: &mut Faults) -> Option<Self> {
        let mut object = Object::open(body, "", faults)?;
        let id = object.required("id", faults, leaf(account_id));
        let asset = object.required("asset", faults, asset);
        let limits = object.optional("limits", faults, LimitsSent::read);
        object.close(faults);
        let asset = asset?;
        let limits = match limits? {
            Some(sent) => Some(sent.rules_noting(&asset, faults)?),
            None => None,
        };
        Some(Self { id: id?, asset, limits })
    }
}

/// Tokens whose decimals everyone agrees on; others come with theirs. Currencies follow ISO 4217.
const KNOWN: [(&str, u8); 5] = [("USDT", 6), ("USDC", 6), ("EURC", 6), ("BTC", 8), ("ETH", 18)];

/// Reads `"USDT"`, `"EUR"`, or `{"code": "XYZ", "decimals": 9}`.
fn asset(node: Node, at: &str, faults: &mut Faults) -> Option<Asset> {
    if let Node::Object(_) = node {
        let mut object = Object::open(node, at, faults)?;
        let code = object.required("code", faults, leaf(asset_code));
        let decimals = object.required("decimals", faults, leaf(decimals));
        object.close(faults);
        let asset = Asset::new(code?, decimals?).ok()?;
        return agrees(asset, at, faults);
    }
    leaf(known_asset)(node, at, faults)
}

fn decimals(node: &Node) -> Result<u8, Mismatch> {
    let allowed = format!("a whole number from 0 to {}", Asset::DECIMALS_MAX);
    let decimals = whole::<u8>(node, &allowed)?;
    if decimals <= Asset::DECIMALS_MAX { Ok(decimals) } else { Err(node.mismatch(allowed)) }
}

fn known_asset(node: &Node) -> Result<Asset, Mismatch> {
    let allowed =
        "an ISO 4217 currency, one of USDT, USDC, EURC, BTC, ETH, or {\"code\": \"XYZ\", \"decimals\": 9}";
    well_known(node.text(allowed)?).ok_or_else(|| node.mismatch(allowed))
}

fn well_known(code: &str) -> Option<Asset> {
    let token = KNOWN.into_iter().find(|(name, _)| *name == code);
    match token {
        Some((name, decimals)) => Asset::new(AssetCode::new(name).ok()?, decimals).ok(),
        None => Currency::from_alpha(code).ok().map(Asset::of),
    }
}

/// A currency with other decimals than ISO 4217 gives it would be another money under the same name.
fn agrees(asset: Asset, at: &str, faults: &mut Faults) -> Option<Asset> {
    match well_known(asset.code().as_str()) {
        Some(known) if known != asset => {
            let mismatch = Mismatch {
                found: asset.decimals().to_string(),
                allowed: format!("{}, as {} has", known.decimals(), known.code()),
            };
            faults.push(&format!("{at}.decimals"), mismatch);
            None
        }
        Some(_) | None => Some(asset),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<OpenAccount, String> {
        OpenAccount::read(Node::parse(json.as_bytes()).unwrap())
            .map_err(|problem| problem.faults()[0].to_string())
    }

    #[test]
    fn assets_are_known_by_name_or_come_with_their_decimals() {
        for (json, code, decimals) in [
            (r#""USDT""#, "USDT", 6),
            (r#""JPY""#, "JPY", 0),
            (r#"{"code": "USDT", "decimals": 6}"#, "USDT", 6),
            (r#"{"code": "XYZ", "decimals": 9}"#, "XYZ", 9),
        ] {
            let account = read(&format!(r#"{{"id": "a", "asset": {json}}}"#)).unwrap();
            assert_eq!((account.asset.code().as_str(), account.asset.decimals()), (code, decimals));
        }
    }

    #[test]
    fn a_well_known_asset_keeps_its_decimals() {
        let fault = read(r#"{"id": "a", "asset": {"code": "USD", "decimals": 3}}"#).unwrap_err();
        assert_eq!(fault, "asset.decimals: found 3; allowed: 2, as USD has");
        for bad in [
            r#""XYZ""#,
            r#"{"code": "XYZ"}"#,
            r#"{"code": "XYZ", "decimals": 19}"#,
            r#"{"code": "xyz", "decimals": 1}"#,
        ] {
            assert!(read(&format!(r#"{{"id": "a", "asset": {bad}}}"#)).is_err(), "{bad}");
        }
    }

    #[test]
    fn account_limits_are_in_the_account_s_asset() {
        let json = r#"{"id": "a", "asset": "USDT", "limits": [{"window": "day", "amount_max": "0.000001"}]}"#;
        assert_eq!(read(json).unwrap().limits.unwrap()[0].amount_max, Some(1));
    }
}
