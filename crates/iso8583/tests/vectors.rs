//! The vectors in `tests/vectors`: real messages of other libraries' test suites, with the fields that those
//! suites assert. Each row names its source. Every one is decoded, compared, and written again byte for
//! byte, from the values of its elements and not from its bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    missing_docs
)]

mod support;

use bytes::BytesMut;
use iso8583::{
    CardData, Content, Dialect, Draft, FrameFormat, LengthHeader, Message, PartValue, Value, describe,
    describe_element,
};
use serde_json::Value as Json;
use support::{dialect, rows, unhex};

/// The length header of each form that the vectors have.
const LENGTHS: [(&str, LengthHeader); 4] = [
    ("ascii-4", LengthHeader::Ascii4),
    ("bcd-2", LengthHeader::Bcd2),
    ("binary-2", LengthHeader::Binary2),
    ("vml", LengthHeader::Vml),
];

/// How the row's bytes are framed.
fn frame(row: &Json) -> Option<FrameFormat> {
    let name = row.get("frame")?;
    let (_, length) = LENGTHS.into_iter().find(|(known, _)| name == known).expect("a length header");
    Some(FrameFormat { length, includes_itself: false, max_bytes: 2_048 })
}

/// The dialect that reads the row.
fn dialect_of(row: &Json) -> Dialect {
    dialect(row["dialect"].as_str().unwrap())
}

#[test]
fn every_message_gives_its_fields_and_is_written_again_byte_for_byte() {
    let mut checked = 0;
    for row in rows("messages.jsonl") {
        let id = row["id"].as_str().unwrap();
        match row["kind"].as_str().unwrap() {
            "message" | "frame+message" | "issue" => check_message(id, &row),
            "tlv" => check_tlv(&row),
            _ => check_frame(id, &row),
        }
        checked += 1;
    }
    assert_eq!(checked, 53);
}

fn check_message(id: &str, row: &Json) {
    let (format, dialect) = (frame(row), dialect_of(row));
    let wire = unhex(row["hex"].as_str().unwrap());
    let mut stream = BytesMut::from(&wire[..]);
    let body = match format {
        Some(format) => format.split(&mut stream).unwrap().expect("a whole frame"),
        None => stream.split().freeze(),
    };
    assert!(stream.is_empty(), "{id}: bytes after the frame");
    let message = dialect.decode(body).unwrap_or_else(|refused| panic!("{id}: {refused}"));
    for (key, expected) in row["fields"].as_object().unwrap() {
        check_field(id, &message, key, expected);
    }
    check_description(id, &message);
    let draft = rewritten(&dialect, &message);
    let mut out = BytesMut::new();
    match format {
        Some(format) => format.write(&mut out, |out| draft.encode_into(out)).unwrap(),
        None => draft.encode_into(&mut out).unwrap(),
    }
    assert_eq!(const_hex::encode(&out), const_hex::encode(&wire), "{id}: written again");
}

/// Every element and every part of a part has its row, the header too, and nothing masked is in any of them.
fn check_description(id: &str, message: &Message) {
    let rows = describe(message, CardData::Masked);
    let has = |element: &str| rows.iter().any(|row| row.element == element && !row.name.is_empty());
    assert_eq!(has("header"), !message.header().is_empty(), "{id}");
    assert!(has("MTI"), "{id}");
    for de in message.elements() {
        assert!(has(&de.to_string()), "{id}: DE {de}");
        let mut leaves = Vec::new();
        collect_leaves(&mut leaves, "", message.value(de).unwrap());
        for (path, _, _) in leaves {
            assert!(has(&format!("{de}.{path}")), "{id}: DE {de}.{path}");
        }
    }
    let shown: String = rows.iter().map(|row| row.value.as_str()).collect::<Vec<_>>().join(" ");
    for secret in [2, 35, 52].into_iter().filter_map(|de| message.text(de)).filter(|text| text.len() > 12) {
        assert!(!shown.contains(&*secret), "{id}");
    }
    assert_eq!(describe(message, CardData::Shown).len(), rows.len(), "{id}");
}

/// The same message, from the values of its elements, and of their parts where they have them.
fn rewritten(dialect: &Dialect, message: &Message) -> Draft {
    let mut draft = Draft::new(dialect, message.mti());
    draft.header(message.header());
    for de in message.elements() {
        let value = message.value(de).unwrap();
        if value.spec().is_composite() {
            let mut leaves = Vec::new();
            collect_leaves(&mut leaves, "", value);
            let parts: Vec<_> = leaves
                .iter()
                .map(|(path, text, bytes)| match bytes {
                    Some(bytes) => (path.as_str(), PartValue::Bytes(bytes)),
                    None => (path.as_str(), PartValue::Text(text)),
                })
                .collect();
            draft.parts(de, &parts);
        } else if value.spec().content() == Content::Binary {
            draft.binary(de, &value.binary().unwrap());
        } else {
            draft.text(de, &value.text());
        }
    }
    draft
}

type Leaf = (String, String, Option<Vec<u8>>);

fn collect_leaves(leaves: &mut Vec<Leaf>, path: &str, value: Value<'_>) {
    for (key, part) in value.parts() {
        let path = if path.is_empty() { key } else { format!("{path}.{key}") };
        if part.spec().is_composite() {
            collect_leaves(leaves, &path, part);
        } else {
            leaves.push((path, part.text().into_owned(), part.binary().map(Into::into)));
        }
    }
}

