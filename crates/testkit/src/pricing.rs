//! What programs add to rates, and which rates they believe, drawn from a seed.

use crate::random::Random;
use authorizer::{MccRange, PriceRule, Pricing};
use domain::{AssetCode, Margins, PairTerms, RateTerms};
use rust_decimal::Decimal;
use std::time::Duration;

/// A world's prices; in half of them nothing is added and every rate is believed.
pub(crate) fn draw(random: &mut Random) -> Pricing {
    if random.once_in(2) {
        return Pricing::default();
    }
    let count = random.pick(&[0, 1, 1, 2, 3]);
    let rules = (0..count).map(|_| rule(random)).collect();
    // Over the euro, pounds are worth something.
    let base = random.pick(&[None, Some("USD"), Some("USD"), Some("EUR")]);
    let pairs = if random.once_in(3) { vec![bounds(random)] } else { Vec::new() };
    Pricing { terms: RateTerms { base: base.map(code), pairs }, rules }
}

fn rule(random: &mut Random) -> PriceRule {
    let everywhere = Vec::new();
    PriceRule {
        assets: if random.once_in(3) { vec![code("USDT")] } else { Vec::new() },
        mcc: random.pick(&[None, None, Some((5400, 5999)), Some((3500, 7600))]).map_or(everywhere, |range| {
            let (from, to) = range;
            vec![MccRange { from, to }]
        }),
        foreign: random.once_in(4),
        margins: Margins {
            markup: random.pick(&[0, 25, 133]),
            fee: random.pick(&[0, 0, 50]),
            buffer: random.pick(&[0, 1_000, 2_500]),
        },
    }
}

/// Between which values a rate is believed, and how old it may be.
fn bounds(random: &mut Random) -> PairTerms {
    let (from, to) = random.pick(&[("USD", "USDT"), ("EUR", "USDT"), ("EUR", "USD")]);
    let thousandths = |value| Decimal::new(value, 3);
    PairTerms {
        from: code(from),
        to: code(to),
        max_age: random.once_in(2).then(|| Duration::from_secs(7 * 3_600)),
        band: (!random.once_in(4)).then(|| (thousandths(950), thousandths(1_200))),
    }
}

fn code(text: &str) -> AssetCode {
    AssetCode::new(text).expect("a code")
}
