//! What can happen in a random history. A step means something by itself: it names messages by their place in a
//! small pool, so repeats, reversals before their originals and late outcomes come about by chance, and any
//! step can be left out when a failing history is made shorter.

use crate::program;
use crate::random::Random;
use domain::{
    AcquirerId, Authorization, CardStatus, CardToken, Controls, CountryCode, Currency, EntryMode, Expiry,
    FundingFailure, LimitRule, ListRule, Mcc, Merchant, MessageClass, Money, Mono, PartialApproval,
    ProcessingCode, Reversal, Rrn, Stan, Text, Transmission, Window, ZoneName,
};
use std::time::Duration;

/// How many cards and accounts a random world has.
pub(crate) const CARDS: u32 = 6;
/// See [`CARDS`].
pub(crate) const ACCOUNTS: u32 = 4;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Time passes.
    Wait(Duration),
    /// The wall clock is set back.
    SetBack(Duration),
    /// A message of the pool is sent as a request; again, if it was sent before.
    Send(usize),
    /// A message of the pool asks for all that its card can spend, and so much more. Pre-funded dollars only;
    /// elsewhere it is sent as it is.
    SendRest(usize, i64),
    /// The same references with another amount.
    SendOtherAmount(usize),
    /// The network approved a message of the pool for us.
    Advise(usize),
    /// A message of the pool is reversed.
    Reverse(usize, Named),
    /// One of the asks made so far ends so; it may have ended before.
    AskEnds(usize, Ending),
    /// One of the duties taken up so far is acknowledged; it may have been before.
    Acknowledge(usize),
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
    Quote { pair: usize, thousandths: i64 },
    /// The clock ticks.
    Tick,
    /// The process dies and comes back.
    Restart,
}

/// Which references a reversal names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named {
    All,
    NoTransmission,
    NoAcquirer,
    OnlyStan,
    OtherAcquirer,
}

/// How the balance service ends an ask; some of it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    InFull,
    /// So many hundredths of what was asked; above 100 is a lie.
    Part(i128),
    Declined,
    NotAsked(FundingFailure),
    Unknown(FundingFailure),
}

/// A message of the pool; `card` is its place in the world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft {
    pub(crate) card: u32,
    pub(crate) request: Authorization,
    /// How long after it is sent the answer is due.
    pub(crate) answer_within: Duration,
}

/// The token that a world gives to its card.
pub(crate) fn token(card: u32) -> CardToken {
    CardToken(u128::from(card + 1).to_le_bytes())
}

/// A currency that exists.
pub(crate) fn currency(code: &str) -> Currency {
    Currency::from_alpha(code).expect("an ISO 4217 code")
}

impl Draft {
    /// A message, mostly plain.
    pub(crate) fn draw(random: &mut Random, place: usize) -> Self {
        let place = u64::try_from(place).expect("a small pool");
        let card = u32::try_from(random.below(u64::from(CARDS))).expect("few cards");
        let code = if random.once_in(3) { random.pick(&["EUR", "JPY", "GBP"]) } else { "USD" };
        let minor =
            if random.once_in(30) { 0 } else { 1 + i64::try_from(random.below(6_000)).expect("small") };
        let billing = random.once_in(8).then(|| Money::new(minor / 2 + 1, currency("USD")));
        let merchant = Merchant {
            mcc: (!random.once_in(10)).then(|| Mcc(random.pick(&[5411, 5812, 7995, 6011]))),
            country: (!random.once_in(10)).then(|| CountryCode(random.pick(&[840, 276, 392]))),
            id: Text::new(random.pick(&["", "M1", "M2"])).expect("short"),
            ..Merchant::default()
        };
        let rare_type = random.once_in(25);
        let request = Authorization {
            class: MessageClass::AuthorizationRequest,
            // Now and then a number of the index that is no longer this card's.
            card: if random.once_in(60) { token(99) } else { token(card) },
            processing_code: ProcessingCode(if rare_type {
                random.pick(&[300_000, 990_000])
            } else {
                random.pick(&[0, 0, 0, 10_000])
            }),
            amount: Money::new(minor, currency(code)),
            billing,
            transmission: Transmission::new(1_120_120_000 + place % 4).expect("a time"),
            // Two messages may share a trace number, at another time or by another acquirer.
            stan: Stan::new(1 + place / 2).expect("a trace number"),
            acquirer: AcquirerId::new(random.pick(&[476_135, 476_135, 9])).expect("an acquirer"),
            rrn: (!random.once_in(4)).then(|| Rrn::new(&format!("{place:012}")).expect("twelve digits")),
            entry_mode: Some(EntryMode(51)),
            merchant,
            partial: random.pick(&[PartialApproval::Supported, PartialApproval::NotSupported]),
            details: program::details(random),
            expiry: random
                .once_in(3)
                .then(|| Expiry::new(random.pick(&[2029, 2029, 2030]), 12).expect("a month")),
            deadline: Mono::MAX,
        };
        let answer_within = Duration::from_millis(random.pick(&[0, 2_000, 2_000, 2_000, 60_000]));
        Self { card, request, answer_within }
    }