fn check_field(id: &str, message: &Message, key: &str, expected: &Json) {
    if let Ok(de) = key.parse::<u8>() {
        if de == 0 {
            assert_eq!(message.mti().to_string(), expected.as_str().unwrap(), "{id}");
        } else {
            let value = message.value(de).unwrap_or_else(|| panic!("{id}: DE {de} is missing"));
            check_value(id, key, value, expected);
        }
        return;
    }
    match key {
        "header" | "tpdu" => {
            assert_eq!(const_hex::encode(message.header()), expected.as_str().unwrap(), "{id}");
        }
        "Header" => check_header(id, &message.header()[message.header().len() - 22..], expected),
        "RejectHeader" => {
            check_header(id, &message.header()[..22], expected);
            assert_eq!(message.reject_code(), Some(0x1234), "{id}");
        }
        "_bits" | "_secondary_bits" => {
            let above = if key == "_bits" { 0 } else { 64 };
            let bits: Vec<u64> = message.elements().filter(|de| *de > above).map(u64::from).collect();
            let expected: Vec<u64> =
                expected.as_array().unwrap().iter().map(|bit| bit.as_u64().unwrap()).collect();
            assert_eq!(bits, expected, "{id}");
        }
        _ => {
            let de = key.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
            let value = message.value(de).unwrap_or_else(|| panic!("{id}: DE {de} is missing"));
            check_value(id, key, value, expected);
        }
    }
}

/// Text as it is; an object part by part; a list as its only entry. Bit lists are checked through the parts.
fn check_value(id: &str, path: &str, value: Value<'_>, expected: &Json) {
    match expected {
        Json::String(text) => {
            let found = value.text();
            assert!(found.eq_ignore_ascii_case(text), "{id}: {path} is {found}, expected {text}");
        }
        Json::Object(parts) => {
            for (key, expected) in parts.iter().filter(|(_, expected)| !is_bit_list(expected)) {
                let short = key.trim_start_matches("SE");
                let names = [short.to_uppercase(), short.trim_start_matches('0').to_owned()];
                let part = names.iter().find_map(|name| value.part(name));
                let part = part.unwrap_or_else(|| panic!("{id}: {path}.{key} is missing"));
                check_value(id, &format!("{path}.{key}"), part, expected);
            }
        }
        Json::Array(entries) if entries.len() == 1 => check_value(id, path, value, &entries[0]),
        other => panic!("{id}: {path} expects {other}"),
    }
}

fn is_bit_list(expected: &Json) -> bool {
    expected.as_array().is_some_and(|bits| bits.iter().all(Json::is_number))
}

/// The header's fields in order, in hexadecimal; H07 is written as the bits of its byte.
fn check_header(id: &str, header: &[u8], expected: &Json) {
    let mut text = String::new();
    for number in 1..=12 {
        let field = expected[format!("H{number:02}")].as_str().unwrap();
        if number == 7 {
            text += &format!("{:02x}", u8::from_str_radix(field, 2).unwrap());
        } else {
            text += field;
        }
    }
    assert_eq!(const_hex::encode(header), text, "{id}");
}

/// A vector of chip data alone is read as DE 55 of a message.
fn check_tlv(row: &Json) {
    let dialect = dialect_of(row);
    let tlv = unhex(row["hex"].as_str().unwrap());
    let mut draft = Draft::new(&dialect, iso8583::Mti::parse("0100").unwrap());
    let mut out = BytesMut::new();
    draft.binary(55, &tlv).encode_into(&mut out).unwrap();
    let message = dialect.decode(out.clone().freeze()).unwrap();
    check_value("tlv", "55", message.value(55).unwrap(), &row["fields"]);
    assert_eq!(message.value(55).unwrap().parts().len(), row["fields"].as_object().unwrap().len());
    let mut again = BytesMut::new();
    rewritten(&dialect, &message).encode_into(&mut again).unwrap();
    assert_eq!(again, out);
    let of_message: Vec<_> = describe(&message, CardData::Masked).into_iter().skip(1).collect();
    assert_eq!(describe_element(&dialect, 55, &tlv, CardData::Masked).unwrap(), of_message);
}

/// A vector of a length header: announced length, and body if there is one.
fn check_frame(id: &str, row: &Json) {
    let format = frame(row).unwrap();
    let length = format.length;
    let wire = unhex(row["hex"].as_str().unwrap());
    let announced = usize::try_from(row["fields"]["length"].as_u64().unwrap()).unwrap();
    let mut stream = BytesMut::from(&wire[..]);
    stream.resize(length.bytes() + announced, b'.');
    let body = format.split(&mut stream).unwrap().unwrap();
    assert_eq!(body.len(), announced, "{id}");
    if let Some(expected) = row["fields"]["body"].as_str() {
        assert_eq!(body, expected, "{id}");
    }
    let mut out = BytesMut::new();
    format
        .write(&mut out, |out| {
            out.extend_from_slice(&body);
            Ok(())
        })
        .unwrap();
    assert_eq!(out[..length.bytes()], wire[..length.bytes()], "{id}");
}
