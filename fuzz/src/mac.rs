//! Message authentication codes: no panic with any key on any message; what is sealed is accepted, and not with one bit
//! changed.
//!
//! The first byte picks algorithm and padding, the second the size of the key, the third how much of a code is used, the
//! fourth the dialect, the fifth the bit that is changed. The key follows, then the message.

use crate::messages::{drafted, shipped_dialects};
use bytes::{Bytes, BytesMut};
use iso8583::{Dialect, MacAlgorithm, MacKey, MacPadding, Message};
use std::sync::LazyLock;

static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(shipped_dialects);

const ALGORITHMS: [MacAlgorithm; 3] = [MacAlgorithm::Cbc, MacAlgorithm::Retail, MacAlgorithm::HmacSha256];

/// One input.
pub fn run(data: &[u8]) {
    let [picked, size, length, dialect, bit, rest @ ..] = data else { return };
    let algorithm = ALGORITHMS[usize::from(picked / 2) % ALGORITHMS.len()];
    let padding = if picked % 2 == 0 { MacPadding::Zeros } else { MacPadding::OneAndZeros };
    let Some((key, bytes)) = rest.split_at_checked(usize::from(*size)) else { return };
    let length = (*length > 0).then(|| usize::from(*length));
    let key = match MacKey::new(algorithm, padding, key, length) {
        Ok(key) => key,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    let dialect = &DIALECTS[usize::from(*dialect) % DIALECTS.len()];
    let message = match dialect.decode(Bytes::copy_from_slice(bytes)) {
        Ok(message) => message,
        Err(refused) => match refused.partial {
            Some(partial) => partial,
            None => return,
        },
    };
    let _ = message.verify_mac(&key).map_err(|error| error.to_string());
    seal(dialect, &message, &key, *bit);
}

fn seal(dialect: &Dialect, message: &Message, key: &MacKey, bit: u8) {
    let mut draft = drafted(dialect, message);
    let mut out = BytesMut::new();
    if draft.encode_sealed_into(key, &mut out).is_err() {
        assert!(out.is_empty());
        return;
    }
    let sealed = dialect.decode(out.clone().freeze()).unwrap();
    sealed.verify_mac(key).unwrap();
    let header = sealed.header().len();
    let at = header + usize::from(bit) % (out.len() - header);
    out[at] ^= 1;
    if let Ok(changed) = dialect.decode(out.freeze()) {
        // Only the case of a hexadecimal digit can change and say the same.
        let same = changed.elements().all(|de| changed.text(de) == sealed.text(de));
        assert!(changed.verify_mac(key).is_err() || same);
    }
}
