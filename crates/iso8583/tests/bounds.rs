//! Hostile shapes: many tags, the same tag again and again, deep nesting, long lengths. Each is decided with bounded work and
//! without overflowing anything.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use bytes::{Bytes, BytesMut};
use iso8583::{CardData, Dialect, Draft, Mti, PartValue, describe};
use support::dialect;

fn with_chip_data(parts: &str) -> Dialect {
    let text = format!(
        "name = \"t\"\nmti = {{ encoding = \"ascii\" }}\nbitmap = {{ encoding = \"binary\" }}\n\
         [elements.55]\nname = \"chip data\"\ncontent = \"b\"\nprefix = \"LLLLLL\"\nmax = 999999\n{parts}\n"
    );
    Dialect::from_toml(&text, "t").unwrap()
}

fn message(value: &[u8]) -> Bytes {
    let mut wire = b"0100\0\0\0\0\0\0\x02\0".to_vec();
    wire.extend(format!("{:06}", value.len()).bytes());
    wire.extend(value);
    wire.into()
}

#[test]
fn the_same_tag_many_times_is_kept_in_order_and_echoed_byte_for_byte() {
    let dialect = with_chip_data("parts.ber_tlv = {}");
    let value: Vec<u8> = (0..20_000_u32).flat_map(|at| [0x9A, 1, at.to_be_bytes()[3]]).collect();
    let request = dialect.decode(message(&value)).unwrap();
    let parts = request.value(55).unwrap().parts();
    assert_eq!(parts.len(), 20_000);
    assert_eq!(parts[7].1.raw(), [7]);
    assert_eq!(request.part(55, "9A").unwrap().raw(), [0], "the first is meant");
    let mut out = BytesMut::new();
    Draft::answer(&request).unwrap().echo(55, &request).encode_into(&mut out).unwrap();
    assert_eq!(out[18..], value);
}

#[test]
fn many_tags_are_written_as_fast_as_they_are_read() {
    let dialect = with_chip_data(
        "parts.ber_tlv.tags.70 = { name = \"template\", content = \"b\", parts.ber_tlv = {} }",
    );
    let paths: Vec<String> =
        (0..4_000).map(|at| format!("70.DF{:02X}{:02X}", 0x80 | (at / 128), at % 128)).collect();
    let parts: Vec<_> = paths.iter().map(|path| (path.as_str(), PartValue::Bytes(b"x"))).collect();
    let mut draft = Draft::new(&dialect, Mti::parse("0100").unwrap());
    let mut out = BytesMut::new();
    draft.parts(55, &parts).encode_into(&mut out).unwrap();
    let message = dialect.decode(out.freeze()).unwrap();
    assert_eq!(message.part(55, "70").unwrap().parts().len(), 4_000);
}

#[test]
fn templates_are_opened_as_deep_as_the_dialect_says_and_no_deeper() {
    let mut value = vec![0x9A, 1, 7];
    for _ in 0..60 {
        value = [&[0x70, u8::try_from(value.len()).unwrap()], &value[..]].concat();
    }
    let dialect = with_chip_data(
        "parts.ber_tlv.tags.70 = { name = \"outer\", content = \"b\", parts.ber_tlv.tags.70 = { name = \"inner\", content = \"b\" } }",
    );
    let message = dialect.decode(message(&value[..])).unwrap();
    let rows = describe(&message, CardData::Shown);
    assert_eq!(rows.last().unwrap().element, "55.70.70");
}

#[test]
fn a_dialect_file_that_is_nested_too_deep_is_refused_and_not_followed() {
    for depth in [20, 2_000] {
        let mut parts = "{ name = \"p\", content = \"b\" }".to_owned();
        for _ in 0..depth {
            parts = format!("{{ name = \"p\", content = \"b\", parts.ber_tlv.tags.70 = {parts} }}");
        }
        let text = format!(
            "name = \"t\"\nmti = {{ encoding = \"ascii\" }}\nbitmap = {{ encoding = \"binary\" }}\n\
             elements.55 = {{ name = \"c\", content = \"b\", length = 9, parts.ber_tlv.tags.70 = {parts} }}\n"
        );
        assert_eq!(Dialect::from_toml(&text, "t").is_ok(), depth == 20, "{depth}");
    }
}

#[test]
fn a_length_far_over_the_message_costs_nothing() {
    let dialect = with_chip_data("");
    let wire = Bytes::from_static(b"0100\0\0\0\0\0\0\x02\0999999x");
    let refused = dialect.decode(wire).unwrap_err();
    assert_eq!(refused.to_string(), "DE 55 chip data: needs 999999 bytes, 1 are left (offset 18)");
    for length in [&b"\x9A\x83\xFF\xFF\xFF"[..], b"\x9A\x84\x7F\xFF\xFF\xFF", b"\x9A\xFF"] {
        let dialect = with_chip_data("parts.ber_tlv = {}");
        assert_eq!(dialect.decode(message(length)).unwrap_err().error.element(), Some(55));
    }
}

#[test]
fn everything_present_and_as_long_as_it_may_be_is_still_one_message() {
    let dialect = dialect("ascii-1987");
    let mut draft = Draft::new(&dialect, Mti::parse("0100").unwrap());
    let long = "x".repeat(999);
    for de in (46..=48).chain(56..=63).chain(105..=127) {
        draft.text(de, &long);
    }
    let mut out = BytesMut::new();
    draft.encode_into(&mut out).unwrap();
    let message = dialect.decode(out.freeze()).unwrap();
    assert_eq!(message.elements().count(), 34);
    assert_eq!(describe(&message, CardData::Masked).len(), 35);
}
