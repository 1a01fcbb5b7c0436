//! Message authentication: what its sender did not seal is not acted on, and what we send can be checked.

use crate::support::daemon::{Daemon, config_file, config_folder};
use crate::support::message::{Dialect, Message};
use crate::support::processor::{Processor, network, reversal, usual};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use switch::{Config, MacSection};

const KEY: [u8; 32] = [0x5A; 32];
const FAILURES: &str = "authswitch_link_mac_failures_total{link=\"ascii-1987\"}";

/// The message with the code that its bytes should have, made by this test's own means.
fn sealed(message: &Message) -> Message {
    let de = if message.elements.keys().any(|de| *de > 64) { 128 } else { 64 };
    let open = message.clone().with(de, "0000000000000000");
    let bytes = open.encode(Dialect::Ascii);
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
    // Sixteen hexadecimal digits at the end are the code itself.
    mac.update(&bytes[..bytes.len() - 16]);
    let code = mac.finalize().into_bytes();
    open.with(de, &const_hex::encode_upper(&code[..8]))
}

async fn daemon() -> Daemon {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mac.key");
    std::fs::write(&path, const_hex::encode(KEY)).unwrap();
    let section =
        MacSection { key: path, algorithm: "hmac-sha-256".into(), padding: "method-1".into(), length: None };
    let daemon = Daemon::start_with(|file| file.link[0].mac = Some(section)).await;
    daemon.add_card().await;
    daemon
}

/// Sends a message, and checks that its answer is sealed as it should be.
async fn ask(processor: &mut Processor, message: &Message) -> Message {
    let answer = processor.ask(message).await;
    assert_eq!(sealed(&answer.clone().without(64).without(128)), answer);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_messages_are_served_and_their_answers_are_sealed() {
    let daemon = daemon().await;
    let mut processor = daemon.ascii().await;
    for message in
        [network(1, "301"), usual(2, 1_00), reversal(&usual(2, 1_00), 3), usual(4, 1_00).mti("0120")]
    {
        assert_eq!(ask(&mut processor, &sealed(&message)).await.code(), "00", "{message:?}");
    }
    // What cannot be read is answered under seal as well.
    assert_eq!(ask(&mut processor, &sealed(&usual(5, 1_00).without(4))).await.code(), "30");
    assert_eq!(daemon.api().metric(FAILURES).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_wrong_code_is_answered_counted_and_changes_nothing() {
    let daemon = daemon().await;
    let mut processor = daemon.ascii().await;
    let good = sealed(&usual(1, 1_00));
    let advice = usual(2, 1_00).mti("0120");
    for (message, why) in [
        (usual(3, 1_00), "no code"),
        (good.clone().with(4, "000000000999"), "another amount under the same code"),
        (good.clone().with(64, "0000000000000000"), "zeros"),
        (advice, "an advice that anybody may have sent"),
        (network(4, "002"), "a sign-off that anybody may have sent"),
    ] {
        assert_eq!(ask(&mut processor, &message).await.code(), "63", "{why}");
    }
    assert_eq!(daemon.api().metric(FAILURES).await, 5);
    assert_eq!(daemon.api().balance("A").await, ["100.00", "0.00", "100.00"]);
    assert_eq!(ask(&mut processor, &good).await.code(), "00");
    // The other link has no such agreement.
    daemon.processor(Dialect::Binary).await.expect_echo(5).await;
}

#[test]
fn a_key_that_does_not_fit_is_refused_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let fault = |text: &str, algorithm: &str, length: Option<usize>| {
        let path = folder.path().join("mac.key");
        std::fs::write(&path, text).unwrap();
        let mut file = config_file(folder.path());
        let (algorithm, padding) = (algorithm.to_owned(), "method-2".to_owned());
        file.link[0].mac = Some(MacSection { key: path, algorithm, padding, length });
        let faults = Config::check(file, &config_folder()).unwrap_err();
        let [fault] = &faults[..] else { panic!("{faults:?}") };
        assert!(fault.key.starts_with("link[0].mac") && !fault.problem.contains(text), "{fault:?}");
        fault.problem.clone()
    };
    for (text, algorithm, length, part) in [
        ("5a5a5a", "iso9797-3", None, "mac.key"),
        ("not hexadecimal", "iso9797-3", None, "hexadecimal"),
        (&"5a".repeat(16)[..], "rot13", None, "rot13"),
        (&"5a".repeat(16)[..], "hmac-sha-256", Some(2), "mac.key"),
    ] {
        let found = fault(text, algorithm, length);
        assert!(found.contains(part), "{part}: {found}");
    }
}
