//! Cards with accounts, made by facts, and purchases on them, decided by the switch's own rules.

use crate::moment;
use anyhow::{Context as _, bail};
use authorizer::{Context, Effects, Policy, Shard};
use benches::shards::{purchase, token};
use domain::{
    AccountId, AccountNo, Asset, AssetCode, CardId, CardNo, CardStatus, Currency, Expiry, Fact, FundingMode,
    LimitRule, Moment, Mono, Pan, PostingKind, Rate, RateTable, RequestKey, ShardId, Text, Timestamp, Units,
    Window, ZoneName,
};
use std::time::Duration;

/// Cards spread evenly over the shards.
pub(crate) struct Population {
    cards: u32,
    policy: Policy,
    /// One shard with one card, which decides the purchases: its facts are as those of any other.
    decider: Shard,
    usd: Currency,
}

const SHARDS: u32 = 256;

impl Population {
    pub(crate) fn new(cards: u32, policy: Policy) -> Self {
        let usd = Currency::from_alpha("USD").expect("a currency");
        let decider = shard(ShardId(0), 1, policy.clone(), usd);
        Self { cards, policy, decider, usd }
    }

    /// A record for the snapshot to stand behind.
    pub(crate) fn first_fact(&self) -> (Timestamp, Fact) {
        let rate = Rate {
            from: AssetCode::new("USD").expect("a code"),
            to: AssetCode::new("USDT").expect("a code"),
            value: "1".parse().expect("a number"),
            bid: None,
            source: Text::new("bench").expect("short"),
            as_of: moment(0),
            max_age: Duration::from_secs(60),
            id: Text::EMPTY,
        };
        (moment(0), Fact::RateSet { rate })
    }

    /// Every shard, one after another.
    pub(crate) fn shards(&self) -> impl Iterator<Item = Shard> {
        let (cards, policy, usd) = (self.cards, self.policy.clone(), self.usd);
        (0..ShardId::COUNT).map(move |id| shard(ShardId(id), cards_of(id, cards), policy.clone(), usd))
    }

    /// The approval of a purchase on some card.
    pub(crate) fn approval(&mut self, number: u32) -> anyhow::Result<(ShardId, Timestamp, Fact)> {
        let at = moment(60).plus(Duration::from_micros(u64::from(number)));
        // A stride that is prime to the number of cards visits all of them in no order that caches like.
        let place = u32::try_from(u64::from(number) * 7_368_787 % u64::from(self.cards)).unwrap_or(0);
        let (id, card) = (place % SHARDS, place / SHARDS);
        let mut effects = Effects::default();
        let rates = RateTable::default();
        let context = Context::new(Moment { utc: at, mono: Mono::from_nanos(1) }, &rates);
        self.decider.decide(purchase(ShardId(0), 0, u64::from(number))?, context, &mut effects);
        let mut fact = effects.facts.into_iter().next();
        let Some(Fact::Approved { card: owner, .. }) = &mut fact else {
            bail!("a purchase on a card with money is approved, found {fact:?}");
        };
        *owner = CardNo(card);
        let fact = fact.context("a purchase is decided")?;
        Ok((ShardId(u16::try_from(id)?), at, fact))
    }
}

/// How many of `cards` are in a shard.
fn cards_of(shard: u16, cards: u32) -> u32 {
    cards / SHARDS + u32::from(u32::from(shard) < cards % SHARDS)
}

fn shard(id: ShardId, cards: u32, policy: Policy, usd: Currency) -> Shard {
    let mut shard = Shard::new(id, policy);
    let zone = ZoneName::new("UTC").expect("a zone");
    let limit = |window, max| LimitRule { window, zone, amount_max: Some(max), count_max: None };
    let limits = vec![limit(Window::Day, 1_000_000_000), limit(Window::Month, 9_000_000_000)];
    let mut apply = |fact: Fact| shard.apply(&fact, moment(0)).expect("facts in order fit");
    for number in 0..cards {
        let (account, card) = (AccountNo(number), CardNo(number));
        let name = format!("{}-{number}", id.0);
        let account_id = AccountId::new(&format!("acct-{name}")).expect("a name");
        apply(Fact::AccountOpened { account, id: account_id, asset: Asset::of(usd) });
        let mut request = [0; 16];
        request[..4].copy_from_slice(&number.to_le_bytes());
        apply(Fact::Posted {
            account,
            kind: PostingKind::Credit,
            units: Units(1_000_000_000),
            request: RequestKey(request),
            note: Text::EMPTY,
        });
        apply(Fact::CardIssued {
            card,
            id: CardId::new(&format!("card-{name}")).expect("a name"),
            token: token(id, number),
            last_four: Pan::from_digits(b"4242424242424242").expect("digits").last_four(),
            account,
            currency: usd,
            expiry: Expiry::new(2029, 12).expect("a month"),
            funding: FundingMode::PreFunded,
            status: CardStatus::Active,
        });
        apply(Fact::CardLimitsSet { card, limits: limits.clone() });
    }
    shard
}
