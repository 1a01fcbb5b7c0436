//! Properties of the shipped dialects: what is written reads back, and no input makes the codec panic.
#![allow(clippy::unwrap_used, missing_docs)]

use bytes::{Bytes, BytesMut};
use iso8583::{Content, Dialect, Draft, ElementSpec, Encoding, Length, Message, Mti, SHIPPED, Unit, shipped};
use proptest::prelude::*;
use std::sync::LazyLock;

fn dialects() -> impl Iterator<Item = &'static Dialect> {
    static DIALECTS: LazyLock<Vec<Dialect>> =
        LazyLock::new(|| SHIPPED.iter().map(|(name, _)| shipped(name).unwrap().unwrap()).collect());
    DIALECTS.iter()
}

/// A length that the element allows, picked by `seed`, in characters or bytes of the value.
fn size(spec: &ElementSpec, seed: u64) -> usize {
    let units = match spec.length() {
        Length::Fixed(count) => count,
        Length::Variable { min, max, .. } | Length::Enclosed { min, max } => {
            min + u32::try_from(seed % u64::from(max - min + 1)).unwrap()
        }
    } as usize;
    match (spec.encoding(), spec.unit()) {
        (Encoding::Hex, Unit::Characters) => units.div_ceil(2),
        _ => units,
    }
}

fn characters(content: Content) -> &'static [u8] {
    match content {
        Content::Numeric => b"0123456789",
        Content::Alphabetic => b"ABCXYZabcxyz ",
        Content::Alphanumeric => b"ABCxyz0189 ",
        Content::Printable => b"ABCxyz0189 !~/.,*=",
        Content::Text => b"Az09 \t\n\x00\x7F",
        Content::Track => b"0123456789D",
        Content::Hexadecimal => b"0123456789ABCDEF",
        Content::SignedNumeric => b"0123456789",
        Content::Binary => b"",
    }
}

/// Sets `de` to a value that its element allows; returns the text that it must read back as.
fn set(draft: &mut Draft, spec: &ElementSpec, seed: u64) -> String {
    let mut state = seed | 1;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let size = size(spec, seed);
    if spec.content() == Content::Binary {
        let bytes: Vec<u8> = (0..size).map(|_| next() as u8).collect();
        draft.binary(spec.number(), &bytes);
        return bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    }
    let alphabet = characters(spec.content());
    let mut text: String = (0..size).map(|_| char::from(alphabet[next() % alphabet.len()])).collect();
    if spec.content() == Content::SignedNumeric {
        text.replace_range(..1, "D");
    }
    draft.text(spec.number(), &text);
    text
}

/// The element, unless it is made of parts: random text is no composite.
fn simple(dialect: &Dialect, de: u8) -> Option<&ElementSpec> {
    dialect.element(de).filter(|spec| !spec.is_composite())
}

fn encoded(draft: &Draft) -> Bytes {
    let mut out = BytesMut::new();
    draft.encode_into(&mut out).unwrap();
    out.freeze()
}

/// Touches every accessor, so that a panic in any of them is found.
fn read_all(message: &Message) {
    for de in 0..=u8::MAX {
        let _ =
            (message.text(de), message.digits(de), message.number(de), message.binary(de), message.raw(de));
    }
    let _ = (format!("{message:?}"), iso8583::describe(message, iso8583::CardData::Masked));
}

#[test]
fn a_message_type_that_would_not_be_read_again_is_not_written() {
    let packed =
        "name = \"p\"\nmti = { encoding = \"packed\" }\nbitmap = { encoding = \"binary\" }\n[elements]\n";
    let packed = Dialect::from_toml(packed, "p").unwrap();
    let letters = packed.decode(Bytes::from_static(b"\xAB\x0D\0\0\0\0\0\0\0\0")).unwrap().mti();
    for (name, mti, written) in [
        ("ascii-1987", "3030", true),
        ("binary-1987", "3030", false),
        ("binary-1987", "3040", true),
        ("visa-like", "3939", false),
    ] {
        let dialect = iso8583::shipped(name).unwrap().unwrap();
        let draft = Draft::new(&dialect, Mti::parse(mti).unwrap());
        assert_eq!(draft.encode_into(&mut BytesMut::new()).is_ok(), written, "{name} {mti}");
        let error = Draft::new(&dialect, letters).encode_into(&mut BytesMut::new()).unwrap_err();
        assert_eq!(error.to_string(), format!("message type AB0D cannot be written in the dialect {name}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back_and_is_written_again_the_same(
        mti in "[0-24-9][0-9]{3}",
        elements in proptest::collection::btree_map(2..=128_u8, any::<u64>(), 0..30),
    ) {
        for dialect in dialects() {
            let mut draft = Draft::new(dialect, Mti::parse(&mti).unwrap());
            let mut expected = Vec::new();
            for (de, seed) in &elements {
                if let Some(spec) = simple(dialect, *de) {
                    expected.push((*de, set(&mut draft, spec, *seed)));
                }
            }
            let wire = encoded(&draft);
            let message = dialect.decode(wire.clone()).map_err(|refused| TestCaseError::fail(refused.to_string()))?;
            prop_assert_eq!(message.mti().to_string(), mti.clone());
            let read: Vec<_> = message.elements().map(|de| (de, message.text(de).unwrap().into_owned())).collect();
            prop_assert_eq!(read, expected);
            let mut again = Draft::new(dialect, message.mti());
            message.elements().for_each(|de| { again.echo(de, &message); });
            prop_assert_eq!(encoded(&again), wire);
        }
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for dialect in dialects() {
            match dialect.decode(Bytes::copy_from_slice(&bytes)) {
                Ok(message) => read_all(&message),
                Err(refused) => {
                    let _ = refused.to_string();
                    prop_assert!(refused.error.offset() <= bytes.len());
                    refused.partial.iter().for_each(read_all);
                }
            }
        }
    }

    #[test]
    fn a_damaged_message_never_panics_and_never_reads_past_its_fault(
        elements in proptest::collection::btree_map(2..=128_u8, any::<u64>(), 1..20),
        damage in any::<(u16, u8)>(),
        cut in any::<u16>(),
    ) {
        for dialect in dialects() {
            let mut draft = Draft::new(dialect, Mti::parse("0100").unwrap());
            for (de, seed) in &elements {
                if let Some(spec) = simple(dialect, *de) {
                    set(&mut draft, spec, *seed);
                }
            }
            let mut wire = encoded(&draft).to_vec();
            let at = usize::from(damage.0) % wire.len();
            wire[at] ^= damage.1;
            wire.truncate(usize::from(cut) % (wire.len() * 2));
            match dialect.decode(Bytes::from(wire)) {
                Ok(message) => read_all(&message),
                Err(refused) => {
                    refused.partial.iter().for_each(read_all);
                }
            }
        }
    }
}
