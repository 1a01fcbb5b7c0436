//! Programs of standing in, and what balance services tell, drawn from a seed.
//!
//! Most bounds of a program are far away and one or two are near, so that each of them decides now and then.

use crate::endings::Ending;
use crate::random::Random;
use authorizer::{BLOCKED_MCC, BLOCKED_TYPES, STAND_IN_OUTCOMES, StandIn, StandInProgram};
use domain::{AssetCode, FundingFailure, ProgramName, RuleAmount, StandInMode};
use rust_decimal::Decimal;
use std::time::Duration;

/// The names that programs of random worlds have, and one that none has.
pub(crate) const PROGRAMS: [&str; 3] = ["all", "gold", "none"];

/// The balance service tells something, or does not answer.
#[derive(Clone, Debug)]
pub(crate) enum Unserved {
    /// The balance service tells an account's balance by itself.
    Tell(u32, Tell),
    /// The answer to one of the asks so far tells a balance, of another account now and then, and ends the ask so.
    AnswerTells(usize, Tell, bool, Ending),
    /// An operator orders a mode for one of the programs, or withdraws the order.
    Order(usize, Option<StandInMode>),
    /// A JIT card pays just what a bound allows, or so much more, and its service does not answer.
    Pay(u32, Bound, i64, FundingFailure),
    /// A JIT card asks for its balance.
    AskBalance(u32),
}

/// Which bound a payment goes up to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// None: a small amount.
    Small,
    Transaction,
    Card,
    Account,
    Program,
    /// What the account has available at its service, with the buffer on top.
    Funds,
}

/// A balance that a service tells: how much newer than the last one, and how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tell {
    pub(crate) newer: i64,
    /// Hundredths of a whole unit.
    pub(crate) hundredths: i64,
    pub(crate) counted: Counted,
}

/// Which transactions it says that it has taken off.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counted {
    None,
    All,
    /// One of those so far.
    One(usize),
}

/// The programs of a world; none in half of them.
pub(crate) fn draw(random: &mut Random) -> StandIn {
    if random.once_in(2) {
        return StandIn::default();
    }
    let mut programs = vec![program(random, PROGRAMS[0], "")];
    if random.once_in(3) {
        programs.push(program(random, PROGRAMS[1], "A3"));
    }
    StandIn::new(programs)
}

fn program(random: &mut Random, name: &str, prefix: &str) -> StandInProgram {
    const HOUR: u64 = 3_600;
    let usual = STAND_IN_OUTCOMES.to_vec();
    let few = vec![FundingFailure::Refused, FundingFailure::Malformed];
    let outcomes = if random.once_in(6) { few } else { usual };
    StandInProgram {
        name: ProgramName::new(name).expect("short"),
        account_prefix: prefix.into(),
        mode: random.pick(&[
            StandInMode::Automatic,
            StandInMode::Automatic,
            StandInMode::Automatic,
            StandInMode::Automatic,
            StandInMode::Automatic,
            StandInMode::Automatic,
            StandInMode::Manual,
            StandInMode::Off,
        ]),
        outcomes,
        balance_age_max: Duration::from_secs(random.pick(&[7 * HOUR, 72 * HOUR, 3_000 * HOUR, 3_000 * HOUR])),
        buffer_percent: random.pick(&[0, 0, 10, 50]),
        transaction_max: amounts(random, &["USD", "EUR"]),
        card_max: amounts(random, &["USD", "EUR"]),
        card_count_max: random.pick(&[1, 2, 3, 20, 20, 20]),
        account_max: amounts(random, &["USDT"]),
        exposure_max: amounts(random, &["USDT"]),
        blocked_types: if random.once_in(3) { Vec::new() } else { BLOCKED_TYPES.to_vec() },
        blocked_mcc: if random.once_in(3) { Vec::new() } else { BLOCKED_MCC.to_vec() },
        first_use: !random.once_in(5),
    }
}

/// A bound in each currency; now and then in none, which allows nothing.
fn amounts(random: &mut Random, codes: &[&str]) -> Vec<RuleAmount> {
    let value = if random.once_in(5) { 10 + random.below(140) } else { 2_000 };
    let value = Decimal::new(i64::try_from(value).expect("small"), 0);
    let named = if random.once_in(40) { &codes[1..] } else { codes };
    named.iter().map(|code| RuleAmount { code: AssetCode::new(code).expect("a code"), value }).collect()
}

/// The cards whose money is asked for at authorization time.
const JIT: [u32; 3] = [4, 5, 6];

impl Unserved {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let any = usize::try_from(random.below(1_000)).expect("small");
        let card = random.pick(&JIT);
        let account = random.pick(&[2, 3]);
        let modes =
            [None, Some(StandInMode::Automatic), Some(StandInMode::Manual), Some(StandInMode::Off), None];
        match random.below(17) {
            0..=7 => Self::Pay(card, Bound::draw(random), random.pick(&[0, 1]), failure(random)),
            8..=10 => Self::Tell(account, Tell::draw(random)),
            11..=13 => Self::AnswerTells(any, Tell::draw(random), random.once_in(8), Ending::draw(random)),
            14 => {
                let program = usize::try_from(random.below(PROGRAMS.len() as u64)).expect("small");
                Self::Order(program, random.pick(&modes))
            }
            _ => Self::AskBalance(card),
        }
    }
}

impl Bound {
    pub(crate) fn draw(random: &mut Random) -> Self {
        random.pick(&[
            Self::Small,
            Self::Small,
            Self::Transaction,
            Self::Card,
            Self::Account,
            Self::Program,
            Self::Funds,
            Self::Funds,
        ])
    }
}

impl Tell {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let any = usize::try_from(random.below(1_000)).expect("small");
        Self {
            newer: random.pick(&[-1, 0, 1, 1, 1, 1, 4]),
            hundredths: i64::try_from(random.below(12_000)).expect("small") - 1_000,
            counted: random.pick(&[Counted::None, Counted::None, Counted::All, Counted::One(any)]),
        }
    }
}

/// How a service that does not answer fails; most of it is stood in for.
pub(crate) fn failure(random: &mut Random) -> FundingFailure {
    random.pick(&[
        FundingFailure::TimedOut,
        FundingFailure::Refused,
        FundingFailure::Refused,
        FundingFailure::Refused,
        FundingFailure::BreakerOpen,
        FundingFailure::Reset,
        FundingFailure::Malformed,
    ])
}
