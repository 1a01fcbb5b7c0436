//! A message that decodes is written again, element by element from its values, and decodes to the
//! same values.
#![no_main]

use bytes::{Bytes, BytesMut};
use iso8583::{Content, Dialect, Draft, Message, SHIPPED, shipped};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static DIALECTS: LazyLock<Vec<Dialect>> =
    LazyLock::new(|| SHIPPED.iter().map(|(name, _)| shipped(name).unwrap().unwrap()).collect());

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    for dialect in DIALECTS.iter() {
        if let Ok(message) = dialect.decode(bytes.clone()) {
            rewrite(dialect, &message);
        }
    }
});

fn rewrite(dialect: &Dialect, message: &Message) {
    let mut draft = Draft::new(dialect, message.mti());
    for de in message.elements() {
        if dialect.element(de).unwrap().content() == Content::Binary {
            draft.binary(de, &message.binary(de).unwrap());
        } else {
            draft.text(de, &message.text(de).unwrap());
        }
    }
    let mut out = BytesMut::new();
    draft.encode_into(&mut out).unwrap();
    let again = dialect.decode(out.freeze()).unwrap();
    assert_eq!(again.mti(), message.mti());
    assert!(again.elements().eq(message.elements()));
    assert!(message.elements().all(|de| again.text(de) == message.text(de)));
}
