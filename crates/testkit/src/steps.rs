//! What can happen in a random history. A step means something by itself: it names messages by their place in a
//! small pool, so repeats, reversals before their originals and late outcomes come about by chance, and any
//! step can be left out when a failing history is made shorter.

use crate::drafts::{CARDS, FollowUp, Undo, currency};
use crate::endings::Ending;
use crate::random::Random;
use crate::standing_in::Unserved;
use authorizer::AnswerLoss;
use domain::{CardStatus, Controls, CountryCode, LimitRule, ListRule, Mcc, Text, Window, ZoneName};
use std::time::Duration;

/// How many accounts a random world has.
pub(crate) const ACCOUNTS: u32 = 4;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Time passes.
    Wait(Duration),
    /// The wall clock is set back.
    SetBack(Duration),
    /// The wall clock is set forward.
    SetForward(Duration),
    /// A message of the pool is sent as a request; again, if it was sent before.
    Send(usize),
    /// The same, and where the balance service is asked it grants it at once.
    SendFunded(usize),
    /// A message of the pool asks for all that its card can spend, and so much more. Pre-funded dollars only;
    /// elsewhere it is sent as it is.
    SendRest(usize, i64),
    /// The same references with another amount.
    SendOtherAmount(usize),
    /// The network approved a message of the pool for us.
    Advise(usize),
    /// The network declined a message of the pool for us.
    AdviseDecline(usize),
    /// A message of the pool is reversed, as a whole or in part.
    Reverse(usize, Undo),
    /// Something that follows a message of the pool.
    Follow(FollowUp),
    /// Something that follows one of the messages sent so far whose hold stands: a long life comes of these.
    FollowHold(usize, FollowUp),
    /// One of the messages sent so far is sent again.
    Repeat(usize),
    /// One of the messages sent so far is reversed.
    ReverseSent(usize, Undo),
    /// The answer to one of the messages sent so far was lost.
    Lose(usize, AnswerLoss),
    /// An operator ends one of the transactions so far before its time.
    Release(usize),
    /// One of the asks made so far ends so; it may have ended before.
    AskEnds(usize, Ending),
    /// One of the duties taken up so far is acknowledged; it may have been before.
    Acknowledge(usize),
    /// The balance service tells something, or does not answer.
    Unserved(Unserved),
    /// A card gets a status.
    Status(u32, CardStatus),
    /// A card's limits are replaced.
    LimitCard(u32, Vec<LimitRule>),
    /// An account's limits are replaced.
    LimitAccount(u32, Vec<LimitRule>),
    /// A card's controls are replaced.
    Control(u32, Controls),
    /// Money in (above zero) or out (below) under one of a few idempotency keys.
    Post { account: u32, units: i128, key: u8 },
    /// A rate is quoted anew.
    Quote { pair: usize, thousandths: i64, spread: Option<i64> },
    /// The clock ticks.
    Tick,
    /// The process dies and comes back.
    Restart,
}

impl Step {
    /// The message of the pool that it is about.
    pub(crate) const fn place(&self) -> Option<usize> {
        match self {
            Self::Send(place)
            | Self::SendFunded(place)
            | Self::SendRest(place, _)
            | Self::SendOtherAmount(place)
            | Self::Advise(place)
            | Self::AdviseDecline(place)
            | Self::Reverse(place, _) => Some(*place),
            Self::Follow(follow_up) => Some(follow_up.of),
            Self::Wait(_)
            | Self::SetBack(_)
            | Self::SetForward(_)
            | Self::FollowHold(..)
            | Self::Repeat(_)
            | Self::ReverseSent(..)
            | Self::Lose(..)
            | Self::Release(_)
            | Self::AskEnds(..)
            | Self::Acknowledge(_)
            | Self::Unserved(_)
            | Self::Status(..)
            | Self::LimitCard(..)
            | Self::LimitAccount(..)
            | Self::Control(..)
            | Self::Post { .. }
            | Self::Quote { .. }
            | Self::Tick
            | Self::Restart => None,
        }
    }

    /// One step of a world whose switch may stand in.
    pub(crate) fn draw_unserved(random: &mut Random) -> Self {
        if random.once_in(7) {
            return Self::Acknowledge(usize::try_from(random.below(1_000)).expect("small"));
        }
        Self::Unserved(Unserved::draw(random))
    }

