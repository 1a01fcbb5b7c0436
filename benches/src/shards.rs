//! Shards with cards in them, and purchases for them: the decision without anything around it.

use anyhow::{Context as _, Result, anyhow};
use authorizer::{Caller, Change, Command, Context, Effects, NewCard, Policy, Rules, Shard};
use domain::{
    AccountId, AccountNo, AcquirerId, Asset, Authorization, CardId, CardNo, CardStatus, CardToken, Controls,
    Currency, Details, Expiry, FundingMode, LimitRule, Merchant, MessageClass, Moment, Money, Mono, Pan,
    PartialApproval, PostingKind, ProcessingCode, RateTable, RequestKey, ShardId, Stan, Text, Timestamp,
    Transmission, Units, Window, ZoneName,
};
use std::sync::{Arc, LazyLock};

/// A time at which nothing has happened yet.
const BEGIN: i64 = 1_763_600_000_000_000;

/// So many microseconds later; each purchase has its own.
#[must_use]
pub fn context(rates: &RateTable, micros: i64) -> Context<'_> {
    let utc = Timestamp::from_micros(BEGIN + micros);
    Context::new(Moment { utc, mono: Mono::from_nanos(1) }, rates)
}

/// The token of a card.
#[must_use]
pub fn token(shard: ShardId, card: u32) -> CardToken {
    let mut token = [0; 16];
    token[..4].copy_from_slice(&card.wrapping_mul(0x9e37_79b9).to_be_bytes());
    token[4..8].copy_from_slice(&card.to_be_bytes());
    token[8..10].copy_from_slice(&shard.0.to_be_bytes());
    CardToken(token)
}

/// Six limits, of which none is ever reached.
///
/// # Errors
/// Never: the zone exists.
pub fn limits() -> Result<Vec<LimitRule>> {
    let zone = ZoneName::new("Europe/Berlin").map_err(|error| anyhow!("{error:?}"))?;
    let utc = ZoneName::new("UTC").map_err(|error| anyhow!("{error:?}"))?;
    let rule = |window, amount_max, count_max| LimitRule { window, zone, amount_max, count_max };
    Ok(vec![
        rule(Window::Transaction, Some(1_000_000), None),
        rule(Window::Day, Some(1_000_000_000), Some(1_000_000)),
        rule(Window::Week, Some(1_000_000_000), None),
        rule(Window::Month, Some(1_000_000_000), None),
        rule(Window::Lifetime, Some(1_000_000_000), None),
        LimitRule { zone: utc, ..rule(Window::Day, None, Some(1_000_000)) },
    ])
}

/// What shards of the benchmarks go by: everything as shipped, and no bound on a card's holds.
#[must_use]
pub fn policy(rules: Rules) -> Policy {
    Policy { open_holds_per_card_max: u32::MAX, rules: Arc::new(rules), ..Policy::default() }
}

/// A shard with `cards` cards, each with an account of its own, money on it, and `limits`.
///
/// # Errors
/// Never: what is asked for is in order.
pub fn shard(id: ShardId, cards: u32, limits: &[LimitRule], policy: Policy) -> Result<Shard> {
    let mut shard = Shard::new(id, policy);
    let rates = RateTable::default();
    let mut effects = Effects::default();
    let usd = usd()?;
    let last_four = Pan::from_digits(b"4242424242424242").map_err(|error| anyhow!("{error:?}"))?.last_four();
    let expiry = Expiry::new(2029, 12).map_err(|error| anyhow!("{error:?}"))?;
    for number in 0..cards {
        let account = AccountNo(number);
        let name = format!("{}-{number}", id.0);
        let mut request = [0; 16];
        request[..4].copy_from_slice(&number.to_le_bytes());
        let changes = [
            Change::OpenAccount {
                id: AccountId::new(&format!("a{name}")).map_err(|error| anyhow!("{error:?}"))?,
                asset: Asset::of(usd),
                limits: Vec::new(),
            },
            Change::Post {
                account,
                kind: PostingKind::Credit,
                units: Units(1_000_000_000_000),
                request: RequestKey(request),
                note: Text::EMPTY,
            },
            Change::IssueCard(NewCard {
                id: CardId::new(&format!("c{name}")).map_err(|error| anyhow!("{error:?}"))?,
                token: token(id, number),
                last_four,
                account,
                currency: usd,
                expiry,
                funding: FundingMode::PreFunded,
                status: CardStatus::Active,
                controls: Controls::default(),
                limits: limits.to_vec(),
            }),
        ];
        for change in changes {
            let command = Command::Change { change: Box::new(change), caller: Caller(0) };
            shard.execute(command, context(&rates, 0), &mut effects).map_err(|error| anyhow!("{error}"))?;
            effects.facts.clear();
            effects.actions.clear();
        }
    }
    Ok(shard)
}

fn usd() -> Result<Currency> {
    Currency::from_alpha("USD").map_err(|error| anyhow!("{error:?}"))
}

/// A purchase of one cent with a card of a shard; `number` makes it a new one.
///
/// # Errors
/// Never: its digits fit.
pub fn purchase(shard: ShardId, card: u32, number: u64) -> Result<Command> {
    // Looking a currency up would cost a fifth of what is to be measured.
    static USD: LazyLock<Option<Currency>> = LazyLock::new(|| usd().ok());
    let usd = USD.context("a currency")?;
    let request = Authorization {
        class: MessageClass::AuthorizationRequest,
        card: token(shard, card),
        processing_code: ProcessingCode(0),
        amount: Money::new(1, usd),
        billing: None,
        transmission: Transmission::new(1_120_120_000 + number / 1_000_000 % 60).ok().context("a time")?,
        stan: Stan::new(number % 1_000_000).ok().context("six digits")?,
        acquirer: AcquirerId::new(12_345).ok().context("digits")?,
        rrn: None,
        entry_mode: None,
        merchant: Merchant::default(),
        partial: PartialApproval::NotSupported,
        details: Details::default(),
        expiry: None,
        deadline: Mono::MAX,
    };
    Ok(Command::Authorize { card: CardNo(card), request, caller: Caller(number) })
}

/// Numbers in no order that a cache could guess: xorshift.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Random {
    /// One below `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(bound.max(1))).unwrap_or(0)
    }
}
