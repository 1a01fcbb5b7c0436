//! The plan of messages: the same seed, the same bytes.

use super::*;
use crate::processor::skew::Skew;
use crate::processor::{PopulationSizes, population};
use std::collections::BTreeSet;

const NOON: u32 = 1_120_120_000;

fn deck() -> Arc<Deck> {
    let sizes =
        PopulationSizes { pre_funded_cards: 20, jit_cards: 10, cards_per_refusal: 2, ..Default::default() };
    Arc::new(Deck::new(population(1, sizes).unwrap().cards, Skew::Even))
}

fn bytes(seed: u64, link: usize, count: usize) -> Vec<Vec<u8>> {
    let (deck, dialect) = (deck(), iso8583::shipped("ascii-1987").unwrap().unwrap());
    let mut plan = Plan::new(Arc::clone(&deck), &Mix::default(), seed, link, 2).unwrap();
    let sender = crate::processor::request::Sender { cards: deck.cards(), acquirer: 12_345, marks: true };
    (0..count)
        .map(|_| {
            let mut out = bytes::BytesMut::new();
            plan.next(NOON).request.encode(&dialect, sender, &mut out).unwrap();
            out.to_vec()
        })
        .collect()
}

#[test]
fn the_same_seed_sends_the_same_bytes_and_each_link_its_own() {
    assert_eq!(bytes(7, 0, 3_000), bytes(7, 0, 3_000));
    assert_ne!(bytes(7, 0, 50), bytes(8, 0, 50));
    assert_ne!(bytes(7, 0, 50), bytes(7, 1, 50));
}

#[test]
fn every_kind_and_every_refusal_comes_up() {
    let mut plan = Plan::new(deck(), &Mix::default(), 1, 0, 1).unwrap();
    let (mut types, mut refusals) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..80_000 {
        let request = plan.next(NOON).request;
        types.insert(request.mti);
        refusals.extend(request.purchase().and_then(|purchase| purchase.refusal));
    }
    let expected: [&[u8; 4]; 13] = [
        b"0100", b"0101", b"0120", b"0121", b"0200", b"0201", b"0220", b"0221", b"0400", b"0401", b"0420",
        b"0421", b"0800",
    ];
    assert_eq!(types.iter().collect::<Vec<_>>(), expected);
    assert_eq!(refusals.into_iter().collect::<Vec<_>>(), Refusal::ALL);
}

#[test]
fn nothing_is_reversed_twice_and_repeats_keep_their_references() {
    let mut plan = Plan::new(deck(), &Mix::default(), 3, 0, 1).unwrap();
    let (mut first, mut reversed) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..20_000 {
        let request = plan.next(NOON).request;
        match request.kind {
            Kind::Repeat | Kind::ReversalRepeat => assert!(first.contains(&request.references)),
            Kind::Reversal => {
                assert!(first.contains(&request.reverses().unwrap()));
                assert!(reversed.insert(request.reverses().unwrap()));
                assert!(first.insert(request.references));
            }
            Kind::Purchase | Kind::Advice | Kind::Network => assert!(first.insert(request.references)),
        }
    }
    assert!(reversed.len() > 1_000, "{}", reversed.len());
}

#[test]
fn what_is_forgotten_is_never_referred_to_again() {
    let mut plan = Plan::new(deck(), &Mix::default(), 4, 0, 1).unwrap();
    let mut forgotten = BTreeSet::new();
    for _ in 0..20_000 {
        let planned = plan.next(NOON);
        forgotten.extend(planned.forget.into_iter().flatten());
        assert!(!forgotten.contains(&planned.request.references), "{planned:?}");
        let reversed = planned.request.reverses();
        assert!(planned.request.kind != Kind::Reversal || !forgotten.contains(&reversed.unwrap()));
    }
    assert!(forgotten.len() > 5_000);
}

#[test]
fn what_builds_on_a_hold_names_a_purchase_that_holds_money() {
    let deck = deck();
    let mut plan = Plan::new(Arc::clone(&deck), &Mix::default(), 6, 0, 1).unwrap();
    let (mut holds, mut ended) = (BTreeSet::new(), BTreeSet::new());
    let (mut kinds, mut jit) = ([0_u32; 3], [0_u32; 3]);
    for _ in 0..20_000 {
        let request = plan.next(NOON).request;
        let purchase = request.purchase().copied();
        if purchase.is_some_and(|purchase| purchase.effect == Effect::Hold) && request.follows().is_none() {
            holds.insert(request.references);
        }
        let Some(earlier) = request.follows().filter(|_| request.needs_a_hold()) else { continue };
        let card = deck.cards()[purchase.unwrap().card as usize];
        assert!(holds.contains(&earlier.references));
        assert!(!ended.contains(&earlier.references), "{request:?}");
        let kind = match (request.kind, purchase.unwrap().effect) {
            (Kind::Advice, Effect::Complete(_)) => 0,
            (Kind::Purchase, Effect::Raise(_)) => 1,
            (Kind::Reversal, _) => 2,
            other => panic!("{other:?}"),
        };
        kinds[kind] += 1;
        jit[kind] += u32::from(card.funding == FundingMode::Jit);
        if kind != 1 {
            ended.insert(earlier.references);
        }
    }
    assert!(kinds.iter().all(|count| *count > 100), "{kinds:?}");
    assert!(jit[0] > 20 && jit[1] > 20 && jit[2] > 10, "{jit:?}");
}

#[test]
fn every_kind_but_questions_is_sent_on_cards_of_the_balance_service_too() {
    let deck = deck();
    let mut plan = Plan::new(Arc::clone(&deck), &Mix::default(), 7, 0, 1).unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..20_000 {
        let request = plan.next(NOON).request;
        let Some(purchase) = request.purchase() else { continue };
        let card = deck.cards()[purchase.card as usize];
        if card.funding == FundingMode::Jit && purchase.refusal.is_none() {
            assert_ne!(purchase.effect, Effect::Nothing, "{request:?}");
            assert_ne!(purchase.marks, Marks::BalancesWanted);
            seen.insert((request.mti, purchase.processing_code / 10_000));
        }
    }
    for expected in [
        (*b"0100", 0),
        (*b"0100", 1),
        (*b"0100", 9),
        (*b"0100", 11),
        (*b"0100", 50),
        (*b"0120", 0),
        (*b"0200", 0),
        (*b"0200", 20),
        (*b"0220", 0),
        (*b"0400", 0),
        (*b"0420", 0),
    ] {
        assert!(seen.contains(&expected), "{expected:?} is not among {seen:?}");
    }
}

#[test]
fn links_of_one_run_never_share_a_stan() {
    let stans = |link: usize| -> BTreeSet<u32> {
        let mut plan = Plan::new(deck(), &Mix::cache_only(), 1, link, 3).unwrap();
        (0..5_000).map(|_| plan.next(NOON).request.references.stan).collect()
    };
    let all: BTreeSet<u32> = (0..3).flat_map(stans).collect();
    assert_eq!(all.len(), 15_000);
}

#[test]
fn a_mix_that_the_cards_cannot_serve_gives_no_plan() {
    let no_cards = Arc::new(Deck::new(Vec::new(), Skew::Even));
    assert!(Plan::new(no_cards, &Mix::cache_only(), 1, 0, 1).is_none());
}
