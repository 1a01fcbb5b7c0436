//! How often each kind of message is sent.

use super::card::Refusal;
use serde::Deserialize;

/// Relative weights: a kind with twice the weight is sent twice as often. Zero leaves a kind out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Mix {
    /// Purchases on good pre-funded cards.
    pub cache: u32,
    /// Purchases on good JIT cards.
    pub jit: u32,
    /// Purchases on good pre-funded cards in a foreign currency, with the network's conversion (DE 6, 51).
    pub cross_border: u32,
    /// Cash, quasi-cash, payments, purchases with cashback, pre-authorizations, and, on pre-funded cards, purchases that
    /// ask for the balances.
    pub special: u32,
    /// Requests that should be declined, spread evenly over [`Mix::refusals`].
    pub declines: u32,
    /// Earlier requests and advices sent again, half as 0101 or 0121, half as the very bytes before.
    pub repeats: u32,
    /// Full reversals of earlier approvals, half as 0400, half as 0420.
    pub reversals: u32,
    /// Reversals sent again as 0401 or 0421.
    pub reversal_repeats: u32,
    /// Advices of what the network approved in our place, 0120.
    pub advices: u32,
    /// Purchases that are booked at once, 0200.
    pub financial: u32,
    /// Completions of holds, 0220.
    pub completions: u32,
    /// Increments of holds, 0100.
    pub increments: u32,
    /// Reversals of the part of a hold that is above a new total, 0400 and 0420 with DE 95.
    pub partial_reversals: u32,
    /// Refunds, 0200.
    pub refunds: u32,
    /// Clearings without an authorization, 0220.
    pub forced_posts: u32,
    /// Balance inquiries and account verifications, 0100.
    pub questions: u32,
    /// Echo tests, 0800.
    pub echoes: u32,
    /// The declines to provoke.
    pub refusals: Vec<Refusal>,
}

impl Default for Mix {
    /// Mostly purchases, and enough of everything else to see each path within seconds.
    fn default() -> Self {
        Self {
            cache: 480,
            jit: 160,
            cross_border: 40,
            special: 90,
            declines: 120,
            repeats: 60,
            reversals: 90,
            reversal_repeats: 15,
            advices: 30,
            financial: 60,
            completions: 60,
            increments: 25,
            partial_reversals: 25,
            refunds: 30,
            forced_posts: 5,
            questions: 30,
            echoes: 5,
            refusals: Refusal::ALL.to_vec(),
        }
    }
}

impl Mix {
    /// The same without what only this project's own dialects can say.
    pub(crate) fn without_marks(self) -> Self {
        Self { completions: 0, increments: 0, ..self }
    }

    /// Purchases on pre-funded cards and nothing else: the hot path alone.
    #[must_use]
    pub fn cache_only() -> Self {
        Self {
            cache: 1,
            jit: 0,
            cross_border: 0,
            special: 0,
            declines: 0,
            repeats: 0,
            reversals: 0,
            reversal_repeats: 0,
            advices: 0,
            financial: 0,
            completions: 0,
            increments: 0,
            partial_reversals: 0,
            refunds: 0,
            forced_posts: 0,
            questions: 0,
            echoes: 0,
            refusals: Vec::new(),
        }
    }
}

/// What kind of message comes next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Draw {
    Cache,
    Jit,
    CrossBorder,
    Special,
    Decline,
    Repeat,
    Reversal,
    ReversalRepeat,
    Advice,
    Financial,
    Completion,
    Increment,
    PartialReversal,
    Refund,
    ForcedPost,
    Question,
    Echo,
}

/// Weights added up, so that one random number picks a kind.
#[derive(Clone, Debug)]
pub(crate) struct Wheel {
    upper: Vec<(u32, Draw)>,
    total: u32,
}

impl Wheel {
    /// A wheel over the kinds of `mix` for which `possible` holds; `None` if nothing is left.
    pub(crate) fn new(mix: &Mix, possible: impl Fn(Draw) -> bool) -> Option<Self> {
        let weights = [
            (mix.cache, Draw::Cache),
            (mix.jit, Draw::Jit),
            (mix.cross_border, Draw::CrossBorder),
            (mix.special, Draw::Special),
            (mix.declines, Draw::Decline),
            (mix.repeats, Draw::Repeat),
            (mix.reversals, Draw::Reversal),
            (mix.reversal_repeats, Draw::ReversalRepeat),
            (mix.advices, Draw::Advice),
            (mix.financial, Draw::Financial),
            (mix.completions, Draw::Completion),
            (mix.increments, Draw::Increment),
            (mix.partial_reversals, Draw::PartialReversal),
            (mix.refunds, Draw::Refund),
            (mix.forced_posts, Draw::ForcedPost),
            (mix.questions, Draw::Question),
            (mix.echoes, Draw::Echo),
        ];
        let mut total = 0_u32;
        let mut upper = Vec::new();
        for (weight, draw) in weights.into_iter().filter(|(weight, draw)| *weight > 0 && possible(*draw)) {
            total = total.checked_add(weight)?;
            upper.push((total, draw));
        }
        (total > 0).then_some(Self { upper, total })
    }

    /// The sum of all weights: the bound of the number that [`Wheel::at`] takes.
    pub(crate) const fn total(&self) -> u32 {
        self.total
    }

    /// The kind at `number`, which is below [`Wheel::total`].
    pub(crate) fn at(&self, number: u32) -> Draw {
        let found = self.upper.iter().find(|(upper, _)| number < *upper).or(self.upper.last());
        found.map_or(Draw::Echo, |(_, draw)| *draw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_as_often_as_their_weights_say() {
        let mix = Mix { cache: 3, jit: 1, ..Mix { cache: 0, ..Mix::cache_only() } };
        let wheel = Wheel::new(&mix, |_| true).unwrap();
        let drawn: Vec<Draw> = (0..wheel.total()).map(|number| wheel.at(number)).collect();
        assert_eq!(drawn, [Draw::Cache, Draw::Cache, Draw::Cache, Draw::Jit]);
    }

    #[test]
    fn a_wheel_needs_something_to_draw() {
        assert!(Wheel::new(&Mix::cache_only(), |draw| draw != Draw::Cache).is_none());
        let huge = Mix { cache: u32::MAX, jit: 1, ..Mix::cache_only() };
        assert!(Wheel::new(&huge, |_| true).is_none());
    }
}
