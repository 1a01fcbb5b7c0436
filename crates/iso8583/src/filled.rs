//! Messages for tests: with all their elements, and changed in places.
#![allow(clippy::unwrap_used)]

use crate::message::Message;
use crate::{Dialect, Draft, Mti, SHIPPED, shipped};
use bytes::BytesMut;
use std::sync::LazyLock;

/// A value for every element that has one, in every shipped dialect: those that follow one another are of many kinds.
pub(crate) fn filled() -> &'static [(Dialect, Message)] {
    static FILLED: LazyLock<Vec<(Dialect, Message)>> = LazyLock::new(|| {
        SHIPPED.iter().map(|(name, _)| shipped(name).unwrap().unwrap()).map(with_all_elements).collect()
    });
    &FILLED
}

fn with_all_elements(dialect: Dialect) -> (Dialect, Message) {
    let mti = Mti::parse("0100").unwrap();
    let mut draft = Draft::new(&dialect, mti);
    for de in 2..=128 {
        let texts = (1..=42).map(|length| "1".repeat(length)).chain(["D00000012".into()]);
        let accepts = |text: &String| {
            let mut one = Draft::new(&dialect, mti);
            one.text(de, text).encode_into(&mut BytesMut::new()).is_ok()
        };
        // Odd lengths first, so that packed digits have fillers.
        let mut texts: Vec<String> = texts.collect();
        texts.sort_by_key(|text| text.len() % 2 == 0);
        let mut more = draft.clone();
        match texts.iter().find(|text| accepts(text)) {
            Some(text) => more.text(de, text),
            None => more.binary(de, &[0x42; 8]),
        };
        if more.encode_into(&mut BytesMut::new()).is_ok() {
            draft = more;
        }
    }
    let mut out = BytesMut::new();
    draft.encode_into(&mut out).unwrap();
    let message = dialect.decode(out.freeze()).unwrap();
    (dialect, message)
}

/// Some of the elements of `all`, and the wire changed in places.
pub(crate) fn changed(dialect: &Dialect, all: &Message, chosen: &[bool], changes: &[(usize, u8)]) -> Vec<u8> {
    let mut draft = Draft::new(dialect, all.mti());
    all.elements().zip(chosen).filter(|(_, chosen)| **chosen).for_each(|(de, _)| {
        draft.echo(de, all);
    });
    let mut out = BytesMut::new();
    draft.encode_into(&mut out).unwrap();
    for (at, byte) in changes {
        let at = at % out.len();
        out[at] = *byte;
    }
    out.to_vec()
}
