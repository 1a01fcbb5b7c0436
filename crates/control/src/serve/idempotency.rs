//! The `Idempotency-Key` header: money is booked once, however often the request is sent (E26).

use crate::problem::{Kind, Problem};
use axum::http::HeaderMap;
use domain::{AccountId, PostingKind, RequestKey};
use sha2::{Digest, Sha256};

const HEADER: &str = "idempotency-key";
const ALLOWED: &str = "1 to 255 visible ASCII characters, different for each posting";

/// The key of a posting: the header's value, in the scope of the operation and the account.
pub(crate) fn request_key(
    headers: &HeaderMap,
    kind: PostingKind,
    account: &AccountId,
) -> Result<RequestKey, Problem> {
    let bad = |found: &str| Problem::at(Kind::InvalidIdempotencyKey, "Idempotency-Key", found, ALLOWED);
    let mut values = headers.get_all(HEADER).into_iter();
    let value = values.next().ok_or_else(|| bad("no such header"))?.as_bytes();
    if values.next().is_some() {
        return Err(bad("the header more than once"));
    }
    if value.is_empty() || value.len() > 255 || !value.iter().all(u8::is_ascii_graphic) {
        return Err(bad("a value that cannot be used"));
    }
    Ok(digest(value, kind, account))
}

/// SHA-256 over the three parts, each with its length in front so that they cannot run into one another; cut
/// to 128 bits, which is beyond accident and beyond anybody who does not hold the API key anyway.
fn digest(key: &[u8], kind: PostingKind, account: &AccountId) -> RequestKey {
    let operation: &[u8] = match kind {
        PostingKind::Credit => b"credit",
        PostingKind::Debit => b"debit",
    };
    let mut hasher = Sha256::new();
    for part in [key, operation, account.as_str().as_bytes()] {
        // Every part is at most 255 bytes long.
        hasher.update([u8::try_from(part.len()).unwrap_or(u8::MAX)]);
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut key = [0; 16];
    for (to, from) in key.iter_mut().zip(digest) {
        *to = from;
    }
    RequestKey(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_within_its_operation_and_account() {
        let account = |name| AccountId::new(name).unwrap();
        let one = digest(b"k1", PostingKind::Credit, &account("a"));
        assert_eq!(one, digest(b"k1", PostingKind::Credit, &account("a")));
        assert_ne!(one, digest(b"k1", PostingKind::Debit, &account("a")));
        assert_ne!(one, digest(b"k1", PostingKind::Credit, &account("b")));
        assert_ne!(one, digest(b"k2", PostingKind::Credit, &account("a")));
    }

    #[test]
    fn a_missing_doubled_or_odd_key_is_refused() {
        let account = AccountId::new("a").unwrap();
        let long = "k".repeat(256);
        for values in [&[][..], &["a", "b"], &[""], &["a b"], &[long.as_str()]] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(HEADER, value.parse().unwrap());
            }
            let problem = request_key(&headers, PostingKind::Credit, &account).unwrap_err();
            assert_eq!(problem.kind(), Kind::InvalidIdempotencyKey);
        }
    }
}
