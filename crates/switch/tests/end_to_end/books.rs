//! Money under load: what processors were told, what the balance service gave and what the switch keeps agree.

use crate::support::daemon::{Daemon, with_jit_card};
use crate::support::message::{DIALECTS, Dialect};
use crate::support::processor::{Processor, frame, purchase, reversal, usual};
use crate::support::{OTHER_PAN, PAN, eventually};
use journal::Acknowledge;
use serde_json::json;
use std::collections::BTreeMap;

/// One processor's traffic: purchases with both cards, every third one repeated, every fourth one reversed. Returns
/// the cents that it was told are approved and not reversed, by card: the JIT card, then the other.
async fn shop(mut processor: Processor, first_stan: u32, purchases: u32) -> [u64; 2] {
    let mut approved = [0, 0];
    for stan in first_stan..first_stan + purchases {
        let card = usize::try_from(stan % 2).unwrap();
        let cents = u64::from(stan * 7 % 300 + 1);
        let request = purchase([PAN, OTHER_PAN][card], stan, cents);
        let answer = processor.ask(&request).await;
        if stan % 3 == 0 {
            assert_eq!(processor.ask(&request.clone().mti("0101")).await, answer);
        }
        if answer.code() != "00" {
            assert_eq!(answer.code(), "51", "{answer:?}");
            continue;
        }
        approved[card] += cents;
        if stan % 4 == 0 {
            for _ in 0..2 {
                let undo = reversal(&request, stan + 500_000);
                assert_eq!(processor.ask(&undo).await.code(), "00");
            }
            approved[card] -= cents;
        }
    }
    approved
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_of_processors_balance_service_and_switch_are_equal() {
    let (daemon, service) = with_jit_card(|_| {}).await;
    let api = daemon.api();
    api.open_account("B", "USD").await;
    // Not enough for all of them, so that some are declined.
    api.credit("B", "60.00").await;
    api.issue("D", OTHER_PAN, "B", "pre_funded", json!({})).await;
    let mut shops = Vec::new();
    for (number, dialect) in [1_000, 2_000, 3_000, 4_000].into_iter().zip(DIALECTS.into_iter().cycle()) {
        shops.push(tokio::spawn(shop(daemon.processor(dialect).await, number, 50)));
    }
    let mut told = [0, 0];
    for shop in shops {
        let [jit, pre_funded] = shop.await.unwrap();
        told = [told[0] + jit, told[1] + pre_funded];
    }
    let dollars = |cents: u64| format!("{}.{:02}", cents / 100, cents % 100);
    let [jit, pre_funded] = told;
    assert!(jit > 0 && pre_funded > 0);
    assert_eq!(api.balance("A").await, [dollars(jit), dollars(jit), "0.00".into()]);
    assert_eq!(api.balance("B").await, ["60.00".into(), dollars(pre_funded), dollars(6_000 - pre_funded)]);

    let settled = || async { (api.metric("authswitch_duties_pending").await == 0).then_some(()) };
    eventually("every cancel to be acknowledged", settled).await;
    let units = |list: Vec<serde_json::Value>, id: &str| -> BTreeMap<String, u64> {
        // By id, because what comes again counts once.
        let one = |entry: &serde_json::Value| {
            let text = |field: &str| entry[field].as_str().unwrap().to_owned();
            (text(id), text("units").parse::<u64>().unwrap())
        };
        list.iter().map(one).collect()
    };
    let given: u64 = units(service.asks(), "ask_id").values().sum();
    let returned: u64 = units(service.cancels(), "cancel_id").values().sum();
    assert_eq!(given - returned, jit, "the balance service's own books");

    let totals = api.show("/v1/totals").await["totals"][0].clone();
    let total = |field: &str| totals[field].as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(total("ledger_units"), 6_000 + jit);
    assert_eq!(total("held_units"), jit + pre_funded);
    assert_eq!((total("credited_units"), total("debited_units")), (6_000, 0));
    assert_eq!((total("funded_units"), total("returned_units")), (given, returned));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_without_room_declines_at_once_and_every_request_has_one_answer() {
    let daemon = Daemon::start_with(|file| {
        file.cache.requests_max = 1;
        file.cache.batch_commands_max = 1;
    })
    .await;
    daemon.add_card().await;
    let mut processor = daemon.ascii().await;
    let requests: Vec<_> = (1..=500).map(|stan| usual(stan, 1)).collect();
    let bytes: Vec<u8> = requests.iter().flat_map(|request| frame(&request.encode(Dialect::Ascii))).collect();
    processor.send_bytes(&bytes).await;
    let (mut answered, mut approved, mut declined) = (BTreeMap::new(), 0, 0);
    for _ in &requests {
        let answer = processor.receive().await;
        match answer.code() {
            "00" => approved += 1,
            "91" => declined += 1,
            other => panic!("{other}: {answer:?}"),
        }
        assert_eq!(answered.insert(answer.references(), ()), None, "answered twice: {answer:?}");
    }
    assert!(approved > 0 && declined > 0, "{approved} approved, {declined} declined");
    let api = daemon.api();
    assert_eq!(api.metric("authswitch_overload_declines_total").await, declined);
    assert_eq!(api.balance("A").await[1], format!("{}.{:02}", approved / 100, approved % 100));
    assert_eq!(processor.ask(&usual(1_000, 1)).await.code(), "00", "and then there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_every_mode_of_acknowledgement_an_orderly_stop_loses_nothing() {
    for mode in [Acknowledge::Disk, Acknowledge::Os, Acknowledge::Memory] {
        let daemon = Daemon::start_with(|file| file.journal.acknowledge = mode).await;
        daemon.add_card().await;
        let mut processor = daemon.ascii().await;
        let first = processor.ask_body(&usual(1, 12_34)).await;
        drop(processor);
        let daemon = daemon.restart().await;
        assert_eq!(daemon.ascii().await.ask_body(&usual(1, 12_34)).await, first, "{mode:?}");
        assert_eq!(daemon.api().balance("A").await, ["100.00", "12.34", "87.66"], "{mode:?}");
    }
}
