//! E8, E9, E32: the switch stands in for a balance service that does not answer, within bounds, and tells it afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod desk;

use authorizer::*;
use desk::*;
use domain::*;
use std::sync::Arc;
use std::time::Duration;

fn usd_amount(value: i64) -> Vec<RuleAmount> {
    vec![RuleAmount { code: usd_asset().code(), value: value.into() }]
}

/// A program that stands in for 60.00 a purchase, 100.00 and three purchases a card and day, 150.00 an account.
fn program() -> StandInProgram {
    StandInProgram {
        name: ProgramName::new("main").unwrap(),
        account_prefix: String::new(),
        mode: StandInMode::Automatic,
        outcomes: vec![FundingFailure::TimedOut, FundingFailure::Refused, FundingFailure::BreakerOpen],
        balance_age_max: Duration::from_secs(3_600),
        buffer_percent: 10,
        transaction_max: usd_amount(60),
        card_max: usd_amount(100),
        card_count_max: 3,
        account_max: usd_amount(150),
        exposure_max: usd_amount(200),
        blocked_types: BLOCKED_TYPES.to_vec(),
        blocked_mcc: BLOCKED_MCC.to_vec(),
        first_use: true,
    }
}

/// A JIT card whose service last told `available`.
fn desk_with(program: StandInProgram, available: Option<i128>) -> Desk {
    let stand_in = Arc::new(StandIn::new(vec![program]));
    let mut desk = Desk::with_policy(Policy { stand_in, ..Policy::default() });
    desk.open("A", usd_asset());
    desk.issue("C", 0, FundingMode::Jit, Vec::new());
    if let Some(units) = available {
        push(&mut desk, 1, units, Vec::new());
    }
    desk
}

fn push(desk: &mut Desk, version: u64, units: i128, counted: Vec<TransactionNo>) {
    let change = Change::TellBalance { account: AccountNo(0), version, available: Units(units), counted };
    assert!(matches!(desk.change(change), Reply::Account(_)));
}

/// Sends a purchase whose ask fails so, and returns its answer and what is owed.
fn fails(desk: &mut Desk, request: Authorization, failure: FundingFailure) -> (Reason, Vec<Duty>) {
    let sent = desk.send(request);
    ends(desk, asked(&sent), FundingOutcome::Unknown(failure))
}

fn ends(desk: &mut Desk, transaction: TransactionNo, outcome: FundingOutcome) -> (Reason, Vec<Duty>) {
    let actions = desk.run(Command::AskEnded { transaction, outcome });
    let answer = answers(&actions).pop().unwrap_or_else(|| panic!("no answer in {actions:?}"));
    (reason(answer), duties(&actions))
}

fn duties(actions: &[Action]) -> Vec<Duty> {
    let owed =
        actions.iter().filter_map(|action| if let Action::Owe(duty) = action { Some(*duty) } else { None });
    owed.collect()
}

fn refusal_of(desk: &Desk) -> Vec<Reason> {
    desk.transactions()[0].failures.iter().map(|failure| failure.reason).collect()
}

#[test]
fn a_purchase_is_stood_in_for_and_the_service_is_told() {
    let mut desk = desk_with(program(), Some(10_000));
    let (reason, owed) = fails(&mut desk, purchase(1, 2_500), FundingFailure::TimedOut);
    assert_eq!(reason, Reason::Approved);
    let [advice] = owed.as_slice() else { panic!("one duty: {owed:?}") };
    assert!(matches!(advice.kind, DutyKind::Advise { .. }), "an advice and no cancel: {advice:?}");
    assert_eq!(advice.units, Units(2_500));
    let found = &desk.transactions()[0];
    assert_eq!((found.by, found.state), (Some(Approver::StandIn), TransactionState::Approved));
    let account = desk.account(0);
    assert_eq!((account.balance.held, account.outstanding), (Units(2_500), Units(2_500)));
    assert_eq!(desk.shard.exposed()[0].open, Units(2_500));
    desk.run(Command::DutyAcknowledged { duty: advice.number });
    assert_eq!(desk.account(0).outstanding, Units::ZERO);
    assert_eq!(desk.shard.exposed()[0].open, Units::ZERO);
    let rebuilt = desk.rebuilt();
    assert_eq!(rebuilt.exposed(), desk.shard.exposed());
    assert_eq!(rebuilt.control_totals(), desk.shard.control_totals());
}

#[test]
fn without_a_program_a_failure_declines_as_ever() {
    let mut desk = Desk::with_card(FundingMode::Jit, 0);
    push(&mut desk, 1, 10_000, Vec::new());
    let (reason, owed) = fails(&mut desk, purchase(1, 2_500), FundingFailure::TimedOut);
    assert_eq!(reason, Reason::FundingTimedOut);
    assert!(matches!(owed[0].kind, DutyKind::Cancel(CancelCause::OutcomeUnknown)));
}

