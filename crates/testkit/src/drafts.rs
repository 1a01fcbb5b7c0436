//! The messages of a random history: a pool of first messages, what may follow each of them, and the reversals of both.
//! They share trace numbers, times and acquirers on purpose, so that repeats, mistaken references and messages that
//! overtake each other come about by chance.

use crate::program;
use crate::random::Random;
use domain::{
    AcquirerId, ApprovalCode, Arn, Authorization, CardToken, ClearingData, CountryCode, Currency, Details,
    EntryMode, Expiry, Mcc, Merchant, MessageClass, Money, Mono, NetworkReference, OriginalReferences,
    PartialApproval, ProcessingCode, Purpose, Reversal, Rrn, Stan, Text, Transmission,
};
use std::time::Duration;

/// How many cards a random world has.
pub(crate) const CARDS: u32 = 7;

/// A message of the pool; `card` is its place in the world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft {
    pub(crate) card: u32,
    pub(crate) request: Authorization,
    /// How long after it is sent the answer is due.
    pub(crate) answer_within: Duration,
}

/// Which references a reversal names, and how much it undoes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Undo {
    pub(crate) named: Named,
    pub(crate) total: Total,
}

/// Which references a reversal names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named {
    All,
    NoTransmission,
    NoAcquirer,
    OnlyStan,
    OtherAcquirer,
    /// The network's id, and references that nothing has.
    Network,
}

/// What the transaction comes to after a reversal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Total {
    Nothing,
    /// So many hundredths of the message's amount.
    Hundredths(i64),
    /// An amount in a currency that has nothing to do with it.
    Foreign,
}

/// A message that follows one of the pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FollowUp {
    /// The place of the first message in the pool.
    pub(crate) of: usize,
    pub(crate) kind: Kind,
    pub(crate) naming: Naming,
    /// Its amount in hundredths of the first message's.
    pub(crate) hundredths: i64,
    /// Follow-ups of the same number have the same references.
    pub(crate) serial: u64,
    pub(crate) data: Option<ClearingData>,
    /// Whether the merchant says its name and kind again.
    pub(crate) says_merchant: bool,
}

/// What a follow-up is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Increment,
    IncrementAdvice,
    /// 0120: what the first message came to.
    Advice,
    /// 0220.
    Completion,
    Clearing,
    Refund(MessageClass),
    OriginalCredit(MessageClass),
}

