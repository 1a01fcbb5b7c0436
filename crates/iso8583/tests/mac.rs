//! Messages with a message authentication code: sealed and checked in every shipped dialect, and whatever is changed on the
//! way is noticed.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use bytes::{Bytes, BytesMut};
use iso8583::{Dialect, Draft, EncodeError, MacAlgorithm, MacError, MacKey, MacPadding, Mti, SHIPPED};
use support::dialect;

fn key(algorithm: MacAlgorithm) -> MacKey {
    MacKey::new(algorithm, MacPadding::Zeros, b"0123456789abcdef", None).unwrap()
}

const ALGORITHMS: [MacAlgorithm; 3] = [MacAlgorithm::Cbc, MacAlgorithm::Retail, MacAlgorithm::HmacSha256];

fn draft(dialect: &Dialect, last: u8) -> Draft {
    let mti = if dialect.name() == "ascii-1993" { "1100" } else { "0100" };
    let mut draft = Draft::new(dialect, Mti::parse(mti).unwrap());
    draft.number(3, 0).number(4, 1_000).number(11, 42).text(41, "TERM0001");
    if last > 64 {
        draft.number(last, 1);
    }
    draft
}

fn sealed(dialect: &Dialect, last: u8, key: &MacKey) -> Bytes {
    let mut out = BytesMut::from(&b"before"[..]);
    draft(dialect, last).encode_sealed_into(key, &mut out).unwrap();
    out.split_off(6).freeze()
}

#[test]
fn what_is_sealed_is_accepted_in_every_dialect_and_with_one_or_two_bitmaps() {
    for (name, _) in SHIPPED {
        let dialect = dialect(name);
        for algorithm in ALGORITHMS {
            for (last, de) in [(41, 64), (100, 128)] {
                let message = dialect.decode(sealed(&dialect, last, &key(algorithm))).unwrap();
                assert_eq!(message.elements().last(), Some(de), "{name}");
                assert_eq!(message.verify_mac(&key(algorithm)), Ok(()), "{name} {algorithm}");
                let other = MacKey::new(algorithm, MacPadding::Zeros, b"0123456789abcdeF", None);
                // The last bit of a byte of a DES key is parity; the bit that differs here is not.
                assert_eq!(
                    message.verify_mac(&other.unwrap()),
                    Err(MacError::Wrong { de }),
                    "{name} {algorithm}"
                );
            }
        }
    }
}

#[test]
fn every_changed_byte_from_the_message_type_on_is_noticed() {
    let dialect = dialect("binary-1987");
    for algorithm in ALGORITHMS {
        let key = key(algorithm);
        let wire = sealed(&dialect, 41, &key);
        for at in 0..wire.len() {
            let mut changed = wire.to_vec();
            changed[at] ^= 1;
            if let Ok(message) = dialect.decode(changed.into()) {
                assert!(message.verify_mac(&key).is_err(), "{algorithm}: byte {at}");
            }
        }
    }
}

#[test]
fn a_header_may_change_on_the_way() {
    let dialect = dialect("visa-like");
    let key = key(MacAlgorithm::Retail);
    let mut wire = sealed(&dialect, 41, &key).to_vec();
    wire[5..11].copy_from_slice(&[6, 5, 4, 3, 2, 1]);
    dialect.decode(wire.into()).unwrap().verify_mac(&key).unwrap();
}

#[test]
fn a_message_without_a_code_at_its_end_is_not_authentic() {
    let dialect = dialect("ascii-1987");
    let key = key(MacAlgorithm::Retail);
    let decoded = |draft: &Draft| {
        let mut out = BytesMut::new();
        draft.encode_into(&mut out).unwrap();
        dialect.decode(out.freeze()).unwrap()
    };
    let error = decoded(&draft(&dialect, 41)).verify_mac(&key).unwrap_err();
    assert_eq!(error, MacError::Missing { de: 64 });
    assert_eq!(error.to_string(), "DE 64 message authentication code: is missing at the end of the message");
    assert_eq!(error.element(), 64);
    // DE 64 does not cover what comes after it.
    let message = decoded(draft(&dialect, 100).binary(64, &[0; 8]));
    assert_eq!(message.verify_mac(&key), Err(MacError::Missing { de: 128 }));
}

#[test]
fn sealing_again_replaces_the_code() {
    let dialect = dialect("ascii-1987");
    let (first, second) = (key(MacAlgorithm::Retail), key(MacAlgorithm::HmacSha256));
    let mut draft = draft(&dialect, 41);
    let mut out = BytesMut::new();
    draft.encode_sealed_into(&first, &mut out).unwrap();
    draft.number(100, 7);
    out.clear();
    draft.encode_sealed_into(&second, &mut out).unwrap();
    let message = dialect.decode(out.freeze()).unwrap();
    assert!(!message.has(64));
    message.verify_mac(&second).unwrap();
}

#[test]
fn two_bitmaps_that_are_always_there_put_the_code_in_the_second() {
    let text = "name = \"t\"\nmti = { encoding = \"ascii\" }\nbitmap = { encoding = \"hex\", layout = \"always-128\" }\n\
                [elements]\n11 = { name = \"number\", content = \"n\", length = 6 }\n\
                64 = { name = \"code\", content = \"b\", length = 8 }\n128 = { name = \"code\", content = \"b\", length = 4 }\n";
    let dialect = Dialect::from_toml(text, "t").unwrap();
    let (key, mut out) = (key(MacAlgorithm::Retail), BytesMut::new());
    let mut draft = Draft::new(&dialect, Mti::parse("0800").unwrap());
    draft.number(11, 1).encode_sealed_into(&key, &mut out).unwrap();
    let message = dialect.decode(out.freeze()).unwrap();
    assert_eq!(message.elements().collect::<Vec<_>>(), [11, 128]);
    message.verify_mac(&key).unwrap();
}

#[test]
fn a_dialect_without_a_place_for_the_code_sends_nothing() {
    let dialect = dialect("short-ascii");
    let mut out = BytesMut::new();
    let mut draft = Draft::new(&dialect, Mti::parse("0100").unwrap());
    let error = draft.number(3, 0).encode_sealed_into(&key(MacAlgorithm::Retail), &mut out).unwrap_err();
    assert_eq!(error, EncodeError::NoPlaceForMac { de: 64, dialect: "short-ascii".into() });
    assert_eq!(
        error.to_string(),
        "DE 64 of short-ascii cannot hold a message authentication code at the end of the message"
    );
    assert!(out.is_empty());
}
