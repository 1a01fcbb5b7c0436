//! The configured cards, sorted by what they can be used for.

use super::card::{Refusal, RefusalSource, Role, SimulatedCard};
use super::mix::{Draw, Mix, Wheel};
use super::skew::{Pool, Skew};
use domain::{Currency, FundingMode};
use std::collections::BTreeMap;

/// Which cards are good for what: indexes into the configured cards.
#[derive(Debug)]
pub(crate) struct Deck {
    cards: Vec<SimulatedCard>,
    pub(super) cache: Pool,
    pub(super) jit: Pool,
    refused: BTreeMap<Refusal, Pool>,
    nothing: Pool,
    pub(super) euro: Option<Currency>,
    pub(super) dollar: Option<Currency>,
    pub(super) franc: Option<Currency>,
}

impl Deck {
    pub(crate) fn new(cards: Vec<SimulatedCard>, skew: Skew) -> Self {
        let (mut cache, mut jit) = (Vec::new(), Vec::new());
        let mut refused: BTreeMap<Refusal, Vec<u32>> = BTreeMap::new();
        for (index, card) in (0_u32..).zip(&cards) {
            match (card.role, card.funding) {
                (Role::Good, FundingMode::PreFunded) => cache.push(index),
                (Role::Good, FundingMode::Jit) => jit.push(index),
                (Role::Refused(refusal), _) => refused.entry(refusal).or_default().push(index),
            }
        }
        let pool = |members, skew| Pool::new(members, &cards, skew);
        Self {
            cache: pool(cache, skew),
            jit: pool(jit, skew),
            refused: refused
                .into_iter()
                .map(|(refusal, members)| (refusal, pool(members, Skew::Even)))
                .collect(),
            nothing: pool(Vec::new(), Skew::Even),
            euro: Currency::from_alpha("EUR").ok(),
            dollar: Currency::from_alpha("USD").ok(),
            franc: Currency::from_alpha("CHF").ok(),
            cards,
        }
    }

    pub(crate) fn cards(&self) -> &[SimulatedCard] {
        &self.cards
    }

    /// The cards that can provoke `refusal`.
    pub(super) fn provoking(&self, refusal: Refusal) -> &Pool {
        match refusal.source() {
            RefusalSource::Card => self.refused.get(&refusal).unwrap_or(&self.nothing),
            RefusalSource::Request => &self.cache,
        }
    }

    /// The refusals of `mix` that some card can provoke.
    pub(super) fn refusals(&self, mix: &Mix) -> Vec<Refusal> {
        mix.refusals.iter().copied().filter(|refusal| !self.provoking(*refusal).is_empty()).collect()
    }

    pub(super) fn wheel(&self, mix: &Mix, refusals: &[Refusal]) -> Option<Wheel> {
        Wheel::new(mix, |draw| match draw {
            Draw::Cache | Draw::CrossBorder | Draw::Question => !self.cache.is_empty(),
            Draw::Special | Draw::Advice | Draw::Financial | Draw::Refund | Draw::ForcedPost => {
                !self.cache.is_empty() || !self.jit.is_empty()
            }
            Draw::Jit => !self.jit.is_empty(),
            Draw::Decline => !refusals.is_empty(),
            Draw::Repeat
            | Draw::Reversal
            | Draw::ReversalRepeat
            | Draw::Completion
            | Draw::Increment
            | Draw::PartialReversal
            | Draw::Echo => true,
        })
    }
}
