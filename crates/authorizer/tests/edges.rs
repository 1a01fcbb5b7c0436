//! Rules that are easy to break at their edges: what the order of messages, the clock or a rounding makes of them.
//! Each test here failed once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod desk;

use authorizer::{Answer, Caller, Command, Policy};
use desk::*;
use domain::*;
use std::time::Duration;

fn held(desk: &Desk) -> i128 {
    desk.account(0).balance.held.0
}

fn rate(from: &str, to: &str, value: &str) -> Rate {
    Rate {
        from: AssetCode::new(from).unwrap(),
        to: AssetCode::new(to).unwrap(),
        value: value.parse().unwrap(),
        bid: None,
        source: Text::new("test").unwrap(),
        as_of: Timestamp::from_seconds(NOON),
        max_age: Duration::from_secs(3_600),
        id: Text::EMPTY,
    }
}

#[test]
fn a_limit_set_in_the_microsecond_of_an_approval_gives_nothing_back_for_it() {
    // One batch of commands shares one reading of the clock.
    let mut desk = Desk::with_card(FundingMode::PreFunded, 100_000);
    let first = purchase(1, 5_000);
    desk.answer(first);
    desk.limit_card(vec![limit(Window::Day, Some(10_000), None)]);
    desk.reverse(&first);
    assert_eq!(desk.card().limits[0].used_amount, 0, "usage went below zero");
    assert_eq!(reason(desk.answer(purchase(2, 10_001))), Reason::AmountLimit, "P3: the limit was overspent");
}

#[test]
fn a_limit_set_after_the_clock_was_set_back_gives_nothing_back_for_what_it_never_counted() {
    let mut desk = Desk::with_card(FundingMode::PreFunded, 100_000);
    let first = purchase(1, 5_000);
    desk.answer(first);
    desk.now.utc = Timestamp::from_seconds(NOON - 60);
    desk.limit_card(vec![limit(Window::Day, Some(10_000), None)]);
    desk.reverse(&first);
    assert_eq!(desk.card().limits[0].used_amount, 0, "usage went below zero");
}

#[test]
fn what_was_counted_after_the_clock_was_set_back_never_frees_more_than_it_used() {
    let mut desk = Desk::with_card(FundingMode::PreFunded, 100_000);
    desk.limit_card(vec![limit(Window::Day, Some(10_000), None)]);
    desk.now.utc = Timestamp::from_seconds(NOON + 12 * 3_600);
    desk.answer(purchase(1, 100)); // the new day has begun
    desk.now.utc = Timestamp::from_seconds(NOON + 12 * 3_600 - 1); // and the clock is put right by a second
    let second = purchase(2, 5_000);
    desk.answer(second);
    assert_eq!(desk.card().limits[0].used_amount, 5_100, "counted into the newest day");
    desk.reverse(&second);
    // It is given back in its own day only, and that day is over: at worst the customer may spend too little.
    assert_eq!(desk.card().limits[0].used_amount, 5_100);
}

#[test]
fn an_advice_of_a_request_that_is_still_being_decided_holds_the_money_once() {
    let mut desk = Desk::with_card(FundingMode::Jit, 0);
    let transaction = asked(&desk.send(purchase(1, 2_500)));
    desk.send(advice(1, 2_500));
    desk.fund(transaction, 2_500);
    assert_eq!(
        held(&desk),
        2_500,
        "E10: the network stood in while we were deciding; one purchase, one hold"
    );
}

#[test]
fn an_advice_of_our_own_partial_approval_holds_the_money_once() {
    let mut desk = Desk::with_card(FundingMode::Jit, 0);
    let request = Authorization { partial: PartialApproval::Supported, ..purchase(1, 2_500) };
    let transaction = asked(&desk.send(request));
    desk.fund(transaction, 1_500);
    desk.answer(advice(1, 1_500));
    assert_eq!(held(&desk), 1_500, "the advice names the part that we approved");
}

#[test]
fn an_advice_after_its_own_reversal_is_acknowledged_and_holds_nothing() {
    let mut desk = Desk::with_card(FundingMode::PreFunded, 10_000);
    desk.reverse(&purchase(1, 2_500));
    let answer = desk.answer(advice(1, 2_500));
    assert_eq!(held(&desk), 0);
    assert!(reason(answer).is_approval(), "P7, E40: an advice is accepted and flagged, found {answer:?}");
}

#[test]
fn an_advice_of_a_refund_holds_no_money() {
    let mut desk = Desk::with_card(FundingMode::PreFunded, 10_000);
    desk.answer(Authorization { processing_code: ProcessingCode(200_000), ..advice(1, 2_500) });
    assert_eq!(held(&desk), 0, "a credit to the customer must not take the customer's money");
}

#[test]
fn a_reversal_is_acknowledged_the_same_way_each_time() {
    let mut desk = Desk::with_card(FundingMode::PreFunded, 10_000);
    let original = purchase(1, 2_500);
    desk.answer(original);
    desk.wait(Duration::from_secs(96 * 3_600));
    let first = desk.reverse(&original);
    let again = desk.reverse(&original);
    assert_eq!(first, Answer::Reversal(ReversalMatch::Matched));
    assert_ne!(
        again,
        Answer::Reversal(ReversalMatch::Unmatched),
        "E4: the original is known, it was reversed a moment ago"
    );
}

