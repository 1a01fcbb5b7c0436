//! Field tables in pyiso8583's notation, translated to dialects: the vectors of its own tests, and malformed
//! messages that must be refused at the stated field and position.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use bytes::{Bytes, BytesMut};
use iso8583::{
    Content, DecodeError, Dialect, Draft, Fault, FrameError, FrameFormat, LengthHeader, Message, Place,
    Rejected,
};
use serde_json::Value as Json;
use support::{dialect, rows, unhex};

/// A table of fields as a dialect. `b` is packed data there: bytes, or half bytes where lengths count those.
fn translated(table: &Json) -> Dialect {
    let part = |key: &str, property: &str| table[key][property].as_str().unwrap_or_default();
    let mut text = "name = \"translated\"\n".to_owned();
    let header = table["h"]["max_len"].as_u64().unwrap_or(0);
    if header > 0 {
        let value = "h".repeat(usize::try_from(header).unwrap());
        text += &format!(
            "header = {{ kind = \"fixed\", value = \"{value}\", encoding = \"{}\" }}\n",
            encoding(part("h", "data_enc"))
        );
    }
    let mti = match part("t", "data_enc") {
        "b" => "packed",
        "cp500" => "ebcdic",
        _ => "ascii",
    };
    let bitmap = |key| match part(key, "data_enc") {
        "b" => "binary",
        "cp500" => "ebcdic-hex",
        _ => "hex",
    };
    text += &format!("mti = {{ encoding = \"{mti}\" }}\n");
    text += &format!(
        "bitmap = {{ encoding = \"{}\", secondary_encoding = \"{}\", layout = \"tertiary\" }}\n[elements]\n",
        bitmap("p"),
        bitmap("1")
    );
    for (key, field) in table.as_object().unwrap() {
        if key.parse::<u8>().is_ok_and(|de| de >= 2 && de != 65) {
            text += &format!("{key} = {{ name = \"field {key}\", {} }}\n", element(field));
        }
    }
    Dialect::from_toml(&text, "translated").unwrap()
}

fn encoding(name: &str) -> &str {
    match name {
        "cp500" => "ebcdic-500",
        _ => "ascii",
    }
}

fn element(field: &Json) -> String {
    let nibbles = field["len_count"] == "nibbles";
    let mut text = match (field["data_enc"].as_str().unwrap(), nibbles) {
        ("b", true) => "content = \"hex\", encoding = \"bcd\", unit = \"nibbles\"".to_owned(),
        ("b", false) => "content = \"b\", encoding = \"binary\"".to_owned(),
        (name, true) => format!("content = \"text\", encoding = \"{}\", unit = \"nibbles\"", encoding(name)),
        (name, false) => format!("content = \"text\", encoding = \"{}\"", encoding(name)),
    };
    for side in ["left", "right"] {
        if let Some(filler) = field[format!("{side}_pad")].as_str() {
            text += &format!(", pad = \"{side}-{}\"", filler[..1].to_lowercase());
        }
    }
    let (max, width) = (field["max_len"].as_u64().unwrap(), field["len_type"].as_u64().unwrap());
    if width == 0 {
        return format!("{text}, length = {max}");
    }
    let width = u32::try_from(width).unwrap();
    let (letters, name, largest) = match field["len_enc"].as_str().unwrap() {
        "bcd" => (2 * width, "bcd", 100_u64.pow(width) - 1),
        "b" => (width, "binary", 256_u64.pow(width) - 1),
        "cp500" => (width, "ebcdic", 10_u64.pow(width) - 1),
        _ => (width, "ascii", 10_u64.pow(width) - 1),
    };
    let prefix = "L".repeat(letters as usize);
    format!(
        "{text}, prefix = \"{prefix}\", prefix_encoding = \"{name}\", min = 0, max = {}",
        max.min(largest)
    )
}

#[test]
fn every_field_table_decodes_to_its_fields_and_writes_them_again() {
    let rows = rows("field_table_cases.jsonl");
    assert_eq!(rows.len(), 31);
    for row in rows {
        let (test, wire) = (row["test"].as_str().unwrap(), unhex(row["hex"].as_str().unwrap()));
        let dialect = translated(&row["spec"]);
        let message =
            dialect.decode(wire.clone().into()).unwrap_or_else(|refused| panic!("{test}: {refused}"));
        for (key, expected) in row["fields"].as_object().unwrap() {
            check_field(test, &message, key, expected.as_str().unwrap());
        }
        let mut again = BytesMut::new();
        rewritten(&dialect, &message).encode_into(&mut again).unwrap();
        if test.contains("mixed_case") {
            // Hexadecimal digits are read in either case and written in upper case.
            assert!(again.eq_ignore_ascii_case(&wire), "{test}");
        } else {
            assert_eq!(again, wire, "{test}");
        }
    }
}

fn check_field(test: &str, message: &Message, key: &str, expected: &str) {
    match key {
        "h" => assert_eq!(message.header(), expected.as_bytes(), "{test}"),
        "t" => assert_eq!(message.mti().to_string(), expected, "{test}"),
        "p" => check_bits(test, message, 0, expected),
        "1" => check_bits(test, message, 64, expected),
        _ => assert_eq!(message.text(key.parse().unwrap()).unwrap(), expected, "{test}: field {key}"),
    }
}

/// The elements that a bitmap in hexadecimal names, but for the bits that announce another bitmap.
fn check_bits(test: &str, message: &Message, before: usize, expected: &str) {
    for (index, byte) in unhex(expected).iter().enumerate() {
        for bit in 0..8 {
            let de = before + index * 8 + bit + 1;
            if de != 1 && de != 65 {
                let named = byte & (0x80 >> bit) != 0;
                assert_eq!(message.has(u8::try_from(de).unwrap()), named, "{test}: field {de}");
            }
        }
    }
}

