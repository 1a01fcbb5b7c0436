//! A card number never appears: not in the journal, a log line at any level, a metric or an answer of the API (P9).
//!
//! In a program of its own, because it listens to everything that the whole process logs.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};
use support::balance_service::BalanceService;
use support::daemon::{Daemon, config_folder};
use support::message::{DIALECTS, Dialect, Message};
use support::processor::{Processor, frame, purchase, reversal};
use tracing_subscriber::fmt::MakeWriter;

/// Numbers of the schemes' published test ranges: two that are issued, one that is not.
const PRE_FUNDED: &str = "5200828282828210";
const JIT: &str = "371449635398431";
const UNKNOWN: &str = "6011000990139424";

/// Sensitive authentication data, recognisable wherever it turns up.
const CRYPTOGRAM: &str = "E5A1B2C3D4F60718";
const CVV2: &str = "CVC2-9137";
const CAVV: &str = "AJkBBkhgQQAAAE4gSEJydQAAAAA=";
const TRACK_1_NAME: &str = "^DOE/JANE^3112201";

/// Everything that was logged.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logged {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What must not be found, by name: each number as text and packed, whole and without its last four digits, its track,
/// its expiry, and the keys.
fn secrets() -> Vec<(String, Vec<u8>)> {
    let mut secrets = Vec::new();
    for pan in [PRE_FUNDED, JIT, UNKNOWN] {
        let shown = &pan[..pan.len() - 4];
        secrets.push((format!("{pan} as text"), shown.as_bytes().to_vec()));
        for (aligned, digits) in [("left", shown.to_owned()), ("right", format!("0{shown}"))] {
            let even = &digits[..digits.len() / 2 * 2];
            secrets.push((format!("{pan} packed {aligned}"), const_hex::decode(even).unwrap()));
        }
        let as_hex = const_hex::encode(shown);
        secrets.push((format!("{pan} as bytes in hexadecimal"), as_hex.into_bytes()));
        let as_list = shown.bytes().map(|digit| digit.to_string()).collect::<Vec<_>>().join(", ");
        secrets.push((format!("{pan} as a list of bytes"), as_list.into_bytes()));
    }
    secrets.push(("track data".into(), b"=3112201".to_vec()));
    secrets.push(("a PIN block".into(), b"1C5A09F3D27B864E".to_vec()));
    secrets.push(("a packed PIN block".into(), const_hex::decode("1C5A09F3D27B864E").unwrap()));
    secrets.push(("a cryptogram".into(), CRYPTOGRAM.as_bytes().to_vec()));
    secrets.push(("a packed cryptogram".into(), const_hex::decode(CRYPTOGRAM).unwrap()));
    secrets.push(("a verification value".into(), CVV2.as_bytes().to_vec()));
    secrets.push(("a 3-D Secure value".into(), CAVV.as_bytes().to_vec()));
    secrets.push(("track 1".into(), TRACK_1_NAME.as_bytes().to_vec()));
    for name in ["card-tokens.key", "control.key", "funding.key"] {
        let key = std::fs::read_to_string(config_folder().join("keys").join(name)).unwrap();
        secrets.push((name.into(), key.trim().as_bytes().to_vec()));
    }
    secrets
}

#[track_caller]
fn expect_none(place: &str, bytes: &[u8]) {
    for (name, secret) in secrets() {
        // The first byte is looked for alone, because comparing windows is slow without optimization.
        let mut starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == secret[0]);
        if let Some((at, _)) = starts.find(|(at, _)| bytes[*at..].starts_with(&secret)) {
            let around = &bytes[at.saturating_sub(200)..(at + 100).min(bytes.len())];
            panic!("{place} holds {name} at {at}: {}", String::from_utf8_lossy(around));
        }
    }
}

/// Everything that carries card data, well made and not.
fn messages(pan: &str, stan: u32) -> Vec<Message> {
    let track = format!("{pan}=31122010000000000");
    let whole = purchase(pan, stan, 1_00)
        .with(14, "3112")
        .with(35, &track)
        .with(45, &format!("B{pan}{TRACK_1_NAME}0000"))
        .with(48, &format!("{CVV2} {CAVV}"))
        .with(52, "1C5A09F3D27B864E")
        .with(55, &format!("9F2608{CRYPTOGRAM}9F2701805A08{pan:0<16}"))
        .with(61, "11")
        .with(62, "123456789012345");
    let stan = |message: Message, more: u32| message.with(11, &format!("{:06}", stan + more));
    vec![
        whole.clone(),
        whole.clone().mti("0101"),
        stan(whole.clone().without(2), 1),
        // A payment of its own: under the network's id of the first it would be about that one.
        stan(whole.clone().mti("0120").with(62, "543210987654321"), 2),
        reversal(&whole, 900_000),
        stan(whole.clone().mti("0200"), 3),
        stan(whole.clone().mti("0220").with(63, "745563263290000000000170102"), 10),
        stan(whole.clone().mti("0220").with(63, &format!("{pan:0<23}0202")), 11),
        stan(whole.clone().mti("0200").with(3, "200000"), 12),
        stan(whole.clone().with(3, "300000").without(4), 13),
        stan(whole.clone().with(3, "330000").with(4, "000000000000"), 14),
        stan(whole.clone().with(61, "0001").with(90, &support::processor::original_data(&whole)), 15),
        stan(reversal(&whole, 0).with(95, &format!("{:042}", 0)), 16),
        stan(whole.clone().with(4, "999999999999"), 4),
        // The number where it does not belong.
        stan(whole.clone().with(43, &format!("SHOP {pan}")), 5),
        stan(whole.clone().with(42, &pan[pan.len() - 15..]), 9),
        stan(whole.clone().with(2, &format!("{pan}9")), 6),
        stan(whole.clone().with(7, "9999999999"), 7),
        stan(whole.with(49, "999"), 8),
    ]
}