    /// One step. The weights make a story: mostly money, some trouble, now and then a catastrophe.
    pub(crate) fn draw(random: &mut Random, pool: u64) -> Self {
        let place = usize::try_from(random.below(pool)).expect("a small pool");
        let any = usize::try_from(random.below(1_000)).expect("small");
        let card = u32::try_from(random.below(u64::from(CARDS))).expect("few cards");
        let account = u32::try_from(random.below(u64::from(ACCOUNTS))).expect("few accounts");
        match random.below(174) {
            0..=15 => Self::Wait(wait(random)),
            16..=37 => Self::Send(place),
            38..=41 => Self::SendRest(place, random.pick(&[0, 1])),
            42..=43 => Self::SendOtherAmount(place),
            44..=46 => Self::Advise(place),
            47 => Self::AdviseDecline(place),
            48..=54 => Self::Reverse(place, Undo::draw(random)),
            55..=68 => Self::AskEnds(any, Ending::draw(random)),
            69..=71 => Self::Acknowledge(any),
            72..=75 => Self::Status(card, status(random)),
            76..=78 => Self::LimitCard(card, limits(random, 1)),
            79..=80 => Self::LimitAccount(account, limits(random, if account == 0 { 1 } else { 10_000 })),
            81 => Self::Control(card, controls(random)),
            82..=86 => Self::Post {
                account,
                units: (i128::from(random.below(9_000)) - 2_000) * if account == 0 { 1 } else { 5_000 },
                key: u8::try_from(random.below(12)).expect("small"),
            },
            87..=91 => Self::Quote {
                pair: usize::try_from(random.below(6)).expect("small"),
                thousandths: i64::try_from(random.below(900)).expect("small") + 600,
                spread: random.pick(&[None, None, Some(1), Some(30)]),
            },
            92..=95 => Self::Tick,
            96 => {
                let moved = random.pick(&CLOCK_MOVES);
                if random.once_in(2) { Self::SetForward(moved) } else { Self::SetBack(moved) }
            }
            97..=99 => Self::Restart,
            100..=125 => Self::Follow(FollowUp::draw(random, pool)),
            126..=129 => Self::Repeat(any),
            130..=136 => Self::ReverseSent(any, Undo::draw(random)),
            137..=139 => Self::Lose(any, random.pick(&[AnswerLoss::Withheld, AnswerLoss::Undelivered])),
            140..=141 => Self::Release(any),
            142..=153 => Self::SendFunded(place),
            _ => Self::FollowHold(any, FollowUp::of_a_hold(random)),
        }
    }
}

/// How far somebody sets the wall clock: by a hair, by daylight saving, by more than a day.
const CLOCK_MOVES: [Duration; 4] = [
    Duration::from_micros(1),
    Duration::from_secs(1),
    Duration::from_secs(3_600),
    Duration::from_secs(90_000),
];

fn wait(random: &mut Random) -> Duration {
    const HOUR: u64 = 3_600;
    if random.once_in(16) {
        return Duration::from_secs(random.pick(&[31, 100]) * 24 * HOUR);
    }
    random.pick(&[
        Duration::from_micros(1),
        Duration::from_millis(400),
        Duration::from_millis(2_000),
        Duration::from_secs(60),
        Duration::from_secs(HOUR),
        Duration::from_secs(7 * HOUR),
        Duration::from_secs(24 * HOUR),
        Duration::from_secs(72 * HOUR),
        Duration::from_secs(7 * 24 * HOUR),
    ])
}

fn status(random: &mut Random) -> CardStatus {
    match random.below(12) {
        0 => CardStatus::Closed,
        1 => CardStatus::NotYetActive,
        2..=4 => CardStatus::Frozen,
        _ => CardStatus::Active,
    }
}

/// Limits that bite now and then, in units of `scale`.
pub(crate) fn limits(random: &mut Random, scale: i128) -> Vec<LimitRule> {
    let count = random.below(4);
    let rules = (0..count).map(|_| {
        let window = random.pick(&[
            Window::Transaction,
            Window::Day,
            Window::Day,
            Window::Week,
            Window::Month,
            Window::Lifetime,
        ]);
        let zone = random.pick(&["UTC", "Europe/Berlin", "America/New_York"]);
        let amount_max = Some((i128::from(random.below(12)) * 1_000 + 500) * scale);
        let counted = window != Window::Transaction && random.once_in(3);
        let count_max = counted.then(|| u32::try_from(random.below(5)).expect("small"));
        let amount_max = amount_max.filter(|_| count_max.is_none() || random.once_in(2));
        LimitRule { window, zone: ZoneName::new(zone).expect("a zone"), amount_max, count_max }
    });
    rules.collect()
}

fn controls(random: &mut Random) -> Controls {
    let mut controls = Controls::default();
    match random.below(5) {
        0 => controls.mcc.blocked = vec![Mcc(7995), Mcc(6011)],
        1 => controls.country = ListRule { allowed: Some(vec![CountryCode(840)]), blocked: Vec::new() },
        2 => controls.currency.blocked = vec![currency("JPY")],
        3 => controls.merchant.allowed = Some(vec![Text::new("M1").expect("short")]),
        _ => {}
    }
    controls
}
