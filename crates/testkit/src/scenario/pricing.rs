//! The lines of a story about what is added to rates, and which rates are believed.

use super::Story;
use crate::finding::Finding;
use crate::script::Line;
use crate::world::World;
use authorizer::{MccRange, PriceRule, Pricing};
use domain::{AssetCode, PairTerms};
use rust_decimal::Decimal;
use std::sync::Arc;

const PRICE: &str = "markup, fee or buffer with hundredths of a percent, mcc 5812-5814, or foreign";
const RATES: &str = "base USD, or pair USD USDT with band 0.98 1.02 or max-age 30s";

impl Story {
    /// `price markup 100 fee 50 buffer 2000 mcc 5812-5814 foreign`: what is added, in hundredths of a percent.
    pub(super) fn price(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let mut rule = PriceRule::default();
        while let Some(word) = line.optional() {
            let margin = match word {
                "markup" => &mut rule.margins.markup,
                "fee" => &mut rule.margins.fee,
                "buffer" => &mut rule.margins.buffer,
                "foreign" => {
                    rule.foreign = true;
                    continue;
                }
                "mcc" => {
                    rule.mcc.push(line.read("a range such as 5812-5814", |word| {
                        let (from, to) = word.split_once('-').unwrap_or((word, word));
                        Some(MccRange { from: from.parse().ok()?, to: to.parse().ok()? })
                    })?);
                    continue;
                }
                found => return Err(line.unexpected(Some(found), PRICE)),
            };
            *margin = line.read("hundredths of a percent", |word| word.parse().ok())?;
        }
        let mut pricing = Pricing::clone(&self.policy.pricing);
        pricing.rules.push(rule);
        self.believe(pricing, line)
    }

    /// `rates base USD`, `rates pair USD USDT band 0.98 1.02`: which rates are believed, and over what to convert.
    pub(super) fn rates(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let code = |line: &mut Line<'_>| line.read("an asset code", |word| AssetCode::new(word).ok());
        let decimal = |line: &mut Line<'_>| line.read("a decimal", |word| Decimal::from_str_exact(word).ok());
        let mut pricing = Pricing::clone(&self.policy.pricing);
        match line.word(RATES)? {
            "base" => pricing.terms.base = Some(code(line)?),
            "pair" => {
                let (from, to) = (code(line)?, code(line)?);
                let (mut max_age, mut band) = (None, None);
                while let Some(word) = line.optional() {
                    match word {
                        "band" => band = Some((decimal(line)?, decimal(line)?)),
                        "max-age" => max_age = Some(line.duration()?),
                        found => return Err(line.unexpected(Some(found), RATES)),
                    }
                }
                pricing.terms.pairs.push(PairTerms { from, to, max_age, band });
            }
            found => return Err(line.unexpected(Some(found), RATES)),
        }
        line.end()?;
        self.believe(pricing, line)
    }

    fn believe(&mut self, pricing: Pricing, line: &Line<'_>) -> Result<(), Finding> {
        if !self.accounts.is_empty() {
            return Err(line.finding("found in the middle, allowed: before the first account"));
        }
        self.policy.pricing = Arc::new(pricing);
        self.world = World::new(self.world.now().utc, self.policy.clone());
        Ok(())
    }
}