#[test]
fn a_reversal_that_came_first_finds_an_original_without_a_retrieval_reference() {
    let mut desk = Desk::with_card(FundingMode::PreFunded, 10_000);
    let original = purchase(1, 2_500);
    let reversal = Reversal {
        transmission: None,
        rrn: Some(Rrn::new("632518000123").unwrap()),
        ..reversal_of(&original)
    };
    let caller = Caller(99);
    desk.run(Command::Reverse { card: CardNo(0), reversal, caller });
    // In the other order the two match, because a reference that was not sent contradicts nothing.
    assert_eq!(reason(desk.answer(original)), Reason::PreviouslyReversed);
}

#[test]
fn a_part_that_rounds_to_nothing_in_the_merchants_currency_is_not_approved() {
    let mut desk = Desk::new();
    desk.open("A", Asset::new(AssetCode::new("USDT").unwrap(), 6).unwrap());
    desk.rates.set(rate("JPY", "USD", "0.0300"));
    desk.rates.set(rate("USD", "USDT", "1"));
    desk.issue("C", 0, FundingMode::Jit, Vec::new());
    let yen = Money::new(1, Currency::from_alpha("JPY").unwrap());
    let request = Authorization { partial: PartialApproval::Supported, amount: yen, ..purchase(1, 1) };
    let transaction = asked(&desk.send(request));
    let answer = answers(&desk.fund(transaction, 20_000))[0];
    let Answer::Authorization { part, .. } = answer else { panic!("{answer:?}") };
    assert_ne!(
        part.map(Money::minor),
        Some(0),
        "approved a part of 0 JPY, and holds 0.02 USD for it: {answer:?}"
    );
}

#[test]
fn the_zone_of_a_lifetime_limit_does_not_matter() {
    let mut desk = Desk::with_card(FundingMode::PreFunded, 100_000);
    desk.limit_card(vec![limit(Window::Lifetime, Some(10_000), None)]);
    desk.answer(purchase(1, 9_000));
    let elsewhere = ZoneName::new("Asia/Tokyo").unwrap();
    desk.limit_card(vec![LimitRule { zone: elsewhere, ..limit(Window::Lifetime, Some(10_000), None) }]);
    assert_eq!(desk.card().limits[0].used_amount, 9_000, "the zone is ignored by Transaction and Lifetime");
}

#[test]
fn a_stale_asset_rate_does_not_hide_that_the_cards_own_limit_is_broken() {
    let mut desk = Desk::new();
    desk.open("A", Asset::new(AssetCode::new("USDT").unwrap(), 6).unwrap());
    desk.issue("C", 0, FundingMode::PreFunded, vec![limit(Window::Transaction, Some(100), None)]);
    desk.answer(purchase(1, 101));
    let reasons: Vec<_> = desk.transactions()[0].failures.iter().map(|failure| failure.reason).collect();
    assert_eq!(
        reasons,
        [Reason::TransactionLimit, Reason::RateUnavailable],
        "E33, P8: every rule that failed"
    );
}

#[test]
fn a_zero_or_negative_advice_never_lowers_what_is_held() {
    let mut desk = Desk::with_card(FundingMode::PreFunded, 10_000);
    desk.answer(purchase(1, 2_500));
    desk.answer(advice(2, -2_000));
    assert!(held(&desk) >= 2_500, "a negative advice released somebody else's hold: held {}", held(&desk));
}

#[test]
fn a_set_of_asks_in_flight_cannot_become_more_duties_than_are_allowed() {
    let policy = Policy { duties_per_shard_max: 2, ..Policy::default() };
    let mut desk = Desk::with_policy(policy);
    desk.open("A", usd_asset());
    desk.issue("C", 0, FundingMode::Jit, Vec::new());
    let mut asked: Vec<TransactionNo> = Vec::new();
    for stan in 1..=5 {
        asked.extend(asks(&desk.send(purchase(stan, 100))));
    }
    for transaction in asked {
        let outcome = FundingOutcome::Unknown(FundingFailure::TimedOut);
        desk.run(Command::AskEnded { transaction, outcome });
    }
    assert!(desk.shard.duties_pending() <= 2, "P10: {} duties, 2 are allowed", desk.shard.duties_pending());
}

#[test]
fn a_long_backlog_of_expired_holds_is_worked_off_in_steps() {
    let mut desk = Desk::with_card(FundingMode::Jit, 0);
    for stan in 0..150 {
        let transaction = asked(&desk.send(purchase(stan, 100)));
        desk.fund(transaction, 100);
    }
    desk.wait(Duration::from_secs(8 * 24 * 3_600));
    let mut left = Vec::new();
    for _ in 0..4 {
        desk.run(Command::Tick);
        left.push(held(&desk));
    }
    assert_eq!(left, [8_600, 2_200, 0, 0], "64 holds a tick, so that no decision waits behind all of them");
    assert_eq!(desk.shard.duties_pending(), 150, "one cancel for each");
    let totals = desk.shard.totals()[&usd_asset().code()];
    assert_eq!((totals.funded.0, totals.returned.0), (15_000, 15_000));
}

