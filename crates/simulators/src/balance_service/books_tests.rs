//! The ledger's promises, one by one and over random histories.

use super::*;
use domain::{ShardId, TransactionNo};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

fn account() -> AccountId {
    AccountId::new("acct_1").unwrap()
}

fn usdt() -> AssetCode {
    AssetCode::new("USDT").unwrap()
}

fn books(units: i128) -> Books {
    Books::with([Opening { account: account(), asset: usdt(), units: Units(units) }])
}

fn tx(number: u64) -> TransactionId {
    TransactionId { shard: ShardId(1), number: TransactionNo(number) }
}

fn ask(number: u64, units: i128) -> Ask {
    Ask {
        ask_id: tx(number),
        account: account(),
        asset: usdt(),
        units: Units(units),
        partial_ok: false,
        remaining_ms: 1_000,
    }
}

fn cancel(number: u64, id: &str, cause: Cause, units: i128) -> Cancel {
    Cancel { ask_id: tx(number), cancel_id: id.into(), cause, units: Units(units) }
}

fn advice(number: u64, id: &str, units: i128) -> Advice {
    Advice {
        ask_id: tx(number),
        advice_id: id.into(),
        account: account(),
        asset: usdt(),
        units: Units(units),
    }
}

fn held(books: &Books) -> i128 {
    books.view().held(&account(), usdt()).0
}

#[test]
fn an_ask_reserves_once_however_often_it_comes() {
    let mut books = books(100);
    for _ in 0..3 {
        assert_eq!(books.ask(&ask(1, 60), Inclination::Approve), Answer::Approve(Units(60)));
    }
    assert_eq!(held(&books), 60);
    assert_eq!(books.ask(&ask(1, 61), Inclination::Approve), Answer::Decline("id_used_before"));
    assert_eq!(books.ask(&ask(2, 41), Inclination::Approve), Answer::Decline("insufficient_funds"));
    assert_eq!(books.ask(&ask(2, 40), Inclination::Approve), Answer::Decline("id_used_before"));
    let counts = books.view().counts;
    assert_eq!((counts.asks, counts.approved, counts.declined, counts.ask_repeats), (2, 1, 1, 4));
}

#[test]
fn a_part_is_given_only_to_those_who_can_take_one() {
    let mut books = books(100);
    let partial = |number, units| Ask { partial_ok: true, ..ask(number, units) };
    assert_eq!(books.ask(&ask(1, 101), Inclination::Approve), Answer::Decline("insufficient_funds"));
    assert_eq!(books.ask(&partial(2, 200), Inclination::Part(25)), Answer::Approve(Units(50)));
    assert_eq!(books.ask(&partial(3, 101), Inclination::Approve), Answer::Approve(Units(50)));
    assert_eq!(books.ask(&partial(4, 1), Inclination::Approve), Answer::Decline("insufficient_funds"));
    assert_eq!(books.view().counts.approved_partially, 2);
}

#[test]
fn a_cancel_gives_back_once_and_only_what_is_there() {
    let mut books = books(100);
    books.ask(&ask(1, 60), Inclination::Approve);
    books.cancel(&cancel(1, "c1", Cause::Reversed, 20));
    books.cancel(&cancel(1, "c1", Cause::Reversed, 20));
    assert_eq!(held(&books), 40);
    books.cancel(&cancel(1, "c2", Cause::Expired, 500));
    assert_eq!(held(&books), 0);
    books.ask(&ask(2, 60), Inclination::Approve);
    books.cancel(&cancel(2, "c3", Cause::OutcomeUnknown, 1));
    assert_eq!(held(&books), 0, "an unknown outcome gives back everything");
    assert_eq!(books.view().counts.duty_repeats, 1);
}

#[test]
fn a_cancel_that_overtook_its_ask_makes_the_ask_declined() {
    let mut books = books(100);
    books.cancel(&cancel(1, "c1", Cause::OutcomeUnknown, 60));
    assert_eq!(books.ask(&ask(1, 60), Inclination::Approve), Answer::Decline("cancelled_before"));
    assert_eq!(held(&books), 0);
    assert_eq!(books.view().counts.tombstones, 1);
}

#[test]
fn an_advice_is_booked_once_even_past_the_balance_and_in_place_of_the_reservation() {
    let mut books = books(100);
    books.ask(&ask(1, 60), Inclination::Approve);
    books.advise(&advice(1, "a1", 70));
    books.advise(&advice(1, "a1", 70));
    assert_eq!(held(&books), 70);
    books.advise(&advice(2, "a2", 80));
    assert_eq!(books.view().accounts[0].available, Units(-50));
    assert_eq!(books.ask(&ask(2, 80), Inclination::Approve), Answer::Decline("advised_before"));
    books.cancel(&cancel(2, "c1", Cause::Reversed, 80));
    assert_eq!(held(&books), 70);
}

#[test]
fn an_advice_for_an_account_nobody_opened_is_booked_all_the_same() {
    let mut books = Books::default();
    books.advise(&advice(1, "a1", 5));
    assert_eq!(held(&books), 5);
    assert_eq!(Books::default().ask(&ask(1, 5), Inclination::Approve), Answer::Decline("unknown_account"));
}

#[test]
fn after_any_history_what_is_held_is_the_sum_of_what_is_outstanding() {
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut books = books(1_000);
        for step in 0..200 {
            let (number, units) = (random.random_range(0..20), random.random_range(1..120));
            match random.random_range(0..6) {
                0..3 => drop(books.ask(&ask(number, units), Inclination::Approve)),
                3 => books.cancel(&cancel(number, &format!("c{}", step / 2), Cause::Reversed, units)),
                4 => books.cancel(&cancel(number, &format!("u{step}"), Cause::OutcomeUnknown, units)),
                _ => books.advise(&advice(number, &format!("a{}", step / 2), units)),
            }
            let view = books.view();
            let sum: i128 = view.outstanding.values().map(|units| units.0).sum();
            assert_eq!(view.accounts[0].held.0, sum, "seed {seed} step {step}");
            assert_eq!(view.accounts[0].available.0, 1_000 - sum, "seed {seed} step {step}");
            assert!(view.outstanding.values().all(|units| units.is_positive()), "seed {seed} step {step}");
        }
    }
}

#[test]
fn the_view_is_json_without_floats() {
    let mut books = books(100);
    books.ask(&ask(1, 60), Inclination::Approve);
    let json = serde_json::to_value(books.view()).unwrap();
    assert_eq!(json["accounts"][0]["available"], "40");
    assert_eq!(json["outstanding"]["tx-001-0000000000000001"], "60");
    assert_eq!(json["counts"]["asks"], 1);
}
