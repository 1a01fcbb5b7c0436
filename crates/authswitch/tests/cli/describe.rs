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

/// The rows of published messages: where each comes from, its bytes, its elements, and which dialect and frame read it.
fn vectors() -> Vec<serde_json::Value> {
    let rows = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../iso8583/tests/vectors/messages.jsonl"
    ));
    rows.unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The arguments that describe a row.
fn arguments(row: &serde_json::Value) -> Vec<String> {
    let text = |key: &str| row.get(key).map(|value| value.as_str().unwrap().to_owned());
    let name = text("dialect").unwrap();
    let file = format!("{}/../iso8583/tests/dialects/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let dialect = if std::path::Path::new(&file).exists() { file } else { name };
    let mut arguments = vec!["--hex".to_owned(), "--dialect".to_owned(), dialect];
    arguments.extend(text("frame").into_iter().flat_map(|frame| ["--frame".to_owned(), frame]));
    if row["kind"] == "tlv" {
        arguments.extend(["--element".to_owned(), "55".to_owned()]);
    }
    arguments
}

fn described(row: &serde_json::Value, more: &[&str]) -> crate::tool::Ran {
    let arguments = arguments(row);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
    describe(&arguments, row["hex"].as_str().unwrap().as_bytes()).ended(0)
}

#[test]
fn every_published_message_is_described_element_by_element() {
    let mut seen = 0;
    // The other rows are length headers alone.
    for row in vectors().iter().filter(|row| row["kind"] != "framing") {
        let shown: serde_json::Value =
            serde_json::from_str(&described(row, &["--json", "--show-card-data"]).out).unwrap();
        let shown = shown["elements"].as_array().unwrap();
        for (element, expected) in row["fields"].as_object().unwrap() {
            let path = match element.as_str() {
                "0" => "MTI".to_owned(),
                tag if row["kind"] == "tlv" => format!("55.{tag}"),
                other => other.to_owned(),
            };
            let is_element = path.starts_with(|c: char| c.is_ascii_digit()) || path == "MTI";
            let Some(expected) = expected.as_str().filter(|_| is_element) else { continue };
            let found = shown.iter().find(|row| row["element"] == path.as_str());
            let found = found.unwrap_or_else(|| panic!("{}: {path} is not described", row["id"]));
            let value = found["value"].as_str().unwrap();
            assert!(value.eq_ignore_ascii_case(expected), "{}: {path} is {value}", row["id"]);
            seen += 1;
        }
    }
    assert!(seen > 300, "{seen}");
}

#[test]
fn one_element_is_described_alone_and_its_fault_is_named() {
    let chip = ["--dialect", "mastercard-like", "--element", "55"];
    let ran = describe(&chip, b"9F0206000000000100 9F1A020840").ended(0);
    assert!(ran.out.contains("55.9F02") && !ran.out.contains("0840"), "{}", ran.out);
    let ran = describe(&[&chip[..], &["--show-card-data"]].concat(), b"9F1A020840").ended(0);
    assert!(ran.out.contains("55.9F1A") && ran.out.contains("0840"), "{}", ran.out);
    let ran = describe(&chip, b"9F0206000000").ended(1);
    assert!(ran.err.contains("DE 55") && ran.err.contains("offset"), "{}", ran.err);
    let ran = describe(&["--element", "4"], b"12").ended(1);
    assert!(ran.err.contains("DE 4 amount, transaction") && ran.err.contains("12"), "{}", ran.err);
    let ran = describe(&["--element", "129"], b"12").ended(2);
    assert!(ran.err.contains("129 is not in 2..=128"), "{}", ran.err);
}

#[test]
fn headers_nested_bitmaps_and_chip_data_are_shown_of_published_messages() {
    let vectors = vectors();
    for (id, rows) in [
        ("v034", &["48.00", "48.38", "55.9F26", "63"][..]),
        ("v038", &["112.001"]),
        ("v040", &["header", "55.01.9F02", "62.1", "63.1"]),
        ("v044", &["header", "126.13"]),
        ("v051", &["header", "39", "70"]),
        ("v064", &["header", "41", "55"]),
    ] {
        let row = vectors.iter().find(|row| row["id"] == id).unwrap();
        let shown: serde_json::Value = serde_json::from_str(&described(row, &["--json"]).out).unwrap();
        let shown: Vec<&str> = shown["elements"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["element"].as_str().unwrap())
            .collect();
        for expected in rows {
            assert!(shown.contains(expected), "{id}: {expected} is not in {shown:?}");
        }
        assert!(described(row, &[]).out.contains(rows[0]), "{id}: as a table");
    }
}
