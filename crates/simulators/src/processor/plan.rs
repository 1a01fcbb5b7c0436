//! The sequence of messages of one link: a pure function of the configuration and the seed.
//!
//! The plan never looks at answers. Repeats and reversals refer to messages that it planned shortly before, some
//! of which will still be in flight. So two runs with the same seed plan the same messages, whatever the
//! switch does; only transmission times (DE 7) follow the clock, and the caller passes them in. What makes sense only
//! for a hold that stands (completions, increments, reversals of a part) is left out by the caller where the approval
//! was not seen.

use super::card::{Refusal, SimulatedCard};
use super::deck::Deck;
use super::effect::{Earlier, Effect, Marks};
use super::merchant::{BETTING, FAR_AWAY, ORDINARY, UNWANTED};
use super::mix::{Draw, Mix, Wheel};
use super::request::{ECHO, Kind, Purchase, References, Request, Subject};
use super::skew::Pool;
use domain::FundingMode;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;

/// How many recent messages repeats and reversals are drawn from.
const RECENT_MAX: usize = 512;

/// Requests for a decline ask for at least this much, in minor units, so that a limit of 1.00 refuses them.
const DECLINED_AMOUNT_MIN: u64 = 500;

/// One more message, and what it means for the memory of earlier ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    pub(crate) request: Request,
    /// Whether later messages may refer to this one.
    pub(crate) remember: bool,
    /// Messages that no later one will refer to any more: one, and its reversal.
    pub(crate) forget: [Option<References>; 2],
}

/// A message that later ones may refer to, and its reversal if there is one.
#[derive(Clone, Copy, Debug)]
struct Recent {
    request: Request,
    reversal: Option<Request>,
    /// It was completed or reversed in part: nothing else is planned for it but repeats.
    changed: bool,
}

/// The plan of one link.
#[derive(Debug)]
pub(crate) struct Plan {
    deck: Arc<Deck>,
    wheel: Wheel,
    refusals: Vec<Refusal>,
    random: Xoshiro256PlusPlus,
    recent: Vec<Recent>,
    newest: usize,
    stans: Stans,
}

/// The STANs of one link. Links of one run share an acquirer, so each takes every n-th number.
#[derive(Debug)]
struct Stans {
    next: u64,
    step: u64,
}

impl Stans {
    fn take(&mut self) -> u32 {
        // 000000 is left out: some switches take it for "none".
        let stan = u32::try_from(self.next % 999_999).unwrap_or(0) + 1;
        self.next += self.step;
        stan
    }
}

