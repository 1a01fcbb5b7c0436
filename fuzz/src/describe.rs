//! A message for people, in each shipped dialect: no panic, as many rows masked as in clear, nothing shown of a masked
//! value but a card number's first six and last four digits.

use crate::messages::shipped_dialects;
use bytes::Bytes;
use iso8583::{CardData, Dialect, Message, describe};
use std::sync::LazyLock;

static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(shipped_dialects);

/// One input.
pub fn run(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    for dialect in DIALECTS.iter() {
        match dialect.decode(bytes.clone()) {
            Ok(message) => show(&message),
            Err(refused) => refused.partial.iter().for_each(show),
        }
    }
}

fn show(message: &Message) {
    let masked = describe(message, CardData::Masked);
    let shown = describe(message, CardData::Shown);
    assert_eq!(masked.len(), shown.len());
    for (masked, shown) in masked.iter().zip(&shown) {
        assert_eq!((&masked.element, &masked.name), (&shown.element, &shown.name));
        assert!(!shown.masked);
        if masked.masked {
            let clear = masked.value.chars().filter(|character| *character != '*').count();
            assert!(clear == 0 || clear == 10 && masked.element == "2", "{}", masked.element);
        } else {
            assert_eq!(masked.value, shown.value);
        }
    }
    for de in [2, 14, 35, 36, 45, 52, 55].into_iter().filter(|de| message.has(*de)) {
        assert!(masked.iter().filter(|row| row.element == de.to_string()).all(|row| row.masked));
    }
}
