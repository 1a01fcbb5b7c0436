//! What the targets share: the dialects, and reading and rewriting everything in a message.

use bytes::{Bytes, BytesMut};
use iso8583::{Content, Dialect, Draft, FlagAt, Message, PartValue, SHIPPED, TextAt, Value, WordAt, shipped};

/// Every dialect that is shipped.
///
/// # Panics
/// If one does not compile, which a test of its own would have shown.
pub fn shipped_dialects() -> Vec<Dialect> {
    SHIPPED.iter().map(|(name, _)| shipped(name).unwrap().unwrap()).collect()
}

/// Asks for everything that can be asked of a message.
pub fn read_all(message: &Message) {
    for de in 0..=u8::MAX {
        let present = message.has(de);
        assert_eq!(message.raw(de).is_some(), present);
        assert_eq!(message.text(de).is_some(), present);
        let _ = (message.digits(de), message.number(de), message.binary(de));
    }
    WordAt::ALL
        .iter()
        .for_each(|word| assert!(message.word_at(*word).is_none_or(|found| word.words().contains(&found))));
    let _ = FlagAt::ALL.iter().filter(|flag| message.flag_at(**flag) == Some(true)).count();
    TextAt::ALL
        .iter()
        .for_each(|text| assert!(message.text_at(*text).is_none_or(|text| !text.as_str().is_empty())));
    let _ = (message.original_data(), message.additional_amounts().count(), message.network_function());
    let _ = (format!("{message:?}"), message.check_presence(), message.unexpected(), message.reject_code());
}

/// The bytes of a draft.
///
/// # Errors
/// As [`Draft::encode_into`].
pub fn encoded(draft: &Draft) -> Result<Bytes, iso8583::EncodeError> {
    let mut out = BytesMut::new();
    draft.encode_into(&mut out)?;
    Ok(out.freeze())
}

/// A part without parts: path, text, and bytes where it is binary.
pub type Leaf = (String, String, Option<Vec<u8>>);

/// The parts of a value that have no parts themselves.
pub fn leaves(value: Value<'_>) -> Vec<Leaf> {
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

/// A draft of the same message, from the values of its elements.
pub fn drafted(dialect: &Dialect, message: &Message) -> Draft {
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

/// The same message, written from the values of its elements.
pub fn rewritten(dialect: &Dialect, message: &Message) -> Message {
    dialect.decode(encoded(&drafted(dialect, message)).unwrap()).unwrap()
}

/// Writes each composite from its parts, which may come out more tightly than they came (padding, long forms of
/// lengths), and read the same.
pub fn rewrite_parts(dialect: &Dialect, message: &Message) {
    for de in message.elements() {
        let leaves = leaves(message.value(de).unwrap());
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
        let again = dialect.decode(encoded(&draft).unwrap()).unwrap();
        assert_eq!(self::leaves(again.value(de).unwrap()), leaves);
    }
}
