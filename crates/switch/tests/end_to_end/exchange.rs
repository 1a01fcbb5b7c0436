//! What every processor relies on, in both dialects: answers, repeats, reversals, advices, network management.

use crate::support::balance_service::Says;
use crate::support::daemon::{Daemon, with_jit_card};
use crate::support::message::{DIALECTS, Dialect, Message};
use crate::support::processor::{frame, network, purchase, reversal, usual};
use crate::support::{OTHER_PAN, PAN, UNKNOWN_PAN, eventually};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use switch::FrameSection;
use tokio::io::AsyncReadExt;

/// The elements that a processor matches and checks answers by.
const ECHOED: [u8; 10] = [2, 3, 4, 7, 11, 32, 37, 41, 42, 49];

fn expect_echo(request: &Message, answer: &Message) {
    for de in ECHOED {
        assert_eq!(answer.get(de), request.get(de), "DE {de} of {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_is_approved_and_holds_the_money() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        let request = usual(1, 12_34);
        let answer = processor.ask(&request).await;
        assert_eq!((answer.mti.as_str(), answer.code()), ("0110", "00"));
        expect_echo(&request, &answer);
        let code = answer.get(38);
        assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{answer:?}");
        assert_eq!(daemon.api().balance("A").await, ["100.00", "12.34", "87.66"]);
        let kept = daemon.api().last_transaction("C").await;
        assert_eq!((&kept["state"], &kept["approval_code"]), (&json!("approved"), &json!(code)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_gets_the_first_answer_byte_for_byte_and_moves_nothing() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        for request in [usual(1, 10_00), usual(2, 500_00), purchase(UNKNOWN_PAN, 3, 1_00)] {
            let first = processor.ask_body(&request).await;
            assert_eq!(processor.ask_body(&request).await, first, "the same message again");
            let repeat = request.clone().mti("0101");
            assert_eq!(processor.ask_body(&repeat).await, first, "marked as a repeat");
            let mut other = daemon.processor(dialect).await;
            assert_eq!(other.ask_body(&repeat).await, first, "on another connection");
        }
        assert_eq!(daemon.api().balance("A").await, ["100.00", "10.00", "90.00"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_references_with_another_amount_are_refused() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    assert_eq!(processor.ask(&usual(1, 10_00)).await.code(), "00");
    assert_eq!(processor.ask(&usual(1, 11_00)).await.code(), "94");
    assert_eq!(processor.ask(&usual(1, 10_00)).await.code(), "00");
    assert_eq!(daemon.api().balance("A").await, ["100.00", "10.00", "90.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_gives_the_money_back_once() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        let original = usual(1, 25_00);
        assert_eq!(processor.ask(&original).await.code(), "00");
        for (mti, answer_mti) in [("0400", "0410"), ("0401", "0410"), ("0420", "0430"), ("0421", "0430")] {
            let request = reversal(&original, 2).mti(mti);
            let answer = processor.ask(&request).await;
            assert_eq!((answer.mti.as_str(), answer.code()), (answer_mti, "00"));
            expect_echo(&request, &answer);
            assert_eq!(answer.get(90), request.get(90));
            assert!(!answer.has(38), "{answer:?}");
            assert_eq!(daemon.api().balance("A").await, ["100.00", "0.00", "100.00"], "after {mti}");
        }
        assert_eq!(daemon.api().last_transaction("C").await["state"], "reversed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_without_original_data_finds_its_original_by_the_same_references() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    let original = usual(1, 25_00);
    assert_eq!(processor.ask(&original).await.code(), "00");
    assert_eq!(processor.ask(&original.mti("0400")).await.code(), "00");
    assert_eq!(daemon.api().balance("A").await, ["100.00", "0.00", "100.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_reversed_before_it_came_is_declined() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    let late = usual(7, 25_00);
    assert_eq!(processor.ask(&reversal(&late, 8)).await.code(), "00");
    assert_eq!(processor.ask(&late).await.code(), "05");
    assert_eq!(daemon.api().balance("A").await, ["100.00", "0.00", "100.00"]);
    assert_eq!(daemon.api().metric("authswitch_reversals_unmatched_total").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advice_is_accepted_and_holds_the_money_even_past_the_balance() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        for (mti, stan) in [("0120", 1), ("0121", 1), ("0120", 2)] {
            // Whatever else is wrong with it: this expiry is no month.
            let advice = usual(stan, 60_00).with(14, "3113").mti(mti);
            let answer = processor.ask(&advice).await;
            assert_eq!((answer.mti.as_str(), answer.code()), ("0130", "00"));
            expect_echo(&advice, &answer);
        }
        assert_eq!(daemon.api().balance("A").await, ["100.00", "120.00", "-20.00"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advice_of_what_was_approved_already_holds_nothing_more() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    assert_eq!(processor.ask(&usual(1, 60_00)).await.code(), "00");
    for mti in ["0120", "0121"] {
        assert_eq!(processor.ask(&usual(1, 60_00).mti(mti)).await.code(), "00");
    }
    assert_eq!(daemon.api().balance("A").await, ["100.00", "60.00", "40.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advice_of_a_decline_holds_nothing_and_an_advice_keeps_the_networks_approval_code() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    let declined = usual(1, 5_00).mti("0120").with(39, "05");
    assert_eq!(processor.ask(&declined).await.code(), "00");
    assert_eq!(daemon.api().balance("A").await, ["100.00", "0.00", "100.00"]);
    assert_eq!(daemon.api().metric("authswitch_noted_follow_ups_total").await, 1);
    let kept = daemon.api().last_transaction("C").await;
    assert_eq!((&kept["state"], &kept["reason"]), (&json!("declined"), &json!("declined_by_network")));
    assert_eq!(processor.ask(&declined.mti("0121")).await.code(), "00");
    let history = daemon.api().show("/v1/cards/C/transactions").await;
    assert_eq!(history["transactions"].as_array().unwrap().len(), 1, "a repeat is recorded once");
    let approved = usual(2, 5_00).mti("0120").with(38, "ABC123").with(39, "00");
    let answer = processor.ask(&approved).await;
    assert_eq!((answer.code(), answer.get(38)), ("00", "ABC123"));
    assert_eq!(daemon.api().balance("A").await, ["100.00", "5.00", "95.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_billing_amount_of_zero_is_no_conversion() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    let zero = usual(1, 5_00).with(49, "978").with(6, &"0".repeat(12)).with(51, "840");
    assert_eq!(processor.ask(&zero).await.code(), "91", "there is no rate for it");
    assert_eq!(daemon.api().balance("A").await, ["100.00", "0.00", "100.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_repeat_of_a_reversal_never_undoes_a_second_transaction() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    // The same STAN and time under two retrieval references are two transactions.
    let first = usual(1, 10_00);
    let second = usual(1, 20_00).with(37, "999999999999");
    assert_eq!(processor.ask(&first).await.code(), "00");
    assert_eq!(processor.ask(&second).await.code(), "00");
    for mti in ["0420", "0421"] {
        assert_eq!(processor.ask(&reversal(&second, 2).mti(mti)).await.code(), "00");
        assert_eq!(daemon.api().balance("A").await, ["100.00", "10.00", "90.00"], "after {mti}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_ups_for_unknown_cards_are_acknowledged_and_counted() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    let unknown = purchase(UNKNOWN_PAN, 1, 1_00);
    assert_eq!(processor.ask(&unknown.clone().mti("0120")).await.code(), "00");
    assert_eq!(processor.ask(&reversal(&unknown, 2)).await.code(), "00");
    assert_eq!(daemon.api().metric("authswitch_unknown_card_follow_ups_total").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_signs_off_is_told_91_until_it_signs_on_again() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        let mut neighbour = daemon.processor(dialect).await;
        for (function, stan, then) in [("301", 1, "00"), ("002", 3, "91"), ("301", 5, "91"), ("001", 7, "00")]
        {
            let request = network(stan, function);
            let answer = processor.ask(&request).await;
            assert_eq!((answer.mti.as_str(), answer.code(), answer.get(70)), ("0810", "00", function));
            assert_eq!(processor.ask(&usual(stan + 1, 1_00)).await.code(), then, "after {function}");
            assert_eq!(neighbour.ask(&usual(stan + 100, 1_00)).await.code(), "00", "another connection");
        }
        let reversed = reversal(&usual(2, 1_00), 20);
        processor.ask(&network(21, "002")).await;
        assert_eq!(processor.ask(&reversed).await.code(), "00", "follow-ups are never refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_all_answered_and_matched_by_their_references() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        let mut expected = BTreeMap::new();
        let mut bytes = Vec::new();
        for stan in 1..=200 {
            let (request, code) = match stan % 4 {
                0 => (network(stan, "301"), "00"),
                1 => (purchase(UNKNOWN_PAN, stan, 1), "14"),
                _ => (usual(stan, 1), "00"),
            };
            bytes.extend(frame(&request.encode(dialect)));
            expected.insert(request.references(), code);
        }
        processor.send_bytes(&bytes).await;
        while !expected.is_empty() {
            let answer = processor.receive().await;
            let code = expected.remove(&answer.references());
            assert_eq!(code, Some(answer.code()), "{answer:?}");
        }
        assert_eq!(daemon.api().balance("A").await, ["100.00", "1.00", "99.00"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_links_in_two_dialects_share_one_card() {
    let daemon = Daemon::with_card().await;
    let [mut ascii, mut binary] = [daemon.processor(DIALECTS[0]).await, daemon.processor(DIALECTS[1]).await];
    let purchases = |from: u32| (from..from + 60).map(|stan| usual(stan, 1_00));
    let (one, other) = tokio::join!(
        async {
            let mut approved = 0;
            for request in purchases(1) {
                approved += u32::from(ascii.ask(&request).await.code() == "00");
            }
            approved
        },
        async {
            let mut approved = 0;
            for request in purchases(1_001) {
                approved += u32::from(binary.ask(&request).await.code() == "00");
            }
            approved
        }
    );
    assert_eq!(one + other, 100, "exactly what the account holds");
    assert_eq!(daemon.api().balance("A").await, ["100.00", "100.00", "0.00"]);
    assert_eq!(binary.ask(&reversal(&usual(1, 1_00), 5_000)).await.code(), "00");
    assert_eq!(daemon.api().balance("A").await, ["100.00", "99.00", "1.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_known_by_its_track_as_well_as_by_its_number() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        daemon.api().issue("D", OTHER_PAN, "A", "pre_funded", json!({})).await;
        let mut processor = daemon.processor(dialect).await;
        for (stan, pan, card) in [(1, PAN, "C"), (2, OTHER_PAN, "D")] {
            let request = usual(stan, 1_00).without(2).with(35, &format!("{pan}=31122010000000000"));
            let answer = processor.ask(&request).await;
            assert_eq!(answer.code(), "00");
            assert!(!answer.has(2) && !answer.has(35), "what was not sent as DE 2 is not told back");
            assert_eq!(daemon.api().last_transaction(card).await["stan"], request.get(11));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_comes_back_gets_the_answer_that_it_missed() {
    let (daemon, service) = with_jit_card(|_| {}).await;
    service.says(Says::Late(Duration::from_millis(200)));
    let request = usual(1, 12_34);
    let mut processor = daemon.ascii().await;
    processor.send(&request).await;
    eventually("the ask", || async { (!service.asks().is_empty()).then_some(()) }).await;
    drop(processor);
    let mut processor = daemon.ascii().await;
    let answer = processor.ask(&request.clone().mti("0101")).await;
    assert_eq!((answer.code(), answer.get(38).len()), ("00", 6), "it waits for the same outcome");
    assert_eq!(processor.ask(&request).await, answer);
    assert_eq!(service.asks().len(), 1);
    assert_eq!(daemon.api().balance("A").await, ["12.34", "12.34", "0.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_may_be_framed_by_four_digits_that_count_themselves() {
    let daemon = Daemon::start_with(|file| {
        file.link[0].frame = FrameSection { length: "ascii-4".into(), includes_itself: true, max_bytes: 500 };
    })
    .await;
    daemon.add_card().await;
    let mut processor = daemon.ascii().await;
    for stan in 1..=2 {
        let request = usual(stan, 1_00);
        let body = request.encode(Dialect::Ascii);
        processor.send_bytes(format!("{:04}", body.len() + 4).as_bytes()).await;
        processor.send_bytes(&body).await;
        let mut header = [0; 4];
        processor.stream.read_exact(&mut header).await.unwrap();
        let length: usize = std::str::from_utf8(&header).unwrap().parse().unwrap();
        let mut body = vec![0; length - 4];
        processor.stream.read_exact(&mut body).await.unwrap();
        let answer = Message::decode(Dialect::Ascii, &body);
        assert_eq!((answer.code(), answer.references()), ("00", request.references()));
    }
    processor.send_bytes(b"0505").await;
    processor.expect_close().await;
}
