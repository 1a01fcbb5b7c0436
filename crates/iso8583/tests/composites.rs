//! Elements made of parts: reading by path, faults inside, writing from parts, masking; and answers that carry a
//! header back.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use bytes::{Bytes, BytesMut};
use iso8583::{CardData, Dialect, Draft, Fault, Message, Mti, PartValue, describe};
use support::dialect;

/// DE 48 of a Mastercard-like message: `R`, then tag 38 `Z`, an unknown tag 99 `XY`, and tag 92 with secret digits.
fn mastercard_like() -> (Dialect, Message) {
    let dialect = dialect("mastercard-like");
    let parts = [
        ("00", PartValue::Text("R")),
        ("38", PartValue::Text("Z")),
        ("99", PartValue::Text("XY")),
        ("92", PartValue::Text("123")),
    ];
    let message = written(&dialect, |draft| draft.parts(48, &parts));
    (dialect, message)
}

fn written(dialect: &Dialect, fill: impl Fn(&mut Draft) -> &mut Draft) -> Message {
    let mut draft = Draft::new(dialect, Mti::parse("0100").unwrap());
    let mut out = BytesMut::new();
    fill(&mut draft).encode_into(&mut out).unwrap();
    dialect.decode(out.freeze()).unwrap()
}

#[test]
fn parts_are_read_by_path_and_unknown_tags_are_kept() {
    let (_, message) = mastercard_like();
    assert_eq!(message.text(48).unwrap(), "R3801Z9902XY9203123");
    assert_eq!(message.part(48, "00").unwrap().text(), "R");
    assert_eq!(message.part(48, "99").unwrap().text(), "XY");
    assert_eq!(message.part(48, "92").unwrap().number(), Some(123));
    assert!(message.part(48, "63").is_none());
    assert!(message.part(48, "38.1").is_none() && message.part(3, "1").is_none());
    let keys: Vec<_> = message.value(48).unwrap().parts().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["00", "38", "99", "92"]);
}

#[test]
fn a_masked_part_masks_the_whole_and_itself_and_nothing_else() {
    let (_, message) = mastercard_like();
    let value = |card_data, element: &str| {
        describe(&message, card_data).into_iter().find(|row| row.element == element).unwrap().value
    };
    assert_eq!(value(CardData::Masked, "48"), "****************");
    assert_eq!(value(CardData::Masked, "48.38"), "Z");
    assert_eq!(value(CardData::Masked, "48.92"), "***");
    assert_eq!(value(CardData::Shown, "48.92"), "123");
}

#[test]
fn what_is_said_of_unlisted_tags_masks_them_too() {
    let text = "name = \"t\"\nmti = { encoding = \"ascii\" }\nbitmap = { encoding = \"hex\" }\n\
                [elements.48]\nname = \"data\"\ncontent = \"ans\"\nprefix = \"LLL\"\nmax = 99\n\
                [elements.48.parts.tagged]\ntag_width = 2\ntag_encoding = \"ascii\"\nsize = \"LL\"\n\
                size_encoding = \"ascii\"\ntags.01 = { name = \"kind\", content = \"n\" }\n\
                other = { name = \"secret\", content = \"ans\", sensitive = true }\n";
    let dialect = Dialect::from_toml(text, "t").unwrap();
    let parts = [("01", PartValue::Text("7")), ("99", PartValue::Text("hush"))];
    let message = written(&dialect, |draft| draft.parts(48, &parts));
    let shown = format!("{:?}", describe(&message, CardData::Masked));
    assert!(shown.contains("\"7\"") && !shown.contains("hush"), "{shown}");
}

#[test]
fn every_part_of_chip_data_is_masked() {
    let dialect = dialect("visa-like");
    let parts = [("01.9F02", PartValue::Bytes(&[0, 0, 0, 0, 5, 1])), ("01.5A", PartValue::Bytes(&[0x42; 8]))];
    let message = written(&dialect, |draft| draft.parts(55, &parts));
    assert_eq!(message.part(55, "01.9F02").unwrap().text(), "000000000501");
    assert_eq!(message.part(55, "01.9f02").unwrap().raw(), [0, 0, 0, 0, 5, 1]);
    assert!(message.part(55, "01.9F").is_none() && message.part(55, "02").is_none());
    let shown = format!("{:?}", describe(&message, CardData::Masked));
    assert!(shown.contains("55.01.5A") && !shown.contains("4242") && !shown.contains("0501"), "{shown}");
}

#[test]
fn a_data_set_that_comes_twice_is_written_twice() {
    let dialect = dialect("visa-like");
    let parts = [("5D.01", &[1][..]), ("5D.02", &[2, 2]), ("5D.01", &[3]), ("02.9F6E", &[4])];
    let message = written(&dialect, |draft| {
        draft.parts(104, &parts.map(|(path, bytes)| (path, PartValue::Bytes(bytes))))
    });
    assert_eq!(message.text(104).unwrap(), "5D0007010101020202025D00030101030200049F6E0104");
    assert_eq!(message.value(104).unwrap().parts().len(), 3);
    assert_eq!(message.part(104, "5D.01").unwrap().raw(), [1]);
}

