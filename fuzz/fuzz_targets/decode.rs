//! Any bytes as a message of each shipped dialect: no panic in decoding or in any accessor, and a
//! fault lies inside the message.
#![no_main]

use bytes::Bytes;
use iso8583::{CardData, Dialect, Message, SHIPPED, describe, shipped};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static DIALECTS: LazyLock<Vec<Dialect>> =
    LazyLock::new(|| SHIPPED.iter().map(|(name, _)| shipped(name).unwrap().unwrap()).collect());

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    for dialect in DIALECTS.iter() {
        match dialect.decode(bytes.clone()) {
            Ok(message) => read_all(&message),
            Err(refused) => {
                let _ = refused.to_string();
                assert!(refused.error.offset() <= data.len());
                refused.partial.iter().for_each(read_all);
            }
        }
    }
});

fn read_all(message: &Message) {
    for de in 0..=u8::MAX {
        let present = message.has(de);
        assert_eq!(message.raw(de).is_some(), present);
        assert_eq!(message.text(de).is_some(), present);
        let _ = (message.digits(de), message.number(de), message.binary(de));
    }
    let _ = (format!("{message:?}"), describe(message, CardData::Masked));
}