#[test]
fn only_the_configured_failures_are_stood_in_for() {
    let mut desk = desk_with(program(), Some(10_000));
    assert_eq!(fails(&mut desk, purchase(1, 100), FundingFailure::Malformed).0, Reason::FundingMalformed);
    assert_eq!(refusal_of(&desk), [Reason::FundingMalformed], "the program has no say in it");
    let sent = desk.send(purchase(2, 100));
    let declined = FundingOutcome::Declined { code: Text::EMPTY };
    assert_eq!(ends(&mut desk, asked(&sent), declined).0, Reason::FundingDeclined);
    let sent = desk.send(purchase(3, 100));
    let open = FundingOutcome::NotAsked(FundingFailure::BreakerOpen);
    assert_eq!(ends(&mut desk, asked(&sent), open).0, Reason::Approved);
}

#[test]
fn every_bound_holds_and_the_record_says_which() {
    for (name, program, request, available, expected) in [
        ("no balance", program(), purchase(1, 100), None, Reason::StandInBalanceUnknown),
        ("a buffer is kept", program(), purchase(1, 1_000), Some(1_099), Reason::StandInFunds),
        ("one transaction", program(), purchase(1, 6_001), Some(99_999), Reason::StandInLimit),
        (
            "no count left",
            StandInProgram { card_count_max: 0, ..program() },
            purchase(1, 100),
            Some(99_999),
            Reason::StandInLimit,
        ),
        (
            "an account's bound",
            StandInProgram { account_max: usd_amount(10), ..program() },
            purchase(1, 1_001),
            Some(99_999),
            Reason::StandInLimit,
        ),
        (
            "a currency without a bound",
            StandInProgram { transaction_max: Vec::new(), ..program() },
            purchase(1, 100),
            Some(99_999),
            Reason::StandInLimit,
        ),
        (
            "the program's exposure",
            StandInProgram { exposure_max: usd_amount(10), ..program() },
            purchase(1, 1_001),
            Some(99_999),
            Reason::StandInExposure,
        ),
        (
            "a program without an exposure",
            StandInProgram { exposure_max: Vec::new(), ..program() },
            purchase(1, 100),
            Some(99_999),
            Reason::StandInExposure,
        ),
        (
            "cash",
            program(),
            Authorization { processing_code: ProcessingCode(10_000), ..purchase(1, 100) },
            Some(99_999),
            Reason::StandInBarred,
        ),
        (
            "gambling",
            program(),
            Authorization {
                merchant: Merchant { mcc: Some(Mcc(7995)), ..Merchant::default() },
                ..purchase(1, 100)
            },
            Some(99_999),
            Reason::StandInBarred,
        ),
        (
            "a first use",
            StandInProgram { first_use: false, ..program() },
            purchase(1, 100),
            Some(99_999),
            Reason::StandInBarred,
        ),
    ] {
        let mut desk = desk_with(program, available);
        let (reason, owed) = fails(&mut desk, request, FundingFailure::TimedOut);
        assert_eq!(reason, Reason::FundingTimedOut, "{name}");
        assert_eq!(refusal_of(&desk), [Reason::FundingTimedOut, expected], "{name}");
        assert!(matches!(owed[0].kind, DutyKind::Cancel(_)), "{name}");
    }
}

#[test]
fn a_balance_that_is_too_old_or_a_card_that_is_frozen_is_not_stood_in_for() {
    let mut desk = desk_with(program(), Some(10_000));
    desk.wait(Duration::from_secs(3_601));
    fails(&mut desk, purchase(1, 100), FundingFailure::TimedOut);
    assert_eq!(refusal_of(&desk)[1], Reason::StandInBalanceUnknown);
    push(&mut desk, 2, 10_000, Vec::new());
    let sent = desk.send(purchase(2, 100));
    desk.change(Change::SetCardStatus { card: CardNo(0), status: CardStatus::Frozen });
    let outcome = FundingOutcome::Unknown(FundingFailure::TimedOut);
    assert_eq!(ends(&mut desk, asked(&sent), outcome).0, Reason::FundingTimedOut);
    assert_eq!(refusal_of(&desk), [Reason::FundingTimedOut, Reason::CardFrozen]);
}