#[test]
fn the_clock_of_one_batch_numbers_every_transaction_and_duty_apart() {
    let mut desk = Desk::with_card(FundingMode::Jit, 0);
    let mut numbers = Vec::new();
    for stan in 0..5 {
        numbers.push(asked(&desk.send(purchase(stan, 100))));
    }
    desk.now.utc = Timestamp::from_seconds(NOON - 3_600);
    numbers.push(asked(&desk.send(purchase(9, 100))));
    desk.wait(Duration::from_secs(2));
    desk.now.mono = Mono::MAX;
    desk.run(Command::Tick);
    let duties = desk
        .facts
        .iter()
        .filter_map(|(_, fact)| if let Fact::DutyOwed { duty } = fact { Some(duty.number) } else { None });
    numbers.extend(duties);
    assert_eq!(numbers.len(), 12, "six asks and six cancels");
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

#[test]
fn a_card_number_of_the_index_that_is_not_this_card_is_unknown() {
    let mut desk = Desk::with_card(FundingMode::PreFunded, 10_000);
    let stranger = Authorization { card: token("X"), ..purchase(1, 100) };
    assert_eq!(reason(desk.answer(stranger)), Reason::UnknownCard);
    assert_eq!(desk.reverse(&stranger), Answer::Reversal(ReversalMatch::UnknownCard));
    let actions =
        desk.run(Command::Authorize { card: CardNo(9), request: purchase(1, 100), caller: Caller(1) });
    assert_eq!(reason(answers(&actions)[0]), Reason::UnknownCard);
    assert_eq!(held(&desk), 0);
}

#[test]
fn what_is_as_good_as_cash_and_what_pays_a_bill_is_limited_to_the_last_cent() {
    // Cash, cashback, into a wallet, quasi-cash, a payment.
    for processing_code in [10_000, 90_000, 100_000, 110_000, 500_000, 590_000] {
        let mut desk = Desk::with_card(FundingMode::PreFunded, 100_000);
        desk.limit_card(vec![
            limit(Window::Transaction, Some(6_000), None),
            limit(Window::Day, Some(10_000), None),
        ]);
        let message = |stan, minor| Authorization {
            processing_code: ProcessingCode(processing_code),
            partial: PartialApproval::Supported,
            ..purchase(stan, minor)
        };
        let mut sent = |stan, minor| reason(desk.answer(message(stan, minor)));
        assert_eq!(sent(1, 6_001), Reason::TransactionLimit, "{processing_code}");
        assert_eq!(sent(2, 6_000), Reason::Approved, "{processing_code}");
        assert_eq!(sent(3, 4_001), Reason::AmountLimit, "{processing_code}");
        assert_eq!(sent(4, 4_000), Reason::Approved, "{processing_code}");
        assert_eq!(sent(5, 1), Reason::AmountLimit, "{processing_code}");
        assert_eq!(held(&desk), 10_000, "{processing_code}");
    }
}

#[test]
fn e07_a_part_is_of_use_where_goods_cash_or_bills_are_paid_and_nowhere_else() {
    let kinds =
        [(0, true), (10_000, true), (500_000, true), (90_000, false), (100_000, false), (110_000, false)];
    for (processing_code, useful) in kinds {
        let mut desk = Desk::with_card(FundingMode::PreFunded, 4_000);
        let answer = desk.answer(Authorization {
            processing_code: ProcessingCode(processing_code),
            partial: PartialApproval::Supported,
            ..purchase(1, 4_001)
        });
        let expected = if useful { Reason::ApprovedPartially } else { Reason::InsufficientFunds };
        assert_eq!(reason(answer), expected, "{processing_code}");
    }
}

#[test]
fn cashback_is_a_part_of_the_purchase_and_no_more_than_the_program_hands_out() {
    let life = authorizer::Life { cashback_minor_max: Some(2_000), ..authorizer::Life::default() };
    let policy = Policy { life: std::sync::Arc::new(life), ..Policy::default() };
    let mut desk = Desk::with_policy(policy);
    desk.open("A", usd_asset());
    desk.credit(0, 100_000);
    desk.issue("C", 0, FundingMode::PreFunded, Vec::new());
    let eur = Currency::from_alpha("EUR").unwrap();
    for (stan, cash, expected) in [
        (1, Money::new(2_000, usd()), Reason::Approved),
        (2, Money::new(2_001, usd()), Reason::CashLimit),
        (3, Money::new(5_001, usd()), Reason::InvalidAmount),
        (4, Money::new(100, eur), Reason::InvalidAmount),
    ] {
        let mut request = Authorization { processing_code: ProcessingCode(90_000), ..purchase(stan, 5_000) };
        request.details.cash = Some(cash);
        assert_eq!(reason(desk.answer(request)), expected, "{cash}");
    }
    assert_eq!(held(&desk), 5_000);
}
