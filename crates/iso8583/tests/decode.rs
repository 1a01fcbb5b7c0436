//! What a decoded message gives, and how a broken one is refused, in the shipped dialects.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use bytes::{Bytes, BytesMut};
use iso8583::{CardData, Dialect, Draft, EncodeError, Message, Mti, Rejected, describe, shipped};

fn ascii() -> Dialect {
    shipped("ascii-1987").unwrap().unwrap()
}

fn binary() -> Dialect {
    shipped("binary-1987").unwrap().unwrap()
}

fn mti(text: &str) -> Mti {
    Mti::parse(text).unwrap()
}

/// A purchase as a processor would send it, in either dialect.
fn purchase(dialect: &Dialect) -> Bytes {
    let mut out = BytesMut::new();
    Draft::new(dialect, mti("0100"))
        .text(2, "4242424242424242")
        .text(3, "000000")
        .number(4, 1_999)
        .text(7, "1120183522")
        .number(11, 123)
        .text(12, "133522")
        .text(13, "1120")
        .text(14, "2912")
        .text(18, "5411")
        .text(19, "840")
        .text(22, "051")
        .text(25, "00")
        .text(32, "476135")
        .text(35, "4242424242424242=29121010000012345678")
        .text(37, "632518000123")
        .text(41, "TERM0001")
        .text(42, "MERCHANT")
        .text(49, "840")
        .binary(52, &[1, 2, 3, 4, 5, 6, 7, 8])
        .binary(55, &[0x9A, 3, 0x26, 0x11, 0x20])
        .encode_into(&mut out)
        .unwrap();
    out.freeze()
}

fn rejected(dialect: &Dialect, wire: &[u8]) -> Rejected {
    *dialect.decode(Bytes::copy_from_slice(wire)).expect_err("must be refused")
}