#[test]
fn a_card_may_stand_in_for_so_much_and_so_often_in_a_day() {
    let mut desk = desk_with(program(), Some(99_999));
    for stan in 1..=3 {
        assert_eq!(fails(&mut desk, purchase(stan, 1_000), FundingFailure::TimedOut).0, Reason::Approved);
    }
    fails(&mut desk, purchase(4, 1_000), FundingFailure::TimedOut);
    assert_eq!(refusal_of(&desk)[1], Reason::StandInLimit, "a fourth time");
    // What is undone does not count.
    desk.reverse(&purchase(3, 1_000));
    fails(&mut desk, purchase(5, 8_001), FundingFailure::TimedOut);
    assert_eq!(refusal_of(&desk)[1], Reason::StandInLimit, "above the amount of one transaction");
    assert_eq!(fails(&mut desk, purchase(6, 6_000), FundingFailure::TimedOut).0, Reason::Approved);
    desk.wait(Duration::from_secs(24 * 3_600));
    push(&mut desk, 2, 99_999, Vec::new());
    assert_eq!(
        fails(&mut desk, purchase(7, 6_000), FundingFailure::TimedOut).0,
        Reason::Approved,
        "a day later"
    );
}

#[test]
fn what_the_service_does_not_know_yet_is_not_spent_twice() {
    let mut desk = desk_with(StandInProgram { buffer_percent: 0, ..program() }, Some(5_000));
    assert_eq!(fails(&mut desk, purchase(1, 3_000), FundingFailure::TimedOut).0, Reason::Approved);
    fails(&mut desk, purchase(2, 2_001), FundingFailure::TimedOut);
    assert_eq!(refusal_of(&desk)[1], Reason::StandInFunds);
    // An ask that is open may be granted by the service at this very moment.
    let open = asked(&desk.send(purchase(3, 1_500)));
    fails(&mut desk, purchase(4, 501), FundingFailure::TimedOut);
    assert_eq!(refusal_of(&desk)[1], Reason::StandInFunds);
    ends(&mut desk, open, FundingOutcome::Declined { code: Text::EMPTY });
    assert_eq!(fails(&mut desk, purchase(5, 501), FundingFailure::TimedOut).0, Reason::Approved);
}

#[test]
fn the_next_ask_says_what_the_service_does_not_know_yet() {
    let mut desk = desk_with(program(), Some(10_000));
    let (_, owed) = fails(&mut desk, purchase(1, 2_500), FundingFailure::TimedOut);
    let standing = |actions: &[Action]| {
        let asks =
            actions.iter().filter_map(|action| if let Action::Ask(ask) = action { Some(ask) } else { None });
        asks.map(|ask| ask.outstanding_standin).next().unwrap()
    };
    assert_eq!(standing(&desk.send(purchase(2, 100))), Units(2_500));
    desk.run(Command::DutyAcknowledged { duty: owed[0].number });
    assert_eq!(standing(&desk.send(purchase(3, 100))), Units::ZERO);
}

#[test]
fn an_older_balance_changes_nothing_and_a_newer_one_keeps_what_it_does_not_count() {
    let mut desk = desk_with(StandInProgram { buffer_percent: 0, ..program() }, Some(5_000));
    let (_, owed) = fails(&mut desk, purchase(1, 3_000), FundingFailure::TimedOut);
    let facts = desk.facts.len();
    push(&mut desk, 1, 99_999, Vec::new());
    assert_eq!(desk.facts.len(), facts, "an older version is no news, and is not recorded");
    push(&mut desk, 2, 4_000, Vec::new());
    fails(&mut desk, purchase(2, 1_001), FundingFailure::TimedOut);
    assert_eq!(refusal_of(&desk)[1], Reason::StandInFunds, "40.00 less the 30.00 that it does not count");
    push(&mut desk, 3, 4_000, vec![owed[0].transaction]);
    assert_eq!(fails(&mut desk, purchase(3, 4_000), FundingFailure::TimedOut).0, Reason::Approved);
}

#[test]
fn the_balance_of_an_answer_is_the_balance_that_is_stood_in_from() {
    let mut desk = desk_with(StandInProgram { buffer_percent: 0, ..program() }, None);
    let transaction = asked(&desk.send(purchase(1, 1_000)));
    let word = ServiceWord { balance: Some((7, Units(2_000))), said: Said::default() };
    desk.run(Command::ServiceTold { transaction, word: Box::new(word) });
    desk.fund(transaction, 1_000);
    assert_eq!(desk.account(0).told.map(|told| (told.version, told.available)), Some((7, Units(2_000))));
    // The answer's balance has its own reservation taken off already.
    assert_eq!(fails(&mut desk, purchase(2, 2_000), FundingFailure::TimedOut).0, Reason::Approved);
    // A yes without a balance is taken off what was told before.
    let mut desk = desk_with(StandInProgram { buffer_percent: 0, ..program() }, Some(2_000));
    let transaction = asked(&desk.send(purchase(1, 1_000)));
    desk.fund(transaction, 1_000);
    fails(&mut desk, purchase(2, 1_001), FundingFailure::TimedOut);
    assert_eq!(refusal_of(&desk)[1], Reason::StandInFunds);
    assert_eq!(desk.rebuilt().control_totals(), desk.shard.control_totals());
}