async fn send_all(processor: &mut Processor, dialect: Dialect, pan: &str, from: u32) {
    for message in messages(pan, from) {
        processor.send(&message).await;
        processor.receive_body().await.unwrap();
        let bytes = message.encode(dialect);
        // Damaged at every place, one after another; not every one of them has an answer.
        for at in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            processor.send_body(&damaged).await;
            processor.send_body(&bytes[..at]).await;
        }
        processor.send(&support::processor::network(from, "301")).await;
        while !is_echo(&processor.receive_body().await.unwrap(), dialect) {}
    }
}

fn is_echo(body: &[u8], dialect: Dialect) -> bool {
    match dialect {
        Dialect::Ascii => body.starts_with(b"0810"),
        Dialect::Binary => body.starts_with(b"\x08\x10"),
    }
}

fn wrong_check_digit(pan: &str) -> String {
    let (shown, check) = pan.split_at(pan.len() - 1);
    format!("{shown}{}", (check.parse::<u8>().unwrap() + 1) % 10)
}

/// What the control API answers to card data in all the wrong places.
async fn api_answers(daemon: &Daemon) -> String {
    let api = daemon.api();
    let mut answers = String::new();
    for path in ["/v1/accounts/A", "/v1/cards/C", "/v1/cards/D", "/v1/cards/C/transactions?limit=100"] {
        answers += &api.get(path).await.text;
    }
    for pan in [PRE_FUNDED, JIT, UNKNOWN] {
        let card = |number: &str, id: &str, account: &str| {
            json!({ "id": id, "number": number, "account": account, "currency": "USD", "expiry": "2031-12",
                    "funding": "jit" })
        };
        for body in [
            card(pan, pan, "A"),
            card(pan, "E", pan),
            card(&wrong_check_digit(pan), "E", "A"),
            card(pan, "C", "A"),
            json!({ pan: pan }),
            Value::String(pan.into()),
        ] {
            let answer = api.try_request("POST", "/v1/cards", "", &body.to_string()).await.unwrap();
            assert!(answer.status >= 400, "{body}: {answer:?}");
            answers += &answer.text;
        }
        answers += &api.get(&format!("/v1/cards/{pan}")).await.text;
        answers += &api.get(&format!("/v1/transactions/{pan}")).await.text;
        answers += &api.get(&format!("/{pan}")).await.text;
        answers += &api.book("/v1/accounts/A/credits", pan, "1.00").await.text;
        answers += &api.try_request("GET", "/v1/cards/C", "Idempotency-Key: x\r\n", pan).await.unwrap().text;
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn card_data_and_keys_are_nowhere_to_be_found() {
    let logged = Logged::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(logged.clone())
        .init();
    let service = BalanceService::start().await;
    let endpoint = service.endpoint.clone();
    let daemon = Daemon::start_with(|file| file.funding.endpoint = endpoint).await;
    let api = daemon.api();
    api.open_account("A", "USD").await;
    api.credit("A", "100.00").await;
    api.issue("C", PRE_FUNDED, "A", "pre_funded", json!({})).await;
    api.issue("D", JIT, "A", "jit", json!({})).await;
    let mut from = 0;
    for dialect in DIALECTS {
        for pan in [PRE_FUNDED, JIT, UNKNOWN] {
            from += 100;
            send_all(&mut daemon.processor(dialect).await, dialect, pan, from).await;
        }
        let mut bad = daemon.processor(dialect).await;
        bad.send_bytes(PRE_FUNDED.as_bytes()).await;
        bad.expect_close().await;
        let mut half = daemon.processor(dialect).await;
        half.send_bytes(&frame(&purchase(JIT, 1, 1).encode(dialect))[..60]).await;
    }
    expect_none("an answer of the API", api_answers(&daemon).await.as_bytes());
    let page = api.metrics_page().await;
    expect_none("the metrics page", page.as_bytes());
    for asked in [service.asks(), service.cancels(), service.advices()] {
        assert!(!asked.is_empty());
        expect_none("what the balance service is sent", Value::Array(asked).to_string().as_bytes());
    }
    let Daemon { switch, file, folder: _folder } = daemon;
    switch.stop().await.unwrap();
    let mut journaled = 0;
    for entry in std::fs::read_dir(&file.journal.directory).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        // Segments are filled with zeros far behind what is written.
        bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        expect_none(&path.display().to_string(), &bytes);
        journaled += bytes.len();
    }
    assert!(journaled > 10_000, "{journaled} bytes are in the journal");
    let lines = logged.0.lock().unwrap().clone();
    let text = String::from_utf8(lines).unwrap();
    for level in ["DEBUG", " INFO"] {
        assert!(text.contains(level), "nothing was logged at {level}");
    }
    assert!(text.contains("message cannot be decoded"), "the switch's own lines are there");
    expect_none("the log", text.as_bytes());
}
