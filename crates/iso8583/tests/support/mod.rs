//! What the tests on vectors share: reading the vectors, and the dialects by name.
#![allow(dead_code, clippy::panic)] // each test program uses its own part

use iso8583::{Dialect, shipped};
use serde_json::Value as Json;
use std::path::Path;

/// The rows of a file of vectors.
pub(crate) fn rows(file: &str) -> Vec<Json> {
    read(&format!("vectors/{file}")).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A shipped dialect, or one of those in `tests/dialects`.
pub(crate) fn dialect(name: &str) -> Dialect {
    shipped(name)
        .unwrap_or_else(|| Dialect::from_toml(&read(&format!("dialects/{name}.toml")), name))
        .unwrap()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    const_hex::decode(text).unwrap()
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