#[test]
fn what_the_service_said_is_kept_for_support() {
    let mut desk = desk_with(program(), None);
    let transaction = asked(&desk.send(purchase(1, 1_000)));
    let said = Said {
        account: Some(AccountId::new("other").unwrap()),
        quote: Text::new("q-1").unwrap(),
        text: Text::new("pays from savings").unwrap(),
    };
    let word = ServiceWord { balance: Some((7, Units(2_000))), said };
    desk.run(Command::ServiceTold { transaction, word: Box::new(word) });
    desk.fund(transaction, 1_000);
    assert_eq!(desk.transactions()[0].said, Some(said));
    assert_eq!(desk.account(0).told, None, "the balance is that of the other account");
}

fn order(mode: Option<StandInMode>) -> StandInOrder {
    StandInOrder {
        program: ProgramName::new("main").unwrap(),
        mode,
        operator: Text::new("j.doe").unwrap(),
        reason: Text::new("the service moves house").unwrap(),
        at: Timestamp::from_seconds(NOON),
    }
}

#[test]
fn an_operator_may_order_that_the_service_is_not_asked_at_all() {
    let mut desk = desk_with(program(), Some(10_000));
    assert!(matches!(desk.change(Change::OrderStandIn(order(Some(StandInMode::Manual)))), Reply::StandIn(_)));
    let actions = desk.send(purchase(1, 2_500));
    assert_eq!(asks(&actions), [], "nobody is asked");
    assert_eq!(reason(answers(&actions)[0]), Reason::Approved);
    assert!(matches!(duties(&actions)[0].kind, DutyKind::Advise { .. }));
    assert_eq!(desk.transactions()[0].by, Some(Approver::StandIn));
    let actions = desk.send(purchase(2, 6_001));
    assert_eq!(reason(answers(&actions)[0]), Reason::FundingUnavailable);
    assert_eq!(refusal_of(&desk), [Reason::FundingUnavailable, Reason::StandInLimit]);
    // A message that approves and books at once is advised first, and then cleared.
    let actions = desk.send(Authorization { class: MessageClass::FinancialRequest, ..purchase(3, 1_000) });
    let kinds: Vec<_> = duties(&actions).iter().map(|duty| (duty.sequence, duty.account_sequence)).collect();
    assert_eq!(kinds, [(1, 2), (2, 3)]);
    assert_eq!(desk.rebuilt().control_totals(), desk.shard.control_totals());
    assert_eq!(desk.rebuilt().stand_in_orders(), desk.shard.stand_in_orders());
    desk.change(Change::OrderStandIn(order(None)));
    assert_eq!(asks(&desk.send(purchase(4, 100))).len(), 1, "the order was withdrawn");
}

#[test]
fn an_operator_may_order_that_nobody_stands_in() {
    let mut desk = desk_with(program(), Some(10_000));
    desk.change(Change::OrderStandIn(order(Some(StandInMode::Off))));
    assert_eq!(fails(&mut desk, purchase(1, 100), FundingFailure::TimedOut).0, Reason::FundingTimedOut);
    let unknown = StandInOrder { program: ProgramName::new("nobody").unwrap(), ..order(None) };
    let refused = desk.change(Change::OrderStandIn(unknown));
    assert_eq!(refused, Reply::Refused(Refusal::NoSuchProgram(unknown.program)));
}

#[test]
fn nobody_is_stood_in_for_who_does_not_wait_any_more() {
    let mut desk = desk_with(program(), Some(10_000));
    let deadline = desk.now.mono.plus(Duration::from_secs(2));
    let transaction = asked(&desk.send(Authorization { deadline, ..purchase(1, 100) }));
    desk.wait(Duration::from_secs(2));
    let outcome = FundingOutcome::Unknown(FundingFailure::TimedOut);
    assert_eq!(ends(&mut desk, transaction, outcome).0, Reason::FundingTimedOut);
}

#[test]
fn a_reversal_of_what_was_stood_in_for_is_told_behind_the_advice() {
    let mut desk = desk_with(program(), Some(10_000));
    let (_, owed) = fails(&mut desk, purchase(1, 2_500), FundingFailure::TimedOut);
    let reversal = reversal_of(&purchase(1, 2_500));
    let actions = desk.run(Command::Reverse { card: CardNo(0), reversal, caller: Caller(99) });
    let cancel = duties(&actions)[0];
    assert!(matches!(cancel.kind, DutyKind::Cancel(CancelCause::Reversed)));
    assert_eq!((owed[0].sequence, cancel.sequence), (1, 2));
    assert_eq!(desk.account(0).balance.held, Units::ZERO);
}
