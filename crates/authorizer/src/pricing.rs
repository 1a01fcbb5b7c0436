//! What a program adds to the price of a conversion, and which rates it believes (E11, E13). Configuration.

use crate::life::MccRange;
use domain::{Asset, AssetCode, Authorization, Currency, Margins, Mcc, RateTerms};

/// Which rates are believed, and what is added. Fixed while the switch runs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pricing {
    /// Bounds of rates, and the base of cross rates.
    pub terms: RateTerms,
    /// What is added; the first that fits decides, and where none does nothing is added.
    pub rules: Vec<PriceRule>,
}

/// What is added for those transactions that fit everything that is said. What is not said fits all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PriceRule {
    /// Only accounts that hold one of these; empty for all.
    pub assets: Vec<AssetCode>,
    /// Only these categories; empty for all.
    pub mcc: Vec<MccRange>,
    /// Only where the merchant asks for another currency than the card is billed in.
    pub foreign: bool,
    /// What is added.
    pub margins: Margins,
}

impl Pricing {
    /// What is added to the price of a transaction that a card in `billed` pays from `asset`.
    pub(crate) fn margins(&self, request: &Authorization, billed: Currency, asset: Asset) -> Margins {
        self.margins_for(request.amount.currency(), request.merchant.mcc, billed, asset)
    }

    /// The same for a transaction in `currency` at a merchant of the category `mcc`.
    pub(crate) fn margins_for(
        &self,
        currency: Currency,
        mcc: Option<Mcc>,
        billed: Currency,
        asset: Asset,
    ) -> Margins {
        let fits = |rule: &&PriceRule| {
            let category = mcc.is_some_and(|mcc| rule.mcc.iter().any(|range| range.contains(mcc)));
            (rule.assets.is_empty() || rule.assets.contains(&asset.code()))
                && (rule.mcc.is_empty() || category)
                && (!rule.foreign || currency != billed)
        };
        self.rules.iter().find(fits).map(|rule| rule.margins).unwrap_or_default()
    }
}