impl Plan {
    /// The plan of link number `link` of `links`; `None` if the mix has nothing that these cards can do.
    pub(crate) fn new(deck: Arc<Deck>, mix: &Mix, seed: u64, link: usize, links: usize) -> Option<Self> {
        let refusals = deck.refusals(mix);
        let wheel = deck.wheel(mix, &refusals)?;
        let (link, links) = (link as u64, links.max(1) as u64);
        // The seed of a link is far from its neighbours' whatever the seed of the run.
        let random = Xoshiro256PlusPlus::seed_from_u64(seed ^ (link + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let stans = Stans { next: link, step: links };
        Some(Self { deck, wheel, refusals, random, recent: Vec::new(), newest: 0, stans })
    }

    /// The next message, stamped with `transmission` (`MMDDhhmmss`) if it is a new one.
    pub(crate) fn next(&mut self, transmission: u32) -> Planned {
        let draw = self.wheel.at(self.random.random_range(0..self.wheel.total()));
        let follow_up = match draw {
            Draw::Cache => None,
            Draw::Jit | Draw::CrossBorder | Draw::Special => return self.purchase_on(draw, transmission),
            Draw::Decline => return self.refused(transmission),
            Draw::Advice => return self.advice(transmission),
            Draw::Financial | Draw::Refund | Draw::ForcedPost | Draw::Question => {
                return self.at_once(draw, transmission);
            }
            Draw::Completion | Draw::Increment | Draw::PartialReversal => {
                match self.on_a_hold(draw, transmission) {
                    Some(request) => return Planned { request, remember: false, forget: [None; 2] },
                    None => None,
                }
            }
            Draw::Echo => Some(self.network(ECHO, transmission)),
            Draw::Repeat => self.repeat(),
            Draw::Reversal => self.reversal(transmission),
            Draw::ReversalRepeat => self.reversal_repeat(),
        };
        match follow_up {
            // A reversal may be sent again later; what is itself a repeat or an echo is not.
            Some(request) => Planned { request, remember: request.kind == Kind::Reversal, forget: [None; 2] },
            // Early in a run there is nothing to refer to yet; an ordinary purchase takes the turn.
            None => self.purchase_on(Draw::Cache, transmission),
        }
    }

    /// A message of network management with DE 70 `code`.
    pub(crate) fn network(&mut self, code: u16, transmission: u32) -> Request {
        let references = self.references(transmission);
        Request { kind: Kind::Network, mti: *b"0800", references, subject: Subject::Network(code) }
    }

    /// A reversal advice of `original`, outside of the plan's own turn.
    pub(crate) fn reversal_of(&mut self, original: &Request, transmission: u32) -> Option<Request> {
        let references = self.references(transmission);
        original.reversal(*b"0420", references)
    }

    fn references(&mut self, transmission: u32) -> References {
        References { stan: self.stans.take(), transmission }
    }

    fn purchase_on(&mut self, draw: Draw, transmission: u32) -> Planned {
        let pool = if draw == Draw::Special {
            mixed(&mut self.random, &self.deck)
        } else if draw == Draw::Jit || self.deck.cache.is_empty() {
            &self.deck.jit
        } else {
            &self.deck.cache
        };
        let Some((mut purchase, card)) = ordinary(&mut self.random, &self.deck, pool) else {
            let request = self.network(ECHO, transmission);
            return Planned { request, remember: false, forget: [None; 2] };
        };
        if draw == Draw::CrossBorder {
            purchase = abroad(&self.deck, &card, purchase);
        }
        if draw == Draw::Special {
            // Only the balance service knows what is left on its accounts, so nobody asks there.
            let kinds = if card.funding == FundingMode::Jit { SPECIAL_KINDS - 1 } else { SPECIAL_KINDS };
            purchase = special(self.random.random_range(0..kinds), purchase);
        }
        self.remembered(Kind::Purchase, *b"0100", purchase, transmission)
    }

    /// A message that moves money when it comes, or none at all.
    fn at_once(&mut self, draw: Draw, transmission: u32) -> Planned {
        let pool =
            if draw == Draw::Question { &self.deck.cache } else { mixed(&mut self.random, &self.deck) };
        let Some((purchase, _)) = ordinary(&mut self.random, &self.deck, pool) else {
            return self.purchase_on(Draw::Jit, transmission);
        };
        let inquires = self.random.random_range(0..2) == 0;
        let (kind, mti, purchase) = if draw == Draw::Refund {
            let (processing_code, effect) = (REFUND, Effect::Bring);
            (Kind::Purchase, *b"0200", Purchase { processing_code, effect, ..purchase })
        } else if draw == Draw::ForcedPost {
            (Kind::Advice, *b"0220", Purchase { effect: Effect::Take, marks: Marks::Final, ..purchase })
        } else if draw == Draw::Question {
            let processing_code = if inquires { BALANCE_INQUIRY } else { VERIFICATION };
            let (amount, effect) = (0, Effect::Nothing);
            (Kind::Purchase, *b"0100", Purchase { processing_code, amount, effect, ..purchase })
        } else {
            (Kind::Purchase, *b"0200", Purchase { effect: Effect::Take, ..purchase })
        };
        self.remembered(kind, mti, purchase, transmission)
    }

    /// A message that changes a hold which an earlier one should have placed, or ends it.
    fn on_a_hold(&mut self, draw: Draw, transmission: u32) -> Option<Request> {
        let place = self.find(|recent, purchase| {
            purchase.effect == Effect::Hold && purchase.billing.is_none() && !recent.changed
        })?;
        let references = self.references(transmission);
        let share = self.random.random_range(1..=100_u64);
        let advised = self.random.random_range(0..2) == 0;
        let recent = self.recent.get_mut(place)?;
        recent.changed = draw != Draw::Increment;
        let original = recent.request;
        let earlier = Earlier { references: original.references, mti: original.mti };
        let purchase = *original.purchase()?;
        let whole = purchase.amount;
        let request = |kind, mti, purchase| {
            let subject = Subject::Purchase(purchase);
            Some(Request { kind, mti, references, subject })
        };
        if draw == Draw::Completion {
            // A little less or more than was approved, as tips and conversions have it.
            let (effect, marks) = (Effect::Complete(earlier), Marks::Final);
            let amount = whole * (89 + share % 17) / 100;
            request(Kind::Advice, *b"0220", Purchase { amount, effect, marks, cash: None, ..purchase })
        } else if draw == Draw::Increment {
            let (effect, marks) = (Effect::Raise(earlier), Marks::Incremental);
            let amount = whole * share / 100 + 1;
            request(Kind::Purchase, *b"0100", Purchase { amount, effect, marks, cash: None, ..purchase })
        } else {
            let mti = if advised { *b"0420" } else { *b"0400" };
            original.partial_reversal(mti, references, (whole * share / 101).max(1))
        }
    }

    fn advice(&mut self, transmission: u32) -> Planned {
        let pool = mixed(&mut self.random, &self.deck);
        match ordinary(&mut self.random, &self.deck, pool) {
            Some((purchase, _)) => self.remembered(Kind::Advice, *b"0120", purchase, transmission),
            None => self.purchase_on(Draw::Jit, transmission),
        }
    }

    fn refused(&mut self, transmission: u32) -> Planned {
        let refusal = any(&mut self.random, &self.refusals);
        let chosen = refusal.and_then(|refusal| {
            let pool = self.deck.provoking(refusal);
            Some((refusal, ordinary(&mut self.random, &self.deck, pool)?))
        });
        let Some((refusal, (purchase, _))) = chosen else {
            return self.purchase_on(Draw::Cache, transmission);
        };
        let purchase = provoke(&self.deck, refusal, purchase);
        self.remembered(Kind::Purchase, *b"0100", purchase, transmission)
    }

    fn remembered(&mut self, kind: Kind, mti: [u8; 4], purchase: Purchase, transmission: u32) -> Planned {
        let references = self.references(transmission);
        let request = Request { kind, mti, references, subject: Subject::Purchase(purchase) };
        let recent = Recent { request, reversal: None, changed: false };
        if self.recent.len() < RECENT_MAX {
            self.newest = self.recent.len();
            self.recent.push(recent);
            return Planned { request, remember: true, forget: [None; 2] };
        }
        // A random one makes room, so that follow-ups come after delays of every length.
        self.newest = self.random.random_range(0..RECENT_MAX);
        let forget = self.recent.get_mut(self.newest).map(|slot| std::mem::replace(slot, recent));
        let forget = forget.map_or([None; 2], |old| {
            [Some(old.request.references), old.reversal.map(|reversal| reversal.references)]
        });
        Planned { request, remember: true, forget }
    }

    fn repeat(&mut self) -> Option<Request> {
        // Every fourth repeat follows the newest message at once, which is then often still in flight.
        let recent = match self.random.random_range(0..4) {
            0 => self.recent.get(self.newest).copied(),
            _ => any(&mut self.random, &self.recent),
        };
        let original = recent?.request;
        let marked = self.random.random_range(0..2) == 0;
        Some(if marked { original.repeated() } else { original.duplicated() })
    }

    /// Something that should have been approved, was not undone before, and is `suitable`. A draw that finds nothing
    /// within a few attempts gives up, so that the time of a step stays bounded.
    fn find(&mut self, suitable: impl Fn(&Recent, &Purchase) -> bool) -> Option<usize> {
        const ATTEMPTS_MAX: usize = 8;
        let count = self.recent.len();
        (0..ATTEMPTS_MAX).filter(|_| count > 0).find_map(|_| {
            let place = self.random.random_range(0..count);
            let recent = self.recent.get(place)?;
            let purchase = recent.request.purchase()?;
            let open = recent.reversal.is_none() && purchase.refusal.is_none();
            (open && suitable(recent, purchase)).then_some(place)
        })
    }

    fn reversal(&mut self, transmission: u32) -> Option<Request> {
        let place = self.find(|recent, purchase| {
            let forced = recent.request.is_advice() && purchase.effect == Effect::Take;
            purchase.effect.is_reversible() && !recent.changed && !forced
        })?;
        let references = self.references(transmission);
        let mti = if self.random.random_range(0..2) == 0 { *b"0400" } else { *b"0420" };
        let recent = self.recent.get_mut(place)?;
        recent.reversal = recent.request.reversal(mti, references);
        recent.reversal
    }

    fn reversal_repeat(&mut self) -> Option<Request> {
        let reversed = any(&mut self.random, &self.recent)?.reversal?;
        Some(reversed.repeated())
    }
}

/// One of the values, each as likely as the others.
fn any<T: Copy>(random: &mut Xoshiro256PlusPlus, from: &[T]) -> Option<T> {
    if from.is_empty() { None } else { from.get(random.random_range(0..from.len())).copied() }
}

/// The cards whose money is in the switch, or now and then those whose balance service is asked.
fn mixed<'d>(random: &mut Xoshiro256PlusPlus, deck: &'d Deck) -> &'d Pool {
    let jit = deck.cache.is_empty() || (!deck.jit.is_empty() && random.random_range(0..4) == 0);
    if jit { &deck.jit } else { &deck.cache }
}