/// How a follow-up names the first message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Naming {
    Network,
    Trace,
    Stan,
    ApprovalCode,
    Retrieval,
    Nothing,
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
        let amount = Money::new(minor, currency(code));
        let class = if random.once_in(5) {
            MessageClass::FinancialRequest
        } else {
            MessageClass::AuthorizationRequest
        };
        let request = Authorization {
            class,
            // Now and then a number of the index that is no longer this card's.
            card: if random.once_in(60) { token(99) } else { token(card) },
            processing_code: processing_code(random),
            amount,
            billing: random.once_in(8).then(|| Money::new(minor / 2 + 1, currency("USD"))),
            transmission: Transmission::new(1_120_120_000 + place % 4).expect("a time"),
            // Two messages may share a trace number, at another time or by another acquirer.
            stan: Stan::new(1 + place / 2).expect("a trace number"),
            acquirer: AcquirerId::new(random.pick(&[476_135, 476_135, 9])).expect("an acquirer"),
            rrn: (!random.once_in(4)).then(|| rrn(place)),
            entry_mode: Some(EntryMode(51)),
            merchant: merchant(random),
            partial: random.pick(&[PartialApproval::Supported, PartialApproval::NotSupported]),
            details: details(random, place, amount),
            expiry: random
                .once_in(3)
                .then(|| Expiry::new(random.pick(&[2029, 2029, 2030]), 12).expect("a month")),
            deadline: Mono::MAX,
        };
        let answer_within = Duration::from_millis(random.pick(&[0, 2_000, 2_000, 2_000, 60_000]));
        Self { card, request, answer_within }
    }

    /// A purchase at a grocer's, or a question for the balance where `minor` is nothing. Each has a trace number of its own.
    pub(crate) fn plain(card: u32, minor: i64, number: u64) -> Self {
        let inquiry = ProcessingCode(310_000);
        let request = Authorization {
            class: MessageClass::AuthorizationRequest,
            card: token(card),
            processing_code: if minor == 0 { inquiry } else { ProcessingCode(0) },
            amount: Money::new(minor, currency(if card == 5 { "EUR" } else { "USD" })),
            billing: None,
            transmission: Transmission::new(1_120_140_000).expect("a time"),
            stan: Stan::new(1_000 + number).expect("a trace number"),
            acquirer: AcquirerId::new(476_135).expect("an acquirer"),
            rrn: Some(rrn(2_000 + number)),
            entry_mode: Some(EntryMode(51)),
            merchant: Merchant {
                mcc: Some(Mcc(5411)),
                country: Some(CountryCode(840)),
                ..Merchant::default()
            },
            partial: PartialApproval::NotSupported,
            details: Details { balances_wanted: true, ..Details::default() },
            expiry: None,
            deadline: Mono::MAX,
        };
        Self { card, request, answer_within: Duration::from_secs(60) }
    }

    /// What follows this message. `approval` is the approval code that it got, if it got one.
    pub(crate) fn followed_by(&self, follow_up: &FollowUp, approval: Option<ApprovalCode>) -> Authorization {
        let first = &self.request;
        let FollowUp { kind, naming, hundredths, serial, data, says_merchant, .. } = *follow_up;
        let scaled = |money: Money| Money::new(money.minor() * hundredths / 100, money.currency());
        let (class, processing_code) = match kind {
            Kind::Increment => (MessageClass::AuthorizationRequest, first.processing_code),
            Kind::IncrementAdvice | Kind::Advice => {
                (MessageClass::AuthorizationAdvice, first.processing_code)
            }
            Kind::Completion => (MessageClass::FinancialAdvice, first.processing_code),
            Kind::Clearing => (MessageClass::Clearing, first.processing_code),
            Kind::Refund(class) => (class, ProcessingCode(200_000)),
            Kind::OriginalCredit(class) => (class, ProcessingCode(260_000)),
        };
        let nothing = OriginalReferences::default();
        let by_stan = OriginalReferences { stan: Some(first.stan), ..nothing };
        let original = match naming {
            Naming::Trace => OriginalReferences {
                transmission: Some(first.transmission),
                acquirer: Some(first.acquirer),
                ..by_stan
            },
            Naming::Stan => by_stan,
            Naming::ApprovalCode => OriginalReferences { approval_code: approval, ..nothing },
            Naming::Network | Naming::Retrieval | Naming::Nothing => nothing,
        };
        let network_reference = first.details.network_reference.filter(|_| matches!(naming, Naming::Network));
        Authorization {
            class,
            processing_code,
            amount: scaled(first.amount),
            billing: first.billing.map(scaled).filter(|billed| billed.minor() > 0),
            stan: Stan::new(100 + serial).expect("a trace number"),
            transmission: Transmission::new(1_120_130_000 + serial % 4).expect("a time"),
            rrn: if matches!(naming, Naming::Retrieval) { first.rrn } else { Some(rrn(1_000 + serial)) },
            merchant: if says_merchant { first.merchant } else { Merchant::default() },
            details: Details {
                balances_wanted: first.details.balances_wanted,
                incremental: matches!(kind, Kind::Increment | Kind::IncrementAdvice),
                presence: first.details.presence,
                network_reference,
                original: (original != nothing).then_some(original),
                clearing: data,
                ..Details::default()
            },
            expiry: None,
            ..*first
        }
    }
}

/// The reversal of a message.
pub(crate) fn reversal_of(request: &Authorization, undo: Undo) -> Reversal {
    let all = Reversal {
        card: request.card,
        stan: request.stan,
        transmission: Some(request.transmission),
        acquirer: Some(request.acquirer),
        rrn: request.rrn,
        amount: Some(request.amount),
        new_total: match undo.total {
            Total::Nothing => None,
            Total::Hundredths(share) => {
                Some(Money::new(request.amount.minor() * share / 100, request.amount.currency()))
            }
            Total::Foreign => Some(Money::new(100, currency("CHF"))),
        },
        network_reference: request.details.network_reference,
        approval_code: None,
        original_class: None,
    };
    match undo.named {
        Named::All => all,
        Named::NoTransmission => Reversal { transmission: None, ..all },
        Named::NoAcquirer => Reversal { acquirer: None, ..all },
        Named::OnlyStan => Reversal { transmission: None, acquirer: None, rrn: None, amount: None, ..all },
        Named::OtherAcquirer => Reversal { acquirer: AcquirerId::new(55).ok(), ..all },
        Named::Network => {
            let stan = Stan::new(900_000 + u64::from(request.stan.number())).expect("six digits");
            Reversal { stan, acquirer: None, rrn: None, ..all }
        }
    }
}

impl Undo {
    /// Mostly all of it, by all references.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let named = random.pick(&[
            Named::All,
            Named::All,
            Named::All,
            Named::All,
            Named::NoTransmission,
            Named::NoAcquirer,
            Named::OnlyStan,
            Named::OtherAcquirer,
            Named::Network,
        ]);
        let total = match random.below(12) {
            0 => Total::Foreign,
            1..=4 => Total::Hundredths(random.pick(&[0, 1, 33, 60, 90, 100, 130])),
            _ => Total::Nothing,
        };
        Self { named, total }
    }
}

