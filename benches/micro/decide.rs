//! One decision: a purchase on a random pre-funded card with six limits, decided and applied; without rules of the
//! program and with four.

#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros make the public items

use authorizer::{
    Caller, Change, Command, Context, Counted, Demand, Effects, Group, NewCard, Policy, Requirement, Rule,
    Rules, Shard, Velocity, When,
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use domain::{
    AccountId, AccountNo, AcquirerId, Asset, Authorization, CardId, CardNo, CardStatus, CardToken, Controls,
    Currency, Expiry, FundingMode, LimitOwner, LimitRule, Merchant, MessageClass, Moment, Money, Mono, Pan,
    PartialApproval, PostingKind, Presence, ProcessingCode, RateTable, RequestKey, RiskScore, RuleMode,
    RuleName, ShardId, Stan, Text, Timestamp, Transmission, Units, Window, ZoneName,
};
use std::sync::Arc;
use std::time::Duration;

/// Cards in one shard: a switch with 256 shards has a million at this size.
const CARDS: u32 = 4_096;

fn token(card: u32) -> CardToken {
    let mut token = [0; 16];
    token[..4].copy_from_slice(&card.to_be_bytes());
    CardToken(token)
}

fn limits() -> Vec<LimitRule> {
    let zone = ZoneName::new("Europe/Berlin").unwrap();
    let rule = |window, amount_max, count_max| LimitRule { window, zone, amount_max, count_max };
    vec![
        rule(Window::Transaction, Some(1_000_000), None),
        rule(Window::Day, Some(1_000_000_000), Some(1_000_000)),
        rule(Window::Week, Some(1_000_000_000), None),
        rule(Window::Month, Some(1_000_000_000), None),
        rule(Window::Lifetime, Some(1_000_000_000), None),
        rule(Window::Day, None, Some(1_000_000)),
    ]
}

fn context(rates: &RateTable, micros: i64) -> Context<'_> {
    let utc = Timestamp::from_micros(1_763_600_000_000_000 + micros);
    Context::new(Moment { utc, mono: Mono::from_nanos(1) }, rates)
}

/// Four rules, of which two look back: none fails, so each is evaluated to its end and every purchase is counted.
fn rules() -> Rules {
    let velocity = |seconds, count_max| {
        Demand::Velocity(Velocity {
            owner: LimitOwner::Card,
            over: Duration::from_secs(seconds),
            count_max: Some(count_max),
            amount_max: Vec::new(),
            counted: Counted::Approvals,
            include: Group::DEFAULT.to_vec(),
        })
    };
    let when = |presence| When { presence: vec![presence], ..When::default() };
    let rules = [
        (when(Presence::Ecommerce), Demand::Require(vec![Requirement::ThreeDSecure])),
        (When { score_from: Some(RiskScore(900)), ..When::default() }, Demand::Deny),
        (When::default(), velocity(3_600, u32::MAX)),
        (when(Presence::Unknown), velocity(86_400, u32::MAX)),
    ];
    let rules = rules.into_iter().enumerate().map(|(place, (when, demand))| {
        let name = RuleName::new(&format!("rule-{place}")).unwrap();
        Rule { name, mode: RuleMode::Enforce, when, demand }
    });
    Rules::new(Rules::REFUSED_RESULTS.to_vec(), rules.collect(), Rules::BUCKETS_MAX)
}

fn shard(rates: &RateTable, rules: Rules) -> Shard {
    let rules = Arc::new(rules);
    let policy = Policy { open_holds_per_card_max: u32::MAX, rules, ..Policy::default() };
    let mut shard = Shard::new(ShardId(0), policy);
    let mut effects = Effects::default();
    let usd = Currency::from_alpha("USD").unwrap();
    let mut change = |change: Change| {
        let command = Command::Change { change: Box::new(change), caller: Caller(0) };
        shard.execute(command, context(rates, 0), &mut effects).unwrap();
        effects = Effects::default();
    };
    for number in 0..CARDS {
        let account = AccountNo(number);
        change(Change::OpenAccount {
            id: AccountId::new(&format!("a{number}")).unwrap(),
            asset: Asset::of(usd),
        });
        change(Change::Post {
            account,
            kind: PostingKind::Credit,
            units: Units(1_000_000_000_000),
            request: RequestKey([u8::try_from(number % 251).unwrap(); 16]),
            note: Text::EMPTY,
        });
        change(Change::IssueCard(NewCard {
            id: CardId::new(&format!("c{number}")).unwrap(),
            token: token(number),
            last_four: Pan::from_digits(b"4242424242424242").unwrap().last_four(),
            account,
            currency: usd,
            expiry: Expiry::new(2029, 12).unwrap(),
            funding: FundingMode::PreFunded,
            status: CardStatus::Active,
            controls: Controls::default(),
            limits: limits(),
        }));
    }
    shard
}

fn purchase(card: u32, number: u64) -> Command {
    let usd = Currency::from_alpha("USD").unwrap();
    let request = Authorization {
        class: MessageClass::AuthorizationRequest,
        card: token(card),
        processing_code: ProcessingCode(0),
        amount: Money::new(1, usd),
        billing: None,
        transmission: Transmission::new(1_120_120_000 + number / 1_000_000 % 60).unwrap(),
        stan: Stan::new(number % 1_000_000).unwrap(),
        acquirer: AcquirerId::new(12_345).unwrap(),
        rrn: None,
        entry_mode: None,
        merchant: Merchant::default(),
        partial: PartialApproval::NotSupported,
        details: domain::Details::default(),
        expiry: None,
        deadline: Mono::MAX,
    };
    Command::Authorize { card: CardNo(card), request, caller: Caller(number) }
}

fn bench(criterion: &mut Criterion) {
    purchases(criterion, "decide and apply a purchase, 4096 cards, 6 limits", Rules::default());
    purchases(criterion, "decide and apply a purchase, 4096 cards, 6 limits, 4 rules", rules());
}

fn purchases(criterion: &mut Criterion, name: &str, rules: Rules) {
    let rates = RateTable::default();
    let mut shard = shard(&rates, rules);
    let mut effects = Effects::default();
    let (mut number, mut random) = (0_u64, 0x9e37_79b9_7f4a_7c15_u64);
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched(
            || {
                // xorshift: the next card must not be one that the cache line before it brought in.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                number += 1;
                (purchase(u32::try_from(random % u64::from(CARDS)).unwrap(), number), number)
            },
            |(command, number)| {
                effects.facts.clear();
                effects.actions.clear();
                let at = i64::try_from(number).unwrap();
                shard.execute(command, context(&rates, at), &mut effects).unwrap();
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
