//! A byte stream cut into frames: no panic, no body over the bound, no byte lost or invented.
//!
//! The first byte picks the frame format, the second how the stream is chopped into reads.
#![no_main]

use bytes::BytesMut;
use iso8583::{FrameFormat, LengthHeader};
use libfuzzer_sys::fuzz_target;

const MAX_BYTES: usize = 2_048;

const LENGTHS: [LengthHeader; 2] = [LengthHeader::Binary2, LengthHeader::Ascii4];

fuzz_target!(|data: &[u8]| {
    let [picked, chop, stream @ ..] = data else { return };
    let length = LENGTHS[usize::from(*picked) / 2 % LENGTHS.len()];
    let format = FrameFormat { length, includes_itself: picked % 2 == 1, max_bytes: MAX_BYTES };
    let mut buffer = BytesMut::new();
    let mut taken = 0;
    for read in stream.chunks(usize::from(*chop) + 1) {
        buffer.extend_from_slice(read);
        loop {
            match format.split(&mut buffer) {
                Ok(Some(body)) => {
                    assert!(body.len() <= MAX_BYTES);
                    taken += length.bytes() + body.len();
                    write_and_split(format, &body);
                }
                Ok(None) => break,
                Err(error) => {
                    let _ = error.to_string();
                    return;
                }
            }
        }
    }
    assert_eq!(taken + buffer.len(), stream.len());
});

/// A body that came in goes out and comes in again the same.
fn write_and_split(format: FrameFormat, body: &[u8]) {
    let mut out = BytesMut::new();
    let written = format.write(&mut out, |out| {
        out.extend_from_slice(body);
        Ok(())
    });
    if written.is_ok() {
        assert_eq!(format.split(&mut out).unwrap().unwrap(), body);
        assert!(out.is_empty());
    }
}
