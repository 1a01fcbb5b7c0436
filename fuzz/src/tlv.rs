//! Any bytes as chip data, three templates deep: no panic, and what is accepted is written again from its parts and reads
//! the same.

use crate::messages::{read_all, rewrite_parts};
use bytes::Bytes;
use iso8583::Dialect;
use std::sync::LazyLock;

static DIALECT: LazyLock<Dialect> = LazyLock::new(|| {
    let text = "name = \"t\"\nmti = { encoding = \"ascii\" }\nbitmap = { encoding = \"binary\" }\n\
                [elements.55]\nname = \"chip data\"\ncontent = \"b\"\nprefix = \"LLLL\"\nmax = 9999\nmin = 0\n\
                [elements.55.parts.ber_tlv.tags]\n\
                9F02 = { name = \"amount\", content = \"n\", encoding = \"bcd\", length = 12 }\n\
                5A = { name = \"number\", content = \"hex\", encoding = \"bcd\", max = 20, pad = \"right-f\" }\n\
                5F20 = { name = \"cardholder\", content = \"ans\", min = 2, max = 26 }\n\
                70 = { name = \"template\", content = \"b\", parts.ber_tlv.tags.77 = { name = \"inner\", content = \"b\", \
                parts.ber_tlv.tags.FF8101 = { name = \"innermost\", content = \"b\", parts.ber_tlv = {} } } }\n";
    Dialect::from_toml(text, "tlv").unwrap()
});

/// One input.
pub fn run(data: &[u8]) {
    let mut wire = b"0100\0\0\0\0\0\0\x02\0".to_vec();
    wire.extend(format!("{:04}", data.len().min(9_999)).bytes());
    wire.extend(data.iter().take(9_999));
    match DIALECT.decode(Bytes::from(wire)) {
        Ok(message) => {
            read_all(&message);
            rewrite_parts(&DIALECT, &message);
        }
        Err(refused) => assert_eq!(refused.error.element(), Some(55), "{refused}"),
    }
}
