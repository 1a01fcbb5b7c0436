//! A byte stream cut into frames: no panic, no body over the bound, no byte lost or invented.
//!
//! The first byte picks the frame format, the second how the stream is chopped into reads.

use bytes::BytesMut;
use iso8583::{Frame, FrameFormat, LengthHeader};

const MAX_BYTES: usize = 2_048;

const LENGTHS: [LengthHeader; 10] = [
    LengthHeader::Binary2,
    LengthHeader::Binary2Little,
    LengthHeader::Binary4,
    LengthHeader::Bcd2,
    LengthHeader::Ascii2,
    LengthHeader::Ascii4,
    LengthHeader::Hex4,
    LengthHeader::Vml,
    LengthHeader::Flags2Binary2,
    LengthHeader::Flags2Binary2Flags2,
];

/// One input.
pub fn run(data: &[u8]) {
    let [picked, chop, stream @ ..] = data else { return };
    let length = LENGTHS[usize::from(*picked) / 2 % LENGTHS.len()];
    let format = FrameFormat { length, includes_itself: picked % 2 == 1, max_bytes: MAX_BYTES };
    let mut buffer = BytesMut::new();
    for read in stream.chunks(usize::from(*chop) + 1) {
        buffer.extend_from_slice(read);
        loop {
            let before = buffer.len();
            match format.take(&mut buffer) {
                Ok(Some(frame)) => {
                    let taken = before - buffer.len();
                    let (Frame::Message(body) | Frame::SessionControl(body)) = &frame else {
                        assert_eq!(taken, length.bytes());
                        continue;
                    };
                    assert!(body.len() <= MAX_BYTES);
                    assert_eq!(taken, length.bytes() + body.len());
                    write_and_take(format, &frame);
                }
                Ok(None) => {
                    assert_eq!(buffer.len(), before);
                    break;
                }
                Err(error) => {
                    let _ = error.to_string();
                    return;
                }
            }
        }
    }
}

/// A frame that came in goes out and comes in again the same.
fn write_and_take(format: FrameFormat, frame: &Frame) {
    let mut out = BytesMut::new();
    let written = match frame {
        Frame::Message(body) => format.write(&mut out, |out| {
            out.extend_from_slice(body);
            Ok(())
        }),
        Frame::SessionControl(body) => format.write_session_control(&mut out, body),
        Frame::KeepAlive => {
            format.write_keep_alive(&mut out);
            Ok(())
        }
    };
    if written.is_ok() {
        assert_eq!(format.take(&mut out).unwrap().as_ref(), Some(frame));
        assert!(out.is_empty());
    }
}