impl FollowUp {
    /// Something that follows a message of a pool of so many.
    pub(crate) fn draw(random: &mut Random, pool: u64) -> Self {
        use MessageClass::{
            AuthorizationAdvice, AuthorizationRequest, Clearing, FinancialAdvice, FinancialRequest,
        };
        let classes = [
            AuthorizationRequest,
            AuthorizationAdvice,
            FinancialRequest,
            FinancialAdvice,
            Clearing,
            Clearing,
        ];
        let kind = match random.below(20) {
            0..=2 => Kind::Increment,
            3 => Kind::IncrementAdvice,
            4..=5 => Kind::Advice,
            6..=8 => Kind::Completion,
            9..=14 => Kind::Clearing,
            15 => Kind::OriginalCredit(random.pick(&classes)),
            _ => Kind::Refund(random.pick(&classes)),
        };
        Self { of: usize::try_from(random.below(pool)).expect("a small pool"), ..Self::of_kind(kind, random) }
    }

    /// Something that follows a hold which stands: mostly what changes it.
    pub(crate) fn of_a_hold(random: &mut Random) -> Self {
        let kind = match random.below(20) {
            0..=7 => Kind::Increment,
            8..=9 => Kind::IncrementAdvice,
            10..=14 => Kind::Advice,
            15..=16 => Kind::Completion,
            17..=18 => Kind::Clearing,
            _ => Kind::Refund(MessageClass::Clearing),
        };
        Self::of_kind(kind, random)
    }

    fn of_kind(kind: Kind, random: &mut Random) -> Self {
        let naming = random.pick(&[
            Naming::Network,
            Naming::Network,
            Naming::Trace,
            Naming::Trace,
            Naming::Trace,
            Naming::Stan,
            Naming::ApprovalCode,
            Naming::Retrieval,
            Naming::Nothing,
        ]);
        Self {
            of: 0,
            kind,
            naming,
            hundredths: random.pick(&[100, 100, 100, 50, 50, 30, 20, 105, 119, 150, 1, 0]),
            serial: random.below(24),
            data: random.once_in(2).then(|| clearing_data(random)),
            says_merchant: !random.once_in(5),
        }
    }
}

fn clearing_data(random: &mut Random) -> ClearingData {
    let of = random.pick(&[0, 0, 2, 3]);
    let arn = format!("7400000{}", random.below(12));
    ClearingData {
        arn: (!random.once_in(3)).then(|| Arn::new(&arn).expect("short")),
        sequence: if of == 0 { 0 } else { random.pick(&[1, 2, 3]) },
        of,
        is_final: random.once_in(4),
    }
}

fn rrn(number: u64) -> Rrn {
    Rrn::new(&format!("{number:012}")).expect("twelve digits")
}

fn merchant(random: &mut Random) -> Merchant {
    // Groceries, restaurants, betting, cash machines; hotels and car rental, which clear in parts.
    let mcc = [5411, 5812, 7995, 6011, 3501, 7512];
    Merchant {
        mcc: (!random.once_in(10)).then(|| Mcc(random.pick(&mcc))),
        country: (!random.once_in(10)).then(|| CountryCode(random.pick(&[840, 276, 392]))),
        id: Text::new(random.pick(&["", "M1", "M2"])).expect("short"),
        ..Merchant::default()
    }
}

/// Mostly a purchase or cash.
fn processing_code(random: &mut Random) -> ProcessingCode {
    let rare =
        [300_000, 310_000, 330_000, 90_000, 90_000, 110_000, 500_000, 100_000, 200_000, 260_000, 990_000];
    let rarely = random.once_in(8);
    ProcessingCode(if rarely { random.pick(&rare) } else { random.pick(&[0, 0, 0, 10_000]) })
}

/// What few requests say. The network's id is the same for two neighbours of the pool now and then.
fn details(random: &mut Random, place: u64, amount: Money) -> Details {
    let mut details = program::details(random);
    let purposes =
        [Purpose::PreAuthorization, Purpose::PreAuthorization, Purpose::Estimated, Purpose::Verification];
    if random.once_in(8) {
        details.purpose = random.pick(&purposes);
    }
    if random.once_in(12) {
        let share = random.pick(&[10, 50, 100, 101]);
        details.cash = Some(Money::new(amount.minor() * share / 100, amount.currency()));
    }
    details.balances_wanted = random.once_in(5);
    let network = format!("TX{}", if random.once_in(6) { place / 2 } else { place + 100 });
    details.network_reference =
        random.once_in(2).then(|| NetworkReference::new(&network).expect("a short text"));
    details
}
