//! `message describe`: what is shown of good and of broken messages, and what is not.

use crate::processor::Purchase;
use crate::tool::{authswitch, authswitch_with_input};

const NUMBER: &str = "4242424242424242";

fn message() -> Vec<u8> {
    Purchase { number: NUMBER.to_owned(), amount: 2_500, stan: 123, transmission: "1120193000".to_owned() }
        .message("0100")
        .to_vec()
}

fn describe(arguments: &[&str], input: &[u8]) -> crate::tool::Ran {
    authswitch_with_input(&[&["message", "describe"], arguments].concat(), input)
}

#[test]
fn a_message_is_described_by_number_and_name_with_the_card_number_masked() {
    for input in [message(), const_hex::encode(message()).into_bytes()] {
        let ran = describe(&[], &input).ended(0);
        assert!(
            ran.out.contains("primary account number") && ran.out.contains("424242******4242"),
            "{}",
            ran.out
        );
        assert!(ran.out.contains("000000002500"), "{}", ran.out);
        assert!(!ran.out.contains(NUMBER), "{}", ran.out);
        assert_eq!(ran.err, "");
    }
}

#[test]
fn the_card_number_is_shown_only_when_asked_for_in_so_many_words() {
    let ran = describe(&["--json", "--show-card-data"], &message()).ended(0);
    let described: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(described["elements"][1]["value"], NUMBER);
    let ran = describe(&["--json"], &message()).ended(0);
    let described: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(described["elements"][1]["value"], "424242******4242");
    assert_eq!(described["elements"][1]["masked"], true);
    assert!(described["error"].is_null());
}

#[test]
fn a_broken_message_shows_what_was_read_and_names_place_offset_found_and_allowed() {
    let broken = String::from_utf8(message()).unwrap().replace("000000002500", "00000000x500");
    let ran = describe(&[], broken.as_bytes()).ended(1);
    assert!(ran.out.contains("processing code"), "{}", ran.out);
    assert!(!ran.out.contains("x500") && !ran.out.contains(NUMBER), "{}", ran.out);
    for part in ["DE 4 amount, transaction", "0x78 ('x')", "offset", "digits"] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    let ran = describe(&["--json"], broken.as_bytes()).ended(1);
    let described: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(described["error"]["place"], "DE 4 amount, transaction");
    assert_eq!(described["error"]["offset"], 44);
    let elements: Vec<&str> = described["elements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["element"].as_str().unwrap())
        .collect();
    assert!(elements.starts_with(&["MTI", "2", "3"]) && !elements.contains(&"4"), "{elements:?}");
}

#[test]
fn frames_are_stripped_and_each_message_is_described() {
    let message = message();
    let frame = [format!("{:04}", message.len()).into_bytes(), message].concat();
    let ran = describe(&["--frame", "ascii-4", "--json"], &frame.repeat(2)).ended(0);
    assert_eq!(ran.out.lines().count(), 2);
    let cut = &frame[..frame.len() - 1];
    let ran = describe(&["--frame", "ascii-4", "--json"], cut).ended(1);
    assert!(ran.err.contains("frame: ") && ran.err.contains("bytes are left"), "{}", ran.err);
    let ran = describe(&["--frame", "binary-2"], &frame).ended(1);
    assert!(ran.err.contains("looks like ASCII digits"), "{}", ran.err);
}

#[test]
fn garbage_is_no_message_and_no_panic() {
    for input in [&b""[..], b"\xff\xfe\x00", b"hello, this is no message", b"0100"] {
        let ran = describe(&[], input).ended(1);
        assert!(ran.err.starts_with("authswitch: "), "{}", ran.err);
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_can() {
    let ran = describe(&["--dialect", "klingon"], b"").ended(2);
    assert!(ran.err.contains("\"klingon\"") && ran.err.contains("binary-1987"), "{}", ran.err);
    let ran = describe(&["--frame", "ascii-5"], b"").ended(2);
    assert!(ran.err.contains("ascii-5") && ran.err.contains("ascii-4"), "{}", ran.err);
    let ran = authswitch(&["message", "describe", "no-such-file"]).ended(2);
    assert!(ran.err.contains("no-such-file cannot be read"), "{}", ran.err);
    let ran = describe(&["--hex"], b"0x0").ended(1);
    assert!(ran.err.contains("offset 1 is no hexadecimal digit"), "{}", ran.err);
}

#[test]
fn headers_nested_bitmaps_and_chip_data_are_shown_of_published_messages() {
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../iso8583/tests/vectors/messages.jsonl");
    let vectors = std::fs::read_to_string(vectors).unwrap();
    let tpdu = concat!(env!("CARGO_MANIFEST_DIR"), "/../iso8583/tests/dialects/tpdu-bcd.toml");
    for (id, dialect, frame, rows) in [
        ("v034", "mastercard-like", "binary-2", &["48.00", "48.38", "55.9F26", "63"][..]),
        ("v038", "mastercard-like", "binary-2", &["112.001"]),
        ("v040", "visa-like", "vml", &["header", "55.01.9F02", "62.1", "63.1"]),
        ("v044", "visa-like", "vml", &["header", "126.13"]),
        ("v051", "visa-like", "vml", &["header", "39", "70"]),
        ("v064", tpdu, "binary-2", &["header", "41", "55"]),
    ] {
        let row = vectors.lines().find(|line| line.contains(&format!("\"{id}\""))).unwrap();
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let input = row["hex"].as_str().unwrap().as_bytes();
        let arguments = ["--json", "--hex", "--dialect", dialect, "--frame", frame];
        let ran = describe(&arguments, input).ended(0);
        let described: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let shown: Vec<&str> = described["elements"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["element"].as_str().unwrap())
            .collect();
        for expected in rows {
            assert!(shown.contains(expected), "{id}: {expected} is not in {shown:?}");
        }
        assert!(describe(&arguments[1..], input).ended(0).out.contains(rows[0]), "{id}: as a table");
    }
}
