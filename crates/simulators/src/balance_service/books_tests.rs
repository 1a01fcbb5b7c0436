//! The ledger's promises, one by one and over random histories.

use super::super::duty::Left;
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

fn duty(number: u64, id: &str, what: What, units: i128) -> Duty {
    let common = Common {
        ask_id: tx(number),
        account: account(),
        asset: usdt(),
        units: Units(units),
        sequence: 1,
        account_sequence: 1,
    };
    Duty { id: id.into(), common, what }
}

fn decide(books: &mut Books, ask: &Ask, inclination: Inclination) -> Decision {
    books.ask(ask, inclination).decision
}

fn clearing(reserved: i128, released: i128, last: bool) -> What {
    What::Clearing(Clearing { reserved: Units(reserved), released: Units(released), last })
}

fn held(books: &Books) -> i128 {
    books.view().held(&account(), usdt()).0
}

fn spent(books: &Books) -> i128 {
    books.view().accounts[0].spent.0
}

#[test]
fn an_ask_reserves_once_however_often_it_comes() {
    let mut books = books(100);
    for _ in 0..3 {
        assert_eq!(decide(&mut books, &ask(1, 60), Inclination::Approve), Decision::Approve(Units(60)));
    }
    assert_eq!(held(&books), 60);
    assert_eq!(decide(&mut books, &ask(1, 61), Inclination::Approve), Decision::Decline("id_used_before"));
    assert_eq!(
        decide(&mut books, &ask(2, 41), Inclination::Approve),
        Decision::Decline("insufficient_funds")
    );
    assert_eq!(decide(&mut books, &ask(2, 40), Inclination::Approve), Decision::Decline("id_used_before"));
    let counts = books.view().counts;
    assert_eq!((counts.asks, counts.approved, counts.declined, counts.ask_repeats), (2, 1, 1, 4));
}

#[test]
fn a_part_is_given_only_to_those_who_can_take_one() {
    let mut books = books(100);
    let partial = |number, units| Ask { partial_ok: true, ..ask(number, units) };
    assert_eq!(
        decide(&mut books, &ask(1, 101), Inclination::Approve),
        Decision::Decline("insufficient_funds")
    );
    assert_eq!(decide(&mut books, &partial(2, 200), Inclination::Part(25)), Decision::Approve(Units(50)));
    assert_eq!(decide(&mut books, &partial(3, 101), Inclination::Approve), Decision::Approve(Units(50)));
    assert_eq!(
        decide(&mut books, &partial(4, 1), Inclination::Approve),
        Decision::Decline("insufficient_funds")
    );
    assert_eq!(books.view().counts.approved_partially, 2);
}

#[test]
fn a_cancel_gives_back_once_and_only_what_is_there() {
    let mut books = books(100);
    books.ask(&ask(1, 60), Inclination::Approve);
    books.perform(&duty(1, "c1", What::Cancel(Cause::Reversed), 20));
    books.perform(&duty(1, "c1", What::Cancel(Cause::Reversed), 20));
    assert_eq!(held(&books), 40);
    books.perform(&duty(1, "c2", What::Cancel(Cause::Expired), 500));
    assert_eq!(held(&books), 0);
    books.ask(&ask(2, 60), Inclination::Approve);
    books.perform(&duty(2, "c3", What::Cancel(Cause::OutcomeUnknown), 1));
    assert_eq!(held(&books), 0, "an unknown outcome gives back everything");
    assert_eq!(books.view().counts.duty_repeats, 1);
}

#[test]
fn a_cancel_that_overtook_its_ask_makes_the_ask_declined() {
    let mut books = books(100);
    books.perform(&duty(1, "c1", What::Cancel(Cause::OutcomeUnknown), 60));
    assert_eq!(decide(&mut books, &ask(1, 60), Inclination::Approve), Decision::Decline("cancelled_before"));
    assert_eq!(held(&books), 0);
    assert_eq!(books.view().counts.tombstones, 1);
}

#[test]
fn an_advice_is_booked_once_even_past_the_balance_and_in_place_of_the_reservation() {
    let mut books = books(100);
    books.ask(&ask(1, 60), Inclination::Approve);
    books.perform(&duty(1, "a1", What::Advice, 70));
    books.perform(&duty(1, "a1", What::Advice, 70));
    assert_eq!(held(&books), 70);
    books.perform(&duty(2, "a2", What::Advice, 80));
    assert_eq!(books.view().accounts[0].available, Units(-50));
    assert_eq!(decide(&mut books, &ask(2, 80), Inclination::Approve), Decision::Decline("advised_before"));
    books.perform(&duty(2, "c1", What::Cancel(Cause::Reversed), 80));
    assert_eq!(held(&books), 70);
}

