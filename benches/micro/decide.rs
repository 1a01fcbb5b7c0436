//! One decision: a purchase on a random pre-funded card with six limits, decided and applied; without rules of the
//! program and with four.

#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros make the public items

use authorizer::{Counted, Demand, Effects, Group, Requirement, Rule, Rules, Velocity, When};
use benches::shards::{Random, context, limits, policy, purchase, shard};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use domain::{LimitOwner, Presence, RateTable, RiskScore, RuleMode, RuleName, ShardId};
use std::time::Duration;

/// Cards in one shard: a switch with 256 shards has a million at this size.
const CARDS: u32 = 4_096;

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

fn bench(criterion: &mut Criterion) {
    purchases(criterion, "decide and apply a purchase, 4096 cards, 6 limits", Rules::default());
    purchases(criterion, "decide and apply a purchase, 4096 cards, 6 limits, 4 rules", rules());
}

fn purchases(criterion: &mut Criterion, name: &str, rules: Rules) {
    let rates = RateTable::default();
    let mut shard = shard(ShardId(0), CARDS, &limits().unwrap(), policy(rules)).unwrap();
    let mut effects = Effects::default();
    let (mut number, mut random) = (0_u64, Random::default());
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched(
            || {
                // At random: the next card must not be one that the cache line before it brought in.
                number += 1;
                (purchase(ShardId(0), random.below(CARDS), number).unwrap(), number)
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
