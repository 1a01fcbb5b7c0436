//! A message that decodes is written again, element by element from its values and composites from their
//! parts, and decodes to the same values.

use crate::messages::{rewrite_parts, rewritten, shipped_dialects};
use bytes::Bytes;
use iso8583::{Dialect, Message};
use std::sync::LazyLock;

static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(shipped_dialects);

/// One input.
pub fn run(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    for dialect in DIALECTS.iter() {
        if let Ok(message) = dialect.decode(bytes.clone()) {
            compare(&rewritten(dialect, &message), &message);
            rewrite_parts(dialect, &message);
        }
    }
}

fn compare(again: &Message, message: &Message) {
    assert_eq!(again.mti(), message.mti());
    assert_eq!(again.header(), message.header());
    assert!(again.elements().eq(message.elements()));
    assert!(message.elements().all(|de| again.text(de) == message.text(de)));
}