#[test]
fn a_fault_inside_a_part_names_its_path_and_offset() {
    // A positional part with a letter where digits belong.
    let error = refusal("positional-in-positional", b"0100\x20\0\0\0\0\0\0\x001400111112345Q00");
    assert_eq!(
        error,
        "DE 3.2.2 composite: 0x51 ('Q') at offset 25 is not among the allowed digits (offset 20)"
    );
    // A tag whose value reaches past its element.
    let error = refusal("tlv-in-positional", b"0100200000000000000000800003\x9F\x02\x06");
    assert_eq!(error, "DE 3.55.9F02 composite: needs 6 bytes, 0 are left (offset 28)");
}

#[test]
fn bytes_after_the_last_part_are_refused() {
    let text = "name = \"t\"\nmti = { encoding = \"ascii\" }\nbitmap = { encoding = \"binary\" }\n\
                [elements.3]\nname = \"code\"\ncontent = \"n\"\nlength = 6\n\
                parts.order = [{ key = \"type\", name = \"type\", content = \"n\", length = 2 }, \
                { key = \"from\", name = \"from\", content = \"n\", length = 2 }]\n";
    let dialect = Dialect::from_toml(text, "t").unwrap();
    let refused = dialect.decode(Bytes::from_static(b"0100\x20\0\0\0\0\0\0\x00000030")).unwrap_err();
    assert_eq!(refused.to_string(), "DE 3 code: 2 bytes follow the last part (offset 16)");
    // One bit, its element, and a byte too many.
    let refused = written_raw("visa-like", 62, b"\x80\0\0\0\0\0\0\0\xE8\xE8");
    assert_eq!(refused, "DE 62 of custom payment service elements: 1 bytes follow the last part");
}

/// Why a composite cannot be sent as these bytes.
fn written_raw(name: &str, de: u8, bytes: &[u8]) -> String {
    let mut draft = Draft::new(&dialect(name), Mti::parse("0100").unwrap());
    draft.binary(de, bytes).encode_into(&mut BytesMut::new()).unwrap_err().to_string()
}

fn refusal(name: &str, wire: &'static [u8]) -> String {
    dialect(name).decode(Bytes::from_static(wire)).unwrap_err().to_string()
}

