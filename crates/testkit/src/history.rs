//! Random histories: a seed gives a world, a pool of messages and a list of steps; playing it either ends well
//! or gives a finding. A failing history is made shorter by leaving out whatever is not needed to fail.

use crate::drafts::{CARDS, Draft};
use crate::finding::Finding;
use crate::pricing;
use crate::program;
use crate::random::Random;
use crate::stage::Stage;
use crate::standing_in;
use crate::steps::{self, Step};
use crate::world::World;
use authorizer::{AdviceAfterReversal, Life, Policy};
use domain::{LimitRule, Timestamp};
use std::fmt::Write as _;
use std::sync::Arc;

/// Steps in one history.
const STEPS: usize = 60;

/// When worlds begin: shortly before something happens to the calendar. Seconds since 1970, with the reason.
const STARTS: [i64; 6] = [
    1_774_735_200, // 2026-03-28 22:00 UTC: an hour before a Berlin day of 23 hours
    1_792_875_600, // 2026-10-24 21:00 UTC: an hour before a Berlin day of 25 hours
    1_793_505_600, // 2026-11-01 04:00 UTC: New York's day of 25 hours has just begun, in its summer time
    1_798_754_400, // 2026-12-31 22:00 UTC: the end of a year, a month and, three days later, a week
    1_835_388_000, // 2028-02-28 22:00 UTC: the day before a leap day
    1_795_176_000, // 2026-11-20 12:00 UTC: a plain Friday
];

/// A story to play, made from a seed.
#[derive(Clone, Debug)]
pub struct History {
    seed: u64,
    start: Timestamp,
    policy: Policy,
    pool: Vec<Draft>,
    opening: Vec<Vec<LimitRule>>,
    /// What the balance service tells of its accounts before anything happens, in cents.
    told_at_first: i64,
    steps: Vec<Step>,
}

/// A history that failed, made as short as it could be.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The seed that repeats it.
    pub seed: u64,
    /// What is not as it must be.
    pub finding: Finding,
    /// The steps that are needed, one a line.
    pub trace: String,
}

impl History {
    /// The history of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let pool_size = 4 + random.below(10);
        let policy = Policy {
            open_holds_per_card_max: random.pick(&[2, 1_000, 1_000, 1_000]),
            duties_per_shard_max: random.pick(&[2, 10_000, 10_000, 10_000]),
            rules: Arc::new(program::draw(&mut random)),
            life: Arc::new(life(&mut random)),
            stand_in: Arc::new(standing_in::draw(&mut random)),
            pricing: Arc::new(pricing::draw(&mut random)),
            ..Policy::default()
        };
        let is_unserved = !policy.stand_in.programs().is_empty();
        Self {
            seed,
            start: Timestamp::from_seconds(random.pick(&STARTS)),
            policy,
            pool: (0..pool_size).enumerate().map(|(place, _)| Draft::draw(&mut random, place)).collect(),
            opening: (0..CARDS).map(|card| opening_limits(&mut random, is_unserved && card >= 4)).collect(),
            told_at_first: random.pick(&[3_000, 9_000, 30_000]),
            steps: (0..STEPS)
                .map(|_| match is_unserved && random.once_in(3) {
                    true => Step::draw_unserved(&mut random),
                    false => Step::draw(&mut random, pool_size),
                })
                .collect(),
        }
    }

    /// Plays it to the end, and returns the world as it is then.
    ///
    /// # Errors
    /// What was found, at which step.
    pub fn play(&self) -> Result<World, Finding> {
        let mut stage =
            Stage::set(World::new(self.start, self.policy.clone()), &self.opening, self.told_at_first)?;
        for (place, step) in self.steps.iter().enumerate() {
            let played = stage.play(step, &self.pool);
            played.map_err(|finding| Finding(format!("step {place}, {step:?}: {finding}")))?;
        }
        let world = stage.into_world();
        world.check_everything()?;
        world.check_all_answered()?;
        Ok(world)
    }

    /// Plays it. A panic is a finding like any other, so that its seed is told.
    fn try_to_play(&self) -> Result<World, Finding> {
        let played = std::panic::catch_unwind(|| self.play());
        played.unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("nothing");
            Err(Finding(format!("the switch or the model panicked and said: {said}")))
        })
    }

    /// Plays it, and if it fails, leaves it as long as it is.
    ///
    /// # Errors
    /// The whole history.
    pub fn check_only(&self) -> Result<World, Box<Failed>> {
        let failed = |finding| Box::new(Failed { seed: self.seed, finding, trace: self.trace() });
        self.try_to_play().map_err(failed)
    }

    /// Plays it, and if it fails, finds out how little is needed to fail.
    ///
    /// # Errors
    /// The short history.
    pub fn check(&self) -> Result<World, Box<Failed>> {
        let mut finding = match self.try_to_play() {
            Ok(world) => return Ok(world),
            Err(finding) => finding,
        };
        let mut short = self.clone();
        loop {
            let before = short.steps.len();
            let mut place = before;
            while place > 0 {
                place -= 1;
                let mut shorter = short.clone();
                shorter.steps.remove(place);
                if let Err(found) = shorter.try_to_play() {
                    (short, finding) = (shorter, found);
                }
            }
            if short.steps.len() == before {
                break;
            }
        }
        Err(Box::new(Failed { seed: self.seed, finding, trace: short.trace() }))
    }

    fn trace(&self) -> String {
        let mut trace = String::new();
        for step in &self.steps {
            let _ = writeln!(trace, "  {step:?}");
            if let Some(place) = step.place() {
                let draft = &self.pool[place];
                let request = &draft.request;
                let _ = writeln!(
                    trace,
                    "      card {} amount {} stan {} sent {} acquirer {} rrn {:?} partial {:?} answer within {:?}",
                    draft.card,
                    request.amount,
                    request.stan,
                    request.transmission,
                    request.acquirer,
                    request.rrn.map(|rrn| rrn.to_string()),
                    request.partial,
                    draft.answer_within,
                );
            }
        }
        trace
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "history {} failed: {}\nas few steps as fail:\n{}", self.seed, self.finding, self.trace)
    }
}

/// The limits that a card begins with. Where its service may not answer, most often none: other bounds are to decide.
fn opening_limits(random: &mut Random, is_unserved: bool) -> Vec<LimitRule> {
    if is_unserved && !random.once_in(4) { Vec::new() } else { steps::limits(random, 1) }
}

/// What a program decides about the life of a transaction; mostly the defaults.
fn life(random: &mut Random) -> Life {
    Life {
        partial_minor_min: random.pick(&[1, 1, 1, 500]),
        cashback_minor_max: random.pick(&[None, Some(500)]),
        refunds_at_authorization: random.once_in(4),
        advice_after_reversal: random.pick(&[AdviceAfterReversal::Ignore, AdviceAfterReversal::Hold]),
        confirm: random.once_in(4),
        ..Life::default()
    }
}
