//! E17 and late approvals: what was approved and not told is not left standing, and what may have been told is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod desk;

use authorizer::{Action, AnswerLoss, Command, Inquiry, References};
use desk::*;
use domain::*;
use std::time::Duration;

const SUSPENSE: Duration = Duration::from_secs(600);

fn held(desk: &Desk) -> i128 {
    desk.account(0).balance.held.0
}

fn lose(desk: &mut Desk, request: &Authorization, loss: AnswerLoss) -> Vec<Action> {
    desk.run(Command::AnswerLost { card: CardNo(0), references: References::of(request), loss })
}

fn cancels(actions: &[Action]) -> usize {
    let is_cancel =
        |action: &&Action| matches!(action, Action::Owe(duty) if matches!(duty.kind, DutyKind::Cancel(_)));
    actions.iter().filter(is_cancel).count()
}

/// A desk with one purchase of 10.00 approved, on a card of either kind.
fn approved(funding: FundingMode) -> (Desk, Authorization) {
    let mut desk = Desk::with_card(funding, if funding == FundingMode::Jit { 0 } else { 100_000 });
    let request = purchase(1, 1_000);
    let actions = desk.send(request);
    let answer = match funding {
        FundingMode::PreFunded => answers(&actions)[0],
        FundingMode::Jit => answers(&desk.fund(asked(&actions), 1_000))[0],
    };
    assert_eq!((reason(answer), held(&desk)), (Reason::Approved, 1_000));
    (desk, request)
}

fn expect_same_after_replay(desk: &Desk) {
    let rebuilt = desk.rebuilt();
    let transactions = Inquiry::TransactionsOf { card: CardNo(0), count_max: 10 };
    for inquiry in [Inquiry::Account(AccountNo(0)), Inquiry::Card(CardNo(0)), transactions] {
        assert_eq!(rebuilt.inquire(inquiry, desk.now.utc), desk.shard.inquire(inquiry, desk.now.utc));
    }
}

#[test]
fn an_approval_that_came_too_late_is_undone_and_its_repeats_are_declined() {
    for (funding, owed) in [(FundingMode::PreFunded, 0), (FundingMode::Jit, 1)] {
        let (mut desk, request) = approved(funding);
        let actions = lose(&mut desk, &request, AnswerLoss::Withheld);
        assert_eq!((held(&desk), cancels(&actions)), (0, owed), "{funding:?}");
        assert!(answers(&actions).is_empty(), "nobody waits: {actions:?}");
        assert_eq!(reason(desk.answer(request)), Reason::DeadlinePassed);
        // Said twice, or reversed by the network as well, it changes nothing more.
        assert!(lose(&mut desk, &request, AnswerLoss::Withheld).is_empty());
        desk.reverse(&request);
        assert_eq!(held(&desk), 0);
        expect_same_after_replay(&desk);
    }
}

#[test]
fn e17_an_approval_that_could_not_be_sent_holds_money_for_a_short_while_only() {
    for (funding, owed) in [(FundingMode::PreFunded, 0), (FundingMode::Jit, 1)] {
        let (mut desk, request) = approved(funding);
        lose(&mut desk, &request, AnswerLoss::Undelivered);
        desk.wait(SUSPENSE - Duration::from_secs(1));
        desk.run(Command::Tick);
        assert_eq!(held(&desk), 1_000, "the network may still repeat or reverse");
        desk.wait(Duration::from_secs(2));
        let actions = desk.run(Command::Tick);
        let is_expiry =
            |action: &&Action| matches!(action, Action::Owe(duty) if duty.kind == DutyKind::Expire);
        assert_eq!((held(&desk), actions.iter().filter(is_expiry).count()), (0, owed), "{funding:?}");
        expect_same_after_replay(&desk);
    }
}

#[test]
fn e17_the_networks_reversal_comes_before_the_end_of_the_suspense() {
    let (mut desk, request) = approved(FundingMode::PreFunded);
    lose(&mut desk, &request, AnswerLoss::Undelivered);
    desk.reverse(&request);
    assert_eq!(held(&desk), 0);
    desk.wait(SUSPENSE * 2);
    desk.run(Command::Tick);
    assert_eq!(held(&desk), 0);
    expect_same_after_replay(&desk);
}

