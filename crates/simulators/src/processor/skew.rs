//! Which of many cards a message is about: all alike, a few far ahead of the rest, or some accounts hot.

use super::card::SimulatedCard;
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

/// How messages are spread over cards that are good for the same thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Skew {
    /// Each card as often as the others.
    Even,
    /// The card of rank k with a weight of 1/k^exponent: with 1.0, a hundredth of a million cards pays for two thirds.
    Zipf {
        /// Above 0 and at most 4; the higher, the fewer cards matter.
        exponent: f64,
    },
    /// Part of the messages on the cards of the first few accounts, the others on the rest.
    Hot {
        /// How many accounts are hot.
        accounts: u32,
        /// How many messages in a hundred are theirs.
        percent: u8,
    },
}

impl Skew {
    /// What is wrong with it, and what is allowed.
    pub(crate) fn fault(&self) -> Option<(String, &'static str)> {
        match self {
            Self::Zipf { exponent } if !(*exponent > 0.0 && *exponent <= 4.0) => {
                Some((exponent.to_string(), "an exponent above 0 and at most 4"))
            }
            Self::Hot { accounts: 0, .. } => Some(("no hot account".into(), "at least one")),
            Self::Hot { percent, .. } if !(1..=100).contains(percent) => {
                Some((format!("{percent} %"), "1 to 100 % of the messages"))
            }
            Self::Even | Self::Zipf { .. } | Self::Hot { .. } => None,
        }
    }
}

/// Cards that are good for the same thing, and how one is drawn.
#[derive(Debug)]
pub(crate) struct Pool {
    cards: Vec<u32>,
    ranks: Ranks,
}

#[derive(Debug)]
enum Ranks {
    Even,
    /// The sum of the weights up to each card.
    Weighted(Vec<f64>),
    /// The cards before `first` are hot.
    Hot {
        first: usize,
        percent: u8,
    },
}

impl Pool {
    /// A pool of these places in `all`.
    pub(crate) fn new(cards: Vec<u32>, all: &[SimulatedCard], skew: Skew) -> Self {
        let ranks = match skew {
            Skew::Even => Ranks::Even,
            Skew::Zipf { exponent } => {
                let mut sum = 0.0;
                let weights = (1..=cards.len()).map(|rank| {
                    sum += (rank as f64).powf(-exponent);
                    sum
                });
                Ranks::Weighted(weights.collect())
            }
            Skew::Hot { accounts, percent } => Ranks::Hot { first: of_first(accounts, &cards, all), percent },
        };
        Self { cards, ranks }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.cards.is_empty()
    }

    /// One of the cards.
    pub(crate) fn draw(&self, random: &mut Xoshiro256PlusPlus) -> Option<u32> {
        let count = self.cards.len();
        if count == 0 {
            return None;
        }
        let place = match &self.ranks {
            Ranks::Even => random.random_range(0..count),
            Ranks::Weighted(sums) => {
                let drawn = random.random_range(0.0..1.0_f64) * sums.last().copied().unwrap_or(1.0);
                sums.partition_point(|sum| *sum <= drawn).min(count - 1)
            }
            Ranks::Hot { first, percent } => {
                let hot = random.random_range(0..100_u8) < *percent;
                let range = if hot || *first == count { 0..*first } else { *first..count };
                random.random_range(range)
            }
        };
        self.cards.get(place).copied()
    }
}

/// How many of `cards` belong to the first accounts. The cards of an account stand together.
fn of_first(accounts: u32, cards: &[u32], all: &[SimulatedCard]) -> usize {
    let (mut seen, mut last) = (0, None);
    for (place, card) in cards.iter().enumerate() {
        let account = all.get(*card as usize).map(|card| card.account);
        if account != last {
            if seen == accounts {
                return place;
            }
            (seen, last) = (seen + 1, account);
        }
    }
    cards.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processor::{PopulationSizes, population};
    use rand::SeedableRng;

    /// How often each of a hundred cards, two to an account, is drawn in a hundred thousand.
    fn drawn(skew: Skew) -> Vec<u32> {
        let sizes = PopulationSizes { pre_funded_cards: 100, cards_per_account: 2, ..Default::default() };
        let cards = population(1, sizes).unwrap().cards;
        let pool = Pool::new((0..100).collect(), &cards, skew);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut counts = vec![0; 100];
        for _ in 0..100_000 {
            counts[pool.draw(&mut random).unwrap() as usize] += 1;
        }
        counts
    }

    #[test]
    fn with_zipf_the_second_card_is_drawn_half_as_often_as_the_first_and_the_last_still_is() {
        let counts = drawn(Skew::Zipf { exponent: 1.0 });
        // The sum of 1/k up to a hundred is 5.187.
        assert!((18_500..20_100).contains(&counts[0]), "{}", counts[0]);
        assert!((9_100..10_200).contains(&counts[1]), "{}", counts[1]);
        assert!((130..260).contains(&counts[99]), "{}", counts[99]);
    }

    #[test]
    fn hot_accounts_get_their_share_and_the_others_the_rest() {
        let counts = drawn(Skew::Hot { accounts: 2, percent: 90 });
        let hot: u32 = counts[..4].iter().sum();
        assert!((89_400..90_600).contains(&hot), "{hot}");
        assert!(counts[4..].iter().all(|count| *count > 50));
        let counts = drawn(Skew::Hot { accounts: 1, percent: 100 });
        assert_eq!(counts[..2].iter().sum::<u32>(), 100_000);
    }

    #[test]
    fn more_hot_accounts_than_there_are_make_all_alike() {
        let counts = drawn(Skew::Hot { accounts: 1_000, percent: 50 });
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_skew_out_of_bounds_says_what_is_allowed() {
        assert!(Skew::Zipf { exponent: f64::NAN }.fault().is_some());
        assert!(Skew::Zipf { exponent: 0.99 }.fault().is_none());
        assert!(Skew::Hot { accounts: 0, percent: 10 }.fault().is_some());
        assert!(Skew::Hot { accounts: 1, percent: 101 }.fault().is_some());
        assert!(Skew::Even.fault().is_none());
    }
}