/// An everyday purchase with one of the cards in `pool`.
fn ordinary(random: &mut Xoshiro256PlusPlus, deck: &Deck, pool: &Pool) -> Option<(Purchase, SimulatedCard)> {
    let index = pool.draw(random)?;
    let card = *deck.cards().get(index as usize)?;
    // Most purchases are small: a product of two draws leans to the low end of 1.01 to 197.00.
    let amount = 100 + random.random_range(1..=140_u64) * random.random_range(1..=140_u64);
    let purchase = Purchase {
        card: index,
        amount,
        currency: card.currency,
        billing: None,
        merchant: any(random, &ORDINARY)?,
        processing_code: 0,
        cash: None,
        effect: Effect::Hold,
        marks: Marks::None,
        refusal: None,
    };
    Some((purchase, card))
}

/// The purchase in a foreign currency, with the network's conversion at a round rate.
fn abroad(deck: &Deck, card: &SimulatedCard, purchase: Purchase) -> Purchase {
    let foreign = if Some(card.currency) == deck.euro { deck.dollar } else { deck.euro };
    match foreign {
        Some(currency) => Purchase { currency, billing: Some(purchase.amount * 109 / 100), ..purchase },
        None => purchase,
    }
}

/// The purchase with what makes the switch refuse it for `refusal`.
fn provoke(deck: &Deck, refusal: Refusal, purchase: Purchase) -> Purchase {
    let amount = purchase.amount.max(DECLINED_AMOUNT_MIN);
    let purchase = Purchase { amount, refusal: Some(refusal), ..purchase };
    match refusal {
        Refusal::UnservedType => Purchase { processing_code: TRANSFER, ..purchase },
        Refusal::ZeroAmount => Purchase { amount: 0, ..purchase },
        Refusal::BlockedCountry => Purchase { merchant: FAR_AWAY, ..purchase },
        Refusal::BlockedMcc => Purchase { merchant: BETTING, ..purchase },
        Refusal::BlockedMerchant => Purchase { merchant: UNWANTED, ..purchase },
        Refusal::BlockedCurrency => {
            let currency = deck.euro.unwrap_or(purchase.currency);
            Purchase { currency, billing: Some(amount), ..purchase }
        }
        Refusal::NoRate => Purchase { currency: deck.franc.unwrap_or(purchase.currency), ..purchase },
        Refusal::UnknownCard
        | Refusal::Closed
        | Refusal::Frozen
        | Refusal::NotYetActive
        | Refusal::Expired
        | Refusal::WrongExpiry
        | Refusal::TransactionLimit
        | Refusal::DayAmount
        | Refusal::DayCount
        | Refusal::Poor
        | Refusal::Unfunded => purchase,
    }
}

/// DE 3 of a transfer between accounts, which no card switch serves.
const TRANSFER: u32 = 400_000;
/// Of a refund, a balance inquiry and an account verification.
const REFUND: u32 = 200_000;
const BALANCE_INQUIRY: u32 = 300_000;
const VERIFICATION: u32 = 330_000;
/// Of cash, quasi-cash, a payment, and a purchase with cashback.
const CASH: u32 = 10_000;
const QUASI_CASH: u32 = 110_000;
const PAYMENT: u32 = 500_000;
const CASHBACK: u32 = 90_000;

/// How many kinds [`special`] knows.
const SPECIAL_KINDS: u32 = 6;

/// What else takes money from a card, or asks for more than an approval.
const fn special(kind: u32, purchase: Purchase) -> Purchase {
    match kind {
        0 => Purchase { processing_code: CASH, ..purchase },
        1 => Purchase { processing_code: QUASI_CASH, ..purchase },
        2 => Purchase { processing_code: PAYMENT, ..purchase },
        3 => Purchase { processing_code: CASHBACK, cash: Some(purchase.amount / 2), ..purchase },
        4 => Purchase { marks: Marks::PreAuthorization, ..purchase },
        _ => Purchase { marks: Marks::BalancesWanted, ..purchase },
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
