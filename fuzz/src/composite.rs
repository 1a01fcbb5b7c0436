//! Elements made of parts, of every other kind: in order, tagged, by a bitmap of their own, one inside another. No panic, and
//! what is accepted is written again from its parts and reads the same.
//!
//! The first byte picks the element; its value follows.

use crate::messages::{read_all, rewrite_parts};
use bytes::Bytes;
use iso8583::Dialect;
use std::sync::LazyLock;

const ELEMENTS: [u8; 6] = [43, 48, 60, 61, 62, 63];

static DIALECT: LazyLock<Dialect> = LazyLock::new(|| {
    let text = r#"
name = "t"
mti = { encoding = "ascii" }
bitmap = { encoding = "binary" }

[elements.43]
name = "in order, may end early"
content = "text"
prefix = "LLLL"
min = 0
max = 9999
[elements.43.parts]
may_end_early = true
order = [
    { key = "a", name = "fixed", content = "n", length = 3 },
    { key = "b", name = "packed", content = "n", encoding = "bcd", prefix = "LL", prefix_encoding = "bcd", max = 19, pad = "right-f" },
    { key = "c", name = "in order", content = "ans", length = 4, parts.order = [{ key = "x", name = "first", content = "n", length = 2 }, { key = "y", name = "rest", content = "a" }] },
    { key = "d", name = "the rest", content = "ans" },
]

[elements.48]
name = "tagged"
content = "text"
prefix = "LLLL"
min = 0
max = 9999
[elements.48.parts]
order = [{ key = "00", name = "category", content = "an", length = 1 }]
tagged = { tag_width = 2, tag_encoding = "ascii", size = "LL", size_encoding = "ascii", tags = { 42 = { name = "inner", content = "ans", parts.tagged = { tag_width = 2, tag_encoding = "ascii", size = "LL", size_encoding = "ascii" } } } }

[elements.60]
name = "tagged in EBCDIC"
content = "text"
encoding = "ebcdic-1047"
prefix = "LLLL"
min = 0
max = 9999
parts.tagged = { tag_width = 3, tag_encoding = "ebcdic-1047", size = "LLL", size_encoding = "ebcdic", other = { name = "other", content = "ans", encoding = "ebcdic-1047" } }

[elements.61]
name = "data sets"
content = "b"
prefix = "LLLL"
min = 0
max = 9999
parts.tagged = { tag_width = 1, tag_encoding = "binary", size = "LL", size_encoding = "binary", other = { name = "data set", content = "b", parts.ber_tlv = {} } }

[elements.62]
name = "bitmap in bitmap"
content = "b"
prefix = "LLLL"
min = 0
max = 9999
[elements.62.parts.bitmap]
bytes = 8
bits.1 = { name = "a", content = "an", length = 1 }
bits.2 = { name = "b", content = "n", encoding = "bcd", prefix = "L", prefix_encoding = "binary", max = 15 }
bits.25 = { name = "c", content = "b", prefix = "LL", max = 99, parts.bitmap = { bytes = 2, encoding = "hex", bits = { 1 = { name = "d", content = "z", prefix = "LL", max = 37 }, 16 = { name = "e", content = "x+n", length = 9 } } } }
bits.64 = { name = "f", content = "hex", encoding = "bcd", unit = "nibbles", prefix = "LL", max = 9 }

[elements.63]
name = "bitmap in EBCDIC"
content = "b"
prefix = "LLLL"
min = 0
max = 9999
[elements.63.parts.bitmap]
bytes = 3
encoding = "ebcdic-hex"
bits.1 = { name = "a", content = "n", encoding = "ebcdic-500", length = 4 }
bits.24 = { name = "b", content = "b", encoding = "hex", unit = "bytes", prefix = "LL", max = 8 }
"#;
    Dialect::from_toml(text, "composite").unwrap()
});

/// One input.
pub fn run(data: &[u8]) {
    let [picked, value @ ..] = data else { return };
    let de = ELEMENTS[usize::from(*picked) % ELEMENTS.len()];
    let mut wire = b"0100".to_vec();
    wire.extend((1_u64 << (64 - de)).to_be_bytes());
    let value = &value[..value.len().min(9_999)];
    wire.extend(format!("{:04}", value.len()).bytes());
    wire.extend(value);
    match DIALECT.decode(Bytes::from(wire)) {
        Ok(message) => {
            read_all(&message);
            rewrite_parts(&DIALECT, &message);
        }
        Err(refused) => assert_eq!(refused.error.element(), Some(de), "{refused}"),
    }
}
