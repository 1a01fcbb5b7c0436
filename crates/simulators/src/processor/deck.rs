//! The configured cards, sorted by what they can be used for.

use super::card::{Refusal, RefusalSource, Role, SimulatedCard};
use super::mix::{Draw, Mix, Wheel};
use domain::{Currency, FundingMode};
use std::collections::BTreeMap;

/// Which cards are good for what: indexes into the configured cards.
#[derive(Debug)]
pub(crate) struct Deck {
    cards: Vec<SimulatedCard>,
    pub(super) cache: Vec<u32>,
    pub(super) jit: Vec<u32>,
    refused: BTreeMap<Refusal, Vec<u32>>,
    pub(super) euro: Option<Currency>,
    pub(super) dollar: Option<Currency>,
    pub(super) franc: Option<Currency>,
}

impl Deck {
    pub(crate) fn new(cards: Vec<SimulatedCard>) -> Self {
        let mut deck = Self {
            cards: Vec::new(),
            cache: Vec::new(),
            jit: Vec::new(),
            refused: BTreeMap::new(),
            euro: Currency::from_alpha("EUR").ok(),
            dollar: Currency::from_alpha("USD").ok(),
            franc: Currency::from_alpha("CHF").ok(),
        };
        for (index, card) in (0_u32..).zip(&cards) {
            match (card.role, card.funding) {
                (Role::Good, FundingMode::PreFunded) => deck.cache.push(index),
                (Role::Good, FundingMode::Jit) => deck.jit.push(index),
                (Role::Refused(refusal), _) => deck.refused.entry(refusal).or_default().push(index),
            }
        }
        deck.cards = cards;
        deck
    }

    pub(crate) fn cards(&self) -> &[SimulatedCard] {
        &self.cards
    }

    /// The cards that can provoke `refusal`.
    pub(super) fn provoking(&self, refusal: Refusal) -> &[u32] {
        match refusal.source() {
            RefusalSource::Card => self.refused.get(&refusal).map_or(&[], Vec::as_slice),
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
