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

/// The dialects in `tests/dialects`.
pub(crate) const TEST_DIALECTS: [&str; 20] = [
    "always-128-binary-amount",
    "always-128",
    "ascii-2003",
    "ascii-bcd-pan",
    "ascii-binary-bitmap",
    "base-i",
    "four-characters-binary-bitmap",
    "four-characters-ebcdic-bitmap",
    "lenient-ascii",
    "mixed-52-fields",
    "nibbles-ascii-length",
    "nibbles-left-0",
    "nibbles-left-f",
    "nibbles-right-f",
    "packed-lengths",
    "positional-in-positional",
    "short-ascii",
    "three-digit-prefixes",
    "tlv-in-positional",
    "tpdu-bcd",
];

/// The text of a dialect in `tests/dialects`.
pub(crate) fn text(name: &str) -> String {
    read(&format!("dialects/{name}.toml"))
}

/// A whole dialect file around an example of the page on dialects.
pub(crate) fn whole_dialect(example: &str) -> String {
    const HEAD: &str = "name = \"t\"\nmti = { encoding = \"ascii\" }\nbitmap = { encoding = \"hex\" }\n";
    match example.chars().next() {
        Some('n') => example.to_owned(),
        Some('[') => format!("{HEAD}{example}"),
        _ => format!("{HEAD}[elements]\n{example}"),
    }
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    const_hex::decode(text).unwrap()
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