#[test]
fn clearings_take_out_of_the_reservation_and_out_of_the_account() {
    let mut books = books(100);
    books.ask(&ask(1, 60), Inclination::Approve);
    books.perform(&duty(1, "k1", clearing(20, 0, false), 20));
    books.perform(&duty(1, "k1", clearing(20, 0, false), 20));
    assert_eq!((held(&books), spent(&books)), (40, 20));
    books.perform(&duty(1, "k2", clearing(30, 10, true), 35));
    assert_eq!((held(&books), spent(&books)), (0, 55), "five units were never reserved");
    books.perform(&duty(2, "k3", clearing(0, 0, false), 50));
    assert_eq!(books.view().accounts[0].available, Units(-5), "a clearing cannot be refused");
    assert_eq!(books.view().counts.mismatched, 0);
}

#[test]
fn money_comes_back_by_refunds_and_undone_payments_and_goes_again_by_undone_refunds() {
    let mut books = books(100);
    books.perform(&duty(1, "k1", clearing(0, 0, true), 70));
    books.perform(&duty(1, "r1", What::Refund, 30));
    books.perform(&duty(1, "u1", What::Undo(Direction::Debit), 30));
    books.perform(&duty(1, "u2", What::Undo(Direction::Credit), 70));
    books.perform(&duty(1, "u2", What::Undo(Direction::Credit), 70));
    assert_eq!((spent(&books), books.view().counts.duty_repeats), (0, 1));
}

#[test]
fn a_part_or_the_rest_of_a_reservation_is_given_back() {
    let mut books = books(100);
    books.ask(&ask(1, 60), Inclination::Approve);
    books.perform(&duty(1, "c1", What::Confirm, 60));
    books.perform(&duty(1, "v1", What::Reversal(Left { left: Units(40) }), 20));
    assert_eq!(held(&books), 40);
    books.perform(&duty(1, "e1", What::Expiry, 40));
    let counts = books.view().counts;
    assert_eq!((held(&books), counts.mismatched), (0, 0));
    assert_eq!((counts.confirms, counts.reversals, counts.expiries), (1, 1, 1));
}

#[test]
fn a_duty_that_speaks_of_another_reservation_than_there_is_is_counted() {
    for what in [What::Confirm, What::Expiry, What::Reversal(Left { left: Units(1) }), clearing(59, 0, true)]
    {
        let mut books = books(100);
        books.ask(&ask(1, 60), Inclination::Approve);
        books.perform(&duty(1, "d", what, 58));
        assert_eq!(books.view().counts.mismatched, 1, "{what:?}");
    }
}

#[test]
fn duties_that_are_missing_or_out_of_their_order_are_counted() {
    let mut books = books(100);
    let numbered = |id: &str, sequence, account_sequence| {
        let duty = duty(1, id, What::Refund, 1);
        Duty { common: Common { sequence, account_sequence, ..duty.common }, ..duty }
    };
    books.perform(&numbered("a", 1, 1));
    books.perform(&numbered("b", 3, 4));
    books.perform(&numbered("c", 2, 2));
    let view = books.view();
    assert_eq!((view.counts.disordered, view.accounts[0].missing), (2, 1));
}

#[test]
fn an_advice_for_an_account_nobody_opened_is_booked_all_the_same() {
    let mut books = Books::default();
    books.perform(&duty(1, "a1", What::Advice, 5));
    assert_eq!(held(&books), 5);
    assert_eq!(
        Books::default().ask(&ask(1, 5), Inclination::Approve).decision,
        Decision::Decline("unknown_account")
    );
}

#[test]
fn after_any_history_what_is_held_is_the_sum_of_what_is_outstanding() {
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut books = books(1_000);
        for step in 0..200 {
            let (number, units) = (random.random_range(0..20), random.random_range(1..120));
            match random.random_range(0..8) {
                0..3 => drop(books.ask(&ask(number, units), Inclination::Approve)),
                3 => books.perform(&duty(
                    number,
                    &format!("c{}", step / 2),
                    What::Cancel(Cause::Reversed),
                    units,
                )),
                4 => books.perform(&duty(
                    number,
                    &format!("u{step}"),
                    What::Cancel(Cause::OutcomeUnknown),
                    units,
                )),
                5 => books.perform(&duty(number, &format!("a{}", step / 2), What::Advice, units)),
                6 => books.perform(&duty(number, &format!("k{step}"), clearing(units, 0, false), units)),
                _ => books.perform(&duty(number, &format!("r{step}"), What::Refund, units)),
            }
            let view = books.view();
            let sum: i128 = view.outstanding.values().map(|units| units.0).sum();
            assert_eq!(view.accounts[0].held.0, sum, "seed {seed} step {step}");
            let spent = view.accounts[0].spent.0;
            assert_eq!(view.accounts[0].available.0, 1_000 - spent - sum, "seed {seed} step {step}");
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
