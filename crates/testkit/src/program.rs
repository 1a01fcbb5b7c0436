//! Rules of a card program, and what requests say that rules ask about, drawn from a seed.

use crate::random::Random;
use authorizer::{Counted, Demand, Group, Requirement, Rule, Rules, Velocity, When};
use domain::{
    AssetCode, AvsResult, CountryCode, CryptogramResult, Cvv2Result, Details, Initiator, LimitOwner,
    PinResult, Presence, RiskScore, RuleAmount, RuleMode, RuleName, SecurityResults, ThreeDSecure,
    TransactionType,
};
use rust_decimal::Decimal;
use std::time::Duration;

/// Up to four rules, in most worlds none: histories without rules must stay as common as they are.
pub(crate) fn draw(random: &mut Random) -> Rules {
    let count = if random.once_in(3) { 1 + random.below(4) } else { 0 };
    let rules = (0..count).map(|place| {
        let name = RuleName::new(&format!("rule-{place}")).expect("a name");
        let mode = random.pick(&[RuleMode::Enforce, RuleMode::Enforce, RuleMode::Shadow]);
        let demand = demand(random);
        let looks_back = matches!(demand, Demand::Velocity(_));
        Rule { name, mode, when: when(random, looks_back), demand }
    });
    let rules = rules.collect();
    let refused = if random.once_in(2) { Vec::new() } else { Rules::REFUSED_RESULTS.to_vec() };
    Rules::new(refused, rules, Rules::BUCKETS_MAX)
}

fn demand(random: &mut Random) -> Demand {
    match random.below(6) {
        0 => Demand::Deny,
        1 | 2 => Demand::Require(vec![
            random.pick(&[
                Requirement::ThreeDSecure,
                Requirement::ThreeDSecureOrExempt,
                Requirement::Cvv2Match,
                Requirement::AvsMatch,
                Requirement::PostalCodeMatch,
            ]),
            random.pick(&[Requirement::CryptogramValid, Requirement::PinVerified]),
        ]),
        _ => Demand::Velocity(velocity(random)),
    }
}

fn velocity(random: &mut Random) -> Velocity {
    let counted = random.pick(&[Counted::Approvals, Counted::Approvals, Counted::Attempts]);
    let by_amount = counted == Counted::Approvals && random.once_in(2);
    let amount = |code: &str, value: u64| RuleAmount {
        code: AssetCode::new(code).expect("a code"),
        value: Decimal::new(i64::try_from(value).expect("small"), 1),
    };
    let value = random.below(2_000);
    Velocity {
        owner: random.pick(&[LimitOwner::Card, LimitOwner::Card, LimitOwner::Account]),
        over: Duration::from_secs(random.pick(&[1, 60, 3_600, 7 * 3_600, 86_400, 30 * 86_400])),
        count_max: (!by_amount || random.once_in(3))
            .then(|| u32::try_from(1 + random.below(3)).expect("small")),
        amount_max: if by_amount {
            vec![amount("USD", value), amount("USDT", value), amount("EUR", value / 2)]
        } else {
            Vec::new()
        },
        counted,
        include: random
            .pick(&[
                &Group::DEFAULT[..],
                &[Group::Cash],
                &[Group::Purchases, Group::Credits, Group::Inquiries],
            ])
            .to_vec(),
    }
}

fn when(random: &mut Random, looks_back: bool) -> When {
    let mut when = When::default();
    for _ in 0..=random.below(2) {
        match random.below(if looks_back { 9 } else { 12 }) {
            0 => when.types = vec![TransactionType::Purchase],
            1 => when.mcc = vec![5400..=5999, 7995..=7995],
            2 => when.mcc_except = vec![5411..=5411],
            3 => when.countries = vec![CountryCode(276), CountryCode(840)],
            4 => when.countries_except = vec![CountryCode(276)],
            5 => when.presence = vec![Presence::Ecommerce, Presence::Unknown],
            6 => when.initiator = vec![Initiator::Cardholder],
            7 => when.entry_modes = vec![5],
            8 => {}
            9 => {
                let code = random.pick(&["USD", "EUR"]);
                let (code, value) = (AssetCode::new(code).expect("a code"), Decimal::new(25, 0));
                when.amount_above = vec![RuleAmount { code, value }];
            }
            10 => when.score_from = Some(RiskScore(600)),
            _ => when.new_country = true,
        }
    }
    when
}

/// What a request says beside its amount and references.
pub(crate) fn details(random: &mut Random) -> Details {
    if !random.once_in(5) {
        return Details::default();
    }
    Details {
        presence: random.pick(&[Presence::Unknown, Presence::CardPresent, Presence::Ecommerce]),
        initiator: random.pick(&[Initiator::Cardholder, Initiator::Cardholder, Initiator::Merchant]),
        score: random.once_in(2).then(|| RiskScore(random.pick(&[10, 599, 600, 990]))),
        security: SecurityResults {
            cvv2: mostly_good(random, Cvv2Result::ALL, Cvv2Result::Match),
            avs: mostly_good(random, AvsResult::ALL, AvsResult::Match),
            three_d_secure: mostly_good(random, ThreeDSecure::ALL, ThreeDSecure::Authenticated),
            eci: None,
            authentication_value: mostly_good(random, CryptogramResult::ALL, CryptogramResult::Valid),
            pin: mostly_good(random, PinResult::ALL, PinResult::Verified),
            cryptogram: mostly_good(random, CryptogramResult::ALL, CryptogramResult::Valid),
        },
        ..Details::default()
    }
}

fn mostly_good<T: Copy>(random: &mut Random, all: &[T], good: T) -> T {
    if random.once_in(8) { random.pick(all) } else { good }
}