#[test]
fn a_purchase_reads_the_same_in_both_dialects() {
    for dialect in [ascii(), binary()] {
        let message = dialect.decode(purchase(&dialect)).unwrap();
        assert_eq!(message.mti(), mti("0100"));
        assert_eq!(message.text(2).unwrap(), "4242424242424242");
        assert_eq!(message.digits(2).unwrap().as_str(), "4242424242424242");
        assert_eq!(message.number(4), Some(1_999));
        assert_eq!(message.text(4).unwrap(), "000000001999");
        assert_eq!(message.digits(19).unwrap().as_bytes(), b"840");
        assert_eq!(message.text(35).unwrap().replace('D', "="), "4242424242424242=29121010000012345678");
        assert_eq!(message.text(42).unwrap(), "MERCHANT       ");
        assert_eq!(message.binary(52).unwrap()[..], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(message.text(55).unwrap(), "9A03261120");
        assert!(!message.has(38) && message.text(38).is_none());
        assert_eq!(message.elements().count(), 20);
    }
}

#[test]
fn the_packed_purchase_is_the_bytes_that_the_standard_draws() {
    let wire = binary();
    let wire = purchase(&wire);
    assert_eq!(wire[..2], [0x01, 0x00]);
    assert_eq!(wire[2..10], [0x72, 0x3C, 0x64, 0x81, 0x28, 0xC0, 0x92, 0x00]);
    assert_eq!(wire[10], 0x16);
    assert_eq!(wire[11..19], [0x42; 8]);
    let track = [0x37, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0xD2];
    assert!(wire.windows(track.len()).any(|window| window == track));
}

#[test]
fn an_answer_echoes_byte_for_byte_and_adds_its_own() {
    let dialect = ascii();
    let request = dialect.decode(purchase(&dialect)).unwrap();
    let mut out = BytesMut::new();
    let mut draft = Draft::new(&dialect, request.mti().answer().unwrap());
    for de in [2, 3, 4, 7, 11, 32, 37, 38, 41, 42, 49] {
        draft.echo(de, &request);
    }
    draft.text(39, "00").text(38, "A1B2").encode_into(&mut out).unwrap();
    let answer = dialect.decode(out.freeze()).unwrap();
    assert_eq!(answer.mti(), mti("0110"));
    for de in [2, 3, 4, 7, 11, 32, 37, 41, 42, 49] {
        assert_eq!(answer.raw(de), request.raw(de), "DE {de}");
    }
    assert_eq!(answer.text(38).unwrap(), "A1B2  ");
}

#[test]
fn echo_translates_between_dialects() {
    let (ascii, binary) = (ascii(), binary());
    let request = ascii.decode(purchase(&ascii)).unwrap();
    let mut draft = Draft::new(&binary, request.mti());
    for de in request.elements() {
        draft.echo(de, &request);
    }
    let mut out = BytesMut::new();
    draft.encode_into(&mut out).unwrap();
    assert_eq!(out, purchase(&binary));
}

#[test]
fn a_non_numeric_amount_is_refused_at_its_element_and_offset_and_the_rest_is_kept_for_the_answer() {
    let dialect = ascii();
    let mut wire = purchase(&dialect).to_vec();
    let amount = 4 + 16 + 2 + 16 + 6;
    wire[amount + 9] = b'x';
    let Rejected { error, partial } = rejected(&dialect, &wire);
    assert_eq!(error.element(), Some(4));
    assert_eq!(error.offset(), amount);
    assert_eq!(
        error.to_string(),
        "DE 4 amount, transaction: 0x78 ('x') at offset 53 is not among the allowed digits (offset 44)"
    );
    let partial = partial.unwrap();
    assert_eq!(partial.mti(), mti("0100"));
    let whole = dialect.decode(purchase(&dialect)).unwrap();
    let rest: Vec<_> = whole.elements().filter(|de| *de != 4).collect();
    assert_eq!(partial.elements().collect::<Vec<_>>(), rest);
    for de in rest {
        assert_eq!(partial.raw(de), whole.raw(de), "DE {de}");
    }
    assert_eq!(partial.text(4), None);
    let echo = |message: &Message| {
        let (mut draft, mut out) = (Draft::new(&dialect, mti("0110")), BytesMut::new());
        for de in [2, 3, 7, 11, 37] {
            draft.echo(de, message);
        }
        draft.encode_into(&mut out).unwrap();
        out
    };
    assert_eq!(echo(&partial), echo(&whole), "an answer carries the references and nothing of the fault");
}

#[test]
fn after_a_length_that_cannot_be_trusted_nothing_is_read() {
    let dialect = ascii();
    let mut wire = purchase(&dialect).to_vec();
    wire[4 + 16] = b'9'; // DE 2 announces more digits than it may have
    let Rejected { error, partial } = rejected(&dialect, &wire);
    assert_eq!(error.element(), Some(2));
    assert_eq!(partial.unwrap().elements().count(), 0);
}

#[test]
fn a_message_without_an_mti_has_nothing_to_answer() {
    let refused = rejected(&ascii(), b"01");
    assert_eq!(refused.error.to_string(), "MTI: needs 4 bytes, 2 are left (offset 0)");
    assert_eq!(refused.error.element(), None);
    assert!(refused.partial.is_none());
    let refused = rejected(&binary(), b"\x01\xA0");
    assert_eq!(refused.error.to_string(), "MTI: 0xA0 at offset 1 is not among the allowed digits (offset 0)");
}

#[test]
fn a_bad_bitmap_is_refused_with_its_offset() {
    let refused = rejected(&ascii(), b"0100700000000000000G");
    assert_eq!(
        refused.error.to_string(),
        "bitmap: 0x47 ('G') at offset 19 is not among the allowed hexadecimal digits (offset 4)"
    );
    assert_eq!(refused.partial.unwrap().mti(), mti("0100"));
    let refused = rejected(&binary(), b"\x01\x00\x80\0\0\0\0\0\0\0\x00");
    assert_eq!(refused.error.to_string(), "secondary bitmap: needs 8 bytes, 1 are left (offset 10)");
}

#[test]
fn an_element_outside_the_dialect_and_bytes_after_the_last_are_refused() {
    let refused = rejected(&binary(), b"\x08\x00\x80\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0");
    assert_eq!(refused.error.to_string(), "DE 65: is in the bitmap but not in the dialect (offset 18)");
    let refused = rejected(&ascii(), b"08000020000000000000000042!");
    assert_eq!(
        refused.error.to_string(),
        "DE 11 system trace audit number: 1 bytes follow the last element (offset 26)"
    );
}

#[test]
fn a_length_out_of_bounds_is_refused_at_its_prefix() {
    for (wire, expected) in [
        (&b"0100400000000000000020"[..], "length 20 exceeds the maximum of 19 characters"),
        (b"0100400000000000000000", "length 0 is below the minimum of 1 characters"),
        (b"01004000000000000000-1", "length prefix [2D, 31] is not ASCII digits"),
        (b"01004000000000000000164242", "needs 16 bytes, 4 are left"),
        (b"010040000000000000001", "needs 2 bytes, 1 are left"),
    ] {
        let error = rejected(&ascii(), wire).error;
        assert_eq!(error.element(), Some(2));
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn no_error_and_no_debug_shows_card_data() {
    let dialect = ascii();
    let refused = rejected(&dialect, b"01004000000000000000164242424242X24242");
    let shown = format!("{refused} {refused:?}");
    assert!(shown.contains("masked character"), "{shown}");
    let message = dialect.decode(purchase(&dialect)).unwrap();
    let shown = format!("{message:?} {:?}", message.digits(2).unwrap());
    assert!(!shown.contains("42424"), "{shown}");
    let mut draft = Draft::new(&dialect, mti("0100"));
    let error = draft.text(2, "42X4").encode_into(&mut BytesMut::new()).unwrap_err();
    assert!(!error.to_string().contains('X'), "{error}");
}

#[test]
fn a_description_masks_card_data_unless_asked() {
    let value = |message: &Message, card_data, element: &str| {
        describe(message, card_data).into_iter().find(|row| row.element == element).unwrap().value
    };
    for dialect in [ascii(), binary()] {
        let message = dialect.decode(purchase(&dialect)).unwrap();
        assert_eq!(value(&message, CardData::Masked, "2"), "424242******4242");
        for element in ["14", "35", "52", "55"] {
            let shown = value(&message, CardData::Masked, element);
            assert!(shown.bytes().all(|byte| byte == b'*'), "DE {element}: {shown}");
        }
        assert_eq!(value(&message, CardData::Masked, "MTI"), "0100");
        assert_eq!(value(&message, CardData::Masked, "4"), "000000001999");
        assert_eq!(value(&message, CardData::Shown, "2"), "4242424242424242");
    }
}

#[test]
fn a_value_that_does_not_fit_is_refused_by_name_and_nothing_is_written() {
    let dialect = ascii();
    type Set = fn(&mut Draft) -> &mut Draft;
    let cases: [(Set, &str); 6] = [
        (
            |d| d.number(4, 10_u64.pow(12)),
            "DE 4 amount, transaction: length 13 exceeds the maximum of 12 characters",
        ),
        (|d| d.text(4, "12"), "DE 4 amount, transaction: length 2 is below the minimum of 12 characters"),
        (|d| d.text(39, "000"), "DE 39 response code: length 3 exceeds the maximum of 2 characters"),
        (|d| d.text(65, "1"), "DE 65 is not in the dialect ascii-1987"),
        (|d| d.text(52, "00"), "DE 52 personal identification number data holds bytes, not characters"),
        (|d| d.binary(4, b"00"), "DE 4 amount, transaction holds digits, not bytes"),
    ];
    for (set, expected) in cases {
        let mut draft = Draft::new(&dialect, mti("0110"));
        let mut out = BytesMut::from(&b"before"[..]);
        let error: EncodeError = set(&mut draft).text(11, "000001").encode_into(&mut out).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(out, "before");
    }
}

#[test]
fn a_message_can_cross_threads() {
    fn needs<T: Send + Sync + 'static>() {}
    needs::<Message>();
    needs::<Dialect>();
    assert!(std::mem::size_of::<Message>() <= 128);
}
