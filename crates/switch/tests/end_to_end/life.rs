//! Every kind of message in the life of a transaction, in the two plain dialects, and what it does to the balances.

use crate::support::daemon::Daemon;
use crate::support::message::{DIALECTS, Message};
use crate::support::processor::{Processor, following, original_data, reversal, usual};

/// DE 61: a mark at its place.
const PART_WILL_DO: &str = "1";
const PART_WILL_DO_AND_BALANCES_WANTED: &str = "11";
const BALANCES_WANTED: &str = "01";
const PRE_AUTHORIZATION: &str = "002";
const INCREMENTAL: &str = "0001";
/// A presentment from clearing, and one that no other follows.
const PRESENTMENT: &str = "                 P";
const LAST_PRESENTMENT: &str = "                 P1";

#[track_caller]
fn expect_answer(answer: &Message, mti: &str, code: &str) {
    assert_eq!((answer.mti.as_str(), answer.code()), (mti, code), "{answer:?}");
}

async fn expect_balance(daemon: &Daemon, expected: [&str; 3], after: &str) {
    assert_eq!(daemon.api().balance("A").await, expected, "ledger, held, available after {after}");
}

/// Asks, and asks again as a repeat: one answer.
async fn ask_twice(processor: &mut Processor, request: &Message) -> Message {
    let first = processor.ask(request).await;
    let mut repeat = request.mti.clone();
    repeat.replace_range(3..4, "1");
    assert_eq!(processor.ask(&request.clone().mti(&repeat)).await, first, "the repeat of {request:?}");
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn a_financial_request_is_booked_at_once_and_its_reversal_brings_the_money_back() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        let request = usual(1, 12_34).mti("0200");
        let answer = ask_twice(&mut processor, &request).await;
        expect_answer(&answer, "0210", "00");
        assert_eq!(answer.get(38).len(), 6);
        expect_balance(&daemon, ["87.66", "0.00", "87.66"], "the purchase").await;
        expect_answer(&processor.ask(&usual(2, 90_00).mti("0200")).await, "0210", "51");
        for mti in ["0420", "0421"] {
            expect_answer(&processor.ask(&reversal(&request, 3).mti(mti)).await, "0430", "00");
            expect_balance(&daemon, ["100.00", "0.00", "100.00"], mti).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pre_authorization_is_raised_lowered_and_completed() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        let first = usual(1, 50_00).with(61, PRE_AUTHORIZATION);
        expect_answer(&processor.ask(&first).await, "0110", "00");
        let more = following(&first, "0100", 2, 10_00).with(61, INCREMENTAL);
        expect_answer(&ask_twice(&mut processor, &more).await, "0110", "00");
        expect_balance(&daemon, ["100.00", "60.00", "40.00"], "the increment").await;
        let part = reversal(&first, 3).with(95, &format!("{:012}{:030}", 40_00, 0));
        for mti in ["0400", "0401", "0420", "0421"] {
            assert_eq!(processor.ask(&part.clone().mti(mti)).await.code(), "00");
            expect_balance(&daemon, ["100.00", "40.00", "60.00"], mti).await;
        }
        let completion = following(&first, "0220", 4, 42_00);
        expect_answer(&ask_twice(&mut processor, &completion).await, "0230", "00");
        expect_balance(&daemon, ["58.00", "0.00", "58.00"], "the completion").await;
        let lost = following(&usual(9, 1_00), "0100", 5, 1_00).with(61, INCREMENTAL);
        expect_answer(&processor.ask(&lost).await, "0110", "25");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_approved_where_a_part_will_do() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        expect_answer(&processor.ask(&usual(1, 150_00)).await, "0110", "51");
        let request = usual(2, 150_00).with(61, PART_WILL_DO);
        let answer = ask_twice(&mut processor, &request).await;
        expect_answer(&answer, "0110", "10");
        assert_eq!(answer.get(4), "000000010000", "the amount approved");
        assert_eq!(answer.get(54), "0057840C000000015000", "the amount asked for");
        expect_balance(&daemon, ["100.00", "100.00", "0.00"], "the part").await;
        expect_answer(&processor.ask(&reversal(&request, 3)).await, "0410", "00");
        let wants_more = usual(4, 150_00).with(61, PART_WILL_DO_AND_BALANCES_WANTED);
        let answer = processor.ask(&wants_more).await;
        let balances = "0001840C0000000100000002840C000000000000";
        assert_eq!(answer.get(54), format!("0057840C000000015000{balances}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_money_once_it_is_booked_and_its_reversal_takes_it_again() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        let refund = usual(1, 7_00).with(3, "200000");
        expect_answer(&ask_twice(&mut processor, &refund).await, "0110", "00");
        expect_balance(&daemon, ["100.00", "0.00", "100.00"], "a refund that is only authorized").await;
        let booked = usual(2, 7_00).mti("0200").with(3, "200000");
        expect_answer(&ask_twice(&mut processor, &booked).await, "0210", "00");
        expect_balance(&daemon, ["107.00", "0.00", "107.00"], "a refund that is booked").await;
        expect_answer(&processor.ask(&reversal(&booked, 3)).await, "0410", "00");
        expect_balance(&daemon, ["100.00", "0.00", "100.00"], "its reversal").await;
        let cleared = usual(4, 3_00).mti("0220").with(3, "200000");
        expect_answer(&ask_twice(&mut processor, &cleared).await, "0230", "00");
        let credit = usual(5, 2_00).mti("0200").with(3, "260000");
        expect_answer(&processor.ask(&credit).await, "0210", "00");
        expect_balance(&daemon, ["105.00", "0.00", "105.00"], "a cleared refund and an original credit")
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_moves_nothing_and_tells_what_was_asked() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        assert_eq!(processor.ask(&usual(1, 25_00)).await.code(), "00");
        let inquiry = usual(2, 0).with(3, "301000").without(4);
        let answer = ask_twice(&mut processor, &inquiry).await;
        expect_answer(&answer, "0110", "00");
        assert_eq!(answer.get(54), "1001840C0000000100001002840C000000007500");
        let verification = usual(3, 0).with(3, "330000");
        expect_answer(&ask_twice(&mut processor, &verification).await, "0110", "85");
        expect_balance(&daemon, ["100.00", "25.00", "75.00"], "two questions").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_takes_money_is_served() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        for (stan, code) in (1..).zip(["000000", "010000", "110000", "170000", "500000"]) {
            expect_answer(&processor.ask(&usual(stan, 1_00).with(3, code)).await, "0110", "00");
        }
        let cashback = usual(10, 5_00).with(3, "090000").with(54, "0040840D000000000200");
        expect_answer(&processor.ask(&cashback).await, "0110", "00");
        expect_balance(&daemon, ["100.00", "10.00", "90.00"], "six purchases").await;
        expect_answer(&processor.ask(&usual(11, 1_00).with(3, "400000")).await, "0110", "12");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_clearings_are_paid_from_one_hold_until_the_last_one() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        let hold = usual(1, 60_00);
        assert_eq!(processor.ask(&hold).await.code(), "00");
        let first =
            following(&hold, "0220", 2, 20_00).with(61, PRESENTMENT).with(63, "745563263290000000000170102");
        expect_answer(&ask_twice(&mut processor, &first).await, "0230", "00");
        expect_balance(&daemon, ["80.00", "40.00", "40.00"], "the first of two").await;
        let same = first.clone().with(11, "000077");
        expect_answer(&processor.ask(&same).await, "0230", "00");
        expect_balance(&daemon, ["80.00", "40.00", "40.00"], "the same presentment again").await;
        let last = following(&hold, "0220", 3, 30_00)
            .with(61, LAST_PRESENTMENT)
            .with(63, "745563263290000000000170202");
        expect_answer(&ask_twice(&mut processor, &last).await, "0230", "00");
        expect_balance(&daemon, ["50.00", "0.00", "50.00"], "the last").await;
        let forced = usual(4, 70_00).mti("0220");
        expect_answer(&ask_twice(&mut processor, &forced).await, "0230", "00");
        expect_balance(&daemon, ["-20.00", "0.00", "-20.00"], "what nobody authorized").await;
        let declined = usual(5, 70_00).mti("0220").with(39, "05");
        expect_answer(&processor.ask(&declined).await, "0230", "00");
        expect_balance(&daemon, ["-20.00", "0.00", "-20.00"], "what the network declined").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decline_says_more_in_its_additional_data() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    let answer = processor.ask(&usual(1, 500_00)).await;
    assert_eq!((answer.code(), answer.get(44)), ("51", "insufficient_funds"));
    assert!(!answer.has(54), "balances are told to who asks for them");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_answer_is_the_same_after_a_restart_whatever_happened_since() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        let hold = usual(1, 30_00).with(61, BALANCES_WANTED);
        let requests = [
            hold.clone(),
            following(&hold, "0100", 2, 5_00).with(61, "0101"),
            usual(3, 4_00).mti("0200").with(61, BALANCES_WANTED),
            usual(4, 0).with(3, "300000").without(4),
            usual(5, 0).with(3, "330000"),
            usual(6, 3_00).mti("0200").with(3, "200000").with(61, BALANCES_WANTED),
            following(&hold, "0220", 7, 33_00),
            usual(8, 500_00),
            reversal(&usual(3, 4_00).mti("0200"), 9).mti("0420"),
            usual(10, 80_00).with(90, &original_data(&hold)),
        ];
        let mut answers = Vec::new();
        for request in &requests {
            answers.push(processor.ask_body(request).await);
        }
        drop(processor);
        let before = daemon.api().balance("A").await;
        let daemon = daemon.restart().await;
        let mut processor = daemon.processor(dialect).await;
        for (request, answer) in requests.iter().zip(&answers) {
            assert_eq!(&processor.ask_body(request).await, answer, "{request:?}");
        }
        assert_eq!(daemon.api().balance("A").await, before);
    }
}
