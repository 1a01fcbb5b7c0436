//! Books that agree, and books that differ by the smallest unit.

use super::super::switch_books::SwitchAccount;
use super::*;
use simulators::balance_service::{AccountBook, Counts};
use simulators::processor::{PopulationSizes, population};

/// A population, and books in which nothing has happened yet.
fn quiet() -> (Population, SwitchBooks, BooksView) {
    let sizes = PopulationSizes {
        pre_funded_cards: 8,
        jit_cards: 8,
        cards_per_account: 2,
        cards_per_refusal: 1,
        funds: 10,
    };
    let population = population(1, sizes).unwrap();
    let account =
        |account: &SimulatedAccount| (account.id, SwitchAccount { held: 0, available: account.in_switch.0 });
    let accounts = population.accounts.iter().map(account).collect();
    let openings = population.balances().map(|(account, asset, opening)| AccountBook {
        account,
        asset: asset.code(),
        opening,
        spent: Units(0),
        held: Units(0),
        available: opening,
        version: 0,
        missing: 0,
    });
    let service =
        BooksView { accounts: openings.collect(), outstanding: BTreeMap::new(), counts: Counts::default() };
    (population, SwitchBooks { accounts, held_by_asset: BTreeMap::new() }, service)
}

#[test]
fn books_in_which_nothing_has_happened_agree() {
    let (population, switch, service) = quiet();
    let table = compare(&population, &Books::default(), &switch, &service).unwrap();
    assert!(table.agree(), "{:?}", table.differences);
    assert_eq!(table.compared, 2 * population.accounts.len() as u64);
}

#[test]
fn one_unit_in_any_book_is_a_difference_with_a_name() {
    let processor = Books::default();
    let names = |population: &Population, switch: &SwitchBooks, service: &BooksView| {
        let table = compare(population, &processor, switch, service).unwrap();
        assert!(!table.agree());
        table.differences.iter().map(|difference| difference.whose.clone()).collect::<Vec<_>>()
    };
    let (population, mut switch, mut service) = quiet();
    let id = population.accounts[0].id;
    switch.accounts.get_mut(&id).unwrap().held = 1;
    assert_eq!(names(&population, &switch, &service), [format!("{id} held")]);
    switch.accounts.get_mut(&id).unwrap().held = 0;
    switch.accounts.get_mut(&id).unwrap().available += 1;
    assert_eq!(names(&population, &switch, &service), [format!("{id} available")]);
    switch.accounts.get_mut(&id).unwrap().available -= 1;

    let jit = service.accounts[0].account;
    service.accounts[0].held = Units(1);
    assert_eq!(names(&population, &switch, &service), [format!("{jit} held")]);
    service.accounts[0].held = Units(0);

    switch.held_by_asset.insert("USD".to_owned(), 1);
    assert!(names(&population, &switch, &service).is_empty(), "only the sum differs");
}

#[test]
fn an_account_that_the_switch_has_forgotten_is_named() {
    let (population, mut switch, service) = quiet();
    let id = population.accounts[0].id;
    switch.accounts.remove(&id);
    let error = compare(&population, &Books::default(), &switch, &service).unwrap_err();
    assert_eq!(error.to_string(), format!("{id} is not in the switch"));
}

#[test]
fn a_rate_makes_whole_units_of_a_cent_or_is_refused() {
    assert_eq!(units_of_one_minor("1.0007", 2, 6).unwrap(), 10_007);
    assert_eq!(units_of_one_minor("2", 2, 6).unwrap(), 20_000);
    let error = units_of_one_minor("1.00071", 2, 6).unwrap_err().to_string();
    assert!(error.contains("no whole number"), "{error}");
}
