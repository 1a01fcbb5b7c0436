//! A message that decodes is written again, element by element from its values and composites from their
//! parts, and decodes to the same values.
#![no_main]

use bytes::{Bytes, BytesMut};
use iso8583::{Content, Dialect, Draft, Message, PartValue, SHIPPED, Value, shipped};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static DIALECTS: LazyLock<Vec<Dialect>> =
    LazyLock::new(|| SHIPPED.iter().map(|(name, _)| shipped(name).unwrap().unwrap()).collect());

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    for dialect in DIALECTS.iter() {
        if let Ok(message) = dialect.decode(bytes.clone()) {
            rewrite(dialect, &message);
            rewrite_parts(dialect, &message);
        }
    }
});

fn rewrite(dialect: &Dialect, message: &Message) {
    let mut draft = Draft::new(dialect, message.mti());
    draft.header(message.header());
    for de in message.elements() {
        if dialect.element(de).unwrap().content() == Content::Binary {
            draft.binary(de, &message.binary(de).unwrap());
        } else {
            draft.text(de, &message.text(de).unwrap());
        }
    }
    let again = decoded(dialect, &draft);
    assert_eq!(again.mti(), message.mti());
    assert_eq!(again.header(), message.header());
    assert!(again.elements().eq(message.elements()));
    assert!(message.elements().all(|de| again.text(de) == message.text(de)));
}

/// Parts may be written more tightly than they came (padding, long forms of lengths), and read the same.
fn rewrite_parts(dialect: &Dialect, message: &Message) {
    for de in message.elements() {
        let value = message.value(de).unwrap();
        let leaves = leaves(value);
        if leaves.is_empty() {
            continue;
        }
        let parts: Vec<_> = leaves
            .iter()
            .map(|(path, text, bytes)| match bytes {
                Some(bytes) => (path.as_str(), PartValue::Bytes(bytes)),
                None => (path.as_str(), PartValue::Text(text)),
            })
            .collect();
        let mut draft = Draft::new(dialect, message.mti());
        draft.parts(de, &parts);
        let again = decoded(dialect, &draft);
        assert_eq!(self::leaves(again.value(de).unwrap()), leaves);
    }
}

fn decoded(dialect: &Dialect, draft: &Draft) -> Message {
    let mut out = BytesMut::new();
    draft.encode_into(&mut out).unwrap();
    dialect.decode(out.freeze()).unwrap()
}

type Leaf = (String, String, Option<Vec<u8>>);

/// The parts that have no parts: path, text, and bytes where they are binary.
fn leaves(value: Value<'_>) -> Vec<Leaf> {
    let mut found = Vec::new();
    for (key, part) in value.parts() {
        if part.spec().is_composite() {
            let inner = leaves(part).into_iter();
            found.extend(inner.map(|(path, text, bytes)| (format!("{key}.{path}"), text, bytes)));
        } else {
            found.push((key, part.text().into_owned(), part.binary().map(Into::into)));
        }
    }
    found
}
