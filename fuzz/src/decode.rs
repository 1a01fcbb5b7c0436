//! Any bytes as a message of each shipped dialect: no panic in decoding or in any accessor, and a
//! fault lies inside the message.

use crate::messages::{read_all, shipped_dialects};
use bytes::Bytes;
use iso8583::Dialect;
use std::sync::LazyLock;

static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(shipped_dialects);

/// One input.
pub fn run(data: &[u8]) {
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
}
