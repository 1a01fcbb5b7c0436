//! Names in paths: whatever the product calls its accounts and cards, percent-encoded into one path segment.

use std::fmt::Write;

/// `name` as one path segment: everything but unreserved characters (RFC 3986) is percent-encoded.
pub(crate) fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail. The dot is encoded too: a segment must not be "..".
            let _infallible = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(segment("acct_1-x~"), "acct_1-x~");
        assert_eq!(segment("a/../b?c#d%"), "a%2F%2E%2E%2Fb%3Fc%23d%25");
        assert_eq!(segment("é"), "%C3%A9");
    }
}