#[test]
fn a_composite_that_cannot_be_read_is_not_written() {
    let visa = dialect("visa-like");
    let positional = dialect("positional-in-positional");
    type Fill = fn(&mut Draft) -> &mut Draft;
    let cases: [(&Dialect, Fill, &str); 7] = [
        (&positional, |d| d.parts(3, &[("1", PartValue::Text("00"))]), "DE 3.2 of composite: is missing"),
        (
            &positional,
            |d| d.parts(3, &[("1", PartValue::Text("00")), ("2.1", PartValue::Text("12"))]),
            "DE 3.2.1 of composite: length 2 is below the minimum of 4 characters",
        ),
        (
            &positional,
            |d| {
                let inner = [("1", "00"), ("2.1", "1111"), ("2.2", "222222"), ("3", "00"), ("4", "0")];
                d.parts(3, &inner.map(|(path, text)| (path, PartValue::Text(text))))
            },
            "DE 3.4 of composite: is no part of it",
        ),
        (
            &positional,
            |d| d.parts(3, &[("1", PartValue::Bytes(&[0]))]),
            "DE 3.1 of composite: is not of the kind that this part holds: digits",
        ),
        (
            &visa,
            |d| d.parts(62, &[("40", PartValue::Text("x"))]),
            "DE 62.40 of custom payment service elements: is no part of it",
        ),
        (&visa, |d| d.parts(3, &[]), "DE 3 processing code holds digits, not parts"),
        // Raw bytes are checked too: a bitmap that names a bit nobody knows.
        (
            &visa,
            |d| d.binary(63, &[0x08, 0, 0]),
            "DE 63.5 of network data: is in the bitmap but not in the dialect",
        ),
    ];
    for (dialect, fill, expected) in cases {
        let mut draft = Draft::new(dialect, Mti::parse("0100").unwrap());
        let error = fill(&mut draft).encode_into(&mut BytesMut::new()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_nested_bitmap_is_written_and_read_in_every_encoding() {
    for (encoding, bitmap) in
        [("binary", &b"\x81\x80"[..]), ("hex", b"8180"), ("ebcdic-hex", b"\xF8\xF1\xF8\xF0")]
    {
        let text = format!(
            "name = \"t\"\nmti = {{ encoding = \"ascii\" }}\nbitmap = {{ encoding = \"binary\" }}\n\
             [elements.127]\nname = \"private\"\ncontent = \"b\"\nprefix = \"LLL\"\nmax = 99\n\
             [elements.127.parts.bitmap]\nbytes = 2\nencoding = \"{encoding}\"\n\
             bits.1 = {{ name = \"a\", content = \"n\", length = 2 }}\n\
             bits.8 = {{ name = \"b\", content = \"n\", prefix = \"L\", max = 9 }}\n\
             bits.9 = {{ name = \"c\", content = \"an\", length = 1 }}\n"
        );
        let dialect = Dialect::from_toml(&text, "t").unwrap();
        let parts = [("9", "x"), ("1", "11"), ("8", "222")].map(|(key, text)| (key, PartValue::Text(text)));
        let message = written(&dialect, |draft| draft.parts(127, &parts));
        assert_eq!(message.raw(127).unwrap(), [bitmap, b"113222x"].concat(), "{encoding}");
        assert_eq!(message.part(127, "8").unwrap().number(), Some(222));
        let cut = Bytes::from([&b"0100\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02001"[..], b"8"].concat());
        assert_eq!(dialect.decode(cut).unwrap_err().error.place().to_string(), "DE 127 private");
    }
}

#[test]
fn a_value_may_end_early_only_where_the_dialect_says_so() {
    let text = |early: bool| {
        format!(
            "name = \"t\"\nmti = {{ encoding = \"ascii\" }}\nbitmap = {{ encoding = \"binary\" }}\n\
             [elements.43]\nname = \"place\"\ncontent = \"ans\"\nprefix = \"LL\"\nmax = 9\n\
             [elements.43.parts]\nmay_end_early = {early}\norder = [\
             {{ key = \"city\", name = \"city\", content = \"ans\", length = 4 }}, \
             {{ key = \"country\", name = \"country\", content = \"a\", length = 2 }}, \
             {{ key = \"rest\", name = \"rest\", content = \"ans\" }}]\n"
        )
    };
    let wire = |value: &str| Bytes::from(format!("0100\0\0\0\0\0\x20\0\0{:02}{value}", value.len()));
    let early = Dialect::from_toml(&text(true), "t").unwrap();
    assert_eq!(early.decode(wire("ROME")).unwrap().value(43).unwrap().parts().len(), 1);
    assert_eq!(early.decode(wire("ROMEITabc")).unwrap().part(43, "rest").unwrap().text(), "abc");
    let gap = [("city", PartValue::Text("ROME")), ("rest", PartValue::Text("x"))];
    let mut draft = Draft::new(&early, Mti::parse("0100").unwrap());
    let error = draft.parts(43, &gap).encode_into(&mut BytesMut::new()).unwrap_err();
    assert_eq!(error.to_string(), "DE 43.rest of place: comes after a part that is missing");
    let whole = Dialect::from_toml(&text(false), "t").unwrap();
    let refused = whole.decode(wire("ROME")).unwrap_err();
    assert_eq!(refused.error.fault(), &Fault::Short { needed: 2, left: 0 });
    assert_eq!(refused.error.place().to_string(), "DE 43.country place");
}

#[test]
fn an_answer_goes_back_through_the_header_it_came_with() {
    let tpdu = dialect("tpdu-bcd");
    let request =
        tpdu.decode(Bytes::from_static(b"\x60\x00\x08\x12\x34\x02\x00\x20\0\0\0\0\0\0\0\0\0\0")).unwrap();
    let mut out = BytesMut::new();
    Draft::answer(&request).unwrap().echo(3, &request).encode_into(&mut out).unwrap();
    assert_eq!(&out[..], b"\x60\x12\x34\x00\x08\x02\x10\x20\0\0\0\0\0\0\0\0\0\0");

    let visa = dialect("visa-like");
    let request = written(&visa, |draft| {
        draft.header(&[22, 1, 2, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).text(11, "000042")
    });
    let mut out = BytesMut::new();
    Draft::answer(&request).unwrap().echo(11, &request).text(39, "00").encode_into(&mut out).unwrap();
    let shown = describe(&request, CardData::Masked);
    assert_eq!(shown[0].element, "header");
    assert!(shown[0].value.starts_with("16010200") && shown[1].element == "MTI", "{shown:?}");
    let length = u8::try_from(out.len()).unwrap();
    assert_eq!(out[..11], [22, 1, 2, 0, length, 4, 5, 6, 1, 2, 3]);
    assert_eq!(visa.decode(out.freeze()).unwrap().mti().to_string(), "0110");
}

#[test]
fn an_answer_is_not_answered() {
    let (_, message) = mastercard_like();
    let mut out = BytesMut::new();
    Draft::answer(&message).unwrap().encode_into(&mut out).unwrap();
    let answer = dialect("mastercard-like").decode(out.freeze()).unwrap();
    assert!(Draft::answer(&answer).is_none());
}
