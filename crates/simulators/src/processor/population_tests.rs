//! The cards and accounts of a simulation, and the lines that load them.

use super::*;
use serde_json::Value;
use std::collections::BTreeSet;

fn small() -> PopulationSizes {
    PopulationSizes { pre_funded_cards: 9, jit_cards: 5, cards_per_refusal: 2, ..PopulationSizes::default() }
}

fn lines(seed: u64) -> Vec<String> {
    population(seed, small()).unwrap().import_lines().collect()
}

#[test]
fn the_same_seed_gives_the_same_lines_and_another_seed_others() {
    assert_eq!(lines(1), lines(1));
    assert_ne!(lines(1), lines(2));
}

#[test]
fn each_line_finds_what_it_needs_above_it() {
    let mut accounts = BTreeSet::new();
    for line in lines(1) {
        let line: Value = serde_json::from_str(&line).unwrap();
        let (kind, fields) = line.as_object().unwrap().iter().next().unwrap();
        let text = |name: &str| fields[name].as_str().unwrap().to_owned();
        match kind.as_str() {
            "rate" => assert!(accounts.is_empty()),
            "account" => assert!(accounts.insert(text("id"))),
            "credit" | "card" => assert!(accounts.contains(&text("account"))),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn the_control_api_s_importer_takes_every_line() {
    let mut importer = control::import::Importer::new("population");
    let calls: Vec<_> = lines(1).iter().filter_map(|line| importer.line(line).unwrap()).collect();
    assert_eq!(calls.len(), lines(1).len());
}

#[test]
fn cards_have_true_check_digits_and_numbers_of_their_own() {
    let population = population(1, small()).unwrap();
    let numbers: BTreeSet<Vec<u8>> = population
        .cards
        .iter()
        .map(|card| Pan::issue(card.number.expose()).unwrap().expose().to_vec())
        .collect();
    assert_eq!(numbers.len(), population.cards.len());
    assert!(numbers.iter().all(|number| number.starts_with(b"999999") && number.len() == 16));
}

#[test]
fn an_unknown_card_is_played_and_never_issued() {
    let population = population(1, small()).unwrap();
    let unknown = |card: &&SimulatedCard| card.role == Role::Refused(Refusal::UnknownCard);
    let unknown: Vec<_> = population.cards.iter().filter(unknown).collect();
    assert_eq!(unknown.len(), 2);
    for line in population.import_lines() {
        for card in &unknown {
            assert!(!line.contains(&String::from_utf8(card.number.expose().to_vec()).unwrap()));
        }
    }
}

#[test]
fn money_is_either_in_the_switch_or_in_the_balance_service() {
    let population = population(1, small()).unwrap();
    for account in &population.accounts {
        assert_eq!(account.in_switch.0 == 0, account.in_balance_service.is_some(), "{account:?}");
    }
    assert_eq!(population.balances().count(), 5_usize.div_ceil(2) + 2);
}

#[test]
fn more_cards_than_the_test_range_has_are_refused() {
    let sizes = PopulationSizes { pre_funded_cards: u32::MAX, ..PopulationSizes::default() };
    let error = population(1, sizes).unwrap_err().to_string();
    assert!(error.contains("more than the 1000000000"), "{error}");
    let sizes = PopulationSizes { funds: u64::MAX, ..small() };
    assert!(population(1, sizes).is_ok(), "128 bits hold more than 64 bits of whole units");
}