fn rewritten(dialect: &Dialect, message: &Message) -> Draft {
    let mut draft = Draft::new(dialect, message.mti());
    draft.header(message.header());
    for de in message.elements() {
        if dialect.element(de).unwrap().content() == Content::Binary {
            draft.binary(de, &message.binary(de).unwrap());
        } else {
            draft.text(de, &message.text(de).unwrap());
        }
    }
    draft
}

#[test]
fn every_malformed_message_is_refused_at_its_field_and_position() {
    let rows = rows("rejects.jsonl");
    assert_eq!(rows.len(), 41);
    for row in rows {
        let id = row["id"].as_str().unwrap();
        let wire = unhex(row["hex"].as_str().unwrap());
        match id {
            "r060" => check_prefix_cut(&wire),
            "r062" => check_frame_cut(&wire),
            "r063" => check_frame_too_long(&wire),
            _ => check_reject(id, &row, wire),
        }
    }
}

fn check_reject(id: &str, row: &Json, wire: Vec<u8>) {
    let table: Option<Json> = serde_json::from_str(row["spec"].as_str().unwrap()).ok();
    let dialect = match (table, id) {
        (Some(table), _) => translated(&table),
        (None, "r052") => dialect("mixed-52-fields"),
        (None, "r055") => dialect("positional-in-positional"),
        (None, "r057" | "r058" | "r068") => dialect("short-ascii"),
        (None, "r053" | "r065" | "r067") => dialect("ascii-binary-bitmap"),
        (None, _) => panic!("{id}: no dialect is named for this vector"),
    };
    let refused: Box<Rejected> = match dialect.decode(Bytes::from(wire)) {
        Ok(_) => panic!("{id}: accepted, though {}", row["why"]),
        Err(refused) => refused,
    };
    let error: &DecodeError = &refused.error;
    // Two of the sources call the MTI field 0.
    let field = row["field"].as_str().map(|field| if field == "0" { "t" } else { field }).unwrap();
    assert_eq!(field_of(error.place()), field, "{id}: {error}");
    if let Some(position) = row["pos"].as_u64() {
        assert_eq!(error.offset() as u64, position, "{id}: {error}");
    }
    if let (Some(partial), Some(fault)) = (&refused.partial, error.element()) {
        assert!(partial.elements().all(|de| de != fault || trailing(error)), "{id}");
    }
}

#[test]
fn bytes_behind_bitmaps_that_name_nothing_are_laid_to_the_last_of_them() {
    for (first, next, wire, level, offset) in [
        ("hex", "hex", b"02100000000000000000extra".to_vec(), 1, 20),
        ("hex", "hex", b"021080000000000000000000000000000000extra".to_vec(), 2, 36),
        ("hex", "hex", b"0210800000000000000080000000000000000000000000000000extra".to_vec(), 3, 52),
        ("hex", "binary", [b"02108000000000000000".to_vec(), vec![0; 8], vec![1]].concat(), 2, 28),
        ("binary", "binary", [b"0210\x80".to_vec(), vec![0; 15], vec![1]].concat(), 2, 20),
    ] {
        let text = format!(
            "name = \"t\"\nmti = {{ encoding = \"ascii\" }}\n\
             bitmap = {{ encoding = \"{first}\", secondary_encoding = \"{next}\", layout = \"tertiary\" }}\n\
             elements.2 = {{ name = \"n\", content = \"n\", length = 2 }}"
        );
        let error = Dialect::from_toml(&text, "t").unwrap().decode(wire.into()).unwrap_err().error;
        assert_eq!((error.place(), error.offset()), (&Place::Bitmap(level), offset), "{error}");
        assert!(trailing(&error), "{error}");
    }
}

/// Bytes after the last element are laid to that element, which was read.
fn trailing(error: &DecodeError) -> bool {
    matches!(error.fault(), Fault::Trailing { .. })
}

/// The place of a fault as the vectors name it.
fn field_of(place: &Place) -> String {
    match place {
        Place::Header => "h".to_owned(),
        Place::Mti => "t".to_owned(),
        Place::Bitmap(1) => "p".to_owned(),
        Place::Bitmap(_) => "1".to_owned(),
        Place::Element { de, path, .. } => format!("{de}{path}"),
    }
}

fn check_prefix_cut(prefix: &[u8]) {
    let dialect = Dialect::from_toml(
        "name = \"t\"\nmti = { encoding = \"ascii\" }\nbitmap = { encoding = \"hex\" }\n\
         elements.2 = { name = \"n\", content = \"n\", prefix = \"LLL\", prefix_encoding = \"bcd\", max = 20 }",
        "t",
    )
    .unwrap();
    let wire = [b"01004000000000000000", prefix].concat();
    let error = dialect.decode(wire.into()).unwrap_err().error;
    assert_eq!(error.fault(), &Fault::Short { needed: 2, left: 1 });
}

fn check_frame_cut(header: &[u8]) {
    let format = FrameFormat { length: LengthHeader::Ascii4, includes_itself: false, max_bytes: 2_048 };
    assert_eq!(format.split(&mut BytesMut::from(header)), Ok(None));
}

fn check_frame_too_long(header: &[u8]) {
    let format = FrameFormat { length: LengthHeader::Vml, includes_itself: false, max_bytes: 2_048 };
    let error = format.split(&mut BytesMut::from(header)).unwrap_err();
    assert!(matches!(error, FrameError::TooLong { found: 65_535, max: 2_048, .. }), "{error}");
}
