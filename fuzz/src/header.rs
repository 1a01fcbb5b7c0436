//! What stands before the message type, in every kind of header: no panic, a header goes back turned round, and turned
//! round twice it is the header that came.
//!
//! The first byte picks the kind; the message follows.

use crate::messages::encoded;
use bytes::Bytes;
use iso8583::{Dialect, Draft};
use std::sync::LazyLock;

const REST: &str = "mti = { encoding = \"bcd\" }\nbitmap = { encoding = \"binary\" }\n\
                    elements.11 = { name = \"number\", content = \"n\", encoding = \"bcd\", length = 6 }\n";

static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    let kinds = [
        "kind = \"tpdu\"",
        "kind = \"base-i\"",
        "kind = \"fixed\", value = \"ISO015000077\"",
        "kind = \"fixed\", value = \"ISO0\", encoding = \"ebcdic-500\"",
        "kind = \"fixed\", value = \"ISO[\", encoding = \"ebcdic-1047\"",
        "kind = \"fixed\", value = \"600003\", encoding = \"binary\"",
    ];
    let texts = kinds.iter().map(|kind| format!("name = \"t\"\nheader = {{ {kind} }}\n{REST}"));
    texts.map(|text| Dialect::from_toml(&text, "header").unwrap()).collect()
});

/// One input.
pub fn run(data: &[u8]) {
    let [picked, message @ ..] = data else { return };
    let dialect = &DIALECTS[usize::from(*picked) % DIALECTS.len()];
    let message = match dialect.decode(Bytes::copy_from_slice(message)) {
        Ok(message) => message,
        Err(refused) => {
            let _ = refused.to_string();
            return;
        }
    };
    let _ = message.reject_code();
    if let Some(wire) = Draft::answer(&message).and_then(|draft| encoded(&draft).ok()) {
        let answer = dialect.decode(wire).unwrap();
        assert!(answer.header().len() <= message.header().len());
        assert_eq!(answer.reject_code(), None);
    }
    let mut draft = Draft::new(dialect, message.mti());
    draft.header(message.header()).echo(11, &message);
    let again = dialect.decode(encoded(&draft).unwrap()).unwrap();
    assert_eq!((again.header(), again.raw(11)), (message.header(), message.raw(11)));
}
