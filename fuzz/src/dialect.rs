//! Any text as a dialect file, then any bytes as a message of it: no panic in either, and an error names a line
//! of the file.
//!
//! The text ends with the first zero byte; the message follows.

use crate::messages::{encoded, read_all};
use bytes::{Bytes, BytesMut};
use iso8583::{CardData, Dialect, Draft, NetworkFunction, describe};

/// One input.
pub fn run(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let Ok(text) = std::str::from_utf8(&data[..end]) else { return };
    let dialect = match Dialect::from_toml(text, "fuzz.toml") {
        Ok(dialect) => dialect,
        Err(error) => {
            assert!(error.to_string().contains("fuzz.toml"));
            return;
        }
    };
    for function in [NetworkFunction::SignOn, NetworkFunction::Echo, NetworkFunction::Cutover] {
        if let Some(draft) = Draft::network_management(&dialect, function) {
            let sent = dialect.decode(encoded(&draft).unwrap()).unwrap();
            assert_eq!(sent.network_function(), Some(function));
        }
    }
    let message = match dialect.decode(Bytes::copy_from_slice(data.get(end + 1..).unwrap_or_default())) {
        Ok(message) => message,
        Err(refused) => {
            let _ = refused.to_string();
            match refused.partial {
                Some(partial) => partial,
                None => return,
            }
        }
    };
    let _ = describe(&message, CardData::Shown);
    read_all(&message);
    if let Some(mut answer) = Draft::answer(&message) {
        let mut out = BytesMut::new();
        if answer.echo_by_rule(&message).encode_into(&mut out).is_ok() {
            dialect.decode(out.freeze()).unwrap();
        }
    }
}