#[test]
fn e17_a_repeat_delivers_the_approval_and_the_hold_is_whole_again() {
    let (mut desk, request) = approved(FundingMode::PreFunded);
    lose(&mut desk, &request, AnswerLoss::Undelivered);
    assert_eq!(reason(desk.answer(request)), Reason::Approved);
    desk.wait(SUSPENSE * 2);
    desk.run(Command::Tick);
    assert_eq!(held(&desk), 1_000, "the network knows of it");
    desk.wait(Duration::from_secs(8 * 24 * 3_600));
    desk.run(Command::Tick);
    assert_eq!(held(&desk), 0, "it expires as any other");
    expect_same_after_replay(&desk);
}

#[test]
fn what_somebody_else_was_told_stands_however_the_first_answer_was_lost() {
    for loss in [AnswerLoss::Withheld, AnswerLoss::Undelivered] {
        // The repeat was answered before the first answer's loss was noticed.
        let (mut desk, request) = approved(FundingMode::PreFunded);
        assert_eq!(reason(desk.answer(request)), Reason::Approved);
        lose(&mut desk, &request, loss);
        desk.wait(SUSPENSE * 2);
        desk.run(Command::Tick);
        assert_eq!(held(&desk), 1_000, "{loss:?}");
        expect_same_after_replay(&desk);

        // The repeat waited for the same decision.
        let mut desk = Desk::with_card(FundingMode::Jit, 0);
        let transaction = asked(&desk.send(request));
        desk.send(request);
        desk.fund(transaction, 1_000);
        lose(&mut desk, &request, loss);
        desk.wait(SUSPENSE * 2);
        desk.run(Command::Tick);
        assert_eq!(held(&desk), 1_000, "{loss:?}");
        expect_same_after_replay(&desk);
    }
}

#[test]
fn only_the_first_repeat_is_recorded() {
    let (mut desk, request) = approved(FundingMode::PreFunded);
    desk.answer(request);
    let facts = desk.facts.len();
    desk.answer(request);
    assert_eq!(desk.facts.len(), facts);
}

#[test]
fn a_lost_decline_and_an_unknown_request_change_nothing() {
    let mut desk = Desk::with_card(FundingMode::PreFunded, 500);
    let request = purchase(1, 1_000);
    assert_eq!(reason(desk.answer(request)), Reason::InsufficientFunds);
    for loss in [AnswerLoss::Withheld, AnswerLoss::Undelivered] {
        let facts = desk.facts.len();
        assert!(lose(&mut desk, &request, loss).is_empty());
        assert!(lose(&mut desk, &purchase(2, 1_000), loss).is_empty());
        assert_eq!(desk.facts.len(), facts);
    }
}

#[test]
fn a_decline_that_came_after_the_answer_at_the_deadline_changes_nothing() {
    // The processor was told "issuer unavailable" by the timer, and then the decision comes: it is a decline.
    let mut desk = Desk::with_card(FundingMode::PreFunded, 500);
    let request = purchase(1, 1_000);
    assert_eq!(reason(desk.answer(request)), Reason::InsufficientFunds);
    assert!(lose(&mut desk, &request, AnswerLoss::Withheld).is_empty());
    assert_eq!(reason(desk.answer(request)), Reason::InsufficientFunds, "its repeats get the decision");
    expect_same_after_replay(&desk);
    // The balance service's no comes when the ask was ended at its deadline: the cancel is owed already, once.
    let mut desk = Desk::with_card(FundingMode::Jit, 0);
    let request =
        Authorization { deadline: desk.now.mono.plus(Duration::from_secs(2)), ..purchase(1, 1_000) };
    let transaction = asked(&desk.send(request));
    desk.wait(Duration::from_secs(2));
    let actions = desk.run(Command::Tick);
    assert_eq!((reason(answers(&actions)[0]), cancels(&actions)), (Reason::FundingTimedOut, 1));
    let outcome = FundingOutcome::Declined { code: Text::EMPTY };
    assert!(desk.run(Command::AskEnded { transaction, outcome }).is_empty());
    assert!(lose(&mut desk, &request, AnswerLoss::Withheld).is_empty());
    assert_eq!(held(&desk), 0);
    expect_same_after_replay(&desk);
}
