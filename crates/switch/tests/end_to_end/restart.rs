//! What a stopped, killed or damaged switch knows when it starts again.

use crate::support::balance_service::Says;
use crate::support::daemon::{Daemon, start, with_jit_card};
use crate::support::message::DIALECTS;
use crate::support::processor::{purchase, reversal, usual};
use crate::support::{OTHER_PAN, PAN, UNKNOWN_PAN, eventually};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use switch::{ConfigFile, StartError};

#[tokio::test(flavor = "multi_thread")]
async fn balances_holds_limits_and_answers_are_as_they_were() {
    let daemon = Daemon::start().await;
    let api = daemon.api();
    api.open_account("A", "USD").await;
    api.credit("A", "100.00").await;
    let limits = json!([{ "window": "lifetime", "amount_max": "60.00", "count_max": 5 }]);
    api.issue("C", PAN, "A", "pre_funded", json!({ "limits": limits })).await;
    api.issue("D", OTHER_PAN, "A", "pre_funded", json!({ "status": "frozen" })).await;
    let mut processor = daemon.ascii().await;
    let reversed = usual(3, 20_00);
    let requests = [
        usual(1, 30_00),
        usual(2, 500_00),
        reversed.clone(),
        usual(4, 7_00).mti("0120"),
        purchase(OTHER_PAN, 5, 1_00),
        purchase(UNKNOWN_PAN, 6, 1_00),
    ];
    let mut answers = Vec::new();
    for request in &requests {
        answers.push(processor.ask_body(request).await);
    }
    let undo = reversal(&reversed, 9);
    let undone = processor.ask_body(&undo).await;
    let paths = ["/v1/accounts/A", "/v1/cards/C", "/v1/cards/D", "/v1/cards/C/transactions", "/v1/totals"];
    let mut before = Vec::new();
    for path in paths {
        before.push(api.show(path).await);
    }
    assert_eq!(api.balance("A").await, ["100.00", "37.00", "63.00"]);

    let daemon = daemon.restart().await;
    let api = daemon.api();
    for (path, before) in paths.into_iter().zip(before) {
        assert_eq!(api.show(path).await, before, "{path}");
    }
    let mut processor = daemon.ascii().await;
    for (request, answer) in requests.iter().zip(&answers) {
        assert_eq!(&processor.ask_body(request).await, answer, "{request:?}");
    }
    assert_eq!(processor.ask_body(&undo).await, undone);
    assert_eq!(api.balance("A").await, ["100.00", "37.00", "63.00"]);
    // 37.00 of 60.00 are used up, by two purchases.
    assert_eq!(processor.ask(&usual(20, 23_01)).await.code(), "61");
    assert_eq!(processor.ask(&usual(21, 23_00)).await.code(), "00");
    assert_eq!(processor.ask(&reversal(&usual(1, 30_00), 22)).await.code(), "00");
    assert_eq!(api.balance("A").await, ["100.00", "30.00", "70.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_booked_once_for_each_idempotency_key_also_after_a_restart() {
    let daemon = Daemon::with_card().await;
    let path = "/v1/accounts/A/credits";
    assert_eq!(daemon.api().book(path, "salary", "50.00").await.status, 201);
    let daemon = daemon.restart().await;
    let again = daemon.api().book(path, "salary", "50.00").await;
    assert_eq!((again.status, &again.json()["repeated"]), (200, &json!(true)));
    assert_ne!(daemon.api().book(path, "salary", "51.00").await.status, 201);
    assert_eq!(daemon.api().balance("A").await, ["150.00", "0.00", "150.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_kept() {
    let daemon = Daemon::start().await;
    let rate = json!({ "from": "USD", "to": "USDT", "value": "1.0002", "source": "desk", "max_age": "1h" });
    daemon.api().change("PUT", "/v1/rates", rate).await;
    let before = daemon.api().show("/v1/rates").await;
    let daemon = daemon.restart().await;
    assert_eq!(daemon.api().show("/v1/rates").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_to_the_balance_service_is_delivered_after_a_restart() {
    let (daemon, service) = with_jit_card(|_| {}).await;
    service.takes_duties(false);
    let mut processor = daemon.ascii().await;
    assert_eq!(processor.ask(&usual(1, 1_00)).await.code(), "00");
    assert_eq!(processor.ask(&reversal(&usual(1, 1_00), 2)).await.code(), "00");
    assert_eq!(processor.ask(&usual(3, 2_00).mti("0120")).await.code(), "00");
    service.says(Says::Status(500));
    assert_eq!(processor.ask(&usual(4, 3_00)).await.code(), "91");
    assert_eq!(daemon.api().metric("authswitch_duties_pending").await, 3);
    drop(processor);
    let daemon = daemon.restart().await;
    assert_eq!(daemon.api().metric("authswitch_duties_done_total").await, 0);
    service.takes_duties(true);
    let delivered =
        || async { (daemon.api().metric("authswitch_duties_done_total").await == 3).then_some(()) };
    eventually("two cancels and an advice", delivered).await;
    let asks = service.asks();
    assert_eq!(service.cancel_of(&asks[0]["ask_id"]).await["cause"], "reversed");
    assert_eq!(service.cancel_of(&asks[1]["ask_id"]).await["cause"], "outcome_unknown");
    assert_eq!(service.advices()[0]["units"], "200");
    let daemon = daemon.restart().await;
    assert_eq!(daemon.api().metric("authswitch_duties_pending").await, 0, "and nothing is owed any more");
}

/// What a switch killed at this moment leaves on disk: the mark and the segments. The mark is copied first, because
/// a kill may lose the last mark and never what was written before it. Spare segments come and go meanwhile.
fn copy_of_disk(daemon: &Daemon) -> PathBuf {
    let copy = daemon.folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    let live = &daemon.file.journal.directory;
    for path in [live.join("mark.journal"), first_segment(live)] {
        std::fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    copy
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ask_that_was_open_when_the_switch_was_killed_is_declined_and_cancelled() {
    let (daemon, service) = with_jit_card(|_| {}).await;
    let mut processor = daemon.ascii().await;
    let answered = processor.ask_body(&usual(1, 4_00)).await;
    service.says(Says::Nothing);
    processor.send(&usual(2, 1_00)).await;
    eventually("the ask", || async { (service.asks().len() == 2).then_some(()) }).await;
    let mut file = daemon.file.clone();
    file.journal.directory = copy_of_disk(&daemon);
    let switch = start(&file).await.unwrap();
    let heir = Daemon { switch, file, folder: tempfile::tempdir().unwrap() };
    let ask = service.asks()[1]["ask_id"].clone();
    assert_eq!(service.cancel_of(&ask).await["cause"], "outcome_unknown");
    let mut processor = heir.ascii().await;
    assert_eq!(processor.ask(&usual(2, 1_00).mti("0101")).await.code(), "91");
    assert_eq!(processor.ask_body(&usual(1, 4_00)).await, answered);
    assert_eq!(service.asks().len(), 2, "it is not asked again");
    assert_eq!(heir.api().balance("A").await, ["4.00", "4.00", "0.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_killed_at_any_moment_knows_every_approval_that_was_answered() {
    for dialect in DIALECTS {
        let daemon = Daemon::with_card().await;
        let mut processor = daemon.processor(dialect).await;
        let mut answers = Vec::new();
        for stan in 1..=20 {
            answers.push((usual(stan, 1_00), processor.ask_body(&usual(stan, 1_00)).await));
        }
        // More are on their way while the disk is copied; they may or may not be in the copy.
        for stan in 21..=60 {
            processor.send(&usual(stan, 1_00)).await;
        }
        let mut file = daemon.file.clone();
        file.journal.directory = copy_of_disk(&daemon);
        let switch = start(&file).await.unwrap();
        let heir = Daemon { switch, file, folder: tempfile::tempdir().unwrap() };
        let mut processor = heir.processor(dialect).await;
        for (request, answer) in &answers {
            assert_eq!(&processor.ask_body(request).await, answer);
        }
        for stan in 21..=60 {
            assert_eq!(processor.ask(&usual(stan, 1_00)).await.code(), "00");
        }
        assert_eq!(heir.api().balance("A").await, ["100.00", "60.00", "40.00"]);
    }
}

/// Damages a file in its middle.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(path, &bytes).unwrap();
}

/// The snapshots of a journal, oldest first.
fn snapshots(directory: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let is_snapshot = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("snapshot-");
    let mut found: Vec<PathBuf> = paths.filter(is_snapshot).collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_reads_the_newest_whole_snapshot_and_the_facts_behind_it() {
    let daemon = Daemon::start_with(|file| file.journal.snapshot_at_stop = false).await;
    daemon.add_card().await;
    let mut processor = daemon.ascii().await;
    let mut answers = Vec::new();
    for stan in 1..=3 {
        answers.push((usual(stan, 1_00), processor.ask_body(&usual(stan, 1_00)).await));
        let made = daemon.api().change("POST", "/v1/snapshots", json!({})).await;
        assert_eq!(made["newest"]["generation"], stan, "{made}");
        assert_eq!(made["unsaved_facts"], 0, "{made}");
    }
    answers.push((usual(4, 1_00), processor.ask_body(&usual(4, 1_00)).await));
    drop(processor);
    let directory = daemon.file.journal.directory.clone();
    assert_eq!(snapshots(&directory).len(), 2, "two generations are kept");

    // The newest whole one is the third, then the second, then none: the journal has everything.
    let mut daemon = daemon;
    // Repeating the four requests after the first start adds a fact each, once.
    for (generation, passed_over, facts) in [(json!(3), 0, 1), (json!(2), 1, 6), (json!(null), 2, 12)] {
        daemon = daemon.restart().await;
        let shown = daemon.api().show("/v1/snapshots").await;
        let from = &shown["start"]["snapshot"];
        assert_eq!(from.get("generation").cloned().unwrap_or(json!(null)), generation, "{shown}");
        assert_eq!(shown["start"]["passed_over"].as_array().unwrap().len(), passed_over, "{shown}");
        assert_eq!(shown["start"]["facts"], facts, "{shown}");
        assert_eq!(daemon.api().metric("authswitch_recovery_records").await, facts);
        assert_eq!(daemon.api().balance("A").await, ["100.00", "4.00", "96.00"]);
        let mut processor = daemon.ascii().await;
        for (request, answer) in &answers {
            assert_eq!(&processor.ask_body(request).await, answer, "{request:?}");
        }
        if passed_over < 2 {
            damage(&snapshots(&directory)[1 - passed_over]);
        }
    }
    // The next one is made of the journal alone, and the damaged ones are set aside.
    let made = daemon.api().change("POST", "/v1/snapshots", json!({})).await;
    assert_eq!(made["newest"]["generation"], 4, "{made}");
    let daemon = daemon.restart().await;
    assert_eq!(daemon.api().show("/v1/snapshots").await["start"]["facts"], 0);
    assert_eq!(daemon.api().balance("A").await, ["100.00", "4.00", "96.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_stops_makes_a_snapshot_and_its_successor_has_nothing_to_replay() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    assert_eq!(processor.ask(&usual(1, 1_00)).await.code(), "00");
    drop(processor);
    let daemon = daemon.restart().await;
    let shown = daemon.api().show("/v1/snapshots").await;
    assert_eq!((&shown["start"]["facts"], &shown["newest"]["generation"]), (&json!(0), &json!(1)), "{shown}");
    assert_eq!(daemon.api().balance("A").await, ["100.00", "1.00", "99.00"]);
    // Nothing new: no other snapshot.
    let daemon = daemon.restart().await;
    assert_eq!(daemon.api().show("/v1/snapshots").await["newest"]["generation"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_made_when_enough_was_written_or_time_has_passed() {
    let by_bytes = |file: &mut ConfigFile| {
        (file.journal.snapshot_after_bytes, file.journal.snapshot_every) = (3_000, Duration::ZERO);
    };
    let by_time = |file: &mut ConfigFile| {
        (file.journal.snapshot_after_bytes, file.journal.snapshot_every) = (0, Duration::from_secs(1));
    };
    let rules: [fn(&mut ConfigFile); 2] = [by_bytes, by_time];
    for rule in rules {
        let daemon = Daemon::start_with(rule).await;
        daemon.add_card().await;
        let mut processor = daemon.ascii().await;
        for stan in 1..=20 {
            assert_eq!(processor.ask(&usual(stan, 1_00)).await.code(), "00");
        }
        let made = || async { (daemon.api().metric("authswitch_snapshots_total").await > 0).then_some(()) };
        eventually("a snapshot", made).await;
        assert_eq!(daemon.api().metric("authswitch_snapshot_failures_total").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_of_card_tokens_is_noticed_at_the_start() {
    let Daemon { switch, mut file, folder } = Daemon::with_card().await;
    switch.stop().await.unwrap();
    let (kept, other) = (file.keys.card_tokens.clone(), folder.path().join("other.key"));
    std::fs::write(&other, "5".repeat(64)).unwrap();
    for at_stop in [true, false] {
        // From a snapshot, and from the journal.
        file.journal.snapshot_at_stop = at_stop;
        file.keys.card_tokens = other.clone();
        let error = start(&file).await.err().unwrap();
        assert!(matches!(error, StartError::TokenKey(_)), "{error:?}");
        assert!(error.to_string().contains("put the old key back"), "{error}");
        assert!(!error.to_string().contains("55555"), "{error}");
        file.keys.card_tokens = kept.clone();
        start(&file).await.unwrap().stop().await.unwrap();
        snapshots(&file.journal.directory).iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }
}

/// The first segment of a journal; these tests never fill it.
fn first_segment(directory: &Path) -> PathBuf {
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let is_segment = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("segment-");
    paths.filter(is_segment).min().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_is_refused_with_file_and_offset() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    for stan in 1..=20 {
        assert_eq!(processor.ask(&usual(stan, 1_00)).await.code(), "00");
    }
    drop(processor);
    let Daemon { switch, file, folder: _folder } = daemon;
    switch.stop().await.unwrap();
    let path = first_segment(&file.journal.directory);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let middle = (end / 2..end).find(|at| bytes[*at] != 0).unwrap();
    bytes[middle] ^= 0x40;
    std::fs::write(&path, &bytes).unwrap();
    let error = start(&file).await.err().unwrap();
    assert!(matches!(error, StartError::Journal(_)), "{error:?}");
    let message = error.to_string();
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(message.contains(&format!("{name} at offset ")), "{message}");
    assert!(message.contains("facts at risk: sequence"), "{message}");
    let offset: usize =
        message.split("at offset ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
    assert!(offset <= middle && middle < offset + 4_096, "{message}, flipped at {middle}");
    assert!(start(&file).await.is_err(), "and again: nothing was repaired in silence");
    bytes[middle] ^= 0x40;
    std::fs::write(&path, &bytes).unwrap();
    start(&file).await.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_used_by_one_switch_at_a_time() {
    let daemon = Daemon::with_card().await;
    let message = start(&daemon.file).await.err().unwrap().to_string();
    assert!(message.contains("is in use by another switch (lock file "), "{message}");
    assert_eq!(daemon.ascii().await.ask(&usual(1, 1_00)).await.code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_of_another_node_is_refused() {
    let Daemon { switch, mut file, folder: _folder } = Daemon::with_card().await;
    switch.stop().await.unwrap();
    file.node.id = 2;
    let message = start(&file).await.err().unwrap().to_string();
    assert!(message.contains(" by node 1, this switch is node 2"), "{message}");
}