    /// The reversal of this message.
    pub(crate) fn reversal(&self, named: Named) -> Reversal {
        let request = &self.request;
        let all = Reversal {
            card: request.card,
            stan: request.stan,
            transmission: Some(request.transmission),
            acquirer: Some(request.acquirer),
            rrn: request.rrn,
            amount: Some(request.amount),
            new_total: None,
            network_reference: None,
            approval_code: None,
            original_class: None,
        };
        match named {
            Named::All => all,
            Named::NoTransmission => Reversal { transmission: None, ..all },
            Named::NoAcquirer => Reversal { acquirer: None, ..all },
            Named::OnlyStan => {
                Reversal { transmission: None, acquirer: None, rrn: None, amount: None, ..all }
            }
            Named::OtherAcquirer => Reversal { acquirer: AcquirerId::new(55).ok(), ..all },
        }
    }
}

impl Step {
    /// One step. The weights make a story: mostly money, some trouble, now and then a catastrophe.
    pub(crate) fn draw(random: &mut Random, pool: u64) -> Self {
        let place = usize::try_from(random.below(pool)).expect("a small pool");
        let any = usize::try_from(random.below(1_000)).expect("small");
        let card = u32::try_from(random.below(u64::from(CARDS))).expect("few cards");
        let account = u32::try_from(random.below(u64::from(ACCOUNTS))).expect("few accounts");
        match random.below(100) {
            0..=13 => Self::Wait(wait(random)),
            14..=33 => Self::Send(place),
            34..=38 => Self::SendRest(place, random.pick(&[0, 1])),
            39..=41 => Self::SendOtherAmount(place),
            42..=46 => Self::Advise(place),
            47..=57 => Self::Reverse(
                place,
                random.pick(&[
                    Named::All,
                    Named::All,
                    Named::All,
                    Named::NoTransmission,
                    Named::NoAcquirer,
                    Named::OnlyStan,
                    Named::OtherAcquirer,
                ]),
            ),
            58..=70 => Self::AskEnds(any, ending(random)),
            71..=73 => Self::Acknowledge(any),
            74..=77 => Self::Status(card, status(random)),
            78..=80 => Self::LimitCard(card, limits(random, 1)),
            81..=82 => Self::LimitAccount(account, limits(random, if account == 0 { 1 } else { 10_000 })),
            83 => Self::Control(card, controls(random)),
            84..=88 => Self::Post {
                account,
                units: (i128::from(random.below(9_000)) - 2_000) * if account == 0 { 1 } else { 5_000 },
                key: u8::try_from(random.below(12)).expect("small"),
            },
            89..=91 => Self::Quote {
                pair: usize::try_from(random.below(5)).expect("small"),
                thousandths: i64::try_from(random.below(900)).expect("small") + 600,
            },
            92..=96 => Self::Tick,
            97 => Self::SetBack(random.pick(&[
                Duration::from_micros(1),
                Duration::from_secs(1),
                Duration::from_secs(3_600),
                Duration::from_secs(90_000),
            ])),
            _ => Self::Restart,
        }
    }
}

fn wait(random: &mut Random) -> Duration {
    const HOUR: u64 = 3_600;
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

fn ending(random: &mut Random) -> Ending {
    let failure = random.pick(&[
        FundingFailure::TimedOut,
        FundingFailure::Refused,
        FundingFailure::Reset,
        FundingFailure::HttpError,
        FundingFailure::Malformed,
        FundingFailure::Overloaded,
    ]);
    match random.below(10) {
        0..=4 => Ending::InFull,
        5 | 6 => Ending::Part(random.pick(&[0, 1, 40, 99, 101, -10])),
        7 => Ending::Declined,
        8 => Ending::NotAsked(failure),
        _ => Ending::Unknown(failure),
    }
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
